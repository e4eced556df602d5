"""Read the history of services as it is carried elsewhere: rows in the order in which they lie, never all at once."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..importing.past import Asked, Corrected, Ended, Maintained, Named
from ..model import Correction, Outcome, Reason, Role, from_ms, to_ms
from . import catalog
from .codes import OUTCOMES
from .derive import corrections_of, from_s, windows_of

FOREVER_MS = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What many rows have in common: all but their moment and how long they took."""

    service: str
    asked: Asked
    outcome: Outcome
    code: int | None
    reason: Reason | None
    attempt: int
    restarted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A service that is exported."""

    id: int
    name: str  # by which it is told from all others
    named: Named


Fact = Named | Ended | Corrected | Maintained
Key = tuple[int, int]  # series, said
Found = tuple[int, int, int, int]  # series, said, at_ms, took


def chosen(db: sqlite3.Connection, names: Sequence[str]) -> list[Exported]:
    """Return the services *names*, or all. Where several have one display name, the others go by their slugs."""
    wanted = {catalog.find_service(db, name)[0] for name in names}
    rows = db.execute(
        "select id, name, slug, group_name, public, retired_ms from _service where alias_of is null order by id"
    ).fetchall()
    taken: set[str] = set()
    found = []
    for service, name, slug, group, public, retired_ms in rows:
        label = slug if name in taken else name
        taken |= {label, slug}
        if not wanted or service in wanted:
            retired = None if retired_ms is None else from_ms(retired_ms)
            named = Named(service=label, group=group, public=bool(public), slug=slug, retired=retired)
            found.append(Exported(id=service, name=label, named=named))
    return found


def facts(db: sqlite3.Connection, service: Exported, since: datetime | None, until: datetime | None) -> Iterator[Fact]:
    """Yield what there is of a service beside its rows, as far as it lies in the stretch."""
    start, end = (since or from_ms(0)), (until or from_s(253_402_300_799))
    yield service.named
    for at_ms, *check in db.execute(
        """
        select n.at_ms, substr(c.key, length(v.key) + 2), c.role
        from _service v join _check c on c.service_id = v.id join _end n on n.check_id = c.id
        where v.id = ? and n.at_ms >= ? and n.at_ms < ? order by 1
        """,
        (service.id, to_ms(start), to_ms(end)),
    ):
        yield Ended(service=service.name, asked=Asked(check=check[0], role=Role(check[1])), at=from_ms(at_ms))
    for one, who in corrections(db, service.id):
        if one.start < end and one.end > start:
            yield Corrected(service=service.name, correction=one, who=who)
    for window in windows_of(db, service.id):
        if window.start < end and (window.end is None or window.end > start):
            yield Maintained(service=service.name, window=window)


def corrections(db: sqlite3.Connection, service: int) -> list[tuple[Correction, str]]:
    """Return the corrections of *service* that hold, each with who made it."""
    who = db.execute("select who from _correction where service_id = ? and undone_ms is null order by id", (service,))
    return list(zip(corrections_of(db, service), (row[0] for row in who), strict=True))


def kinds(db: sqlite3.Connection, services: Sequence[Exported]) -> dict[Key, Kind]:
    """Return what rows can say, by their series and the number of what they say: few, whatever the number of rows."""
    names = {service.id: service.name for service in services}
    said = db.execute("select id, outcome, code, reason, attempt, restarted from _said").fetchall()
    found: dict[Key, Kind] = {}
    for series, service, check, role, every, rule in db.execute(
        """
        select e.id, v.id, substr(c.key, length(v.key) + 2), c.role, e.every_ms, e.rule
        from _series e join _check c on c.id = e.check_id join _service v on v.id = c.service_id
        """
    ):
        if service in names:
            asked = Asked(check=check, role=Role(role), every=every, rule=rule)
            for number, outcome, code, reason, attempt, restarted in said:
                found[series, number] = Kind(
                    service=names[service],
                    asked=asked,
                    outcome=OUTCOMES[outcome],
                    code=code,
                    reason=Reason(reason) if reason else None,
                    attempt=attempt,
                    restarted=bool(restarted),
                )
    return found


def rows(
    db: sqlite3.Connection, services: Sequence[Exported], since: datetime | None, until: datetime | None
) -> Iterator[Found]:
    """Yield the rows from *since* to before *until*: of closed days a series at a time, then those of today as they came.

    So they lie: neither has to be sorted, and none is read twice.
    """
    span = (to_ms(since) if since else 0, to_ms(until) if until else FOREVER_MS)
    ours = {service.id for service in services}
    series = [
        number
        for number, service in db.execute(
            "select e.id, c.service_id from _series e join _check c on c.id = e.check_id order by c.service_id, c.id, e.id"
        )
        if service in ours
    ]
    for number in series:
        yield from db.execute(
            "select series, said, at_ms, took from _observation where series = ? and at_ms >= ? and at_ms < ?",
            (number, *span),
        )
    wanted = set(series)
    today = db.execute("select series, said, at_ms, took from _observation_open where at_ms >= ? and at_ms < ?", span)
    yield from (row for row in today if row[0] in wanted)


def left_behind(db: sqlite3.Connection, services: Sequence[Exported]) -> list[str]:
    """Say what of these services no export carries: a sentence each."""
    numbers = ", ".join(str(service.id) for service in services) or "0"
    pruned = db.execute(
        f"""
        select count(distinct c.service_id) from _horizon h join _check c on c.id = h.check_id
        where c.service_id in ({numbers})
        """
    ).fetchone()[0]
    parts = db.execute(f"select count(*) from _component where service_id in ({numbers})").fetchone()[0]
    texts = db.execute(
        f"select count(*) from _raw r join _check c on c.id = r.check_id where c.service_id in ({numbers})"
    ).fetchone()[0]
    others = db.execute(f"select count(*) from _service where alias_of in ({numbers})").fetchone()[0]
    found = {
        "what they were seen as before they proved to be one service": others,
        "the states from before rows were pruned": pruned,  # of so many services
        "states of components": parts,
        "raw texts of failures": texts,
    }
    return [f"stays here: {what} ({count})" for what, count in found.items() if count]
