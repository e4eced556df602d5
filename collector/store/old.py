"""Bring in history that was kept elsewhere."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from itertools import chain

from ..importing.past import Asked, Corrected, Ended, Maintained, Past
from ..model import Check, CouldNot, to_ms
from . import catalog
from .checks import new_check
from .codes import STATE_CODE
from .derive import derive, seconds
from .late import Put, Row, keep_older
from .record import Said, event, series_of
from .staged import Staged, Told

KIND = "import"  # the kind of a check that is never asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of the history of one service."""

    name: str  # as the source has it, or as it was told to be called
    key: str  # of the service that took it
    rows: int = 0
    new: int = 0
    left_out: int = 0  # from before the horizon of pruning


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taker:
    """The check that takes the rows of one check of the source."""

    check: int
    every: int


def keep_past(
    db: sqlite3.Connection,
    groups: Mapping[str, Iterable[Past]],
    template: Check,
    now: datetime,
    zone: tzinfo,
    every: int | None = None,
) -> dict[str, int]:
    """Write old observations that fit into memory, as keep_staged does; return rows kept by service."""
    with Staged(now) as staged:
        staged.take(chain.from_iterable(groups.values()))
        return {one.name: one.rows for one in keep_staged(db, staged, staged.services, template, now, zone, every)}


def keep_staged(
    db: sqlite3.Connection,
    staged: Staged,
    names: Iterable[str],
    template: Check,
    now: datetime,
    zone: tzinfo,
    every: int | None = None,
) -> list[Kept]:
    """Write the history of the services *names*, and step again through the checks that it belongs to.

    A name that the record knows is that service, its check of the same name or its first one; any other becomes
    `import//NAME`, with the thresholds that the source had, or those of *template*. *every* is the interval in force
    then, in ms, whatever the source says; none, and the source does not say it: the one that the check has now.
    A check says one thing at one moment: a row takes the place of another of the same moment.
    """
    said = Said(db)
    rows: dict[int, list[Iterable[Row]]] = defaultdict(list)  # two names may mean one service
    takers: dict[str, list[int]] = {}
    services: dict[str, int] = {}
    for name in names:
        told = staged.services[name]
        service = services[name] = _service_for(db, staged, told, now)
        taking = _takers(db, staged, told, service, template, every)
        takers[name] = list(dict.fromkeys(taker.check for taker in taking.values()))
        for check, taker in taking.items():
            rows[taker.check].append(_rows(db, staged, name, check, taker, said, every))
        _keep_ends(db, told.ended, taking)
    put = keep_older(db, [(check, chain.from_iterable(parts)) for check, parts in rows.items()], zone, now)
    kept = [_kept(db, name, service, [put[check] for check in takers[name]]) for name, service in services.items()]
    for name, service in services.items():
        _keep_laid(db, staged.services[name], service, now)
    event(db, now, "import", ", ".join(f"{one.rows} rows of {one.name}" for one in kept))
    return kept


def _kept(db: sqlite3.Connection, name: str, service: int, put: Iterable[Put]) -> Kept:
    key = db.execute("select key from _service where id = ?", (service,)).fetchone()[0]
    sums = [(one.rows, one.new, one.left_out) for one in put]
    rows, new, left_out = (sum(column) for column in zip(*sums, strict=True)) if sums else (0, 0, 0)
    return Kept(name=name, key=key, rows=rows, new=new, left_out=left_out)


def _rows(
    db: sqlite3.Connection, staged: Staged, name: str, check: str, taker: _Taker, said: Said, every: int | None
) -> Iterator[Row]:
    series: dict[Asked, int] = {}
    for at_ms, took, words, asked in staged.rows(name, check):
        number = series.get(asked)
        if number is None:
            number = series[asked] = series_of(db, taker.check, every or asked.every or taker.every, asked.rule)
        yield number, at_ms, took, said.number(*words)


# Which service and which check


def _service_for(db: sqlite3.Connection, staged: Staged, told: Told, now: datetime) -> int:
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
    slug = named.slug if named and named.slug not in slugs else None
    service = catalog.new_service(db, f"import//{name}", name, "import", first, now, slugs, slug)
    db.execute(
        "update _service set public = ?, group_name = ?, retired_ms = ? where id = ?",
        (
            named is None or named.public,
            named.group if named else "",
            to_ms(named.retired) if named and named.retired else None,
            service,
        ),
    )
    db.execute(
        "insert into _sighting values (?, ?, 'import', '', ?, 'claimed', ?, ?)",
        (f"import//{name}", service, name, to_ms(first), to_ms(now)),
    )
    return service


def _takers(
    db: sqlite3.Connection, staged: Staged, told: Told, service: int, template: Check, every: int | None
) -> dict[str, _Taker]:
    """Find a check for each that the source has, by its name; what has no name goes to the first one.

    A service that is asked gets no further checks: after their last row they would be silent for ever. Raises CouldNot
    when then several checks would have to share one.
    """
    key = db.execute("select key from _service where id = ?", (service,)).fetchone()[0]
    known = _known(db, service)
    found: dict[str, _Taker] = {}
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


def _known(db: sqlite3.Connection, service: int) -> dict[str, _Taker]:
    rows = db.execute(
        """
        select c.key, c.id, coalesce(s.every_ms, c.every_ms) from _check c left join _standing s on s.check_id = c.id
        where c.service_id = ? order by c.active desc, c.role <> 'liveness', c.id
        """,
        (service,),
    )
    return {key: _Taker(check=check, every=every) for key, check, every in rows}


def _is_asked(db: sqlite3.Connection, service: int) -> bool:
    row = db.execute("select 1 from _check where service_id = ? and kind <> ? limit 1", (service, KIND)).fetchone()
    return row is not None


def _new_check(db: sqlite3.Connection, service: int, key: str, name: str, asked: Asked, template: Check) -> _Taker:
    check = replace(template, key=f"{key}/{name or f'{KIND}/'}", service=key, kind=KIND, target="", role=asked.role)
    if asked.every is not None:
        check = replace(check, every=asked.every, declared_every=asked.every)
    if asked.rule is not None:
        failures, successes, grace, declared = map(int, asked.rule.split("/"))
        check = replace(
            check, failure_threshold=failures, success_threshold=successes, grace=grace, declared_every=declared
        )
    return _Taker(check=new_check(db, service, check), every=check.every)


# What else there is


def _keep_ends(db: sqlite3.Connection, ended: Iterable[Ended], taking: Mapping[str, _Taker]) -> None:
    db.executemany(
        "insert or ignore into _end values (?, ?)",
        [(taking[one.asked.check].check, to_ms(one.at)) for one in ended],
    )


def _keep_laid(db: sqlite3.Connection, told: Told, service: int, now: datetime) -> None:
    """Lay corrections and maintenance over the spans; those that are there already are not laid twice."""
    if not (told.corrected or told.maintained):
        return
    for one in told.corrected:
        _keep_correction(db, one, service, now)
    for kept in told.maintained:
        _keep_window(db, kept, service)
    starts = [one.correction.start for one in told.corrected] + [one.window.start for one in told.maintained]
    derive(db, [(service, seconds(min(starts)))])


def _keep_correction(db: sqlite3.Connection, one: Corrected, service: int, now: datetime) -> None:
    said = one.correction
    db.execute(
        """
        insert into _correction (service_id, started_s, ended_s, state, who, why, made_ms)
        select ?1, ?2, ?3, ?4, ?5, ?6, ?7 where not exists (
            select 1 from _correction
            where service_id = ?1 and started_s = ?2 and ended_s = ?3 and state = ?4 and why = ?6 and undone_ms is null)
        """,
        (service, seconds(said.start), seconds(said.end), STATE_CODE[said.state], one.who, said.why, to_ms(now)),
    )


def _keep_window(db: sqlite3.Connection, one: Maintained, service: int) -> None:
    """Write a window that is not there; one that was still going on when it was imported gets its end."""
    window = one.window
    end_s = None if window.end is None else seconds(window.end)
    db.execute(
        """
        insert into _maintenance (service_id, started_s, ended_s, text, rule) select ?1, ?2, ?3, ?4, ?5
        where not exists (
            select 1 from _maintenance where service_id = ?1 and started_s = ?2 and ended_s is ?3 and text = ?4)
        on conflict (service_id, rule, started_s) do update set ended_s = excluded.ended_s
        """,
        (service, seconds(window.start), end_s, window.text, f"{KIND} {window.text}"),
    )
