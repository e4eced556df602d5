"""systemd as a source and as a probe: captured documents and tables of states. Real managers: test_machine.py."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from helpers_machine import HERE, pretend_tool

from uplog.collector.discover import Context, SourceFailed, command
from uplog.collector.discover.sockets import Socket, parse_ss
from uplog.collector.discover.systemd import find
from uplog.collector.discover.systemd.commands import published_ports
from uplog.collector.discover.systemd.manager import Unit, parse_show, parse_units
from uplog.collector.discover.systemd.snapshot import Settings, Snapshot
from uplog.collector.discover.systemd.targets import broken, targets
from uplog.collector.discover.systemd.watched import why_not
from uplog.collector.model import Check, Port, ProbeFailed, Reading, Reason, Target
from uplog.collector.probes.systemd import judged, probe_systemd

pytestmark = pytest.mark.unit

CAPTURED = HERE / "captured"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="systemd runs on Linux")


def captured(name: str) -> str:
    return (CAPTURED / name).read_text()


def a_unit(name: str = "app.service", **properties: str) -> Unit:
    """Make an enabled unit that runs."""
    usual = {"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Type": "simple"}
    group = {"UnitFileState": "enabled", "ControlGroup": f"/system.slice/{name}"}
    return {"Id": name, "Names": name, **usual, **group, **properties}


def seen(sockets: str = "ss-root.txt", **changes: object) -> dict[str, Target]:
    """Read the captured machine."""
    units = list(parse_show(captured("systemd-show.txt")))
    snapshot = Snapshot(units=units, sockets=list(parse_ss(captured(sockets))), **changes)  # type: ignore[arg-type]
    return {target.name: target for target in targets(snapshot)}


# What systemctl prints


def test_bullets_header_and_legend_hide_no_unit() -> None:
    marked = list(parse_units(captured("systemd-list-units.txt")))

    assert marked == list(parse_units(captured("systemd-list-units-plain.txt")))
    assert {"broken.service", "unusable.service", r"queue@my\x2dqueue.service"} <= set(marked)
    assert len(marked) == 65


# Which units are watched

WATCHED = {
    "nginx.service",
    "prefork.service",
    "forking.service",
    "dynamic.service",
    "chatter.service",
    "database.service",
    "worker.service",
    "broken.service",
    "loop.service",
    "stopped.service",
    "unusable.service",
    "demand.service",
    "postgresql@15-main.service",  # enabled by a generator, and not started
    r"queue@my\x2dqueue.service",
}


def test_what_runs_failed_or_should_run_is_watched() -> None:
    assert {name for name, target in seen().items() if not target.skipped} == WATCHED


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({}, None),
        ({"SubState": "exited"}, None),
        ({"ActiveState": "reloading"}, None),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, None),
        ({"ActiveState": "failed"}, None),
        ({"ActiveState": "failed", "UnitFileState": "disabled"}, None),
        ({"ActiveState": "failed", "Type": "oneshot"}, None),
        ({"ActiveState": "inactive"}, None),
        ({"ActiveState": "inactive", "LoadState": "bad-setting"}, None),
        ({"LoadState": "not-found"}, None),  # still running, its file was replaced
        ({"Type": "oneshot", "SubState": "exited"}, "runs and ends (oneshot)"),
        ({"Type": "oneshot", "ActiveState": "activating", "SubState": "start"}, "runs and ends (oneshot)"),
        ({"ActiveState": "inactive", "LoadState": "not-found"}, "no unit file"),
        ({"ActiveState": "failed", "LoadState": "not-found"}, "no unit file"),
        ({"ActiveState": "inactive", "LoadState": "masked", "UnitFileState": "masked"}, "masked"),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, "not running and not enabled (disabled)"),
        ({"ActiveState": "inactive", "UnitFileState": "static"}, "not running and not enabled (static)"),
        ({"ActiveState": "inactive", "TriggeredBy": "app.timer"}, "started on demand by app.timer"),
        (
            {"ActiveState": "inactive", "ConditionResult": "no", "ConditionTimestampMonotonic": "12"},
            "its conditions do not hold on this machine",
        ),
        # never tried is not "does not hold"
        ({"ActiveState": "inactive", "ConditionResult": "no", "ConditionTimestampMonotonic": "0"}, None),
        ({"Id": "systemd-resolved.service"}, "part of systemd itself"),
        ({"Id": "user@1000.service"}, "part of systemd itself"),
        ({"Id": "getty@tty1.service"}, "part of systemd itself"),
        ({"Id": "run-u12.service"}, "a passing unit of systemd-run"),
        ({"Id": "sshd@3-10.0.0.1:22-10.0.0.2:5000.service", "TriggeredBy": "sshd.socket"}, "serves one connection of sshd.socket"),
        ({"Id": "postgresql@15-main.service"}, None),
        ({"ExecStart": "{ path=/opt/uplog ; argv[]=/opt/uplog watch ; ignore_errors=no ; pid=1 }"}, "uplog itself"),
    ],
)  # fmt: skip
def test_a_unit_in_this_state_is_watched_or_skipped_for_this_reason(
    properties: dict[str, str], reason: str | None
) -> None:
    assert why_not(a_unit(**properties), Snapshot(units=[])) == reason


@pytest.mark.parametrize("properties", [{"UnitFileState": "disabled"}, {"LoadState": "masked"}, {"Type": "oneshot"}])
def test_a_known_unit_that_stopped_stays(properties: dict[str, str]) -> None:
    stopped = a_unit(ActiveState="inactive", SubState="dead", ControlGroup="", **properties)
    (target,) = targets(Snapshot(units=[stopped], known=frozenset({"app.service"})))

    assert target.skipped is None
    assert [check.target for check in target.checks] == ["systemd:app.service"]


def test_a_known_unit_whose_file_is_gone_is_absent() -> None:
    gone = a_unit(LoadState="not-found", ActiveState="inactive")

    assert list(targets(Snapshot(units=[gone], known=frozenset({"app.service"})))) == []


def test_a_unit_known_by_its_alias_is_one_service() -> None:
    stopped = a_unit("ssh.service", Names="ssh.service sshd.service", ActiveState="inactive", UnitFileState="disabled")
    (target,) = targets(Snapshot(units=[stopped, stopped], known=frozenset({"sshd.service"})))

    assert (target.name, target.names, target.skipped) == ("ssh.service", ("ssh.service", "sshd.service"), None)


def test_include_means_only_these_and_these_whatever_their_kind() -> None:
    found = seen(settings=Settings(include=("once", "ngin*", "disabled"), exclude=("disabled.service",)))

    assert {name for name, target in found.items() if not target.skipped} == {"nginx.service", "once.service"}
    assert found["disabled.service"].skipped == "excluded by the configuration"


# Ports

PORTS = {
    "nginx.service": [("0.0.0.0", 80), ("::", 80)],
    "prefork.service": [("0.0.0.0", 8100)],
    "forking.service": [("127.0.0.1", 8101)],
    "dynamic.service": [("0.0.0.0", 8102)],
    "demand.service": [("", 8103)],
    "chatter.service": [("0.0.0.0", 8105)],
    "database.service": [("127.0.0.1", 5432)],
}


@pytest.mark.parametrize("sockets", ["ss-root.txt", "ss-nobody.txt"])
def test_workers_and_forks_keep_their_ports_with_and_without_root(sockets: str) -> None:
    found = {
        name: [(port.host_ip, port.port) for port in target.ports]
        for name, target in seen(sockets).items()
        if target.ports and not target.skipped
    }

    assert found == PORTS


def test_a_port_opened_in_a_child_group_is_the_units() -> None:
    socket = Socket(address="", port=8080, cgroup="/system.slice/app.service/worker-3")
    (target,) = targets(Snapshot(units=[a_unit()], sockets=[socket]))

    assert target.ports == (Port(port=8080),)


def test_a_port_of_a_users_unit_is_not_the_users_managers() -> None:
    path = "/user.slice/user-1000.slice/user@1000.service"
    socket = Socket(address="", port=8080, cgroup=f"{path}/app.slice/web.service")
    units = [a_unit("user@1000.service", ControlGroup=path)]

    assert [target.ports for target in targets(Snapshot(units=units, sockets=[socket]))] == [()]


def test_a_port_that_changes_with_every_start_is_no_check() -> None:
    random = Socket(address="127.0.0.1", port=41234, cgroup="/system.slice/app.service")
    (target,) = targets(Snapshot(units=[a_unit()], sockets=[random]))

    assert [check.target for check in target.checks] == ["systemd:app.service"]


def test_a_sleeping_service_is_not_woken_by_asking_its_socket() -> None:
    target = seen()["demand.service"]

    assert [check.target for check in target.checks] == ["systemd:demand.service"]
    assert "asking there would start it" in target.note


def test_ports_of_uplog_started_by_cron_are_not_crons() -> None:
    group = "/system.slice/cron.service"
    sockets = [Socket(address="127.0.0.1", port=8001, cgroup=group, ours=True)]
    (target,) = targets(Snapshot(units=[a_unit("cron.service")], sockets=sockets))

    assert target.ports == ()


@pytest.mark.parametrize("processes", [((7, "docker-proxy"),), ()])
def test_ports_of_containers_are_not_those_of_docker(processes: tuple[tuple[int, str], ...]) -> None:
    proxy = Socket(address="0.0.0.0", port=8080, cgroup="/system.slice/docker.service", processes=processes)
    (target,) = targets(Snapshot(units=[a_unit("docker.service")], sockets=[proxy]))

    assert target.ports == ()


def test_a_unit_that_wraps_a_container_has_what_that_publishes() -> None:
    words = "/usr/bin/docker run --rm --name myapp -p 8080:8080 --publish=127.0.0.1:9000:90/tcp -p ${PORT}:1 image"
    start = f"{{ path=/usr/bin/docker ; argv[]={words} ; ignore_errors=no ; start_time=[n/a] }}"
    (target,) = targets(Snapshot(units=[a_unit("wrapper.service", ExecStart=start)]))

    assert target.ports == (
        Port(port=8080, container_port=8080),
        Port(port=9000, host_ip="127.0.0.1", container_port=90),
    )
    assert target.names == ("wrapper.service", "myapp")


def test_an_option_of_another_program_publishes_nothing() -> None:
    assert list(published_ports(["/usr/bin/server", "-p", "8080:8080"])) == []


# What else is kept


def test_description_escapes_and_file_are_kept() -> None:
    found = seen()
    queue = found[r"queue@my\x2dqueue.service"]

    assert queue.names == (r"queue@my\x2dqueue.service", "queue@my-queue.service")
    assert (queue.description, queue.ref) == ("Queue my-queue", "/etc/systemd/system/queue@.service")
    assert found["prefork.service"].description == "Prefork application"
    assert found["worker.service"].description == ""  # systemd repeats the name where there is none


def test_a_unit_file_that_systemd_cannot_use_is_a_finding() -> None:
    (finding,) = broken(Snapshot(units=list(parse_show(captured("systemd-show.txt")))))

    assert finding.where == "/etc/systemd/system/unusable.service"
    assert finding.text == "Unit unusable.service has a bad unit file setting."


# When systemd cannot be asked


@LINUX
def test_a_missing_systemctl_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "SYSTEM_FOLDERS", "")
    context = Context(folder=tmp_path, environ={"PATH": str(tmp_path)})
    with pytest.raises(SourceFailed, match=r"^systemd cannot be asked: systemctl is not installed$"):
        asyncio.run(find(Settings(), context))


@LINUX
def test_a_machine_without_systemd_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_tool(monkeypatch, tmp_path, "systemctl", 'echo "System has not been booted with systemd" >&2; exit 1')
    with pytest.raises(SourceFailed, match=r"cannot be asked: systemctl failed: System has not been booted"):
        asyncio.run(find(Settings(), Context(folder=tmp_path, environ=dict(os.environ))))


# The probe


@pytest.mark.parametrize(
    ("active", "sub", "more", "reason"),
    [
        ("active", "running", {}, None),
        ("active", "exited", {"Type": "oneshot"}, None),
        ("reloading", "reload", {}, None),
        ("refreshing", "refresh", {}, None),
        ("activating", "start", {}, None),
        ("activating", "auto-restart", {}, Reason.UNIT_FAILED),
        ("activating", "auto-restart-queued", {}, Reason.UNIT_FAILED),
        ("deactivating", "stop-sigterm", {}, Reason.UNIT_INACTIVE),
        ("inactive", "dead", {}, Reason.UNIT_INACTIVE),
        ("inactive", "dead", {"Type": "oneshot"}, None),
        ("inactive", "dead", {"Type": "oneshot", "RemainAfterExit": "yes"}, Reason.UNIT_INACTIVE),
        ("inactive", "dead", {"TriggeredBy": "app.timer"}, None),
        ("inactive", "dead", {"TriggeredBy": "app.socket"}, None),
        ("inactive", "dead", {"Type": "dbus", "UnitFileState": "static"}, None),
        ("inactive", "dead", {"Type": "dbus"}, Reason.UNIT_INACTIVE),
        ("inactive", "dead", {"LoadState": "masked"}, Reason.UNIT_INACTIVE),
        ("inactive", "dead", {"LoadState": "not-found", "TriggeredBy": "app.timer"}, Reason.UNIT_INACTIVE),
        ("failed", "failed", {}, Reason.UNIT_FAILED),
        ("failed", "failed", {"Type": "oneshot"}, Reason.UNIT_FAILED),
        ("maintenance", "cleaning", {}, Reason.UNIT_INACTIVE),
        ("something-new", "x", {}, Reason.UNIT_INACTIVE),
    ],
)
def test_a_unit_in_this_state_passes_or_fails_for_this_reason(
    active: str, sub: str, more: dict[str, str], reason: Reason | None
) -> None:
    assert judged(a_unit(ActiveState=active, SubState=sub, **more))[0] == reason


def a_check(target: str) -> Check:
    return Check(key="k", service="s", kind="systemd", target=target)


async def probe_many(names: list[str]) -> list[Reading | BaseException]:
    probes = (probe_systemd(a_check(f"systemd:{name}")) for name in names)
    return await asyncio.gather(*probes, return_exceptions=True)


ANSWERING = """
echo call >> {calls}
for word in $@; do case $word in *.service)
  printf 'Id=%s\\nNames=%s\\nLoadState=loaded\\nActiveState=active\\nSubState=running\\n\\n' $word $word;;
esac; done
"""


@LINUX
def test_a_hundred_units_are_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = tmp_path / "calls"
    pretend_tool(monkeypatch, tmp_path, "systemctl", ANSWERING.format(calls=calls))
    answers = asyncio.run(probe_many([f"a{number}.service" for number in range(100)]))

    assert [one.facts["active"] for one in answers if isinstance(one, Reading)] == ["active"] * 100
    assert calls.read_text() == "call\n"


@LINUX
def test_one_deadline_does_not_take_the_answer_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend_tool(monkeypatch, tmp_path, "systemctl", "sleep 0.2" + ANSWERING.format(calls=tmp_path / "calls"))

    async def ask_both() -> Reading:
        hasty = asyncio.create_task(probe_systemd(a_check("systemd:a.service")))
        patient = asyncio.create_task(probe_systemd(a_check("systemd:b.service")))
        await asyncio.sleep(0.05)
        hasty.cancel()
        return await patient

    assert asyncio.run(ask_both()).facts["sub"] == "running"


@LINUX
def test_a_systemctl_that_cannot_be_asked_is_not_the_units_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_tool(monkeypatch, tmp_path, "systemctl", "exit 1")
    with pytest.raises(ProbeFailed, match=r"^systemctl failed: exit code 1$") as caught:
        asyncio.run(probe_systemd(a_check("systemd:a.service")))

    assert caught.value.reason is Reason.LOCAL_ERROR


@LINUX
def test_a_systemctl_that_hangs_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"
    pretend_tool(monkeypatch, tmp_path, "systemctl", f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 60")

    async def give_up_once_it_runs() -> None:
        finding = asyncio.create_task(find(Settings(), Context(folder=tmp_path, environ=dict(os.environ))))
        while not pid.exists() and not finding.done():
            await asyncio.sleep(0.01)
        finding.cancel()
        await finding

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(give_up_once_it_runs())

    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
