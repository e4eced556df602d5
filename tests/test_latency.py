"""Latencies of weeks and months: merged from the sketches of days, and 2% wrong at most."""

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from helpers import a_check
from hypothesis import given, settings
from hypothesis import strategies as st
from test_accounting import stored

from uplog.collector.model import Observation, Outcome
from uplog.collector.store import Store, upkeep
from uplog.collector.store.schema import latency_buckets

pytestmark = pytest.mark.unit

FIRST = datetime(2026, 11, 26, 6, tzinfo=UTC)  # a Thursday, four days before another month

latencies = st.one_of(st.integers(0, 60), st.integers(0, 5_000), st.integers(0, 90_000_000))


def nearest_rank(values: list[int], part: int) -> int:
    return sorted(values)[(len(values) * part + 99) // 100 - 1]


@settings(max_examples=20)
@given(days=st.lists(st.lists(latencies, min_size=1, max_size=40), min_size=2, max_size=9))
def test_merged_percentiles_are_near_the_exact_ones(
    tmp_path_factory: pytest.TempPathFactory, days: list[list[int]]
) -> None:
    path: Path = tmp_path_factory.mktemp("db") / "uplog.db"
    check = a_check(every=600_000, declared_every=600_000)
    rows = [
        (FIRST + timedelta(days=day, minutes=10 * place), took)
        for day, tooks in enumerate([*days, [1]])  # the last day is still open
        for place, took in enumerate(tooks)
    ]
    seen = [Observation(check=check.key, at=at, outcome=Outcome.PASS, took=took) for at, took in rows]
    with Store(path) as store:
        stored(store, [(check, seen)])
        with store.writing() as db:
            upkeep.move_days(db)
        db = store.db
        for view, label, of in (
            ("latency_weekly", "week", lambda at: f"{at - timedelta(days=at.weekday()):%Y-%m-%d}"),
            ("latency_monthly", "month", lambda at: f"{at:%Y-%m}"),
        ):
            merged: dict[str, list[int]] = {}
            for at, took in rows[:-1]:
                merged.setdefault(of(at), []).append(took)
            found = db.execute(f"select {label}, observations, p50_ms, p95_ms, p99_ms, max_ms from {view}").fetchall()

            assert {name: (count, slowest) for name, count, *_, slowest in found} == {
                name: (len(values), max(values)) for name, values in merged.items()
            }
            for name, _, *percentiles, _ in found:
                exact = [nearest_rank(merged[name], part) for part in (50, 95, 99)]
                for near, right in zip(percentiles, exact, strict=True):
                    assert abs(near - right) <= 0.02 * right or right > 83_000_000  # a day: the last bucket has no end


def test_the_buckets_of_a_sketch_leave_no_gap_and_err_by_two_percent() -> None:
    buckets = latency_buckets()

    assert [number for number, *_ in buckets] == list(range(len(buckets)))
    assert all(high + 1 == low for (_, _, high, _), (_, low, _, _) in itertools.pairwise(buckets))
    assert all(value - low <= 0.02 * low and high - value <= 0.02 * high for _, low, high, value in buckets[:-1])
