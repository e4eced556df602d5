"""What a service consists of: instances that are judged together, and components that its health body tells of."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from helpers import T0, a_check
from hypothesis import given
from hypothesis import strategies as st
from test_cycle import Pretended, configured, opened, rows, serving

from uplog.collector import judge
from uplog.collector.cycle import cycle
from uplog.collector.health import read
from uplog.collector.judge import Judged
from uplog.collector.model import Answer, Check, Component, Instances, Outcome, Reading, Reason
from uplog.collector.observe import Local
from uplog.collector.store.read import history_at

pytestmark = pytest.mark.unit


def judged(signs: str) -> tuple[Check, list[Judged]]:
    """Draw the answers of a service's instances: `+` passes, `!` is slow, `-` refuses, `?` is our own failure.

    A blank is one that should be there and is not.
    """
    expected = len(signs) if " " in signs else 0
    signs = signs.strip()
    targets = tuple(f"http://web-{number}/" for number, _ in enumerate(signs))
    several = targets if len(targets) > 1 or not expected else ()
    check = a_check(target=targets[0], instances=several, expected=expected, degraded_above=10)
    answers = []
    for sign, one in zip(signs, judge.spread([check]), strict=True):
        if sign in "+!":
            answers.append(Answer(check=one, at=T0, took=20 if sign == "!" else 5, reading=Reading(code=200)))
        else:
            reason = Reason.REFUSED if sign == "-" else Reason.LOCAL_ERROR
            answers.append(Answer(check=one, at=T0, took=1, reason=reason, text="no"))
    return check, [(answer, judge.verdict(answer)) for answer in answers]


@pytest.mark.parametrize(
    ("signs", "outcome", "reason", "counts"),
    [
        ("+++", Outcome.PASS, None, (3, 3, 3)),
        ("++-", Outcome.WARN, Reason.INSTANCES_MISSING, (3, 2, 2)),
        ("--+", Outcome.WARN, Reason.INSTANCES_MISSING, (3, 1, 1)),
        ("---", Outcome.FAIL, Reason.REFUSED, (3, 0, 0)),
        ("+!+", Outcome.WARN, Reason.SLOW, (3, 3, 3)),
        ("+?+", Outcome.PASS, None, (3, 2, 2)),
        ("-?-", Outcome.FAIL, Reason.REFUSED, (3, 0, 0)),
        ("???", Outcome.UNKNOWN, Reason.LOCAL_ERROR, (3, 0, 0)),
        ("!-", Outcome.WARN, Reason.INSTANCES_MISSING, (2, 1, 1)),
        ("++ ", Outcome.WARN, Reason.INSTANCES_MISSING, (3, 2, 2)),
        ("+  ", Outcome.WARN, Reason.INSTANCES_MISSING, (3, 1, 1)),
        ("-  ", Outcome.FAIL, Reason.REFUSED, (3, 0, 0)),
    ],
)
def test_a_service_is_up_with_all_its_instances_degraded_with_some_and_down_with_none(
    signs: str, outcome: Outcome, reason: Reason | None, counts: tuple[int, int, int]
) -> None:
    check, each = judged(signs)
    answer, verdict = judge.gathered([check], each)[0]

    assert (verdict.outcome, verdict.reason) == (outcome, reason)
    assert verdict.instances == Instances(expected=counts[0], running=counts[1], ready=counts[2])
    assert answer.check is check


def test_checks_with_and_without_instances_stay_in_their_order() -> None:
    (first, one), (second, three) = judged("+"), judged("+-+")
    plain = a_check(key="plain")
    own = (Answer(check=plain, at=T0, took=1, reason=Reason.REFUSED), judge.verdict(one[0][0]))
    gathered = judge.gathered([first, plain, second], [*one, own, *three])

    assert [answer.check.key for answer, _ in gathered] == [first.key, "plain", second.key]
    assert [verdict.instances for _, verdict in gathered] == [
        Instances(expected=1, running=1, ready=1),
        None,
        Instances(expected=3, running=2, ready=2),
    ]


def test_a_rollout_in_which_one_instance_always_answers_is_no_outage(tmp_path: Path) -> None:
    alive = [True, True, True]

    def handler(number: int) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            if not alive[number]:
                assert request.transport is not None
                request.transport.abort()
            return web.Response(text="here")

        return answer

    with ExitStack() as stack:
        urls = [f"http://127.0.0.1:{stack.enter_context(serving(handler(number)))}/" for number in range(3)]
        service = {"name": "web", "instances": urls, "failure_threshold": 2}
        config = configured(tmp_path, {"service": [service]})
        world = Pretended()
        engine = Local()

        def ask(checks: Sequence[Check]) -> list[Answer]:
            return [replace(one, at=world.now) for one in engine(checks)]

        with opened(config) as store:
            for restarting in (None, 0, 0, 1, 1, 2, 2, None):
                alive[:] = [number != restarting for number in range(3)]
                cycle(config, store, ask, world.clock)
                world.now += timedelta(minutes=1)

            assert rows(
                store, "select state, reason, started from spans where state <> 'unknown' order by started_s"
            ) == [
                ("up", None, "2026-11-01T00:00:00Z"),
                ("degraded", "instances_missing", "2026-11-01T00:01:00Z"),
                ("up", None, "2026-11-01T00:07:00Z"),
            ]
            assert rows(store, "select count(*) from incidents") == [(0,)]
            assert rows(store, "select at, expected, running, ready from instances order by at_ms") == [
                ("2026-11-01T00:00:00.000Z", 3, 3, 3),
                ("2026-11-01T00:01:00.000Z", 3, 2, 2),
                ("2026-11-01T00:07:00.000Z", 3, 3, 3),
            ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"components": [{"name": "db", "status": "healthy", "latency_ms": 3.6}]}', [("db", "up", 4)]),
        (b'{"components": {"db": {"status": "UP"}, "mq": {"status": "OUT_OF_SERVICE"}}}', [("db", "up", None), ("mq", "down", None)]),
        (b'{"status": "ok", "checks": {"db": true, "mq": false, "fs": "WARN"}}', [("db", "up", None), ("mq", "down", None), ("fs", "degraded", None)]),
        (b'{"data": {"dependencies": [{"id": "redis", "state": "connected"}]}}', [("redis", "up", None)]),
        (b'\xef\xbb\xbf{"components": {"db": null, "x": {"status": "?", "latency_ms": true}}}', [("db", "unknown", None), ("x", "unknown", None)]),
        (b'{"components": []}', []),
        (b'{"components": ["db", 3, {"status": "up"}]}', []),
        (b"[1, 2]", []),
        (b"<html>{", []),
        (b'{"components": {"db": ', []),
        (b"", []),
    ],
)  # fmt: skip
def test_a_health_body_tells_of_its_components(body: bytes, expected: list[tuple[str, str, int | None]]) -> None:
    assert [(one.name, one.state, one.latency) for one in read(body).components] == expected


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(repr).map(str.encode)
)
def test_whatever_a_body_is_it_gives_components_or_none(body: bytes) -> None:
    assert all(isinstance(one, Component) for one in read(b'{"components": ' + body + b"}").components)


def test_components_are_kept_when_they_change(tmp_path: Path) -> None:
    said = iter(
        [
            b'{"components": {"db": {"status": "ok", "latency_ms": 10}, "mq": "ok"}}',
            b'{"components": {"db": {"status": "ok", "latency_ms": 15}, "mq": "ok"}}',
            b'{"components": {"db": {"status": "down", "latency_ms": 15}, "mq": "ok"}}',
            b'{"components": {"db": {"status": "down", "latency_ms": 50}}}',
            b"busy",
            b'{"components": {"db": {"status": "ok", "latency_ms": 50}, "mq": "ok"}}',
        ]
    )
    world = Pretended()

    def ask(checks: Sequence[Check]) -> list[Answer]:
        return [Answer(check=one, at=world.now, took=3, reading=Reading(code=200, body=next(said))) for one in checks]

    config = configured(tmp_path, {"service": [{"name": "web", "url": "http://web/"}]})
    with opened(config) as store:
        for _ in range(6):
            cycle(config, store, ask, world.clock)
            world.now += timedelta(minutes=1)

        assert rows(
            store, "select component, substr(at, 15, 2), state, latency_ms from components order by at_ms, 1"
        ) == [
            ("db", "00", "up", 10),
            ("mq", "00", "up", None),
            ("db", "02", "down", 15),
            ("db", "03", "down", 50),
            ("mq", "03", "unknown", None),
            ("db", "05", "up", 50),
            ("mq", "05", "up", None),
        ]
        assert rows(store, "select distinct service, service_name from components") == [("config//web", "web")]
        with store.reading() as db:
            (then,), (now,) = (history_at(db, at).services for at in (world.now - timedelta(minutes=2), world.now))
        assert [(one.name, one.state, one.latency) for one in then.components] == [("db", "down", 50)]
        assert [one.name for one in now.components] == ["db", "mq"]


def test_of_a_component_that_several_checks_tell_of_the_worst_is_kept(tmp_path: Path) -> None:
    said = {"/": ["ok", "ok", "ok"], "/ready": ["ok", "down", "?"]}
    world = Pretended()

    def ask(checks: Sequence[Check]) -> list[Answer]:
        def body(check: Check) -> bytes:
            return b'{"components": {"db": "%s"}}' % said[f"/{check.target.rpartition('/')[2]}"].pop(0).encode()

        return [Answer(check=one, at=world.now, took=3, reading=Reading(code=200, body=body(one))) for one in checks]

    service = {"name": "web", "url": "http://web/", "check": [{"role": "readiness", "target": "/ready"}]}
    config = configured(tmp_path, {"service": [service]})
    with opened(config) as store:
        for _ in range(3):
            cycle(config, store, ask, world.clock)
            world.now += timedelta(minutes=1)

        assert rows(store, "select substr(at, 15, 2), state from components order by at_ms") == [
            ("00", "up"),
            ("01", "down"),
            ("02", "up"),
        ]
