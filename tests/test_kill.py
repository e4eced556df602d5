"""kill -9 at 200 random moments: whatever was being done, what is on disk is whole, and the next run goes on."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from helpers import saw
from helpers_trials import ASKED
from test_cycle import serving

from uplog.collector.config import load
from uplog.collector.cycle import discover
from uplog.collector.model import to_ms
from uplog.collector.planning import Pace
from uplog.collector.store import Store, catalog, record
from uplog.collector.store.derive import note

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SERVICES = 8
FOLDERS = 5  # for each command
TRIALS = 20  # in each of them
EVERY_MS = 1_200_000
DAYS = 2
OUTAGE_EVERY = 720  # minutes
STAGES = {"run": ("started", "found", "recorded", "page"), "watch": ("started", "found", "recorded")}


async def answer(request: web.Request) -> web.Response:
    """Answer after a moment, in which who asks may be killed; services fail by turns, each for a second of four."""
    (Path(request.path).parent / ASKED).touch()
    await asyncio.sleep(0.1)
    turn = int(request.path.rpartition("/")[2] or 0)
    return web.Response(status=500 if int(time.time() + turn) % 16 == 0 else 200, text="ok")


def prepare(folder: Path, port: int) -> None:
    """Write a configuration, and a record of two days that are over and not moved yet."""
    (folder / "template").mkdir(parents=True)
    services = [f'[[service]]\nname = "s{n}"\nurl = "http://127.0.0.1:{port}{folder}/{n}"\n' for n in range(SERVICES)]
    (folder / "uplog.toml").write_text("".join(["[defaults]\npublic = true\nfailure_threshold = 2\n\n", *services]))
    now = datetime.now(UTC)
    start = now - timedelta(days=DAYS)
    with Store(folder / "template/uplog.db") as store:
        discover(load(folder / "uplog.toml", {}), store, start, lambda *_: ([], {}), Pace())
        with store.reading() as db:
            checks = [replace(check, every=EVERY_MS) for check, _ in catalog.plannable(db, start)]
        for minute in range(0, DAYS * 1440, EVERY_MS // 60_000):
            at, sign = start + timedelta(minutes=minute), "-" if minute % OUTAGE_EVERY < 60 else "+"
            seen = [
                record.Seen(check=check, observation=next(saw(sign, check, at)))  # as a cycle would
                for check in checks
            ]
            with store.writing() as db:
                record.observed(db, seen, store.zone)
        with store.writing() as db:
            note(db, "template_ms", str(to_ms(now)))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """Kill both commands in all folders at the same time, since most of it is waiting; give what was found of each."""
    script = Path(__file__).with_name("helpers_trials.py")
    started: dict[str, list[subprocess.Popen[str]]] = {command: [] for command in STAGES}
    with serving(answer) as port:
        for command, (number, seed) in product(STAGES, enumerate(range(20261121, 20261121 + FOLDERS))):
            folder = tmp_path_factory.mktemp(f"{command}-{number}")
            prepare(folder, port)
            words = [sys.executable, str(script), command, str(folder), str(seed), str(TRIALS)]
            started[command].append(subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        said = {command: [one.communicate(timeout=500) for one in those] for command, those in started.items()}

    assert [one.returncode for those in started.values() for one in those] == [0] * 2 * FOLDERS, said
    return {command: [json.loads(output) for output, _ in those] for command, those in said.items()}


@pytest.mark.parametrize("command", STAGES)
def test_whatever_is_killed_at_any_moment_leaves_whole_things_only(
    told: dict[str, list[dict[str, Any]]], command: str
) -> None:
    found = told[command]
    killed = sum((Counter(one["killed"]) for one in found), Counter())

    assert [one["problems"] for one in found] == [[]] * FOLDERS
    assert [one["said"] for one in found] == [[]] * FOLDERS
    assert killed.total() == FOLDERS * TRIALS, killed
    assert min(killed[stage] for stage in STAGES[command]) > 0, killed
