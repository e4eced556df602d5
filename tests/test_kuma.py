"""The history that Uptime Kuma kept."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from uplog.collector.bring import bring
from uplog.collector.config import parse
from uplog.collector.importing import FORMATS, recognised
from uplog.collector.importing.past import Past, Skipped
from uplog.collector.store import Store
from uplog.collector.store.staged import Staged

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T0 = datetime(2026, 11, 1, tzinfo=UTC)
V1 = """
create table monitor (
    id integer primary key autoincrement, name varchar(150), active boolean not null default 1, user_id integer,
    interval integer not null default 20, url text, type varchar(20), weight integer default 2000,
    hostname varchar(255), port integer, created_date datetime not null default (datetime('now')),
    maxretries integer not null default 0, retry_interval integer not null default 0, push_token varchar(20));
create table heartbeat (
    id integer primary key autoincrement, important boolean not null default 0, monitor_id integer not null,
    status smallint not null, msg text, time datetime not null, ping integer,
    duration integer not null default 0);
"""
V2 = f"""{V1}
alter table monitor add column parent integer;
alter table heartbeat add column down_count integer not null default 0;
alter table heartbeat add column end_time datetime;
alter table heartbeat add column retries integer not null default 0;
create table stat_minutely (
    id integer primary key, monitor_id integer not null, timestamp integer not null, ping float not null,
    up smallint not null, down smallint not null, unique (monitor_id, timestamp));
create table stat_hourly (
    id integer primary key, monitor_id integer not null, timestamp integer not null, ping float not null,
    up smallint not null, down smallint not null, unique (monitor_id, timestamp));
create table stat_daily (
    id integer primary key, monitor_id integer not null, timestamp integer not null, ping float not null,
    up smallint not null, down smallint not null, unique (monitor_id, timestamp));
"""
SIGNS = {"-": 0, "+": 1, "~": 2, "M": 3}
SAYS = {"-": "connect ECONNREFUSED 10.0.0.7:443", "+": "200 - OK", "~": "timeout of 48000ms exceeded", "M": ""}


def kuma(path: Path, schema: str, *statements: str, **beats: str) -> Path:
    """Write a kuma.db: *beats* draw what each monitor said, a sign a minute, a space where a beat is not there."""
    with closing(sqlite3.connect(path / "kuma.db")) as db, db:
        db.executescript(schema)
        for number, name in enumerate(beats, start=1):
            db.execute("insert into monitor (id, name, type, interval) values (?, ?, 'http', 60)", (number, name))
        for number, pattern in enumerate(beats.values(), start=1):
            db.executemany(
                "insert into heartbeat (monitor_id, status, msg, time, ping) values (?, ?, ?, ?, ?)",
                [
                    (number, SIGNS[sign], SAYS[sign], time(minute), 31.4 if sign == "+" else None)
                    for minute, sign in enumerate(pattern)
                    if sign != " "
                ],
            )
        for statement in statements:
            db.execute(statement)
    return path / "kuma.db"


def time(minute: int) -> str:
    return f"{T0 + timedelta(minutes=minute):%Y-%m-%d %H:%M:%S}.000"


def spans(path: Path, source: Path) -> list[tuple[str, int, str | None, int]]:
    """Import *source*, and return the spans: state, seconds, reason, maintenance."""
    with Store(path / "uplog.db") as store, Staged(NOW) as staged:
        staged.take(FORMATS[recognised(source)].read(source, NOW))
        bring(parse({}, folder=path), store, staged, NOW)
        return store.db.execute(
            "select state, seconds, reason, maintenance from spans where ended is not null order by service, started_s"
        ).fetchall()


def skipped(source: Path) -> Sequence[Skipped]:
    return [row for row in FORMATS["kuma"].read(source, NOW) if isinstance(row, Skipped)]


@pytest.mark.parametrize("schema", [V1, V2])
def test_a_beat_that_is_down_is_a_verdict_and_silence_is_unknown(tmp_path: Path, schema: str) -> None:
    found = spans(tmp_path, kuma(tmp_path, schema, web="++-++    +"))

    assert found == [
        ("up", 120, None, 0),
        ("down", 60, "refused", 0),
        ("up", 120, None, 0),
        ("unknown", 240, "no_sample", 0),
        ("up", 60, None, 0),
    ]


def test_pending_beats_count_when_they_end_in_a_verdict_and_then_from_the_first_of_them(tmp_path: Path) -> None:
    found = spans(tmp_path, kuma(tmp_path, V1, web="+~~++~~-+"))  # with retries then, and none now

    assert found == [("up", 300, None, 0), ("down", 180, "timeout", 0), ("up", 60, None, 0)]


def test_a_verdict_whose_pending_beats_are_not_kept_any_more_still_is_one(tmp_path: Path) -> None:
    found = spans(tmp_path, kuma(tmp_path, V2, "update monitor set maxretries = 5", web="+         -         +"))

    assert [(state, seconds) for state, seconds, *_ in found] == [
        ("up", 60),
        ("unknown", 540),
        ("down", 60),
        ("unknown", 540),
        ("up", 60),
    ]


def test_beats_of_maintenance_become_a_window(tmp_path: Path) -> None:
    found = spans(tmp_path, kuma(tmp_path, V1, web="++MMM++"))

    assert [(state, seconds, maintenance) for state, seconds, _, maintenance in found] == [
        ("up", 120, 0),
        ("unknown", 180, 1),
        ("up", 120, 0),
    ]


def test_a_window_that_went_on_when_it_was_imported_is_not_two_the_next_time(tmp_path: Path) -> None:
    (tmp_path / "later").mkdir()
    spans(tmp_path, kuma(tmp_path, V1, web="++MM"))
    found = spans(tmp_path, kuma(tmp_path / "later", V1, web="++MMMM+"))

    assert [(state, seconds, maintenance) for state, seconds, _, maintenance in found] == [
        ("up", 120, 0),
        ("unknown", 240, 1),
        ("up", 60, 0),
    ]


def test_a_moment_that_was_left_empty_makes_no_history_of_two_thousand_years(tmp_path: Path) -> None:
    early = "update heartbeat set time = '0001-01-01 00:00:00' where id = 1"

    assert spans(tmp_path, kuma(tmp_path, V1, early, web="+++")) == [("up", 120, None, 0)]


def test_what_was_measured_and_said_comes_along(tmp_path: Path) -> None:
    (first, second) = (
        (row.took, row.code, row.reason) for row in FORMATS["kuma"].read(kuma(tmp_path, V1, web="+-"), NOW)
        if isinstance(row, Past)
    )  # fmt: skip

    assert (first, second) == ((31, 200, None), (-1, None, "refused"))


def test_no_observation_is_made_of_sums(tmp_path: Path) -> None:
    sums = [
        f"insert into {table} (monitor_id, timestamp, ping, up, down) values (1, {n * 3600}, 30, 60, 0)"
        for table in ("stat_minutely", "stat_hourly", "stat_daily")
        for n in range(3)
    ]
    source = kuma(tmp_path, V2, *sums, web="+")

    assert [(row.where, row.rows, row.why) for row in skipped(source)] == [
        ("stat_minutely", 3, "sums of a minute say how often, not when"),
        ("stat_hourly", 3, "sums of an hour say how often, not when"),
        ("stat_daily", 3, "sums of a day say how often, not when"),
    ]
    assert spans(tmp_path, source) == [("up", 60, None, 0)]


def test_rows_that_make_no_sense_are_named_and_the_rest_counts(tmp_path: Path) -> None:
    wrong = [
        "update heartbeat set time = 'yesterday' where id = 2",
        "update heartbeat set status = 7 where id = 3",
        "insert into heartbeat (monitor_id, status, time) values (99, 1, '2026-11-01 00:00:00')",
    ]
    source = kuma(tmp_path, V1, *wrong, web="++++")

    assert [(row.service, row.where, row.why) for row in skipped(source)] == [
        ("web", "heartbeat:3", "its status is none of Uptime Kuma's: 0, 1, 2, 3"),
        ("web", "heartbeat:2", "at: expected a moment like 2026-11-21T10:00:00Z"),
        ("monitor 99", "heartbeat", "its monitor was deleted"),
    ]
    assert [state for state, *_ in spans(tmp_path, source)] == ["up", "unknown", "up"]


def test_monitors_of_one_name_are_two_services_and_groups_are_groups(tmp_path: Path) -> None:
    grouped = "update monitor set name = 'web', parent = 3 where id < 3"
    source = kuma(tmp_path, V2, grouped, "update monitor set type = 'group' where id = 3", a="+", b="+", shop="+")
    spans(tmp_path, source)

    with Store(tmp_path / "uplog.db", readonly=True) as store:
        found = store.db.execute("select name, slug, group_name, public from services order by name").fetchall()
    assert found == [("web", "web", "shop", 1), ("web (2)", "web-2", "shop", 1)]
    assert [(row.service, row.why) for row in skipped(source)] == [("shop", "is a group: its monitors are told")]
