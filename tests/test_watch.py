"""The daemon: on a schedule, spread, never twice at once, and gone when told."""

import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from uplog.collector.cli import tidying
from uplog.collector.command import Options
from uplog.collector.config import Config, parse
from uplog.collector.cycle import cycle
from uplog.collector.model import Answer, Check, CouldNot, Reading
from uplog.collector.observe import Stopped
from uplog.collector.store import Store, StoreError
from uplog.collector.watch import Tidying, Watch

pytestmark = pytest.mark.integration


def configured(tmp_path: Path, count: int) -> Config:
    services = [{"name": f"s{n}", "url": f"http://127.0.0.1:1/{n}", "every": "10s"} for n in range(count)]
    return replace(parse({"service": services}, folder=tmp_path), database=tmp_path / "uplog.db")


class Engine:
    """Answers at once, but for the checks that hang until they are let go."""

    def __init__(self, days_ago: int = 0, hanging: str = "") -> None:
        self.days_ago = timedelta(days=days_ago)
        self.hanging = hanging
        self.free = Event()
        self.asked: list[str] = []

    def __call__(self, checks: Sequence[Check]) -> list[Answer]:
        self.asked += [check.key for check in checks]
        if self.hanging and any(self.hanging in check.key for check in checks):
            self.free.wait(120)
        at = datetime.now(UTC) - self.days_ago
        return [Answer(check=check, at=at, took=1, reading=Reading(code=200)) for check in checks]


def watching(config: Config, engine: Engine, seconds: float) -> list[tuple[Any, ...]]:
    """Watch for a while; return service and moment of what was recorded."""
    with Store(config.database) as store:
        daemon = Watch(config, store, engine, lambda: datetime.now(UTC), every=10_000)
        daemon.start()
        try:
            time.sleep(seconds)
        finally:
            engine.free.set()
            daemon.stop()
        with store.reading() as db:
            return db.execute("select service_name, at_ms from observations order by at_ms").fetchall()


def forty(folder: Path) -> list[tuple[Any, ...]]:
    """Watch forty services for two slots; return service and moment of what was recorded."""
    return watching(configured(folder, 40), Engine(), 21.5)


def one_that_hangs(folder: Path) -> list[str]:
    """Watch three services, of which one never answers, for longer than a slot; return the keys of what was asked."""
    engine = Engine(hanging="s0")
    config = configured(folder, 3)
    config = replace(config, targets=tuple(replace(one, order=n) for n, one in enumerate(config.targets)))
    with Store(config.database) as store:
        cycle(config, store, Engine(), lambda: datetime.now(UTC))  # so that they are due at their own phases
    watching(config, engine, 12.5)
    return engine.asked


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """Watch both at the same time; give what came of each."""
    with ThreadPoolExecutor() as pool:
        found = {work: pool.submit(work, tmp_path_factory.mktemp(work.__name__)) for work in (forty, one_that_hangs)}
    return {work: one.result() for work, one in found.items()}


@pytest.mark.slow
def test_checks_are_asked_once_a_slot_and_spread_over_it(watched: dict[Any, Any]) -> None:
    rows = watched[forty]

    first = rows[0][1]
    later = [(name, at) for name, at in rows if at > first + 1_500]
    assert len({name for name, _ in rows[:40]}) == 40, "the first ones come at once"
    assert all(sum(one == name for one, _ in later) in (1, 2, 3) for name, _ in rows[:40])
    busiest = max(sum(at <= other < at + 1_000 for _, other in later) for _, at in later)
    assert busiest < 25, "forty checks of ten seconds do not come in one lump"


@pytest.mark.slow
def test_a_slow_answer_holds_up_nobody_else_and_is_not_asked_twice(watched: dict[Any, Any]) -> None:
    keys = watched[one_that_hangs]
    asked = {name: sum(f"//{name}/" in key for key in keys) for name in ("s0", "s1", "s2")}
    assert asked["s0"] == 1
    assert asked["s1"] >= 1
    assert asked["s2"] >= 1


def test_stopping_gives_up_what_is_in_flight(tmp_path: Path) -> None:
    class Stuck(Engine):
        def __call__(self, checks: Sequence[Check]) -> list[Answer]:
            self.asked += [check.key for check in checks]
            self.free.wait(60)
            raise Stopped

    engine = Stuck()
    with Store(configured(tmp_path, 1).database) as store:
        daemon = Watch(configured(tmp_path, 1), store, engine, lambda: datetime.now(UTC), every=10_000)
        daemon.start()
        until(lambda: engine.asked)
        begun = time.monotonic()
        Thread(target=engine.free.set).start()
        daemon.stop()

        assert time.monotonic() - begun < 30
        assert store.db.execute("select count(*) from observations").fetchone() == (0,)


def test_a_tick_that_cannot_read_the_record_does_not_end_the_schedule(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Engine()
    config = configured(tmp_path, 1)
    with Store(config.database) as store:
        daemon = Watch(config, store, engine, lambda: datetime.now(UTC), every=10_000)
        daemon.start()
        reading = store.reading

        def broken() -> Any:
            raise StoreError("the disk is gone")

        store.reading = broken  # type: ignore[method-assign]
        until(lambda: caplog.records)
        time.sleep(1.5)  # so that another tick fails
        before = len(engine.asked)
        store.reading = reading  # type: ignore[method-assign]
        until(lambda: len(engine.asked) > before)
        daemon.stop()

    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == ["the disk is gone"], (
        "and once is enough"
    )


class Stepped(datetime):
    """The clock on the wall, as somebody sets it."""

    off = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.off


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(days=3650)])
def test_the_schedule_goes_on_when_the_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Stepped)
    monkeypatch.setattr("uplog.collector.watch.datetime", Stepped)
    monkeypatch.setattr(Stepped, "off", timedelta())
    ticks = []
    config = configured(tmp_path, 1)
    with Store(config.database) as store:
        daemon = Watch(config, store, Engine(), lambda: Stepped.now(UTC), every=10_000)
        monkeypatch.setattr(daemon, "tick", lambda: ticks.append(time.monotonic()))
        daemon.start()
        until(lambda: len(ticks) >= 2)
        monkeypatch.setattr(Stepped, "off", step)
        until(lambda: len(ticks) >= 4)
        daemon.stop()

    assert max(later - earlier for earlier, later in itertools.pairwise(ticks)) < 20


# Tidying, in a process of its own


def test_tidying_begins_when_it_is_due_and_never_twice_at_once(tmp_path: Path) -> None:
    due = [False, True, True]
    with Tidying([sys.executable, "-c", "import time; time.sleep(60)"], lambda: due.pop(0)) as tidy:
        tidy()
        assert tidy.child is None
        tidy()
        assert tidy.child is not None
        child = tidy.child
        tidy()

        assert tidy.child is child
        assert due == [True], "nobody asks while it is being done"
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 10
    assert child.returncode == -signal.SIGTERM, "it ends with the daemon"


def test_a_day_that_is_over_is_moved_by_a_process_of_its_own(tmp_path: Path) -> None:
    config = configured(tmp_path, 1)
    with Store(config.database) as store:
        for ago in (2, 1):
            cycle(config, store, Engine(ago), lambda ago=ago: datetime.now(UTC) - timedelta(days=ago))  # type: ignore[misc]
        options = Options(config=None, database=config.database, verbose=0)
        with tidying(options, config, store) as tidy:
            tidy()
            assert tidy.child is not None
            assert tidy.child.wait(60) == 0
            tidy()

            assert tidy.child is None, "nothing is left to do"
        assert store.db.execute("select count(*) from _observation").fetchone() == (1,)
        assert store.db.execute("select count(*) from _observation_open").fetchone() == (1,)


def test_tidying_that_failed_says_why_and_is_tried_again() -> None:
    with Tidying([sys.executable, "-c", "raise SystemExit('the disk is full')"], lambda: True) as tidy:
        tidy()
        assert tidy.child is not None
        tidy.child.wait(60)
        with pytest.raises(CouldNot, match="the disk is full"):
            tidy()
        tidy()

        assert tidy.child is not None


# As a process


def started(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    toml = '[[service]]\nname = "web"\nurl = "http://127.0.0.1:1/"\nevery = "10s"\n'
    (tmp_path / "uplog.toml").write_text(toml)
    return subprocess.Popen(
        [sys.executable, "-m", "uplog.collector", *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("it did not happen in time")


def observed(tmp_path: Path) -> int:
    path = tmp_path / "data/uplog.db"
    if not path.exists():
        return 0
    db = sqlite3.connect(path)
    try:
        return int(db.execute("select count(*) from observations").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        db.close()


def test_sigterm_ends_the_daemon_before_its_next_slot(tmp_path: Path) -> None:
    with started(tmp_path, "watch") as daemon:
        until(lambda: observed(tmp_path) > 0)
        begun = time.monotonic()
        daemon.send_signal(signal.SIGTERM)

        assert daemon.wait(60) == 0
        assert time.monotonic() - begun < 9


def test_a_cron_run_beside_the_daemon_says_so_and_does_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "watch") as daemon:
        until(lambda: observed(tmp_path) > 0)
        with started(tmp_path, "run", "--no-build") as other:
            _, said = other.communicate(timeout=60)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(60)

    assert other.returncode == 0
    assert "another uplog is asking" in said
    db = sqlite3.connect(tmp_path / "data/uplog.db")
    assert db.execute("select kind from events").fetchall() == [("skipped",)]
    db.close()
