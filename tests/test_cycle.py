"""Whole cycles: planned from the record, asked for real or from a script, and written in one transaction."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiohttp import web
from helpers import T0

from uplog.collector.config import Config, parse
from uplog.collector.cycle import cycle
from uplog.collector.discover import Context, Found
from uplog.collector.model import Answer, Check, Port, Reading, Reason, Role, Target
from uplog.collector.observe import Local
from uplog.collector.planning import Pace
from uplog.collector.run import run
from uplog.collector.store import Store, StoreError, operate, upkeep

pytestmark = pytest.mark.unit

Says = Callable[[Check, datetime], str]


class Pretended:
    """A clock that is moved by hand, and an engine that answers from a script: `+`, `-` or a reason."""

    def __init__(self, says: Says = lambda check, now: "+") -> None:
        self.now = T0
        self.says = says
        self.asked: list[str] = []

    def clock(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def ask(self, checks: Sequence[Check]) -> list[Answer]:
        return [self.answer(check) for check in checks]

    def answer(self, check: Check) -> Answer:
        self.asked.append(check.key)
        said = self.says(check, self.now)
        if said == "+":
            return Answer(check=check, at=self.now, took=3, reading=Reading(code=200))
        return Answer(check=check, at=self.now, took=3, reason=Reason.REFUSED if said == "-" else Reason(said))


def configured(tmp_path: Path, table: Mapping[str, Any]) -> Config:
    return replace(parse(table, folder=tmp_path), database=tmp_path / "uplog.db")


@contextmanager
def opened(config: Config) -> Iterator[Store]:
    with Store(config.database, zone=config.timezone) as store:
        yield store


def rows(store: Store, question: str) -> list[tuple[Any, ...]]:
    with store.reading() as db:
        return db.execute(question).fetchall()


def one_service(**keys: Any) -> dict[str, Any]:
    return {"service": [{"name": "web", "url": "http://127.0.0.1:1/", **keys}]}


def test_three_failures_in_one_run_make_a_service_down_since_the_first(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "-")
    config = configured(tmp_path, one_service())
    with opened(config) as store:
        run(config, store, world.ask, world.clock, pace=Pace(), wait=world.wait)

        assert rows(store, "select outcome, reason, attempt from observations order by at_ms") == [
            ("fail", "refused", attempt) for attempt in (1, 2, 3)
        ]
        assert rows(store, "select state, started_s, reason from spans where ended is null")[0][0] in (
            "down",
            "unknown",
        )
        assert rows(store, "select state, at_s, made_ms from _flip where state = 3") == [
            (3, int(T0.timestamp()), int(world.now.timestamp() * 1000))
        ]


def test_a_blip_costs_no_uptime_and_stays_visible(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "-" if now == T0 + timedelta(minutes=1) else "+")
    config = configured(tmp_path, one_service())
    with opened(config) as store:
        for minute in range(3):
            world.now = T0 + timedelta(minutes=minute)
            run(config, store, world.ask, world.clock, pace=Pace(), wait=world.wait)

        assert [row[0] for row in rows(store, "select outcome from observations order by at_ms")] == [
            "pass", "fail", "pass", "pass",
        ]  # fmt: skip
        assert rows(store, "select state from _flip where state = 3") == []


def test_a_startup_check_goes_before_the_others_and_ends_with_its_first_pass(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "+" if check.role != "startup" or now > T0 + timedelta(minutes=1) else "-")
    check = {"kind": "http", "role": "startup", "target": "/started", "every": "5s", "failure_threshold": 30}
    config = configured(tmp_path, one_service(check=[check]))
    with opened(config) as store:
        for minute in range(4):
            world.now = T0 + timedelta(minutes=minute)
            run(config, store, world.ask, world.clock, pace=Pace(), wait=world.wait)

        assert [key.split("/")[-1] for key in world.asked] == ["startup", "startup", "startup", "", ""]
        assert rows(store, "select state, reason from _span order by started_s") == [(1, "starting"), (0, None)]


def test_our_own_network_is_never_their_outage(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "+" if now < T0 + timedelta(seconds=30) else "timeout")
    table = {"service": [{"name": f"s{n}", "url": f"http://192.0.2.{n}/"} for n in range(1, 5)]}
    config = configured(tmp_path, table)
    with opened(config) as store:
        for minute in range(3):
            world.now = T0 + timedelta(minutes=minute)
            run(config, store, world.ask, world.clock, pace=Pace(), wait=world.wait)

        assert rows(store, "select distinct outcome, reason from observations where at_ms > 0 order by 1") == [
            ("pass", None),
            ("unknown", "monitor_offline"),
        ]


def test_control_targets_that_answer_prove_that_it_is_them(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "+" if "control" in check.target else "timeout")
    table = {
        "service": [{"name": f"s{n}", "url": f"http://192.0.2.{n}/"} for n in range(1, 5)],
        "control": [{"url": "http://control.example/"}],
    }
    config = configured(tmp_path, table)
    with opened(config) as store:
        run(config, store, world.ask, world.clock, pace=Pace(), wait=world.wait)

        assert rows(store, "select distinct outcome, reason from observations") == [("fail", "timeout")]


def test_a_moment_that_lies_behind_the_newest_is_moved_with_an_event(tmp_path: Path) -> None:
    world = Pretended()
    config = configured(tmp_path, one_service())
    with opened(config) as store:
        cycle(config, store, world.ask, world.clock)
        world.now -= timedelta(hours=1)
        cycle(config, store, world.ask, world.clock)

        first, second = rows(store, "select at_ms from observations order by at_ms")
        assert second[0] == first[0] + 1
        assert rows(store, "select kind from events") == [("clock_behind",)]


def test_a_lost_slot_is_an_event(tmp_path: Path) -> None:
    world = Pretended()
    config = configured(tmp_path, one_service())
    with opened(config) as store:
        for minute in (0, 1, 5):
            world.now = T0 + timedelta(minutes=minute)
            run(config, store, world.ask, world.clock, pace=Pace(), wait=world.wait)

        assert rows(store, "select kind, detail from events") == [
            ("missed", "1 checks lost a slot: one was not asked for 240 s")
        ]


def test_who_is_only_slow_to_answer_was_not_silent(tmp_path: Path) -> None:
    table = {"service": [{"name": name, "url": f"http://{name}/"} for name in ("fast", "slow")]}
    config = configured(tmp_path, table)
    world = Pretended()
    with opened(config) as store:
        cycle(config, store, world.ask, world.clock)
        asked = T0 + timedelta(minutes=2)

        def slowly(checks: Sequence[Check]) -> list[Answer]:
            for minutes in (2, 3):  # cycles overlap in a daemon: others end first
                world.now = T0 + timedelta(minutes=minutes)
                cycle(
                    config,
                    store,
                    world.ask,
                    world.clock,
                    claim=lambda due: [one for one in due if "fast" in one.check.key],
                )
            return [replace(world.answer(check), at=asked) for check in checks]

        world.now = asked
        cycle(config, store, slowly, world.clock, claim=lambda due: [one for one in due if "slow" in one.check.key])

        before = rows(store, "select service_name, state, started from spans order by 1, 3")
        with store.writing() as db:
            upkeep.rebuild(db, store.zone)
        assert rows(store, "select service_name, state, started from spans order by 1, 3") == before
        assert [state for name, state, _ in before if name == "slow"] == ["up", "unknown"]  # of now, years later


def test_another_threshold_changes_only_the_future(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "-" if 1 <= (now - T0) // timedelta(minutes=1) % 10 <= 2 else "+")
    with opened(configured(tmp_path, one_service(failure_threshold=2))) as store:
        for threshold in (2, 3):
            config = configured(tmp_path, one_service(failure_threshold=threshold))
            for _ in range(10):
                cycle(config, store, world.ask, world.clock)
                world.now += timedelta(minutes=1)
        spans = "select state, started from spans where reason is not 'no_sample' order by started_s"
        before = rows(store, spans)
        with store.writing() as db:
            upkeep.rebuild(db, store.zone)

        assert [(state, started[14:16]) for state, started in before] == [("up", "00"), ("down", "01"), ("up", "03")]
        assert rows(store, spans) == before


def test_an_answer_that_comes_after_its_service_was_put_away_is_passed_over(tmp_path: Path) -> None:
    world = Pretended()
    config = configured(tmp_path, one_service())
    with opened(config) as store, opened(config) as operator:
        cycle(config, store, world.ask, world.clock)
        world.now += timedelta(minutes=1)

        def retired_meanwhile(checks: Sequence[Check]) -> list[Answer]:
            with operator.writing() as db:
                operate.retire(db, "web", world.now)
            return world.ask(checks)

        cycle(config, store, retired_meanwhile, world.clock)

        assert rows(store, "select count(*) from observations") == [(1,)]
        assert rows(store, "select count(*) from _standing") == [(0,)]


def test_a_run_begins_no_second_slot_however_long_the_answers_take(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "-" if check.name == "bad" else "+")

    def slowly(checks: Sequence[Check]) -> list[Answer]:
        world.now += timedelta(seconds=45)
        return world.ask(checks)

    config = configured(tmp_path, one_service(check=[{"kind": "http", "name": "bad", "target": "/bad"}]))
    with opened(config) as store:
        run(config, store, slowly, world.clock, pace=Pace(), wait=world.wait)

    assert [key.split("/")[-1] for key in world.asked] == ["", "bad", "bad", "bad"]


def test_whatever_breaks_while_asking_leaves_no_trace(tmp_path: Path) -> None:
    def broken(checks: Sequence[Check]) -> list[Answer]:
        raise RuntimeError("pulled the plug")

    config = configured(tmp_path, one_service())
    with opened(config) as store:
        with pytest.raises(RuntimeError):
            cycle(config, store, broken, Pretended().clock)

        assert rows(store, "select * from observations") == rows(store, "select * from runs") == []


# Discovery inside the cycle


class Finder:
    """A source that finds what it is told to."""

    def __init__(self) -> None:
        self.names = ["a.service", "b.service"]
        self.error: str | None = None
        self.complete = True
        self.calls = 0

    def __call__(self, settings: Mapping[str, Any], context: Context) -> tuple[list[Found], dict[str, bool]]:
        self.calls += 1
        targets = tuple(
            Target(
                source="systemd",
                ref=name,
                name=name,
                layer="running",
                ports=(Port(port=9000 + place),),
                checks=(Check(key="", service="", kind="tcp", target=f"tcp://127.0.0.1:{9000 + place}"),),
            )
            for place, name in enumerate(self.names)
        )
        found = Found(source="systemd", ok=self.error is None, targets=() if self.error else targets, error=self.error)
        return [replace(found, complete=self.complete)], {}


def discovering(tmp_path: Path) -> Config:
    return configured(tmp_path, {"discover": {"systemd": {}}})


def living(store: Store) -> list[str]:
    return [row[0] for row in rows(store, "select name from services where retired is null order by name")]


def test_a_source_that_fails_changes_nothing(tmp_path: Path) -> None:
    world, finder, config = Pretended(), Finder(), discovering(tmp_path)
    with opened(config) as store:
        cycle(config, store, world.ask, world.clock, find=finder)
        finder.error = "the bus is gone"
        for minute in range(6, 40, 6):
            world.now = T0 + timedelta(minutes=minute)
            cycle(config, store, world.ask, world.clock, find=finder)

        assert living(store) == ["a", "b"]
        assert rows(store, "select event, detail from discoveries where event = 'failed'") == [
            ("failed", "the bus is gone")
        ]
        assert finder.calls == 7


def test_what_an_incomplete_answer_does_not_tell_of_stays(tmp_path: Path) -> None:
    world, finder, config = Pretended(), Finder(), discovering(tmp_path)
    with opened(config) as store:
        cycle(config, store, world.ask, world.clock, find=finder)
        finder.names, finder.complete = ["a.service"], False
        for minute in range(6, 40, 6):
            world.now = T0 + timedelta(minutes=minute)
            cycle(config, store, world.ask, world.clock, find=finder)

        assert living(store) == ["a", "b"]


def test_what_is_gone_for_long_enough_is_retired_and_comes_back_with_its_history(tmp_path: Path) -> None:
    world, finder, config = Pretended(), Finder(), discovering(tmp_path)
    with opened(config) as store:
        cycle(config, store, world.ask, world.clock, find=finder)
        finder.names = ["a.service"]
        for minute in range(6, 25, 6):
            world.now = T0 + timedelta(minutes=minute)
            cycle(config, store, world.ask, world.clock, find=finder)
        assert living(store) == ["a"]

        finder.names = ["a.service", "b.service"]
        world.now += timedelta(minutes=6)
        cycle(config, store, world.ask, world.clock, find=finder)

        assert living(store) == ["a", "b"]
        assert [row[0] for row in rows(store, "select event from discoveries where service = 'systemd//b.service'")] == [
            "appeared", "missing", "retired", "returned",
        ]  # fmt: skip
        assert rows(store, "select count(*) from observations where service = 'systemd//b.service'") == [(4,)]


def test_discovery_waits_for_its_interval(tmp_path: Path) -> None:
    world, finder, config = Pretended(), Finder(), discovering(tmp_path)
    with opened(config) as store:
        for minute in range(11):
            world.now = T0 + timedelta(minutes=minute)
            cycle(config, store, world.ask, world.clock, find=finder)

    assert finder.calls == 3


def test_a_service_taken_out_of_the_configuration_is_retired_at_once(tmp_path: Path) -> None:
    world = Pretended()
    with opened(configured(tmp_path, one_service())) as store:
        cycle(configured(tmp_path, one_service()), store, world.ask, world.clock)
        world.now += timedelta(minutes=1)
        cycle(configured(tmp_path, {}), store, world.ask, world.clock)

        assert living(store) == []
        assert rows(store, "select count(*) from observations") == [(1,)]


def test_a_removed_check_says_nothing_from_then_on(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "-" if check.name == "extra" else "+")
    extra = {"kind": "http", "name": "extra", "target": "/extra", "failure_threshold": 1}
    with opened(configured(tmp_path, {})) as store:
        config = configured(tmp_path, one_service(check=[extra]))
        cycle(config, store, world.ask, world.clock)
        world.now += timedelta(minutes=1)
        cycle(configured(tmp_path, one_service()), store, world.ask, world.clock)

        assert rows(store, "select state from _span order by started_s") == [(3,), (0,)]


# With real sockets


def test_a_real_service_is_asked_and_recorded(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="fine", status=200 if request.path == "/" else 503)

    with serving(answer) as port:
        url = f"http://127.0.0.1:{port}"
        table = {"service": [{"name": "good", "url": f"{url}/"}, {"name": "bad", "url": f"{url}/bad"}]}
        config = configured(tmp_path, table)
        with opened(config) as store:
            report = cycle(config, store, Local(), Pretended().clock)

            assert report.observed == 2
            assert rows(store, "select service_name, outcome, code, reason from observations order by 1") == [
                ("bad", "fail", 503, "http_5xx"),
                ("good", "pass", 200, None),
            ]


@contextmanager
def serving(answer: Callable[[web.Request], Any]) -> Iterator[int]:
    """Serve on a free port of loopback, in a thread of its own."""
    loop = asyncio.new_event_loop()

    async def start() -> tuple[web.AppRunner, int]:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]

    runner, port = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


def test_a_database_held_by_another_program_is_said_and_nothing_is_lost_of_it(tmp_path: Path) -> None:
    config = configured(tmp_path, one_service())
    with Store(config.database, patience=0.1) as store, opened(config) as other:
        with other.writing(), pytest.raises(StoreError, match="locked by another program"):
            cycle(config, store, Pretended().ask, Pretended().clock)
        cycle(config, store, Pretended().ask, Pretended().clock)

        assert rows(store, "select count(*) from observations") == [(1,)]


def test_what_is_not_to_be_asked_at_once_is_asked_when_its_delay_is_over(tmp_path: Path) -> None:
    def check(name: str, role: Role, delay: int) -> Check:
        return Check(key="", service="", kind="http", target=f"http://api/{name}", name=name, role=role, delay=delay)

    roles = (("startup", Role.STARTUP, 0), ("live", Role.LIVENESS, 10_000), ("ready", Role.READINESS, 90_000))
    api = Target(source="kubernetes", ref="", name="api", checks=tuple(check(*one) for one in roles))
    late = replace(api, name="late", checks=(check("startup", Role.STARTUP, 30_000), check("live", Role.LIVENESS, 0)))

    def find(settings: Mapping[str, Any], context: Context) -> tuple[list[Found], dict[str, bool]]:
        return [Found(source="kubernetes", ok=True, targets=(api, late))], {}

    world = Pretended()
    config = configured(tmp_path, {"discover": {"kubernetes": {}}})

    def asked(seconds: float) -> list[str]:
        world.now, world.asked = T0 + timedelta(seconds=seconds), []
        cycle(config, store, world.ask, world.clock, pace=Pace(every=10_000), find=find)
        return sorted(key.removeprefix("kubernetes//").replace("/http", "") for key in world.asked)

    with opened(config) as store:
        assert asked(0) == ["api/startup"]
        assert asked(9) == []
        assert asked(11) == ["api/live"]
        assert asked(31) == ["late/startup"]
        assert asked(41) == ["late/live"]
        assert asked(91) == ["api/live", "api/ready"]
