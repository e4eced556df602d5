"""Listening sockets: what ss and /proc say, and which of them are services of their own."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_machine import HERE, needs_real, pretend_tool

from uplog.collector.discover import listeners, sockets
from uplog.collector.discover.sockets import Socket, listening, parse_proc, parse_ss, unseen
from uplog.collector.model import Port, Target

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(sys.platform != "linux", reason="ss and /proc are Linux'"),
]

CAPTURED = HERE / "captured"


def a_socket(port: int, name: str = "app", address: str = "", pid: int = 7, **more: object) -> Socket:
    return Socket(address=address, port=port, processes=((pid, name),), **more)  # type: ignore[arg-type]


def found(*seen: Socket, exclude: tuple[str, ...] = ()) -> dict[str, Target]:
    return {one.name: one for one in listeners.targets(seen, listeners.Settings(exclude=exclude))}


# What ss and /proc say


def test_ss_tells_addresses_processes_and_groups() -> None:
    seen = {(one.address, one.port): one for one in parse_ss((CAPTURED / "ss-root.txt").read_text())}

    assert seen["::", 80] == Socket(
        address="::",
        port=80,
        cgroup="/system.slice/nginx.service",
        processes=((180, "nginx"), (181, "nginx"), (182, "nginx")),
    )
    assert seen["", 8103].unit == "/system.slice/demand.socket"
    assert len(seen) == 10


def test_ss_without_rights_or_without_groups_tells_the_rest() -> None:
    whole = list(parse_ss((CAPTURED / "ss-root.txt").read_text()))
    nobody = list(parse_ss((CAPTURED / "ss-nobody.txt").read_text()))
    older = list(parse_ss((CAPTURED / "ss-no-cgroup.txt").read_text()))

    assert {(one.port, one.cgroup) for one in nobody} == {(one.port, one.cgroup) for one in whole}
    assert {(one.port, one.processes) for one in older} == {(one.port, one.processes) for one in whole}
    assert not any(one.processes for one in nobody)
    assert not any(one.cgroup for one in older)


@pytest.mark.parametrize(
    "line",
    [
        "State Recv-Q Send-Q Local Address:Port Peer Address:Port Process",
        "ESTAB 0 0 127.0.0.1:80 127.0.0.1:4444",
        "",
    ],
)
def test_a_header_or_another_state_is_no_listener(line: str) -> None:
    assert list(parse_ss(line)) == []


def test_a_group_that_is_gone_or_the_root_is_no_group() -> None:
    lines = "LISTEN 0 5 *:80 *:* cgroup:unreachable:1a2b\nLISTEN 0 5 *:81 *:* cgroup:/\n"

    assert [one.cgroup for one in parse_ss(lines)] == [None, None]


def test_a_process_name_may_hold_blanks_and_brackets() -> None:
    line = 'LISTEN 0 5 *:80 *:* users:(("tmux: (server)",pid=12,fd=3),("a",pid=3,fd=3)) cgroup:/x.scope'

    assert [one.processes for one in parse_ss(line)] == [((3, "a"), (12, "tmux: (server)"))]


def test_proc_tells_the_same_ports_as_ss() -> None:
    tables = ("ss-proc-net-tcp.txt", "ss-proc-net-tcp6.txt")
    seen = {(one.address, one.port) for name in tables for _, one in parse_proc((CAPTURED / name).read_text())}
    told = {(one.address, one.port) for one in parse_ss((CAPTURED / "ss-root.txt").read_text())}

    assert seen == {(address if address != "::" else "", port) for address, port in told}


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_without_ss_the_ports_of_ones_own_processes_are_found(listener: int) -> None:
    seen = {one.port: one for one in sockets.read_proc()}

    assert seen[listener].address == "127.0.0.1"
    assert os.getpid() in [pid for pid, _ in seen[listener].processes]


@pytest.mark.parametrize(
    "script", ["exit 1", 'case "$*" in *cgroup*) exit 255;; esac; exec {ss} "$@"', 'exec {ss} "$@"']
)
def test_a_listener_is_found_whatever_this_ss_can_do(
    script: str, listener: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = next((path for path in ("/usr/bin/ss", "/bin/ss", "/usr/sbin/ss") if Path(path).exists()), None)
    needs_real(real, "ss: apt install iproute2")
    pretend_tool(monkeypatch, tmp_path, "ss", script.format(ss=real))
    (own,) = (one for one in asyncio.run(listening()) if one.port == listener)

    assert own.address == "127.0.0.1"
    assert os.getpid() in [pid for pid, _ in own.processes]


def test_a_child_of_uplog_is_ours(tmp_path: Path) -> None:
    server = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    program = tmp_path / "uplog"
    program.write_text(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {server!r}])")
    command = [sys.executable, str(program), "up"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as up:
        assert up.stdout is not None
        port = int(up.stdout.readline())
        seen = {one.port: one.ours for one in asyncio.run(listening())}
        up.communicate("\n", timeout=10)

    assert seen[port] is True


def test_what_stays_unseen_is_said() -> None:
    hidden = [Socket(address="", port=port) for port in (443, 80)]

    assert unseen(hidden, "process") == "this user cannot see which process listens on port 80, 443"


# Which listeners are services


def test_one_process_and_port_is_one_service_whatever_its_addresses() -> None:
    seen = found(a_socket(80, "nginx", "0.0.0.0"), a_socket(80, "nginx", "::", pid=9), a_socket(443, "nginx"))

    assert {name: one.ports for name, one in seen.items()} == {
        "nginx:80": (Port(port=80, host_ip="0.0.0.0"), Port(port=80, host_ip="::")),
        "nginx:443": (Port(port=443),),
    }
    assert seen["nginx:80"].key == "listeners//nginx:80"


def test_a_process_that_cannot_be_seen_is_named_by_its_port() -> None:
    assert list(found(Socket(address="", port=8080))) == ["port:8080"]


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (a_socket(8080), None),
        (a_socket(22, "sshd"), None),
        (a_socket(32400, "Plex Media Serv"), None),
        (a_socket(8080, "docker-proxy"), "published by a container"),
        (a_socket(6010, "sshd", "127.0.0.1"), "a forward of an ssh session"),
        (a_socket(45123, "node"), "a port of the random range, another one after the next start"),
        (a_socket(8000, ours=True), "uplog itself"),
    ],
)
def test_a_listener_like_this_is_watched_or_skipped_for_this_reason(one: Socket, reason: str | None) -> None:
    assert [target.skipped for target in found(one).values()] == [reason]


def test_excluded_by_pattern() -> None:
    seen = found(a_socket(8080, "node"), a_socket(8081, "java"), exclude=("node:*",))

    assert [name for name, one in seen.items() if one.skipped] == ["node:8080"]


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("/system.slice/nginx.service", "nginx.service"),
        ("/system.slice/app.service/worker", "app.service"),
        ("/system.slice/app.socket", "app.socket"),
        ("/system.slice/docker-1a2b.scope", None),
        ("/user.slice/user-1000.slice/session-3.scope", None),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/web.service", None),
        (None, None),
    ],
)
def test_only_a_unit_of_the_system_owns_a_listener(cgroup: str | None, unit: str | None) -> None:
    assert found(a_socket(8080, cgroup=cgroup))["app:8080"].details["unit"] == unit
