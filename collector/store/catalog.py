"""Keep what the catalog says: services, their checks, names, ports and needs, and how all that changed."""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from functools import partial

import msgspec

from ..catalog import RESERVED, Absent, Entry, judge_absence, slug
from ..changes import Change, is_stopped
from ..history import incident_seed
from ..model import Check, CouldNot, Standing, Target, from_ms, to_ms
from ..ports_plan import taken_by_others
from .checks import end_checks, keep_checks
from .codes import to_check, to_standing
from .discoveries import discovered, keep_changes, keep_told
from .sightings import keep_sightings
from .surroundings import keep_findings, keep_surroundings, mark_ports

_to_targets = msgspec.json.Decoder(tuple[Target, ...]).decode


class UnknownService(CouldNot):
    """Nothing in the record has this name, or several have; the text says what comes nearest."""


# What is known


def names(db: sqlite3.Connection) -> dict[str, str]:
    """Return the display name of each service, by key."""
    return dict(db.execute("select key, name from _service where alias_of is null").fetchall())


def sources(db: sqlite3.Connection) -> dict[str, tuple[datetime, tuple[Target, ...]]]:
    """Return for each source when it was last tried, and what it last found."""
    return {
        source: (from_ms(at_ms), _to_targets(targets))
        for source, at_ms, targets in db.execute("select source, at_ms, targets from _source")
    }


def tried(db: sqlite3.Connection) -> dict[str, datetime]:
    """Return when each source was last tried."""
    return {source: from_ms(at_ms) for source, at_ms in db.execute("select source, at_ms from _source")}


def newest(db: sqlite3.Connection, source: str) -> tuple[Target, ...]:
    """Return what a source last found; nothing of one that was never tried."""
    row = db.execute("select targets from _source where source = ?", (source,)).fetchone()
    return () if row is None else _to_targets(row[0])


def plannable(db: sqlite3.Connection, now: datetime) -> list[tuple[Check, Standing | None]]:
    """Return every check that may be asked at *now*, with where it stands."""
    rows = db.execute(
        """
        select c.spec, s.body, s.last_ms, s.took, s.asked_ms, p.until_ms from _check c join _service v on v.id = c.service_id
        left join _standing s on s.check_id = c.id
        left join _patience p on p.check_id = c.id and p.until_ms > s.last_ms
        where c.active and not c.done and c.kind <> 'import' and v.retired_ms is null and ifnull(v.paused_until_ms, 0) <= ?
        """,
        (to_ms(now),),
    )
    found: list[tuple[Check, Standing | None]] = []
    for spec, body, *newest, until_ms in rows:
        standing = None if body is None else to_standing(body, *newest)
        if standing is not None and until_ms is not None:
            standing = replace(standing, not_before=from_ms(until_ms))
        found.append((to_check(spec), standing))
    return found


def called(db: sqlite3.Connection, name: str) -> list[tuple[int, str]]:
    """Return id and display name of the services that *name* may mean: by key, slug, name or a name one was seen by."""
    for query in (
        "select id, name from _service where key = ?",
        "select id, name from _service where slug = ? and alias_of is null",
        "select id, name from _service where name = ? and alias_of is null",
        """
        select distinct v.id, v.name from _sighting g join _service v on v.id = g.service_id
        where g.name = ? and instr(g.key, ' alias ') = 0
        """,
        "select distinct v.id, v.name from _sighting g join _service v on v.id = g.service_id where g.name = ?",
    ):
        found: list[tuple[int, str]] = db.execute(query, (name,)).fetchall()
        if found:
            return found
    return []


def find_service(db: sqlite3.Connection, name: str) -> tuple[int, str]:
    """Return id and display name of the one service that is called *name*; raises UnknownService."""
    found = called(db, name)
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownService(f"{name}: {len(found)} services have this name; use one of their keys")
    all_names = [row[0] for row in db.execute("select name from _service union select slug from _service")]
    near = get_close_matches(name, all_names, 1)
    raise UnknownService(f"{name}: there is no such service" + (f"; did you mean {near[0]}?" if near else ""))


# What changes


def keep_source(
    db: sqlite3.Connection,
    source: str,
    now: datetime,
    took: int,
    error: str | None,
    targets: Sequence[Target],
) -> list[str]:
    """Keep a source's answer; a failure keeps the answer before, so that it changes nothing.

    Return a line for each thing that it tells otherwise than before.
    """
    before = db.execute("select targets, error from _source where source = ?", (source,)).fetchone()
    if error is not None:
        return _keep_failure(db, source, now, took, error, before)
    skipped = sum(one.skipped is not None for one in targets)
    # enc_hook: what sources read may be texts that know their line
    told = msgspec.json.encode(targets, enc_hook=str, order="sorted").decode()
    db.execute(
        "insert or replace into _source values (?, ?, 1, ?, ?, ?, null, ?)",
        (source, to_ms(now), len(targets) - skipped, skipped, took, told),
    )
    lines = [] if before is None else keep_told(db, source, before[0], told, now)
    if before is not None and before[1] is not None:
        discovered(db, now, "recovered", None, before[1], source)
        lines.append(f"{source} answers again")
    return lines


def _keep_failure(
    db: sqlite3.Connection, source: str, now: datetime, took: int, error: str, before: tuple[str, str | None] | None
) -> list[str]:
    db.execute(
        """
        insert into _source (source, at_ms, ok, found, skipped, took_ms, error) values (?, ?, 0, 0, 0, ?, ?)
        on conflict do update set at_ms = excluded.at_ms, ok = 0, took_ms = excluded.took_ms, error = excluded.error
        """,
        (source, to_ms(now), took, error),
    )
    if before is not None and before[1] == error:
        return []
    discovered(db, now, "failed", None, error, source)
    return [f"{source} failed, what it told before stands: {error}"]


def sync(
    db: sqlite3.Connection,
    entries: Sequence[Entry],
    now: datetime,
    *,
    configured: frozenset[str],
    succeeded: frozenset[str],
    silent: frozenset[str],
    public: bool,
    passed_over: Collection[str] = (),
    edited: frozenset[str] = frozenset(),
) -> list[str]:
    """Make the record's catalog say what *entries* say; return a line for each change.

    *configured*, *succeeded*, *silent* and *edited* are sources as judge_absence wants them; *public* is what counts
    for services of which nobody said whether they are. *passed_over* are the keys of targets that are not watched.
    """
    lines: list[str] = []
    slugs = {row[0] for row in db.execute("select slug from _service")}
    present: dict[int, Sequence[Target]] = {}
    for entry in entries:
        service, event, found = _keep_service(db, entry, now, slugs, public)
        present[service] = entry.targets
        found += [one for alias in entry.aliases for one in _make_alias(db, alias, entry.key, service, now)]
        keep_sightings(db, service, entry.targets, now)
        found += [] if _left_as_it_is(db, service, entry) else keep_checks(db, service, entry.checks, now)
        source, ref = entry.targets[0].source, entry.targets[0].ref
        if event is not None:
            discovered(db, now, event, service, ref, source)
            lines.append(f"{event}: {entry.name} ({ref})")
        found = [change for change in found if event is None or change.old is not None]
        keep_changes(db, service, found, now, source)
        lines += [f"changed: {entry.name} ({change})" for change in found]
    keep_surroundings(db, present, now)
    judge = partial(judge_absence, configured=configured, succeeded=succeeded, silent=silent, now=now, edited=edited)
    lines += _absences(db, set(present), now, judge, set(passed_over))
    mark_ports(db)
    keep_findings(db, "catalog", now, taken_by_others(entries))
    return lines


def _keep_service(
    db: sqlite3.Connection, entry: Entry, now: datetime, slugs: set[str], public: bool
) -> tuple[int, str | None, list[Change]]:
    """Write the service of *entry*; return its id, the event that this is, if any, and what is new about it."""
    row = db.execute(
        "select id, retired_ms is not null, misses, put_away, group_name, name, renamed from _service where key = ?",
        (entry.key,),
    ).fetchone()
    if row and row[6]:
        entry = replace(entry, given=row[5])
    shown = entry.public if entry.public is not None else public
    order = entry.targets[0].order
    if row is None:
        service = new_service(db, entry.key, entry.name, entry.slug, entry.targets[0].source, now, now, slugs)
        db.execute(
            "update _service set group_name = ?, words = ?, description = ?, public = ?, sort = ? where id = ?",
            (entry.group, entry.words, entry.description, shown, order, service),
        )
        return service, "appeared", []
    service, retired, misses, put_away, group, name, renamed = row
    if put_away:
        return service, None, []
    db.execute(
        """
        update _service set name = iif(renamed, name, ?), group_name = ?, words = ?, description = ?, public = ?,
            sort = ?, alias_of = null,
            last_seen_ms = ?, misses = 0, missing_since_ms = null, retired_ms = null
        where id = ?
        """,
        (entry.name, entry.group, entry.words, entry.description, shown, order, to_ms(now), service),
    )
    found = [Change(what="group", old=group, new=entry.group)] if group != entry.group else []
    if name != entry.name and not renamed:
        found.append(Change(what="name", old=name, new=entry.name))
    return service, "returned" if retired or misses else None, found


def new_service(
    db: sqlite3.Connection, key: str, name: str, base: str, source: str, first: datetime, now: datetime, slugs: set[str]
) -> int:
    """Write a service that nobody knew, with a slug of *base* unlike those that are taken or reserved; return its id."""
    slugs.add(made := slug(base, slugs | RESERVED))
    cursor = db.execute(
        """
        insert into _service (key, slug, seed, name, source, first_seen_ms, last_seen_ms)
        values (?, ?, ?, ?, ?, ?, ?)
        """,
        (key, made, incident_seed(made), name, source, to_ms(first), to_ms(now)),
    )
    return int(cursor.lastrowid or 0)


def _left_as_it_is(db: sqlite3.Connection, service: int, entry: Entry) -> bool:
    """Say whether the checks of a service stay as they are: an operator retired it, or its unit was stopped.

    A stopped unit shows no port any more. It goes on being asked where it was: another check would begin another
    life, and split the outage in two.
    """
    if db.execute("select put_away from _service where id = ?", (service,)).fetchone()[0]:
        return True
    stopped = [is_stopped(one) for one in entry.targets if one.checks or is_stopped(one)]
    asked = db.execute("select 1 from _check where service_id = ? and active", (service,)).fetchone()
    return bool(stopped) and all(stopped) and asked is not None


def _make_alias(db: sqlite3.Connection, key: str, kept: str, service: int, now: datetime) -> list[Change]:
    """Let the service *key* be another name of *service*; its history stays its own. Return what that changes."""
    row = db.execute("select id from _service where key = ? and alias_of is null", (key,)).fetchone()
    if row is None or row[0] == service:
        return []
    db.execute("update _service set alias_of = ? where id = ?", (service, row[0]))
    db.execute("update _sighting set service_id = ? where service_id = ?", (service, row[0]))
    for table in ("_port", "_dependency"):
        db.execute(f"delete from {table} where service_id = ?", row)
    end_checks(db, row[0], now)
    return [Change(what="key", old=key, new=kept)]


def _absences(
    db: sqlite3.Connection,
    present: set[int],
    now: datetime,
    judge: Callable[[Absent], str | None],
    passed_over: set[str],
) -> list[str]:
    """Count the absence of the services that nobody saw, and retire those that are gone for good."""
    lines = []
    for (service,) in db.execute("select id from _service where put_away").fetchall():
        if service not in present:  # it may come back from now on
            db.execute("update _service set put_away = 0 where id = ?", (service,))
    rows = db.execute(
        """
        select v.id, v.key, v.name, v.misses, v.missing_since_ms, coalesce(group_concat(distinct iif(g.layer = 'claimed', null, g.source)), group_concat(distinct g.source)),
            group_concat(g.key, char(10))
        from _service v join _sighting g on g.service_id = v.id
        where v.retired_ms is null and v.alias_of is null group by v.id
        """
    ).fetchall()
    for service, key, name, misses, since_ms, seen_by, keys in rows:
        if service in present:
            continue
        absent = Absent(
            key=key,
            sources=frozenset(seen_by.split(",")),
            misses=misses,
            missing_since=None if since_ms is None else from_ms(since_ms),
            passed_over=not passed_over.isdisjoint(keys.split("\n")),
        )
        meaning = judge(absent)
        if meaning == "retired":
            retire(db, service, now)
            lines.append(f"retired: {name}")
        elif meaning == "missing":
            db.execute(
                "update _service set misses = misses + 1, missing_since_ms = ifnull(missing_since_ms, ?) where id = ?",
                (to_ms(now), service),
            )
            if misses == 0:
                discovered(db, now, "missing", service, source=min(absent.sources))
                lines.append(f"missing: {name}")
    return lines


def retire(db: sqlite3.Connection, service: int, now: datetime) -> None:
    """Take a service off the page and out of the headline; its history stays."""
    end_checks(db, service, now)
    db.execute("update _service set retired_ms = ? where id = ?", (to_ms(now), service))
    discovered(db, now, "retired", service)


def speaks(db: sqlite3.Connection) -> dict[str, bool]:
    """Return which ports are known to speak HTTP, and which not to."""
    return {owner: bool(http) for owner, http in db.execute("select owner, http from _speaks")}


def keep_speaks(db: sqlite3.Connection, learned: Mapping[str, bool], now: datetime) -> None:
    """Remember whether ports speak HTTP."""
    db.executemany(
        "insert or replace into _speaks values (?, ?, ?)",
        [(owner, http, to_ms(now)) for owner, http in learned.items()],
    )
