"""`uplog check`: hints, the usual paths, and the gate that a pipeline waits at, with real servers and real signals."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from helpers import a_check, at, free_port
from test_cycle import serving

from uplog.collector import gate, planning
from uplog.collector.cli import cli
from uplog.collector.explain import Explained
from uplog.collector.model import Answer, Outcome, Reason, Role, Verdict

pytestmark = pytest.mark.unit

Uplog = Callable[..., Result]


@pytest.fixture
def uplog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uplog:
    """Run a command in a folder of its own; failures are confirmed soon."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "CONFIRM_AFTER", (200, 500))

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == code, result.output + repr(result.exception)
        return result

    return run


def configure(text: str) -> None:
    Path("uplog.toml").write_text(text)


def service(name: str, url: str, more: str = "") -> str:
    return f'[[service]]\nname = "{name}"\nurl = "{url}"\n{more}\n'


def told(result: Result) -> list[dict[str, Any]]:
    return list(json.loads(result.stdout)["checks"])


@contextmanager
def hanging() -> Iterator[socket.socket]:
    """Listen at a port, and never say anything."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(60)
        yield server


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


def at_path(codes: dict[str, int]) -> Callable[[web.Request], Any]:
    """Serve some paths, and 404 for all others."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=codes.get(request.path, 404), text="fine")

    return answer


# Hints


def test_a_service_that_is_down_comes_with_what_to_look_at(uplog: Uplog) -> None:
    port = free_port()
    configure(service("web", f"http://127.0.0.1:{port}/"))

    assert f"    try ss -tlnp | grep {port}  # nothing listens at port {port}" in uplog("check", code=1).output
    (one,) = told(uplog("check", "--json", code=1))
    assert [hint["command"] for hint in one["hints"]] == [f"ss -tlnp | grep {port}"]


def test_a_service_that_is_up_has_no_hints(uplog: Uplog) -> None:
    with serving(at_path({"/": 200})) as port:
        configure(service("web", f"http://127.0.0.1:{port}/"))

        assert "try" not in uplog("check").output
        assert told(uplog("check", "--json"))[0]["hints"] == []


def test_a_compose_service_is_looked_at_with_compose(uplog: Uplog) -> None:
    Path("docker-compose.yml").write_text(
        f'services:\n  web:\n    image: x\n    ports: ["{free_port()}:80"]\n    labels: {{uplog.path: /health}}\n'
    )
    configure("[discover.compose]\npaths = ['docker-compose.yml']\n")

    said = uplog("check", code=1).output

    assert "try docker compose -f docker-compose.yml logs --tail 50 web" in said
    assert "docker logs" not in said


def test_why_is_a_hint_of_check_only_where_there_is_a_record(uplog: Uplog) -> None:
    configure(service("web", f"http://127.0.0.1:{free_port()}/"))
    assert "uplog why" not in uplog("check", code=1).output
    uplog("run", "--no-build")
    assert "try uplog why web" in uplog("check", code=1).output


def test_hints_of_why_are_for_machines_too_and_none_are_for_what_is_up(uplog: Uplog) -> None:
    with serving(at_path({"/": 200})) as port:
        configure(service("good", f"http://127.0.0.1:{port}/") + service("bad", f"tcp://127.0.0.1:{free_port()}"))
        uplog("run", "--no-build")

    assert json.loads(uplog("why", "good", "--json").output)["hints"] == []
    (hint,) = json.loads(uplog("why", "bad", "--json").output)["hints"]
    assert hint["command"].startswith("ss -tlnp | grep ")


def test_a_paused_service_is_to_be_resumed(uplog: Uplog) -> None:
    configure(service("web", f"http://127.0.0.1:{free_port()}/"))
    uplog("run", "--no-build")
    uplog("pause", "web")

    assert "try uplog resume web  # an operator paused it" in uplog("why", "web").output


# The usual paths


def test_where_a_path_is_not_found_the_usual_ones_that_answer_are_named(uplog: Uplog) -> None:
    with serving(at_path({"/healthz": 200, "/ready": 503})) as port:
        configure(service("web", f"http://127.0.0.1:{port}/health?deep=1"))

        assert "    but there is /healthz (200), /ready (503)" in uplog("check", code=1).output
        (one,) = told(uplog("check", "--json", code=1))

    assert (one["state"], one["code"]) == ("down", 404)
    assert one["elsewhere"] == [{"path": "/healthz", "code": 200}, {"path": "/ready", "code": 503}]


def test_other_paths_are_asked_only_where_one_is_not_found(uplog: Uplog) -> None:
    asked = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=503 if request.path == "/live" else 404)

    with serving(answer) as port:
        live, gone = f"http://127.0.0.1:{port}/live", f"http://127.0.0.1:{port}/gone"
        configure(service("ill", live) + service("meant", gone, "expect = { status = [404] }"))
        uplog("check", code=1)
        uplog("run", "--no-build")

    assert sorted(set(asked)) == ["/gone", "/live"]


# The gate


def test_the_gate_opens_as_soon_as_all_is_up(uplog: Uplog) -> None:
    began = time.monotonic()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=200 if time.monotonic() - began > 2 else 503)

    with serving(answer) as port:
        configure(service("late", f"http://127.0.0.1:{port}/"))
        result = uplog("check", "--wait", "30s")

    assert 2 < time.monotonic() - began < 29
    assert "late  up" in result.stdout
    assert result.stderr == ""
    assert not Path("data").exists()


def test_the_gate_stays_shut_for_what_never_comes_up_and_says_what_to_look_at(uplog: Uplog) -> None:
    with serving(at_path({"/good": 200, "/bad": 503})) as port:
        good, bad = (f"http://127.0.0.1:{port}/{path}" for path in ("good", "bad"))
        configure(service("good", good) + service("bad", bad))
        began = time.monotonic()
        said = uplog("check", "--wait", "2s", code=1).output

    assert 2 <= time.monotonic() - began < 20
    assert "good  up" in said
    assert "bad  down  http_5xx" in said
    assert "    try uplog check bad --wait 5m  # it is slow to start: raise its grace (start_period" in said


def test_the_gate_waits_for_no_answer_beyond_its_deadline(uplog: Uplog) -> None:
    with hanging() as server:
        configure(service("hangs", f"http://127.0.0.1:{port_of(server)}/", 'timeout = "60s"\nevery = "2m"'))
        began = time.monotonic()
        said = uplog("check", "hangs", "--wait", "1500ms", code=1).output

    assert 1.4 <= time.monotonic() - began < 50
    assert "hangs  down  timeout" in said


def test_the_gate_waits_for_many_hanging_answers_no_longer_than_for_one(uplog: Uplog) -> None:
    with hanging() as server:
        many = "".join(service(f"s{n}", f"http://127.0.0.1:{port_of(server)}/{n}", 'timeout = "50s"') for n in range(6))
        configure(f"[uplog]\nconcurrency = 2\n{many}")
        began = time.monotonic()
        said = uplog("check", "--wait", "1s", code=1).output

    assert time.monotonic() - began < 40
    assert "time was up before all of it had answered" in said


def test_a_round_that_is_cut_off_leaves_what_the_one_before_it_said(uplog: Uplog) -> None:
    asked, ended = [], Event()

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        while len(asked) > 1 and not ended.is_set():
            await asyncio.sleep(0.02)
        return web.Response(status=503)

    with serving(answer) as port:
        configure(service("web", f"http://127.0.0.1:{port}/", 'timeout = "50s"'))
        (one,) = told(uplog("check", "--wait", "2s", "--json", code=1))
        ended.set()

    assert len(asked) == 2
    assert one["reason"] == "http_5xx"


def test_a_name_that_nobody_knows_is_an_error_at_once(uplog: Uplog) -> None:
    configure(service("web", f"http://127.0.0.1:{free_port()}/"))
    began = time.monotonic()

    assert "there is no such service to ask; did you mean web?" in uplog("check", "wep", "--wait", "1m", code=1).output
    assert time.monotonic() - began < 50


def test_a_gate_with_nothing_to_wait_for_does_not_open(uplog: Uplog) -> None:
    configure("[uplog]\n")

    assert "nothing to wait for" in uplog("check", "--wait", "1m", code=1).output


STARTUP = """
[[service]]
name = "web"
[[service.check]]
name = "started"
role = "startup"
url = "http://127.0.0.1:{port}/started"
every = "1s"
timeout = "500ms"
failure_threshold = {budget}
[[service.check]]
name = "live"
url = "http://127.0.0.1:{port}/live"
"""


def startup_asked(uplog: Uplog, *, starts_after: float, budget: int, wait: str, code: int) -> list[tuple[float, str]]:
    """Pass the gate with a service whose startup check passes after some seconds; return what it was asked when."""
    began, asked = time.monotonic(), []

    async def answer(request: web.Request) -> web.Response:
        passed = time.monotonic() - began
        asked.append((passed, request.path))
        return web.Response(status=503 if request.path == "/started" and passed < starts_after else 200)

    with serving(answer) as port:
        configure(STARTUP.format(port=port, budget=budget))
        uplog("check", "--wait", wait, code=code)
    return asked


def test_while_a_startup_check_fails_the_others_are_not_asked(uplog: Uplog) -> None:
    asked = startup_asked(uplog, starts_after=1.5, budget=60, wait="20s", code=0)

    assert [path for _, path in asked[-2:]] == ["/started", "/live"]
    assert {path for _, path in asked[:-1]} == {"/started"}


def test_a_startup_that_takes_too_long_keeps_the_gate_shut(uplog: Uplog) -> None:
    asked = startup_asked(uplog, starts_after=60, budget=60, wait="2s", code=1)

    assert {path for _, path in asked} == {"/started"}


def test_when_the_budget_of_a_startup_is_spent_the_others_decide(uplog: Uplog) -> None:
    asked = startup_asked(uplog, starts_after=60, budget=2, wait="20s", code=0)

    assert [path for _, path in asked].count("/live") == 1
    assert 2 <= asked[-1][0] < 18


def test_a_startup_check_that_is_alone_is_asked_until_it_passes() -> None:
    alone = a_check(role=Role.STARTUP, every=1_000, declared_every=1_000, failure_threshold=1)

    answer = Answer(check=alone, at=at(0), took=1, reason=Reason.REFUSED)
    failed = Explained(name="web", answer=answer, verdict=Verdict(outcome=Outcome.FAIL, reason=Reason.REFUSED))
    other = a_check(key="config//web/http/live")

    assert list(gate.ended([failed], [alone], 60)) == []
    assert list(gate.ended([failed], [alone, other], 60)) == [alone.key]


def test_what_changes_is_told_on_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    port = free_port()
    (tmp_path / "uplog.toml").write_text(service("late", f"tcp://127.0.0.1:{port}"))
    said = b""
    with closing(socket.socket()) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "uplog.collector", "check", "--wait", "50s"]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs) as child:
            os.close(theirs)
            with suppress(OSError):  # as Linux tells that nobody has the terminal open any more
                while piece := os.read(ours, 4096):
                    said += piece
                    listener.listen()
        os.close(ours)

    assert child.returncode == 0
    assert [line.split()[2:] for line in said.decode().splitlines()] == [
        ["✗", "late", "down", "refused"],
        ["✓", "late", "up"],
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_gate_at_once(tmp_path: Path, number: int) -> None:
    with hanging() as server:
        (tmp_path / "uplog.toml").write_text(
            service("hangs", f"http://127.0.0.1:{port_of(server)}/", 'timeout = "50s"')
        )
        command = [sys.executable, "-m", "uplog.collector", "check", "--wait", "1m"]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        with server.accept()[0]:
            process.send_signal(number)
            _, said = process.communicate(timeout=25)

    assert process.returncode == 1
    assert said == "uplog: stopped before all of it had answered\n"
