"""Which TCP sockets listen on this machine, in which control group, and held by whom."""

import ipaddress
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .command import CommandFailed, run

PROC = Path("/proc")
USERS = re.compile(r'\("(.*?)",pid=(\d+),fd=\d+\)')
CGROUP = re.compile(r"\scgroup:(/\S+)")
UNIT = re.compile(r"^(.*\.(?:service|scope|socket))(?:/|$)")  # greedy: the innermost unit of a path


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """One listening TCP socket."""

    address: str  # "" is every address of both families
    port: int
    cgroup: str | None = None  # none: could not be seen
    processes: tuple[tuple[int, str], ...] = ()  # pid and name, the oldest first; empty: could not be seen
    ours: bool = False  # held by uplog itself

    @property
    def unit(self) -> str:
        """Return the path of the unit that the socket belongs to, whichever of its child groups made it.

        >>> Socket(address="", port=80, cgroup="/system.slice/app.service/worker").unit
        '/system.slice/app.service'
        """
        found = UNIT.match(self.cgroup or "")
        return found[1] if found else ""


async def listening() -> list[Socket]:
    """Read the listening TCP sockets of this network namespace: from ss, or from /proc where ss is missing."""
    for options in (["-tlnp", "--cgroup"], ["-tlnp"]):  # iproute2 before 5.8 knows no --cgroup
        try:
            sockets = list(parse_ss(await run("ss", "-H", *options)))
        except CommandFailed:
            continue
        break
    else:
        sockets = read_proc()
    return [replace(one, cgroup=one.cgroup or group_of(one), ours=is_ours(one)) for one in sockets]


def unseen(sockets: Iterable[Socket], what: str) -> str:
    """Say of which ports this user cannot see *what* they belong to."""
    ports = sorted({one.port for one in sockets})
    more = f" and {len(ports) - 10} more" if len(ports) > 10 else ""
    return f"this user cannot see which {what} listens on port {', '.join(map(str, ports[:10]))}{more}"


# What ss says


def parse_ss(text: str) -> Iterator[Socket]:
    """Read the output of `ss -H -tlnp --cgroup`; a header and other lines are passed over."""
    for line in text.splitlines():
        words = line.split()
        if len(words) < 5 or words[0] != "LISTEN":
            continue
        host, _, port = words[3].rpartition(":")
        group = CGROUP.search(line)
        yield Socket(
            address=plain_address(host),
            port=int(port),
            # the root group says only that the kernel kept no group
            cgroup=group[1] if group and group[1] != "/" else None,
            processes=tuple(sorted((int(pid), name) for name, pid in USERS.findall(line))),
        )


def plain_address(text: str) -> str:
    """Return the address that ss means.

    `*` and the unbracketed `::` of older versions are both families; `[::]` is IPv6 alone; a zone is left out.

    >>> [plain_address(text) for text in ("*", "::", "[::]", "127.0.0.53%lo", "[::ffff:127.0.0.1]")]
    ['', '', '::', '127.0.0.53', '127.0.0.1']
    """
    if text in ("*", "::"):
        return ""
    return text.split("%")[0].strip("[]").removeprefix("::ffff:")


# What /proc says


def read_proc() -> list[Socket]:
    """Read the listening sockets without ss: whoever's descriptors this user may read is named as the process."""
    holders: dict[str, list[tuple[int, str]]] = {}
    for process in PROC.glob("[0-9]*"):
        for inode in socket_inodes(process):
            holders.setdefault(inode, []).append((int(process.name), read(process / "comm").strip()))
    return [
        replace(one, processes=tuple(sorted(set(holders.get(inode, ())))))
        for table in ("tcp", "tcp6")
        for inode, one in parse_proc(read(PROC / "net" / table))
    ]


def parse_proc(text: str) -> Iterator[tuple[str, Socket]]:
    """Read /proc/net/tcp or tcp6: the inode of each listening socket, and the socket."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if words[3] == "0A":  # TCP_LISTEN
            host, _, port = words[1].partition(":")
            yield words[9], Socket(address=hex_address(host), port=int(port, 16))


def hex_address(text: str) -> str:
    """Return the address behind the words of /proc/net/tcp, which are in the order of this machine.

    Whether `::` also takes IPv4 is not told here; nearly always it does.
    """
    words = [bytes.fromhex(text[place : place + 8]) for place in range(0, len(text), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    address = str(ipaddress.ip_address(packed))
    return "" if address == "::" else str(getattr(ipaddress.ip_address(packed), "ipv4_mapped", None) or address)


def socket_inodes(process: Path) -> Iterator[str]:
    """Yield the inodes of the sockets that *process* holds open, as far as this user may look."""
    try:
        for descriptor in (process / "fd").iterdir():
            link = str(descriptor.readlink())
            if link.startswith("socket:["):
                yield link[8:-1]
    except OSError:  # of another user, or gone by now
        return


def group_of(socket: Socket) -> str | None:
    """Return the control group of the first process that tells one."""
    return next(filter(None, (parse_group(read(PROC / str(pid) / "cgroup")) for pid, _ in socket.processes)), None)


def parse_group(text: str) -> str | None:
    """Return the group that systemd put a process into, of all that /proc/PID/cgroup lists.

    >>> parse_group("1:name=systemd:/system.slice/cron.service\\n0::/")
    '/system.slice/cron.service'
    """
    groups = [line.split(":", 2)[2] for line in text.splitlines() if line.startswith("0::") or ":name=systemd:" in line]
    return next((group for group in groups if group != "/"), None)


# What is ours


def is_ours(socket: Socket) -> bool:
    """Say whether uplog or a child of it holds *socket*."""
    return any(is_uplog(arguments) for pid, _ in socket.processes for arguments in ancestry(pid))


def is_uplog(arguments: Sequence[str]) -> bool:
    """Say whether a command line is uplog, started as a command or as a module.

    >>> is_uplog(["/usr/bin/python3", "/opt/venv/bin/uplog", "up"]), is_uplog(["vim", "-R", "a", "uplog"])
    (True, False)
    """
    return "uplog.collector" in arguments or any(word.rpartition("/")[2] == "uplog" for word in arguments[:3])


def ancestry(pid: int) -> Iterator[list[str]]:
    """Yield the command lines of *pid* and of its parents."""
    while pid > 1:
        yield read(PROC / str(pid) / "cmdline").split("\0")
        # the name may hold blanks and brackets; the parent is the second word after the last bracket
        fields = read(PROC / str(pid) / "stat").rpartition(")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0


def read(path: Path) -> str:
    """Return the text of a file of /proc, or nothing when it is gone or closed to this user."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def by_unit(sockets: Iterable[Socket]) -> Mapping[str, list[Socket]]:
    """Group *sockets* by the unit that they belong to."""
    found: dict[str, list[Socket]] = {}
    for one in sockets:
        found.setdefault(one.unit, []).append(one)
    return found
