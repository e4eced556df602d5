"""Read how long answers took in each of the last 24 hours, of so many services that all answers would be too many."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from math import fsum
from statistics import median_low

from ..model import from_ms, to_ms

HOURS = 24
HOUR_MS = 3_600_000
ANSWERS = 2_500  # that may be read of one hour


def hourly(db: sqlite3.Connection, now: datetime, every: Collection[int]) -> dict[int, Sequence[tuple[datetime, int]]]:
    """Read by service the median of the first answers of each full hour before *now*, oldest first: hour, ms.

    *every* has the interval of each check, in ms. They bound how much of an hour is read: at least so much that half of
    the checks are asked in it. Only passes and warnings count.
    """
    if not every:
        return {}
    part = slice_ms(every)
    ends = now.replace(minute=0, second=0, microsecond=0)
    begins = [to_ms(ends - timedelta(hours=back)) for back in range(HOURS, 0, -1)]
    rows = db.execute(
        f"""
        with part(from_ms, to_ms) as (values {", ".join(["(?, ?)"] * HOURS)})
        select c.service_id, o.from_ms, o.took
        from (
            select from_ms, series, took, said from part
            cross join _observation_open on at_ms >= from_ms and at_ms < to_ms
            union all
            select from_ms, o.series, o.took, o.said from _series e cross join part  -- each series lies together
            cross join _observation o on o.series = e.id and o.at_ms >= from_ms and o.at_ms < to_ms
        ) o
        join _said d on d.id = o.said join _series e on e.id = o.series join _check c on c.id = e.check_id
        where d.outcome < 2 and o.took >= 0
        """,
        [moment for begin in begins for moment in (begin, begin + part)],
    )
    answers: dict[tuple[int, int], list[int]] = defaultdict(list)
    for service_id, hour, took in rows:
        answers[hour, service_id].append(took)
    found: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
    moments = {begin: from_ms(begin) for begin in begins}
    for hour, service_id in sorted(answers):
        found[service_id].append((moments[hour], median_low(answers[hour, service_id])))
    return dict(found)


def slice_ms(every: Collection[int]) -> int:
    """Return of how many ms of an hour the answers are read.

    >>> slice_ms([60_000] * 1_000), slice_ms([60_000] * 20_000), slice_ms([60_000] * 10)
    (150000, 60000, 3600000)
    """
    fits = int(ANSWERS / fsum(1 / one for one in every))
    return min(max(fits, median_low(every)), HOUR_MS)
