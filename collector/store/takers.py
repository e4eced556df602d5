"""Which service takes the history that is brought in, and which check of it."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from ..catalog import slug
from ..importing.past import Asked, plain
from ..model import Check, CouldNot, to_ms
from . import catalog
from .checks import new_check
from .staged import Staged, Told

KIND = "import"  # the kind of a check that is never asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Taker:
    """The check that takes the rows of one check of the source."""

    check: int
    every: int


def service_for(db: sqlite3.Connection, staged: Staged, told: Told, now: datetime) -> int:
    """Return the service that a name means; one that nobody knows is made."""
    reach = staged.reach(told.name)
    first = min(reach[0] if reach else now, *(one.at for one in told.ended), now)
    known = catalog.called(db, told.name)
    if len(known) > 1:
        catalog.find_service(db, told.name)  # says that several are called so
    service = known[0][0] if known else _new_service(db, told, first, now)
    db.execute("update _service set first_seen_ms = min(first_seen_ms, ?) where id = ?", (to_ms(first), service))
    return service


def _new_service(db: sqlite3.Connection, told: Told, first: datetime, now: datetime) -> int:
    slugs = {row[0] for row in db.execute("select slug from _service")}
    name, named = told.name, told.named
    # its address on the page goes on, and so do the names of its incidents
    wished = named.slug if named and named.slug else ""
    base = wished if wished and slug(wished, slugs) == wished else name
    service = catalog.new_service(db, f"import//{name}", name, base, "import", first, now, slugs)
    db.execute(
        "update _service set public = ?, group_name = ?, retired_ms = ? where id = ?",
        (
            named is None or named.public,
            plain(named.group) if named and named.group else "",
            to_ms(named.retired) if named and named.retired else None,
            service,
        ),
    )
    db.execute(
        "insert into _sighting values (?, ?, 'import', '', ?, 'claimed', ?, ?)",
        (f"import//{name}", service, name, to_ms(first), to_ms(now)),
    )
    return service


def takers_of(
    db: sqlite3.Connection, staged: Staged, told: Told, service: int, template: Check, every: int | None
) -> dict[str, Taker]:
    """Find a check for each that the source has, by its name; what has no name goes to the first one.

    A service that is asked gets no further checks: after their last row they would be silent for ever. Raises CouldNot
    when then several checks would have to share one.
    """
    key = db.execute("select key from _service where id = ?", (service,)).fetchone()[0]
    known = _known(db, service)
    found: dict[str, Taker] = {}
    for check in told.checks:
        taker = known.get(f"{key}/{check}") if check else next(iter(known.values()), None)
        if taker is None and _is_asked(db, service):
            taker = next(iter(known.values()))
        if taker is None:
            asked = staged.last(told.name, check) or Asked()
            taker = _new_check(db, service, key, check, replace(asked, every=every or asked.every), template)
            known[f"{key}/{check}"] = taker
        found[check] = taker
    if len({taker.check for taker in found.values()}) < len(found):
        raise CouldNot(f"{told.name}: has the checks {', '.join(sorted(found))}, which the service here has not")
    return found


def _known(db: sqlite3.Connection, service: int) -> dict[str, Taker]:
    rows = db.execute(
        """
        select c.key, c.id, coalesce(s.every_ms, c.every_ms) from _check c left join _standing s on s.check_id = c.id
        where c.service_id = ? order by c.active desc, c.role <> 'liveness', c.id
        """,
        (service,),
    )
    return {key: Taker(check=check, every=every) for key, check, every in rows}


def _is_asked(db: sqlite3.Connection, service: int) -> bool:
    row = db.execute("select 1 from _check where service_id = ? and kind <> ? limit 1", (service, KIND)).fetchone()
    return row is not None


def _new_check(db: sqlite3.Connection, service: int, key: str, name: str, asked: Asked, template: Check) -> Taker:
    check = replace(template, key=f"{key}/{name or f'{KIND}/'}", service=key, kind=KIND, target="", role=asked.role)
    if asked.every is not None:
        check = replace(check, every=asked.every, declared_every=asked.every)
    if asked.rule is not None:
        failures, successes, grace, declared = map(int, asked.rule.split("/"))
        check = replace(
            check, failure_threshold=failures, success_threshold=successes, grace=grace, declared_every=declared
        )
    return Taker(check=new_check(db, service, check), every=check.every)
