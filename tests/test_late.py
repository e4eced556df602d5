"""Whatever comes in late, and however late: what is kept is what a rebuild makes of the same rows."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from helpers import SAYS, T0, WHY, a_check
from helpers_dump import dump
from hypothesis import given, settings
from hypothesis import strategies as st

from uplog.collector.catalog import Entry
from uplog.collector.model import Check, Observation, Target, to_ms
from uplog.collector.store import Store, catalog, cycles, prune, record, upkeep
from uplog.collector.store.derive import meta
from uplog.collector.store.late import keep_older

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)
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


def fill(store: Store) -> None:
    """Let the record know of two services, of which one has two checks."""
    entries = []
    for key in dict.fromkeys(check.service for check in ASKED):
        checks = tuple(check for check in ASKED if check.service == key)
        target = Target(source="config", ref="", name=key.removeprefix("config//"), checks=checks)
        entries.append(Entry(key=key, targets=[target], checks=list(checks)))
    everyone = frozenset({"config"})
    with store.writing() as db:
        catalog.sync(db, entries, T0, configured=everyone, succeeded=everyone, silent=frozenset(), public=True)


def said(check: Check, at: datetime, sign: str, took: int) -> record.Seen:
    one = Observation(check=check.key, at=at, outcome=SAYS[sign], took=took, reason=WHY[sign])
    return record.Seen(check=check, observation=one)


def happens(store: Store, what: str, which: int, at: datetime, sign: str, took: int) -> None:
    """Let one thing happen to the record at the moment *at*, by a clock that shows it."""
    check = ASKED[which]
    with store.writing() as db:
        match what:
            case "asked":
                counted = record.Counted(trigger="cron", started=at, ended=at, planned=1, observed=1, late=0)
                cycles.keep(db, cycles.Cycle(counted=counted, seen=(said(check, at, sign, took),)), store.zone)
            case "overlapping":
                record.observed(db, [said(check, at, sign, took)], store.zone)
            case "imported":
                series = record.series_of(db, which + 1, check.every)
                number = record.Said(db).id(said(check, at, sign, took).observation)
                keep_older(db, [(which + 1, [(series, to_ms(at), took, number)])], store.zone, at + 30 * HOUR)
            case "ended":
                if (changed := record.end_life(db, which + 1, at)) is not None:
                    record.follow(db, {which // 2 + 1: changed}, store.zone)
            case "moved":
                upkeep.move_days(db)
    if what == "pruned":
        prune.prune(store, at, 9_000_000_000, rest=lambda seconds: None)


def settled(store: Store) -> str:
    with store.writing() as db:
        upkeep.move_days(db)
    return dump(store)


def rebuilt(store: Store) -> str:
    with store.writing() as db:
        upkeep.rebuild(db, store.zone)
    return dump(store)


def latencies(store: Store) -> list[tuple[object, ...]]:
    """Work out the percentiles of the days that are kept from every row that the view shows."""
    with store.reading() as db:
        until = int(meta(db, "moved_s", "0"))
        rows = db.execute(
            "select service, at_ms, latency_ms from observations where outcome in ('pass', 'warn') and at_ms < ?",
            (until * 1000,),
        ).fetchall()
    days: dict[tuple[str, str], list[int]] = defaultdict(list)
    for service, at_ms, took in rows:
        at = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(store.zone)
        days[service, f"{at:%Y-%m-%d}"].append(took)
    return sorted(
        (service, day, len(tooks), *(sorted(tooks)[(len(tooks) * part + 99) // 100 - 1] for part in (50, 95, 99, 100)))
        for (service, day), tooks in days.items()
    )


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["asked"] * 4 + ["overlapping"] * 3 + ["imported", "ended", "moved", "moved", "pruned"]),
        st.integers(0, 2),
        st.builds(
            lambda hours, ms: T0 + hours * HOUR + timedelta(milliseconds=ms),
            st.integers(-36, 96),
            st.sampled_from([-1, 0, 0, 1, 900_000]),
        ),
        st.sampled_from("++--!?"),
        st.integers(0, 9),
    ),
    max_size=20,
)


@settings(max_examples=40)
@given(zone=st.sampled_from(["UTC", "Europe/Helsinki"]), steps=STEPS)
def test_in_whatever_order_rows_come_in_what_is_kept_is_what_a_rebuild_makes(
    tmp_path_factory: pytest.TempPathFactory, zone: str, steps: Sequence[tuple[str, int, datetime, str, int]]
) -> None:
    with Store(tmp_path_factory.mktemp("db") / "uplog.db", zone=ZoneInfo(zone)) as store:
        fill(store)
        for step in steps:
            happens(store, *step)
        before = settled(store)

        columns = "service, day, observations, p50_ms, p95_ms, p99_ms, max_ms"
        assert store.db.execute(f"select {columns} from latency_daily order by 1, 2").fetchall() == latencies(store)
        assert rebuilt(store) == before
