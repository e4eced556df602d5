"""Bring in history that was kept elsewhere."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import chain

from ..importing.past import Asked, Corrected, Ended, Maintained, Past
from ..model import Check, to_ms
from .codes import STATE_CODE
from .derive import derive, seconds
from .late import Put, Row, keep_older
from .moving import move_days
from .record import Said, event, series_of
from .staged import Staged, Told
from .takers import KIND as KIND  # noqa: PLC0414  what goes with this room; mypy wants it said
from .takers import Taker, service_for, takers_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of the history of one service."""

    name: str  # as the source has it, or as it was told to be called
    key: str  # of the service that took it
    rows: int = 0
    new: int = 0
    left_out: int = 0  # from before the horizon of pruning


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
        service = services[name] = service_for(db, staged, told, now)
        taking = takers_of(db, staged, told, service, template, every)
        takers[name] = list(dict.fromkeys(taker.check for taker in taking.values()))
        for check, taker in taking.items():
            rows[taker.check].append(_rows(db, staged, name, check, taker, said, every))
        _keep_ends(db, told.ended, taking)
    put = keep_older(db, [(check, chain.from_iterable(parts)) for check, parts in rows.items()], zone, now)
    kept = [_kept(db, name, service, [put[check] for check in takers[name]]) for name, service in services.items()]
    for name, service in services.items():
        _keep_laid(db, staged.services[name], service, now)
    move_days(db, now)  # nobody may ever be asked here, and close the newest day
    event(db, now, "import", ", ".join(f"{one.rows} rows of {one.name}" for one in kept))
    return kept


def _kept(db: sqlite3.Connection, name: str, service: int, put: Iterable[Put]) -> Kept:
    key = db.execute("select key from _service where id = ?", (service,)).fetchone()[0]
    sums = [(one.rows, one.new, one.left_out) for one in put]
    rows, new, left_out = (sum(column) for column in zip(*sums, strict=True)) if sums else (0, 0, 0)
    return Kept(name=name, key=key, rows=rows, new=new, left_out=left_out)


def _rows(
    db: sqlite3.Connection, staged: Staged, name: str, check: str, taker: Taker, said: Said, every: int | None
) -> Iterator[Row]:
    series: dict[Asked, int] = {}
    for at_ms, took, words, asked in staged.rows(name, check):
        number = series.get(asked)
        if number is None:
            number = series[asked] = series_of(db, taker.check, every or asked.every or taker.every, asked.rule)
        yield number, at_ms, took, said.number(*words)


# What else there is


def _keep_ends(db: sqlite3.Connection, ended: Iterable[Ended], taking: Mapping[str, Taker]) -> None:
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
