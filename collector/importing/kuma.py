"""Uptime Kuma 1 and 2: `kuma.db`.

Tables and columns: monitor (id, name, type, interval, retry_interval, maxretries, parent), heartbeat (id, monitor_id,
status, time, ping, msg), in version 2 also stat_minutely, stat_hourly and stat_daily (monitor_id, timestamp, up, down).
`heartbeat.status` is 0 down, 1 up, 2 pending, 3 maintenance; `time` is UTC without saying so (db/knex_init_db.js,
db/knex_migrations/2023-08-16-0000-create-uptime.js, server/model/monitor.js).

A pending beat failed, but fewer times than `maxretries` allowed then; a beat that is down is Kuma's own verdict. Version 2
keeps every beat of a day; of older ones those at which the state changed, so that the time between is not known, and
sums. Sums say how often it was up in an hour or a day, and never when: no observation is made of them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

from ..model import MS, UNMEASURED, Outcome, Reason, Window
from .past import Asked, Maintained, Named, Past, Row, Skipped, failure, moment, rule
from .sqlite import columns, opened

NEVER = 1_000  # failures in a row, more than anybody retries
DOWN, UP, PENDING, MAINTENANCE = range(4)
SUMS = {"stat_minutely": "a minute", "stat_hourly": "an hour", "stat_daily": "a day"}
STATUS = re.compile(r"status code (\d{3})\b|^(\d{3}) - ")

Beat = tuple[int, int, object, object, object, object]  # id, monitor, status, time, ping, msg
_Monitor = tuple[int, object, object, object, object, object, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """What is asked: the interval and the pause between retries in seconds."""

    id: int
    name: str
    group: str = ""
    type: str = "http"
    interval: int = 60
    retry_interval: int = 0
    retries: int = 0

    @property
    def every(self) -> int:
        """The longest time between two beats, in ms."""
        return 1000 * max(self.interval, self.retry_interval if self.retries else 0, 1)


def read(path: Path, _: datetime) -> Iterator[Row]:
    """Read the database *path*."""
    with opened(path) as db:
        known = columns(db, "monitor")
        wanted = [name if name in known else f"null as {name}" for name in ("retry_interval", "parent")]
        monitors = db.execute(
            f"select id, name, type, interval, maxretries, {', '.join(wanted)} from monitor order by id"
        ).fetchall()
        beats = db.execute(
            "select id, monitor_id, status, time, ping, msg from heartbeat order by monitor_id, time, id"
        )
        known_monitors = named(monitors)
        yield from rows(known_monitors, beats)
        for table, what in SUMS.items():
            if columns(db, table):
                counts = db.execute(f"select monitor_id, count(*) from {table} group by 1").fetchall()
                yield from sums(known_monitors, counts, table, what)


def named(monitors: Iterable[_Monitor]) -> dict[int, Monitor]:
    """Make monitors of rows (id, name, type, interval, maxretries, retry_interval, parent), each with a name of its own.

    >>> [one.name for one in named([(1, "Web", "http", 60, 0, 0, None), (2, "Web", "ping", 60, 0, 0, None)]).values()]
    ['Web', 'Web (2)']
    """
    given = list(monitors)
    names = {row[0]: str(row[1] or "").strip() for row in given}
    found: dict[int, Monitor] = {}
    for number, _, kind, interval, retries, pause, parent in given:
        name = names[number]
        repeated = any(one.name == name for one in found.values())
        found[number] = Monitor(
            id=number,
            name=f"{name} ({number})".strip() if repeated or not name else name,
            group=names.get(parent, "") if isinstance(parent, int) else "",
            type=str(kind),
            interval=_number(interval, 60),
            retry_interval=_number(pause, 0),
            retries=_number(retries, 0),
        )
    return found


def rows(monitors: Mapping[int, Monitor], beats: Iterable[Beat]) -> Iterator[Row]:
    """Tell the history that *beats*, by monitor and time, make; a stretch of maintenance becomes a window."""
    for number, of_one in groupby(beats, key=lambda beat: beat[1]):
        monitor = monitors.get(number)
        if monitor is None:
            gone = sum(1 for _ in of_one)
            yield Skipped(service=f"monitor {number}", why="its monitor was deleted", where="heartbeat", rows=gone)
        elif monitor.type == "group":
            only = sum(1 for _ in of_one)
            yield Skipped(service=monitor.name, why="is a group: its monitors are told", where="heartbeat", rows=only)
        else:
            yield Named(service=monitor.name, group=monitor.group)
            yield from windows(monitor, history(monitor, of_one))


def history(monitor: Monitor, beats: Iterable[Beat]) -> Iterator[Past | Skipped]:
    """Tell the beats of one monitor, oldest first. What is down is so at once; what is pending never, by itself."""
    verdict = Asked(every=monitor.every, rule=rule(1, monitor.every))
    pending = replace(verdict, rule=rule(NEVER, monitor.every))
    for number, _, status, time, ping, said in beats:
        try:
            at = moment(str(time))
        except ValueError as error:
            yield Skipped(service=monitor.name, why=f"{error}".partition(", got")[0], where=f"heartbeat:{number}")
            continue
        if status not in (DOWN, UP, PENDING, MAINTENANCE):
            why = "its status is none of Uptime Kuma's: 0, 1, 2, 3"
            yield Skipped(service=monitor.name, why=why, where=f"heartbeat:{number}")
            continue
        code, text = _code(str(said or "")), str(said or "")
        yield Past(
            service=monitor.name,
            at=at,
            outcome=OUTCOMES[int(str(status))],
            took=_took(ping),
            reason=failure(code, text) if status in (DOWN, PENDING) else PAUSED.get(int(str(status))),
            code=code,
            asked=pending if status == PENDING else verdict,
        )


OUTCOMES = (Outcome.FAIL, Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN)
PAUSED = {MAINTENANCE: Reason.PAUSED}


def windows(monitor: Monitor, told: Iterable[Past | Skipped]) -> Iterator[Row]:
    """Yield *told*, with a window from each first beat of a maintenance to the beat after it."""
    begun: datetime | None = None
    last: Past | None = None
    for one in told:
        if isinstance(one, Past):
            if one.reason is Reason.PAUSED:
                begun = begun or one.at
            elif begun:
                yield Maintained(service=monitor.name, window=Window(start=begun, end=one.at))
                begun = None
            last = one
        yield one
    if begun and last:
        yield Maintained(service=monitor.name, window=Window(start=begun, end=last.at + monitor.every * MS))


def sums(
    monitors: Mapping[int, Monitor], counts: Iterable[tuple[int, int]], table: str, what: str
) -> Iterator[Skipped]:
    """Say of how many minutes, hours or days there is no more than sums."""
    for number, count in counts:
        name = monitors[number].name if number in monitors else f"monitor {number}"
        why = f"sums of {what} say how often, not when"
        yield Skipped(service=name, why=why, where=table, rows=count)


def _number(value: object, otherwise: int) -> int:
    return int(value) if isinstance(value, int | float) else otherwise


def _took(ping: object) -> int:
    return round(ping) if isinstance(ping, int | float) and ping >= 0 else UNMEASURED


def _code(said: str) -> int | None:
    found = STATUS.search(said)
    return int(found[1] or found[2]) if found else None
