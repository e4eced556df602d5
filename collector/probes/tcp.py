"""Ask whether a port accepts connections."""

import asyncio
import socket

from ..model import Check, ProbeFailed, Reading, Reason
from .shared import addresses, not_connected

PROVES_LITTLE = (Reason.UNREACHABLE, Reason.TIMEOUT)


async def probe_tcp(check: Check) -> Reading:
    """Connect to *check*'s target, `host:port` or `tcp://host:port`, and hang up."""
    host, port = address_of(check.target)
    failures = []
    for address in await addresses(host):
        try:
            await connect(address, port)
            return Reading()
        except OSError as error:
            failures.append(not_connected(error, address))
    # of several addresses, one that refused tells more than one that could not be reached
    raise min(failures, key=lambda failed: failed.reason in PROVES_LITTLE)


def address_of(target: str) -> tuple[str, int]:
    """Split *target* into host and port.

    >>> address_of("tcp://[::1]:6379"), address_of("db.example:5432")
    (('::1', 6379), ('db.example', 5432))
    """
    host, _, port = target.removeprefix("tcp://").rstrip("/").rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ProbeFailed(Reason.LOCAL_ERROR, "the target of a tcp check is host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def connect(address: str, port: int) -> None:
    """Open a connection and close it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
