"""History that was kept elsewhere."""

import random
from datetime import timedelta
from pathlib import Path

import pytest
from helpers import T0
from helpers_past import HEADER, brought
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_accounting import dump

from uplog.collector.config import Config, parse
from uplog.collector.importing.own import read_csv
from uplog.collector.importing.past import ImportFailed
from uplog.collector.store import Store, upkeep
from uplog.collector.store.read import history_at

pytestmark = pytest.mark.unit

NOW = T0 + timedelta(days=30)


def config(tmp_path: Path) -> Config:
    return parse({"service": [{"name": "Web Shop", "url": "http://127.0.0.1:1/"}]}, folder=tmp_path)


def lines(pattern: str, service: str = "old") -> list[str]:
    states = {"+": "up,12,", "-": "down,2000,timeout", "!": "degraded,900,slow", "?": "unknown,,"}
    return [
        f"{service},{(T0 + timedelta(minutes=place)).isoformat()},{states[sign]}"
        for place, sign in enumerate(pattern)
        if sign != " "
    ]


def imported(path: Path, *batches: list[str]) -> Store:
    store = Store(path / "uplog.db")
    for batch in batches:
        brought(config(path), store, batch, NOW)
    return store


def test_rows_go_through_the_same_step_as_live_ones(tmp_path: Path) -> None:
    with imported(tmp_path, lines("+---+")) as store:
        assert store.db.execute("select key, public from services where source = 'import'").fetchall() == [
            ("import//old", 1)
        ]
        assert store.db.execute("select state, seconds, reason from spans where ended is not null").fetchall() == [
            ("up", 60, None),
            ("down", 180, "timeout"),
            ("up", 60, None),
        ]
        assert store.db.execute("select seconds, reason from incidents").fetchall() == [(180, "timeout")]


def test_an_import_that_shows_the_silence_of_another_service_derives_that_one_too(tmp_path: Path) -> None:
    with imported(tmp_path, lines("++", "early"), lines("+" * 60, "long")) as store:
        before = dump(store)
        with store.writing() as db:
            upkeep.rebuild(db, store.zone, NOW)

        assert dump(store) == before
        assert store.db.execute(
            "select state, reason from spans where service_name = 'early' order by started_s"
        ).fetchall() == [("up", None), ("unknown", "no_sample")]


def test_a_row_takes_the_place_of_another_of_the_same_moment_whatever_the_interval_was(tmp_path: Path) -> None:
    with imported(tmp_path, lines("+++++")) as store:
        brought(config(tmp_path), store, lines("+---+"), NOW, 300_000)

        assert store.db.execute("select count(*), count(distinct at_ms) from observations").fetchone() == (5, 5)
        assert store.db.execute("select count(*) from incidents").fetchone() == (1,)


def test_an_answer_whose_latency_nobody_measured_has_none(tmp_path: Path) -> None:
    moments = [f"old,{(T0 + timedelta(minutes=n)).isoformat()},up,{latency}," for n, latency in enumerate(["", "40"])]
    with imported(tmp_path, moments) as store:
        assert store.db.execute("select latency_ms from observations order by at_ms").fetchall() == [(None,), (40,)]
        assert store.db.execute("select observations, p50_ms, max_ms from latency_daily").fetchall() == [(1, 40, 40)]


def test_before_its_first_row_an_imported_service_does_not_exist(tmp_path: Path) -> None:
    with imported(tmp_path, lines("++")) as store, store.reading() as db:
        assert [one.service.name for one in history_at(db, T0 - timedelta(hours=1)).services] == []
        assert [one.service.name for one in history_at(db, T0 + timedelta(seconds=1)).services] == ["old"]


def test_a_name_that_the_configuration_knows_is_that_service(tmp_path: Path) -> None:
    with imported(tmp_path, lines("++", "Web Shop")) as store:
        assert store.db.execute("select distinct service, check_key from observations").fetchall() == [
            ("config//Web Shop", "config//Web Shop/http/")
        ]


def test_an_imported_service_that_is_configured_later_goes_on(tmp_path: Path) -> None:
    from uplog.collector.cycle import sync

    with imported(tmp_path, lines("++", "Later")) as store:
        later = parse({"service": [{"name": "Later", "url": "http://127.0.0.1:1/"}]}, folder=tmp_path)
        with store.writing() as db:
            sync(later, db, NOW, set())

        assert store.db.execute(
            "select service, target from checks where kind = 'http' and service like '%Later'"
        ).fetchall() == [("import//Later", "http://127.0.0.1:1/")]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.text(alphabet="+++--!? ", min_size=2, max_size=60), st.integers(0, 60), st.integers(0, 10**6))
def test_the_order_in_which_parts_are_imported_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, pattern: str, cut: int, seed: int
) -> None:
    rows = lines(pattern)
    shuffled = rows[:]
    random.Random(seed).shuffle(shuffled)
    dumps = set()
    for batches in ([rows], [rows[:cut], rows[cut:]], [rows[cut:], rows[:cut]], [shuffled, rows]):
        with imported(tmp_path_factory.mktemp("db"), *(batch for batch in batches if batch)) as store:
            dumps.add(dump(store))

    assert len(dumps) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (",2026-11-01T00:00:00Z,up,,", "service: expected a name, got nothing"),
        ("a,yesterday,up,,", 'at: expected a moment like 2026-11-21T10:00:00Z, got "yesterday"'),
        ("a,2026-11-01T00:00:00Z,fine,,", 'state: expected one of up, degraded, down, unknown, got "fine"'),
        ("a,2026-11-01T00:00:00Z,up,fast,", 'latency_ms: expected a number of milliseconds, got "fast"'),
        ("a,2026-11-01T00:00:00Z,up,-1,", 'latency_ms: expected a number of milliseconds, got "-1"'),
        (
            "a,2026-11-01T00:00:00Z,down,1,timout",
            'reason: "timout" is not one of uplog\'s reasons; did you mean timeout?',
        ),
        ("a,2036-11-01T00:00:00Z,up,,", "at: 2036-11-01T00:00:00Z has not happened yet"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(line: str, said: str) -> None:
    with pytest.raises(ImportFailed) as caught:
        list(read_csv([HEADER, *lines("+"), line], "old.csv", NOW))

    assert caught.value.errors == [f"old.csv:3: {said}"]


def test_missing_columns_are_named() -> None:
    with pytest.raises(ImportFailed, match=r"old.csv:1: expected the columns .*; at, state missing"):
        list(read_csv(["service,when", "a,b"], "old.csv", NOW))


def test_nothing_is_kept_of_a_file_with_an_error(tmp_path: Path) -> None:
    with imported(tmp_path) as store:
        with pytest.raises(ImportFailed):
            brought(config(tmp_path), store, [*lines("+"), "a,b,c,d,e"], NOW)

        assert store.db.execute("select count(*) from observations").fetchone() == (0,)
