"""Random histories through the whole record: history.py, the SQL views, status.json and a rebuild agree to the digit."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from helpers import SAYS, WHY, a_check
from helpers_dump import dump
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from uplog.collector import history
from uplog.collector.catalog import Entry
from uplog.collector.model import Check, Observation, Role, Target
from uplog.collector.store import Store, catalog, record, upkeep
from uplog.collector.store.read import history_at
from uplog.collector.store.views import query
from uplog.site.render import overview
from uplog.site.view import page

pytestmark = pytest.mark.unit

START = datetime(2026, 10, 23, 21, 30, tzinfo=UTC)  # two days before Helsinki's day of 25 hours

# a stretch of history: what is said, how many intervals of silence after each, how often
stretch = st.tuples(st.sampled_from("+++--!?"), st.integers(1, 40), st.integers(0, 4))
checks = st.lists(
    st.tuples(
        st.sampled_from([10, 30, 60, 90]),  # minutes between two questions
        st.integers(1, 3),
        st.integers(1, 2),
        st.sampled_from([Role.LIVENESS, Role.LIVENESS, Role.READINESS]),
        st.lists(stretch, min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=3,
)


def make(spec: list[tuple[int, int, int, Role, list[tuple[str, int, int]]]]) -> list[tuple[Check, list[Observation]]]:
    """Turn drawn numbers into checks with their observations."""
    made = []
    for place, (minutes, failures, successes, role, stretches) in enumerate(spec):
        check = a_check(
            key=f"config//web/http/{place}",
            name=str(place),
            role=role,
            every=minutes * 60_000,
            declared_every=minutes * 60_000,
            failure_threshold=failures,
            success_threshold=successes,
        )
        at = START + timedelta(seconds=61 * place, milliseconds=437 * place)
        rows = []
        for sign, count, silence in stretches:
            for _ in range(count):
                rows.append(Observation(check=check.key, at=at, outcome=SAYS[sign], took=count, reason=WHY[sign]))
                at += timedelta(minutes=minutes)
            at += timedelta(minutes=minutes * silence)
        made.append((check, rows))
    return made


def stored(store: Store, made: list[tuple[Check, list[Observation]]]) -> datetime:
    """Record it as a collector would, a few rows a transaction; return the newest moment."""
    target = Target(source="config", ref="uplog.toml:1", name="web", checks=tuple(check for check, _ in made))
    entry = Entry(key="config//web", targets=[target], checks=[check for check, _ in made])
    with store.writing() as db:
        catalog.sync(
            db,
            [entry],
            START,
            configured=frozenset({"config"}),
            succeeded=frozenset({"config"}),
            silent=frozenset(),
            public=True,
        )
    rows = sorted(
        (record.Seen(check=check, observation=one) for check, rows in made for one in rows),
        key=lambda seen: seen.observation.at,
    )
    for begin in range(0, len(rows), 7):
        with store.writing() as db:
            record.observed(db, rows[begin : begin + 7], store.zone)
    return rows[-1].observation.at


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(spec=checks)
def test_another_time_zone_cuts_all_days_anew(
    tmp_path_factory: pytest.TempPathFactory, spec: list[tuple[int, int, int, Role, list[tuple[str, int, int]]]]
) -> None:
    dumps = []
    for first in ("UTC", "Pacific/Auckland"):
        path: Path = tmp_path_factory.mktemp("db") / "uplog.db"
        with Store(path, zone=ZoneInfo(first)) as store:
            stored(store, make(spec))
            with store.writing() as db:
                upkeep.keep_zone(db, ZoneInfo(first))
                upkeep.move_days(db)
                upkeep.keep_zone(db, ZoneInfo("Pacific/Auckland"))
        with Store(path, zone=ZoneInfo("Pacific/Auckland")) as store:
            dumps.append(dump(store))

    assert dumps[0] == dumps[1]


def ask(db: sqlite3.Connection, view: str, now: datetime) -> list[dict[str, object]]:
    """Ask a view as of a moment."""
    cursor = db.execute(query(view, ":now"), {"now": int(now.timestamp())})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def agree(store: Store, now: datetime, zone: ZoneInfo) -> None:
    """Compare SQL as of a moment in the past with the history as it was known then."""
    with store.reading() as db:
        services = history_at(db, now).services
        views = {view: ask(db, view, now) for view in ("spans", "incidents", "uptime", "uptime_daily", "services")}
    if not services:
        assert not views["spans"]
        return
    service = services[0]
    shown = [span for span in service.spans if span.start < now]
    assert [
        (row["state"], row["started_s"]) for row in sorted(views["spans"], key=lambda row: str(row["started"]))
    ] == [(span.state, int(span.start.timestamp())) for span in shown]
    told = [one for one in history.incidents(service.spans, service.service.slug, now) if one.start < now]
    assert {(one.id, one.seconds, one.end is None) for one in told} == {
        (row["id"], row["seconds"], row["ended"] is None) for row in views["incidents"]
    }
    if shown and (shown[-1].end is None or shown[-1].end > now):
        assert views["services"][0]["state"] == shown[-1].state
    for row in views["uptime"]:
        start, end = history.periods(now, zone)[str(row["period"])]
        sums = history.account(service.spans, start, end)._asdict()
        assert sums == {name: row[name] for name in sums}
        assert row["incidents"] == len(history.touching(told, start, end))
    borders = [start for _, start in history.days(now, zone, 40)] + [now]
    by_day = dict(
        zip((day for day, _ in history.days(now, zone, 40)), history.accounts(service.spans, borders), strict=True)
    )
    for row in views["uptime_daily"]:
        assert {name: row[name] for name in history.Account._fields} == by_day[str(row["day"])]._asdict()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    spec=checks,
    later=st.sampled_from([0, 45, 600, 86_400, 300_000]),
    back=st.lists(st.integers(0, 20_000), max_size=4),
)
def test_all_who_count_seconds_agree_to_the_digit(
    tmp_path_factory: pytest.TempPathFactory,
    spec: list[tuple[int, int, int, Role, list[tuple[str, int, int]]]],
    later: int,
    back: list[int],
) -> None:
    zone = ZoneInfo("Europe/Helsinki")
    path: Path = tmp_path_factory.mktemp("db") / "uplog.db"
    with Store(path, zone=zone) as store:
        newest = stored(store, make(spec))
        now = newest.replace(microsecond=0) + timedelta(seconds=1 + later)
        with store.reading() as db:
            read = history_at(db, now)
            views = {view: ask(db, view, now) for view in ("spans", "incidents", "uptime", "uptime_daily", "services")}
        service = read.services[0]
        spans = [(str(span.state), span.start, span.end) for span in service.spans]

        assert spans == [
            (
                row["state"],
                *(
                    None if row[name] is None else datetime.fromtimestamp(row[name], UTC)
                    for name in ("started_s", "ended_s")
                ),
            )  # type: ignore[arg-type]
            for row in sorted(views["spans"], key=lambda row: row["started_s"])  # type: ignore[arg-type,return-value]
        ]
        told = history.incidents(service.spans, service.service.slug, now)
        assert {(one.id, one.seconds) for one in told} == {(row["id"], row["seconds"]) for row in views["incidents"]}

        status = json.loads(overview(page(read, zone=zone, audience="public"))["status.json"])["services"][0]
        assert status["state"] == views["services"][0]["state"]
        for row in views["uptime"]:
            start, end = history.periods(now, zone)[str(row["period"])]
            sums = history.account(service.spans, start, end)
            shown = status["uptime"][row["period"]]
            assert sums._asdict() == {name: row[name] for name in history.Account._fields}
            assert sums._asdict() == {name: shown[name] for name in history.Account._fields}
            assert history.percent(sums.uptime) == shown["uptime_pct"]
            assert row["uptime_pct"] == (None if sums.uptime is None else sums.uptime / 1000)
            assert row["incidents"] == shown["incidents"] == len(history.touching(told, start, end))
        by_day = {row["day"]: row for row in views["uptime_daily"]}
        for cell in status["days"]:
            row = by_day.pop(cell["day"])
            assert {name: cell[name] for name in history.Account._fields} == {
                name: row[name] for name in history.Account._fields
            }
            assert cell["incidents"] == row["incidents"]
        assert not by_day
        for minutes in back:
            agree(store, now - timedelta(minutes=minutes), zone)

        before = dump(store)
        with store.writing() as db:
            upkeep.move_days(db)
        with store.writing() as db:
            upkeep.rebuild(db, zone)
        moved = dump(store)
        with store.writing() as db:
            upkeep.rebuild(db, zone)
        assert dump(store) == moved
        assert [line for line in moved.splitlines() if not line.startswith("_latency")] == [
            line for line in before.splitlines() if not line.startswith("_latency")
        ]
