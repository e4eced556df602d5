"""Discovery and the systemd probe against real managers: a machine of their own, and a user's."""

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers_machine import HERE, Machine, machine, needs_real

from uplog.collector.discover.sockets import listening
from uplog.collector.discover.systemd.manager import ask_manager
from uplog.collector.discover.systemd.snapshot import Snapshot
from uplog.collector.discover.systemd.targets import targets
from uplog.collector.model import Check, Port, ProbeFailed, Reason, Target
from uplog.collector.probes.systemd import probe_systemd

pytestmark = pytest.mark.integration


# A whole machine


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("machine")) as running:
        yield running


CHECKS = {
    "nginx.service": "http://127.0.0.1:80/",
    "prefork.service": "http://127.0.0.1:8100/",
    "forking.service": "http://127.0.0.1:8101/",
    "dynamic.service": "http://127.0.0.1:8102/",
    "chatter.service": "tcp://127.0.0.1:8105",
    "database.service": "tcp://127.0.0.1:5432",
    "worker.service": "systemd:worker.service",
    "broken.service": "systemd:broken.service",
    "loop.service": "systemd:loop.service",
    "stopped.service": "systemd:stopped.service",
    "unusable.service": "systemd:unusable.service",
    "demand.service": "systemd:demand.service",
    r"queue@my\x2dqueue.service": r"systemd:queue@my\x2dqueue.service",
    "tick.timer": "systemd:tick.timer",
    "nightly.timer": "systemd:nightly.timer",
}
BOTH = {"systemd": {}, "listeners": {}}


def checks(found: dict[str, Any]) -> dict[str, str]:
    """Return what is asked of each service that is watched."""
    return {one["name"]: one["checks"][0]["target"] for one in found["targets"] if not one["skipped"]}


@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_machine_is_found_whole_with_and_without_root(host: Machine, user: str) -> None:
    (units, ports), learned = host.ask("find", user=user, settings=BOTH)

    assert (units["error"], ports["error"]) == (None, None)
    assert checks(units) == CHECKS
    assert checks(ports) == {}  # every port has a unit here
    assert learned == {
        "systemd//nginx.service:80": True,
        "systemd//prefork.service:8100": True,
        "systemd//forking.service:8101": True,
        "systemd//dynamic.service:8102": True,
        "systemd//chatter.service:8105": False,
    }
    assert [finding["kind"] for finding in units["findings"]] == ["unit_broken"]
    assert [finding["kind"] for finding in ports["findings"]] == (["unseen"] if user == "nobody" else [])


def test_discovery_wakes_no_sleeping_service(host: Machine) -> None:
    host.ask("find", settings=BOTH)

    assert host.run("systemctl", "show", "demand", "-p", "ActiveState", "--value") == "inactive\n"


def test_without_systemd_as_a_source_the_ports_are_services(host: Machine) -> None:
    ((ports,), _) = host.ask("find", settings={"listeners": {}})

    assert {"nginx:80", "python3:8100", "python3:5432"} <= set(checks(ports))
    assert "uplog:8000" not in checks(ports)


def test_a_known_unit_stays_when_it_stops_and_goes_with_its_file(host: Machine) -> None:
    text = "[Service]\nExecStart=/bin/sleep infinity\n"
    path = "/etc/systemd/system/guest.service"
    known = {"systemd": ["guest.service"]}

    def guest() -> str | None:
        ((units,), _) = host.ask("find", settings={"systemd": {}}, known=known)
        return checks(units).get("guest.service")

    host.run("bash", "-c", f"printf '{text}' > {path}; systemctl daemon-reload; systemctl start guest")
    assert guest() == "systemd:guest.service"
    host.run("systemctl", "stop", "guest")
    assert guest() == "systemd:guest.service"
    host.run("bash", "-c", f"rm {path}; systemctl daemon-reload")
    assert guest() is None


def test_a_timer_is_as_the_run_that_it_started(host: Machine) -> None:
    def nightly() -> list[str]:
        [found] = host.ask("probe", targets=["systemd:nightly.timer"])
        return list(found)

    assert nightly() == ["pass", "active (waiting)"]
    host.run("systemctl", "start", "nightly.service", check=False)
    assert nightly() == ["heartbeat_failed", "nightly.service ended with the result exit-code"]
    host.run("systemctl", "reset-failed", "nightly.service")
    assert nightly() == ["pass", "active (waiting)"]
    host.run("systemctl", "stop", "nightly.timer")
    assert nightly()[0] == "unit_inactive"
    host.run("systemctl", "start", "nightly.timer")


def test_how_often_a_unit_was_started_again_is_told_with_the_cause(host: Machine) -> None:
    text = "[Service]\nExecStart=/bin/sh -c 'exit 3'\nRestart=always\nRestartSec=300\nStartLimitBurst=0\n"
    host.run("bash", "-c", f'printf "{text}" > /run/systemd/system/crash.service; systemctl daemon-reload')
    host.run("systemctl", "start", "crash")
    host.run(
        "bash",
        "-c",
        "for i in $(seq 100); do systemctl show crash -p SubState --value | grep -q auto && break; sleep 0.02; done",
    )
    ((units,), _) = host.ask("find", settings={"systemd": {}})
    [run] = [one["details"]["run"] for one in units["targets"] if one["name"] == "crash.service"]
    host.run("systemctl", "stop", "crash")

    assert (run["cause"], run["exit_code"]) == ("exit-code", 3)
    assert run["started"].endswith("Z")
    assert isinstance(run["restarts"], int)


def test_units_are_asked_about_without_root(host: Machine) -> None:
    expected = {
        "nginx": "pass",
        "once": "pass",
        "tick": "pass",
        "demand": "pass",
        "broken": "unit_failed",
        "loop": "unit_failed",
        "stopped": "unit_inactive",
        "cover": "unit_inactive",
        "unusable": "unit_inactive",
        "nosuch": "unit_inactive",
    }
    answers = host.ask("probe", user="nobody", targets=[f"systemd:{name}.service" for name in expected])

    assert {name: answer[0] for name, answer in zip(expected, answers, strict=True)} == expected


# A real user manager


@pytest.fixture(scope="module")
def user_manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start `systemd --user` and yield the environment that leads to it."""
    needs_real(
        Path("/lib/systemd/systemd").exists() and os.geteuid() == 0, "root and systemd: apt install systemd dbus"
    )
    folder = tmp_path_factory.mktemp("manager")
    done = subprocess.run(
        [HERE / "user-manager-up.sh", folder], capture_output=True, text=True, timeout=60, check=False
    )
    needs_real(done.returncode == 0, f"cgroup2 and a private mount namespace: {done.stderr[-300:]}")
    environ = {**os.environ, **dict(word.split("=", 1) for word in shlex.split(done.stdout))}
    try:
        yield environ
    finally:
        subprocess.run([HERE / "user-manager-down.sh"], env=environ, timeout=60, check=False)


def test_a_users_own_units_are_found_with_their_ports_and_asked(
    user_manager: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = 'import socket, signal; s = socket.create_server(("127.0.0.1", 28977)); signal.pause()'
    unit = f"[Unit]\nDescription=My web\n[Service]\nExecStart={sys.executable} -c '{server}'\n"
    (Path(user_manager["XDG_CONFIG_HOME"]) / "systemd/user/web.service").write_text(unit)
    for words in (["daemon-reload"], ["start", "web"]):
        subprocess.run(["systemctl", "--user", *words], env=user_manager, check=True, timeout=30)
    # this machine's own PID 1 need not be systemd: only its user manager is asked
    (target,) = asyncio.run(listed(user_manager, "web.service"))

    assert (target.key, target.description) == ("systemd/user/web.service", "My web")
    assert target.ports == (Port(port=28977, host_ip="127.0.0.1"),)

    monkeypatch.setenv("XDG_RUNTIME_DIR", user_manager["XDG_RUNTIME_DIR"])
    check = Check(key="", service="", kind="systemd", target="systemd:user/web.service")
    assert asyncio.run(probe_systemd(check)).facts["active"] == "active"
    subprocess.run(["systemctl", "--user", "stop", "web"], env=user_manager, check=True, timeout=30)
    with pytest.raises(ProbeFailed) as failure:
        asyncio.run(probe_systemd(check))
    assert failure.value.reason is Reason.UNIT_INACTIVE


async def listed(environ: dict[str, str], name: str) -> list[Target]:
    """Ask the user manager until the port of *name* is seen, for a minute at most."""
    found: list[Target] = []
    for _ in range(1_200):
        units = await ask_manager([], user=True, environ=environ)
        snapshot = Snapshot(units=units, sockets=await listening(), user=True)
        found = [target for target in targets(snapshot) if target.name == name]
        if found and found[0].ports:
            break
        await asyncio.sleep(0.05)
    return found
