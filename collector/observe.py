"""Ask many checks at once: the deadline, the stopwatch, the slots, and every exception made an answer."""

import asyncio
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from . import __version__
from .model import UNMEASURED, Answer, Check, ProbeFailed, Reading, Reason
from .probes import PROBES, Probe
from .probes.lookup import resolvers_routed
from .probes.shared import CHECK, CYCLE, PROGRESS, Cycle, Progress

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

CONCURRENCY = 64
AGENT = f"Mozilla/5.0 (compatible; uplog/{__version__}; +https://github.com/uplog/uplog)"
MOST_TEXT = 500
SPARE_FILES = 16  # for the database, its journals, logs, and the pipes of a child process

BEAT_S = 0.25
STILL_S = 1.0  # an event loop that was away for longer could not hear an answer in time

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


def since_boot() -> float:
    """Count the seconds since the machine was started, where the kernel can tell with those it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


class Beat:
    """The beat of an event loop: it shows a sleep of the machine, a stop of the process, and a loop that was blocked."""

    def __init__(self, clocks: Callable[[], tuple[float, float]] = lambda: (since_boot(), time.time())) -> None:
        self._clocks = clocks  # that go on whatever happens to this process
        self._newest = clocks()
        self._pauses = 0

    def pauses(self) -> int:
        """Count how often nobody listened for more than a second, up to now."""
        before, self._newest = self._newest, self._clocks()
        if max(self._newest[0] - before[0], self._newest[1] - before[1]) > STILL_S:
            self._pauses += 1
        return self._pauses

    async def keep(self) -> None:
        """Go on counting."""
        while True:
            self.pauses()
            await asyncio.sleep(BEAT_S)


class Stopped(Exception):  # noqa: N818  a request, not an error
    """Asking was stopped before it was done."""


class Local:
    """The engine that asks from this process: `ask(checks)` gives an answer for each, in their order."""

    def __init__(
        self,
        *,
        concurrency: int = CONCURRENCY,
        agent: str = AGENT,
        probes: Mapping[str, str | Probe] = PROBES,
        clock: Clock = utc_now,
    ) -> None:
        self._concurrency = concurrency
        self._agent = agent
        self._probes = probes
        self._clock = clock
        self._lock = threading.RLock()  # stop() may run in a signal handler, on top of what it stops
        self._stopped = False
        self._running: set[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = set()

    def __call__(self, checks: Sequence[Check]) -> list[Answer]:
        """Ask all *checks*, on an event loop of this call's own; raise Stopped when stop() came first."""
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(self._ask(checks))

    def stop(self) -> None:
        """Cancel what is in flight in every thread, now and for good."""
        with self._lock:
            self._stopped = True
            for loop, task in list(self._running):
                loop.call_soon_threadsafe(task.cancel)

    async def _ask(self, checks: Sequence[Check]) -> list[Answer]:
        running = (asyncio.get_running_loop(), cast(asyncio.Task[Any], asyncio.current_task()))
        with self._lock:
            if self._stopped:
                raise Stopped
            self._running.add(running)
        try:
            return await observe(
                checks, concurrency=self._concurrency, agent=self._agent, probes=self._probes, clock=self._clock
            )
        except asyncio.CancelledError:
            if self._stopped:
                raise Stopped from None
            raise
        finally:
            with self._lock:
                self._running.remove(running)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the event loop: uvloop's where the extra is installed, a tenth faster, else Python's."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def observe(
    checks: Sequence[Check],
    *,
    concurrency: int = CONCURRENCY,
    agent: str = AGENT,
    probes: Mapping[str, str | Probe] = PROBES,
    clock: Clock = utc_now,
) -> list[Answer]:
    """Ask all *checks*, at most *concurrency* at once, and return their answers in the same order."""
    answers: dict[int, Answer] = {}
    await ask_each(checks, answers.__setitem__, concurrency=concurrency, agent=agent, probes=probes, clock=clock)
    return [answers[place] for place in range(len(checks))]


async def ask_each(
    checks: Sequence[Check],
    tell: Callable[[int, Answer], None],
    *,
    concurrency: int = CONCURRENCY,
    agent: str = AGENT,
    probes: Mapping[str, str | Probe] = PROBES,
    clock: Clock = utc_now,
) -> None:
    """Ask all *checks*, at most *concurrency* at once, and *tell* the place and the answer of each when it comes."""
    waiting = iter(enumerate(checks))
    ready = {kind: loaded(probes, kind) for kind in {check.kind for check in checks}}

    async def work() -> None:
        for place, check in waiting:
            tell(place, await attempt(check, ready[check.kind], clock, beat))

    cycle = Cycle(agent)
    CYCLE.set(cycle)
    beat = Beat()
    beating = asyncio.create_task(beat.keep())
    try:
        # a task for each check would cost three times the processor time of workers that pull
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(slots(concurrency), len(checks))):
                workers.create_task(work())
    finally:
        beating.cancel()
        await cycle.close()


async def attempt(check: Check, probe: Probe, clock: Clock, beat: Beat) -> Answer:
    """Ask once, until the deadline of *check*, which begins now; whatever happens is an answer.

    If nobody listened for a while, a failure is ours, and what passed was not measured.
    """
    progress = Progress()
    CHECK.set(check)
    PROGRESS.set(progress)
    pauses = beat.pauses()
    at, start = clock(), time.perf_counter()
    try:
        async with asyncio.timeout(check.timeout / 1000):
            reading = await probe(check)
    except ProbeFailed as error:
        failed = error
    except TimeoutError:
        failed = too_late(check, progress)
    except Exception as error:
        log.exception("the %s probe broke while it asked %s", check.kind, check.key)
        failed = ProbeFailed(Reason.LOCAL_ERROR, f"the {check.kind} probe broke: {type(error).__name__}")
    else:
        took = ms_since(start) if beat.pauses() == pauses else UNMEASURED
        return Answer(check=check, at=at, took=took, reading=reading)
    if beat.pauses() != pauses:
        text = (
            f"nobody listened for the answer: the machine slept, or uplog stood still ({progress.hidden(failed.text)})"
        )
        return Answer(check=check, at=at, took=UNMEASURED, reason=Reason.MONITOR_ASLEEP, text=text[:MOST_TEXT])
    return Answer(
        check=check,
        at=at,
        took=ms_since(start),
        reason=failed.reason,
        text=progress.hidden(failed.text)[:MOST_TEXT],
        no_route=failed.no_route,
        received=progress.received,
    )


def ms_since(start: float) -> int:
    """Return the ms since *start*, a reading of the stopwatch."""
    return round((time.perf_counter() - start) * 1000)


def too_late(check: Check, progress: Progress) -> ProbeFailed:
    """Say what was missing when the deadline fell."""
    limit = f"{check.timeout / 1000:g} s"
    if progress.resolving:
        return ProbeFailed(Reason.DNS, f"the name was not resolved within {limit}", no_route=not resolvers_routed())
    if progress.received:
        return ProbeFailed(Reason.TIMEOUT, f"no complete answer within {limit}")
    return ProbeFailed(Reason.TIMEOUT, f"no answer within {limit}")


def loaded(probes: Mapping[str, str | Probe], kind: str) -> Probe:
    """Return the probe for *kind*, or one that says why there is none."""
    try:
        found = probes[kind]
        if not isinstance(found, str):
            return found
        module, _, name = found.partition(":")
        return cast(Probe, getattr(importlib.import_module(module), name))
    except KeyError:
        return cannot(f"there is no probe of kind {kind}")
    except Exception as error:  # a broken probe is the end of its own checks only
        log.exception("the %s probe cannot be loaded", kind)
        return cannot(f"the {kind} probe cannot be loaded: {type(error).__name__}")


def cannot(why: str) -> Probe:
    """Make a probe that always says *why* it cannot ask."""

    async def probe(check: Check) -> Reading:
        raise ProbeFailed(Reason.LOCAL_ERROR, why)

    return probe


def slots(concurrency: int) -> int:
    """Return how many attempts may be in flight with the files that this process may still open.

    Each may hold two: its connection and a lookup's, or the connection before a redirect that is being closed.
    """
    if resource is None:
        return concurrency
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return concurrency
    try:
        used = len(os.listdir("/dev/fd"))
    except OSError:
        used = SPARE_FILES
    return max(1, min(concurrency, (most - used - SPARE_FILES) // 2))
