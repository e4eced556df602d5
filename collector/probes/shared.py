"""What the probes of one cycle share, and how far each attempt has come."""

import errno
import os
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

from ..judge import is_address
from ..model import ProbeFailed, Reason
from .lookup import Names, routed

REASONS = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
    errno.EPIPE: Reason.RESET,
    errno.ETIMEDOUT: Reason.TIMEOUT,
    # what this machine could not do says nothing about the service
    errno.EMFILE: Reason.LOCAL_ERROR,
    errno.ENFILE: Reason.LOCAL_ERROR,
    errno.ENOBUFS: Reason.LOCAL_ERROR,
    errno.ENOMEM: Reason.LOCAL_ERROR,
    errno.EADDRNOTAVAIL: Reason.LOCAL_ERROR,  # no local port is left
    errno.EACCES: Reason.LOCAL_ERROR,
    errno.EPERM: Reason.LOCAL_ERROR,  # our own packet filter
}


class Closable(Protocol):
    """Something that is closed when the cycle ends."""

    def close(self) -> Awaitable[None]: ...


Kept = TypeVar("Kept", bound=Closable)


class Cycle:
    """What the probes of one cycle share: opened when the first of them needs it, closed when the last is done."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self.names = Names()
        self._kept: dict[object, Closable] = {}

    def keep(self, make: "Callable[[Cycle], Kept]") -> Kept:
        """Return what *make* gave when it was first asked for in this cycle."""
        if make not in self._kept:
            self._kept[make] = make(self)
        return cast(Kept, self._kept[make])

    async def close(self) -> None:
        """Close all that was kept, and wait for no lookup."""
        self.names.close()
        for thing in self._kept.values():
            await thing.close()


@dataclass(slots=True)
class Progress:
    """How far an attempt has come, for when it is cut short."""

    resolving: bool = False  # a name is being looked up
    received: bool = False  # something came back from the service


CYCLE: ContextVar[Cycle] = ContextVar("cycle")
PROGRESS: ContextVar[Progress] = ContextVar("progress")


async def addresses(host: str) -> list[str]:
    """Return the addresses of *host* that this machine has a route to, in the order to try them."""
    if is_address(host):
        return [host]
    progress = PROGRESS.get()
    progress.resolving = True  # stays when the deadline falls here: that is how it is known
    found = await CYCLE.get().names.addresses(host)
    progress.resolving = False
    return found


def not_connected(error: OSError, host: str) -> ProbeFailed:
    """Say in our words why a connection to *host* failed or broke."""
    code = error.errno
    if code is None:  # asyncio makes ConnectionResetError without a number
        code = errno.ECONNRESET if isinstance(error, ConnectionError) else errno.EHOSTUNREACH
    # a router's answer looks like the kernel's own; only the second says that this machine has no way out
    no_route = code == errno.ENETUNREACH and is_address(host) and not routed(host)
    return ProbeFailed(REASONS.get(code, Reason.UNREACHABLE), os.strerror(code).lower(), no_route=no_route)
