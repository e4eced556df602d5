"""The arithmetic of time, by pictures of history and by properties of random ones."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from helpers import T0, a_check, at, saw
from hypothesis import given
from hypothesis import strategies as st

from uplog.collector.history import (
    Account,
    account,
    accounts,
    days,
    fold,
    incidents,
    overlay,
    percent,
    periods,
    settle,
    spans,
    timeline,
)
from uplog.collector.model import Check, Correction, Flip, Reason, Role, Span, State, Window

pytestmark = pytest.mark.unit


def turns(pattern: str, **changes: object) -> list[tuple[str, int]]:
    """The state changes that a picture shows: state, minute."""
    check = a_check(**changes)
    _, flips = fold((one, check) for one in saw(pattern, check))
    return [(str(flip.state), (flip.at - T0) // timedelta(minutes=1)) for flip in settle(flips)]


def lived(pattern: str, now: datetime, check: Check | None = None) -> list[Span]:
    """The spans of an only check."""
    check = check or a_check()
    standing, flips = fold((one, check) for one in saw(pattern, check))
    last = standing.last if standing else None
    return spans([(check.role, timeline(flips, last, check.every, now))])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("+", [("up", 0)]),
        ("-", [("unknown", 0)]),
        ("--", [("unknown", 0)]),
        ("---", [("down", 0)]),
        ("+--+", [("up", 0)]),
        ("+---+", [("up", 0), ("down", 1), ("up", 4)]),
        ("+---", [("up", 0), ("down", 1)]),
        ("+!!+", [("up", 0)]),
        ("+!!!+", [("up", 0), ("degraded", 1), ("up", 4)]),
        ("+!--+", [("up", 0), ("degraded", 1), ("up", 4)]),
        ("+!---", [("up", 0), ("degraded", 1), ("down", 2)]),
        ("---!", [("down", 0), ("degraded", 3)]),
        ("---+!!!", [("down", 0), ("up", 3), ("degraded", 4)]),
        ("+?+", [("up", 0), ("unknown", 1), ("up", 2)]),
        ("+--?-+", [("up", 0), ("unknown", 3), ("up", 5)]),
        ("+ +", [("up", 0)]),  # one lost round is forgiven
        ("+  +", [("up", 0), ("unknown", 1), ("up", 3)]),  # two never are
        ("+-  --", [("up", 0), ("unknown", 2)]),  # silence ends a run of failures
        ("+-  ---", [("up", 0), ("unknown", 2), ("down", 4)]),
    ],
)
def test_a_flip_is_dated_to_the_first_observation_of_the_run_that_made_it(
    pattern: str, expected: list[tuple[str, int]]
) -> None:
    assert turns(pattern) == expected


def test_success_threshold_counts_passes_in_a_row() -> None:
    assert turns("---+-++", success_threshold=2) == [("down", 0), ("up", 5)]


def test_not_failing_often_enough_ends_a_down_as_degraded() -> None:
    assert turns("---+!", success_threshold=2) == [("down", 0), ("degraded", 3)]


def test_failures_in_grace_count_in_no_run() -> None:
    assert turns("-----+", grace=5 * 60_000) == [("unknown", 0), ("up", 5)]


def test_grace_ends_with_the_first_pass() -> None:
    assert turns("-+---", grace=60 * 60_000) == [("unknown", 0), ("up", 1), ("down", 2)]


def test_failures_after_grace_count_from_one() -> None:
    assert turns("-----", grace=2 * 60_000) == [("unknown", 0), ("down", 2)]


def test_the_reason_of_a_span_is_that_of_the_observation_it_is_dated_to() -> None:
    assert lived("+-!-", at(3))[-1] == Span(start=at(1), end=None, state=State.DEGRADED, reason=Reason.TIMEOUT)


def test_a_dead_collector_shows_as_unknown_from_one_interval_after_the_last_answer() -> None:
    assert lived("++", at(60)) == [
        Span(start=at(0), end=at(2), state=State.UP),
        Span(start=at(2), end=None, state=State.UNKNOWN, reason=Reason.NO_SAMPLE),
    ]


def test_silence_is_not_known_before_two_and_a_half_intervals_are_over() -> None:
    assert lived("+", at(2.5)) == [Span(start=at(0), end=None, state=State.UP)]
    assert lived("+", at(2.5) + timedelta(seconds=1))[0].end == at(1)


def test_a_flip_that_only_later_rows_show_does_not_exist_before_them() -> None:
    """`--now` ignores everything dated later, also what it says about the time before."""
    assert lived("+---", at(2)) == [Span(start=at(0), end=None, state=State.UP)]
    assert lived("+---", at(3)) == [
        Span(start=at(0), end=at(1), state=State.UP),
        Span(start=at(1), end=None, state=State.DOWN, reason=Reason.TIMEOUT),
    ]


def test_of_flips_in_one_second_the_last_holds() -> None:
    def flip(ms: int, state: State) -> Flip:
        moment = T0 + timedelta(milliseconds=ms)
        return Flip(check="c", at=moment.replace(microsecond=0), state=state, made=moment)

    flips = [flip(0, State.UP), flip(1_200, State.DOWN), flip(1_900, State.UP)]

    assert settle(flips) == flips[:1]


def test_the_worst_of_the_living_checks_counts() -> None:
    def flip(minute: int, state: State | None) -> Flip:
        return Flip(check="c", at=at(minute), state=state, made=at(minute))

    found = spans(
        [
            (Role.LIVENESS, [flip(0, State.UP), flip(5, State.DOWN), flip(6, State.UP)]),
            (Role.LIVENESS, [flip(2, State.UNKNOWN), flip(3, None)]),
        ]
    )

    assert [(span.start, span.state) for span in found] == [
        (at(0), State.UP),
        (at(2), State.UNKNOWN),
        (at(3), State.UP),
        (at(5), State.DOWN),
        (at(6), State.UP),
    ]


@pytest.mark.parametrize(
    ("liveness", "expected"),
    [
        (State.UP, (State.DEGRADED, Reason.NOT_READY)),
        (State.DEGRADED, (State.DEGRADED, None)),
        (State.UNKNOWN, (State.UNKNOWN, None)),
        (State.DOWN, (State.DOWN, None)),
        (None, (State.DOWN, Reason.HTTP_5XX)),
    ],
)
def test_not_ready_is_not_dead(liveness: State | None, expected: tuple[State, Reason | None]) -> None:
    ready = (Role.READINESS, [Flip(check="r", at=at(1), state=State.DOWN, reason=Reason.HTTP_5XX, made=at(1))])
    alive = (Role.LIVENESS, [Flip(check="l", at=at(0), state=liveness, made=at(0))])

    found = spans([alive, ready] if liveness else [ready])[-1]

    assert (found.state, found.reason) == expected


def test_an_incident_goes_on_through_unknown_and_maintenance() -> None:
    line = [
        Span(start=at(0), end=at(10), state=State.DOWN, reason=Reason.TIMEOUT),
        Span(start=at(10), end=at(20), state=State.UNKNOWN),
        Span(start=at(20), end=at(30), state=State.DOWN, reason=Reason.REFUSED),
        Span(start=at(30), end=None, state=State.UP),
    ]

    told = incidents(overlay(line, windows=[Window(start=at(22), end=at(24))]), "web", at(60))

    assert [(one.start, one.end, one.seconds, one.reason) for one in told] == [(at(0), at(30), 18 * 60, Reason.TIMEOUT)]


def test_every_second_inside_maintenance_is_maintenance() -> None:
    line = [Span(start=at(0), end=at(30), state=State.UP), Span(start=at(30), end=None, state=State.DOWN)]

    sums = account(overlay(line, windows=[Window(start=at(20), end=at(40))]), at(0), at(60))

    assert sums == Account(up_s=20 * 60, down_s=20 * 60, maintenance_s=20 * 60, maintenance_down_s=10 * 60)
    assert (percent(sums.uptime), percent(sums.uptime_with_maintenance)) == ("50.000", "50.000")


def test_a_correction_changes_the_state_but_makes_no_time() -> None:
    line = [Span(start=at(10), end=None, state=State.DOWN)]

    sums = account(
        overlay(line, [Correction(start=at(0), end=at(15), state=State.UP)], [Window(start=at(12), end=at(13))]),
        at(0),
        at(20),
    )

    assert sums == Account(up_s=4 * 60, down_s=5 * 60, maintenance_s=60)


@pytest.mark.parametrize(
    ("sums", "uptime", "observed"),
    [
        (Account(), None, None),
        (Account(up_s=1), "100", "100"),
        (Account(up_s=90 * 86_400 - 1, down_s=1), "99.999", "100"),
        (Account(up_s=49, unknown_s=51), None, "49.000"),
        (Account(up_s=50, unknown_s=50), "100", "50.000"),
        (Account(down_s=5), "0.000", "100"),
        (Account(degraded_s=5), "100", "100"),
    ],
)
def test_percentages_are_floored_and_say_when_too_little_is_known(
    sums: Account, uptime: str | None, observed: str | None
) -> None:
    assert (percent(sums.uptime), percent(sums.observed)) == (uptime, observed)


def test_days_of_a_zone_have_23_and_25_hours_twice_a_year() -> None:
    zone = ZoneInfo("Europe/Helsinki")

    def hours(now: datetime) -> dict[str, float]:
        found = days(now, zone, 4)
        return {day: (after - start) / timedelta(hours=1) for (day, start), (_, after) in pairwise(found)}

    assert hours(datetime(2026, 3, 30, 12, tzinfo=UTC))["2026-03-29"] == 23
    assert hours(datetime(2026, 10, 27, 12, tzinfo=UTC))["2026-10-25"] == 25


def test_the_day_cells_of_a_period_add_up_to_it() -> None:
    zone = ZoneInfo("Pacific/Auckland")
    now = datetime(2026, 11, 21, 11, 30, 15, tzinfo=UTC)
    line = [Span(start=now - timedelta(days=9), end=now - timedelta(hours=30), state=State.UP)]
    line.append(Span(start=now - timedelta(hours=30), end=None, state=State.DOWN))

    start, end = periods(now, zone)["7d"]
    cells = accounts(line, [moment for _, moment in days(now, zone, 7)] + [now])
    whole = account(line, start, end)

    assert (sum(cell.up_s for cell in cells), sum(cell.down_s for cell in cells)) == (whole.up_s, whole.down_s)
    assert whole.down_s == 30 * 3600


picture = st.text(alphabet="++++--!? ", min_size=1, max_size=60)


@given(picture, st.integers(1, 4), st.integers(1, 3), st.integers(0, 400), st.integers(0, 5))
def test_every_second_of_a_life_is_accounted_once(
    pattern: str, failures: int, successes: int, later: int, grace: int
) -> None:
    check = a_check(failure_threshold=failures, success_threshold=successes, grace=grace * 60_000)
    observations = list(saw(pattern, check))
    now = at(len(pattern)) + timedelta(seconds=later)

    sums = account(lived(pattern, now, check), at(-10), now)

    first = observations[0].at if observations else now
    assert sums.up_s + sums.degraded_s + sums.down_s + sums.unknown_s == (now - first) // timedelta(seconds=1)


@given(picture, st.integers(1, 4))
def test_uptime_is_below_100_exactly_when_a_down_span_is_listed(pattern: str, failures: int) -> None:
    now = at(len(pattern))
    line = lived(pattern, now, a_check(failure_threshold=failures))

    uptime = account(line, at(0), now).uptime

    listed = any(span.state is State.DOWN and span.start < now for span in line)
    assert uptime is None or (uptime < 100_000) is listed


@given(picture)
def test_spans_touch_and_differ(pattern: str) -> None:
    for before, after in pairwise(lived(pattern, at(len(pattern)))):
        assert before.end == after.start
        assert before.state is not after.state


@given(picture, st.integers(0, 60))
def test_what_was_known_at_a_moment_does_not_depend_on_what_came_later(pattern: str, minute: int) -> None:
    now = at(minute)
    check = a_check()
    known = [one for one in saw(pattern, check) if one.at <= now]
    standing, flips = fold((one, check) for one in known)
    _, all_flips = fold((one, check) for one in saw(pattern, check))
    last = standing.last if standing else None

    assert timeline(all_flips, last, check.every, now) == timeline(flips, last, check.every, now)
