"""Bring in history that was kept elsewhere."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo

from ..catalog import slug
from ..importing import Past
from ..model import Check, from_ms, to_ms
from . import catalog
from .codes import OUTCOME_CODE, to_text
from .derive import make_days, today
from .record import Said, event, follow, series_of
from .upkeep import gather, keep_latency, move_days, replay

A_DAY_AND_MORE = 90_000  # a day has 25 hours at most
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
    gather(db)
    kept: dict[str, int] = {}
    changed: dict[int, int] = {}
    said = Said(db)
    for name, rows in groups.items():
        service, check_id, own_every = _check_for(db, name, template, rows[0].at, now)
        series = series_of(db, check_id, every or own_every)
        values = [
            (series, to_ms(row.at), row.took, said.number(OUTCOME_CODE[row.outcome], None, row.reason, 1))
            for row in rows
        ]
        for (other,) in db.execute(
            "select id from _series where check_id = ? and id <> ?", (check_id, series)
        ).fetchall():
            moments = [(other, at_ms) for _, at_ms, _, _ in values]
            db.executemany("delete from _observation where series = ? and at_ms = ?", moments)
        db.executemany("insert or replace into _observation values (?, ?, ?, ?)", values)
        db.execute("update _service set first_seen_ms = min(first_seen_ms, ?) where id = ?", (values[0][1], service))
        replay(db, check_id)
        first_s = values[0][1] // 1000
        changed[service] = min(first_s, changed.get(service, first_s))
        kept[name] = len(rows)
    follow(db, dict.fromkeys(changed, 0), zone)
    move_days(db)
    make_days(db, zone, from_ms(min(changed.values(), default=0) * 1000), now)
    for service, first_s in changed.items():
        keep_latency(db, first_s - A_DAY_AND_MORE, today(db, now), service)
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
    made = slug(name, [row[0] for row in db.execute("select slug from _service")])
    cursor = db.execute(
        """
        insert into _service (key, slug, name, source, public, first_seen_ms, last_seen_ms)
        values (?, ?, ?, 'import', 1, ?, ?)
        """,
        (f"import//{name}", made, name, to_ms(first), to_ms(now)),
    )
    service = int(cursor.lastrowid or 0)
    db.execute(
        "insert into _sighting values (?, ?, 'import', '', ?, 'claimed', ?, ?)",
        (f"import//{name}", service, name, to_ms(first), to_ms(now)),
    )
    return service


def _new_check(db: sqlite3.Connection, service: int, key: str, template: Check) -> int:
    check = replace(template, key=f"{key}/{KIND}/", service=key, kind=KIND, target="")
    cursor = db.execute(
        f"insert into _check ({catalog.COLUMNS}) values ({', '.join('?' * 12)})",
        (service, check.key, to_text(check), *catalog.columns(check)),
    )
    return int(cursor.lastrowid or 0)
