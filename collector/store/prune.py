"""Retention: raw rows go by whole days, in short turns, and their space goes back to the disk.

What they led to stays for ever. Where each check stood at the midnight before which rows are gone, the horizon, is
kept, so that everything can be derived again from there (upkeep.replay). Killed at any moment, the next prune goes on.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from .. import history
from ..model import MS, Check, CouldNot, Standing, from_ms, to_ms
from . import Store, translated
from .codes import body_of, to_check
from .derive import from_s, meta, meta_int, note, seconds
from .moving import gather, gather_late, is_to_move, keep_latency, late, over
from .record import event
from .upkeep import stepped

TURN_S = 0.02  # how long a turn holds the write lock; the same time is left to others
SLICE = 4_000  # rows of one step of a turn: a few milliseconds
PAGES = 200  # given back to the disk in one step
WAL_MOST = 16 << 20  # bytes: from here on the write-ahead log is emptied between two turns
LAST_PATIENCE_MS = 3_000  # the same at the end, when nothing else has emptied a long one: readers overlap
PATIENCE_MS = 100  # how long that may wait for readers, for it keeps writers waiting meanwhile
READERS_TRIED = 50  # so often, then the prune goes on
TRIES = 5  # imports that reach back while a horizon is made, one after the other

Rest = Callable[[float], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a prune did."""

    moved: int  # rows of closed days
    rows: int  # that are gone
    horizon: datetime | None  # what is older is gone; none: nothing ever was pruned
    freed: int  # bytes given back to the disk
    too_large: bool = False  # larger than allowed, with nothing left that may go


def due(db: sqlite3.Connection, now: datetime, keep: int, zone: tzinfo) -> bool:
    """Say whether a closed day waits to be moved, a day older than *keep* ms to be pruned, or a long log to be emptied."""
    if _wal_size(Path(db.execute("pragma database_list").fetchone()[2])) > WAL_MOST:
        return True
    if is_to_move(db):
        return True
    return _kept(db, now, keep, zone) > meta_int(db, "horizon_s")


def prune(store: Store, now: datetime, keep: int, *, max_size: int | None = None, rest: Rest = time.sleep) -> Pruned:
    """Move closed days, and delete the raw rows of whole days that are older than *keep* ms.

    While the record is larger than *max_size* bytes, the oldest day that is left goes too, but for the newest two.
    *rest* sleeps for a number of seconds between two turns, or raises to end the prune.
    """
    with translated(store.path), _pragmas(store.db):
        before = _size(store.db)
        moved = _in_turns(store, _moving(store.db), rest)
        moved_s, horizon_s = _moved(store.db), meta_int(store.db, "horizon_s")
        kept_s = _kept(store.db, now, keep, store.zone)
        last_s = seconds(history.days(from_s(moved_s), store.zone, 2)[0][1])
        rows = _go(store, horizon_s, rest)  # what was left when a prune was ended, and what was imported since
        while (following := _next(store.db, kept_s, last_s, max_size, store.zone)) is not None:
            horizon_s = following
            rows += _go(store, horizon_s, rest)
        _in_turns(store, _giving_back(store.db), rest)
        if rows:
            with store.writing() as db:
                event(db, now, "prune", f"{rows} rows from before {from_s(horizon_s):%Y-%m-%d %H:%M} UTC are gone")
        _empty_wal(store.db, LAST_PATIENCE_MS if _wal_size(store.path) > WAL_MOST else PATIENCE_MS)
        return Pruned(
            moved=moved,
            rows=rows,
            horizon=from_s(horizon_s) if horizon_s else None,
            freed=max(0, before - _size(store.db)),
            too_large=max_size is not None and _size(store.db) > max_size,
        )


@contextmanager
def _pragmas(db: sqlite3.Connection) -> Iterator[None]:
    """Sort in memory, for the disk may be full; and do not look for a text in every raw row when it is deleted."""
    db.execute("pragma temp_store = memory")
    db.execute("pragma foreign_keys = off")
    try:
        yield
    finally:
        db.execute("pragma foreign_keys = on")
        db.execute("pragma temp_store = default")


def _in_turns(store: Store, steps: Iterator[int], rest: Rest) -> int:
    """Take *steps* of work, each of a few milliseconds, in short transactions; return the sum of what they say.

    Between two of them the lock is free for as long as it was held, so that a cycle gets in.
    """
    total = 0
    while True:
        with store.writing():
            begun = time.monotonic()
            for step in steps:
                total += step
                if time.monotonic() - begun > TURN_S:
                    break
            else:
                return total
        rest(time.monotonic() - begun)
        for _ in range(READERS_TRIED):
            if _wal_size(store.path) < WAL_MOST or _empty_wal(store.db):
                break
            rest(PATIENCE_MS / 1000)


# Moving


def _moving(db: sqlite3.Connection) -> Iterator[int]:
    """Move the rows of closed days slice by slice, then keep their percentiles service by service."""
    over_s, moved_s = over(db), meta_int(db, "moved_s")
    for service in late(db):
        yield gather_late(db, service)
    series = db.execute("select count(*) from _series").fetchone()[0]
    most = max(SLICE, 10 * series)  # for each slice touches the newest page of every series
    edge: tuple[int] | None = (0,)
    while edge is not None:
        edge = db.execute(
            "select at_ms from _observation_open where at_ms < ? order by at_ms limit 1 offset ?",
            (over_s * 1000, most),
        ).fetchone()
        yield gather(db, edge[0] + 1 if edge else over_s * 1000)
    if over_s <= moved_s:
        return
    for (service,) in db.execute("select id from _service").fetchall():
        keep_latency(db, moved_s, over_s, service)
        yield 0
    if meta_int(db, "moved_s") == moved_s:  # else somebody moved them, or cut the days anew
        note(db, "moved_s", str(over_s))


# The horizon


def _kept(db: sqlite3.Connection, now: datetime, keep: int, zone: tzinfo) -> int:
    """Return the second from which on rows are kept: a midnight, and not later than the one that all is moved to."""
    oldest = history.midnight((now - keep * MS).astimezone(zone), zone)
    return min(seconds(oldest), _moved(db))


def _moved(db: sqlite3.Connection) -> int:
    """Return the midnight before which all is moved, and after which something was observed."""
    return min(meta_int(db, "moved_s"), meta_int(db, "closed_s"))


def _next(db: sqlite3.Connection, kept_s: int, last_s: int, max_size: int | None, zone: tzinfo) -> int | None:
    """Return the horizon to go to next: a day further up to *kept_s*, and up to *last_s* while that is too large."""
    horizon_s = meta_int(db, "horizon_s")
    oldest = _oldest(db, horizon_s * 1000)
    following = None
    if oldest is not None:
        following = seconds(history.midnight(oldest.astimezone(zone) + timedelta(days=1), zone))
    if horizon_s < kept_s:
        return kept_s if following is None else min(following, kept_s)
    if following is not None and following <= last_s and max_size is not None and _used(db) > max_size:
        return following
    return None


def _oldest(db: sqlite3.Connection, start_ms: int) -> datetime | None:
    """Return the moment of the oldest moved row from *start_ms* on."""
    oldest = db.execute(
        "select min((select min(at_ms) from _observation where series = e.id and at_ms >= ?)) from _series e",
        (start_ms,),
    ).fetchone()[0]
    return None if oldest is None else from_ms(oldest)


def _go(store: Store, horizon_s: int, rest: Rest) -> int:
    """Go to the horizon *horizon_s*, and delete what is older; return how many rows."""
    _keep_horizon(store, horizon_s)
    return _in_turns(store, _vanishing(store.db, horizon_s), rest)


def _keep_horizon(store: Store, horizon_s: int) -> None:
    """Keep where each check stands at *horizon_s*, also when it stands nowhere: from there on it is replayed.

    That takes a second a million rows, so it is read without the lock, and again when an import came in between.
    """
    for _ in range(TRIES):
        with store.reading() as db:
            replays = meta(db, "replays")
            standings = _standings(db, horizon_s)
        with store.writing() as db:
            if meta(db, "replays") == replays:
                db.executemany("insert or replace into _horizon values (?, ?, ?, ?, ?)", standings)
                note(db, "horizon_s", str(horizon_s))
                return
    raise CouldNot(f"{store.path}: history is being imported; prune when that is done")


def _standings(db: sqlite3.Connection, horizon_s: int) -> list[tuple[int, int, int, int, str]]:
    """Return the rows of _horizon for the checks that said something before, as far as they are not there yet."""
    horizon_ms = horizon_s * 1000
    known_s = meta_int(db, "horizon_s")
    checks = db.execute(
        """
        select id, spec from _check c
        where exists (select 1 from _flip where check_id = c.id and made_ms < ?)
            and (? or id not in (select check_id from _horizon))
        """,
        (horizon_ms, horizon_s > known_s),
    ).fetchall()
    found = []
    for check_id, spec in checks:
        standing = _standing(db, check_id, to_check(spec), horizon_ms)
        if standing is None:
            found.append((check_id, horizon_ms, 0, 0, ""))
        else:
            found.append((check_id, to_ms(standing.last), standing.took, to_ms(standing.asked), body_of(standing)))
    return found


def _standing(db: sqlite3.Connection, check_id: int, check: Check, until_ms: int) -> Standing | None:
    """Return where a check stands at *until_ms*; a silence that was known before has its flip already."""
    standing, _ = stepped(db, check_id, check, until_ms)
    silent = standing and history.fall_silent(standing, check.key, from_ms(until_ms - 1))
    return silent[0] if silent else standing


# What goes


def _vanishing(db: sqlite3.Connection, horizon_s: int) -> Iterator[int]:
    """Delete what is older than *horizon_s*, a little a step; of checks only where their horizon is kept."""
    horizon_ms = horizon_s * 1000
    series = db.execute("select e.id from _series e join _horizon h on h.check_id = e.check_id").fetchall()
    for (one,) in series:
        yield from _slices(db, "_observation", "at_ms", horizon_ms, f"series = {one:d}")
    for (check_id,) in db.execute("select check_id from _horizon").fetchall():
        yield from _slices(db, "_raw", "at_ms", horizon_ms, f"check_id = {check_id:d}")
    yield from _slices(db, "_run", "started_ms", horizon_ms)
    yield from _slices(db, "_event", "at_ms", horizon_ms)
    yield from _slices(db, "_spooled", "at_ms", horizon_ms)
    older = "id not in (select max(id) from _ping group by check_id, event)"  # what a job said last may be long ago
    yield from _slices(db, "_ping", "at_ms", horizon_ms, older)
    for (service,) in db.execute("select id from _service").fetchall():
        yield _outdated(db, service, horizon_ms)
    texts = db.execute("select id from _text where id not in (select text_id from _raw)").fetchall()
    for first in range(0, len(texts), SLICE):
        yield _orphaned(db, [text for (text,) in texts[first : first + SLICE]])


def _slices(db: sqlite3.Connection, table: str, moment: str, until_ms: int, owner: str = "true") -> Iterator[int]:
    """Delete the rows of *table* from before *until_ms*, a slice a step."""
    while True:
        edge = db.execute(
            f"select {moment} from {table} where {owner} and {moment} < ? order by {moment} limit 1 offset ?",
            (until_ms, SLICE),
        ).fetchone()
        end_ms = edge[0] + 1 if edge else until_ms
        yield db.execute(f"delete from {table} where {owner} and {moment} < ?", (end_ms,)).rowcount
        if edge is None:
            return


def _outdated(db: sqlite3.Connection, service: int, horizon_ms: int) -> int:
    """Delete what was known of parts and instances of *service*, but not what held at the horizon."""
    components = db.execute(
        """
        delete from _component where service_id = ?1 and at_ms < (
            select max(at_ms) from _component b
            where b.service_id = ?1 and b.component = _component.component and b.at_ms < ?2)
        """,
        (service, horizon_ms),
    ).rowcount
    instances = db.execute(
        """
        delete from _instance where service_id = ?1 and at_ms < (
            select max(at_ms) from _instance where service_id = ?1 and at_ms < ?2)
        """,
        (service, horizon_ms),
    ).rowcount
    return components + instances


def _orphaned(db: sqlite3.Connection, texts: list[int]) -> int:
    """Delete those of *texts* that no raw row has any more."""
    return db.execute(
        """
        delete from _text where id in (select value from json_each(?)) and id not in (select text_id from _raw)
        """,
        (str(texts),),
    ).rowcount


# Space


def _size(db: sqlite3.Connection) -> int:
    """Return the bytes of the record once its write-ahead log is in it."""
    return _pragma(db, "page_count") * _pragma(db, "page_size")


def _used(db: sqlite3.Connection) -> int:
    """Return what would be left of that when all free pages were given back."""
    return _size(db) - _pragma(db, "freelist_count") * _pragma(db, "page_size")


def _pragma(db: sqlite3.Connection, name: str) -> int:
    value: int = db.execute(f"pragma {name}").fetchone()[0]
    return value


def _giving_back(db: sqlite3.Connection) -> Iterator[int]:
    """Give free pages back to the disk, some a step."""
    before = -1
    while before != (free := _pragma(db, "freelist_count")) and free:
        db.execute(f"pragma incremental_vacuum({PAGES})").fetchall()  # each row that is fetched frees a page
        before = free
        yield 0


def _wal_size(database: Path) -> int:
    wal = database.with_name(database.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0


def _empty_wal(db: sqlite3.Connection, wait_ms: int = PATIENCE_MS) -> bool:
    """Put the write-ahead log into the file and cut it to nothing; say whether all readers let us."""
    patience = _pragma(db, "busy_timeout")
    db.execute(f"pragma busy_timeout = {wait_ms}")
    try:
        busy: int = db.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
    finally:
        db.execute(f"pragma busy_timeout = {patience}")
    return not busy
