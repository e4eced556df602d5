"""Bring in history that was kept elsewhere."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo

from ..importing import Past
from ..model import Check, to_ms
from . import catalog
from .checks import new_check
from .codes import OUTCOME_CODE
from .late import Row, keep_older, recent
from .record import Said, event, series_of

KIND = "import"  # the kind of a check that is never asked


def keep_past(
    db: sqlite3.Connection,
    groups: Mapping[str, Sequence[Past]],
    template: Check,
    now: datetime,
    zone: tzinfo,
    every: int | None = None,
) -> dict[str, int]:
    """Write old observations and step again through the checks that they belong to; return rows kept by service.

    A name that the record knows is that service, its first check; any other becomes `import//NAME`, with the
    thresholds of *template*. *every* is the interval in force then, in ms; none: the one that the check has now.
    A check says one thing at one moment: a row takes the place of another of the same moment.
    """
    said = Said(db)
    found: dict[int, list[Row]] = {}
    kept: dict[str, int] = {}
    for name, past in groups.items():
        service, check, own_every = _check_for(db, name, template, past[0].at, now)
        series = series_of(db, check, every or own_every)
        rows = [
            (series, to_ms(row.at), row.took, said.number(OUTCOME_CODE[row.outcome], None, row.reason, 1))
            for row in past
        ]
        found.setdefault(check, []).extend(rows)  # two names may mean one service
        kept[name] = len(recent(db, check, rows))
        first_ms = to_ms(past[0].at)
        db.execute("update _service set first_seen_ms = min(first_seen_ms, ?) where id = ?", (first_ms, service))
    keep_older(db, found, zone, now)
    event(db, now, "import", ", ".join(f"{count} rows of {name}" for name, count in kept.items()))
    return kept


def _check_for(
    db: sqlite3.Connection, name: str, template: Check, first: datetime, now: datetime
) -> tuple[int, int, int]:
    """Return the service that *name* means, its check that takes the rows, and that check's interval."""
    known = catalog.called(db, name)
    if len(known) > 1:
        catalog.find_service(db, name)  # says that several are called so
    service = known[0][0] if known else _new_service(db, name, first, now)
    row = db.execute(
        """
        select c.id, coalesce(s.every_ms, c.every_ms) from _check c left join _standing s on s.check_id = c.id
        where c.service_id = ? order by c.active desc, c.role <> 'liveness', c.id limit 1
        """,
        (service,),
    ).fetchone()
    if row is None:
        key = db.execute("select key from _service where id = ?", (service,)).fetchone()[0]
        return service, _new_check(db, service, key, template), template.every
    return service, row[0], row[1]


def _new_service(db: sqlite3.Connection, name: str, first: datetime, now: datetime) -> int:
    slugs = {row[0] for row in db.execute("select slug from _service")}
    service = catalog.new_service(db, f"import//{name}", name, name, "import", first, now, slugs)
    db.execute("update _service set public = 1 where id = ?", (service,))
    db.execute(
        "insert into _sighting values (?, ?, 'import', '', ?, 'claimed', ?, ?)",
        (f"import//{name}", service, name, to_ms(first), to_ms(now)),
    )
    return service


def _new_check(db: sqlite3.Connection, service: int, key: str, template: Check) -> int:
    check = replace(template, key=f"{key}/{KIND}/", service=key, kind=KIND, target="")
    return new_check(db, service, check)
