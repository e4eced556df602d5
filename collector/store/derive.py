"""What follows from flips, kept so that views are fast: spans, incidents, and the seconds of closed days.

Everything here can be made again from the flips at any time, and is, from the moment on at which something changed.
"""

import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from .. import history
from ..model import (
    Correction,
    Flip,
    Reason,
    Role,
    Span,
    Window,
    from_ms,
    to_ms,
)
from .codes import STATE_CODE, STATES

NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def seconds(moment: datetime) -> int:
    """Count the whole seconds from 1970 to *moment*."""
    return to_ms(moment) // 1000


def from_s(second: int) -> datetime:
    """Return the moment *second* seconds after 1970."""
    return from_ms(second * 1000)


def meta(db: sqlite3.Connection, name: str, default: str = "") -> str:
    """Return what is noted under *name*."""
    row = db.execute("select value from _meta where name = ?", (name,)).fetchone()
    return row[0] if row else default


def meta_int(db: sqlite3.Connection, name: str) -> int:
    """Return the number that is noted under *name*; 0 while there is none."""
    return int(meta(db, name, "0"))


def note(db: sqlite3.Connection, name: str, value: str) -> None:
    """Note *value* under *name*."""
    db.execute("insert or replace into _meta values (?, ?)", (name, value))


def horizon_ms(db: sqlite3.Connection) -> int:
    """Return the moment, in ms, before which rows were pruned; 0 while none was."""
    return meta_int(db, "horizon_s") * 1000


# Spans and incidents


def derive(db: sqlite3.Connection, services: Iterable[tuple[int, int]]) -> None:
    """Make spans, incidents and closed days of *services* again, each from the second that is given with it on."""
    closed_s = meta_int(db, "closed_s")
    for service, changed_s in services:
        start_s = _safe_start(db, service, changed_s)
        found = _spans(db, service, start_s)
        db.execute("delete from _span where service_id = ? and started_s >= ?", (service, start_s))
        db.executemany("insert into _span values (?, ?, ?, ?, ?, ?)", [_span_row(service, span) for span in found])
        _replace_incidents(db, service, start_s, found)
        if changed_s < closed_s:  # what a day before it counts is as it was
            close(db, changed_s, closed_s, [service])


def _safe_start(db: sqlite3.Connection, service: int, changed_s: int) -> int:
    """Go back from *changed_s* to a second from which spans can be made without knowing what was before.

    That is the start of the span before the one that changed, and of the incident that this one belongs to.
    """
    starts = db.execute(
        "select started_s from _span where service_id = ? and started_s <= ? order by started_s desc limit 2",
        (service, changed_s),
    ).fetchall()
    if len(starts) < 2:
        return 0
    incident = db.execute(
        "select min(started_s) from _incident where service_id = ? and started_s <= ? and ifnull(ended_s, ?) >= ?",
        (service, starts[1][0], changed_s, starts[1][0]),
    ).fetchone()[0]
    before: int = starts[1][0]
    return _clear_start(db, service, before if incident is None else min(before, incident))


def _clear_start(db: sqlite3.Connection, service: int, start_s: int) -> int:
    """Go back from *start_s* to a span that no correction, also one undone, and no window begins, ends or lies in.

    What is laid over joins spans that touch, and the joined one has the reason of the first: to be made again alike,
    it has to be made from there.
    """
    found: int | None = db.execute(
        """
        select max(started_s) from _span p where service_id = ?1 and started_s <= ?2
            and not exists (
                select 1 from _correction where service_id = ?1 and started_s <= p.started_s and ended_s >= p.started_s)
            and not exists (
                select 1 from _maintenance
                where service_id = ?1 and started_s <= p.started_s and ifnull(ended_s, p.started_s) >= p.started_s)
        """,
        (service, start_s),
    ).fetchone()[0]
    return found or 0


def _spans(db: sqlite3.Connection, service: int, start_s: int) -> list[Span]:
    timelines = [
        (Role(role), history.settle(flips_of(db, check, start_s)))
        for check, role in db.execute("select id, role from _check where service_id = ? order by id", (service,))
    ]
    found = history.spans(timelines, from_s(start_s))
    return history.overlay(found, corrections_of(db, service), windows_of(db, service))


def flips_of(db: sqlite3.Connection, check: int, start_s: int) -> Iterator[Flip]:
    """Read the flips of a check in the order in which they were made, from the one in force at *start_s* on."""
    rows = db.execute(
        """
        select check_id, at_s, made_ms, state, reason from _flip
        where check_id = ? and at_s >= (select ifnull(max(at_s), 0) from _flip where check_id = ? and at_s <= ?)
        order by id
        """,
        (check, check, start_s),
    )
    return (to_flip(*row) for row in rows)


def to_flip(check: int, at_s: int, made_ms: int, state: int | None, reason: str | None) -> Flip:
    """Make a flip of its row."""
    return Flip(
        check=str(check),
        at=from_s(at_s),
        state=None if state is None else STATES[state],
        reason=Reason(reason) if reason else None,
        made=from_ms(made_ms),
    )


def corrections_of(db: sqlite3.Connection, service: int) -> list[Correction]:
    """Read what people know better about *service*, oldest statement first."""
    rows = db.execute(
        "select started_s, ended_s, state, why from _correction where service_id = ? and undone_ms is null order by id",
        (service,),
    )
    return [
        Correction(start=from_s(start), end=from_s(end), state=STATES[state], why=why)
        for start, end, state, why in rows
    ]


def windows_of(db: sqlite3.Connection, service: int) -> list[Window]:
    """Read the maintenance windows of *service*."""
    rows = db.execute(
        "select started_s, ended_s, text from _maintenance where service_id = ? order by started_s", (service,)
    )
    return [
        Window(start=from_s(start), end=None if end is None else from_s(end), text=text) for start, end, text in rows
    ]


def _span_row(service: int, span: Span) -> tuple[int, int, int | None, int, str | None, int]:
    end = None if span.end is None else seconds(span.end)
    return service, seconds(span.start), end, STATE_CODE[span.state], span.reason, span.maintenance


def _replace_incidents(db: sqlite3.Connection, service: int, start_s: int, found: Sequence[Span]) -> None:
    slug = db.execute("select slug from _service where id = ?", (service,)).fetchone()[0]
    db.execute("delete from _incident where service_id = ? and started_s >= ?", (service, start_s))
    told = history.incidents(found, slug, NEVER)
    db.executemany(
        "insert or replace into _incident values (?, ?, ?, ?, ?)",
        [
            (one.id, service, seconds(one.start), None if one.end is None else seconds(one.end), one.reason)
            for one in told
        ],
    )


# Days


def make_days(db: sqlite3.Connection, zone: tzinfo, first: datetime, now: datetime) -> None:
    """Write the days of *zone* from the one of *first* to the end of the year after *now*'s, as far as missing.

    So a collector that died a year ago still has its days in the views.
    """
    end = datetime(now.astimezone(zone).year + 2, 1, 1, tzinfo=zone)
    known = db.execute("select min(started_s), max(ended_s) from _day").fetchone()
    if known[0] is not None and known[0] <= seconds(first) and known[1] >= seconds(end):
        return
    count = (end.date() - first.astimezone(zone).date()).days
    found = history.days(end, zone, count + 1)
    db.executemany(
        "insert or ignore into _day values (?, ?, ?)",
        [(label, seconds(start), seconds(following)) for (label, start), (_, following) in itertools.pairwise(found)],
    )


def today(db: sqlite3.Connection, now: datetime) -> int:
    """Return the first second of the day that *now* lies in."""
    first: int | None = db.execute("select max(started_s) from _day where started_s <= ?", (seconds(now),)).fetchone()[
        0
    ]
    return first or 0


def close_days(db: sqlite3.Connection, newest: datetime) -> int:
    """Write down the days that ended before the one of *newest*; return the second until which all is closed."""
    closed_s = meta_int(db, "closed_s")
    today_s = today(db, newest)
    if today_s > closed_s:
        close(db, closed_s, today_s)
        note(db, "closed_s", str(today_s))
    return max(today_s, closed_s)


def close(db: sqlite3.Connection, start_s: int, until_s: int, services: Sequence[int] | None = None) -> None:
    """Account for the days that end after *start_s* and up to *until_s*, of all services or of these."""
    days = db.execute(
        "select day, started_s, ended_s from _day where ended_s > ? and ended_s <= ? order by started_s",
        (start_s, until_s),
    ).fetchall()
    if not days:
        return
    borders = [from_s(started_s) for _, started_s, _ in days] + [from_s(days[-1][2])]
    if services is None:
        services = [row[0] for row in db.execute("select distinct service_id from _span")]
    for service in services:
        found = list(spans_between(db, service, days[0][1], days[-1][2]))
        told = incidents_between(db, service, days[0][1], days[-1][2])
        rows = []
        for (day, day_s, ended_s), sums in zip(days, history.accounts(found, borders), strict=True):
            if sums == history.Account():
                continue
            touching = sum(start < ended_s and (end is None or end > day_s) for start, end in told)
            rows.append(
                (
                    service,
                    day,
                    sums.up_s,
                    sums.degraded_s,
                    sums.down_s,
                    sums.unknown_s,
                    sums.maintenance_s,
                    sums.maintenance_down_s,
                    touching,
                )
            )
        db.execute(
            "delete from _uptime_day where service_id = ? and day between ? and ?", (service, days[0][0], days[-1][0])
        )
        db.executemany("insert into _uptime_day values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def spans_between(db: sqlite3.Connection, service: int, start_s: int, end_s: int) -> Iterator[Span]:
    """Read the stored spans of *service* that a window has a part of."""
    rows = db.execute(
        """
        select started_s, ended_s, state, reason, maintenance from _span
        where service_id = ? and started_s < ? and ifnull(ended_s, ?) > ? order by started_s
        """,
        (service, end_s, end_s, start_s),
    )
    for started_s, ended_s, state, reason, maintenance in rows:
        yield Span(
            start=from_s(started_s),
            end=None if ended_s is None else from_s(ended_s),
            state=STATES[state],
            reason=Reason(reason) if reason else None,
            maintenance=bool(maintenance),
        )


def incidents_between(db: sqlite3.Connection, service: int, start_s: int, end_s: int) -> list[tuple[int, int | None]]:
    """Read start and end of the incidents of *service* that a window has a part of."""
    return db.execute(
        """
        select started_s, ended_s from _incident
        where service_id = ? and started_s < ? and ifnull(ended_s, ?) > ?
        """,
        (service, end_s, end_s, start_s),
    ).fetchall()
