"""How long `uplog build` takes for 1,000 services and 90 days, and a cold `uplog run` of 100 healthy services.

    python tests/bench/bench_build.py [services]

Both are measured as the operator sees them: whole processes, from start to exit. The references are `python -c pass`,
for the run the imports of aiohttp and jinja2 alone, for the build the same bytes written plainly.
"""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from random import Random
from threading import Thread

from aiohttp import web

from uplog.collector.config import load
from uplog.collector.garbage import COLLECT_PAGES_AFTER, seldom_collecting
from uplog.collector.importing.past import Past
from uplog.collector.model import Check, Outcome, Reason
from uplog.collector.store import Store
from uplog.collector.store.old import KIND, keep_past
from uplog.collector.store.read import history_at, newest_seen
from uplog.site.build import as_of
from uplog.site.render import overview
from uplog.site.view import page

EVERY = timedelta(hours=1)
DAYS = 90


def timed(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Run a command; return its wall and processor seconds, and the MiB that it took at most."""
    begun = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begun
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command)
    return {
        "wall_s": round(wall, 2),
        "processor_s": round(used.ru_utime + used.ru_stime, 2),
        "MiB": used.ru_maxrss >> 10,
    }


def past(name: str, chance: Random, now: datetime) -> list[Past]:
    """Make up the history of one service: an outage of an hour or more every two weeks or so, and of late all is well.

    It was asked each hour, and of late, which is what is read answer by answer, each minute.
    """
    rows = []
    down = 0
    for hour in range(DAYS * 24, 3, -1):
        down = max(0, down - 1) or (chance.randint(3, 6) if hour > 9 and chance.random() < 0.003 else 0)
        outcome, reason = (Outcome.FAIL, Reason.TIMEOUT) if down else (Outcome.PASS, None)
        rows.append(
            Past(service=name, at=now - hour * EVERY, outcome=outcome, took=chance.randint(20, 90), reason=reason)
        )
    return [*rows, *(answer(name, now, -minute, chance.randint(20, 90)) for minute in range(120, -1, -1))]


def answer(name: str, now: datetime, minutes: int, took: int = 50, reason: Reason | None = None) -> Past:
    """Make up one answer, some minutes after the first build."""
    at = now - EVERY + timedelta(minutes=minutes)
    return Past(service=name, at=at, outcome=Outcome.FAIL if reason else Outcome.PASS, took=took, reason=reason)


def later(name: str, now: datetime, down: str) -> list[Past]:
    """Make up the answers of three minutes after the first build, in which one service goes *down*."""
    return [answer(name, now, minute, reason=Reason.TIMEOUT if name == down else None) for minute in (1, 2, 3)]


def bring(folder: Path, rows: Mapping[str, Sequence[Past]], now: datetime) -> None:
    """Write what services answered into the record in *folder*."""
    template = Check(key="", service="", kind=KIND, target="", every=3_600_000, declared_every=3_600_000)
    with Store(folder / "data/uplog.db") as store, store.writing() as db:
        keep_past(db, rows, template, now, UTC)
    time.sleep(1)  # what changed just now is told by no stamp


def fill(folder: Path, names: Sequence[str], now: datetime) -> None:
    """Make up the history of some services."""
    chance = Random(1)
    bring(folder, {name: past(name, chance, now) for name in names}, now)


def building(folder: Path, services: int) -> Iterator[tuple[str, object]]:
    """Fill a record and build its pages: all, then again with nothing changed, and with some."""
    now = datetime.now(UTC)
    names = [f"service {n}" for n in range(services)]

    # in a process of its own: what a child took at most is never less than what its parent takes
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        other.submit(fill, folder, names, now).result()
    build = [sys.executable, "-m", "uplog.collector", "build", "--audience", "public"]
    yield "first", timed(build, folder)
    yield "nothing changed", timed(build, folder)
    subprocess.run([*build[:3], "rename", names[0], "another name"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    time.sleep(1)
    yield "one service renamed", timed(build, folder)
    bring(folder, {name: later(name, now, names[1]) for name in names}, now)
    yield "one service answered, and is down", timed(build, folder)
    bring(folder, {name: [answer(name, now, 4)] for name in names}, now)
    yield "all services answered, and one is up again", timed(build, folder)
    written = {path: path.read_bytes() for path in (folder / "public").rglob("*") if path.is_file()}
    index = (folder / "public/index.html").read_bytes()
    yield "files", {"count": len(written), "bytes": sum(map(len, written.values()))}
    yield "index", {"bytes": len(index), "gzip": len(gzip.compress(index))}
    yield "these bytes written plainly, and the disk flushed", plainly(written, folder)


def plainly(files: Mapping[Path, bytes], folder: Path) -> dict[str, float]:
    """Write *files* into another folder with nothing but write_bytes; return the wall seconds."""
    begun = time.perf_counter()
    for path, content in files.items():
        there = folder / "plain" / path.relative_to(folder)
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_bytes(content)
    wrote = time.perf_counter() - begun
    os.sync()
    return {"written_s": round(wrote, 2), "flushed_s": round(time.perf_counter() - begun, 2)}


@seldom_collecting(COLLECT_PAGES_AFTER)  # as a build does
def until_the_index(folder: Path) -> dict[str, float]:
    """Make what a visitor sees first, index.html, status.json and status.txt, and nothing else; return wall seconds."""
    config = load(None, {"UPLOG__UPLOG__DATABASE": str(folder / "data/uplog.db")})
    begun = time.perf_counter()
    with Store(config.database, readonly=True) as store, store.reading() as db:
        history = history_at(db, as_of(*newest_seen(db), datetime.now(UTC)))
    read = time.perf_counter()
    seen = page(history, zone=config.timezone, audience="public")
    viewed = time.perf_counter()
    overview(seen)
    whole = time.perf_counter()
    times = {"read_s": read - begun, "viewed_s": viewed - read, "rendered_s": whole - viewed, "all_s": whole - begun}
    return {name: round(seconds, 2) for name, seconds in times.items()}


def running(folder: Path, services: int) -> dict[str, object]:
    """Run cold over healthy services that answer at once."""
    loop = asyncio.new_event_loop()

    async def start() -> int:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(text="ok")

        app = web.Application()
        app.router.add_get("/{tail:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    Thread(target=loop.run_forever, daemon=True).start()
    (folder / "uplog.toml").write_text(
        "".join(f'[[service]]\nname = "s{n}"\nurl = "http://127.0.0.1:{port}/{n}"\n' for n in range(services))
    )
    run = [sys.executable, "-m", "uplog.collector", "run"]
    figures = {"first": timed(run, folder), "second": timed(run, folder)}
    loop.call_soon_threadsafe(loop.stop)
    return figures


def main() -> None:
    services = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        python = timed([sys.executable, "-c", "pass"], Path(one))
        imports = timed([sys.executable, "-c", "import aiohttp, jinja2, click, msgspec"], Path(one))
        print(json.dumps({"python": python, "imports": imports}))
        print(json.dumps({f"run of 100, {k}": v for k, v in running(Path(two), 100).items()}))
        for name, figures in building(Path(one), services):
            print(json.dumps({f"build of {services}, {name}": figures}))
        print(json.dumps({"only what a visitor sees first, without the imports": until_the_index(Path(one))}))


if __name__ == "__main__":
    main()
