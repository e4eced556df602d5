"""Databases of earlier versions: brought up to date with nothing lost, whatever happens in the middle."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from helpers import T0
from helpers_killed import scripted
from test_repo import ROOT

from uplog.collector.model import Standing
from uplog.collector.store import SCHEMA, Store, StoreError, backup, upkeep
from uplog.collector.store.codes import to_standing
from uplog.collector.store.read import history_at
from uplog.collector.store.views import SELECTS

pytestmark = pytest.mark.unit

CAPTURED = sorted((ROOT / "tests" / "captured").glob("schema-*.sql"))
ZONE = ZoneInfo("Europe/Berlin")
DERIVED = ("_flip", "_span", "_incident", "_uptime_day", "_day")
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
KEPT = ("_service", "_check", "_observation", "_observation_open", "_raw", "_text", "_event", "_run", "_correction")


def captured(path: Path, dump: Path = CAPTURED[0]) -> Path:
    """Make a database of what an earlier version left."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("pragma auto_vacuum = incremental; pragma journal_mode = wal;" + dump.read_text())
    return path


def rows(db: sqlite3.Connection, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of *tables*, with the columns that the first schema had; flips are numbered anew by a rebuild."""
    found = {}
    for table in tables:
        columns = [row[1] for row in db.execute(f"pragma table_info({table})")][: first_columns(table)]
        wanted = ", ".join(columns[1:] if table == "_flip" else columns)
        found[table] = sorted(db.execute(f"select {wanted} from {table}"), key=repr)
    return found


def first_columns(table: str) -> int:
    """Count the columns that a table had when it was first released."""
    for dump in CAPTURED:
        found = re.search(rf"create table {table} \((.*?)\n\)", dump.read_text(), re.DOTALL | re.IGNORECASE)
        if found:
            return sum(not line.strip().startswith("primary key (") for line in found[1].strip().splitlines())
    raise AssertionError(table)


def version(path: Path) -> int:
    with closing(backup.connect_readonly(path)) as db:
        return backup.schema_of(db)


def test_every_released_schema_is_captured() -> None:
    assert [dump.name for dump in CAPTURED] == [f"schema-{number}.sql" for number in range(1, SCHEMA)]


@pytest.mark.parametrize("dump", CAPTURED, ids=lambda dump: dump.stem)
def test_an_earlier_database_keeps_every_row_and_every_view_works(tmp_path: Path, dump: Path) -> None:
    path = captured(tmp_path / "uplog.db", dump)
    with closing(sqlite3.connect(path)) as db:
        before = rows(db, *KEPT)
        seen = backup.contents_of(db)

    with Store(path, zone=ZONE) as store:
        assert rows(store.db, *KEPT) == before
        assert {view: len(store.db.execute(f"select * from {view} limit 1").description) for view in SELECTS}
        assert store.db.execute("select count(*) from observations").fetchone() == (seen.observations,)
        assert store.db.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert store.db.execute("pragma foreign_key_check").fetchall() == []
    assert version(path) == SCHEMA


def standings(store: Store) -> list[Standing]:
    """Return where the checks stand; a value of an earlier version is written without what it did not have yet."""
    rows = store.db.execute("select body, last_ms, took, asked_ms from _standing order by check_id").fetchall()
    return [to_standing(*row) for row in rows]


@pytest.mark.parametrize("dump", CAPTURED, ids=lambda dump: dump.stem)
def test_a_rebuild_of_an_earlier_database_changes_nothing(tmp_path: Path, dump: Path) -> None:
    with Store(captured(tmp_path / "uplog.db", dump), zone=ZONE) as store:
        before = rows(store.db, *DERIVED, "_latency_day"), standings(store)
        newest = backup.contents_of(store.db).last
        assert newest is not None
        with store.reading() as db:
            page = history_at(db, newest.replace(microsecond=0))
        with store.writing() as db:
            upkeep.rebuild(db, store.zone, newest)

        assert (rows(store.db, *DERIVED, "_latency_day"), standings(store)) == before
        with store.reading() as db:
            assert history_at(db, newest.replace(microsecond=0)) == page


# The copy that comes first


def test_the_database_is_copied_as_it_was_before_its_first_migration(tmp_path: Path) -> None:
    path = captured(tmp_path / "uplog.db")
    with closing(sqlite3.connect(path)) as db:
        before = backup.contents_of(db)
    with Store(path):
        pass
    copy = tmp_path / f"uplog.db.before-schema-{SCHEMA}"

    assert version(copy) == 1
    with closing(backup.connect_readonly(copy)) as db:
        assert backup.contents_of(db) == before
    restored = backup.restore(path, copy, T0)
    assert restored.contents == before
    with Store(path) as store:
        assert store.db.execute("select count(*) from observations").fetchone() == (before.observations,)


def test_a_new_file_and_new_views_are_not_copied(tmp_path: Path) -> None:
    with Store(tmp_path / "uplog.db") as store:
        store.db.execute("update _meta set value = 'older' where name = 'views'")
    with Store(tmp_path / "uplog.db"):
        pass

    assert [path.name for path in tmp_path.iterdir()] == ["uplog.db"]


def test_the_copies_of_the_newest_two_migrations_are_kept(tmp_path: Path) -> None:
    for name in ("uplog.db.before-schema-0", "uplog.db.before-schema-1", "uplog.db.before-schema-mine", "other"):
        (tmp_path / name).touch()
    with Store(captured(tmp_path / "uplog.db")):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "other",
        "uplog.db",
        "uplog.db.before-schema-1",
        f"uplog.db.before-schema-{SCHEMA}",
        "uplog.db.before-schema-mine",
    ]


def test_without_room_for_the_copy_nothing_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = captured(tmp_path / "uplog.db")
    full = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(StoreError) as caught:
        Store(path)

    assert str(caught.value).startswith(f"{path}: is not brought up to date, because it could not be copied first: ")
    assert version(path) == 1


def test_a_database_of_another_program_that_counts_its_schemas_too_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "uplog.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript("create table _meta (name, value); pragma user_version = 1")
    with pytest.raises(StoreError, match="not one of uplog's"):
        Store(path)

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("select name from sqlite_schema").fetchall() == [("_meta",)]


# A schema that does not exist yet


NEXT = SCHEMA + 1
PRETENDED = """
import random, sys, time
from contextlib import closing
from pathlib import Path
from helpers_killed import killed
from uplog.collector import store as package
from uplog.collector.store import Store, backup, upgrade
from uplog.collector.store.schema import migrations

package.SCHEMA = backup.SCHEMA = package.SCHEMA + 1

@migrations()
def m999_something_long(db):
    db.execute("create table _long (n integer primary key, text text not null) strict")
    for start in range(0, ROWS, 1000):
        db.execute("insert into _long select value, hex(randomblob(40)) from generate(?)".replace(
            "generate(?)", f"(with recursive n(value) as (select {start} union all select value + 1 from n "
            f"where value < {start + 999}) select value from n)"))
        PAUSE

path = Path(sys.argv[1])

def until_told_to_go_on():
    for _ in range(1200):
        if (path.parent / "go").exists():
            return
        time.sleep(0.05)

def state():
    with closing(backup.connect_readonly(path)) as db:
        tables = {row[0] for row in db.execute("select name from sqlite_schema")}
        return (backup.schema_of(db), "_long" in tables, db.execute("pragma integrity_check").fetchone()[0],
                db.execute("select count(*) from _observation").fetchone()[0])
"""


def pretended(rows: int, pause: str = "pass") -> str:
    """Return the beginning of a script that knows a further schema, whose migration writes *rows* rows with pauses."""
    return PRETENDED.replace("ROWS", str(rows)).replace("PAUSE", pause)


KILLED = """
chance = random.Random(9)
cut, seen = 0, set()
whole = path.read_bytes()
begun = time.monotonic()
killed(lambda: Store(path).close(), 60)
longest = time.monotonic() - begun
for _ in range(200):  # how many are killed before they are done is up to the machine
    if cut > 15 and any(one[0] == package.SCHEMA - 1 for one in seen):
        break
    if state()[0] == package.SCHEMA:
        path.write_bytes(whole)
    cut += killed(lambda: Store(path).close(), chance.uniform(0, longest))
    seen.add(state())
for one in (cut, *seen):
    print(one)
Store(path).close()
print(state())
"""


@pytest.mark.slow
def test_a_migration_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    path = captured(tmp_path / "uplog.db")
    said = scripted(pretended(20_000, "time.sleep(0.01)") + KILLED, path).splitlines()
    rows = backup_rows(tmp_path)

    between = {str((number, False, "ok", rows)) for number in range(1, NEXT)}
    assert int(said[0]) > 15
    assert str((SCHEMA, False, "ok", rows)) in said[1:-1]
    assert set(said[1:-1]) - {said[-1]} <= between
    assert said[-1] == str((NEXT, True, "ok", rows))
    assert version(tmp_path / f"uplog.db.before-schema-{NEXT}") == 1
    assert list(tmp_path.glob(".*")) == []


def backup_rows(folder: Path) -> int:
    with closing(backup.connect_readonly(folder / f"uplog.db.before-schema-{NEXT}")) as db:
        count: int = db.execute("select count(*) from _observation").fetchone()[0]
    return count


STOPPED = """
@migrations()
def m9999_fails(db):
    raise ZeroDivisionError

package.SCHEMA = backup.SCHEMA = package.SCHEMA + 1
try:
    Store(path)
except ZeroDivisionError:
    print(state())
migrations._migrations.pop()
package.SCHEMA = backup.SCHEMA = package.SCHEMA - 1
Store(path).close()
"""


def test_what_was_applied_before_a_migration_that_fails_stays_and_the_first_copy_too(tmp_path: Path) -> None:
    path = captured(tmp_path / "uplog.db")
    said = scripted(pretended(1000) + STOPPED, path)

    assert said.startswith(f"({NEXT}, True, 'ok'")
    assert version(path) == NEXT
    assert {one.name: version(one) for one in tmp_path.glob("*.before-*")} == {f"uplog.db.before-schema-{NEXT + 1}": 1}


@pytest.mark.slow
def test_a_long_migration_says_what_it_does_and_another_process_waits_for_it(tmp_path: Path) -> None:
    path = captured(tmp_path / "uplog.db")
    command = [sys.executable, "-c", pretended(1000, "until_told_to_go_on()") + "Store(path).close()", str(path)]
    with subprocess.Popen(command, env=ENVIRON, stderr=subprocess.PIPE, text=True) as first:
        migrating = heard(first, "m999")
        with subprocess.Popen(command, env=ENVIRON, stderr=subprocess.PIPE, text=True) as second:
            waiting = heard(second, "waiting")
            (tmp_path / "go").touch()

    assert (first.returncode, second.returncode, version(path)) == (0, 0, NEXT)
    assert migrating == f"{path}: bringing schema {SCHEMA} to {NEXT}, migration {NEXT} of {NEXT}: m999_something_long\n"
    assert waiting == f"{path}: waiting for another program that writes\n"


def heard(process: subprocess.Popen[str], word: str) -> str:
    """Wait until *process* says a sentence with *word*, and return that; a busy machine may let it say others."""
    assert process.stderr is not None
    return next(line for line in process.stderr if word in line)


def test_a_reader_of_this_version_is_told_that_the_file_is_of_a_newer_one(tmp_path: Path) -> None:
    path = captured(tmp_path / "uplog.db")
    with Store(path), Store(path, readonly=True) as reader:
        scripted(pretended(1000) + "Store(path).close()", path)
        sentence = rf"written by a newer uplog \(schema {NEXT}, this one knows {SCHEMA}\)"
        with pytest.raises(StoreError, match=sentence), reader.reading():
            pass
    with pytest.raises(StoreError, match="written by a newer uplog"):
        Store(path)
