"""The supervisor, over real processes. `supervise` runs it in a process of its own, since it owns the signals."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from helpers import free_port

from uplog.collector.up import Child, Supervised, taken_port, tend

pytestmark = pytest.mark.integration

SUPERVISOR = """
import json, sys
from uplog.collector.up import Child, up
events = open(sys.argv[2], "a", buffering=1)
sys.exit(up([Child(**child) for child in json.loads(sys.argv[1])], record_event=lambda *event: print(*event, file=events)))
"""
SLEEPER = "import sys, time; open(sys.argv[1], 'a').write('started\\n'); time.sleep(100)"
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {grandchild.pid}")
time.sleep(100)
"""
TELLS_ITS_SIGNAL = """
import signal, sys, time
def handler(number, frame):
    open(sys.argv[1], "a").write(signal.Signals(number).name)
    sys.exit()
signal.signal(signal.SIGTERM, handler)
signal.signal(signal.SIGINT, handler)
open(sys.argv[1], "a").write("ready ")
time.sleep(100)
"""
HALF_A_SECOND_LATE = """
import http.server, sys, time
time.sleep(0.5)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
Supervise = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    started: list[subprocess.Popen[str]] = []

    def start(*children: dict[str, object], prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*prefix, sys.executable, "-c", SUPERVISOR, json.dumps(children), str(tmp_path / "events")],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]


def until(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Wait until *condition* holds; say whether it did."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def content(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def alive(pid: int) -> bool:
    """Tell whether the process *pid* still runs; a zombie that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_ends_is_started_again_and_recorded(supervise: Supervise, tmp_path: Path) -> None:
    supervise({"name": "watch", "argv": python("open('runs', 'a').write('x'); raise SystemExit(3)")})
    assert until(lambda: content(tmp_path / "runs") == "xx")
    assert content(tmp_path / "events").startswith("restart watch ended with exit code 3; started again in 1 s\n")


def test_the_second_restart_waits_twice_as_long_until_a_minute() -> None:
    one, events = Supervised(Child(name="watch", argv=["false"])), []
    for _ in range(8):
        tend(one, one.due, lambda kind, detail: events.append(detail))
        assert one.process is not None
        one.process.wait()
        tend(one, one.due, lambda kind, detail: events.append(detail))

    assert [int(event.split()[-2]) for event in events] == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_minute_alive_earns_the_first_delay_again() -> None:
    one = Supervised(Child(name="watch", argv=["false"]), delay=32)
    tend(one, 1000, lambda *_: None)
    assert one.process is not None
    one.process.wait()
    tend(one, 1061, lambda *_: None)

    assert one.due == 1062


def test_an_event_that_cannot_be_stored_does_not_end_the_supervision() -> None:
    def locked(kind: str, detail: str) -> None:
        raise OSError("database is locked")

    one = Supervised(Child(name="watch", argv=["false"]))
    tend(one, 0, locked)
    assert one.process is not None
    one.process.wait()
    tend(one, 0.1, locked)

    assert one.due == pytest.approx(1.1)


def test_sigterm_stops_all_at_once(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise(
        {"name": "one", "argv": python(SLEEPER, "one")}, {"name": "two", "argv": python(SLEEPER, "two")}
    )
    assert until(lambda: content(tmp_path / "one") and content(tmp_path / "two"))
    began = time.monotonic()
    process.terminate()
    assert process.wait(60) == 0
    assert time.monotonic() - began < 9.5, "nobody had to be killed, which is done after ten seconds"
    assert content(tmp_path / "events") == ""


def test_ctrl_c_reaches_the_children_as_one_sigterm(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise({"name": "one", "argv": python(TELLS_ITS_SIGNAL, "one")})
    assert until(lambda: content(tmp_path / "one"))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    assert process.wait(60) == 0
    assert content(tmp_path / "one") == "ready SIGTERM"


def test_a_closed_terminal_stops_all_unless_nohup_was_asked_for(supervise: Supervise, tmp_path: Path) -> None:
    # the tests themselves may have been started by nohup, which children inherit
    plain = supervise({"name": "one", "argv": python(SLEEPER, "one")}, prefix=["env", "--default-signal=HUP"])
    nohup = supervise({"name": "two", "argv": python(SLEEPER, "two")}, prefix=["nohup"])
    assert until(lambda: content(tmp_path / "one") and content(tmp_path / "two"))
    for process in (plain, nohup):
        process.send_signal(signal.SIGHUP)
    assert plain.wait(60) == 0
    with pytest.raises(subprocess.TimeoutExpired):
        nohup.wait(0.5)


@pytest.mark.slow
def test_a_child_that_ignores_sigterm_is_killed_with_its_own_children(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise({"name": "one", "argv": python(STUBBORN, "pids")})
    assert until(lambda: len(content(tmp_path / "pids").split()) == 2)
    began = time.monotonic()
    process.terminate()
    assert process.wait(60) == 0
    assert 10 <= time.monotonic() - began < 40, "they would have slept for 100"
    assert until(lambda: not any(alive(int(pid)) for pid in content(tmp_path / "pids").split()))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_no_child_outlives_a_supervisor_that_was_killed(supervise: Supervise, tmp_path: Path) -> None:
    process = supervise({"name": "one", "argv": python(STUBBORN, "pids")})
    assert until(lambda: len(content(tmp_path / "pids").split()) == 2)
    child, grandchild = map(int, content(tmp_path / "pids").split())
    process.kill()
    gone = until(lambda: not alive(child))
    os.kill(grandchild, signal.SIGKILL)
    assert gone


def test_the_addresses_are_printed_once_when_both_answer(supervise: Supervise) -> None:
    page, query = free_port(), free_port()
    process = supervise(
        {"name": "page", "argv": python(HALF_A_SECOND_LATE, page), "port": page, "title": "page"},
        {"name": "query", "argv": python(HALF_A_SECOND_LATE, query), "port": query, "title": "Datasette"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.terminate()
    rest = process.stdout.read()

    assert line == f"uplog: page http://127.0.0.1:{page}/  Datasette http://127.0.0.1:{query}/  (Ctrl-C stops)\n"
    assert rest == ""


def test_a_port_in_use_stops_the_start_and_names_the_variable(supervise: Supervise, tmp_path: Path) -> None:
    with closing(socket.create_server(("", 0))) as taken:
        port = taken.getsockname()[1]
        process = supervise(
            {"name": "page", "argv": python(SLEEPER, "one"), "port": port, "port_variable": "UPLOG_PORT"}
        )
        _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (1, f"uplog: port {port} is in use; set UPLOG_PORT to another one\n")
    assert not (tmp_path / "one").exists()


def test_one_port_cannot_serve_two_children() -> None:
    port = free_port()
    one = Child(name="page", argv=[], port=port, port_variable="UPLOG_PORT")
    two = Child(name="query", argv=[], port=port, port_variable="UPLOG_QUERY_PORT")
    assert taken_port([one, two]) == f"port {port} is in use; set UPLOG_QUERY_PORT to another one"
