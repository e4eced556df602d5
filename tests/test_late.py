"""Whatever comes in late, and however late: what is kept is what a rebuild makes of the same rows."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from helpers import SAYS, T0, WHY, a_check
from helpers_dump import dump
from hypothesis import given, settings
from hypothesis import strategies as st

from uplog.collector.catalog import Entry
from uplog.collector.model import Observation, Target, to_ms
from uplog.collector.store import Store, catalog, cycles, prune, record, upkeep
from uplog.collector.store.derive import horizon_ms, meta
from uplog.collector.store.late import keep_older

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)
DAY_MS = 86_400_000
ASKED = [
    a_check(
        key=f"config//{service}/http/{name}",
        service=f"config//{service}",
        name=name,
        every=3_600_000,
        failure_threshold=failures,
        success_threshold=successes,
    )
    for service, name, failures, successes in (("web", "", 2, 1), ("web", "deep", 1, 2), ("shop", "", 1, 1))
]

Step = tuple[
    str, int, datetime, str, int
]  # what happens, to which of the checks, when, what it says, after how many ms


def hour(hours: float) -> datetime:
    return T0 + hours * HOUR


@contextmanager
def opened(path: Path, zone: str = "UTC") -> Iterator[Store]:
    """Open a record that knows of two services, of which one has two checks."""
    everyone = frozenset({"config"})
    with Store(path / "uplog.db", zone=ZoneInfo(zone)) as store, store.writing() as db:
        entries = []
        for key in ("config//web", "config//shop"):
            checks = tuple(check for check in ASKED if check.service == key)
            target = Target(source="config", ref="", name=key.removeprefix("config//"), checks=checks)
            entries.append(Entry(key=key, targets=[target], checks=list(checks)))
        catalog.sync(db, entries, T0, configured=everyone, succeeded=everyone, silent=frozenset(), public=True)
    with Store(path / "uplog.db", zone=ZoneInfo(zone)) as store:
        yield store


def happens(store: Store, what: str, which: int, at: datetime, sign: str = "+", took: int = 5) -> None:
    """Let one thing happen to the record at the moment *at*, by a clock that shows it."""
    check, check_id, service_id = ASKED[which], which + 1, which // 2 + 1
    said = Observation(check=check.key, at=at, outcome=SAYS[sign], took=took, reason=WHY[sign])
    seen = record.Seen(check=check, observation=said)
    if what in ("pruned", "pruned but for a day"):
        prune.prune(store, at, 100 * DAY_MS if what == "pruned" else DAY_MS, rest=lambda seconds: None)
        return
    with store.writing() as db:
        match what:
            case "asked":
                counted = record.Counted(trigger="cron", started=at, ended=at, planned=1, observed=1, late=0)
                cycles.keep(db, cycles.Cycle(counted=counted, seen=(seen,)), store.zone)
            case "told":  # as pauses are, and that nobody was awake
                record.observed(db, [seen], store.zone)
            case "imported":
                row = (record.series_of(db, check_id, check.every), to_ms(at), took, record.Said(db).id(said))
                keep_older(db, [(check_id, [row])], store.zone, at + 30 * HOUR)
                upkeep.move_days(db, at + 30 * HOUR)
            case "ended":
                if (changed := record.end_life(db, check_id, at)) is not None:
                    record.follow(db, {service_id: changed}, store.zone)
            case "moved":
                upkeep.move_days(db)
            case "rebuilt":
                upkeep.rebuild(db, store.zone, at)


def is_what_a_rebuild_makes(store: Store) -> bool:
    """Compare all that is derived, and the percentiles with those of every row that there is."""
    with store.writing() as db:
        upkeep.move_days(db)
    before = dump(store)
    right = percentiles(store)
    with store.writing() as db:
        upkeep.rebuild(db, store.zone)
    return dump(store) == before and right == percentiles(store) == worked_out(store)


COLUMNS = "service, day, observations, p50_ms, p95_ms, p99_ms, max_ms"


def percentiles(store: Store) -> list[tuple[object, ...]]:
    """Read the percentiles of the days of which all rows are there."""
    with store.reading() as db:
        first = datetime.fromtimestamp(horizon_ms(db) / 1000, store.zone)
        return db.execute(
            f"select {COLUMNS} from latency_daily where day >= ? order by 1, 2", (f"{first:%Y-%m-%d}",)
        ).fetchall()


def worked_out(store: Store) -> list[tuple[object, ...]]:
    """Work the same out from what the view of all rows shows."""
    with store.reading() as db:
        rows = db.execute(
            """
            select service, at_ms, latency_ms from observations
            where outcome in ('pass', 'warn') and at_ms >= ? and at_ms < ?
            """,
            (horizon_ms(db), 1000 * int(meta(db, "moved_s", "0"))),
        ).fetchall()
    days: dict[tuple[str, str], list[int]] = defaultdict(list)
    for service, at_ms, took in rows:
        days[service, f"{datetime.fromtimestamp(at_ms / 1000, store.zone):%Y-%m-%d}"].append(took)
    return sorted(
        (service, day, len(tooks), *(sorted(tooks)[(len(tooks) * part + 99) // 100 - 1] for part in (50, 95, 99, 100)))
        for (service, day), tooks in days.items()
    )


WHEN: dict[str, list[tuple[Any, ...]]] = {
    "a pass comes for a day that had none and is over": [
        ("asked", 0, hour(1), "-"),
        ("asked", 0, hour(30), "-"),
        ("moved", 0, hour(30)),
        ("told", 2, hour(2)),
    ],
    "an answer comes for a day that is over, and an import moves it": [
        ("asked", 0, hour(1)),
        ("asked", 0, hour(24)),
        ("moved", 0, hour(24)),
        ("told", 1, hour(23)),
        ("imported", 2, hour(25)),
    ],
    "a prune finds answers of days that were moved": [
        ("asked", 0, hour(1)),
        ("asked", 0, hour(49)),
        ("pruned", 0, hour(49)),
        ("told", 1, hour(2)),
        ("pruned", 0, hour(50)),
    ],
    "an import makes a failure of the only pass of a day": [("imported", 0, hour(1)), ("imported", 0, hour(1), "-")],
    "a day goes on that was over by the clock of an import": [
        ("imported", 0, hour(1)),
        ("asked", 2, hour(2)),
        ("asked", 0, hour(3)),
    ],
    "answers come for days before the first": [
        ("asked", 0, hour(24)),
        ("moved", 0, hour(24)),
        ("asked", 1, hour(-40)),
        ("asked", 2, hour(0)),
    ],
    "a check is asked again by a clock that shows a time before its end": [
        ("asked", 0, hour(1)),
        ("ended", 0, hour(3)),
        ("asked", 0, hour(1)),
        ("asked", 0, hour(2)),
    ],
    "a check ends, or is paused, by a clock that shows a time before its silence was known": [
        ("asked", 0, hour(1)),
        ("asked", 2, hour(1)),
        ("asked", 1, hour(9)),
        ("ended", 0, hour(2)),
        ("told", 2, hour(2), "?"),
    ],
    "the clock shows a time of which rows were pruned": [
        ("asked", 0, hour(1)),
        ("asked", 2, hour(1)),
        ("asked", 1, hour(80)),
        ("pruned but for a day", 0, hour(80)),
        ("ended", 0, hour(2)),
        ("told", 2, hour(2), "-"),
    ],
    "the newest day is over by the clock and all before it is pruned": [
        ("asked", 0, hour(1)),
        ("rebuilt", 0, hour(25)),
        ("pruned but for a day", 0, hour(99)),
    ],
}


@pytest.mark.parametrize("steps", WHEN.values(), ids=WHEN)
def test_what_is_kept_is_what_a_rebuild_makes_when(tmp_path: Path, steps: list[tuple[Any, ...]]) -> None:
    with opened(tmp_path) as store:
        for step in steps:
            happens(store, *step)

        assert is_what_a_rebuild_makes(store)


def test_answers_that_come_in_time_keep_their_moments_though_a_silence_before_them_is_not_over(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for hours in (0, 1, 6, 7, 8):  # two passes in a row end it
            happens(store, "asked", 1, hour(hours))

        found = store.db.execute("select at_ms from observations order by 1").fetchall()
        assert found == [(to_ms(hour(hours)),) for hours in (0, 1, 6, 7, 8)]


def test_two_answers_of_one_moment_are_recorded_one_after_the_other(tmp_path: Path) -> None:
    said = [Observation(check=ASKED[0].key, at=T0, outcome=SAYS[sign], took=5, reason=WHY[sign]) for sign in "+-"]
    with opened(tmp_path) as store:
        with store.writing() as db:
            record.observed(db, [record.Seen(check=ASKED[0], observation=one) for one in said], store.zone)

        found = store.db.execute("select at_ms, outcome from observations order by 1").fetchall()
        assert found == [(to_ms(T0), "pass"), (to_ms(T0) + 1, "fail")]


def test_the_days_of_old_rows_reach_to_the_clock_also_after_a_rebuild(tmp_path: Path) -> None:
    now = T0 + timedelta(days=1200)
    with opened(tmp_path) as store, store.writing() as db:
        row = (record.series_of(db, 1, 3_600_000), to_ms(T0), 5, record.Said(db).number(0, 200, None, 1))
        keep_older(db, [(1, [row])], store.zone, now)
        before = db.execute("select * from _day order by 1").fetchall()
        upkeep.rebuild(db, store.zone, now)

        assert before[0][1] == to_ms(T0) // 1000
        assert before[-1][2] > to_ms(now) // 1000
        assert db.execute("select * from _day order by 1").fetchall() == before


def test_a_prune_is_due_as_long_as_an_answer_of_a_day_that_was_moved_waits(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        happens(store, "asked", 0, hour(1))
        happens(store, "asked", 0, hour(24))
        found = []
        for what, at in (("pruned", hour(24)), ("told", hour(23)), ("pruned", hour(24))):
            happens(store, what, 1, at)
            with store.reading() as db:
                found.append(prune.due(db, hour(24), 100 * DAY_MS, store.zone))

        assert found == [False, True, False]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["asked"] * 4 + ["told"] * 3 + ["imported", "ended", "moved", "moved", "pruned", "rebuilt"]),
        st.integers(0, 2),
        st.builds(
            lambda hours, ms: hour(hours) + timedelta(milliseconds=ms),
            st.integers(-36, 96),
            st.sampled_from([-1, 0, 0, 1, 900_000]),
        ),
        st.sampled_from("++--!?"),
        st.integers(0, 9),
    ),
    max_size=16,
)


@settings(max_examples=30)
@given(zone=st.sampled_from(["UTC", "Europe/Helsinki"]), steps=STEPS)
def test_in_whatever_order_rows_come_in_what_is_kept_is_what_a_rebuild_makes(
    tmp_path_factory: pytest.TempPathFactory, zone: str, steps: list[Step]
) -> None:
    with opened(tmp_path_factory.mktemp("db"), zone) as store:
        for step in steps:
            happens(store, *step)

        assert is_what_a_rebuild_makes(store)
