"""History out and in again: nothing is lost that the sentences do not say, and nothing comes twice."""

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers_dump import dump
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_accounting import checks, make, stored

from uplog.collector import exporting
from uplog.collector.bring import bring
from uplog.collector.cli import cli
from uplog.collector.config import parse
from uplog.collector.importing.lines import read_lines
from uplog.collector.importing.own import read_csv
from uplog.collector.model import Check, Correction, Observation, Role, State
from uplog.collector.store import Store, catalog, corrections, exported, record, upkeep
from uplog.collector.store.checks import end_checks
from uplog.collector.store.staged import Staged
from uplog.collector.store.views import query

pytestmark = pytest.mark.unit

NOW = datetime(2027, 6, 1, tzinfo=UTC)
LAID = """
insert into _maintenance (service_id, started_s, ended_s, text, rule) values (1, :start, :end, 'We "move", all', 'r')
"""
TOLD = {
    "spans": "service_name, state, started, ended, seconds, reason, maintenance",
    "incidents": "id, service_name, started, ended, seconds, reason",
    "uptime_daily": "*",
    "uptime": "*",
    "latency_daily": "day, observations, p50_ms, p95_ms, p99_ms, max_ms",
    "observations": "at, outcome, latency_ms, code, reason, attempt, every_ms",
}


def told(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return what the views tell at one moment; a service has another key in another record."""
    with store.reading() as db:
        found = {}
        for view, columns in TOLD.items():
            text = f"select {columns} from ({query(view, ':now')})"
            rows = db.execute(text, {"now": int(NOW.timestamp())}).fetchall()
            found[view] = sorted(tuple(cell for cell in row if cell != key(store)) for row in rows)
    return found


def key(store: Store) -> str:
    found: str = store.db.execute("select key from _service").fetchone()[0]
    return found


def out(store: Store, form: str) -> list[str]:
    """Export all of a record as lines."""
    with store.reading() as db:
        services = exported.chosen(db, ())
        frame: exporting.Framing = exporting.json_frame if form == "json" else exporting.csv_frame
        facts = [fact for one in services for fact in exported.facts(db, one, None, None)]
        head = [exporting.fact(one) for one in facts] if form == "json" else [exporting.CSV_HEAD]
        found = exported.rows(db, services, None, None)
        return [*head, *exporting.lines(found, exported.kinds(db, services), frame)]


def back(path: Path, lines: list[str], form: str) -> Store:
    """Import lines into a record of their own."""
    store = Store(path)
    read = read_lines if form == "json" else read_csv
    with Staged(NOW) as staged:
        staged.take(read(lines, "all", NOW))
        bring(parse({}, folder=path.parent), store, staged, NOW)
    return store


Spec = list[tuple[int, int, int, Role, list[tuple[str, int, int]]]]


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(spec=checks, gone=st.booleans())
def test_what_was_exported_makes_the_same_history_in_an_empty_record(
    tmp_path_factory: pytest.TempPathFactory, spec: Spec, gone: bool
) -> None:
    folder = tmp_path_factory.mktemp("db")
    with Store(folder / "one.db") as store:
        newest = stored(store, made := make(spec))
        lay(store, made, newest, gone=gone)
        lines = out(store, "json")
        close(store)
        with back(folder / "two.db", lines, "json") as other:
            assert told(other) == told(store)
            first = dump(other)
        with back(folder / "two.db", lines, "json") as again:  # a second time is nothing new
            assert dump(again) == first
            assert told(again) == told(store)


def close(store: Store) -> None:
    """Bring the figures of latency to the moment at which the other record is made."""
    with store.writing() as db:
        upkeep.rebuild(db, store.zone, NOW)


def lay(store: Store, made: list[tuple[Check, list[Observation]]], newest: datetime, *, gone: bool) -> None:
    """Correct an hour, maintain another, and let the checks end."""
    start = min(rows[0].at for _, rows in made)
    with store.writing() as db:
        moments = {"start": int(start.timestamp()), "end": int(start.timestamp()) + 1800}
        db.execute(LAID, moments)
        said = Correction(start=start, end=start + timedelta(hours=1), state=State.DOWN, why="known, better")
        corrections.correct(db, "web", said, "me", NOW, store.zone)
        if gone:
            end_checks(db, 1, newest + timedelta(seconds=90))
        record.follow(db, {1: 0}, store.zone)


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(spec=checks)
def test_a_table_carries_every_observation(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> None:
    folder = tmp_path_factory.mktemp("db")
    with Store(folder / "one.db") as store:
        stored(store, make(spec))
        lines = out(store, "csv")
        close(store)
        with back(folder / "two.db", lines, "csv") as other:
            assert told(other) == told(store)


# Commands

OLD = """service,at,state,latency_ms,reason
Shop,2025-10-01T10:00:00Z,up,31,
Shop,2025-10-01T10:01:00Z,down,2000,timeout
"Mail, old",2025-10-01T10:00:00Z,up,5,
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.csv").write_text(OLD)
    return tmp_path


def uplog(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, words, input=given)


def test_an_import_tells_what_came_and_the_second_time_that_nothing_is_new(folder: Path) -> None:
    shop = "2025-10-01 10:00:00 to 2025-10-01 10:01:00  uptime 100%, 100% observed"
    mail = "2025-10-01 10:00:00 to 2025-10-01 10:00:00"

    assert uplog("import", "old.csv").output.splitlines() == [
        f"Shop       2 rows  {shop}",
        f"Mail, old  1 row   {mail}",
    ]
    assert uplog("import", "--from", "csv", "-", given=OLD).output.splitlines() == [
        f"Shop       2 rows, none of them new  {shop}",
        f"Mail, old  1 row, none of them new   {mail}",
    ]


def test_a_dry_run_tells_the_same_and_writes_nothing(folder: Path) -> None:
    dry = uplog("import", "--dry-run", "old.csv").output
    assert not (folder / "data").exists()
    assert dry == uplog("import", "old.csv").output + "nothing was written\n"

    before = (folder / "data" / "uplog.db").read_bytes()
    found = json.loads(uplog("import", "--dry-run", "--json", "old.csv").output)
    assert (found["written"], [one["new"] for one in found["services"]]) == (False, [0, 0])
    assert (folder / "data" / "uplog.db").read_bytes() == before


def test_a_name_there_is_the_service_that_it_is_said_to_be(folder: Path) -> None:
    uplog("import", "old.csv")
    (folder / "more.csv").write_text("service,at,state\nshop=1,2025-10-01T10:02:00Z,up\n")

    assert uplog("import", "--as", "shop=1=Shop", "more.csv").output.startswith("Shop  1 row ")
    assert uplog("export").output.count("\nShop,") == 3
    missing = "uplog: more.csv: has no service that is called shop\n"
    assert uplog("import", "--as", "shop=Shop", "more.csv").stderr == missing


def test_an_export_goes_through_a_file_that_appears_when_it_is_whole(folder: Path) -> None:
    uplog("import", "old.csv")
    told = uplog("export", "Shop", "--out", "all.csv").stderr

    assert told == "uplog: 1 service, 2 rows\n"
    assert (folder / "all.csv").read_text() == uplog("export", "Shop").stdout
    assert uplog("export", "Nobody", "--out", "all.csv").exit_code == 1
    assert (folder / "all.csv").read_text().count("\n") == 3
    assert sorted(path.name for path in folder.iterdir()) == ["all.csv", "data", "old.csv"]


def test_an_export_is_of_the_stretch_that_was_asked_for(folder: Path) -> None:
    uplog("import", "old.csv")

    late = uplog("export", "--since", "2025-10-01T10:01:00Z").stdout.splitlines()
    early = uplog("export", "--until", "2025-10-01T10:01:00Z").stdout.splitlines()
    assert [line.partition(",2")[0] for line in late[1:]] == ["Shop"]
    assert [line.partition(",2")[0] for line in early[1:]] == ["Shop", '"Mail, old"']


def test_what_a_table_cannot_carry_is_said(folder: Path) -> None:
    uplog("import", "old.csv")
    stretch = ("--from", "2025-10-01T10:00:00Z", "--to", "2025-10-01T10:01:00Z", "--as", "unknown", "--why", "ours")
    uplog("correct", "Shop", *stretch)

    said = "not in CSV, but in --format json: corrections (1)"
    assert uplog("export").stderr.splitlines() == ["uplog: 2 services, 3 rows", f"uplog: {said}"]
    assert [json.loads(line)["correction"]["state"] for line in uplog("export", "--format", "json").stdout.splitlines()
            if "correction" in line] == ["unknown"]  # fmt: skip


def test_services_of_one_name_stay_two_and_who_is_retired_stays_so(tmp_path: Path) -> None:
    rows = [f'{{"service":"{name}","at":"2026-11-01T00:00:00Z","state":"up"}}' for name in ("a", "b", "c")]
    with back(tmp_path / "one.db", rows, "json") as store:
        with store.writing() as db:
            db.execute("update _service set name = 'a', group_name = 'all', public = 0 where name = 'b'")
            catalog.retire(db, catalog.find_service(db, "c")[0], datetime(2026, 11, 2, tzinfo=UTC))
        with back(tmp_path / "two.db", out(store, "json"), "json") as other:
            columns = "name, slug, group_name, public, retired"
            found = other.db.execute(f"select {columns} from services order by slug").fetchall()

    assert found == [
        ("a", "a", "", 1, None),
        ("b", "b", "all", 0, None),
        ("c", "c", "", 1, "2026-11-02T00:00:00.000Z"),
    ]


def test_a_slug_that_is_none_of_ours_is_not_taken(tmp_path: Path) -> None:
    rows = ['{"service":"Shop","slug":"../../etc"}', '{"service":"Shop","at":"2026-11-01T00:00:00Z","state":"up"}']
    with back(tmp_path / "one.db", rows, "json") as store:
        assert store.db.execute("select slug from services").fetchall() == [("shop",)]


def test_a_name_that_would_write_on_the_terminal_is_shown_as_it_is(folder: Path) -> None:
    line = json.dumps({"service": "Shop\x1b]0;owned\x07\n", "at": "2026-11-01T00:00:00Z", "state": "up"})

    assert uplog("import", "json", "-", given=line).output.startswith("Shop ]0;owned  1 row ")


def test_rows_from_before_the_horizon_are_left_out_and_an_export_says_what_stays(folder: Path) -> None:
    (folder / "new.csv").write_text("service,at,state\nShop,2026-01-01T10:00:00Z,up\n")
    uplog("import", "old.csv")
    uplog("import", "new.csv")
    uplog("prune", "--keep", "1d")

    found = uplog("import", "old.csv").output
    assert "skipped: Shop: 2 rows from before the horizon of pruning" in found
    assert "uplog: stays here: the states from before rows were pruned (1)" in uplog("export", "Shop").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "none.db"), "none.db: there is no such file or folder"),
        (("import", "words.txt"), "words.txt: is in none of the known formats (csv, json, kuma, gatus, upptime, "),
        (("import", "kuma", "words.txt"), "words.txt: cannot be read: file is not a database"),
        (("import", "prometheus", "words.txt"), "words.txt: expected the matrix of a query over a range: "),
        (("import", "nagios", "words.txt"), "nagios: there is no such format; there are csv, json, "),
        (("import", "json", "words.txt"), "words.txt:1: JSON is malformed"),
        (("import", "json", "lines.json"), 'lines.json:2: at: expected a moment like 2026-11-21T10:00:00Z, got "noon"'),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(folder: Path, words: tuple[str, ...], said: str) -> None:
    (folder / "words.txt").write_text("only words\n")
    (folder / "lines.json").write_text('{"service":"a"}\n{"service":"a","at":"noon","state":"up"}\n')
    result = uplog(*words)

    assert said in result.stderr
    assert result.exit_code != 0
    assert "Traceback" not in result.output


def test_checks_that_the_service_here_has_not_are_not_mixed_into_one(folder: Path) -> None:
    (folder / "uplog.toml").write_text('[[service]]\nname = "Shop"\nurl = "http://127.0.0.1:1/"\n')
    (folder / "two.csv").write_text(
        "service,at,state,check\nShop,2025-10-01T10:00:00Z,up,http/a\nShop,2025-10-01T10:00:00Z,down,http/b\n"
    )

    said = "uplog: Shop: has the checks http/a, http/b, which the service here has not\n"
    assert uplog("import", "two.csv").stderr == said


def test_a_reader_that_goes_away_is_no_trouble(folder: Path) -> None:
    many = "".join(f"Shop,{datetime.fromtimestamp(1_790_000_000 + 60 * n, UTC):%FT%TZ},up\n" for n in range(5_000))
    (folder / "many.csv").write_text(f"service,at,state\n{many}")
    uplog("import", "many.csv")
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "uplog.collector", "export"], stdout=gone, stderr=subprocess.PIPE, check=False
        )

    assert (done.returncode, done.stderr) == (0, b"")


def test_memory_does_not_grow_with_the_number_of_rows(tmp_path: Path) -> None:
    def rows(count: int) -> Iterator[str]:
        yield "service,at,state,latency_ms\n"
        for n in range(count):
            yield f"Shop,{datetime.fromtimestamp(1_700_000_000 + 60 * n, UTC).isoformat()},up,{n % 200}\n"

    peaks = []
    for count in (4_000, 12_000):
        with Store(tmp_path / f"{count}.db") as store, Staged(NOW) as staged:
            tracemalloc.start()
            staged.take(read_csv(rows(count), "all", NOW))
            bring(parse({}, folder=tmp_path), store, staged, NOW)
            with store.writing() as db:
                upkeep.gather(db)
            with store.reading() as db:
                services = exported.chosen(db, ())
                found = exported.rows(db, services, None, None)
                lines = exporting.lines(found, exported.kinds(db, services), exporting.csv_frame)
                assert sum(1 for _ in lines) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    assert peaks[1] < 1.2 * peaks[0]
