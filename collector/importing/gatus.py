"""Gatus with `storage: {type: sqlite}`: its database.

Tables and columns: endpoints (endpoint_id, endpoint_name, endpoint_group), endpoint_results (endpoint_result_id,
endpoint_id, success, errors, status, duration in ns, timestamp), endpoint_uptimes (endpoint_id, total_executions by
hour), from storage/store/sql/specific_sqlite.go. Its driver writes moments as Go prints them, `2021-01-02
16:39:17.123456789 +0000 UTC`; errors are joined by `|~|`. The interval stands in Gatus's configuration only: here it is
the usual time between two results.

Each result is a verdict (an event UNHEALTHY follows the first one without success): one failure is down. Gatus keeps
few results, 100 of each endpoint, and sums of hours, which say how often and never when.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path

from ..model import UNMEASURED, Outcome, to_ms
from .past import Asked, Named, Past, Row, Skipped, failure, moment, rule, usual
from .sqlite import columns, opened

EVERY = 60_000  # ms: Gatus's default interval, where there is only one result
NS = 1_000_000  # in a ms

Result = tuple[
    int, int, object, object, object, object, object
]  # id, endpoint, success, errors, status, duration, moment


def read(path: Path, _: datetime) -> Iterator[Row]:
    """Read the database *path*."""
    with opened(path) as db:
        endpoints = named(
            db.execute("select endpoint_id, endpoint_name, endpoint_group from endpoints order by endpoint_id")
        )
        results = db.execute(
            """
            select endpoint_result_id, endpoint_id, success, errors, status, duration, timestamp from endpoint_results
            order by endpoint_id, endpoint_result_id
            """
        )
        yield from rows(endpoints, results)
        if columns(db, "endpoint_uptimes"):
            for number, hours in db.execute("select endpoint_id, count(*) from endpoint_uptimes group by 1"):
                name = endpoints.get(number, (f"endpoint {number}", ""))[0]
                why = "sums of an hour say how often, not when"
                yield Skipped(service=name, why=why, where="endpoint_uptimes", rows=hours)


def named(endpoints: Iterable[tuple[int, str | None, str | None]]) -> dict[int, tuple[str, str]]:
    """Return name and group of each endpoint; where a name is in several groups, the group goes before it.

    >>> named([(1, "web", "shop"), (2, "web", "blog"), (3, "mail", "")])
    {1: ('shop/web', 'shop'), 2: ('blog/web', 'blog'), 3: ('mail', '')}
    """
    given = [(number, name or f"endpoint {number}", group or "") for number, name, group in endpoints]
    seen = Counter(name for _, name, _ in given)
    return {number: (f"{group}/{name}" if seen[name] > 1 and group else name, group) for number, name, group in given}


def rows(endpoints: Mapping[int, tuple[str, str]], results: Iterable[Result]) -> Iterator[Row]:
    """Tell the history that *results*, by endpoint, make; those of one endpoint are few."""
    for number, of_one in groupby(results, key=lambda result: result[1]):
        if number not in endpoints:
            gone = sum(1 for _ in of_one)
            yield Skipped(
                service=f"endpoint {number}", why="its endpoint was deleted", where="endpoint_results", rows=gone
            )
            continue
        name, group = endpoints[number]
        yield Named(service=name, group=group)
        told: list[tuple[datetime, Result]] = []
        for result in of_one:
            try:
                told.append((printed(str(result[6])), result))
            except ValueError as error:
                why = f"{error}".partition(", got")[0]
                yield Skipped(service=name, why=why, where=f"endpoint_results:{result[0]}")
        every = usual(sorted(to_ms(at) for at, _ in told), EVERY)
        asked = Asked(every=every, rule=rule(1, every))
        yield from (past(name, at, result, asked) for at, result in told)


def past(name: str, at: datetime, result: Result, asked: Asked) -> Past:
    """Tell one result."""
    _, _, success, errors, status, duration, _ = result
    code = status if isinstance(status, int) and status > 0 else None
    return Past(
        service=name,
        at=at,
        outcome=Outcome.PASS if success else Outcome.FAIL,
        took=round(duration / NS) if isinstance(duration, int) and duration >= 0 else UNMEASURED,
        reason=None if success else failure(code, str(errors or "")),
        code=code,
        asked=asked,
    )


def printed(text: str) -> datetime:
    """Read a moment as Go prints it, or as ISO-8601. Raises ValueError.

    >>> printed("2021-01-02 16:39:17.123456789 +0000 UTC").isoformat()
    '2021-01-02T16:39:17.123456+00:00'
    """
    date, _, rest = text.partition(" ")
    clock, _, zone = rest.partition(" ")
    return moment(f"{date}T{clock}{zone.partition(' ')[0]}" if clock else text)
