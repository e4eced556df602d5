"""Windows of maintenance: when they are, and what the record makes of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from helpers import T0
from helpers_past import brought
from hypothesis import given, settings
from hypothesis import strategies as st
from test_accounting import agree

from uplog.collector.config import Config, parse
from uplog.collector.cycle import cycle
from uplog.collector.history import account
from uplog.collector.maintenance import Announced, applies, identity, upcoming, windows
from uplog.collector.model import Answer, Check, Maintenance, Reading, Reason, Service, Span
from uplog.collector.planning import Pace
from uplog.collector.recurrence import flaw
from uplog.collector.store import Store, maintenance, operate, upkeep
from uplog.collector.store.read import history_at
from uplog.site.view import page

pytestmark = pytest.mark.unit

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


# When


def weekly(rrule: str, minutes: int, zone: str = "UTC", **more: Any) -> Maintenance:
    return Maintenance(rrule=rrule, duration=minutes * 60_000, zone=zone, **more)


def drawn(rule: Maintenance, start: str, days: int) -> list[str]:
    """Draw the windows of some days, in UTC."""
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return [f"{one.start:%m-%d %H:%M}-{one.end:%m-%d %H:%M}" for one in windows(rule, begin, begin + days * DAY)]


@pytest.mark.parametrize(
    ("zone", "rrule", "minutes", "start", "expected"),
    [
        # over midnight, into the day of 23 hours: 23:30 in winter time, over at 4:30 in summer time
        ("Pacific/Auckland", "FREQ=WEEKLY;BYDAY=SA;BYHOUR=23;BYMINUTE=30", 240, "2026-09-25", "09-26 11:30-09-26 15:30"),
        # and into the day of 25: over at 2:30, for the second time
        ("Pacific/Auckland", "FREQ=WEEKLY;BYDAY=SA;BYHOUR=23;BYMINUTE=30", 240, "2026-04-03", "04-04 10:30-04-04 14:30"),
        # half past three does not exist: half past four
        ("Europe/Helsinki", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=30", 60, "2026-03-28", "03-29 01:30-03-29 02:30"),
        # half past three comes twice: the first
        ("Europe/Helsinki", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=3;BYMINUTE=30", 60, "2026-10-24", "10-25 00:30-10-25 01:30"),
        # a day that begins at one o'clock
        ("America/Santiago", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=0", 60, "2026-09-05", "09-06 04:00-09-06 05:00"),
        # clocks that are set by half an hour
        ("Australia/Lord_Howe", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=15", 30, "2026-10-03", "10-03 15:45-10-03 16:15"),
        ("Australia/Lord_Howe", "FREQ=WEEKLY;BYDAY=SU;BYHOUR=1;BYMINUTE=45", 30, "2026-04-03", "04-04 14:45-04-04 15:15"),
        # no day is said: Monday, the first
        ("UTC", "FREQ=WEEKLY;BYHOUR=2", 60, "2026-11-21", "11-23 02:00-11-23 03:00"),
        ("UTC", "FREQ=MONTHLY", 60, "2026-11-28", "12-01 00:00-12-01 01:00"),
        ("UTC", "FREQ=YEARLY", 60, "2026-12-30", "01-01 00:00-01-01 01:00"),
    ],
)  # fmt: skip
def test_a_window_begins_by_the_clock_on_the_wall_and_lasts_real_time(
    zone: str, rrule: str, minutes: int, start: str, expected: str
) -> None:
    assert drawn(weekly(rrule, minutes, zone), start, 5) == [expected]


def test_a_window_that_began_before_is_found_while_it_lasts() -> None:
    rule = weekly("FREQ=DAILY;BYHOUR=22", 240)

    assert drawn(rule, "2026-11-21T01:00", 1) == ["11-20 22:00-11-21 02:00", "11-21 22:00-11-22 02:00"]
    assert drawn(rule, "2026-11-21T02:00", 1) == ["11-21 22:00-11-22 02:00"]


def test_windows_longer_than_their_interval_overlap() -> None:
    assert drawn(weekly("FREQ=DAILY", 36 * 60), "2026-11-21T06:00", 1) == [
        "11-20 00:00-11-21 12:00",
        "11-21 00:00-11-22 12:00",
        "11-22 00:00-11-23 12:00",
    ]


@pytest.mark.parametrize(
    ("until", "count"), [("20260103", 3), ("20260103T015959", 2), ("20260103T005959Z", 2), ("20260103T010000Z", 3)]
)
def test_a_rule_ends_with_the_local_day_or_moment_that_it_names(until: str, count: int) -> None:
    rule = weekly(f"FREQ=DAILY;BYHOUR=2;UNTIL={until}", 60, "Europe/Berlin", first=datetime(2026, 1, 1))

    assert len(drawn(rule, "2025-12-01", 90)) == count


def test_interval_and_count_go_from_the_start_on() -> None:
    rule = weekly("FREQ=WEEKLY;INTERVAL=2;COUNT=2", 60, first=datetime(2026, 11, 3, 5))

    assert drawn(rule, "2026-01-01", 365) == ["11-03 05:00-11-03 06:00", "11-17 05:00-11-17 06:00"]


def test_hours_that_the_clock_leaps_into_begin_once() -> None:
    assert len(drawn(weekly("FREQ=HOURLY", 5, "Europe/Berlin"), "2026-03-28T23:00", 1)) == 24


rules = st.builds(
    lambda frequency, day, *parts: ";".join([f"FREQ={frequency}", *filter(None, [day, *parts])]),
    st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"]),
    st.sampled_from(["", "BYDAY=SU", "BYDAY=MO,WE", "BYDAY=-1FR", "BYDAY=5MO", "BYDAY=53SA", "BYMONTHDAY=1,-1"]),
    st.sampled_from(["", "BYHOUR=2", "BYHOUR=0,3,23"]),
    st.sampled_from(["", "BYMINUTE=30"]),
    st.sampled_from(["", "BYMONTH=3,10", "BYMONTH=12"]),
    st.sampled_from(["", "INTERVAL=3", "COUNT=40", "UNTIL=20270401T000000Z"]),
)


@settings(max_examples=60, deadline=None)
@given(
    rrule=rules,
    minutes=st.integers(1, 3_000),
    zone=st.sampled_from(["UTC", "Pacific/Auckland", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia"]),
    cuts=st.lists(st.integers(0, 500 * 1440), min_size=3, max_size=3, unique=True).map(sorted),
)
def test_any_rule_that_is_accepted_has_the_same_windows_however_time_is_cut(
    rrule: str, minutes: int, zone: str, cuts: Sequence[int]
) -> None:
    start = datetime(2026, 1, 1, 12)
    if flaw(rrule, start, ZoneInfo(zone)) is not None:
        return
    rule = weekly(rrule, minutes, zone, first=start)
    early, middle, late = (start.replace(tzinfo=UTC) + cut * MINUTE for cut in cuts)

    whole = windows(rule, early, late)

    parts = {(one.start, one.end) for one in [*windows(rule, early, middle), *windows(rule, middle, late)]}
    assert [(one.start, one.end) for one in whole] == sorted(parts)
    assert all(one.start < late and one.end is not None and one.end > early for one in whole)


# For whom

WEB = Service(key="config//Web shop", slug="web-shop", name="Shop", group="For everybody")
JOB = Service(key="systemd//job.service", slug="job", name="Job", group="Machine")


@pytest.mark.parametrize(
    ("rule", "whose"),
    [
        (Maintenance(), [WEB, JOB]),
        (Maintenance(services=("Shop",)), [WEB]),
        (Maintenance(services=("Web shop",)), [WEB]),  # as it is written, also after `uplog rename`
        (Maintenance(services=("config//Web shop", "job")), [WEB, JOB]),
        (Maintenance(services=("web",)), []),
        (Maintenance(groups=("Machine",)), [JOB]),
        (Maintenance(groups=("Machine",), services=("web-shop",)), [WEB, JOB]),
    ],
)
def test_a_rule_is_for_the_services_and_groups_it_names_or_for_all(rule: Maintenance, whose: list[Service]) -> None:
    assert [one for one in (WEB, JOB) if applies(rule, one)] == whose


def test_what_runs_and_what_comes_next_of_each_rule_is_announced() -> None:
    now = datetime(2026, 11, 21, 23, tzinfo=UTC)
    night = weekly("FREQ=DAILY;BYHOUR=22", 120, text="Updates.", groups=("Machine",))
    move = Maintenance(text="Moves.", start=now + 10 * DAY, end=now + 11 * DAY)
    others = [
        replace(move, start=now + 15 * DAY, end=now + 16 * DAY),  # too far off
        replace(move, start=now - DAY, end=now),  # over
        replace(night, groups=("Nobody",)),
    ]

    assert upcoming([move, night, *others], [WEB, JOB], now) == [
        Announced(text="Updates.", start=now - HOUR, end=now + HOUR, services=(JOB.key,), everything=False),
        Announced(text="Updates.", start=now + 23 * HOUR, end=now + DAY + HOUR, services=(JOB.key,), everything=False),
        Announced(
            text="Moves.", start=now + 10 * DAY, end=now + 11 * DAY, services=(WEB.key, JOB.key), everything=True
        ),
    ]


def test_another_wording_is_the_same_rule_and_another_time_is_not() -> None:
    rule = weekly("FREQ=DAILY", 60, text="a", services=("x", "y"))

    assert identity(rule) == identity(replace(rule, text="b", services=("y", "x")))
    changes: list[dict[str, Any]] = [
        {"duration": 1},
        {"zone": "Europe/Berlin"},
        {"services": ()},
        {"rrule": "FREQ=WEEKLY"},
    ]
    assert len({identity(rule), *(identity(replace(rule, **change)) for change in changes)}) == 5


# In the record


class World:
    """A clock that is moved by hand, and services that answer from a script: down at these minutes."""

    def __init__(self, tmp_path: Path, down: Sequence[int] = (), **uplog: Any) -> None:
        self.path = tmp_path
        self.now = T0
        self.down = down
        self.uplog = uplog
        self.services = ["web", "api"]

    def config(self, *rules: dict[str, Any]) -> Config:
        table = {
            "uplog": self.uplog,
            "defaults": {"failure_threshold": 1},
            "service": [
                {"name": name, "url": "http://127.0.0.1:1/", "group": f"group of {name}"} for name in self.services
            ],
            "maintenance": list(rules),
        }
        return parse(table, folder=self.path)

    @contextmanager
    def opened(self) -> Iterator[Store]:
        with Store(self.path / "uplog.db", zone=self.config().timezone) as store:
            yield store

    def ask(self, checks: Sequence[Check]) -> list[Answer]:
        return [self.answer(check) for check in checks]

    def answer(self, check: Check) -> Answer:
        if (self.now - T0) // MINUTE in self.down:
            return Answer(check=check, at=self.now, took=3, reason=Reason.REFUSED)
        return Answer(check=check, at=self.now, took=3, reading=Reading(code=200))

    def goes_on(self, config: Config, store: Store, start: int, end: int, every: int = 1) -> None:
        """Let cron run once in *every* minutes from *start* to *end*."""
        for minute in range(start, end, every):
            self.now = T0 + minute * MINUTE
            cycle(config, store, self.ask, lambda: self.now, pace=Pace(every=every * 60_000))


def once(start: int, end: int, **more: Any) -> dict[str, Any]:
    """Write a table [[maintenance]] that is for some minutes."""
    return {"start": (T0 + start * MINUTE).isoformat(), "end": (T0 + end * MINUTE).isoformat(), **more}


def written(store: Store) -> list[tuple[str, int, int, str]]:
    """Read the windows: service, first and last minute, text."""
    rows = store.db.execute(
        "select service_name, started_s, ended_s, text from maintenance order by 2, 1, 3"
    ).fetchall()
    first = int(T0.timestamp())
    return [(name, (start - first) // 60, (end - first) // 60, text) for name, start, end, text in rows]


def spans(store: Store, now: datetime, key: str = "config//web") -> list[Span]:
    with store.reading() as db:
        (found,) = (one.spans for one in history_at(db, now).services if one.service.key == key)
        return list(found)


def told(store: Store, now: datetime) -> list[tuple[str, int, bool]]:
    """Tell the history of the first service: state, minutes, whether in maintenance."""
    return [
        (one.state, (min(one.end or now, now) - one.start) // MINUTE, one.maintenance)
        for one in spans(store, now)
        if one.start < now
    ]


def test_probing_goes_on_in_a_window_and_both_figures_are_there(tmp_path: Path) -> None:
    world = World(tmp_path, down=range(12, 18))
    config = world.config(once(10, 20, services=["web"], text="Updates."))
    with world.opened() as store:
        world.goes_on(config, store, 0, 41)

        asked = "select count(*), sum(outcome = 'fail') from observations where service = 'config//web'"
        assert store.db.execute(asked).fetchone() == (41, 6)
        assert written(store) == [("web", 10, 20, "Updates.")]
        assert told(store, world.now) == [
            ("up", 10, False), ("up", 2, True), ("down", 6, True), ("up", 2, True), ("up", 20, False),
        ]  # fmt: skip
        figures = account(spans(store, world.now), T0, world.now)
        assert (figures.uptime, figures.uptime_with_maintenance) == (100_000, 85_000)
        day = "select maintenance_s, maintenance_down_s, down_s, uptime_pct from uptime_daily where service = ?"
        assert store.db.execute("select count(*) from incidents where service = 'config//web'").fetchone() == (0,)
        assert store.db.execute(day, ("config//web",)).fetchone()[:3] == (600, 360, 0)
        assert store.db.execute(day, ("config//api",)).fetchone()[:3] == (0, 0, 360)


def test_a_recurring_window_over_midnight_and_a_leap_of_the_clock_has_its_exact_seconds(tmp_path: Path) -> None:
    """23:30 on the last day of winter time in Auckland, four hours: half an hour of it on a day of 24 hours."""
    world = World(tmp_path, timezone="Pacific/Auckland")
    config = world.config({"rrule": "FREQ=WEEKLY;BYDAY=SA;BYHOUR=23;BYMINUTE=30", "duration": "4h"})
    begin = (datetime(2026, 9, 25, 12, tzinfo=UTC) - T0) // MINUTE  # midnight there
    with world.opened() as store:
        world.goes_on(config, store, begin, begin + 72 * 60, 60)

        rows = store.db.execute(
            "select day, up_s, maintenance_s from uptime_daily where service = 'config//web' order by day"
        ).fetchall()
        assert rows[:2] == [("2026-09-26", 86_400 - 1_800, 1_800), ("2026-09-27", 82_800 - 12_600, 12_600)]


def test_time_in_two_windows_is_counted_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config(once(10, 20), once(15, 30, services=["web"]), once(12, 14, groups=["group of web"]))
    with world.opened() as store:
        world.goes_on(config, store, 0, 41)

        assert account(spans(store, world.now), T0, world.now).maintenance_s == 20 * 60
        api = account(spans(store, world.now, "config//api"), T0, world.now)
        assert (api.up_s, api.maintenance_s) == (30 * 60, 10 * 60)


def test_an_outage_around_a_window_is_one_incident_without_the_seconds_in_it(tmp_path: Path) -> None:
    world = World(tmp_path, down=range(5, 25))
    config = world.config(once(10, 20, services=["web"]))
    with world.opened() as store:
        world.goes_on(config, store, 0, 41)

        assert told(store, world.now) == [
            ("up", 5, False), ("down", 5, False), ("down", 10, True), ("down", 5, False), ("up", 15, False),
        ]  # fmt: skip
        incidents = "select seconds, started_s, ended_s from incidents where service = 'config//web'"
        first = int(T0.timestamp())
        assert store.db.execute(incidents).fetchall() == [(600, first + 300, first + 1500)]


def test_the_headline_says_nothing_of_services_in_maintenance(tmp_path: Path) -> None:
    world = World(tmp_path, down=range(12, 18))
    config = world.config(once(10, 20, text="Updates."))
    with world.opened() as store:
        for minutes, state in ((10, "up"), (16, "maintenance"), (22, "up")):
            world.goes_on(config, store, (world.now - T0) // MINUTE, minutes)
            with store.reading() as db:
                shown = page(history_at(db, world.now), zone=UTC, audience="internal")
            assert shown.headline.look == state


def test_the_configuration_changes_only_the_future(tmp_path: Path) -> None:
    world = World(tmp_path, down=range(12, 18))
    with world.opened() as store:
        world.goes_on(world.config(once(5, 20, text="Old.")), store, 0, 15)
        world.goes_on(world.config(once(5, 20, text="New.")), store, 15, 16)  # the same window in other words
        world.goes_on(world.config(), store, 16, 40)

        assert written(store) == [("api", 5, 20, "Old."), ("web", 5, 20, "Old.")]
        assert account(spans(store, world.now), T0, world.now).maintenance_s == 15 * 60


def test_of_a_window_that_runs_when_its_rule_is_first_seen_only_the_rest_counts(tmp_path: Path) -> None:
    world = World(tmp_path, down=range(5, 15))
    with world.opened() as store:
        world.goes_on(world.config(), store, 0, 10)
        world.goes_on(world.config(once(0, 20), once(2, 8)), store, 10, 30)

        assert written(store) == [("api", 10, 20, ""), ("web", 10, 20, "")]
        assert account(spans(store, world.now), T0, world.now).down_s == 5 * 60


def test_a_window_that_began_while_nothing_ran_is_written_afterwards(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config(
        once(20, 25), {"rrule": "FREQ=HOURLY;BYMINUTE=50", "duration": "20m", "start": "2026-11-01T00:00:00"}
    )
    with world.opened() as store:
        world.goes_on(config, store, 0, 10)
        world.goes_on(config, store, 180, 190)

        assert [row for row in written(store) if row[0] == "web"] == [
            ("web", 20, 25, ""), ("web", 50, 70, ""), ("web", 110, 130, ""), ("web", 170, 190, ""),
        ]  # fmt: skip
        figures = account(spans(store, world.now), T0, world.now)
        assert (figures.maintenance_s, figures.up_s + figures.unknown_s) == ((5 + 20 + 20 + 19) * 60, (189 - 64) * 60)


def test_services_that_come_during_a_window_are_in_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    table = once(5, 30)
    with world.opened() as store:
        world.goes_on(world.config(table), store, 0, 10)
        world.services.append("new")
        world.goes_on(world.config(table), store, 10, 12)

        assert written(store) == [("api", 5, 30, ""), ("new", 5, 30, ""), ("web", 5, 30, "")]
        assert told(store, world.now)[-1] == ("up", 6, True)
        assert {one.maintenance for one in spans(store, world.now, "config//new") if one.start <= world.now} == {True}


def test_a_window_begins_when_nothing_is_due_and_for_paused_services(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config(once(5, 30))
    with world.opened() as store:
        world.goes_on(config, store, 0, 3)
        with store.writing() as db:
            for name in world.services:
                operate.pause(db, name, world.now, None, store.zone)
        world.goes_on(config, store, 3, 8)

        assert store.db.execute("select count(*) from observations").fetchone() == (6 + 2,)  # pausing is a row too
        assert written(store) == [("api", 5, 30, ""), ("web", 5, 30, "")]


def test_an_ordinary_cycle_does_not_look_at_the_rules(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config(once(5, 30), once(50, 60))
    with world.opened() as store:
        world.goes_on(config, store, 0, 6)

        looks = [
            minute
            for minute in range(6, 24 * 60 + 6)
            if maintenance.due(store.db, config.maintenance, T0 + minute * MINUTE)
        ]
        assert looks[0] == 50
        assert maintenance.due(store.db, config.maintenance[:1], world.now)
        assert not maintenance.due(store.db, config.maintenance[::-1], world.now)


def test_it_does_not_matter_when_uplog_ran(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.services = ["web"]
    rules = [
        weekly("FREQ=DAILY;BYHOUR=0,12,23;BYMINUTE=20", 900, "Pacific/Auckland"),
        weekly("FREQ=DAILY;BYHOUR=23", 600, "Europe/Helsinki"),
        Maintenance(start=T0 + 2 * DAY, end=T0 + 3 * DAY),
    ]
    with world.opened() as store:
        world.goes_on(world.config(), store, 0, 1)

        @settings(max_examples=15, deadline=None)
        @given(st.lists(st.integers(0, 5 * 86_400), min_size=1, max_size=8), st.booleans())
        def ran_at(seconds: list[int], in_order: bool) -> None:  # out of order: the clock was set back
            moments = [T0 + second * timedelta(seconds=1) for second in (sorted(seconds) if in_order else seconds)]
            with store.writing() as db:
                db.execute("delete from _maintenance")
                db.execute("delete from _meta where name = 'maintenance'")
                for moment in moments:
                    maintenance.begin(db, rules, moment)
                rows = db.execute("select started_s, ended_s from _maintenance order by 1, 2").fetchall()
            expected = {}
            for rule in rules:
                for one in windows(rule, moments[0], max(moments) + timedelta(seconds=1)):
                    expected[identity(rule), max(one.start, moments[0])] = one.end  # of equal ones the last
            assert rows == sorted(
                (int(start.timestamp()), int(end.timestamp())) for (_, start), end in expected.items() if end
            )

        ran_at()


def test_a_clock_that_was_wrong_keeps_no_window_from_beginning(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config(once(50, 60, services=["web"]))
    with world.opened() as store:
        world.goes_on(config, store, 0, 2)
        for minute in (10_000, 3, 49, 50):
            with store.writing() as db:
                maintenance.begin(db, config.maintenance, T0 + minute * MINUTE)

        assert written(store) == [("web", 50, 60, "")]


def test_old_history_that_is_brought_into_a_window_is_in_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    config = world.config(once(5, 30, services=["web"]))
    with world.opened() as store:
        world.goes_on(config, store, 0, 1)
        world.goes_on(config, store, 60, 70)
        lines = [
            f"web,{(T0 + minute * MINUTE).isoformat()},{'down' if minute < 15 else 'up'},5,refused"
            for minute in range(1, 60)
        ]
        brought(config, store, lines, world.now)

        figures = account(spans(store, world.now), T0, world.now)
        assert (figures.down_s, figures.maintenance_s, figures.maintenance_down_s) == (4 * 60, 25 * 60, 10 * 60)


def test_sql_and_python_agree_inside_and_after_windows(tmp_path: Path) -> None:
    world = World(tmp_path, down=[*range(7, 40, 5), *range(41, 50)])
    world.services = ["web"]
    config = world.config(once(5, 30), once(20, 45), once(48, 300))
    with world.opened() as store:
        world.goes_on(config, store, 0, 60)

        for minute in (5, 28, 42, 46, 49, 60, 62, 300, 3_000):
            agree(store, T0 + minute * MINUTE, ZoneInfo("UTC"))


def test_a_rebuild_keeps_what_windows_did(tmp_path: Path) -> None:
    world = World(tmp_path, down=range(7, 40, 5))
    config = world.config(once(5, 30), once(20, 45, services=["web"]))
    tables = ("_span", "_incident", "_uptime_day")
    with world.opened() as store:
        world.goes_on(config, store, 0, 60)
        before = [store.db.execute(f"select * from {table} order by 1, 2").fetchall() for table in tables]
        with store.writing() as db:
            upkeep.rebuild(db, store.zone)

        assert [store.db.execute(f"select * from {table} order by 1, 2").fetchall() for table in tables] == before
