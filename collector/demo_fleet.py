"""The services of `uplog demo`: named after those of five real fleets, with faults on a timetable.

`python -m uplog.collector.demo_fleet PORT` plays them on loopback, each at a port of its own from PORT on.
"""

import asyncio
import random
import sys
import time
from dataclasses import dataclass
from enum import Enum, auto

from aiohttp import web

from .up import LOOPBACK

SLOWDOWN = 6  # so many times longer takes a slow answer
READY = "/ready"


class Act(Enum):
    """How a service behaves for a while."""

    WELL = auto()
    SLOW = auto()
    UNREADY = auto()  # alive, and 503 from /ready
    FAILING = auto()  # 503 from everything
    HANGING = auto()  # no answer
    REFUSING = auto()  # nobody listens


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A line of the timetable, in seconds: from *start* on, *lasts* of every *period* are spent in *act*."""

    act: Act
    start: int
    lasts: int
    period: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A service that is made up; one without a path is asked by tcp."""

    name: str
    group: str
    text: str
    path: str = "/health"
    ready: bool = False  # whether it serves /ready, too
    took: int = 20  # ms that an answer takes on an ordinary day
    fault: Fault | None = None
    days: int = 90  # of history
    outages: int = 0  # in it
    slow_days: range = range(0)  # of it, counted backwards from today


REVIEW, DEFECTS, PLATFORM, NUDGE, HOME = (
    "Code review",
    "Defect detector",
    "AI platform",
    "Commit tracker",
    "Home server",
)
FLEET = (
    Made(name="auth-service", group=REVIEW, text="Signs people in", ready=True, outages=1),
    Made(
        name="project-service",
        group=REVIEW,
        text="Keeps projects; now and then not ready for traffic",
        ready=True,
        took=35,
        fault=Fault(act=Act.UNREADY, start=20, lasts=130, period=300),
        outages=3,
    ),
    Made(
        name="ai-orchestrator",
        group=REVIEW,
        text="Chooses a model; often slow",
        ready=True,
        took=140,
        fault=Fault(act=Act.SLOW, start=5, lasts=240, period=420),
        outages=4,
    ),
    Made(
        name="clf-abp-path-analysis",
        group=DEFECTS,
        text="Analyses builds; hangs for three minutes of every ten",
        took=60,
        fault=Fault(act=Act.HANGING, start=45, lasts=180, period=600),
        outages=6,
    ),
    Made(
        name="database-python-handler",
        group=DEFECTS,
        text="Talks to the database; blips of a few seconds, which cost no uptime",
        fault=Fault(act=Act.FAILING, start=15, lasts=6, period=47),  # shorter than two confirmations take
    ),
    Made(name="kong", group=PLATFORM, text="Routes requests", path="/status", took=4, outages=1),
    Made(name="grafana", group=PLATFORM, text="Draws graphs", path="/api/health", took=12, outages=2),
    Made(
        name="mlflow",
        group=PLATFORM,
        text="Tracks experiments; had a bad week",
        took=170,
        outages=2,
        slow_days=range(24, 31),
    ),
    Made(
        name="celery-worker",
        group=PLATFORM,
        text="Works off a queue; refuses connections most of the time",
        path="",
        took=0,
        fault=Fault(act=Act.REFUSING, start=10, lasts=1_000, period=1_200),
        outages=3,
    ),
    Made(name="api-gateway", group=NUDGE, text="Passes calls on", took=8),
    Made(
        name="commit-tracker",
        group=NUDGE,
        text="Counts commits; flaps",
        took=25,
        fault=Fault(act=Act.FAILING, start=25, lasts=40, period=100),
        outages=8,
    ),
    Made(name="pgadmin", group=HOME, text="Came two weeks ago", path="/misc/ping", took=45, days=14, outages=1),
)


def act(fault: Fault | None, second: float) -> Act:
    """Say how a service with *fault* behaves so many seconds after the fleet was started.

    >>> flapping = Fault(act=Act.FAILING, start=10, lasts=5, period=20)
    >>> [act(flapping, second).name for second in (0, 10, 15, 30)]
    ['WELL', 'FAILING', 'WELL', 'FAILING']
    """
    if fault is None or second < fault.start:
        return Act.WELL
    return fault.act if (second - fault.start) % fault.period < fault.lasts else Act.WELL


async def play(port: int) -> None:
    """Play the whole fleet at the ports from *port* on, until this is cancelled."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for place, made in enumerate(FLEET):
            group.create_task(play_one(made, port + place, began))


async def play_one(made: Made, port: int, began: float) -> None:
    """Listen at *port* whenever the timetable of *made* does not say that nobody does."""
    runner = web.AppRunner(application(made, began), access_log=None, handle_signals=False)
    await runner.setup()
    site: web.TCPSite | None = None
    try:
        while True:
            refusing = act(made.fault, time.monotonic() - began) is Act.REFUSING
            if refusing and site is not None:
                await site.stop()
                site = None
            elif not refusing and site is None:
                site = web.TCPSite(runner, LOOPBACK, port)
                await site.start()
            await asyncio.sleep(0.5)
    finally:
        await runner.cleanup()


def application(made: Made, began: float) -> web.Application:
    """Make the server that *made* is."""

    async def answer(request: web.Request) -> web.Response:
        doing = act(made.fault, time.monotonic() - began)
        usual = made.took / 1000 * random.uniform(0.7, 1.4)
        await asyncio.sleep({Act.SLOW: SLOWDOWN * usual, Act.HANGING: 60}.get(doing, usual))
        bad = doing is Act.FAILING or (doing is Act.UNREADY and request.path == READY)
        body = {"status": "unhealthy" if bad else "healthy", "service": made.name, "version": "1.0.0"}
        return web.json_response(body, status=503 if bad else 200)

    app = web.Application()
    for path in [made.path or "/", *([READY] if made.ready else [])]:
        app.router.add_get(path, answer)
    return app


if __name__ == "__main__":
    asyncio.run(play(int(sys.argv[1])))
