"""Random histories through the whole record: all who count agree with the slow oracle, and with each other, to the digit.

Time is compressed: intervals are seconds, so that every second can be looked at.
"""

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import oracle
import pytest
from helpers import a_check
from helpers_dump import dump
from hypothesis import given, settings
from hypothesis import strategies as st

from uplog.collector import history
from uplog.collector.catalog import Entry
from uplog.collector.importing.past import Past
from uplog.collector.model import Check, Observation, Outcome, Reason, Role, State, Target, from_ms
from uplog.collector.store import Store, catalog, derive, old, prune, record, upkeep
from uplog.collector.store.codes import STATE_CODE
from uplog.collector.store.read import history_at
from uplog.collector.store.views import query
from uplog.site.render import render
from uplog.site.view import page

pytestmark = pytest.mark.unit

NOTHING = "\N{EN DASH}"
SOON = 80  # s
SUMS = ("up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s", "maintenance_down_s")
SAYS = {"+": "pass", "!": "warn", "-": "fail", "r": "fail", "?": "unknown"}
WHY = {"+": None, "!": "slow", "-": "timeout", "r": "refused", "?": "monitor_offline"}

# A little before days begin: where clocks go back an hour, and forward, at midnight itself, far east, and UTC.
PLACES = {
    "Europe/Helsinki": datetime(2026, 10, 24, 20, 58, 40, tzinfo=UTC),
    "America/New_York": datetime(2026, 3, 8, 4, 59, 10, tzinfo=UTC),
    "America/Havana": datetime(2026, 3, 8, 4, 59, 10, tzinfo=UTC),
    "Asia/Kathmandu": datetime(2026, 12, 31, 18, 14, 20, tzinfo=UTC),
    "UTC": datetime(2026, 2, 28, 23, 59, 30, tzinfo=UTC),
}


# What is drawn


class Stretch(NamedTuple):
    """Some observations alike: a sign, how many, and how far each lies from the one before, in thousandths of every."""

    sign: str
    count: int
    pace: int


class Ask(NamedTuple):
    """One check. *slower*: which stretch begins with another interval, how many times as long."""

    role: str
    every: int  # s
    failures: int
    successes: int
    grace: int  # in intervals
    begins: int  # ms after the first moment
    stretches: list[Stretch]
    slower: tuple[int, int]
    ends: list[tuple[int, int]]  # after which observation it is no longer declared, and how many ms later


class Story(NamedTuple):
    """Services with their checks, and what is laid over them: service, begin in s, length in s, state."""

    zone: str
    services: list[list[Ask]]
    corrections: list[tuple[int, int, int, str]]
    windows: list[tuple[int, int, int | None]]
    batches: list[int]
    later: int  # s from the newest observation to now
    back: list[int]  # s from now, or from SOON after the newest observation, to moments in the past


stretches = st.builds(
    Stretch,
    st.sampled_from("+++--r!!?"),
    st.integers(1, 9),
    st.sampled_from([1000, 1000, 1000, 997, 1400, 2400, 2499, 2500, 2501, 2600, 5100, 300, 20, 1, 12_000]),
)
asks = st.builds(
    Ask,
    st.sampled_from(["liveness", "liveness", "liveness", "readiness", "startup"]),
    st.sampled_from([2, 5, 9, 30]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([0, 0, 0, 3, 8]),
    st.integers(0, 9_999),
    st.lists(stretches, min_size=1, max_size=9),
    st.tuples(st.integers(0, 9), st.sampled_from([2, 5])),
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([1, 900, 7_000, 200_000])), max_size=2),
)
stories = st.builds(
    Story,
    st.sampled_from(sorted(PLACES)),
    st.lists(st.lists(asks, min_size=1, max_size=3), min_size=1, max_size=2),
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.integers(-30, 300),
            st.integers(1, 200),
            st.sampled_from(["up", "down", "unknown", "degraded"]),
        ),
        max_size=3,
    ),
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(-30, 300), st.none() | st.integers(1, 200)),
        max_size=3,
        unique_by=lambda window: window[:2],
    ),
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.sampled_from([0, 1, 7, SOON, SOON, SOON, 4_000, 90_000]),
    st.lists(st.integers(0, 600), max_size=4),
)
short_stories = stories.map(lambda story: story._replace(later=min(story.later, 600), services=story.services[:1]))


# What is made of it


@dataclass(kw_only=True)
class Cast:
    """A story played: what the oracle is told, and in which order the record is."""

    zone: ZoneInfo
    checks: list[list[Check]]
    told: list[oracle.Service]
    rows: list[tuple[int, int, int, oracle.Row]] = field(default_factory=list)  # ms, service, check, row
    now: int = 0


def cast(story: Story) -> Cast:
    """Make checks and observations of what was drawn."""
    start = PLACES[story.zone]
    first = int(start.timestamp())
    checks, told, all_rows = [], [], []
    for number, those in enumerate(story.services):
        ready_at = max((startup_until(ask, first) for ask in those if ask.role == "startup"), default=first * 1000)
        said = []
        for place, ask in enumerate(those):
            rows, ends = rows_of(ask, first * 1000 if ask.role == "startup" else ready_at)
            all_rows += [(row.at, number, place, row) for row in rows]
            said.append(
                oracle.Check(
                    role=ask.role,
                    failure_threshold=ask.failures,
                    success_threshold=ask.successes,
                    grace=ask.grace * ask.every * 1000,
                    declared_every=ask.every * 1000,
                    rows=rows,
                    ends=ends,
                )
            )
        told.append(
            oracle.Service(
                checks=said,
                corrections=[
                    (first + begin, first + begin + length, state)
                    for service, begin, length, state in story.corrections
                    if service == number
                ],
                windows=[
                    (first + begin, None if length is None else first + begin + length)
                    for service, begin, length in story.windows
                    if service == number
                ],
            )
        )
        checks.append([check_of(number, place, ask) for place, ask in enumerate(those)])
    all_rows.sort(key=lambda one: one[:3])
    ends = [end for service in told for check in service.checks for end in check.ends]
    newest = max([all_rows[-1][0], *ends])
    return Cast(
        zone=ZoneInfo(story.zone), checks=checks, told=told, rows=all_rows, now=newest // 1000 + 1 + story.later
    )


def check_of(number: int, place: int, ask: Ask) -> Check:
    """Make the check that a story tells of."""
    return a_check(
        key=f"config//web{number}/http/{place}",
        service=f"config//web{number}",
        name=str(place),
        role=Role(ask.role),
        every=ask.every * 1000,
        declared_every=ask.every * 1000,
        failure_threshold=ask.failures,
        success_threshold=ask.successes,
        grace=ask.grace * ask.every * 1000,
    )


def rows_of(ask: Ask, begin_ms: int) -> tuple[list[oracle.Row], list[int]]:
    """Draw the observations of a check, and when it was no longer declared."""
    every = ask.every * 1000
    at = begin_ms + ask.begins
    rows: list[oracle.Row] = []
    for place, (sign, count, pace) in enumerate(ask.stretches):
        if place == ask.slower[0]:
            every *= ask.slower[1]
        for _ in range(count):
            if rows:
                at += max(1, every * pace // 1000)
            rows.append(oracle.Row(at=at, every=every, outcome=SAYS[sign], reason=WHY[sign]))
    if ask.role == "startup":  # it is asked until it has done its work, and not again
        return rows[: done_at(ask, rows) + 1], []
    ends = []
    for after, wait in sorted(ask.ends):
        if after < len(rows):
            end = rows[after].at + wait
            ends.append(end)
            rows = rows[: after + 1] + [row for row in rows[after + 1 :] if row.at > end]
    return rows, sorted(set(ends))


def done_at(ask: Ask, rows: Sequence[oracle.Row]) -> int:
    """Return which observation ends a startup check, or that of the last."""
    until = rows[0].at + ask.failures * ask.every * 1000
    done = (place for place, row in enumerate(rows) if row.outcome == "pass" or row.at >= until)
    return next(done, len(rows) - 1)


def startup_until(ask: Ask, first: int) -> int:
    """Return when the others are asked."""
    return rows_of(ask, first * 1000)[0][-1].at


def play(store: Store, played: Cast, story: Story) -> None:
    """Tell the record as a collector would: declarations, and a few rows a transaction, oldest first."""
    declared = [{place for place, _ in enumerate(checks)} for checks in played.checks]
    ends = sorted(
        (end, number, place)
        for number, service in enumerate(played.told)
        for place, check in enumerate(service.checks)
        for end in check.ends
    )
    declare(store, played, declared, from_ms(played.rows[0][0]))
    batch: list[record.Seen] = []
    sizes = cycle(story.batches)

    def flush() -> None:
        if batch:
            with store.writing() as db:
                record.observed(db, batch, store.zone)
            batch.clear()

    size = next(sizes)
    for at, number, place, row in played.rows:
        while ends and ends[0][0] < at:
            flush()
            end, other, gone = ends.pop(0)
            declared[other].discard(gone)
            declare(store, played, declared, from_ms(end))
        if place not in declared[number]:
            flush()
            declared[number].add(place)
            declare(store, played, declared, from_ms(at))
        batch.append(seen(played.checks[number][place], row))
        if len(batch) >= size:
            flush()
            size = next(sizes)
    flush()
    for end, other, gone in ends:
        declared[other].discard(gone)
        declare(store, played, declared, from_ms(end))


def seen(check: Check, row: oracle.Row) -> record.Seen:
    """Make of a row what a cycle hands to the record."""
    return record.Seen(
        check=a_check(**{**{name: getattr(check, name) for name in check.__dataclass_fields__}, "every": row.every}),
        observation=Observation(
            check=check.key,
            at=from_ms(row.at),
            outcome=Outcome(row.outcome),
            took=row.at % 500,
            reason=Reason(row.reason) if row.reason else None,
        ),
    )


def declare(store: Store, played: Cast, declared: Sequence[set[int]], now: datetime) -> None:
    """Let the configuration say which checks there are; a service without any is taken out of it."""
    entries = []
    for number, places in enumerate(declared):
        checks = [played.checks[number][place] for place in sorted(places)]
        if checks:
            target = Target(source="config", ref="uplog.toml:1", name=f"web{number}", checks=tuple(checks))
            entries.append(Entry(key=f"config//web{number}", targets=[target], checks=checks))
    config = frozenset({"config"})
    with store.writing() as db:
        catalog.sync(db, entries, now, configured=config, succeeded=config, silent=frozenset(), public=True)


def overlay(store: Store, played: Cast) -> None:
    """Write corrections and maintenance, and derive what follows."""
    with store.writing() as db:
        for number, service in enumerate(played.told):
            row = db.execute("select id from _service where key = ?", (f"config//web{number}",)).fetchone()
            for start, end, state in service.corrections:
                db.execute(
                    """
                    insert into _correction (service_id, started_s, ended_s, state, who, why, made_ms)
                    values (?, ?, ?, ?, 'ann', 'because', 0)
                    """,
                    (row[0], start, end, STATE_CODE[State(state)]),
                )
            for start, until in service.windows:
                db.execute(
                    "insert into _maintenance (service_id, started_s, ended_s, text) values (?, ?, ?, 'planned')",
                    (row[0], start, until),
                )
            changed = [start for start, *_ in (*service.corrections, *service.windows)]
            if changed:
                derive.derive(db, [(row[0], min(changed))])


# What is compared


def ask(db: sqlite3.Connection, view: str, now: int) -> list[dict[str, Any]]:
    """Ask a view as of a moment."""
    cursor = db.execute(query(view, ":now"), {"now": now})  # made ready once for all moments of a story
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


VIEWS = ("spans", "incidents", "uptime", "uptime_daily", "uptime_monthly", "services")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the oracle says of one service as of *now*."""

    now: int
    zone: ZoneInfo
    told: dict[int, oracle.Second]
    spans: list[oracle.Span]
    outages: list[oracle.Incident]
    days: dict[str, dict[str, int]]
    periods: dict[str, tuple[int, int, dict[str, int]]]  # begin, end, seconds


def known(service: oracle.Service, now: int, zone: ZoneInfo) -> Known:
    """Ask the oracle."""
    told = oracle.seconds(service, now)
    return Known(
        now=now,
        zone=zone,
        told=told,
        spans=oracle.spans(told, now),
        outages=oracle.incidents(told, now),
        days=oracle.days(told, now, zone),
        periods={
            period: (start, end, oracle.account(told, start, end))
            for period, (start, end) in oracle.windows(now, zone).items()
        },
    )


def agree(store: Store, played: Cast, now: int) -> None:
    """Compare what the oracle says of the moment *now* with everything that uplog says of it."""
    moment = datetime.fromtimestamp(now, UTC)
    with store.reading() as db:
        read = history_at(db, moment)
        views = {view: ask(db, view, now) for view in VIEWS}
    files = render(page(read, zone=played.zone, audience="public"))
    status = {one["name"]: one for one in json.loads(files["status.json"])["services"]}
    histories = {one.service.key: one for one in read.services}
    for place, service in enumerate(played.told):
        expected = known(service, now, played.zone)
        key, name = f"config//web{place}", f"web{place}"
        rows = {
            view: [one for one in all_of_it if one.get("service", one.get("key")) == key]
            for view, all_of_it in views.items()
        }
        sql_agrees(rows, expected)
        if key in histories:
            history_agrees(histories[key].spans, expected)
            status_agrees(status[name], expected)
            services_agrees(rows["services"][0], status[name], expected)
            page_agrees(files[f"service/{name}.html"].decode(), status[name])


def history_agrees(found: Sequence[history.Span], expected: Known) -> None:
    """Compare collector/history.py with the oracle."""
    now = datetime.fromtimestamp(expected.now, UTC)
    assert [clipped(span, expected.now) for span in found if span.start < now] == expected.spans
    assert [
        oracle.Incident(second(one.start), second(one.end), one.seconds, one.reason)
        for one in history.incidents(found, "web", now)
    ] == expected.outages
    for period, (start, end) in history.periods(now, expected.zone).items():
        sums = history.account(found, start, end)._asdict()
        assert (second(start), second(end), sums) == expected.periods[period]
    for (day, start), (_, end) in pairwise([*history.days(now, expected.zone, 5), ("", now)]):
        assert history.account(found, start, end)._asdict() == expected.days.get(day, dict.fromkeys(SUMS, 0))


def second(moment: datetime | None) -> Any:
    """Write a moment as the oracle does."""
    return None if moment is None else int(moment.timestamp())


def clipped(span: history.Span, now: int) -> oracle.Span:
    """Leave out of a span what is still to come."""
    end = second(span.end)
    return oracle.Span(
        second(span.start), end if end is None or end <= now else None, span.state, span.reason, span.maintenance
    )


def sql_agrees(rows: dict[str, list[dict[str, Any]]], expected: Known) -> None:
    """Compare the views with the oracle."""
    now, outages = expected.now, expected.outages
    found = [
        oracle.Span(one["started_s"], one["ended_s"], one["state"], one["reason"], bool(one["maintenance"]))
        for one in sorted(rows["spans"], key=lambda one: one["started_s"])
    ]
    assert found == expected.spans
    assert all(one["seconds"] == (one["ended_s"] or now) - one["started_s"] for one in rows["spans"])
    assert [
        oracle.Incident(one["started_s"], one["ended_s"], one["seconds"], one["reason"])
        for one in sorted(rows["incidents"], key=lambda one: one["started_s"])
    ] == outages
    assert {one["day"]: {name: one[name] for name in SUMS} for one in rows["uptime_daily"]} == expected.days
    for one in rows["uptime_daily"]:
        same_figures(one, expected.days[one["day"]], number)
        assert one["incidents"] == oracle.touching(outages, one["started_s"], min(one["ended_s"], now))
    by_month = oracle.months(expected.days)
    assert {one["month"]: {name: one[name] for name in SUMS} for one in rows["uptime_monthly"]} == by_month
    for one in rows["uptime_monthly"]:
        same_figures(one, by_month[one["month"]], number)
        assert one["incidents"] == oracle.touching(outages, one["started_s"], one["ended_s"])
    by_period = {one["period"]: one for one in rows["uptime"]}
    for period, (start, end, sums) in expected.periods.items():
        if period in by_period:
            same_figures(by_period[period], sums, number)
            assert by_period[period]["incidents"] == oracle.touching(outages, start, end)
        else:
            assert not any(sums.values())


def services_agrees(found: dict[str, Any], status: dict[str, Any], expected: Known) -> None:
    """Compare the view `services` with status.json, and with the oracle while a check lives."""
    assert found["state"] == status["state"]
    standing = oracle.current(expected.told, expected.now)
    if standing is not None:
        state, reason, since = standing
        assert (found["state"], found["since_s"]) == (state, since)
        assert found["reason"] == reason


def number(percentage: str | None) -> float | None:
    """Write a percentage as the views do."""
    return None if percentage is None else float(percentage)


def same_figures(
    found: dict[str, Any], sums: dict[str, int], written: Callable[[str | None], Any] = lambda one: one
) -> None:
    """Compare seconds and percentages of one window."""
    expected = {**sums, **{name: written(one) for name, one in oracle.percentages(sums).items()}}
    assert {name: found[name] for name in expected if name in found} == {
        name: one for name, one in expected.items() if name in found
    }


def status_agrees(found: dict[str, Any], expected: Known) -> None:
    """Compare status.json with the oracle."""
    standing = oracle.current(expected.told, expected.now)
    if standing is not None:
        state, reason, since = standing
        assert (found["state"], found["reason"], found["since"]) == (state, reason, iso(since))
    assert [(one["started"], one["ended"], one["seconds"], one["reason"]) for one in found["incidents"]] == [
        (iso(one.start), iso(one.end), one.seconds, one.reason) for one in reversed(expected.outages)
    ]
    for period, (start, end, sums) in expected.periods.items():
        same_figures(found["uptime"][period], sums)
        assert found["uptime"][period]["incidents"] == oracle.touching(expected.outages, start, end)
        nothing_is_subtracted_unseen(found["uptime"][period], expected, start, end)
    cells = {cell["day"]: cell for cell in found["days"]}
    assert expected.days.keys() <= cells.keys()
    for day, cell in cells.items():
        same_figures(cell, expected.days.get(day, dict.fromkeys(SUMS, 0)))
    by_month = oracle.months(expected.days)
    assert [month["month"] for month in found["months"]] == list(by_month)
    for month in found["months"]:
        same_figures(month, by_month[month["month"]])


def nothing_is_subtracted_unseen(found: dict[str, Any], expected: Known, start: int, end: int) -> None:
    """Where uptime is printed it is below 100 exactly when a down span outside maintenance is listed for the window."""
    listed = any(
        span.state == "down" and not span.maintenance and span.start < end and (span.end or end) > start
        for span in expected.spans
    )
    assert found["uptime_pct"] is None or (found["uptime_pct"] != "100") is listed
    told = sorted(expected.told)
    assert sum(found[name] for name in SUMS[:5]) == bisect_left(told, end) - bisect_left(told, start)


def iso(moment: int | None) -> str | None:
    """Write a moment as status.json does."""
    return None if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"


class Shown(HTMLParser):
    """What stands in the tables of a page, row by row under the first word of each, and the ids of its outages."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.ids: list[str] = []
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._cell = True
        if tag == "li" and (identity := dict(attrs).get("id")):
            self.ids.append(identity)

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.tables[-1][-1][-1] += data


def page_agrees(text: str, status: dict[str, Any]) -> None:
    """Compare the numbers that a visitor reads with status.json."""
    shown = Shown(text)
    periods = list(status["uptime"].values())
    tables = [table for table in shown.tables if "Uptime" in table[0]]  # not the response times of each day
    wanted = [periods, status["months"][::-1]] if len(tables) == 2 else [periods]
    assert [[row[1:4] for row in table[1:]] for table in tables] == [
        [
            [
                f"{one['uptime_pct']}%" if one["uptime_pct"] else "not enough data" if lived(one) else NOTHING,
                f"{one['observed_pct']}%" if one["observed_pct"] else NOTHING,
                str(one["incidents"]),
            ]
            for one in table
        ]
        for table in wanted
    ]
    days = {day["day"] for day in status["days"]}  # an anchor each, where there was trouble
    assert [one for one in shown.ids if one not in days] == [one["id"] for one in status["incidents"]]
    for one in periods:
        if one["uptime_with_maintenance_pct"]:
            assert f"{one['uptime_with_maintenance_pct']}%" in text


def lived(one: dict[str, Any]) -> bool:
    """Whether anything was watched in a window."""
    return any(one[name] for name in SUMS)


# What has to hold


def fresh(tmp_path_factory: pytest.TempPathFactory, zone: ZoneInfo) -> Store:
    """Open a new record."""
    path: Path = tmp_path_factory.mktemp("db") / "uplog.db"
    return Store(path, zone=zone)


def everybody_agrees(tmp_path_factory: pytest.TempPathFactory, story: Story) -> None:
    """Play a story, and compare at its end and at moments before."""
    played = cast(story)
    with fresh(tmp_path_factory, played.zone) as store:
        play(store, played, story)
        overlay(store, played)
        soon = played.now - max(story.later - SOON, 0)
        for moment in (played.now, *(soon - back for back in story.back)):
            agree(store, played, moment)


@settings(max_examples=5)
@given(story=short_stories)
def test_everybody_counts_as_the_oracle_does(tmp_path_factory: pytest.TempPathFactory, story: Story) -> None:
    everybody_agrees(tmp_path_factory, story)


@pytest.mark.slow
@settings(max_examples=30)
@given(story=stories)
def test_everybody_counts_as_the_oracle_does_in_many_stories(
    tmp_path_factory: pytest.TempPathFactory, story: Story
) -> None:
    everybody_agrees(tmp_path_factory, story)


@settings(max_examples=6)
@given(story=stories)
def test_a_rebuild_changes_nothing_before_and_after_pruning(
    tmp_path_factory: pytest.TempPathFactory, story: Story
) -> None:
    played = cast(story)
    now = datetime.fromtimestamp(played.now, UTC)
    with fresh(tmp_path_factory, played.zone) as store:
        play(store, played, story)
        overlay(store, played)
        with store.writing() as db:
            upkeep.move_days(db)
        before = dump(store)
        rebuilt(store)
        assert dump(store) == before

        prune.prune(store, now, 0, rest=lambda seconds: None)
        assert dump(store) == before
        rebuilt(store)
        assert dump(store) == before
        agree(store, played, played.now)


def rebuilt(store: Store) -> None:
    """Do what `uplog rebuild` does."""
    with store.writing() as db:
        upkeep.rebuild(db, store.zone)


imported = st.builds(
    Ask,
    st.just("liveness"),
    st.just(30),
    st.integers(1, 3),
    st.integers(1, 3),
    st.just(0),
    st.just(437),
    st.lists(stretches, min_size=1, max_size=9),
    st.just((99, 2)),  # one interval for all
    st.just([]),
)


@settings(max_examples=10)
@given(asked=imported, first=st.integers(0, 80), mixed=st.booleans())
def test_an_import_in_parts_is_the_import_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, asked: Ask, first: int, mixed: bool
) -> None:
    start = int(PLACES["Europe/Helsinki"].timestamp())
    rows, _ = rows_of(asked, start * 1000)
    halves = [rows[::2], rows[1::2]] if mixed else [rows[:first], rows[first:]]
    dumps = []
    for parts in ([rows], halves, halves[::-1]):
        with fresh(tmp_path_factory, ZoneInfo("Europe/Helsinki")) as store:
            for part in parts:
                bring(store, asked, part)
            dumps.append(dump(store))
            with store.reading() as db:
                spans = ask(db, "spans", rows[-1].at // 1000 + 1)

    assert dumps[1:] == dumps[:1] * 2
    check = oracle.Check(
        role="liveness",
        failure_threshold=asked.failures,
        success_threshold=asked.successes,
        grace=0,
        declared_every=30_000,
        rows=rows,
        ends=[],
    )
    now = rows[-1].at // 1000 + 1
    told = oracle.seconds(oracle.Service(checks=[check]), now)
    assert [
        (one["started_s"], one["ended_s"], one["state"]) for one in sorted(spans, key=lambda one: one["started"])
    ] == [(one.start, one.end, one.state) for one in oracle.spans(told, now)]


def bring(store: Store, asked: Ask, rows: Sequence[oracle.Row]) -> None:
    """Import some rows."""
    if not rows:
        return
    past = [
        Past(
            service="web",
            at=from_ms(row.at),
            outcome=Outcome(row.outcome),
            took=row.at % 500,
            reason=Reason(row.reason) if row.reason else None,
        )
        for row in rows
    ]
    template = check_of(0, 0, asked)
    with store.writing() as db:
        old.keep_past(db, {"web": past}, template, from_ms(rows[-1].at + 3_600_000), store.zone, 30_000)
