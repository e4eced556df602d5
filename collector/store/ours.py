"""Read how uplog itself does: its sources, what they noticed, its runs, and how large its record is."""

import sqlite3
from collections.abc import Collection

from ..model import Finding, from_ms
from ..surroundings import Ran, Size, Source

RUNS = 20  # of the newest that are told
COUNTED = {  # what a person would ask for -> its table
    "services": "_service",
    "checks": "_check",
    "spans": "_span",
    "incidents": "_incident",
    "discoveries": "_discovery",
    "runs": "_run",
    "events": "_event",
}


def sources(db: sqlite3.Connection, wanted: Collection[str]) -> list[Source]:
    """Return how each of the sources *wanted* did when it was last asked."""
    rows = db.execute("select source, ok, found, skipped, error, at_ms, took_ms from _source order by source")
    return [
        Source(
            name=name,
            ok=bool(ok),
            found=found,
            skipped=skipped,
            error=error or "",
            at=from_ms(at_ms),
            took=took,
        )
        for name, ok, found, skipped, error, at_ms, took in rows
        if name in wanted
    ]


def findings(db: sqlite3.Connection, wanted: Collection[str]) -> list[Finding]:
    """Return what sources noticed when they last answered; of one that does not answer now, what it noticed last.

    What the catalog noticed the rules of drift find again.
    """
    rows = db.execute(
        """
        select f.kind, f.location, f.text, v.key, f.source
        from _finding f left join _service v on v.id = f.service_id join _source o on o.source = f.source
        where f.last_seen_ms >= iif(o.ok, o.at_ms, (select max(last_seen_ms) from _finding where source = f.source))
        order by f.kind, f.location, f.text
        """
    )
    return [
        Finding(kind=kind, where=where, text=text, service=service)
        for kind, where, text, service, source in rows
        if source in wanted
    ]


def runs(db: sqlite3.Connection, when: str, *values: int) -> list[Ran]:
    """Read the newest runs for which *when* holds; the last of its *values* says how many."""
    rows = db.execute(
        f"""
        select started_ms, ended_ms - started_ms, trigger, planned, observed, late_ms, error from _run
        where {when} order by started_ms desc, id desc limit ?
        """,
        values,
    )
    return [
        Ran(
            at=from_ms(at_ms),
            took=took,
            trigger=trigger,
            planned=planned,
            observed=observed,
            late=late,
            error=error or "",
        )
        for at_ms, took, trigger, planned, observed, late, error in rows
    ]


def size(db: sqlite3.Connection) -> Size:
    """Measure the record without counting what is large: the rows of answers."""
    pages, page, free = (
        db.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size", "freelist_count")
    )
    (oldest_ms,) = db.execute(
        """
        select min(at_ms) from (
            select min(at_ms) as at_ms from _observation_open
            union all
            select (select min(at_ms) from _observation where series = e.id) from _series e
        )
        """
    ).fetchone()
    return Size(
        bytes=pages * page,
        free=free * page,
        rows=[(name, db.execute(f"select count(*) from {table}").fetchone()[0]) for name, table in COUNTED.items()],
        answers=db.execute("select ifnull(sum(observed), 0) from _run").fetchone()[0],
        oldest=None if oldest_ms is None else from_ms(oldest_ms),
    )
