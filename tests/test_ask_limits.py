"""Asking at the limits of a machine: few files, many cycles, no route."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading

import pytest
from helpers import a_check
from helpers_faults import FaultProxy, abort, saying, serving

from uplog.collector.observe import Local

pytestmark = pytest.mark.integration

OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

FEW_FILES = """
import resource, sys
from collections import Counter
from uplog.collector.observe import Local
from uplog.collector.model import Check
resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
port = sys.argv[1]
checks = [Check(key=str(n), service="s", kind="http", target=f"http://127.0.0.1:{port}/", timeout=2000) for n in range(500)]
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
            return await asyncio.wait_for(process.communicate(), 60)

    assert asyncio.run(scenario()) == (b"{'None': 500}\n", b"")


@pytest.mark.slow
def test_files_and_threads_stay_flat_over_many_cycles():
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        abort(writer)

    async def scenario() -> tuple[set[tuple[int, int]], set[str]]:
        ask = Local()
        seen, reasons = set(), set()
        async with serving(OK) as good, serving(reset) as bad, FaultProxy(0) as silent:
            silent.hang = True
            ports = [good, good, bad, silent.port, 1]
            asked = [a_check(key=str(p), target=f"http://localhost:{p}/", timeout=20) for p in ports]
            asked += [a_check(kind="tcp", target=f"localhost:{p}", timeout=20) for p in ports]
            for cycle in range(300):
                reasons |= {str(answer.reason) for answer in await asyncio.to_thread(ask, asked)}
                if cycle > 20:
                    await asyncio.sleep(0.005)  # the servers, which run here too, see their ends
                    seen.add((len(os.listdir("/proc/self/fd")), threading.active_count()))
        return seen, reasons

    seen, reasons = asyncio.run(scenario())

    assert {"None", "reset", "timeout", "refused"} <= reasons
    files, threads = [files for files, _ in seen], [threads for _, threads in seen]
    assert max(files) - min(files) < 10
    assert max(threads) - min(threads) <= 2


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
