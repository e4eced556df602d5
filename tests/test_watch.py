"""The daemon: on a schedule, spread, never twice at once, and gone when told."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from uplog.collector.config import Config, parse
from uplog.collector.model import Answer, Check, Reading
from uplog.collector.observe import Stopped
from uplog.collector.store import Store
from uplog.collector.watch import Watch

pytestmark = pytest.mark.integration


def configured(tmp_path: Path, count: int) -> Config:
    services = [{"name": f"s{n}", "url": f"http://127.0.0.1:1/{n}", "every": "10s"} for n in range(count)]
    return replace(parse({"service": services}, folder=tmp_path), database=tmp_path / "uplog.db")


class Engine:
    """Answers at once, but for the checks that hang until they are let go."""

    def __init__(self, hanging: str = "") -> None:
        self.hanging = hanging
        self.free = Event()
        self.asked: list[str] = []

    def __call__(self, checks: Sequence[Check]) -> list[Answer]:
        self.asked += [check.key for check in checks]
        if self.hanging and any(self.hanging in check.key for check in checks):
            self.free.wait(30)
        return [Answer(check=check, at=datetime.now(UTC), took=1, reading=Reading(code=200)) for check in checks]


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


@pytest.mark.slow
def test_checks_are_asked_once_a_slot_and_spread_over_it(tmp_path: Path) -> None:
    rows = watching(configured(tmp_path, 40), Engine(), 21.5)

    first = rows[0][1]
    later = [(name, at) for name, at in rows if at > first + 1_500]
    assert len({name for name, _ in rows[:40]}) == 40, "the first ones come at once"
    assert all(sum(one == name for one, _ in later) in (1, 2, 3) for name, _ in rows[:40])
    busiest = max(sum(at <= other < at + 1_000 for _, other in later) for _, at in later)
    assert busiest < 15, "forty checks of ten seconds do not come in one lump"


def test_a_slow_answer_holds_up_nobody_else_and_is_not_asked_twice(tmp_path: Path) -> None:
    engine = Engine(hanging="s0")
    config = configured(tmp_path, 3)
    config = replace(config, targets=tuple(replace(one, order=n) for n, one in enumerate(config.targets)))
    with Store(config.database) as store:
        from uplog.collector.cycle import cycle

        cycle(config, store, Engine(), lambda: datetime.now(UTC))  # so that they are due at their own phases
    watching(config, engine, 12.5)

    asked = {name: sum(f"//{name}/" in key for key in engine.asked) for name in ("s0", "s1", "s2")}
    assert asked["s0"] == 1
    assert asked["s1"] >= 1
    assert asked["s2"] >= 1


def test_stopping_gives_up_what_is_in_flight(tmp_path: Path) -> None:
    class Stuck(Engine):
        def __call__(self, checks: Sequence[Check]) -> list[Answer]:
            self.free.wait(30)
            raise Stopped

    engine = Stuck()
    with Store(configured(tmp_path, 1).database) as store:
        daemon = Watch(configured(tmp_path, 1), store, engine, lambda: datetime.now(UTC), every=10_000)
        daemon.start()
        time.sleep(1.5)
        begun = time.monotonic()
        Thread(target=engine.free.set).start()
        daemon.stop()

        assert time.monotonic() - begun < 2
        assert store.db.execute("select count(*) from observations").fetchone() == (0,)


def test_a_day_that_is_over_is_moved_while_nothing_is_asked(tmp_path: Path) -> None:
    config = configured(tmp_path, 1)
    with Store(config.database) as store:
        daemon = Watch(config, store, Engine(), lambda: datetime.now(UTC), every=10_000)
        with daemon.traffic.stopped():
            daemon.tick()
            assert store.db.execute("select count(*) from observations").fetchone() == (0,)
        from uplog.collector.cycle import discover

        discover(config, store, datetime.now(UTC), daemon.find, daemon.pace)
        daemon.tick()
        assert store.db.execute("select count(*) from observations").fetchone() == (1,)
        daemon.tidy()


# As a process


def started(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    toml = '[[service]]\nname = "web"\nurl = "http://127.0.0.1:1/"\nevery = "10s"\n'
    (tmp_path / "uplog.toml").write_text(toml)
    return subprocess.Popen(
        [sys.executable, "-m", "uplog.collector", *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
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


def test_sigterm_ends_the_daemon_within_five_seconds(tmp_path: Path) -> None:
    with started(tmp_path, "watch") as daemon:
        until(lambda: observed(tmp_path) > 0)
        begun = time.monotonic()
        daemon.send_signal(signal.SIGTERM)

        assert daemon.wait(15) == 0
        assert time.monotonic() - begun < 5


def test_a_cron_run_beside_the_daemon_says_so_and_does_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "watch") as daemon:
        until(lambda: observed(tmp_path) > 0)
        with started(tmp_path, "run", "--no-build") as other:
            _, said = other.communicate(timeout=15)
        daemon.send_signal(signal.SIGTERM)
        daemon.wait(15)

    assert other.returncode == 0
    assert "another uplog is asking" in said
    db = sqlite3.connect(tmp_path / "data/uplog.db")
    assert db.execute("select kind from events").fetchall() == [("skipped",)]
    db.close()
