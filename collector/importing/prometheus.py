"""Prometheus: the JSON of `/api/v1/query_range?query=probe_success`, or of `up`.

A matrix (data.resultType, data.result[].metric, data.result[].values as pairs of seconds and text), as
prometheus.io/docs/prometheus/latest/querying/api says. A sample is 1 or 0; one in between is an average, and says
how often, not when. The step is the usual distance of the samples: Prometheus repeats the newest scrape of the five
minutes before each of them, so an outage is as exact as the step is. The thresholds are those of [defaults].

A series is called by its label `service`, else by `instance` without user info and query. An instance is an address:
a service that is called by it is not public.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from ..model import UNMEASURED, Outcome, Reason, from_ms
from .past import Asked, ImportFailed, Named, Past, Row, Skipped, usual

METRICS = ("probe_success", "up")
EVERY = 60_000  # ms, where there is only one sample
VALUES = {1.0: (Outcome.PASS, None), 0.0: (Outcome.FAIL, Reason.ANSWER)}


class Series(msgspec.Struct):
    """The samples of one target."""

    metric: dict[str, str]
    values: list[tuple[float, str]]


class Data(msgspec.Struct):
    """The result of a query over a range."""

    resultType: str  # noqa: N815  as Prometheus has it
    result: list[Series]


class Document(msgspec.Struct):
    """An answer of the API."""

    data: Data


def read(path: Path, _: datetime) -> Iterator[Row]:
    """Read the file *path*. Raises ImportFailed."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ImportFailed([f"{path}: expected the matrix of a query over a range: {error}"]) from error
    return rows(document.data.result)


def rows(result: Iterable[Series]) -> Iterator[Row]:
    """Tell the history that the series make."""
    for number, series in enumerate(result, start=1):
        name, public = called(series.metric)
        where = f"result {number}"
        metric = series.metric.get("__name__", METRICS[0])  # an expression has no name
        if metric not in METRICS or not name:
            why = f"expected probe_success or up of an instance, got {metric[:80]!r}"
            yield Skipped(service=name, why=why, where=where, rows=len(series.values))
            continue
        yield Named(service=name, group=series.metric.get("job", ""), public=public)
        every = usual((round(second * 1000) for second, _ in series.values), EVERY)
        yield from samples(series.values, name, where, Asked(every=every))


def samples(values: Iterable[tuple[float, str]], name: str, where: str, asked: Asked) -> Iterator[Row]:
    """Tell the samples of one series."""
    for place, (second, text) in enumerate(values, start=1):
        try:
            outcome, reason = VALUES[float(text)]
            at = from_ms(round(second * 1000))
        except (ValueError, KeyError, OverflowError):
            yield Skipped(service=name, why="is neither 0 nor 1", where=f"{where}, value {place}")
            continue
        yield Past(service=name, at=at, outcome=outcome, took=UNMEASURED, reason=reason, asked=asked)


def called(metric: dict[str, str]) -> tuple[str, bool]:
    """Return the name of a series, and whether that tells no address.

    >>> called({"instance": "https://me:secret@shop.example/health?key=1"})
    ('shop.example/health', False)
    >>> called({"instance": "10.0.0.7:9100", "service": "Shop"})
    ('Shop', True)
    """
    if metric.get("service"):
        return metric["service"], True
    instance = metric.get("instance", "")
    address = urlsplit(instance if "://" in instance else f"//{instance}")
    return f"{address.netloc.rpartition('@')[2]}{address.path}".rstrip("/"), False
