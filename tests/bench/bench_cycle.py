"""How many checks a processor second asks, judges and records, beside a bare aiohttp loop on the same machine.

    python tests/bench/bench_cycle.py [hosts] [rounds]

Starts nginx in a network namespace of its own (root is needed), where every address of 127.0.0.0/8 is a host. All of
them ask on uvloop where that is installed. The best of the rounds is told beside the middle one: on a machine that is
shared, others only ever take time away.
"""

import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from uplog.collector.config import parse
from uplog.collector.cycle import Ask, cycle, discover, find_now
from uplog.collector.garbage import seldom_collecting
from uplog.collector.judge import verdict
from uplog.collector.model import Check, Outcome
from uplog.collector.observe import Local, loop_factory
from uplog.collector.planning import Pace
from uplog.collector.store import Store

CONCURRENCY = 64
PORT = 8080
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{ listen {port} backlog=4096; location / {{ default_type application/json; return 200 '{{"status":"ok"}}'; }} }}
}}
"""


def hosts(count: int) -> list[str]:
    """Name *count* distinct hosts, all of them this machine."""
    return [f"http://127.{1 + n // 65536}.{n // 256 % 256}.{n % 256 or 1}:{PORT}/health?{n}" for n in range(count)]


def bare(urls: list[str]) -> int:
    """Ask all *urls* with what aiohttp itself takes: workers that pull, a new connection each; count the 200s."""

    async def ask() -> int:
        good = 0
        waiting = iter(urls)
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=2)) as session:

            async def work() -> None:
                nonlocal good
                for url in waiting:
                    async with session.get(url) as response:
                        await response.read()
                        good += response.status == 200

            await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        return good

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(ask())


def ours(urls: list[str]) -> int:
    """Ask and judge a check for each of *urls*; count the passes."""
    checks = [Check(key=f"config//{url}/http/", service=url, kind="http", target=url) for url in urls]
    with seldom_collecting():  # as a cycle does
        answers = Local(concurrency=CONCURRENCY)(checks)
    return sum(verdict(answer).outcome is Outcome.PASS for answer in answers)


class Whole:
    """Whole cycles, from the plan to the commit, over a record that has the services already."""

    def __init__(self, urls: list[str], folder: str, ask: Ask | None = None) -> None:
        services = [{"name": f"s{place}", "url": url} for place, url in enumerate(urls)]
        self.config = replace(parse({"service": services}, folder=Path(folder)), database=Path(folder, "uplog.db"))
        self.store = Store(self.config.database)
        self.now = datetime.now(UTC)
        self.ask = ask or Local(concurrency=CONCURRENCY, clock=lambda: self.now)
        discover(self.config, self.store, self.now, find_now, Pace())

    def __call__(self, urls: list[str]) -> int:
        """Run the next minute's cycle; count what it recorded."""
        self.now += timedelta(minutes=1)
        return cycle(self.config, self.store, self.ask, lambda: self.now).observed

    def failures(self) -> int:
        """Count what did not pass in all cycles."""
        return int(self.store.db.execute("select count(*) from observations where outcome <> 'pass'").fetchone()[0])


def per_second(ask: Callable[[list[str]], int], urls: list[str]) -> float:
    """Return how many of *urls* are asked in a second of this process's processor time."""
    start = time.process_time()
    good = ask(urls)
    took = time.process_time() - start
    assert good == len(urls), f"{len(urls) - good} of {len(urls)} did not pass"
    return len(urls) / took


def measure(count: int, rounds: int) -> dict[str, float]:
    """Run both, side by side, *rounds* times after a first one that does not count."""
    urls = hosts(count)
    figures: dict[str, list[float]] = {"bare": [], "asked": [], "cycle": []}
    with tempfile.TemporaryDirectory() as folder:
        whole = Whole(urls, folder)
        for _ in range(rounds + 1):
            figures["bare"].append(per_second(bare, urls))
            figures["asked"].append(per_second(ours, urls))
            figures["cycle"].append(per_second(whole, urls))
        failed = whole.failures()
        whole.store.close()
    assert failed == 0
    middle = {name: statistics.median(found[1:]) for name, found in figures.items()}
    best = {name: max(found[1:]) for name, found in figures.items()}
    return {
        **{name: round(found) for name, found in middle.items()},
        **{f"{name}_best": round(found) for name, found in best.items()},
        "asked_ratio": round(best["asked"] / best["bare"], 3),
        "cycle_ratio": round(best["cycle"] / best["bare"], 3),
    }


def inside() -> None:
    """Run this again in a network namespace of its own."""
    command = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv]
    sys.exit(subprocess.run(command, check=False, env={**os.environ, "UPLOG_BENCH_INSIDE": "1"}).returncode)


@contextmanager
def serving() -> Iterator[None]:
    """Have nginx answer for every host, in a network namespace of its own: that of a process begun by this one."""
    if "UPLOG_BENCH_INSIDE" not in os.environ:
        inside()
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if nginx is None:
        sys.exit("nginx is needed: apt-get install nginx-light")
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, "nginx.conf")
        conf.write_text(NGINX.format(folder=folder, port=PORT))
        server = subprocess.Popen([nginx, "-c", conf, "-e", f"{folder}/error.log"])
        try:
            time.sleep(0.5)
            yield
        finally:
            server.terminate()
            server.wait(10)


def main() -> None:
    count, rounds = map(int, (sys.argv[1:] + ["5000", "5"][len(sys.argv) - 1 :])[:2])
    with serving():
        print(json.dumps(measure(count, rounds)))


if __name__ == "__main__":
    main()
