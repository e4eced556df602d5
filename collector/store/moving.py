"""Days that are over: their rows are moved to where they are small, and their percentiles are kept.

That is done when something is observed on a later day. A row that comes in for such a day all the same, because a
clock was set back or cycles overlap, waits among the open ones; when it is moved, the percentiles are made again.
"""

import sqlite3
from datetime import datetime

from .derive import meta_int, note, seconds

FOREVER_MS = 1 << 62
A_DAY_AND_MORE = 90_000  # a day has 25 hours at most


def over(db: sqlite3.Connection, now: datetime | None = None) -> int:
    """Return the second until which days are over; that of the newest observation is only if a clock said so.

    The clock is *now*, or it was that of an import or rebuild before.
    """
    closed_s, reached_s = meta_int(db, "closed_s"), meta_int(db, "moved_s")
    if now is not None:
        reached_s = max(reached_s, seconds(now))
    newest = db.execute("select ended_s from _day where started_s = ? and ended_s <= ?", (closed_s, reached_s))
    return int((newest.fetchone() or (closed_s,))[0])


def is_to_move(db: sqlite3.Connection) -> bool:
    """Say whether rows or percentiles of days that are over wait to be moved and made."""
    over_s = over(db)
    waits = db.execute("select 1 from _observation_open where at_ms < ? limit 1", (over_s * 1000,)).fetchone()
    return waits is not None or over_s > meta_int(db, "moved_s")


def move_days(db: sqlite3.Connection, now: datetime | None = None) -> int:
    """Move the observations of days that are over at *now*, sorted, to where they are small; return how many.

    Never while probes are in flight: a day of 1,000 checks is 1.4 million rows. prune.py does the same in short turns.
    """
    over_s, moved_s = over(db, now), meta_int(db, "moved_s")
    moved = gather(db, over_s * 1000)
    if over_s > moved_s:
        keep_latency(db, moved_s, over_s)
        note(db, "moved_s", str(over_s))
    return moved


def gather(db: sqlite3.Connection, until_ms: int = FOREVER_MS) -> int:
    """Put the open rows from before *until_ms* where the rows of one check lie together; return how many."""
    return sum(gather_late(db, service) for service in late(db)) + _put(db, "at_ms < ?", (until_ms,))


def _put(db: sqlite3.Connection, which: str, values: tuple[int, ...]) -> int:
    """Put those of the open rows where the rows of one check lie together; return how many."""
    moved = db.execute(
        f"""
        insert or ignore into _observation
        select series, at_ms, took, said from _observation_open where {which} order by series, at_ms
        """,
        values,
    ).rowcount
    db.execute(f"delete from _observation_open where {which}", values)
    return moved


# Rows that came late


def late(db: sqlite3.Connection) -> list[int]:
    """Return the services that have open rows of days that were moved already."""
    rows = db.execute(
        """
        select distinct c.service_id
        from _observation_open o cross join _series e on e.id = o.series cross join _check c on c.id = e.check_id
        where o.at_ms < ?
        """,
        (meta_int(db, "moved_s") * 1000,),
    )
    return [service for (service,) in rows]


def gather_late(db: sqlite3.Connection, service: int) -> int:
    """Put late rows of *service* to the others of their days, whose percentiles change; return how many."""
    moved_s = meta_int(db, "moved_s")
    theirs = """
        at_ms < ? and series in (select e.id from _check c join _series e on e.check_id = c.id where c.service_id = ?)
        """
    values = moved_s * 1000, service
    first_ms = db.execute(f"select min(at_ms) from _observation_open where {theirs}", values).fetchone()[0]
    if first_ms is None:
        return 0
    moved = _put(db, theirs, values)
    keep_latency(db, first_ms // 1000 - A_DAY_AND_MORE, moved_s, service)
    return moved


# The percentiles of days


def keep_latency(db: sqlite3.Connection, start_s: int, end_s: int, service: int | None = None) -> None:
    """Write percentiles and sketch of the days that lie between, of all services or of one.

    Days from before the horizon stay as they are, unless nothing of the service was pruned yet.
    """
    services = [service] if service is not None else [row[0] for row in db.execute("select id from _service")]
    for one in services:
        days = db.execute(
            "select day, started_s * 1000, ended_s * 1000 from _day where started_s >= ? and ended_s <= ?",
            (max(start_s, _horizon_of_service(db, one)), end_s),
        ).fetchall()
        for day, started_ms, ended_ms in days:
            db.execute("delete from _latency_day where service_id = ? and day = ?", (one, day))
            db.execute(LATENCY_OF_A_DAY, {"service": one, "day": day, "started_ms": started_ms, "ended_ms": ended_ms})


def _horizon_of_service(db: sqlite3.Connection, service: int) -> int:
    pruned = db.execute(
        "select 1 from _check c join _horizon h on h.check_id = c.id where c.service_id = ? limit 1", (service,)
    ).fetchone()
    return meta_int(db, "horizon_s") if pruned else 0


# How often each latency occurs gives the percentiles, by nearest rank, and the sketch. A day at a time: few rows to sort.
LATENCY_OF_A_DAY = """
with answers(took, count) as materialized (
    select took, count(*) from _observation
    where series in (select e.id from _check c join _series e on e.check_id = c.id where c.service_id = :service)
        and at_ms >= :started_ms and at_ms < :ended_ms and took >= 0
        and said in (select id from _said where outcome < 2)
    group by took
),
ranked(took, place, total) as (
    select took, sum(count) over (order by took), sum(count) over () from answers
),
buckets(bucket, count) as (
    select (select bucket from _bucket where low_ms <= took order by low_ms desc limit 1), sum(count)
    from answers group by 1
)
insert into _latency_day (service_id, day, observations, p50_ms, p95_ms, p99_ms, max_ms, sketch)
select :service, :day, total,
    min(iif(place >= (total * 50 + 99) / 100, took, null)),
    min(iif(place >= (total * 95 + 99) / 100, took, null)),
    min(iif(place >= (total * 99 + 99) / 100, took, null)),
    max(took),
    (select json_group_object(bucket, count) from buckets)
from ranked group by total
"""


def forget_latency(db: sqlite3.Connection) -> None:
    """Delete the percentiles of the days that begin at the horizon or later: there are rows to make them of again."""
    horizon_s = meta_int(db, "horizon_s")
    first = db.execute("select min(day) from _day where started_s >= ?", (horizon_s,)).fetchone()[0]
    db.execute("delete from _latency_day where day >= ?", ((first or "") if horizon_s else "",))
