"""Record whole cycles: at once, or from the spool, exactly once."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import msgspec

from ..model import Flip, Reason, to_ms
from .derive import meta, note
from .late import Row, keep_older
from .record import Counted, Said, Seen, count_run, event, keep_text, observed, series_of

Told = Callable[[sqlite3.Connection, Sequence[Seen]], Sequence[Seen]]

REMEMBERED = timedelta(days=7)  # how long a file is remembered that was recorded, at least


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """All that one cycle gives to the record. Survives JSON."""

    counted: Counted
    seen: tuple[Seen, ...]  # oldest first
    missed: str = ""  # slots that were lost before it
    controls: tuple[str, ...] = ()  # control targets that answered for the first time


def as_it_is(db: sqlite3.Connection, seen: Sequence[Seen]) -> Sequence[Seen]:
    """Add nothing to what was seen."""
    return seen


def keep(
    db: sqlite3.Connection,
    cycle: Cycle,
    zone: tzinfo,
    *,
    told: Told = as_it_is,
    run: int | None = None,
    late: datetime | None = None,
) -> tuple[list[Flip], int]:
    """Record *cycle* inside the open write transaction, counted with *run* or one of its own.

    *told* adds rows for a time in which nobody was awake to ask. *late* is the moment at which a cycle that had to
    wait is recorded. Return the flips that were made, and the run.
    """
    seen = told(db, cycle.seen)
    if late or _somebody_is_silent(db):  # perhaps only for as long as its answer was under way: cycles overlap
        older, seen = _split(db, seen)
        if older:
            _keep_older(db, older, zone, late or cycle.counted.ended)
    flips = observed(db, seen, zone)
    run = count_run(db, run, cycle.counted)
    if cycle.missed:
        event(db, cycle.counted.started, "missed", cycle.missed)
    if cycle.controls:
        note(db, "controls", msgspec.json.encode(sorted({*proven(db), *cycle.controls})).decode())
    return flips, run


def proven(db: sqlite3.Connection) -> set[str]:
    """Return the control targets that ever answered; the others prove nothing."""
    return set(msgspec.json.decode(meta(db, "controls", "[]")))


def _somebody_is_silent(db: sqlite3.Connection) -> bool:
    return db.execute("select 1 from _standing where reason = ? limit 1", (Reason.NO_SAMPLE,)).fetchone() is not None


# From the spool


def knows_checks(db: sqlite3.Connection) -> bool:
    """Say whether there is anything that answers could belong to: a new file has to be told of its services first."""
    return db.execute("select 1 from _check limit 1").fetchone() is not None


def keep_spooled(
    db: sqlite3.Connection, spooled: str, cycle: Cycle, zone: tzinfo, now: datetime, *, told: Told = as_it_is
) -> bool:
    """Record the *cycle* of the file *spooled*; return false when that was done before.

    That name is kept in the same transaction as the rows: whoever is killed before the file is gone finds it here.
    What is not the newest of its check any more is recorded at its own moment, without components and instances:
    those are kept when they change, and others were kept since.
    """
    if db.execute("insert or ignore into _spooled values (?, ?)", (spooled, to_ms(now))).rowcount == 0:
        return False
    keep(db, cycle, zone, told=told, late=now)
    return True


def forget_spooled(db: sqlite3.Connection, waiting: Sequence[str], now: datetime) -> None:
    """Forget names of files that are long gone, but for those *waiting*."""
    db.execute(
        "delete from _spooled where at_ms < ? and id not in (select value from json_each(?))",
        (to_ms(now - REMEMBERED), msgspec.json.encode(waiting).decode()),
    )


def _split(db: sqlite3.Connection, seen: Sequence[Seen]) -> tuple[list[tuple[int, Seen]], list[Seen]]:
    """Part what lies before the newest that is known of its check from what goes on after it.

    The newest is an observation, or a flip that was made without any: a silence, an end.
    """
    newest = {
        key: (check, newest_ms)
        for key, check, newest_ms in db.execute(
            """
            select c.key, c.id, max(
                ifnull((select last_ms from _standing where check_id = c.id), -1),
                ifnull((select max(made_ms) from _flip where check_id = c.id), -1)
            )
            from _check c where c.key in (select value from json_each(?))
            """,
            (msgspec.json.encode([one.check.key for one in seen]).decode(),),
        )
    }
    older: list[tuple[int, Seen]] = []
    newer: list[Seen] = []
    for one in seen:
        check, newest_ms = newest.get(one.check.key, (0, -1))
        if to_ms(one.observation.at) <= newest_ms:
            older.append((check, one))
        else:
            newer.append(one)
    return older, newer


def _keep_older(db: sqlite3.Connection, older: Sequence[tuple[int, Seen]], zone: tzinfo, now: datetime) -> None:
    said = Said(db)
    rows: dict[int, list[Row]] = {}
    for check, one in older:
        series = series_of(db, check, one.check.every)
        at_ms = to_ms(one.observation.at)
        rows.setdefault(check, []).append((series, at_ms, one.observation.took, said.id(one.observation)))
        if one.text:
            keep_text(db, check, one.observation.at, one.text)
    keep_older(db, rows.items(), zone, now)
