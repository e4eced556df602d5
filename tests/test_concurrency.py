"""Several at work on one record: runs, a daemon, commands that write, and readers who take their time."""

import asyncio
import itertools
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM
from threading import Event, Thread
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from helpers import free_port
from test_cycle import serving

pytestmark = [pytest.mark.integration, pytest.mark.slow]

UPLOG = [sys.executable, "-m", "uplog.collector"]
LOCKED = ("locked", "SQLITE_BUSY")
SLOW = "select count(*) from observations a join observations b on a.latency_ms <= b.latency_ms"  # till it is stopped
QUESTIONS = (
    SLOW,
    "select * from uptime",
    "select * from uptime_daily",
    "select service, count(*) from observations group by 1",
    "select * from spans order by started_s desc limit 100",
)


@dataclass
class World:
    """A folder with a configuration, and the requests that its services got."""

    folder: Path
    requests: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.database = self.folder / "data/uplog.db"

    def start(self, *words: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*UPLOG, *words], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def said(self, *words: str) -> tuple[int, str]:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=120)
        return process.returncode, out + err

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.database)) as db:
            return db.execute(question).fetchall()

    @contextmanager
    def watching(self) -> Iterator[Path]:
        """Let `uplog watch` run; gives the file that it writes its log to."""
        log = self.folder / "watch.log"
        with log.open("w") as output:
            process = subprocess.Popen([*UPLOG, "watch"], cwd=self.folder, stdout=output, stderr=output)
        try:
            until(lambda: self.database.exists() and self.ask("select 1 from sqlite_schema where name = 'runs'"))
            until(lambda: self.ask("select 1 from observations limit 1"))
            yield log
            assert process.poll() is None, log.read_text()
        finally:
            process.send_signal(SIGTERM)
            assert process.wait(60) == 0


def until(come: Callable[[], object], seconds: float = 90) -> None:
    """Wait until something has come."""
    end = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@contextmanager
def world(folder: Path, services: int, *, free: Event | None = None, every: int = 10) -> Iterator[World]:
    """Serve *services* that answer soon, or as soon as they are set *free*, and configure them; *every* is seconds."""
    made = World(folder)

    async def answer(request: web.Request) -> web.Response:
        made.requests[request.path] += 1
        await asyncio.sleep(0.005)
        while free and not free.is_set():
            await asyncio.sleep(0.05)
        return web.Response(text="ok")

    with serving(answer) as port:
        text = [
            f'[[service]]\nname = "s{n}"\nurl = "http://127.0.0.1:{port}/{n}"\ntimeout = "{every - 1}s"\n'
            for n in range(services)
        ]
        (folder / "uplog.toml").write_text("".join([f'[defaults]\nevery = "{every}s"\n', *text]))
        yield made


def test_the_second_of_two_runs_at_once_says_so_and_asks_nothing(tmp_path: Path) -> None:
    free = Event()
    with world(tmp_path, 5, free=free, every=120) as made, made.start("run") as first:
        until(lambda: made.requests)
        code, said = made.said("run")
        free.set()
        first.communicate(timeout=60)

        assert (code, first.returncode) == (0, 0)
        assert "another uplog is asking" in said
        assert "this run did nothing" in said
        assert made.ask("select kind, count(*) from events group by 1") == [("skipped", 1)]
        assert made.ask("select observed from runs") == [(5,)]
        assert made.ask("select service, count(*) from observations group by 1") == [
            (f"config//s{n}", 1) for n in range(5)
        ]
        assert made.requests == {f"/{n}": 1 for n in range(5)}


def test_runs_beside_a_daemon_do_nothing_and_say_so(tmp_path: Path) -> None:
    with world(tmp_path, 5) as made:
        with made.watching():
            both = [made.start("run", "--every", "10s") for _ in range(3)]
            said = [process.communicate(timeout=60)[1] for process in both]
            code, second = made.said("watch")
        rows = made.ask("select check_key, at_ms from observations order by 1, 2")

        assert [process.returncode for process in both] == [0, 0, 0]
        assert all("another uplog is asking" in one for one in said)
        assert code == 1
        assert "another uplog is asking" in second
        assert made.ask("select kind, count(*) from events group by 1") == [("skipped", 3)]
        assert made.ask("select distinct trigger from runs") == [("watch",)]
        slots = (max(at for _, at in rows) - min(at for _, at in rows)) // 10_000 + 2
        assert max(Counter(check for check, _ in rows).values()) <= slots, "asked by one only"


# Readers and writers


@dataclass
class Measured:
    """What was seen while everybody was at work."""

    answers: Counter[str] = field(default_factory=Counter)  # of Datasette
    commands: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    wal: list[int] = field(default_factory=list)  # bytes, a figure a second

    def check(self, said: str) -> None:
        if any(word in said for word in LOCKED):
            self.wrong.append(said)


async def read(port: int, number: int, end: float, measured: Measured) -> None:
    """Ask Datasette one slow question after the other, as one of its clients."""
    questions = itertools.islice(itertools.cycle(QUESTIONS), number, None)
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < end:
            url = f"http://127.0.0.1:{port}/uplog.json"
            async with session.get(url, params={"sql": next(questions), "_shape": "array"}) as response:
                body = await response.text()
            stopped = "Interrupted" in body  # after a second, as configured
            measured.answers["stopped" if stopped else str(response.status)] += 1
            if not stopped and response.status != 200:
                measured.wrong.append(body)
            measured.check(body)


def write(made: World, end: float, measured: Measured) -> None:
    """Run one command that writes after the other, each of them once at least."""
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [f"old{n % 20},{(now - timedelta(days=3, minutes=n // 20)).isoformat()},up,12\n" for n in range(20_000)]
    (made.folder / "old.csv").write_text("service,at,state,latency_ms\n" + "".join(rows))
    commands = [
        ["pause", "s0", "--for", "5s"],
        ["import", "csv", "old.csv", "--every", "1m"],
        ["resume", "s0"],
        ["rename", "s1", "another"],
        ["correct", "old1", "--from", f"{now - timedelta(days=3, hours=2):%FT%TZ}",
         "--to", f"{now - timedelta(days=3, hours=1):%FT%TZ}", "--as", "down", "--why", "we know"],
        ["rename", "another", "s1"],
        ["build"],
        ["prune"],
    ]  # fmt: skip
    for number, words in enumerate(itertools.cycle(commands)):
        if number >= len(commands) and time.monotonic() > end:
            return
        code, said = made.said(*words)
        measured.commands[f"{words[0]} {code}"] += 1
        measured.check(said)
        if code:
            measured.wrong.append(f"{words}: {said}")


def weigh(made: World, end: float, measured: Measured) -> None:
    """Note the size of the write-ahead log each second."""
    wal = made.database.with_name("uplog.db-wal")
    while time.monotonic() < end:
        measured.wal.append(wal.stat().st_size if wal.exists() else 0)
        time.sleep(1)


@contextmanager
def datasette(made: World) -> Iterator[int]:
    """Serve the record as `uplog up` does."""
    port = free_port()
    with (made.folder / "datasette.log").open("w") as log:
        words = [sys.executable, "-m", "uplog.collector.datasette", str(made.database), str(port)]
        process = subprocess.Popen(words, cwd=made.folder, stdout=log, stderr=log)
    try:
        until(lambda: "Uvicorn running" in (made.folder / "datasette.log").read_text())
        yield port
    finally:
        process.terminate()
        process.wait(60)


def test_readers_with_slow_questions_and_writers_hold_up_neither_the_daemon_nor_each_other(tmp_path: Path) -> None:
    measured = Measured()
    services, seconds = 200, 60
    with world(tmp_path, services) as made, made.watching() as log, datasette(made) as port:
        begun_ms = time.time() * 1000
        end = time.monotonic() + seconds
        beside = [Thread(target=work, args=(made, end, measured)) for work in (write, weigh)]
        for one in beside:
            one.start()

        async def everybody() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(20):
                    group.create_task(read(port, number, end, measured))

        asyncio.run(everybody())
        for one in beside:
            one.join()
        ended_ms = time.time() * 1000
        measured.check(log.read_text())
        measured.check((tmp_path / "datasette.log").read_text())
        events = made.ask("select kind, detail from events")
        late = made.ask(f"select max(late_ms), count(*) from runs where started_ms > {begun_ms}")[0]
        least = made.ask(
            f"""
            select min(rows), count(*) from (
                select check_key, count(*) as rows from observations
                where at_ms between {begun_ms} and {ended_ms} and service not like 'import%' and service <> 'config//s0'
                group by 1
            )
            """
        )[0]
        print(
            measured.answers,
            measured.commands,
            f"WAL {max(measured.wal) / 2**20:.1f} MiB",
            late,
            least,
            Counter(kind for kind, _ in events),
        )

    assert measured.wrong == []
    assert measured.answers["200"] > 20
    assert measured.answers["stopped"] > 10, "the questions are slow"
    assert measured.commands.total() >= 8
    assert max(measured.wal) < 64 << 20
    assert [
        one for one in events if one[0] in ("late", "missed", "overlapping", "job_failed", "not_written", "stopped")
    ] == []
    assert late[0] < 6_000  # ms; what runs beside the test on this machine is late, too
    rows, asked = least
    assert (rows >= int((ended_ms - begun_ms) / 10_000) - 1, asked) == (True, services - 1)  # one may be due at an edge
