"""Older rows: what comes in after newer things were recorded, from an import or from a spool."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import islice

from .moving import A_DAY_AND_MORE, FOREVER_MS, gather, keep_latency, move_days, over
from .record import event, follow
from .upkeep import horizon_of, replay

AT_ONCE = 1_000  # rows

Row = tuple[int, int, int, int]  # series, at_ms, took, said


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What became of the rows of a check."""

    rows: int  # that are in the record now
    new: int  # of moments at which the check had said nothing
    left_out: int  # from before the horizon of pruning
    first_ms: int  # of those in the record


def keep_older(
    db: sqlite3.Connection, rows: Iterable[tuple[int, Iterable[Row]]], zone: tzinfo, now: datetime
) -> dict[int, Put]:
    """Write *rows* of checks, by their ids, at their own moments, and derive again all that follows from them.

    A check says one thing at one moment: a row takes the place of another of the same moment. What is not recent is
    left out, with an event.
    """
    gather(db)
    kept = {check: _put(db, check, asked) for check, asked in rows}
    changed: dict[int, int] = {}
    for check, put in kept.items():
        if put.rows:
            replay(db, check)
            service = db.execute("select service_id from _check where id = ?", (check,)).fetchone()[0]
            first_s = put.first_ms // 1000
            changed[service] = min(first_s, changed.get(service, first_s))
    follow(db, dict.fromkeys(changed, 0), zone, now)
    move_days(db)
    over_s = over(db)
    for service, first_s in changed.items():
        keep_latency(db, first_s - A_DAY_AND_MORE, over_s, service)
    left_out = sum(put.left_out for put in kept.values())
    if left_out:
        event(db, now, "too_old", f"{left_out} rows from before the horizon of pruning were left out")
    return kept


def _put(db: sqlite3.Connection, check: int, rows: Iterable[Row]) -> Put:
    """Write *rows* of a check, but those from before the horizon of pruning: from them nothing follows any more."""
    horizon_ms = horizon_of(db, check)
    before, others = _count(db, check), _spoken(db, check)
    asked = kept = 0
    first_ms = FOREVER_MS
    for batch in _batches(rows):
        recent = [row for row in batch if row[1] >= horizon_ms]
        moments = [(other, at_ms) for series, at_ms, _, _ in recent for other in others if other != series]
        db.executemany("delete from _observation where series = ? and at_ms = ?", moments)
        db.executemany("insert or replace into _observation values (?, ?, ?, ?)", recent)
        asked, kept = asked + len(batch), kept + len(recent)
        first_ms = min(first_ms, *(at_ms for _, at_ms, _, _ in recent), FOREVER_MS)
    return Put(rows=kept, new=_count(db, check) - before, left_out=asked - kept, first_ms=first_ms)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    ahead = iter(rows)
    while batch := list(islice(ahead, AT_ONCE)):
        yield batch


def _count(db: sqlite3.Connection, check: int) -> int:
    found: int = db.execute(
        "select count(*) from _series e cross join _observation o on o.series = e.id where e.check_id = ?", (check,)
    ).fetchone()[0]
    return found


def _spoken(db: sqlite3.Connection, check: int) -> list[int]:
    """Return the series of a check that have rows."""
    rows = db.execute(
        """
        select id from _series e
        where check_id = ? and exists (select 1 from _observation where series = e.id)
        """,
        (check,),
    )
    return [number for (number,) in rows]
