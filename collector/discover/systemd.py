"""systemd's services: what the managers run, and at which ports."""

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import msgspec

from ..model import Check, Finding, Port, Target
from . import Context, SourceFailed
from .command import CommandFailed, run
from .ports import EPHEMERAL, candidates
from .sockets import Socket, by_unit, is_uplog, listening, unseen

ABSENCE = "gone"  # a unit without a unit file was removed by somebody

PROPERTIES = (
    "Id",
    "Names",
    "Description",
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "Result",
    "Type",
    "UnitFileState",
    "FragmentPath",
    "ControlGroup",
    "MainPID",
    "TriggeredBy",
    "ExecStart",
    "ConditionResult",
    "ConditionTimestampMonotonic",
)

# what systemd brings along to run the machine itself
PLUMBING = (
    "systemd-*",
    "dbus.service",
    "dbus-*.service",
    "user@*",
    "user-runtime-dir@*",
    "getty@*",
    "autovt@*",
    "serial-getty@*",
    "container-getty@*",
    "console-getty.service",
    "getty-static.service",
    "debug-shell.service",
    "emergency.service",
    "rescue.service",
    "initrd-*",
    "modprobe@*",
    "kmod-static-nodes.service",
    "plymouth-*",
    "rc-local.service",
)
PASSING = re.compile(r"run-(u\d+|r[0-9a-f]+|p\d+-i\d+)\.service")  # the names that systemd-run makes up
ONE_CONNECTION = re.compile(r"[^@]+@\d+-.+\.service")  # of a socket with Accept=yes


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table [discover.systemd]."""

    user: bool = False  # the manager of the user who runs uplog too
    include: tuple[str, ...] = ()  # patterns: only these, and these whatever their kind
    exclude: tuple[str, ...] = ()  # patterns: never these


Unit = Mapping[str, str]  # properties as systemctl show prints them


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What one manager said of its units, and the sockets of the machine at that moment."""

    units: Sequence[Unit]
    sockets: Sequence[Socket] = ()
    known: frozenset[str] = frozenset()  # names that the record has: these stay when they stop
    user: bool = False
    settings: Settings = field(default_factory=Settings)


# Reading the world


async def find(settings: Settings, context: Context) -> tuple[list[Target], list[Finding]]:
    """Ask the system's manager, and the user's where the settings say so.

    When one of the two cannot be asked the source failed: its units must not look as if they were gone.
    """
    known = context.known.get("systemd", frozenset())
    sockets = await listening()
    ownerless = [one for one in sockets if not one.cgroup]
    found: list[Target] = []
    findings = [Finding(kind="unseen", where="systemd", text=unseen(ownerless, "unit"))] if ownerless else []
    for user in (False, True)[: 1 + settings.user]:
        units = await ask_manager(known, user=user, environ=context.environ or os.environ)
        snapshot = Snapshot(units=units, sockets=sockets, known=known, user=user, settings=settings)
        found += targets(snapshot)
        findings += broken(snapshot)
    return found, findings


async def ask_manager(known: Iterable[str], *, user: bool, environ: Mapping[str, str]) -> list[Unit]:
    """Return the properties of all loaded services and of the *known* ones that are no longer loaded."""
    options = ("--type=service", "--all", "--plain", "--no-legend", "--no-pager", "--full")
    try:
        listed = await systemctl("list-units", *options, user=user, environ=environ)
        names = dict.fromkeys([*parse_units(listed), *sorted(known)])
        return await show(names, PROPERTIES, user=user, environ=environ) if names else []
    except CommandFailed as error:
        manager = "the user's systemd" if user else "systemd"
        raise SourceFailed(f"{manager} cannot be asked: {error}") from error


async def show(
    names: Iterable[str], properties: Iterable[str], *, user: bool, environ: Mapping[str, str] = os.environ
) -> list[Unit]:
    """Return the *properties* of many units by one call."""
    options = [f"--property={','.join(properties)}", "--no-pager", "--"]
    return list(parse_show(await systemctl("show", *options, *names, user=user, environ=environ)))


async def systemctl(*arguments: str, user: bool, environ: Mapping[str, str]) -> str:
    """Run systemctl for the system's manager or the user's, which cron's environment does not lead to."""
    if not user:
        return await run("systemctl", *arguments, environ=environ)
    runtime = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    return await run("systemctl", "--user", *arguments, environ={**environ, "XDG_RUNTIME_DIR": runtime})


# What systemctl prints


def parse_units(text: str) -> Iterator[str]:
    """Yield the names of the services in the output of `systemctl list-units`.

    A failed unit is marked with a bullet where --plain is not heeded; header and legend hold no name of a service.

    >>> list(parse_units("  UNIT LOAD ACTIVE\\n● a.service loaded failed\\n  b.service loaded active\\n2 units."))
    ['a.service', 'b.service']
    """
    for line in text.splitlines():
        name = next((word for word in line.split()[:2] if word.endswith(".service")), None)
        if name:
            yield name


def parse_show(text: str) -> Iterator[Unit]:
    """Yield the properties of each unit in the output of `systemctl show`; a key of several lines keeps them all.

    >>> list(parse_show("Id=a.service\\nExecStart=1\\nExecStart=2\\n\\nId=b.service\\n"))
    [{'Id': 'a.service', 'ExecStart': '1\\n2'}, {'Id': 'b.service'}]
    """
    for block in text.split("\n\n"):
        unit: dict[str, str] = {}
        for line in block.splitlines():
            key, equals, value = line.partition("=")
            if equals:
                unit[key] = f"{unit[key]}\n{value}" if key in unit else value
        if "Id" in unit:
            yield unit


# From units to targets


def targets(snapshot: Snapshot) -> Iterator[Target]:
    """Yield a target for each unit; one that is not watched says why. A known unit without a file is not there."""
    sockets = by_unit(one for one in snapshot.sockets if not one.ours)
    seen: set[str] = set()
    for unit in snapshot.units:
        if unit["Id"] in seen or (is_gone(unit) and is_known(unit, snapshot)):
            continue
        seen.add(unit["Id"])
        found = target(unit, snapshot, own=own_ports(unit, sockets), held=held_ports(unit, sockets))
        yield found if found.skipped else judged_by_unit(found)


def target(unit: Unit, snapshot: Snapshot, *, own: Sequence[Port], held: Sequence[Port]) -> Target:
    """Make the target of one unit with the ports that it opened and those that .socket units hold for it."""
    name = unit["Id"]
    description = unit.get("Description", "")
    return Target(
        source="systemd",
        ref=unit.get("FragmentPath") or name,
        name=name,
        project="user" if snapshot.user else "",
        layer="running",
        names=names(unit),
        group="",
        description="" if description == name else description,
        ports=tuple(dict.fromkeys([*own, *held])),
        skipped=why_not(unit, snapshot, has_ports=bool(own or held)),
        details={
            "active": unit.get("ActiveState", ""),
            "sub": unit.get("SubState", ""),
            "load": unit.get("LoadState", ""),
            "type": unit.get("Type", ""),
            "enabled": unit.get("UnitFileState", ""),
            "pid": int(unit.get("MainPID") or 0) or None,
            "held": bool(held and not own),
        },
    )


def judged_by_unit(target: Target) -> Target:
    """Give a target the check of its unit's state where it has no port that can be asked for years."""
    if target.details["held"]:
        note = "its port is held by a .socket unit, and asking there would start it"
    elif not target.ports:
        note = "no port of its own is seen"
    elif all(port.port in EPHEMERAL for port in candidates(target)):
        note = "no TCP port of it outlasts a restart"
    else:
        return target
    unit = f"{target.project}/{target.name}" if target.project else target.name
    check = Check(key="", service="", kind="systemd", target=f"systemd:{unit}")
    return replace(target, checks=(check,), note=f"{note}: judged by the state of the unit")


def names(unit: Unit) -> tuple[str, ...]:
    """Return the unit's name, its aliases, its name without escapes, and the container that it wraps."""
    container = container_name(command_line(unit))
    return tuple(dict.fromkeys([*aliases(unit), unescaped(unit["Id"]), *container]))


def aliases(unit: Unit) -> list[str]:
    """Return all names that systemd knows a unit by; systemctl quotes those with a backslash.

    >>> aliases({"Id": r"a@x\\x2dy.service", "Names": r'"a@x\\\\x2dy.service"'})
    ['a@x\\\\x2dy.service', 'a@x\\\\x2dy.service']
    """
    return [unit["Id"], *shlex.split(unit.get("Names", ""))]


def unescaped(name: str) -> str:
    """Return a unit's name as a person would write it.

    >>> unescaped(r"queue@my\\x2dqueue.service")
    'queue@my-queue.service'
    """
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), name)


def own_ports(unit: Unit, sockets: Mapping[str, Sequence[Socket]]) -> list[Port]:
    """Return the ports that a unit opened, or has a container publish.

    Its sockets are those made in its control group, which also holds for the workers of a master; where it runs a
    container, docker-proxy listens in its stead, in another group.
    """
    made = sockets.get(unit.get("ControlGroup") or "none", ())
    published = published_ports(command_line(unit)) if unit.get("ActiveState") == "active" else ()
    return [*(Port(port=one.port, host_ip=one.address) for one in made if not is_proxied(one)), *published]


def held_ports(unit: Unit, sockets: Mapping[str, Sequence[Socket]]) -> list[Port]:
    """Return the ports that .socket units hold for a unit, whether it runs or not."""
    holders = tuple(f"/{name}" for name in unit.get("TriggeredBy", "").split() if name.endswith(".socket"))
    held = [one for path, group in sockets.items() if holders and path.endswith(holders) for one in group]
    return [Port(port=one.port, host_ip=one.address) for one in held]


def is_proxied(socket: Socket) -> bool:
    """Say whether *socket* stands for a container's port.

    Without root the processes of docker.service cannot be told apart; nearly all that listen there are its proxies.
    """
    if not socket.processes:
        return socket.unit.endswith("/docker.service")
    return socket.processes[0][1] == "docker-proxy"


# What ExecStart tells


def command_line(unit: Unit) -> list[str]:
    """Return the words of what the unit starts.

    >>> command_line({"ExecStart": "{ path=/bin/a ; argv[]=/bin/a -p 80:80 ; ignore_errors=no ; pid=0 }"})
    ['/bin/a', '-p', '80:80']
    """
    return " ".join(re.findall(r"argv\[\]=(.*?) ; ignore_errors=", unit.get("ExecStart", ""))).split()


def runs_container(words: Sequence[str]) -> bool:
    """Say whether a command line is `docker run` or `podman run`."""
    tools = [place for place, word in enumerate(words) if word.rpartition("/")[2] in ("docker", "podman")]
    return any("run" in words[place:] for place in tools)


def published_ports(words: Sequence[str]) -> Iterator[Port]:
    """Yield what `docker run` publishes; a range, a variable or a random port names no port.

    >>> list(published_ports("docker run -p 127.0.0.1:8080:80 -p ${PORT}:81 image".split()))
    [Port(port=8080, host_ip='127.0.0.1', container_port=80, protocol='tcp')]
    """
    for value in option_values(words, "-p", "--publish") if runs_container(words) else ():
        found = re.fullmatch(r"(?:\[?([0-9a-f.:]+?)\]?:)?(\d+):(\d+)(?:/(tcp|udp))?", value)
        if found:
            host_ip, port, inside, protocol = found.groups()
            yield Port(port=int(port), host_ip=host_ip or "", container_port=int(inside), protocol=protocol or "tcp")


def container_name(words: Sequence[str]) -> list[str]:
    """Return the name that `docker run` gives its container."""
    found = list(option_values(words, "--name", "--name")) if runs_container(words) else []
    return [name for name in found if "$" not in name and "%" not in name][:1]


def option_values(words: Sequence[str], short: str, long: str) -> Iterator[str]:
    """Yield the values of an option, written in any of the ways that are allowed."""
    for place, word in enumerate(words):
        if word in (short, long):
            yield from words[place + 1 : place + 2]
        elif word.startswith(f"{long}="):
            yield word.partition("=")[2]


# Which units are watched


def why_not(unit: Unit, snapshot: Snapshot, *, has_ports: bool = False) -> str | None:
    """Say why a unit is not watched, or nothing when it is.

    Watched is what runs, what failed, what should run, and what the record knows. The first rule that fits decides.
    """
    settings, active = snapshot.settings, unit.get("ActiveState")
    included = matches(unit, settings.include)
    if matches(unit, settings.exclude):
        return "excluded by the configuration"
    if settings.include and not included:
        return "not among those that the configuration includes"
    if is_gone(unit):
        return "no unit file"
    if is_uplog(command_line(unit)):
        return "uplog itself"
    if included:
        return None
    if any(fnmatchcase(unit["Id"], pattern) for pattern in PLUMBING):
        return "part of systemd itself"
    if PASSING.fullmatch(unit["Id"]):
        return "a passing unit of systemd-run"
    if ONE_CONNECTION.fullmatch(unit["Id"]) and ".socket" in unit.get("TriggeredBy", ""):
        return f"serves one connection of {unit['TriggeredBy']}"
    if is_known(unit, snapshot):
        return None
    if unit.get("LoadState") == "masked" and active in ("inactive", "failed"):
        return "masked"
    if active == "failed":
        return None
    if unit.get("Type") == "oneshot":
        return "runs and ends (oneshot)"
    if active != "inactive":
        return None
    return None if has_ports else why_idle(unit)


def why_idle(unit: Unit) -> str | None:
    """Say why a unit may stand still, or nothing when it should run."""
    enabled = unit.get("UnitFileState", "")
    if unit.get("TriggeredBy"):
        return f"started on demand by {unit['TriggeredBy']}"
    if enabled not in ("enabled", "enabled-runtime"):
        return f"not running and not enabled{f' ({enabled})' if enabled else ''}"
    if unit.get("ConditionResult") == "no" and unit.get("ConditionTimestampMonotonic", "0") != "0":
        return "its conditions do not hold on this machine"
    return None


def is_known(unit: Unit, snapshot: Snapshot) -> bool:
    """Say whether the record has this unit, under any of its names."""
    return not snapshot.known.isdisjoint(aliases(unit))


def is_gone(unit: Unit) -> bool:
    """Say whether a unit has no file and does not run; one that still runs lost its file to an upgrade."""
    return unit.get("LoadState") == "not-found" and unit.get("ActiveState") in ("inactive", "failed")


def matches(unit: Unit, patterns: Iterable[str]) -> bool:
    """Say whether one of *patterns* fits, with `.service` or without it."""
    name = unit["Id"]
    return any(fnmatchcase(name, one) or fnmatchcase(name.removesuffix(".service"), one) for one in patterns)


def broken(snapshot: Snapshot) -> Iterator[Finding]:
    """Yield a finding for each unit whose file systemd cannot use."""
    for unit in snapshot.units:
        if unit.get("LoadState") in ("bad-setting", "error"):
            said = re.search(r'"(.*)"', unit.get("LoadError", ""))
            text = said[1] if said else "systemd cannot load this unit"
            yield Finding(kind="unit_broken", where=unit.get("FragmentPath") or unit["Id"], text=text)
