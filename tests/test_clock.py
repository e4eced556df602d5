"""Clocks that are set, machines that sleep and processes that stand still: every second is accounted once."""

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from helpers import T0
from helpers_real import libfaketime
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_accounting import dump

from uplog.collector.awake import Awake, Clocks
from uplog.collector.config import Config, parse
from uplog.collector.cycle import cycle
from uplog.collector.model import Answer, Check, Reading, Reason
from uplog.collector.planning import Pace
from uplog.collector.run import run
from uplog.collector.store import Store, StoreError, operate, upkeep
from uplog.collector.store.codes import STATES

pytestmark = pytest.mark.unit

CRON = Pace()
WATCH = Pace(every=10_000, spread=True)


class World:
    """A machine whose clocks are moved by hand, with services that say + or - as they are told."""

    def __init__(self) -> None:
        self.wall, self.monotonic, self.boottime, self.boot = T0, 1_000, 5_000, "one"
        self.says = "+"
        self.waited = 0.0
        self.asked = 0
        self.asking: Callable[[], None] = lambda: None  # what happens while a question is open

    def clocks(self) -> Clocks:
        return Clocks(wall=self.wall, monotonic=self.monotonic, boottime=self.boottime, boot=self.boot)

    def clock(self) -> datetime:
        return self.wall

    def goes_on(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += round(seconds * 1000)
        self.boottime += round(seconds * 1000)

    def sleeps(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.boottime += round(seconds * 1000)

    def is_set(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)

    def wait(self, seconds: float) -> None:
        self.waited += seconds
        self.goes_on(seconds)

    def ask(self, checks: Sequence[Check]) -> list[Answer]:
        self.asked += len(checks)
        begun = self.wall
        self.asking()
        return [self.answer(check, begun) for check in checks]

    def answer(self, check: Check, at: datetime) -> Answer:
        if self.says == "+":
            return Answer(check=check, at=at, took=3, reading=Reading(code=200))
        return Answer(check=check, at=at, took=3, reason=Reason.REFUSED if self.says == "-" else Reason(self.says))


def configured(folder: Path, **more: Any) -> Config:
    services = [{"name": name, "url": f"http://127.0.0.1:1/{name}", **more} for name in ("a", "b")]
    return replace(parse({"service": services}, folder=folder), database=folder / "uplog.db")


@contextmanager
def started(tmp_path: Path, **more: Any) -> Iterator[tuple[World, Config, Store]]:
    config = configured(tmp_path, **more)
    with Store(config.database) as store:
        yield World(), config, store


def run_once(world: World, config: Config, store: Store, awake: Awake | None = None) -> None:
    """Do what one line of a crontab does, in a process of its own."""
    told = (awake or Awake(world.clocks)).told
    run(config, store, world.ask, world.clock, pace=CRON, wait=world.wait, told=told)


def rows(store: Store, question: str) -> list[tuple[Any, ...]]:
    with store.reading() as db:
        return db.execute(question).fetchall()


def spans(store: Store, service: int = 1) -> list[tuple[str, str | None, int]]:
    """Return the spans of a service: state, reason, and seconds since the beginning."""
    found = rows(store, f"select state, reason, started_s from _span where service_id = {service} order by started_s")
    return [(STATES[state], reason, second - int(T0.timestamp())) for state, reason, second in found]


def events(store: Store) -> list[str]:
    return [kind for (kind,) in rows(store, "select kind from events where kind <> 'missed' order by at_ms, rowid")]


# Asleep, or not asked


def test_a_suspend_between_two_cron_runs_reads_as_asleep(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        run_once(world, config, store)
        world.goes_on(20)
        world.sleeps(7200)
        world.goes_on(40)
        run_once(world, config, store)

        assert spans(store) == [("up", None, 0), ("unknown", "monitor_asleep", 60), ("up", None, 7260)]
        assert events(store) == ["asleep"]


def test_a_cron_that_was_dead_while_the_machine_was_awake_reads_as_not_asked(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        run_once(world, config, store)
        world.goes_on(7260)
        run_once(world, config, store)

        assert spans(store) == [("up", None, 0), ("unknown", "no_sample", 60), ("up", None, 7260)]
        assert events(store) == []


def test_a_sleep_explains_no_silence_that_is_longer(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        run_once(world, config, store)
        world.sleeps(3600)
        world.goes_on(3660)
        run_once(world, config, store)

        assert spans(store) == [("up", None, 0), ("unknown", "no_sample", 60), ("up", None, 7260)]
        assert events(store) == ["asleep"]


def test_a_machine_that_was_started_anew_is_an_event_only(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        run_once(world, config, store)
        world.goes_on(7260)
        world.boot, world.monotonic, world.boottime = "two", 20_000, 20_000
        run_once(world, config, store)

        assert spans(store) == [("up", None, 0), ("unknown", "no_sample", 60), ("up", None, 7260)]
        assert events(store) == ["restarted"]


def test_what_was_in_flight_when_the_machine_fell_asleep_speaks_for_the_time_before(tmp_path: Path) -> None:
    for says, expected in [
        ("+", [("up", None, 0), ("unknown", "monitor_asleep", 120), ("up", None, 7260)]),
        ("monitor_asleep", [("up", None, 0), ("unknown", "monitor_asleep", 60), ("up", None, 7260)]),
    ]:
        folder = tmp_path / says
        folder.mkdir()
        with started(folder) as (world, config, store):
            run_once(world, config, store)
            world.goes_on(60)
            world.says, world.asking = says, lambda world=world: world.sleeps(7140)  # type: ignore[misc]
            run_once(world, config, store)
            world.says, world.asking = "+", lambda: None
            world.goes_on(60)
            run_once(world, config, store)

            assert spans(store) == expected
            assert_each_second_is_accounted_once(store)


def test_an_answer_that_comes_out_of_a_gap_that_others_told_of_already_fits_in(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        awake = Awake(world.clocks)
        cycle(config, store, world.ask, world.clock, told=awake.told)
        world.goes_on(61)

        def falls_asleep() -> None:
            world.asking = lambda: None
            world.sleeps(7139)
            cycle(config, store, world.ask, world.clock, claim=lambda due: due[1:], told=awake.told)

        world.asking = falls_asleep
        cycle(config, store, world.ask, world.clock, claim=lambda due: due[:1], told=awake.told)
        world.goes_on(60)
        cycle(config, store, world.ask, world.clock, told=awake.told)

        a = [("up", None, 0), ("unknown", "monitor_asleep", 60), ("up", None, 61)]
        assert spans(store) == [*a, ("unknown", "monitor_asleep", 121), ("up", None, 7260)]
        assert spans(store, 2) == [("up", None, 0), ("unknown", "monitor_asleep", 60), ("up", None, 7200)]
        assert events(store) == ["asleep"]
        assert_each_second_is_accounted_once(store)


def test_a_gap_is_told_again_when_the_write_that_told_it_fails(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        awake = Awake(world.clocks)
        cycle(config, store, world.ask, world.clock, told=awake.told)
        world.sleeps(7200)

        def fails(*args: Any) -> Any:
            awake.told(*args)
            raise StoreError("the disk is full")

        with pytest.raises(StoreError):
            cycle(config, store, world.ask, world.clock, told=fails)
        shutil.rmtree(f"{config.database}.spool", ignore_errors=True)
        world.goes_on(60)
        cycle(config, store, world.ask, world.clock, told=awake.told)

        assert spans(store) == [("up", None, 0), ("unknown", "monitor_asleep", 60), ("up", None, 7260)]
        assert events(store) == ["asleep"]


# Set clocks


def test_a_clock_that_is_set_forward_leaves_a_gap_that_nobody_was_down_in(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        run_once(world, config, store)
        world.goes_on(60)
        world.is_set(86_400)
        run_once(world, config, store)

        assert spans(store) == [("up", None, 0), ("unknown", "monitor_asleep", 60), ("up", None, 86_460)]
        assert events(store) == ["clock_set"]


def test_checks_are_asked_at_their_cadence_while_the_clock_is_behind(tmp_path: Path) -> None:
    for pace, seconds in [(CRON, 60), (WATCH, 10)]:
        folder = tmp_path / str(seconds)
        folder.mkdir()
        with started(folder) as (world, config, store):
            for second in range(0, 1200, seconds):
                if second == 600:
                    world.is_set(-3600)
                cycle(config, store, world.ask, world.clock, pace=pace)
                world.goes_on(seconds)

            asked = rows(store, "select service, count(*) from observations group by service")
            assert all(20 <= count <= 22 for _, count in asked), asked
            assert spans(store) == [("up", None, 0)]
            assert events(store) == ["clock_behind"], "once for a step, not once for a cycle"


def test_no_run_waits_for_hours_for_a_confirmation(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        run_once(world, config, store)
        world.goes_on(60)
        world.is_set(-3600)
        world.says = "-"
        for _ in range(3):
            run_once(world, config, store)
            assert world.waited < 60
            world.goes_on(60)

        assert spans(store)[-1][:2] == ("down", "refused"), "three rounds do what one does else"
        assert events(store) == ["clock_set", "clock_behind"]


def test_a_second_step_back_after_the_clock_caught_up_is_told_again(tmp_path: Path) -> None:
    with started(tmp_path) as (world, config, store):
        for minute in range(8):
            if minute in (2, 6):
                world.is_set(-120)
            cycle(config, store, world.ask, world.clock)
            world.goes_on(60)

        assert events(store) == ["clock_behind", "clock_behind"]


def test_a_pause_lasts_as_long_as_was_said_whatever_the_clock_is_set_to(tmp_path: Path) -> None:
    for step in (-86_400, 86_400):
        folder = tmp_path / str(step)
        folder.mkdir()
        with started(folder) as (world, config, store):
            awake = Awake(world.clocks)
            run_once(world, config, store, awake)
            with store.writing() as db:
                operate.pause(db, "a", world.wall, world.wall + timedelta(hours=1), UTC)
            world.is_set(step)
            for _ in range(59):
                world.goes_on(60)
                run_once(world, config, store, awake)
            before = rows(store, "select count(*) from observations where service = 'config//a'")
            world.goes_on(120)
            run_once(world, config, store, awake)

            assert before == [(2,)], "the one before, and that of the pause"
            assert rows(store, "select count(*) from observations where service = 'config//a'") == [(3,)]


# Whatever happens


def assert_each_second_is_accounted_once(store: Store) -> None:
    """Spans follow each other without a gap, from the first observation on, and a rebuild gives the same."""
    for (service,) in rows(store, "select id from _service"):
        found = rows(store, f"select started_s, ended_s from _span where service_id = {service} order by started_s")
        first, newest = rows(
            store,
            f"""
            select min(at_ms) / 1000, max(at_ms) from observations
            where check_key in (select key from _check where service_id = {service})
            """,
        )[0]
        if newest is None:
            continue
        assert found[0][0] == first
        assert all(end == start for (_, end), (start, _) in itertools.pairwise(found))
        assert all(start < end for start, end in found[:-1])
        assert found[-1][1] is None
        assert found[-1][0] <= rows(store, "select max(last_ms) / 1000 from _standing")[0][0]
    with store.writing() as db:
        upkeep.move_days(db)
    before = dump(store)
    with store.writing() as db:
        upkeep.rebuild(db, UTC)
    assert dump(store) == before


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("goes_on"), st.sampled_from([1, 40, 60, 61, 150, 400])),
        st.tuples(st.just("sleeps"), st.sampled_from([1, 3, 95, 151, 3600, 90_000])),
        st.tuples(st.just("is_set"), st.sampled_from([-90_000, -3600, -61, -1, 1, 61, 3600, 90_000])),
        st.tuples(st.just("stops"), st.sampled_from([6, 70, 600])),
        st.tuples(st.just("says"), st.sampled_from(["+", "-", "local_error"])),
        st.tuples(st.just("in_flight"), st.sampled_from(["sleeps", "stops", "is_set"])),
        st.tuples(st.just("process"), st.just(0)),
    ),
    max_size=25,
)


@pytest.mark.slow
@pytest.mark.usefixtures("stopped")  # which takes its time meanwhile
@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
@example(steps=[("says", "-"), ("process", 0), ("is_set", -90_000), ("says", "+")])  # passes of a day that is over
def test_no_second_is_lost_or_counted_twice_whatever_the_clocks_do(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), every="1m") as (world, config, store):
        awake = Awake(world.clocks, patience=5_000)

        def lives(seconds: int) -> None:
            for _ in range(0, seconds, 20):
                for _ in range(4):
                    world.goes_on(5)
                    awake.look()
                ask()

        def ask() -> None:
            cycle(config, store, world.ask, world.clock, pace=WATCH, told=awake.told)
            world.asking = lambda: None

        ask()
        for what, value in steps:
            if what == "goes_on":
                lives(value)
            elif what == "says":
                world.says = value
            elif what == "process":
                world.goes_on(400)  # nobody asked meanwhile
                awake = Awake(world.clocks, patience=5_000)
            elif what == "in_flight":
                happens = {"sleeps": world.sleeps, "stops": world.goes_on, "is_set": world.is_set}[value]
                world.asking = lambda happens=happens: happens(700)  # type: ignore[misc]
            else:
                {"sleeps": world.sleeps, "stops": world.goes_on, "is_set": world.is_set}[what](value)
                awake.look()
            ask()
        lives(200)

        assert_each_second_is_accounted_once(store)
        assert rows(store, "select count(*) from spans where state = 'down'") == [(0,)] or any(
            what == "says" and value == "-" for what, value in steps
        )


# Real processes


class Answering(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


UPLOG = ("-m", "uplog.collector")
# libfaketime knows nothing of how Python sleeps, and refuses it
SLEEPLESS = """
import threading, time
time.sleep = lambda seconds: threading.Event().wait(seconds) and None
from uplog.collector.cli import main
main()
"""


@contextmanager
def watching(folder: Path, start: Sequence[str] = UPLOG, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `uplog watch` on a server of this machine, with a check each ten seconds."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    (folder / "uplog.toml").write_text(
        f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{server.server_port}/"\nevery = "10s"\n'
    )
    daemon = subprocess.Popen([sys.executable, *start, "watch"], cwd=folder, env={**os.environ, **environment})
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGCONT)
        daemon.terminate()
        assert daemon.wait(60) == 0
        server.shutdown()
        serving.join()
        server.server_close()


def said(folder: Path, question: str) -> list[tuple[Any, ...]]:
    """Ask the record of a process; nothing while it is not there."""
    try:
        db = sqlite3.connect(f"file:{folder / 'data/uplog.db'}?mode=ro", uri=True)
    except sqlite3.OperationalError:
        return []
    try:
        return db.execute(question).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        db.close()


def answers(folder: Path) -> int:
    return len(said(folder, "select 1 from observations where outcome = 'pass'"))


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in time")


def stop_for_a_while(folder: Path) -> Path:
    """Let a daemon stand still for longer than the answers before speak, and go on; return its folder."""
    with watching(folder) as daemon:
        until(lambda: answers(folder) > 0)
        daemon.send_signal(signal.SIGSTOP)
        time.sleep(28)
        before = answers(folder)
        daemon.send_signal(signal.SIGCONT)
        until(lambda: answers(folder) > before)
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Path]]:
    """Begin to stop a daemon, which others need not wait for."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(stop_for_a_while, tmp_path_factory.mktemp("stopped"))


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.usefixtures("stopped")
def test_a_daemon_goes_on_asking_when_its_clock_is_set_back_and_far_forward(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    pretended = {
        "LD_PRELOAD": libfaketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    with watching(tmp_path, ("-c", SLEEPLESS), **pretended):
        until(lambda: answers(tmp_path) > 0)
        for step in ("-7200", "+10y"):
            before = answers(tmp_path)
            (other := tmp_path / "other").write_text(step)
            other.replace(clock)  # a clock that is looked at while it is written would be none
            until(lambda before=before: answers(tmp_path) > before + 1)  # type: ignore[misc]

    told = said(tmp_path, "select kind, detail from events where kind like 'clock%' order by rowid")
    assert [kind for kind, _ in told] == ["clock_set", "clock_behind", "clock_set"]
    assert told[0][1] == "the clock was set back by 7200 s"
    assert said(tmp_path, "select count(*) from observations where outcome = 'fail'") == [(0,)]
    found = said(tmp_path, "select state, reason from _span order by started_s")
    assert found == [(0, None), (1, "monitor_asleep"), (0, None)]


@pytest.mark.integration
@pytest.mark.slow
def test_a_daemon_that_was_stopped_says_so_and_blames_nobody(stopped: Future[Path]) -> None:
    folder = stopped.result()

    assert said(folder, "select distinct outcome, reason from observations order by 1") == [
        ("pass", None),
        ("unknown", "monitor_asleep"),
    ]
    assert [state for (state,) in said(folder, "select state from _span order by started_s")] == [0, 1, 0]
    assert said(folder, "select reason, ended_s - started_s >= 15 from spans where state = 'unknown'") == [
        ("monitor_asleep", 1)
    ]
    assert {kind for (kind,) in said(folder, "select kind from events where kind <> 'missed'")} == {"stopped"}
