"""What several test files share."""

import gc
import itertools
import os
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from uplog.collector.model import Check, Observation, Outcome, Reason

T0 = datetime(2026, 11, 1, tzinfo=UTC)
SAYS = {"+": Outcome.PASS, "!": Outcome.WARN, "-": Outcome.FAIL, "?": Outcome.UNKNOWN}
WHY = {"+": None, "!": Reason.SLOW, "-": Reason.TIMEOUT, "?": Reason.MONITOR_OFFLINE}


def a_check(**changes: object) -> Check:
    """Make a check that asks every minute."""
    return Check(
        **{
            "key": "config//web/http/",
            "service": "config//web",
            "kind": "http",
            "target": "http://127.0.0.1/",
            **changes,
        }
    )  # type: ignore[arg-type]


def ports_of_ours() -> Iterator[int]:
    """Go round the ports that belong to this worker of the tests alone, from any of them on."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 7
    ours = range(29_000 + 500 * worker, 29_500 + 500 * worker)  # the kernel gives those from 32768 on to anybody
    begin = random.SystemRandom().randrange(len(ours))
    return itertools.cycle([*ours[begin:], *ours[:begin]])


PORTS = ports_of_ours()


def free_port() -> int:
    """Return a port of loopback that nobody listens at now, and nobody will before the test does."""
    for port in itertools.islice(PORTS, 500):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("none of our ports is free")


def open_files() -> set[tuple[str, str]]:
    """Return what this process holds open: each number with what it stands for.

    What an earlier test let go of is closed first. It may still go between two looks, so that only what is new in the
    second one tells of a leak.
    """
    gc.collect()
    held = set()
    for number in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing itself was open
            held.add((number.name, os.readlink(number)))
    return held


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def saw(pattern: str, check: Check | None = None, start: datetime = T0) -> Iterator[Observation]:
    """Draw a history: one sign an interval, `+` pass, `!` warn, `-` fail, `?` unknown, a space for silence."""
    check = check or a_check()
    for place, sign in enumerate(pattern):
        if sign != " ":
            when = start + place * timedelta(milliseconds=check.every)
            yield Observation(check=check.key, at=when, outcome=SAYS[sign], took=12, reason=WHY[sign])
