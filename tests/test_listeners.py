"""Listening sockets: what ss and /proc say, and which of them are services of their own."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from helpers_machine import HERE, needs_real, pretend_tool

from uplog.collector.discover import Context, SourceFailed, listeners, sockets, sockets_lsof
from uplog.collector.discover.sockets import Socket, listening, parse_proc, parse_ss, unseen
from uplog.collector.discover.sockets_lsof import parse_lsof
from uplog.collector.discover.sockets_netstat import parse_netstat, parse_tasklist
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
        up.communicate("\n", timeout=60)

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


# macOS and Windows


def places(seen: Iterable[Socket]) -> list[tuple[str, int, str]]:
    return [(one.address, one.port, one.processes[0][1] if one.processes else "") for one in seen]


def test_lsof_tells_addresses_and_processes_and_connections_are_no_listeners() -> None:
    assert places(parse_lsof((CAPTURED / "lsof" / "macos.txt").read_text())) == [
        ("", 22, "launchd"),
        ("", 22, "launchd"),
        ("", 7000, "ControlCenter"),
        ("", 32400, "Plex Media Server"),
        ("::1", 5432, "postgres"),
        ("127.0.0.1", 5432, "postgres"),
        ("fe80::1", 8090, "node"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "p1\n", "n*:80\n", "p1\ncx\nn*:*\n", "p1\ncx\ntIPv4\nnodd\n", "lsof: WARNING: can't stat()\n", "px\ncx\n"],
)
def test_what_lsof_says_beside_sockets_is_passed_over(text: str) -> None:
    assert [one.processes for one in parse_lsof(text)] in ([], [()])


def test_fields_of_lsof_count_in_any_order() -> None:
    text = "p7\ncapi\nR1\nf3\nPTCP\nTST=LISTEN\nn*:80\nf4\nTST=ESTABLISHED\nn10.0.0.1:80->10.0.0.9:5000\nf5\nn[::]:81\nTST=LISTEN\n"

    assert places(parse_lsof(text)) == [("", 80, "api"), ("::", 81, "api")]


def test_a_process_of_uplog_or_a_child_of_one_is_ours_to_lsof() -> None:
    text = "p7\nR1\nca\nn*:80\np8\nR7\ncb\nn*:81\np9\nR2\ncc\nn*:82\n"

    assert [one.ours for one in parse_lsof(text, ours={7})] == [True, True, False]


def test_lsof_finds_the_listener_of_this_process(listener: int) -> None:
    needs_real(shutil.which("lsof"), "lsof: apt install lsof")
    (own,) = (one for one in asyncio.run(sockets_lsof.listening()) if one.port == listener)

    assert (own.address, own.processes[0][0], own.ours) == ("127.0.0.1", os.getpid(), True)


def test_netstat_is_read_by_its_columns_whatever_its_language() -> None:
    names = parse_tasklist((CAPTURED / "netstat" / "tasklist.csv").read_text())
    german, mixed = (
        places(parse_netstat((CAPTURED / "netstat" / name).read_bytes().decode(errors="replace"), names))
        for name in ("german.txt", "mixed.txt")
    )

    assert german == [
        ("0.0.0.0", 135, "svchost"),
        ("0.0.0.0", 445, "System"),
        ("127.0.0.1", 8080, "node"),
        ("::", 445, "System"),
        ("::1", 5432, "postgres"),
        ("fe80::1c2d", 1900, ""),
    ]
    assert mixed == [("0.0.0.0", 8081, "node"), ("0.0.0.0", 8082, "node"), ("10.0.0.5", 139, "System")]


@pytest.mark.parametrize("text", ["", "TCP", "  TCP  x  0.0.0.0:0  LISTENING  4", "INFO: no tasks", '"a","b"\n"c"'])
def test_other_lines_of_netstat_and_tasklist_are_passed_over(text: str) -> None:
    assert list(parse_netstat(text, {})) == []
    assert parse_tasklist(text) == {4: "System"}


@pytest.mark.parametrize(
    ("platform", "tools", "names"),
    [
        ("darwin", {"lsof": "lsof/macos.txt"}, ["launchd:22", "ControlCenter:7000", "Plex Media Server:32400"]),
        ("win32", {"netstat": "netstat/mixed.txt", "tasklist": "netstat/tasklist.csv"}, ["node:8081", "node:8082"]),
    ],
)
def test_each_system_is_asked_with_its_own_tools(
    platform: str, tools: dict[str, str], names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool, captured in tools.items():
        pretend_tool(monkeypatch, tmp_path, tool, f"cat {CAPTURED / captured}")
    monkeypatch.setattr(listeners, "READERS", {"linux": listeners.READERS[platform]})
    seen, _ = asyncio.run(listeners.find(listeners.Settings(), Context(folder=tmp_path)))

    assert [one.name for one in seen][: len(names)] == names


def test_a_missing_tool_is_a_failure_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_tool(monkeypatch, tmp_path, "tasklist", "exit 3")
    monkeypatch.setattr(listeners, "READERS", {"linux": listeners.READERS["win32"]})
    with pytest.raises(SourceFailed, match="tasklist failed: exit code 3"):
        asyncio.run(listeners.find(listeners.Settings(), Context(folder=tmp_path)))
