"""`uplog watch`: the same cycle on a schedule, until it is told to stop.

What is due is decided from the database, a second at a time; a slow answer holds up its own tick only.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Condition
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from .catalog import Due, Pace
from .config import Config
from .cycle import Ask, Clock, Find, cycle, discover, find_now
from .observe import Stopped
from .store import Store, record, upkeep

log = logging.getLogger(__name__)

TICK_S = 1
TICKS_AT_ONCE = 16  # ticks that still wait for slow answers; each check is in one of them at most
LATE_S = 5  # a tick that comes later than this was held up: an event
FLOOR_MS = 10_000


class Watch:
    """A running schedule; `start` begins it, `stop` ends it and waits for writes that are under way."""

    def __init__(
        self, config: Config, store: Store, ask: Ask, clock: Clock, *, every: int, find: Find = find_now
    ) -> None:
        self.config = config
        self.store = store
        self.ask = ask
        self.clock = clock
        self.find = find
        self.pace = Pace(every=max(FLOOR_MS, every), spread=True)
        self.row: tuple[int, int] | None = None  # this minute, and its row in runs
        self.ticked: datetime | None = None
        self.told: datetime | None = None
        self.traffic = _Traffic()
        # one second of misfire grace is the default, and a late job would be dropped in silence
        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self.scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults=defaults, executors={"default": ThreadPoolExecutor(TICKS_AT_ONCE + 2)}
        )
        self.scheduler.add_listener(self._heard, EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR)

    def start(self) -> None:
        """Find services once, then begin the schedule."""
        discover(self.config, self.store, self.clock(), self.find, self.pace)
        add = self.scheduler.add_job
        add(self.tick, "interval", seconds=TICK_S, id="tick", max_instances=TICKS_AT_ONCE)
        add(self.rediscover, "interval", seconds=self.config.discover_every / 1000, id="discover")
        add(self.tidy, "interval", minutes=1, id="tidy")
        self.scheduler.start()

    def stop(self) -> None:
        """End the schedule; whatever is in flight is given up, whatever is being written is finished."""
        self.scheduler.shutdown(wait=True)

    def tick(self) -> None:
        """Ask what is due now and not being asked already."""
        now = self.clock()
        self._notice_lateness(now)
        claimed: list[Due] = []

        def claim(due: Sequence[Due]) -> Sequence[Due]:
            claimed.extend(self.traffic.enter(due))
            return claimed

        try:
            minute, row = self.row or (0, 0)
            this = int(now.timestamp()) // 60
            report = cycle(
                self.config,
                self.store,
                self.ask,
                self.clock,
                pace=self.pace,
                trigger="watch",
                run=row if this == minute else None,
                find=None,
                claim=claim,
            )
            if report.run is not None:
                self.row = (this, report.run)
            for flip in report.flips:
                log.info(
                    "%s is %s since %s%s", flip.check, flip.state, flip.at, f": {flip.reason}" if flip.reason else ""
                )
        except Stopped:
            pass
        finally:
            self.traffic.leave(claimed)

    def rediscover(self) -> None:
        """Look for services again."""
        discover(self.config, self.store, self.clock(), self.find, self.pace)

    def tidy(self) -> None:
        """Move days that are over, while nothing is being asked."""
        with self.traffic.stopped(), self.store.writing() as db:
            upkeep.move_days(db)

    def _notice_lateness(self, now: datetime) -> None:
        """Write an event when ticks were held up, once a minute at most."""
        before, self.ticked = self.ticked, now
        if before is None or now - before < timedelta(seconds=LATE_S):
            return
        self._event("late", f"nothing was asked for {(now - before) // timedelta(seconds=1)} s")

    def _heard(self, event: JobEvent) -> None:
        """Keep in the record what the scheduler says of its jobs."""
        error: Any = getattr(event, "exception", None)
        if error is not None:
            log.error("the job %s failed: %s", event.job_id, error)
            self._event("job_failed", f"{event.job_id}: {error}")
            return
        self._event("overlapping", f"{event.job_id}: the one before is still running")

    def _event(self, kind: str, detail: str) -> None:
        now = self.clock()
        if self.told is not None and now - self.told < timedelta(minutes=1):
            return
        self.told = now
        try:
            with self.store.writing() as db:
                record.event(db, now, kind, detail)
        except Exception:
            log.exception("could not keep the event %s: %s", kind, detail)


class _Traffic:
    """Which checks are in flight, and a moment without any."""

    def __init__(self) -> None:
        self.condition = Condition()
        self.keys: set[str] = set()
        self.closed = False

    def enter(self, due: Sequence[Due]) -> list[Due]:
        with self.condition:
            if self.closed:
                return []
            free = [one for one in due if one.check.key not in self.keys]
            self.keys.update(one.check.key for one in free)
            return free

    def leave(self, due: Sequence[Due]) -> None:
        with self.condition:
            self.keys.difference_update(one.check.key for one in due)
            self.condition.notify_all()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Wait until nothing is in flight, and let nothing begin inside."""
        with self.condition:
            self.closed = True
            self.condition.wait_for(lambda: not self.keys)
        try:
            yield
        finally:
            with self.condition:
                self.closed = False
