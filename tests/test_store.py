"""The file: what it takes to open it, how it is laid out, and how small it is."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import T0, a_check, saw

from uplog.collector.catalog import Entry
from uplog.collector.lock import Asked, asking
from uplog.collector.model import Target
from uplog.collector.store import SCHEMA, Store, StoreError, catalog, record, upkeep
from uplog.collector.store.described import DOCS
from uplog.collector.store.read import history_at
from uplog.collector.store.schema import migrations
from uplog.collector.store.views import SELECTS

pytestmark = pytest.mark.unit

CONTRACT = {
    "services": "key slug name group_name source public state reason since last_checked first_seen last_seen retired",
    "checks": "key service kind role target every_s declared_every_s timeout_s failure_threshold success_threshold grace_s state since",
    "observations": "service check_key at outcome latency_ms code reason",
    "spans": "service state started ended seconds reason maintenance",
    "incidents": "id service started ended seconds reason",
    "uptime_daily": "service day up_s degraded_s down_s unknown_s maintenance_s maintenance_down_s uptime_pct observed_pct incidents",
    "uptime": "service period up_s degraded_s down_s unknown_s maintenance_s maintenance_down_s uptime_pct observed_pct incidents",
    "latency_daily": "service day observations p50_ms p95_ms p99_ms max_ms",
    "components": "service component at state latency_ms",
    "instances": "service at expected running ready",
    "sightings": "service source ref name layer first_seen last_seen",
    "ports": "service protocol host_ip port container_port layer location status",
    "dependencies": "service needs source ref first_seen last_seen",
    "discoveries": "at source event service detail",
    "findings": "kind service location text first_seen last_seen",
    "maintenance": "service started ended text",
    "runs": "id started ended trigger planned observed late_ms error",
    "events": "at kind detail",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "uplog.db"


def columns(db: sqlite3.Connection, view: str) -> list[str]:
    return [row[1] for row in db.execute(f"pragma table_info({view})")]


@pytest.mark.parametrize("view", CONTRACT)
def test_every_view_has_the_columns_that_people_rely_on_in_their_order(path: Path, view: str) -> None:
    with Store(path) as store:
        found = [name for name in columns(store.db, view) if name != "service_name"]

    wanted = CONTRACT[view].split()
    assert found[: len(wanted)] == wanted


def test_every_view_and_every_column_of_the_contract_is_described() -> None:
    assert set(DOCS) == set(SELECTS)
    for view, names in CONTRACT.items():
        assert set(names.split()) <= set(DOCS[view][1])


def test_the_schema_is_the_number_of_its_migrations(path: Path) -> None:
    assert len(migrations._migrations) == SCHEMA


def test_a_new_file_gives_space_back_and_keeps_a_write_ahead_log(path: Path) -> None:
    with Store(path) as store:
        assert store.db.execute("pragma auto_vacuum").fetchone() == (2,)
        assert store.db.execute("pragma journal_mode").fetchone() == ("wal",)
        strict = store.db.execute("select name from pragma_table_list where strict = 0 and type = 'table'").fetchall()
    assert {row[0] for row in strict} <= {
        "sqlite_schema",
        "sqlite_temp_schema",
        "_sqlite_migrations",
        "sqlite_sequence",
    }


def test_no_service_gets_the_address_of_the_badge_of_everything(path: Path) -> None:
    with Store(path) as store, store.writing() as db:
        for key in ("config//All", "compose//all"):
            taken = {row[0] for row in db.execute("select slug from _service")}
            catalog.new_service(db, key, "All", "All", "config", T0, T0, taken)

        assert db.execute("select slug from _service").fetchall() == [("all-2",), ("all-3",)]


def refusal(path: Path, **how: bool) -> str:
    with pytest.raises(StoreError) as caught:
        Store(path, **how)
    return str(caught.value)


def test_a_file_that_is_no_database_is_said_to_be_none(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this was never SQLite" * 100)

    assert refusal(path) == f"{path}: is not an uplog database"
    assert path.read_bytes().startswith(b"this was never")


def test_a_database_of_somebody_else_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("create table theirs (id)")
    db.close()

    assert "not one of uplog's" in refusal(path)
    assert sqlite3.connect(path).execute("select name from sqlite_schema").fetchall() == [("theirs",)]


def test_a_newer_schema_is_not_touched(path: Path) -> None:
    with Store(path) as store:
        store.db.execute(f"pragma user_version = {SCHEMA + 1}")

    assert "newer uplog" in refusal(path)


def test_reading_makes_no_file(path: Path) -> None:
    assert "there is no such database" in refusal(path, readonly=True)
    assert not path.parent.exists()


def test_a_file_of_no_bytes_is_said_to_be_empty(path: Path) -> None:
    path.parent.mkdir()
    path.touch()

    assert refusal(path, readonly=True) == f"{path}: is empty; `uplog run` makes a record of it"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else: run this as root")
def test_a_read_only_database_is_one_clear_sentence(path: Path) -> None:
    with Store(path):
        pass
    for folder in path.parents:
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    path.parent.chmod(0o555)

    assert as_nobody(lambda: write_to(path)) == (
        f"{path}: not writable (file and folder both must be: the folder holds the write-ahead log)"
    )


def write_to(path: Path) -> str:
    try:
        with Store(path) as store, store.writing():
            return "written"
    except StoreError as error:
        return str(error)


def as_nobody(ask: Callable[[], str]) -> str:
    """Return what *ask* says in a copy of this process that has no rights."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            os.write(writer, ask().encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        return said.read()


def test_only_one_asks_at_a_time(path: Path) -> None:
    with asking(path), pytest.raises(Asked), asking(path):
        pass
    with asking(path):
        pass


def test_the_lock_goes_with_the_process_that_held_it(path: Path) -> None:
    script = "import sys\nfrom pathlib import Path\nfrom uplog.collector.lock import asking\n"
    script += "with asking(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Asked), asking(path):
            pass
        holder.kill()
        holder.wait(60)
        with asking(path):
            pass


def with_history(store: Store, pattern: str) -> None:
    check = a_check(name="")
    target = Target(source="config", ref="", name="web", checks=(check,))
    entry = Entry(key="config//web", targets=[target], checks=[check])
    everyone = frozenset({"config"})
    rows = [record.Seen(check=check, observation=one) for one in saw(pattern, check)]
    with store.writing() as db:
        catalog.sync(
            db,
            [entry],
            rows[0].observation.at,
            configured=everyone,
            succeeded=everyone,
            silent=frozenset(),
            public=True,
        )
        record.observed(db, rows, store.zone)


def test_moving_closed_days_loses_no_row_and_keeps_exact_percentiles(path: Path) -> None:
    with Store(path) as store:
        with_history(store, "+" * 3000)
        before = store.db.execute("select * from observations order by at_ms").fetchall()
        with store.writing() as db:
            moved = upkeep.move_days(db)

        assert moved == 2880
        assert store.db.execute("select * from observations order by at_ms").fetchall() == before
        assert store.db.execute("select day, observations, p50_ms, p99_ms, max_ms from latency_daily").fetchall() == [
            ("2026-11-01", 1440, 12, 12, 12),
            ("2026-11-02", 1440, 12, 12, 12),
        ]


def test_raw_text_is_kept_beside_its_observation_once_for_all_that_say_the_same(path: Path) -> None:
    check = a_check(name="")
    with Store(path) as store:
        with_history(store, "+")
        rows = [
            record.Seen(check=check, observation=one, text="connection refused by 10.0.0.7")
            for one in saw(" ---", check)
        ]
        with store.writing() as db:
            record.observed(db, rows, store.zone)

        assert store.db.execute("select count(*) from _text").fetchone() == (1,)
        with store.reading() as db:
            read = history_at(db, rows[-1].observation.at)
        assert read.services[0].checks[0].text == "connection refused by 10.0.0.7"
