"""What a person knows better about a stretch of the past: kept beside the rows, laid over what follows from them."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from .. import history
from ..model import Correction, CouldNot, Span, floor_second, from_ms, to_ms
from . import catalog
from .codes import STATE_CODE, STATES
from .derive import derive, from_s, seconds
from .known import spans_at
from .record import event

EFFECT = "90d"  # the period by which a correction tells what it changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A correction as it is kept: of which service, by whom and when, and when it was undone."""

    id: int
    service: str  # its key
    name: str
    correction: Correction
    who: str
    made: datetime
    undone: datetime | None


def correct(db: sqlite3.Connection, name: str, said: Correction, who: str, now: datetime, zone: tzinfo) -> str:
    """Lay *said* over the history of a service, as *who* knows better; return what that changed.

    Both ends are floored to whole seconds. Raises CouldNot when it makes no sense, and then keeps nothing.
    """
    service, shown = catalog.find_service(db, name)
    start, end = floor_second(said.start), floor_second(said.end)
    _check(said.why, start, end, now)
    before = spans_at(db, service, now)
    if history.account(before, start, end) == history.Account():
        raise CouldNot(f"{shown} was not watched from {_words(start)} to {_words(end)} UTC: nothing to correct")
    number = db.execute(
        """
        insert into _correction (service_id, started_s, ended_s, state, who, why, made_ms)
        values (?, ?, ?, ?, ?, ?, ?)
        """,
        (service, seconds(start), seconds(end), STATE_CODE[said.state], who, said.why.strip(), to_ms(now)),
    ).lastrowid
    derive(db, [(service, seconds(start))])
    did = f"correction {number}: {shown} was {said.state} from {_words(start)} to {_words(end)} UTC"
    event(db, now, "correct", f"{did}, says {who}: {said.why.strip()}")
    return f"{did}; {effect(before, spans_at(db, service, now), now, zone)}"


def undo(db: sqlite3.Connection, number: int, who: str, now: datetime, zone: tzinfo) -> str:
    """Take the correction *number* back; its row stays. Return what that changed. Raises CouldNot."""
    row = db.execute(
        "select c.service_id, v.name, c.started_s, c.undone_ms from _correction c join _service v on v.id = c.service_id"
        " where c.id = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise CouldNot(f"{number}: there is no such correction; `uplog correct --list` shows them")
    service, shown, started_s, undone_ms = row
    if undone_ms is not None:
        raise CouldNot(f"correction {number} of {shown} was undone already, on {_words(from_ms(undone_ms))} UTC")
    before = spans_at(db, service, now)
    db.execute("update _correction set undone_ms = ? where id = ?", (to_ms(now), number))
    derive(db, [(service, started_s)])
    did = f"correction {number} of {shown} is undone"
    event(db, now, "correct", f"{did}, says {who}")
    return f"{did}; {effect(before, spans_at(db, service, now), now, zone)}"


def listed(db: sqlite3.Connection, name: str | None = None) -> list[Kept]:
    """Return every correction ever made, of all services or of one, oldest first."""
    service = None if name is None else catalog.find_service(db, name)[0]
    rows = db.execute(
        """
        select c.id, v.key, v.name, c.started_s, c.ended_s, c.state, c.why, c.who, c.made_ms, c.undone_ms
        from _correction c join _service v on v.id = c.service_id
        where c.service_id = ifnull(?, c.service_id) order by c.id
        """,
        (service,),
    )
    return [
        Kept(
            id=number,
            service=key,
            name=shown,
            correction=Correction(start=from_s(start), end=from_s(end), state=STATES[state], why=why),
            who=who,
            made=from_ms(made_ms),
            undone=None if undone_ms is None else from_ms(undone_ms),
        )
        for number, key, shown, start, end, state, why, who, made_ms, undone_ms in rows
    ]


def _check(why: str, start: datetime, end: datetime, now: datetime) -> None:
    """Raise CouldNot for a correction that makes no sense."""
    if not why.strip():
        raise CouldNot("a correction needs a reason: say it with --why")
    if end <= start:
        raise CouldNot(f"the correction ends at {_words(end)} UTC, which is not after its start, {_words(start)} UTC")
    if end > now:
        raise CouldNot(f"the correction ends at {_words(end)} UTC, which is still to come: only what was is corrected")


def effect(before: Sequence[Span], after: Sequence[Span], now: datetime, zone: tzinfo) -> str:
    """Say what became of the uptime of the last 90 days when the spans *before* became those *after*."""
    start, end = history.periods(now, zone)[EFFECT]
    old, new = (history.percent(history.account(spans, start, end).uptime) for spans in (before, after))
    was, is_ = (f"{figure}%" if figure else "not known" for figure in (old, new))
    return f"uptime of the last 90 days {f'stays {was}' if old == new else f'{was} -> {is_}'}"


def _words(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
