"""Keep a few commands running in the foreground: start, restart, and stop them together.

This is what `uplog up` does on a machine without a service manager. It knows nothing of what the commands do;
each of them can as well be a unit of systemd or a container.
"""

import ctypes
import http.client
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
FIRST_DELAY = 1.0  # seconds before the first restart; each further one waits twice as long
LONGEST_DELAY = 60.0
PROVEN = 60.0  # seconds alive, after which a command has earned the first delay again
PATIENCE = 10.0  # seconds from SIGTERM to SIGKILL
TICK = 0.25  # seconds between two looks at ports that do not answer yet
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One command to keep running, and the port of this machine that it will serve."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None  # none: that of this process
    port: int | None = None
    port_variable: str = ""  # the environment variable that moves the port
    title: str = ""  # what a browser finds at the port
    quiet: bool = False  # its standard output is of no use here; its errors are shown


@dataclass(slots=True)
class Supervised:
    """A child with its present process, or the moment at which it is started again."""

    child: Child
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    delay: float = field(default=FIRST_DELAY)


def up(children: Sequence[Child], *, record_event: Callable[[str, str], None]) -> int:
    """Run *children* until SIGINT, SIGTERM or SIGHUP; return the exit code.

    What ends is started again after 1, 2, 4 ... 60 s, and *record_event* is told its kind and detail.
    Nothing is started when a port is taken.
    """
    if problem := taken_port(children):
        print(f"uplog: {problem}", file=sys.stderr)
        return 1
    supervised = [Supervised(child) for child in children]
    with signals() as wait:
        try:
            run(supervised, wait, record_event)
        finally:
            stop(supervised, wait)
    return 0


def taken_port(children: Sequence[Child]) -> str | None:
    """Say which port of *children* cannot be had, and what moves it."""
    seen: set[int] = set()
    for child in children:
        if child.port is None:
            continue
        problem = "is in use" if child.port in seen else cannot_bind(child.port)
        if problem:
            return f"port {child.port} {problem}; set {child.port_variable} to another one"
        seen.add(child.port)
    return None


def cannot_bind(port: int) -> str | None:
    """Try *port* on loopback and say what is wrong with it."""
    with closing(socket.socket()) as probe:
        # as servers do: connections of an earlier run that linger in TIME_WAIT are no hindrance
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError:
            return "is not allowed for this user"
        except OSError:
            return "is in use"
    return None


@contextmanager
def signals() -> Iterator[Callable[[float], set[int]]]:
    """Turn signals into values: the function given waits so many seconds at most and returns what came."""
    inbox, outbox = socket.socketpair()
    inbox.setblocking(False)
    outbox.setblocking(False)

    def wait(seconds: float) -> set[int]:
        select.select([inbox], [], [], max(seconds, 0))
        with suppress(BlockingIOError):
            return set(inbox.recv(4096))
        return set()

    numbers = {*STOPPING, signal.SIGCHLD}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        numbers.remove(signal.SIGHUP)  # started with nohup
    old_fd = signal.set_wakeup_fd(outbox.fileno(), warn_on_full_buffer=False)
    # handlers that do nothing: Python then writes the number to the wakeup descriptor, and exec resets them in a child
    old = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield wait
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_fd)
        inbox.close()
        outbox.close()


def run(
    supervised: Sequence[Supervised], wait: Callable[[float], set[int]], record_event: Callable[[str, str], None]
) -> None:
    """Start, watch and restart until a signal says stop."""
    silent = [one.child for one in supervised if one.child.port]
    while True:
        now = time.monotonic()
        for one in supervised:
            tend(one, now, record_event)
        if silent and not (silent := [child for child in silent if not answers(child)]):
            announce([one.child for one in supervised])
        if wait(TICK if silent else until_next(supervised)) & STOPPING:
            return


def tend(one: Supervised, now: float, record_event: Callable[[str, str], None]) -> None:
    """Start *one* when that is due; when it has just ended, plan its restart and say so."""
    if one.process is None and now >= one.due:
        one.process, one.started = start(one.child), now
    elif one.process is not None and (code := one.process.poll()) is not None:
        one.process = None
        if now - one.started >= PROVEN:
            one.delay = FIRST_DELAY
        one.due = now + one.delay
        tell(record_event, f"{one.child.name} {ended(code)}; started again in {one.delay:.0f} s")
        one.delay = min(2 * one.delay, LONGEST_DELAY)


def until_next(supervised: Sequence[Supervised]) -> float:
    """Count the seconds until a restart is due; a child's end comes as a signal, the rest is for safety."""
    now = time.monotonic()
    return min((one.due - now for one in supervised if one.process is None), default=LONGEST_DELAY)


def start(child: Child) -> subprocess.Popen[bytes]:
    """Start *child* so that Ctrl-C reaches only us, and our sudden death reaches it."""
    return subprocess.Popen(
        child.argv,
        env=child.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if child.quiet else None,
        process_group=0,
        preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509  this process has one thread
    )


def dies_with(parent: int) -> Callable[[], None] | None:
    """Return what a new child calls so that the kernel kills it when *parent* is gone."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up here: nothing may be loaded between fork and exec

    def call() -> None:
        # SIGKILL: a child whose supervisor was killed must not keep its port by ignoring something gentler
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return call


def ended(code: int) -> str:
    """Say how a process ended.

    >>> ended(1), ended(-9)
    ('ended with exit code 1', 'was ended by SIGKILL')
    """
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def tell(record_event: Callable[[str, str], None], detail: str) -> None:
    """Log and record *detail*; a record that fails must not end the supervision."""
    log.warning(detail)
    try:
        record_event("restart", detail)
    except Exception:
        log.exception("the event could not be stored")


def answers(child: Child) -> bool:
    """Tell whether a page can be had at the port of *child*."""
    connection = http.client.HTTPConnection(LOOPBACK, child.port, timeout=1)
    with closing(connection), suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/")
        return connection.getresponse().status < 400
    return False


def announce(children: Sequence[Child]) -> None:
    """Print the addresses on one line."""
    addresses = (f"{child.title} http://{LOOPBACK}:{child.port}/" for child in children if child.port)
    print("uplog:", "  ".join(addresses), " (Ctrl-C stops)", flush=True)


def stop(supervised: Sequence[Supervised], wait: Callable[[float], set[int]]) -> None:
    """End all at once: SIGTERM, some patience, then SIGKILL for them and what they started."""
    alive = [one.process for one in supervised if one.process]
    for process in alive:
        process.terminate()
    deadline = time.monotonic() + PATIENCE
    while (alive := [process for process in alive if process.poll() is None]) and time.monotonic() < deadline:
        wait(deadline - time.monotonic())
    for process in alive:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
