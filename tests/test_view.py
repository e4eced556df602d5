# ruff: noqa: RUF001  the page writes from-to with an en dash
"""The page as a value: every number and word, decided from a history alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from helpers_site import DAY, DOWN_NOW, NOW, UP, a_history, a_service, answers, dip, drawn, entry, told
from hypothesis import given
from hypothesis import strategies as st

from uplog.collector.history import flapping_flips
from uplog.collector.maintenance import Announced
from uplog.collector.model import (
    Cadence,
    Check,
    CheckHistory,
    Correction,
    History,
    Reason,
    Service,
    ServiceHistory,
    Span,
    State,
    Window,
)
from uplog.site import words
from uplog.site.status import figure
from uplog.site.tongue import ENGLISH
from uplog.site.values import Day, Headline, Page, ServiceView
from uplog.site.view import page

pytestmark = pytest.mark.unit

HELSINKI = ZoneInfo("Europe/Helsinki")
IN_STATE = {
    "up": UP,
    "degraded": ((3, State.DEGRADED, Reason.SLOW),),
    "down": ((3, State.DOWN, Reason.REFUSED),),
    "unknown": ((3, State.UNKNOWN, Reason.DNS_RESOLVER),),
    "maintenance": ((3, State.DOWN, Reason.REFUSED),),
    "nothing to ask": (),
}


def public(history: History, **more: object) -> Page:
    return page(history, **{"zone": UTC, "audience": "public", **more})  # type: ignore[arg-type]


def only(one: ServiceHistory, **more: object) -> ServiceView:
    (service,) = public(a_history(one), **more).services
    return service


def like(state: str) -> ServiceHistory:
    service = a_service(state.replace(" ", "-"))
    if state == "nothing to ask":
        return entry(replace(service, checks=()), [], now=NOW, last=None)
    windows = [Window(start=NOW - DAY, end=None)] if state == "maintenance" else []
    return told(IN_STATE[state], service, windows=windows)


def test_headline_tells_of_the_others_too() -> None:
    seen = public(a_history(told(DOWN_NOW), like("degraded"), like("up")))

    assert seen.headline.detail == (
        "No answer within 2 s, since 21 Nov, 09:37, for 22 min. 1 more is degraded. 1 other is up."
    )


def test_headline_says_since_when_the_first_is_down_and_why_only_where_that_is_the_same_for_all() -> None:
    early, late = (0.0153, State.DOWN, Reason.TIMEOUT), (0.01, State.DOWN, Reason.TIMEOUT)
    alike = [told((*UP, early), a_service("a")), told((*UP, late), a_service("b"))]
    other = told((*UP, (0.0125, State.DOWN, Reason.REFUSED)), a_service("c"))
    many = [told(UP, a_service(f"up-{count}")) for count in range(9)]

    assert (
        public(a_history(*alike)).headline.detail == "No answer within 2 s, the first since 21 Nov, 09:37, for 22 min."
    )
    assert public(a_history(*alike, other, *many)).headline == Headline(
        look="down", text="3 of 12 services are down", detail="The first since 21 Nov, 09:37, for 22 min."
    )


def test_that_we_know_nothing_of_any_service_is_said_once_and_that_it_is_our_fault() -> None:
    lost = (0.1, State.UNKNOWN, Reason.MONITOR_OFFLINE)
    offline = public(a_history(*(told((*UP, lost), a_service(name)) for name in "abc")))
    paused = told((*UP, (0.1, State.UNKNOWN, Reason.PAUSED)), a_service("d"))
    both = public(a_history(*(told((*UP, lost), a_service(name)) for name in "abc"), paused))

    assert (offline.headline.text, offline.wrong) == ("Nothing is known of any of 3 services", ())
    assert offline.headline.detail == "The monitor was offline, since 21 Nov, 07:36, for 2 h 24 min."
    assert [one.slug for one in both.wrong] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("times", "listed"),
    [
        ([(0.1, State.UNKNOWN, Reason.PAUSED)] * 3, False),
        ([(0.1, State.UNKNOWN, Reason.PAUSED)] * 2, True),
        ([(0.1, State.UNKNOWN, Reason.PAUSED)] * 2 + [(0.2, State.UNKNOWN, Reason.PAUSED)], True),
        ([(0.1, State.DOWN, Reason.TIMEOUT)] * 3, True),
    ],
    ids=["nothing is known of three", "of two, whose names it has", "not since one moment", "three are down"],
)
def test_services_that_are_not_well_are_listed_unless_the_headline_has_said_it_for_all(
    times: list[tuple[float, State, Reason]], listed: bool
) -> None:
    seen = public(a_history(*(told((*UP, now), a_service(f"s{count}")) for count, now in enumerate(times))))

    assert len(seen.wrong) == (len(times) if listed else 0)


@pytest.mark.parametrize(("reason", "listed"), [(Reason.NO_SAMPLE, 0), (Reason.PAUSED, 3)])
def test_a_page_that_is_out_of_date_lists_what_its_headline_does_not_tell(reason: Reason, listed: int) -> None:
    services = [told((*UP, (0.1, State.UNKNOWN, reason)), a_service(name)) for name in "abc"]
    seen = public(a_history(*services, newest=NOW - timedelta(hours=2)))

    assert seen.headline.detail == "The last check was on 21 Nov, 08:00."
    assert len(seen.wrong) == listed


def test_headline_of_what_was_never_asked_says_so() -> None:
    assert public(a_history(like("up"), told((), a_service("new")))).headline.detail == (
        "No check has come in. 1 other is up."
    )


def test_what_was_never_asked_forbids_that_all_is_up() -> None:
    seen = public(a_history(like("up"), entry(a_service("new"), [], now=NOW, last=None)))

    assert (seen.headline.look, seen.services[0].reason) == ("unknown", Reason.NO_SAMPLE)


def test_what_has_nothing_to_ask_is_unknown_and_outside_the_headline() -> None:
    (quiet,) = [one for one in public(a_history(like("up"), like("nothing to ask"))).services if not one.counted]

    assert (quiet.state, quiet.reason, quiet.days) == (State.UNKNOWN, Reason.NO_ENDPOINT, ())
    assert quiet.uptime["90d"].uptime is None


def test_maintenance_that_ends_later_does_not_begin_the_state_anew() -> None:
    window = Window(start=NOW - DAY, end=NOW + DAY, text="moving")

    one = only(told(IN_STATE["down"], windows=[window]))

    assert (one.state, one.look, one.since) == (State.DOWN, "maintenance", NOW - 3 * DAY)
    assert (one.maintenance_until, one.until) == (NOW + DAY, "until 22 Nov, 10:00")


@pytest.mark.parametrize("text", ["moving", "Moving."])
def test_what_is_all_in_maintenance_says_what_for_and_until_when(text: str) -> None:
    window = Window(start=NOW - DAY, end=NOW + DAY, text=text)
    both = [told(IN_STATE["down"], a_service(name), windows=[window]) for name in ("a", "b")]

    seen = public(a_history(*both))

    assert seen.headline.text == "a and b are in maintenance"
    assert seen.headline.detail == "Moving, until 22 Nov, 10:00."
    assert [(one.services, one.who, one.running) for one in seen.works] == [(("a", "b"), "all services", True)]


def announced(*names: str, hours: float = 24) -> Announced:
    start = NOW + timedelta(hours=hours)
    keys = tuple(f"config//{name}" for name in names)
    return Announced(text="new disks", start=start, end=start + timedelta(hours=2), services=keys, everything=False)


def test_maintenance_to_come_is_announced_to_those_who_see_a_service_of_it() -> None:
    inside, outside = a_service("inside", public=False), a_service("outside")
    history = a_history(told(UP, inside), told(UP, outside))
    planned = [announced("inside", "outside"), announced("inside", hours=1), announced("outside", hours=-1)]

    seen = page(history, zone=UTC, audience="public", announced=planned)
    all_of_it = page(history, zone=UTC, audience="internal", announced=planned)

    assert [(one.services, one.who, one.when, one.running) for one in seen.works] == [
        (("outside",), "outside", "22 Nov, 10:00–12:00", False)
    ]
    assert [one.services for one in all_of_it.works] == [("inside",), ("inside", "outside")]
    assert all_of_it.works[1].who == "all services"
    assert [len(one.works) for one in all_of_it.services] == [2, 1]
    assert [one.look for one in seen.services] == ["up"]


def test_months_are_those_of_the_zone_and_add_up_to_their_time() -> None:
    zone = ZoneInfo("Pacific/Auckland")
    months = {one.month: one.figure for one in only(told(((70, State.UP, None), *dip(60, 45))), zone=zone).months}

    assert list(months) == ["2026-09", "2026-10", "2026-11"]
    assert months["2026-10"].account.up_s == 31 * 86_400
    assert (months["2026-09"].account.down_s, months["2026-09"].incidents) == (2_700, 1)
    assert sum(one.account.up_s + one.account.down_s for one in months.values()) == 70 * 86_400


def test_how_often_was_asked_is_told_as_it_was_measured() -> None:
    often = a_service("often"), Cadence(usual=60_010, longest=119_000, hours=24)
    rarely = a_service("rarely"), Cadence(usual=3_600_400, longest=21_700_000, hours=24)

    seen = public(a_history(*(told(UP, service, cadence=cadence) for service, cadence in (often, rarely))))

    assert [one.asked for one in seen.services] == [
        "asked about every 60 s",
        "asked about every 60 min; the longest gap in the last 24 hours was 6 h",
    ]
    assert seen.asked == "asked about every 60 s to 60 min; the longest gap in the last 24 hours was 6 h"
    assert public(a_history(told(UP))).asked == ""


def test_days_before_first_sight_are_absent() -> None:
    one = only(told(((1.9, State.UP, None),)))

    assert [day.day for day in one.days] == ["2026-11-19", "2026-11-20", "2026-11-21"]
    assert one.uptime["365d"].account.up_s == 1.9 * 86_400


def test_a_short_dip_and_a_long_outage_look_different() -> None:
    one = only(told((*UP, *dip(40.0, 2 * 1_440), *dip(10.175, 2))))
    days = {day.day: day for day in one.days if day.text}

    assert days["2026-11-11"].figure.steps == (1, 0, 0, 0)
    assert days["2026-11-11"].text == "down 05:48–05:50"
    assert days["2026-10-13"].figure.steps == (4, 0, 0, 0)
    assert days["2026-10-13"].text == "down 12 Oct, 10:00 to 14 Oct, 10:00"


def test_an_outage_over_midnight_shows_on_both_days_of_the_zone() -> None:
    start = datetime(2026, 11, 10, 21, 58, tzinfo=UTC)  # 23:58 in Helsinki
    ago = (NOW - start) / DAY

    one = only(told((*UP, *dip(ago, 16))), zone=HELSINKI)

    assert {day.day: day.text for day in one.days if day.text} == {
        "2026-11-10": "down 23:58 to 11 Nov, 00:14",
        "2026-11-11": "down 10 Nov, 23:58 to 00:14",
    }
    assert [(told.when, told.lasted) for told in one.outages] == [("10 Nov, 23:58 to 11 Nov, 00:14", "16 min")]


def test_the_day_that_begins_just_now_says_nothing_of_itself() -> None:
    midnight = NOW.replace(hour=0)
    (one,) = public(a_history(told(DOWN_NOW, now=midnight), now=midnight)).services

    assert [(day.figure.empty, day.text) for day in one.days[-2:]] == [(False, "down since 23:37"), (True, "")]


def test_the_day_that_clocks_go_back_has_25_hours() -> None:
    days = {day.day: day.figure.account.up_s for day in only(told(UP), zone=HELSINKI).days}

    assert (days["2026-10-24"], days["2026-10-25"]) == (86_400, 90_000)


def test_an_outage_under_a_minute_is_told_to_the_second() -> None:
    assert words.stretch(ENGLISH, NOW, NOW + timedelta(seconds=40), UTC, NOW) == "21 Nov, 10:00:00–10:00:40"


def test_a_day_of_many_outages_spells_out_a_few() -> None:
    flips = [flip for place in range(20) for flip in dip(5.4 - place / 100, 5)]

    (day,) = [day for day in only(told((*UP, *flips))).days if day.text]

    assert day.text.count("–") == 6
    assert day.text.endswith("14 more times")


def test_an_open_incident_has_no_length_where_a_service_page_shows_it() -> None:
    (open_,) = only(told(DOWN_NOW)).outages

    assert (open_.when, open_.lasted, open_.why) == ("since 21 Nov, 09:37", "", "no answer in time")


def test_every_reason_has_a_sentence_of_its_own() -> None:
    assert set(words.REASONS) == set(Reason)
    assert len(set(words.REASONS.values())) == len(Reason)


def test_reason_names_the_limit_of_the_check_that_gave_it() -> None:
    assert only(told(DOWN_NOW)).why == "no answer within 2 s"


def test_the_public_page_has_published_services_only() -> None:
    history = a_history(told(UP), told(UP, a_service("inside", public=False)))

    assert [one.slug for one in page(history, zone=UTC, audience="public").services] == ["web"]
    assert [one.slug for one in page(history, zone=UTC, audience="internal").services] == ["inside", "web"]


def test_groups_stand_where_the_operator_put_their_first_service() -> None:
    put = [("b", "Zoo", 1), ("c", "Arc", 2), ("a", "Zoo", 3), ("d", "", 2), ("B2", "Zoo", 1)]
    history = a_history(*(told(UP, a_service(name, name=name, group=group, order=order)) for name, group, order in put))

    assert [(group.name, [one.name for one in group.services]) for group in public(history).groups] == [
        ("Zoo", ["b", "B2", "a"]),
        ("Services", ["d"]),
        ("Arc", ["c"]),
    ]


def test_a_check_that_is_asked_no_more_is_not_shown() -> None:
    check = a_service().checks[0]
    past = CheckHistory(check=replace(check, kind="tcp"), state=None, reason=None, since=None, last=NOW - DAY, took=3)
    fresh = replace(past, check=replace(check, kind="exec"), last=None)
    live = replace(past, check=check, state=State.UP, last=NOW)

    one = only(told(UP, checks=[past, fresh, live]))

    assert [(check.kind, check.look) for check in one.checks] == [("exec", "unknown"), ("http", "up")]


def test_latency_of_a_service_that_is_down_is_not_given_as_of_now() -> None:
    assert only(told(UP, recent=answers(3))).latency_now == "40 ms"
    assert only(told(DOWN_NOW, recent=answers(3, now=NOW - DAY))).latency_now == ""


def test_silence_of_the_monitor_is_no_outage() -> None:
    one = only(drawn("+++++" + " " * 60))

    assert (one.state, one.reason, one.outages) == (State.UNKNOWN, Reason.NO_SAMPLE, ())


STATES = st.sampled_from([State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN, None])
FLIPS = st.lists(st.tuples(st.integers(0, 400 * 86_400), STATES), max_size=25)
WINDOWS = st.lists(st.tuples(st.integers(0, 100 * 86_400), st.integers(1, 200_000)), max_size=3)


@given(flips=FLIPS, windows=WINDOWS)
def test_figures_days_and_incidents_agree(
    flips: list[tuple[int, State | None]], windows: list[tuple[int, int]]
) -> None:
    one = only(
        told(
            [(ago / 86_400, state, None) for ago, state in sorted(flips, key=lambda flip: -flip[0])],
            windows=[
                Window(start=NOW - timedelta(seconds=ago), end=NOW - timedelta(seconds=ago - long))
                for ago, long in windows
            ],
        ),
        zone=HELSINKI,
    )

    for period, count in (("7d", 7), ("30d", 30), ("90d", 90)):
        days = [figure(day.figure) for day in one.days if newest_days(day, count)]
        shown = figure(one.uptime[period])
        for kind in ("up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s", "maintenance_down_s"):
            assert sum(day[kind] for day in days) == shown[kind]
    for shown in one.uptime.values():
        if shown.uptime is not None:
            assert (shown.uptime == "100") == (shown.account.down_s == 0)
        if shown.account.down_s:
            assert shown.incidents


def newest_days(day: Day, count: int) -> bool:
    """Whether *day* is one of the newest *count* days."""
    return datetime.fromisoformat(day.day) > datetime(2026, 11, 21) - count * DAY


CANARY = "canary-7f3a"


def sown() -> History:
    """Make a history with a canary in every field that is not for the public."""
    check = Check(
        key=CANARY,
        service=CANARY,
        kind="http",
        target=f"http://u:{CANARY}@{CANARY}.invalid/{CANARY}?{CANARY}",
        name=CANARY,
        headers=((CANARY, CANARY),),
    )
    service = Service(
        key=CANARY, slug="web", name="Web", description=CANARY, source=CANARY, public=True, checks=(check,)
    )
    standing = CheckHistory(
        check=check, state=State.DOWN, reason=Reason.TLS, since=NOW, last=NOW, took=77_123, text=CANARY
    )
    hidden = Service(key="x", slug=CANARY, name=CANARY, group=CANARY, checks=(check,))
    spans = [Span(start=NOW - DAY, end=None, state=State.DOWN, reason=Reason.TLS)]
    return a_history(
        ServiceHistory(
            service=service,
            spans=spans,
            checks=[standing],
            names=[(CANARY, CANARY, CANARY)],
            corrections=[Correction(start=NOW - DAY, end=NOW, state=State.DOWN, why=CANARY)],
        ),
        ServiceHistory(service=hidden, spans=spans, checks=[standing]),
    )


def test_the_public_page_holds_nothing_private_anywhere() -> None:
    assert CANARY not in repr(page(sown(), zone=UTC, audience="public"))
    assert CANARY in repr(page(sown(), zone=UTC, audience="internal"))


def test_a_failure_is_put_down_to_what_it_needs_and_never_to_what_is_not_published() -> None:
    def fleet(shown: bool) -> History:
        return a_history(
            told(DOWN_NOW, a_service("db", name="Database", public=shown)),
            told(DOWN_NOW, a_service("api"), needs=("config//db",)),
            told(UP, a_service("web"), needs=("config//api",)),
        )

    def because(history: History, **more: object) -> dict[str, str]:
        return {one.slug: one.because for one in public(history, **more).services if one.slug != "db"}

    since = public(fleet(True)).services[0].since_text
    assert because(fleet(True)) == {"api": f"probably because Database is down {since}", "web": ""}
    assert because(fleet(False)) == {"api": "", "web": ""}
    assert because(fleet(False), audience="internal")["api"].startswith("probably because Database is down")


def test_an_outage_that_went_on_through_a_gap_has_one_beginning_everywhere() -> None:
    flips = (
        *UP,
        (0.03, State.DOWN, Reason.TIMEOUT),
        (0.02, State.UNKNOWN, Reason.NO_SAMPLE),
        (0.01, State.DOWN, Reason.TIMEOUT),
    )
    shown = page(a_history(told(flips)), zone=UTC, audience="public").wrong[0]

    assert shown.since_text == "since 21 Nov, 09:16"
    assert [one.when for one in shown.outages] == [shown.since_text]


def test_gaps_of_ours_make_nobody_flap() -> None:
    hole = [((0.04 - n / 200), state, None) for n, state in enumerate((State.UNKNOWN, State.UP) * 4)]
    spans = told((*UP, *hole)).spans

    assert flapping_flips(spans, NOW) == 0
