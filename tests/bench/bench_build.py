"""How long `uplog build` takes for 1,000 services and 90 days, and a cold `uplog run` of 100 healthy services.

    python tests/bench/bench_build.py [services]

Both are measured as the operator sees them: whole processes, from start to exit. The reference is `python -c pass`
and, for the run, the imports of aiohttp and jinja2 alone.
"""

import asyncio
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Thread

from aiohttp import web

from uplog.collector.importing.past import Past
from uplog.collector.model import Check, Outcome, Reason
from uplog.collector.store import Store
from uplog.collector.store.old import KIND, keep_past

EVERY = timedelta(hours=1)
DAYS = 90


def timed(command: Sequence[str], folder: Path) -> dict[str, float]:
    """Run a command; return its wall and processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 2), "processor_s": round(spent, 2)}


def past(name: str, chance: Random, now: datetime) -> list[Past]:
    """Make up the history of one service: an outage of an hour or more every two weeks or so."""
    rows = []
    down = 0
    for hour in range(DAYS * 24, 0, -1):
        down = max(0, down - 1) or (chance.randint(3, 6) if chance.random() < 0.003 else 0)
        outcome, reason = (Outcome.FAIL, Reason.TIMEOUT) if down else (Outcome.PASS, None)
        rows.append(
            Past(service=name, at=now - hour * EVERY, outcome=outcome, took=chance.randint(20, 90), reason=reason)
        )
    return rows


def building(folder: Path, services: int) -> dict[str, object]:
    """Fill a record and build its pages: all, then again with nothing changed."""
    now = datetime.now(UTC)
    template = Check(key="", service="", kind=KIND, target="", every=3_600_000, declared_every=3_600_000)
    chance = Random(1)
    with Store(folder / "data/uplog.db") as store, store.writing() as db:
        keep_past(db, {f"service {n}": past(f"service {n}", chance, now) for n in range(services)}, template, now, UTC)
    build = [sys.executable, "-m", "uplog.collector", "build", "--audience", "public"]
    figures: dict[str, object] = {"first": timed(build, folder), "nothing_changed": timed(build, folder)}
    index = (folder / "public/index.html").read_bytes()
    return {**figures, "index_bytes": len(index), "index_gzip": len(gzip.compress(index))}


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
        print(json.dumps({f"build of {services}, {k}": v for k, v in building(Path(one), services).items()}))


if __name__ == "__main__":
    main()
