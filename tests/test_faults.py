"""What must not be lost, and what must not be half written: a run that is killed, or told to stop, at any moment."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from aiohttp import web
from test_accounting import dump
from test_cycle import serving

from uplog.collector.store import Store, upkeep

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SERVICES = 30


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Begin a run over services that answer after a moment, or not within their time."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.05 if request.path != "/hangs" else 5)
        return web.Response(text="ok", status=500 if request.path.endswith("7") else 200)

    with serving(answer) as port:

        def start(*paths: str) -> "subprocess.Popen[str]":
            services = [
                f'[[service]]\nname = "s{p}"\nurl = "http://127.0.0.1:{port}/{p}"\ntimeout = "9s"\n' for p in paths
            ]
            (tmp_path / "uplog.toml").write_text("".join(services))
            command = [sys.executable, "-m", "uplog.collector", "run", "--every", "1s", "--no-build"]
            return subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        yield start


def asked(path: Path) -> tuple[int, int, str]:
    """Return the rows of history, the answers that the runs say they recorded, and what an integrity check says."""
    db = sqlite3.connect(path)
    try:
        rows = db.execute("select count(*) from observations").fetchone()[0]
        counted = db.execute("select ifnull(sum(observed), 0) from runs").fetchone()[0]
        return rows, counted, db.execute("pragma integrity_check").fetchone()[0]
    finally:
        db.close()


def test_a_run_that_is_killed_at_any_moment_leaves_whole_cycles_only(
    tmp_path: Path, started: Callable[..., "subprocess.Popen[str]"]
) -> None:
    chance = Random(20261121)
    paths = [str(n) for n in range(SERVICES)]
    with started(*paths) as first:
        first.communicate(timeout=30)
    for _ in range(12):
        with started(*paths) as process:
            time.sleep(chance.uniform(0.2, 1.2))
            process.kill()
            process.wait(10)
        rows, counted, integrity = asked(tmp_path / "data/uplog.db")
        assert integrity == "ok"
        assert rows == counted
    with started(*paths) as last:
        last.communicate(timeout=30)

    assert last.returncode == 0, "no lock is left behind"
    with Store(tmp_path / "data/uplog.db") as store:
        with store.writing() as db:
            upkeep.move_days(db)
        before = dump(store)
        with store.writing() as db:
            upkeep.rebuild(db, store.zone)
        assert dump(store) == before


def test_a_run_that_is_told_to_stop_while_it_asks_writes_nothing_and_says_so(
    tmp_path: Path, started: Callable[..., "subprocess.Popen[str]"]
) -> None:
    with started("1", "hangs") as process:
        time.sleep(1.5)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=15)

    assert time.monotonic() - begun < 5
    assert process.returncode == 1
    assert said == "uplog: stopped before all answers were there; nothing of them is recorded\n"
    assert asked(tmp_path / "data/uplog.db") == (0, 0, "ok")
