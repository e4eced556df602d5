"""Retention: raw rows go, and everything that follows from them stays as it is."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from helpers import T0, a_check, saw
from helpers_dump import DERIVED
from helpers_past import brought
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_accounting import checks, make, stored
from test_cycle import serving

from uplog.collector import history
from uplog.collector.catalog import Entry
from uplog.collector.config import load, parse
from uplog.collector.cycle import sync
from uplog.collector.lock import tidying
from uplog.collector.model import Check, Observation, Role, Standing, Target, from_ms, to_ms
from uplog.collector.observe import Stopped
from uplog.collector.store import Store, catalog, prune, record, reserve, upkeep
from uplog.collector.store.derive import derive, meta

pytestmark = pytest.mark.unit

DAY_MS = 86_400_000
Spec = list[tuple[int, int, int, Role, list[tuple[str, int, int]]]]


def dump(store: Store, *tables: str) -> list[str]:
    """Write every derived table as sorted lines; the numbers of rows are nobody's business."""
    with store.reading() as db:
        return sorted(
            f"{table} {row}"
            for table in tables or DERIVED
            for row in db.execute(f"select {columns(store, table)} from {table}")
        )


def columns(store: Store, table: str) -> str:
    names = [row[1] for row in store.db.execute(f"pragma table_info({table})")]
    return ", ".join(name for name in names if name != "id" or table == "_incident")


def rebuilt(store: Store, now: datetime | None = None) -> list[str]:
    with store.writing() as db:
        upkeep.rebuild(db, store.zone, now)
    return dump(store)


def asleep(_: float) -> None:
    """Rest without resting."""


def stored_with_ends(store: Store, made: list[tuple[Check, list[Observation]]], ends: list[int]) -> datetime:
    """Record it as a collector would, and let a check end at each of the *ends*, thousandths of the whole."""
    newest = stored(store, [(check, rows[:1]) for check, rows in made])
    rows = sorted(
        (record.Seen(check=check, observation=one) for check, rows in made for one in rows[1:]),
        key=lambda seen: seen.observation.at,
    )
    for place, seen in enumerate(rows):
        with store.writing() as db:
            for end in ends:
                if end * len(rows) // 1000 == place:
                    at = newest + end * timedelta(minutes=1)  # after a silence, or before one is known
                    ended(db, rows[end % len(rows)].check, min(at, seen.observation.at - timedelta(milliseconds=1)))
            record.observed(db, [seen], store.zone)
        newest = seen.observation.at
    return newest


def ended(db: sqlite3.Connection, check: Check, at: datetime) -> None:
    lives = db.execute(
        "select id, service_id from _check c join _standing on check_id = id where key = ?", (check.key,)
    ).fetchone()
    if lives is not None:
        changed = record.end_life(db, lives[0], at)
        assert changed is not None
        derive(db, [(lives[1], changed)])


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    spec=checks,
    keeps=st.lists(st.integers(0, 20), min_size=1, max_size=3),
    ends=st.lists(st.integers(0, 999), max_size=3),
)
def test_pruning_changes_nothing_that_is_derived(
    tmp_path_factory: pytest.TempPathFactory, spec: Spec, keeps: list[int], ends: list[int]
) -> None:
    path = tmp_path_factory.mktemp("db") / "uplog.db"
    with Store(path, zone=ZoneInfo("Europe/Helsinki")) as store:
        now = stored_with_ends(store, make(spec), ends)
        with store.writing() as db:
            upkeep.move_days(db)
        before = dump(store)
        assert rebuilt(store) == before
        for days in sorted(keeps, reverse=True):
            prune.prune(store, now, days * DAY_MS, rest=asleep)
            with store.reading() as db:
                horizon_ms = int(meta(db, "horizon_s", "0")) * 1000
                assert db.execute("select count(*) from observations where at_ms < ?", (horizon_ms,)).fetchone() == (0,)
            assert dump(store) == before
            assert rebuilt(store) == before
            assert rebuilt(store) == before


def slowly(store: Store, check_id: int, check: Check) -> tuple[Standing | None, list[object]]:
    """Step through every row, one by one, with nothing passed over."""
    rows = upkeep._Rows.of(store.db, check_id, check).between(0, 1 << 62)
    standing, flips = history.fold(rows)
    return standing, list(flips)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    pattern=st.lists(st.tuples(st.sampled_from("++++++-!? "), st.integers(1, 30)), min_size=1, max_size=20),
    jitter=st.lists(st.sampled_from([0, 1, 29_999, 30_000, 90_000, 90_001]), min_size=1, max_size=7),
    thresholds=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    others=st.lists(st.integers(0, 300), max_size=3),
)
def test_passing_over_steady_rows_gives_what_stepping_through_each_gives(
    tmp_path_factory: pytest.TempPathFactory,
    pattern: list[tuple[str, int]],
    jitter: list[int],
    thresholds: tuple[int, int],
    others: list[int],
) -> None:
    check = a_check(failure_threshold=thresholds[0], success_threshold=thresholds[1])
    drawn = list(saw("".join(sign * count for sign, count in pattern), check))
    with Store(tmp_path_factory.mktemp("db") / "uplog.db") as store, store.writing() as db:
        check_id = a_service(db, check)
        said = record.Said(db)
        for place, one in enumerate(drawn):
            every = 120_000 if place in others else check.every
            moment = to_ms(one.at) + jitter[place % len(jitter)]
            row = (record.series_of(db, check_id, every), moment, place, said.id(one))
            db.execute("insert or ignore into _observation values (?, ?, ?, ?)", row)

        assert upkeep.stepped(db, check_id, check) == slowly(store, check_id, check)


def a_service(db: sqlite3.Connection, *asked: Check) -> int:
    """Write a service with these checks; return the id of the first."""
    target = Target(source="config", ref="", name="web", checks=asked)
    everyone = frozenset({"config"})
    entry = Entry(key="config//web", targets=[target], checks=list(asked))
    catalog.sync(db, [entry], T0, configured=everyone, succeeded=everyone, silent=frozenset(), public=True)
    found: int = db.execute("select id from _check where key = ?", (asked[0].key,)).fetchone()[0]
    return found


def kept(store: Store, pattern: str, check: Check | None = None, start: datetime = T0) -> datetime:
    """Record a picture of history; return the newest moment."""
    check = check or a_check(name="")
    rows = [
        record.Seen(check=check, observation=one, text=f"said at {one.at}" if one.outcome != "pass" else "")
        for one in saw(pattern, check, start)
    ]
    with store.writing() as db:
        a_service(db, check)
        record.observed(db, rows, store.zone)
        upkeep.move_days(db)
    return rows[-1].observation.at


HOURLY = {"every": 3_600_000, "declared_every": 3_600_000}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "uplog.db") as store:
        yield store


def test_whole_days_go_and_no_row_of_a_day_that_is_kept(store: Store) -> None:
    now = kept(store, "+" * 24 * 10, a_check(name="", **HOURLY))  # 1 to 10 November
    with store.reading() as db:
        assert prune.due(db, now, 5 * DAY_MS, store.zone)

    done = prune.prune(store, now, 5 * DAY_MS, rest=asleep)

    assert (done.rows, done.horizon) == (4 * 24, datetime(2026, 11, 5, tzinfo=UTC))
    with store.reading() as db:
        assert not prune.due(db, now, 5 * DAY_MS, store.zone)
        assert db.execute("select min(at), count(*) from observations").fetchone() == ("2026-11-05T00:00:00.000Z", 144)
        assert db.execute("select count(*) from latency_daily").fetchone() == (9,)
    assert prune.prune(store, now, 5 * DAY_MS, rest=asleep).rows == 0


def test_what_is_beside_the_rows_goes_with_them_but_not_what_held_at_the_horizon(store: Store) -> None:
    now = kept(store, "+-" * 12 * 10, a_check(name="", **HOURLY))
    service = 1
    days = [to_ms(T0 + timedelta(days=day)) for day in range(10)]
    with store.writing() as db:
        for place, at_ms in enumerate(days):
            db.execute("insert into _component values (?, 'disk', ?, ?, null)", (service, at_ms, place % 2))
            db.execute("insert into _instance values (?, ?, 3, ?, 3)", (service, at_ms, place))
            db.execute("insert into _run (started_ms, trigger) values (?, 'cron')", (at_ms,))
            record.event(db, from_ms(at_ms), "test")
        db.execute("insert into _component values (?, 'queue', ?, 0, 7)", (service, days[0]))
    prune.prune(store, now, 5 * DAY_MS, rest=asleep)

    with store.reading() as db:
        assert db.execute("select component, min(at_ms) from _component group by 1").fetchall() == [
            ("disk", days[3]),
            ("queue", days[0]),
        ]
        assert db.execute("select min(at_ms) from _instance").fetchone() == (days[3],)
        assert db.execute("select min(started_ms), count(*) from _run").fetchone() == (days[4], 6)
        assert db.execute("select min(at_ms) from _event").fetchone() == (days[4],)
        assert db.execute("select min(at_ms) >= ?, count(*) from _raw", (days[4],)).fetchone() == (1, 72)
        assert db.execute("select count(*) from _text").fetchone() == (72,)
        assert db.execute("pragma foreign_keys").fetchone() == (1,)
        assert db.execute("pragma foreign_key_check").fetchall() == []


def size(store: Store) -> int:
    store.db.execute("pragma wal_checkpoint(truncate)")
    return store.path.stat().st_size


def test_the_space_goes_back_to_the_disk(store: Store) -> None:
    now = kept(store, "+" * 1440 * 20)
    before = size(store)
    done = prune.prune(store, now, 2 * DAY_MS, rest=asleep)

    after = store.path.stat().st_size
    assert done.freed == before - after > before / 3
    assert store.db.execute("pragma freelist_count").fetchone() == (0,)
    assert store.path.with_name("uplog.db-wal").stat().st_size == 0


def test_a_record_that_is_too_large_loses_its_oldest_days_but_never_the_newest_two(store: Store) -> None:
    now = kept(store, "+" * 1440 * 12)
    prune.prune(store, now, 90 * DAY_MS, rest=asleep)
    some = prune.prune(store, now, 90 * DAY_MS, max_size=size(store) - 50_000, rest=asleep)
    assert some.horizon is not None
    assert T0 < some.horizon < T0 + timedelta(days=9)
    assert not some.too_large

    all_ = prune.prune(store, now, 90 * DAY_MS, max_size=100_000, rest=asleep)
    assert all_.too_large
    assert all_.horizon == datetime(2026, 11, 11, tzinfo=UTC)


def test_a_prune_that_is_ended_goes_on_the_next_time_and_changes_nothing_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prune, "TURN_S", 0)  # each step is a turn of its own
    now = kept(store, "++-+---+?+++" * 2 * 30, a_check(name="", **HOURLY))
    before = dump(store)

    for turns in range(1, 100):
        left = iter(range(turns))

        def rest(_: float, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Stopped

        try:
            prune.prune(store, now, 3 * DAY_MS, rest=rest)
        except Stopped:
            assert dump(store) == before
            assert rebuilt(store) == before
        else:
            break
    assert 5 < turns < 99
    assert dump(store) == before
    assert store.db.execute("select min(at) from observations").fetchone() == ("2026-11-27T00:00:00.000Z",)


def test_another_zone_cuts_all_days_anew_but_the_percentiles_of_pruned_days(tmp_path: Path) -> None:
    def days(store: Store, view: str) -> list[str]:
        return [day for (day,) in store.db.execute(f"select distinct day from {view} order by day")]

    path = tmp_path / "uplog.db"
    with Store(path) as store:
        now = kept(store, "+" * 24 * 10, a_check(name="", **HOURLY))
        with store.writing() as db:
            upkeep.keep_zone(db, store.zone)
        prune.prune(store, now, 5 * DAY_MS, rest=asleep)
        old = dump(store, "_latency_day")
    with Store(path, zone=ZoneInfo("America/New_York")) as store:
        with store.writing() as db:
            upkeep.keep_zone(db, store.zone)
        assert days(store, "_uptime_day") == [f"2026-{day}" for day in ("10-31", *(f"11-{n:02}" for n in range(1, 10)))]
        assert days(store, "_latency_day") == [f"2026-11-{n:02}" for n in range(1, 10)]
        new = dump(store, "_latency_day")
        assert new[:4] == old[:4]
        assert store.db.execute("select observations from _latency_day where day = '2026-11-05'").fetchone() == (24,)
        before = dump(store)
        assert rebuilt(store) == before


def test_a_check_that_ends_after_a_silence_nobody_saw_was_unknown_in_it(store: Store) -> None:
    newest = kept(store, "+++")
    with store.writing() as db:
        catalog.retire(db, 1, newest + timedelta(hours=5))
    before = dump(store)

    assert store.db.execute("select state, seconds, reason from spans order by started_s").fetchall() == [
        ("up", 180, None),
        ("unknown", 17_940, "no_sample"),
    ]
    assert rebuilt(store) == before


# Late rows


def imported(store: Store, folder: Path, rows: list[str], now: datetime) -> dict[str, int]:
    config = parse({"service": [{"name": "web", "url": "http://127.0.0.1:1/"}]}, folder=folder)
    return {one.name: one.new for one in brought(config, store, rows, now, 3_600_000)}


def lines(name: str, hours: range, state: str = "up") -> list[str]:
    return [f"{name},{(T0 + timedelta(hours=hour)).isoformat()},{state},12," for hour in hours]


def test_history_from_before_the_horizon_can_be_brought_along_until_it_is_pruned_itself(tmp_path: Path) -> None:
    now = T0 + timedelta(days=10)
    halves = lines("old", range(-48, -24)), lines("old", range(-24, 0))
    dumps = []
    for batches in ([[*halves[0], *halves[1]]], halves, reversed(halves)):
        with Store(tmp_path / f"{len(dumps)}.db") as store:
            imported(store, tmp_path, lines("web", range(240)), now)
            prune.prune(store, now, 5 * DAY_MS, rest=asleep)
            for batch in batches:
                assert imported(store, tmp_path, batch, now) == {"old": len(batch)}
            dumps.append(dump(store))
            assert rebuilt(store, now) == dumps[-1]
            assert prune.prune(store, now, 5 * DAY_MS, rest=asleep).rows == 48
            assert dump(store) == dumps[-1]
            assert rebuilt(store, now) == dumps[-1]
    assert dumps[0] == dumps[1] == dumps[2]


def test_rows_from_before_the_horizon_of_their_check_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    now = T0 + timedelta(days=10)
    with Store(tmp_path / "uplog.db") as store:
        imported(store, tmp_path, lines("web", range(240)), now)
        prune.prune(store, now, 5 * DAY_MS, rest=asleep)
        before = dump(store)

        assert imported(store, tmp_path, lines("web", range(100, 110), "down"), now) == {"web": 0}
        assert dump(store) == before
        assert store.db.execute("select detail from events where kind = 'too_old'").fetchone() is not None


def test_history_that_is_imported_while_the_horizon_is_made_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = T0 + timedelta(days=10)
    path = tmp_path / "uplog.db"
    standings = prune._standings
    batches = iter([lines("web", range(100, 119), "down")])

    def interrupted(db: sqlite3.Connection, horizon_s: int) -> list[tuple[int, int, int, int, str]]:
        found = standings(db, horizon_s)
        if horizon_s == to_ms(T0 + timedelta(days=5)) // 1000 and (batch := next(batches, None)):
            with Store(path) as other:
                imported(other, tmp_path, batch, now)
        return found

    with Store(path) as store:
        imported(store, tmp_path, lines("web", range(240)), now)
        monkeypatch.setattr(prune, "_standings", interrupted)
        prune.prune(store, now, 5 * DAY_MS, rest=asleep)
        before = dump(store)
        assert next(batches, None) is None
        assert store.db.execute("select seconds from incidents").fetchall() == [(19 * 3600,)]
        assert rebuilt(store, now) == before


def test_a_replay_keeps_the_moment_of_asking(store: Store) -> None:
    kept(store, "+++")
    with store.writing() as db:
        db.execute("update _standing set asked_ms = asked_ms - 5000")
    before = dump(store)

    assert rebuilt(store) == before


# Sketches


def test_a_sketch_tells_percentiles_to_two_percent(store: Store) -> None:
    check = a_check(name="")
    chance = Random(7)
    tooks = [int(chance.lognormvariate(4, 2)) for _ in range(1440)]
    with store.writing() as db:
        a_service(db, check)
        rows = [replace(one, took=took) for one, took in zip(saw("+" * 1440, check), tooks, strict=True)]
        rows += saw("+", check, T0 + timedelta(days=1))
        record.observed(db, [record.Seen(check=check, observation=one) for one in rows], store.zone)
        upkeep.move_days(db)
        p50, p95, p99, longest, sketch = db.execute(
            "select p50_ms, p95_ms, p99_ms, max_ms, sketch from _latency_day"
        ).fetchone()
        values = dict(db.execute("select bucket, value_ms from _bucket").fetchall())

    ranked = sorted(tooks)
    assert [p50, p95, p99, longest] == [ranked[719], ranked[1367], ranked[1425], ranked[1439]]
    counts = {int(bucket): count for bucket, count in json.loads(sketch).items()}
    assert sum(counts.values()) == 1440
    told = sorted(values[bucket] for bucket, count in counts.items() for _ in range(count))
    for place in (719, 1367, 1425):
        assert abs(told[place] - ranked[place]) <= 0.02 * ranked[place]


# As a process


NAMESPACES = os.geteuid() == 0 and shutil.which("unshare") is not None
ON_A_SMALL_DISK = """
set -e
mount -t tmpfs -o size=28m tmpfs .
cd "$PWD"
"$PYTHON" fill.py
"$PYTHON" -m uplog.collector --db uplog.db prune --keep 40d
ls uplog.db.reserve
(cat /dev/zero > ballast || true) 2> /dev/null
"$PYTHON" -m uplog.collector --db uplog.db pause web 2>&1 || echo "exit $?"
"$PYTHON" -m uplog.collector --db uplog.db prune --keep 2d
ls uplog.db.reserve
"$PYTHON" -m uplog.collector --db uplog.db pause web
"""
FILL = """
import sys
sys.path.insert(0, TESTS)
from test_prune import *
with Store(Path("uplog.db")) as store:
    start = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=30)
    with store.writing() as db:
        a_service(db, a_check(name=""))
        said = record.Said(db)
        series = record.series_of(db, 1, 10_000)
        rows = ((series, to_ms(start) + n * 10_000, 12, said.number(0, 200, None, 1)) for n in range(30 * 8640))
        db.executemany("insert into _observation values (?, ?, ?, ?)", rows)
        upkeep.rebuild(db, UTC)
"""


@pytest.mark.integration
@pytest.mark.skipif(
    not NAMESPACES and os.environ.get("CI") != "true",
    reason="only root can mount a small disk, in a namespace of its own: run this as root, with util-linux",
)
def test_pruning_works_on_a_full_disk_and_makes_room(tmp_path: Path) -> None:
    fill = FILL.replace("TESTS", repr(str(Path(__file__).parent)))
    script = ON_A_SMALL_DISK.replace('"$PYTHON" fill.py', f"\"$PYTHON\" - <<'END'\n{fill}\nEND")
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script],
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    said = ran.stdout.splitlines()
    assert [said[0], *said[1:4], *said[5:]] == [
        "uplog.db: nothing to prune",
        "uplog.db.reserve",
        "uplog: uplog.db: the disk is full",
        "exit 1",
        "uplog.db.reserve",
        "web is paused",
    ]
    assert re.fullmatch(r"uplog.db: 241920 rows from before .* UTC pruned, [1-9].* MiB given back to the disk", said[4])


def backlog(folder: Path, port: int, services: int, days: int) -> Path:
    """Configure services that are asked every ten seconds, and give them a past of so many days; return the record."""
    tables = [f'[[service]]\nname = "s{n}"\nurl = "http://127.0.0.1:{port}/{n}"\n' for n in range(services)]
    (folder / "uplog.toml").write_text('[defaults]\nevery = "10s"\n' + "".join(tables))
    config = load(folder / "uplog.toml", {})
    now = datetime.now(UTC)
    with Store(config.database) as store, store.writing() as db:
        sync(config, db, now, set())
        upkeep.keep_zone(db, store.zone)
        said = record.Said(db)
        good, bad = said.number(0, 200, None, 1), said.number(2, 500, "http_5xx", 1)
        first = to_ms(now) - days * DAY_MS
        for (check,) in db.execute("select id from _check").fetchall():
            series = record.series_of(db, check, 10_000)
            rows = ((series, first + n * 10_000, 12, bad if n % 3000 < 4 else good) for n in range(days * 8640))
            db.executemany("insert into _observation values (?, ?, ?, ?)", rows)
        upkeep.rebuild(db, UTC)
    return config.database


def command(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    process = [sys.executable, "-m", "uplog.collector", *arguments]
    return subprocess.Popen(process, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What `uplog prune` said beside a daemon, and the record as both left it."""

    database: Path
    begun_ms: int
    code: int
    said: str
    wrong: str


async def answer(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def prune_beside_a_daemon(folder: Path) -> Pruned:
    """Let a daemon ask, and prune ten times as much as is kept meanwhile."""
    with serving(answer) as port:
        database = backlog(folder, port, services=5, days=20)
        begun = to_ms(datetime.now(UTC))
        with Store(database) as store, store.writing() as db:
            db.execute("update _standing set asked_ms = ?", (begun,))  # so that nobody is late from the beginning
        with command(folder, "watch") as daemon:
            time.sleep(12)  # the first round is over, the second is spread
            pruned_from = time.monotonic()
            with command(folder, "prune", "--keep", "2d") as pruning:
                said, wrong = pruning.communicate(timeout=120)
            time.sleep(max(0, 14 - (time.monotonic() - pruned_from)))
            daemon.terminate()
            daemon.communicate(timeout=60)
    return Pruned(database=database, begun_ms=begun, code=pruning.returncode, said=said, wrong=wrong)


@pytest.fixture(scope="module")
def tenfold(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Pruned]]:
    """Begin to prune beside a daemon, which others need not wait for."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit(prune_beside_a_daemon, tmp_path_factory.mktemp("tenfold"))


@pytest.mark.integration
def test_only_one_prunes_at_a_time_and_nothing_is_made_where_there_is_no_record(tmp_path: Path) -> None:
    with command(tmp_path, "--db", "none/uplog.db", "prune") as pruning:
        assert "there is no such database" in pruning.communicate(timeout=60)[1]
    assert pruning.returncode == 1
    assert list(tmp_path.iterdir()) == []

    with (
        Store(tmp_path / "uplog.db"),
        tidying(tmp_path / "uplog.db"),
        command(tmp_path, "--db", "uplog.db", "prune") as one,
    ):
        assert one.communicate(timeout=60)[1] == "uplog: another uplog is pruning uplog.db already\n"
    assert one.returncode == 0


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.usefixtures("tenfold")  # which takes its time meanwhile
def test_a_run_prunes_once_it_has_asked_and_lays_a_reserve_by(tmp_path: Path) -> None:
    database = backlog(tmp_path, 1, services=1, days=4)
    (tmp_path / "uplog.toml").write_text('[uplog]\nkeep = "1d"\n' + (tmp_path / "uplog.toml").read_text())
    with command(tmp_path, "run", "--no-build") as run:
        run.communicate(timeout=120)
    assert run.returncode == 0
    assert reserve.beside(database).stat().st_blocks * 512 >= reserve.SIZE
    with Store(database) as store:
        horizon_s = int(meta(store.db, "horizon_s"))
        assert store.db.execute("select min(at_ms) / 1000 - ? from observations", (horizon_s,)).fetchone()[0] in range(
            10
        )


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.usefixtures("tenfold")
def test_a_prune_that_is_killed_at_any_moment_loses_nothing_that_is_derived(tmp_path: Path) -> None:
    database = backlog(tmp_path, 1, services=3, days=12)
    with Store(database) as store:
        before = rebuilt(store)
    chance = Random(20261121)
    for _ in range(8):
        with command(tmp_path, "prune", "--keep", "2d") as pruning:
            time.sleep(chance.uniform(0.2, 1.0))
            pruning.kill()
        with Store(database) as store:
            assert store.db.execute("pragma integrity_check").fetchone() == ("ok",)
            assert dump(store) == before
            assert rebuilt(store) == before
    with command(tmp_path, "prune", "--keep", "2d") as pruning:
        said, _ = pruning.communicate(timeout=60)
    assert pruning.returncode == 0, said
    with Store(database) as store:
        assert rebuilt(store) == before


@pytest.mark.integration
@pytest.mark.slow
def test_a_tenfold_backlog_is_pruned_in_one_go_while_probes_stay_on_time(tenfold: Future[Pruned]) -> None:
    done = tenfold.result()

    assert (done.code, done.wrong) == (0, "")
    assert re.search(r"7\d{5} rows .* MiB given back", done.said)
    with Store(done.database) as store, store.reading() as db:
        horizon_ms = int(meta(db, "horizon_s")) * 1000
        assert done.begun_ms - 3 * DAY_MS < horizon_ms <= done.begun_ms - 2 * DAY_MS
        assert db.execute("select count(*) from observations where at_ms < ?", (horizon_ms,)).fetchone() == (0,)
        late_ms = db.execute("select max(late_ms) from runs where trigger = 'watch'").fetchone()[0]
        events = db.execute("select kind from events where kind <> 'prune' and at_ms >= ?", (done.begun_ms,)).fetchall()
        gaps = db.execute(
            """
            select max(gap) from (select at_ms - lag(at_ms) over (partition by check_key order by at_ms) as gap
            from observations where at_ms > ?)
            """,
            (done.begun_ms + 5000,),
        ).fetchone()[0]
    assert late_ms < 5_000, "half a slot, which is much for a busy machine, and less than waiting would cost"
    assert events == []
    assert gaps < 18_000, "no slot was lost"
