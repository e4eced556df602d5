"""Names to addresses by the system's resolver, in daemon threads of our own.

A lookup that is stuck cannot be cancelled: the threads of asyncio's pool are few, and the process would wait
for them when it ends.
"""

import asyncio
import errno
import queue
import socket
import threading
from contextlib import suppress

from ..judge import is_address
from ..model import ProbeFailed, Reason

MOST_THREADS = 64
RESOLV_CONF = "/etc/resolv.conf"
NO_ROUTE = {errno.ENETUNREACH, errno.ENETDOWN, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}  # the last two: no IPv6 here

Found = list[str] | ProbeFailed


class Names:
    """The names of one cycle: each is looked up once, whatever the number of those who ask."""

    def __init__(self) -> None:
        self._found: dict[str, asyncio.Future[Found]] = {}

    async def addresses(self, host: str) -> list[str]:
        """Return the addresses of *host* that this machine has a route to; raise ProbeFailed when there are none."""
        future = self._found.get(host)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._found[host] = loop.create_future()
            THREADS.look_up(host, loop, future)
        found = await asyncio.shield(future)  # one who gives up does not end it for the others
        if isinstance(found, ProbeFailed):
            raise found.with_traceback(None)
        return found

    def close(self) -> None:
        """Forget what is still being looked up."""
        for future in self._found.values():
            future.cancel()


class Threads:
    """A bounded number of threads that look names up, started as they are needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[tuple[str, asyncio.AbstractEventLoop, asyncio.Future[Found]]]
        self._jobs = queue.SimpleQueue()

    def look_up(self, host: str, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[Found]") -> None:
        """Give *future*, which belongs to *loop*, the addresses of *host*."""
        self._jobs.put((host, loop, future))
        with self._lock:
            if not self._idle.acquire(blocking=False) and self._started < self._most:
                self._started += 1
                threading.Thread(target=self._work, name=f"lookup-{self._started}", daemon=True).start()

    def _work(self) -> None:
        while True:
            host, loop, future = self._jobs.get()
            if not future.cancelled():
                found = look_up(host)
                with suppress(RuntimeError):  # the loop that asked has ended
                    loop.call_soon_threadsafe(_settle, future, found)
            self._idle.release()


def _settle(future: "asyncio.Future[Found]", found: Found) -> None:
    if not future.done():
        future.set_result(found)


THREADS = Threads(MOST_THREADS)


def look_up(host: str) -> Found:
    """Ask the system's resolver for *host*, for as long as that takes."""
    try:
        infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return ProbeFailed(Reason.DNS, (error.strerror or "").lower(), no_route=not resolvers_routed())
    except (OSError, ValueError) as error:  # a label that is too long, or no name at all
        return ProbeFailed(Reason.DNS, f"not a name that can be looked up: {type(error).__name__}")
    every = list(dict.fromkeys(str(info[4][0]) for info in infos))
    usable = [address for address in every if routed(address)]
    if not usable:
        return ProbeFailed(Reason.UNREACHABLE, "this machine has no route there", no_route=True)
    return usable


def routed(address: str) -> bool:
    """Ask the kernel whether it has a route to *address*; connecting a datagram socket sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 53))
    except OSError as error:
        return error.errno not in NO_ROUTE
    return True


def resolvers_routed() -> bool:
    """Tell whether any of the resolvers that this machine is told to use can be reached at all."""
    try:
        with open(RESOLV_CONF, encoding="utf-8", errors="replace") as file:
            words = [line.split() for line in file]
    except OSError:
        return True  # the resolver library falls back to this machine
    servers = [line[1] for line in words if line[:1] == ["nameserver"] and is_address(line[-1])]
    return not servers or any(routed(server) for server in servers)
