"""Asking at the limits of a machine: few files, many cycles, no route."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from helpers import a_check
from helpers_faults import FaultProxy, abort, saying, serving

from uplog.collector.config import parse
from uplog.collector.cycle import cycle
from uplog.collector.model import Outcome, Standing, State, to_ms
from uplog.collector.observe import Local, utc_now
from uplog.collector.planning import Pace, plan
from uplog.collector.store import Store

pytestmark = pytest.mark.integration

OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

FEW_FILES = """
import resource, sys
from collections import Counter
from uplog.collector.observe import Local
from uplog.collector.model import Check
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
port = sys.argv[1]
checks = [Check(key=str(n), service="s", kind="http", target=f"http://127.0.0.1:{port}/", timeout=10_000) for n in range(500)]
print(dict(Counter(str(a.reason) for a in Local(concurrency=400)(checks))))
"""


@pytest.mark.slow
def test_500_targets_with_128_files_give_no_error_of_our_own():
    async def half_a_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await OK(reader, writer)

    async def scenario() -> tuple[bytes, bytes]:
        async with serving(half_a_second) as port:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", FEW_FILES, str(port), stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            return await asyncio.wait_for(process.communicate(), 200)

    assert asyncio.run(scenario()) == (b"{'None': 500}\n", b"")


CYCLES = 1_000
EACH_CYCLE = """
import os, sys, threading
from uplog.collector.observe import Local
from uplog.collector.model import Check
cycles, *ports = sys.argv[1:]
asked = [Check(key=p, service="s", kind="http", target=f"http://localhost:{p}/", timeout=10) for p in ports]
asked += [Check(key=f"t{p}", service="s", kind="tcp", target=f"localhost:{p}", timeout=10) for p in ports]
ask = Local()
for cycle in range(int(cycles)):
    reasons = {str(answer.reason) for answer in ask(asked)}
    with open("/proc/self/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    print(len(os.listdir("/proc/self/fd")), threading.active_count(), resident, *reasons)
"""


@pytest.mark.slow
def test_files_threads_and_memory_stay_flat_over_a_thousand_cycles():
    """In a process of its own: what else this one does would count."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        abort(writer)

    async def scenario() -> bytes:
        async with serving(OK) as good, serving(reset) as bad, FaultProxy(0) as silent:
            silent.hang = True
            ports = [str(port) for port in (good, bad, silent.port, 1)]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", EACH_CYCLE, str(CYCLES), *ports, stdout=subprocess.PIPE
            )
            return (await asyncio.wait_for(process.communicate(), 300))[0]

    rows = [line.split() for line in asyncio.run(scenario()).decode().splitlines()]

    assert len(rows) == CYCLES
    assert {reason for row in rows for reason in row[3:]} >= {"None", "reset", "timeout", "refused"}
    files, threads, memory = zip(*[map(int, row[:3]) for row in rows[CYCLES // 10 :]], strict=True)
    # what looks up names, a thread and a file for each of eight checks at the most, may still do so on a busy machine
    assert max(threads) - min(threads) <= 8
    assert max(files) - min(files) < 20
    assert max(memory) - memory[0] < 4_096


# Many services at once


SERVICES = 5_000


@pytest.mark.slow
def test_all_first_checks_of_5000_services_are_asked_within_their_interval(tmp_path):
    """A run asks all of them at once; so does watch what was never asked, which test_watch shows."""
    begun = datetime.now(UTC)
    with serving_apart() as port:
        services = [{"name": f"s{n}", "url": f"http://127.0.0.1:{port}/{n}"} for n in range(SERVICES)]
        config = parse({"uplog": {"database": "uplog.db"}, "service": services}, folder=tmp_path)
        with Store(config.database) as store:
            report = cycle(config, store, Local(), utc_now)
            with store.reading() as db:
                [last] = db.execute("select max(at_ms) from observations where outcome = 'pass'").fetchone()
                [passed] = db.execute("select count(*) from observations where outcome = 'pass'").fetchone()

    assert (report.observed, passed) == (SERVICES, SERVICES)
    assert last - to_ms(begun) < config.defaults.every


@pytest.mark.unit
@pytest.mark.parametrize("seconds_before", [1, 59, 61, 3_600])
def test_after_a_restart_every_check_is_due_within_its_interval(seconds_before):
    """However long watch was away: what missed its slot is due at once, the rest at its phase."""
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    before = now - timedelta(seconds=seconds_before)
    standing = Standing(
        state=State.UP, reason=None, since=before, last=before, every=60_000, took=1, outcome=Outcome.PASS, asked=before
    )
    known = [(a_check(key=f"config//s{n}/http/"), standing) for n in range(SERVICES)]
    pace = Pace(every=60_000, spread=True)
    due = {one.check.key for one in plan(known, now, pace).due}
    in_time = {one.check.key for one in plan(known, now + timedelta(minutes=1), pace).due}

    assert len(in_time) == SERVICES
    assert len(due) == SERVICES if seconds_before > 60 else len(due) < SERVICES


@contextmanager
def serving_apart() -> Iterator[int]:
    """Serve HTTP from a process of its own, which takes no time from the one that asks."""
    with subprocess.Popen([sys.executable, "-c", APART], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


APART = """
import asyncio
class Ok(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
async def main():
    server = await asyncio.get_running_loop().create_server(Ok, "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


# No way out


NO_WAY_OUT = """
import json, sys
from uplog.collector.judge import guard, verdict
from uplog.collector.model import Check
from uplog.collector.observe import Local
from uplog.collector.probes import lookup
lookup.RESOLV_CONF = sys.argv[1]
targets = ["http://192.0.2.1/", "http://[2001:db8::1]/", "tcp://192.0.2.1:80", "http://web.example/", "http://127.0.0.1:1/"]
checks = [Check(key=t, service=t, kind=t.partition(":")[0], target=t) for t in targets]
answers = Local()(checks)
print(json.dumps([[a.reason, a.no_route, v.reason] for a, v in zip(answers, guard([(a, verdict(a)) for a in answers], []))]))
"""


def test_a_machine_without_a_route_blames_nobody_else(tmp_path):
    if os.geteuid() != 0 or not shutil.which("unshare"):
        assert os.environ.get("CI") != "true", "root and unshare (util-linux) are needed"
        pytest.skip("needs root and unshare (util-linux)")
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.53\n")
    script = f'ip link set lo up && exec "$@" {tmp_path}/resolv.conf'
    command = ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-c", NO_WAY_OUT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)

    assert json.loads(done.stdout) == [
        ["unreachable", True, "monitor_offline"],
        ["unreachable", True, "monitor_offline"],
        ["unreachable", True, "monitor_offline"],
        ["dns", True, "monitor_offline"],
        ["refused", False, "refused"],
    ]
