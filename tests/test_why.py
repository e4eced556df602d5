"""`uplog why`: how a state came to be, told of any moment as the history has it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import a_check, at, saw
from hypothesis import given, settings
from hypothesis import strategies as st
from test_accounting import START, checks, make, stored
from test_corrections import record_all

from uplog.collector import history, why
from uplog.collector.cli import cli
from uplog.collector.model import Check, Correction, Observation, Outcome, Reason, Role, State, to_ms
from uplog.collector.store import Store, corrections, known, operate
from uplog.collector.store.read import history_at

pytestmark = pytest.mark.unit

READY = a_check(key="config//web/http/ready", name="ready", role=Role.READINESS)


def told(tmp_path: Path, *made: tuple[Check, str], minutes: float) -> why.Why:
    """Record the drawn history of each check, and gather what was known after some minutes."""
    with Store(tmp_path / "uplog.db") as store:
        record_all(store, [(check, list(saw(pattern, check))) for check, pattern in made])
        with store.reading() as db:
            return known.gather(db, 1, at(minutes))


def because(tmp_path: Path, *made: tuple[Check, str], minutes: float) -> str:
    return " ".join(why.because(told(tmp_path, *made, minutes=minutes)))


@pytest.mark.parametrize(
    ("pattern", "minutes", "sentence"),
    [
        (
            "++---",
            4.5,
            "down since 2026-11-01 00:02:00: 3 failures in a row (threshold 3), the first at 00:02:00.000: timeout.",
        ),
        ("++---+", 5.5, "up since 2026-11-01 00:05:00: 1 pass (threshold 1), at 00:05:00.000."),
        ("++--", 3.5, "up since 2026-11-01 00:00:00: 1 pass (threshold 1), at 00:00:00.000."),
        (
            "++!!!",
            4.5,
            (
                "degraded since 2026-11-01 00:02:00: 3 answers that did not pass in a row (threshold 3), "
                "the first at 00:02:00.000: slow."
            ),
        ),
        (
            "---!",
            3.5,
            "degraded since 2026-11-01 00:03:00: 1 answer that did not fail (threshold 1), at 00:03:00.000: slow.",
        ),
        (
            "++",
            4,
            "unknown since 2026-11-01 00:02:00: no answer came within 2.5 x 60 s after 2026-11-01 00:01:00.000",
        ),
        (
            "++   ",
            3,
            "up since 2026-11-01 00:00:00: 1 pass (threshold 1), at 00:00:00.000.",
        ),
        (
            "++?",
            2.5,
            "unknown since 2026-11-01 00:02:00: the answer says nothing of the service: our own network was at fault",
        ),
        ("--", 1.5, "unknown since 2026-11-01 00:00:00: first asked then, and no threshold is reached yet."),
    ],
)
def test_the_rule_that_decided_is_told_in_words(tmp_path: Path, pattern: str, minutes: float, sentence: str) -> None:
    said = because(tmp_path, (a_check(), pattern), minutes=minutes)

    assert said.startswith("Its only living check, http (liveness), decides: ")
    assert sentence in said


def test_confirmations_are_told_with_their_waits(tmp_path: Path) -> None:
    check = a_check()
    rows = [
        Observation(check=check.key, at=at(0) + timedelta(milliseconds=ms), outcome=outcome, took=100, attempt=attempt)
        for ms, outcome, attempt in [
            (0, Outcome.PASS, 1),
            (60_120, Outcome.FAIL, 1),
            (62_220, Outcome.FAIL, 2),
            (67_320, Outcome.FAIL, 3),
        ]
    ]
    with Store(tmp_path / "uplog.db") as store:
        record_all(store, [(check, [replace(one, reason=Reason.REFUSED) for one in rows])])
        with store.reading() as db:
            found = known.gather(db, 1, at(2))

    (sentence,) = why.because(found)
    assert sentence.endswith(
        "3 failures in a row (threshold 3), the first at 00:01:00.120: refused; confirmed after 2 s and 5 s."
    )


@pytest.mark.parametrize(
    ("liveness", "state", "sentence"),
    [
        ("+++++", State.DEGRADED, "liveness is up: not ready is not dead, so degraded/not_ready"),
        ("?????", State.UNKNOWN, "liveness is unknown: so the service is unknown/not_ready"),
        (None, State.DOWN, "no check says whether the service lives: so down is down"),
    ],
)
def test_a_readiness_check_decides_by_its_role(
    tmp_path: Path, liveness: str | None, state: State, sentence: str
) -> None:
    made = [(READY, "-----"), *([(a_check(), liveness)] if liveness else [])]

    found = told(tmp_path, *made, minutes=4.5)

    assert why.state_of(found)[0] is state
    assert sentence in " ".join(why.because(found))


def test_of_checks_in_one_state_the_first_to_come_there_decides(tmp_path: Path) -> None:
    early, late = a_check(key="early", name="early"), a_check(key="late", name="late")

    found = told(tmp_path, (late, "+++---"), (early, "++----"), minutes=5.5)

    decided = why.decider(found)
    assert decided is not None
    assert decided.check.name == "early"
    assert "The worst of its 2 living checks decides, http early (liveness)" in why.because(found)[0]


def test_a_service_that_stood_so_before_its_deciding_check_says_so(tmp_path: Path) -> None:
    first, second = a_check(key="first", name="first"), a_check(key="second", name="second")

    found = told(tmp_path, (first, "+---+++"), (second, "+++----"), minutes=6.5)

    assert why.state_of(found) == (State.DOWN, Reason.TIMEOUT, at(1))
    assert why.because(found)[1] == (
        "The service was down before that, since 2026-11-01 00:01:00: its reason is that of what came first."
    )


def test_checks_that_have_ended_are_told_from_those_never_asked(tmp_path: Path) -> None:
    check = a_check(role=Role.STARTUP)

    assert because(tmp_path / "a", (check, "+"), minutes=1) == "None of its checks says anything any more."
    assert because(tmp_path / "b", (check, " +"), minutes=0.5) == "It was not asked yet."


def test_grace_is_told_while_it_lasts(tmp_path: Path) -> None:
    check = a_check(grace=300_000)

    assert "failures do not count before 2026-11-01 00:05:00 or its first pass" in because(
        tmp_path, (check, "----"), minutes=3.5
    )


def test_what_is_laid_over_the_state_is_told(tmp_path: Path) -> None:
    said = Correction(start=at(2), end=at(6), state=State.UNKNOWN, why="our switch")
    with Store(tmp_path / "uplog.db") as store:
        record_all(store, [(a_check(), list(saw("++----+++")))])
        with store.writing() as db:
            corrections.correct(db, "web", said, "ada", at(9), store.zone)
            db.execute(
                "insert into _maintenance (service_id, started_s, ended_s, text) values (1, ?, ?, 'moving')",
                (to_ms(at(3)) // 1000, to_ms(at(5)) // 1000),
            )
        with store.reading() as db:
            found = known.gather(db, 1, at(4))

    assert why.state_of(found) == (State.UNKNOWN, None, at(2))
    assert why.because(found)[1:] == [
        (
            "Correction 1 says unknown instead, from 2026-11-01 00:02:00 to 2026-11-01 00:06:00: our switch "
            "(ada, 2026-11-01 00:09:00)."
        ),
        (
            "It is in maintenance since 2026-11-01 00:03:00 until 2026-11-01 00:05:00: moving; "
            "that time is not counted as uptime or downtime."
        ),
    ]


def test_a_restless_hour_is_told(tmp_path: Path) -> None:
    check = a_check(failure_threshold=1)

    found = told(tmp_path, (check, "+-+-+"), minutes=4.5)
    calm = told(tmp_path / "calm", (check, "+-+-"), minutes=3.5)

    assert why.because(found)[-1] == "It is flapping: 4 changes in the last hour, 40% of answers failed."
    assert calm.flapping is None


def test_paused_and_retired_are_told(tmp_path: Path) -> None:
    with Store(tmp_path / "uplog.db") as store:
        record_all(store, [(a_check(), list(saw("+++")))])
        with store.writing() as db:
            operate.pause(db, "web", at(3), None, store.zone)
        with store.reading() as db:
            paused = known.gather(db, 1, at(4))
            before = known.gather(db, 1, at(2.5))
        with store.writing() as db:
            operate.retire(db, "web", at(5))
        with store.reading() as db:
            retired = known.gather(db, 1, at(6))

    assert why.state_of(paused) == (State.UNKNOWN, Reason.PAUSED, at(3))
    assert "It is paused until further notice: it is not asked." in why.because(paused)
    assert (why.state_of(before)[0], before.paused) == (State.UP, False)
    assert why.because(retired) == ["It is retired since 2026-11-01 00:05:00: off the page, and its history stays."]


def test_of_answers_that_were_pruned_spans_and_flips_still_tell(tmp_path: Path) -> None:
    with Store(tmp_path / "uplog.db") as store:
        record_all(store, [(a_check(), list(saw("++---+++")))])
        with store.writing() as db:
            db.execute("delete from _observation_open where at_ms < ?", (to_ms(at(6)),))
        with store.reading() as db:
            found = known.gather(db, 1, at(4.5))

    assert why.state_of(found)[0] is State.DOWN
    assert "3 failures in a row (threshold 3); the single answers are no longer kept" in why.because(found)[0]
    assert "the single answers of that time are no longer kept" in why.text(found, str)


@settings(max_examples=10)
@given(
    spec=checks,
    back=st.lists(st.integers(0, 20_000), max_size=6),
    said=st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(1, 4_000), st.sampled_from(["up", "unknown", "down", ""])),
        max_size=3,
        unique_by=lambda laid: laid[0],  # no two windows of one rule begin at once
    ),
)
def test_at_every_moment_it_tells_the_state_that_the_history_has(
    tmp_path_factory: pytest.TempPathFactory,
    spec: list[tuple[int, int, int, Role, list[tuple[str, int, int]]]],
    back: list[int],
    said: list[tuple[int, int, str]],
) -> None:
    made = make(spec)
    with Store(tmp_path_factory.mktemp("db") / "uplog.db") as store:
        newest = stored(store, made)
        for begin, long, state in said:
            lay(store, START + timedelta(minutes=begin), timedelta(minutes=long), state)
        with store.reading() as db:
            for minutes in [0, *back]:
                now = newest.replace(microsecond=0) + timedelta(seconds=1) - timedelta(minutes=minutes)
                services = history_at(db, now).services
                found = known.gather(db, 1, now)
                if services:
                    expected = history.current(services[0].spans, now)
                    assert why.state_of(found) == (expected or (State.UNKNOWN, Reason.NO_SAMPLE, None))
                else:
                    assert history.current(found.spans, now) is None
                bare = history.spans([(one.check.role, one.line) for one in found.checks])
                agrees_with_its_checks(found, bare, now)
                for one, (check, rows) in zip(found.checks, made, strict=True):
                    stepped, _ = history.fold((row, check) for row in rows if row.at <= now)
                    assert why.runs_of(one, now) == why.runs_of(replace(one, standing=stepped), now)


def lay(store: Store, start: datetime, long: timedelta, state: str) -> None:
    """Lay a correction over the history, or maintenance where there is no state."""
    ends = (to_ms(start) // 1000, to_ms(start + long) // 1000)
    with store.writing() as db:
        if state:
            db.execute(
                "insert into _correction (service_id, started_s, ended_s, state, who, why, made_ms)"
                " values (1, ?, ?, ?, 'ada', 'x', 0)",
                (*ends, ["up", "unknown", "degraded", "down"].index(state)),
            )
        else:
            db.execute("insert into _maintenance (service_id, started_s, ended_s) values (1, ?, ?)", ends)


def agrees_with_its_checks(found: why.Why, bare: list[history.Span], now: datetime) -> None:
    """The check that is said to decide stands, by its role, where the service did before anything was laid over it."""
    decided, standing = why.decider(found), history.current(bare, now)
    assert (decided is None) == (standing is None)
    if decided is not None and decided.flip is not None and decided.flip.state is not None and standing is not None:
        liveness = why.liveness_of(found.checks)
        state, _ = history.as_ready(decided.check.role, decided.flip.state, decided.flip.reason, liveness)
        assert state is standing[0]


# The command


@pytest.fixture
def uplog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command on a record of a service that went down in minute 30."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("uplog.collector.operating.clock", lambda: at(33.5))
    with Store(tmp_path / "data" / "uplog.db") as store:
        record_all(store, [(a_check(), list(saw("+" * 30 + "----")))])

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == code, result.output
        return result

    return run


def test_the_command_tells_it_as_check_does(uplog: Callable[..., Result]) -> None:
    assert uplog("why", "web").output.splitlines() == [
        "✗ web  down  timeout  since 2026-11-01 00:30:00",
        "    config//web  found by config",
        "    seen as web  config  declared  uplog.toml:1",
        "    as of 2026-11-01 00:33:30 UTC",
        "",
        (
            "Its only living check, http (liveness), decides: down since 2026-11-01 00:30:00: 3 failures in a row "
            "(threshold 3), the first at 00:30:00.000: timeout."
        ),
        "",
        "✗ http (liveness)  down  timeout",
        "    http://127.0.0.1/",
        "    every 60 s, waits 2 s, down after 3 failures, up after 1 pass",
        "    down since 2026-11-01 00:30:00: 3 failures in a row (threshold 3), the first at 00:30:00.000: timeout",
        (
            "    in a row: fails 3+ since 2026-11-01 00:30:00.000 timeout, "
            "not passes 3+ since 2026-11-01 00:30:00.000 timeout"
        ),
        *(f"    2026-11-01 00:{minute}:00.000  pass           12 ms" for minute in range(24, 30)),
        *(f"    2026-11-01 00:{minute}:00.000  fail  timeout  12 ms" for minute in range(30, 34)),
        "",
        (
            "try curl -sS -o /dev/null -w '%{http_code} after %{time_total} s\\n' http://127.0.0.1/"
            "  # it answers, but slowly (we wait 2s)"
        ),
        "try ss -tlnp | grep 80  # the process hangs: connections that nobody accepts are counted in Recv-Q",
        "try uptime; free -m; ip -brief address  # this machine is short of processor, memory or network",
    ]


def test_the_command_tells_of_the_past_and_for_machines(uplog: Callable[..., Result]) -> None:
    found = json.loads(uplog("why", "web", "--at", "2026-11-01T00:31:00Z", "--json").output)

    assert {name: found[name] for name in ("service", "at", "state", "reason", "since", "decided_by")} == {
        "service": "config//web",
        "at": "2026-11-01T00:31:00Z",
        "state": "up",
        "reason": None,
        "since": "2026-11-01T00:00:00Z",
        "decided_by": "config//web/http/",
    }
    (check,) = found["checks"]
    assert check["runs"]["fails"] == {"count": 2, "first": "2026-11-01T00:30:00Z", "reason": "timeout"}
    assert check["observations"][-1]["at"] == "2026-11-01T00:31:00Z"


def test_moments_that_nothing_can_be_told_of_are_said(uplog: Callable[..., Result]) -> None:
    assert "2027-01-01 00:00:00 UTC is still to come" in uplog("why", "web", "--at", "2027-01-01", code=1).output
    assert "web was not known yet: it was first seen on 2026-11-01 00:00:00 UTC" in (
        uplog("why", "web", "--at", "2026-10-01", code=1).output
    )
    assert "nobody: there is no such service" in uplog("why", "nobody", code=1).output
