"""What must not be lost: answers that cannot be written now are written later, once, and nobody is down for it."""

import gzip
import itertools
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from helpers import T0
from test_accounting import dump
from test_cycle import Pretended, configured, one_service, opened, rows

from uplog.collector.config import Config
from uplog.collector.cycle import NotRecorded, cycle
from uplog.collector.discover import Context, Found
from uplog.collector.lock import asking
from uplog.collector.model import Answer, Check, CouldNot, Port, Reading, Target
from uplog.collector.planning import Pace
from uplog.collector.run import run
from uplog.collector.spool import Spool
from uplog.collector.store import SCHEMA, Store, StoreError, cycles, operate, upkeep
from uplog.collector.store.mounts import kind_of, network_kind
from uplog.collector.watch import Watch

pytestmark = pytest.mark.unit

ALL = "select at_ms, outcome, reason, attempt from observations order by at_ms"
DOWN = "select count(*) from spans where state = 'down'"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the write lock, as another program would."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("begin immediate")
        yield
    finally:
        db.close()


def impatient(config: Config) -> Store:
    return Store(config.database, zone=config.timezone, patience=0.01)


def waiting(config: Config) -> list[Path]:
    return Spool(config.database).waiting()


def since_t0(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Give the moments that come first, in ms, as seconds since T0."""
    return [(at_ms // 1000 - int(T0.timestamp()), *rest) for at_ms, *rest in found]


def after(world: Pretended, minutes: float) -> Pretended:
    world.now = T0 + timedelta(minutes=minutes)
    return world


def fail_to_write(config: Config, store: Store, world: Pretended, minutes: Sequence[float]) -> None:
    """Let a cycle at each of *minutes* ask, and find the record locked."""
    with held(config.database):
        for minute in minutes:
            with pytest.raises(NotRecorded):
                cycle(config, store, world.ask, after(world, minute).clock)


# A cycle that cannot be written


def test_what_cannot_be_written_comes_with_the_next_run_at_its_own_moment(tmp_path: Path) -> None:
    world, config = Pretended(), configured(tmp_path, one_service())
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        with held(config.database), pytest.raises(NotRecorded) as failed:
            cycle(config, store, world.ask, after(world, 1).clock)

        folder = tmp_path / "uplog.db.spool"
        assert str(failed.value) == (
            f"{config.database}: locked by another program for too long; "
            f"1 answer is kept in {folder} and comes with the next run"
        )
        assert len(waiting(config)) == 1
        cycle(config, store, world.ask, after(world, 2).clock)

        assert since_t0(rows(store, "select at_ms from observations order by 1")) == [(0,), (60,), (120,)]
        assert rows(store, "select planned, observed, error from runs order by started") == [
            (1, 1, None),
            (1, 1, f"{config.database}: locked by another program for too long"),
            (1, 1, None),
        ]
        assert rows(store, "select kind, detail from events") == [
            ("not_written", "for 60 s nothing could be written; 1 answer was kept and is recorded now")
        ]
        assert waiting(config) == []


def test_a_run_gives_up_after_its_first_failed_write(tmp_path: Path) -> None:
    world, config = Pretended(lambda check, now: "-"), configured(tmp_path, one_service())
    with impatient(config) as store:
        run(config, store, Pretended().ask, world.clock, pace=Pace(), wait=world.wait)
        after(world, 1)
        with held(config.database), pytest.raises(NotRecorded):
            run(config, store, world.ask, world.clock, pace=Pace(), wait=world.wait)

    assert len(world.asked) == 1


def trouble(config: Config, world: Pretended, lock: Callable[[datetime], bool]) -> tuple[Any, ...]:
    """Run a cycle a second for six minutes, some of them while *lock* says that the record is locked; dump all."""
    spool = Spool(config.database)
    with impatient(config) as store, ExitStack() as stack:
        locked = False
        while world.now < T0 + timedelta(minutes=6):
            if lock(world.now) != locked:
                locked = not locked
                stack.enter_context(held(config.database)) if locked else stack.close()
            try:
                cycle(config, store, world.ask, world.clock, spool=spool)
            except StoreError:
                assert locked
            world.wait(1)
        return dump(store), rows(store, ALL), rows(store, "select * from _raw order by 1, 2")


@pytest.mark.slow
@pytest.mark.usefixtures("disks")  # which take their time meanwhile
def test_a_lock_of_minutes_changes_nothing_in_the_history(tmp_path: Path) -> None:
    def says(check: Check, now: datetime) -> str:
        minute = (now - T0) / timedelta(minutes=1)
        return "-" if check.name == "bad" and 2 <= minute < 4.5 else "+"

    checks = [{"kind": "http", "name": name, "target": f"/{name}"} for name in ("bad", "good")]
    services = one_service(check=checks)

    def minutes(start: float, end: float) -> Callable[[datetime], bool]:
        return lambda now: start <= (now - T0) / timedelta(minutes=1) < end

    kinds = {"never": minutes(0, 0), "into": minutes(1, 3), "out": minutes(3, 5), "all": minutes(1, 5)}
    found = {}
    for name, lock in kinds.items():
        folder = tmp_path / name
        folder.mkdir()
        world = Pretended(says)
        found[name] = trouble(configured(folder, services), world, lock), world.asked

    assert found["into"] == found["out"] == found["all"] == found["never"]


def test_a_crash_between_commit_and_unlink_replays_nothing_twice(tmp_path: Path) -> None:
    world, config = Pretended(), configured(tmp_path, one_service())
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        fail_to_write(config, store, world, [1, 2])
        copies = [(path, path.read_bytes()) for path in waiting(config)]
        cycle(config, store, world.ask, after(world, 3).clock)
        for path, data in copies:
            path.write_bytes(data)
        cycle(config, store, world.ask, after(world, 4).clock)

        assert len(rows(store, ALL)) == 5
        assert rows(store, "select count(*), sum(observed) from runs") == [(5, 5)]
        assert waiting(config) == []


def test_the_names_of_replayed_files_are_forgotten_after_days_and_never_while_they_lie_there(tmp_path: Path) -> None:
    config = configured(tmp_path, one_service())
    with opened(config) as store, store.writing() as db:
        db.executemany("insert into _spooled values (?, ?)", [("gone", 0), ("there", 0), ("new", 700_000_000)])
        cycles.forget_spooled(db, ["there"], datetime.fromtimestamp(1_000_000, UTC))

        assert db.execute("select id from _spooled order by id").fetchall() == [("new",), ("there",)]


@pytest.mark.parametrize("damage", ["cut", "garbage", "other", "empty"])
def test_a_damaged_file_is_moved_aside_and_holds_up_nothing(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    world, config = Pretended(), configured(tmp_path, one_service())
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        fail_to_write(config, store, world, [1, 2])
        first = waiting(config)[0]
        whole = first.read_bytes()
        first.write_bytes(
            {"cut": whole[:-20], "garbage": b"\0" * 100, "other": gzip.compress(b'{"seen": 5}'), "empty": b""}[damage]
        )
        cycle(config, store, world.ask, after(world, 3).clock)
        cycle(config, store, world.ask, after(world, 4).clock)

        assert len(rows(store, ALL)) == 4
        assert [row[0] for row in rows(store, "select kind from events where kind <> 'not_written'")] == [
            "spool_damaged"
        ]
        assert "was moved aside" in caplog.text
        assert [path.name for path in (tmp_path / "uplog.db.spool").iterdir()] == [f"{first.name}.damaged"]


def test_a_file_that_the_record_refuses_does_not_hold_up_those_after_it(tmp_path: Path) -> None:
    world, config = Pretended(), configured(tmp_path, one_service())
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        fail_to_write(config, store, world, [1, 2])
        first = waiting(config)[0]
        text = gzip.decompress(first.read_bytes()).replace(b'"took":3', b'"took":"x"', 1)
        first.write_bytes(gzip.compress(text.replace(b'"took":"x"', b'"took":99999999999999999999')))
        cycle(config, store, world.ask, after(world, 3).clock)

        assert len(rows(store, ALL)) == 3


def test_answers_that_cannot_be_kept_either_are_lost_and_that_is_said(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "-" if now == T0 + timedelta(minutes=1) else "+")
    config = configured(tmp_path, one_service())
    spool = Spool(config.database)
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock, spool=spool)
        spool.folder.write_text("in the way")
        with held(config.database), pytest.raises(NotRecorded, match=r"1 answer is lost, .*File exists"):
            cycle(config, store, world.ask, after(world, 1).clock, spool=spool)
        spool.folder.unlink()
        cycle(config, store, world.ask, after(world, 4).clock, spool=spool)

        assert rows(store, DOWN) == [(0,)]
        assert since_t0(rows(store, "select started_s * 1000, state from _span")) == [(0, 0), (60, 1), (240, 0)]
        assert rows(store, "select detail from events where kind = 'not_written'") == [
            ("for 180 s nothing could be written; 1 answer was lost, for nothing could be kept either",)
        ]


# Older rows: somebody else wrote meanwhile


def same_after_rebuild(store: Store) -> bool:
    with store.writing() as db:
        upkeep.move_days(db)
    before = dump(store)
    with store.writing() as db:
        upkeep.rebuild(db, store.zone)
    return dump(store) == before


def test_what_waited_while_somebody_paused_the_service_is_recorded_at_its_own_moment(tmp_path: Path) -> None:
    world, config = Pretended(lambda check, now: "-"), configured(tmp_path, one_service())
    with impatient(config) as store:
        cycle(config, store, Pretended().ask, world.clock)
        fail_to_write(config, store, world, [1, 1.05, 1.2])
        with store.writing() as db:
            operate.pause(db, "web", T0 + timedelta(minutes=2), None, store.zone)
        cycle(config, store, world.ask, after(world, 3).clock)

        assert since_t0(rows(store, "select at_ms, outcome from observations order by 1")) == [
            (0, "pass"), (60, "fail"), (63, "fail"), (72, "fail"), (120, "unknown"),
        ]  # fmt: skip
        assert since_t0(rows(store, "select started_s * 1000, state from _span")) == [(0, 0), (60, 3), (120, 1)]
        assert same_after_rebuild(store)


def test_what_waited_while_somebody_retired_the_service_does_not_bring_it_back(tmp_path: Path) -> None:
    world, config = Pretended(), configured(tmp_path, one_service())
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        fail_to_write(config, store, world, [1, 3])
        with store.writing() as db:
            operate.retire(db, "web", T0 + timedelta(minutes=2))
        cycle(config, store, world.ask, after(world, 4).clock)

        assert len(rows(store, ALL)) == 2
        assert rows(store, "select count(*) from _standing") == [(0,)]
        assert same_after_rebuild(store)


def test_a_silence_that_others_saw_is_taken_back_when_the_answers_come(tmp_path: Path) -> None:
    world = Pretended()
    config = configured(tmp_path, {"service": [{"name": n, "url": f"http://127.0.0.1:1/{n}"} for n in ("a", "b")]})

    def only_b(checks: Sequence[Any]) -> Sequence[Any]:
        return [one for one in checks if "//b" in one.check.key]

    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        fail_to_write(config, store, world, [1, 2, 3])
        hidden = (tmp_path / "uplog.db.spool").rename(tmp_path / "hidden")
        cycle(config, store, world.ask, after(world, 4).clock, claim=only_b)
        assert rows(store, "select count(*) from spans where state = 'unknown' and service_name = 'a'") == [(1,)]
        hidden.rename(tmp_path / "uplog.db.spool")
        cycle(config, store, world.ask, after(world, 4).clock)

        assert rows(store, "select service_id, state, ended_s from _span") == [(1, 0, None), (2, 0, None)]
        assert same_after_rebuild(store)


# Discovery and controls


class Locking:
    """A source that finds one service, and after whose first answer the record is locked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stack = ExitStack()
        self.calls = 0

    def __call__(self, settings: Mapping[str, Any], context: Context) -> tuple[list[Found], dict[str, bool]]:
        self.calls += 1
        if self.calls == 2:
            self.stack.enter_context(held(self.path))
        check = Check(key="", service="", kind="tcp", target="tcp://127.0.0.1:9")
        target = Target(
            source="systemd", ref="a", name="a.service", layer="running", ports=(Port(port=9),), checks=(check,)
        )
        return [Found(source="systemd", ok=True, targets=(target,))], {}


def test_what_was_found_and_cannot_be_stored_costs_no_answer(tmp_path: Path) -> None:
    world, config = Pretended(), configured(tmp_path, {"discover": {"systemd": {}}})
    find = Locking(config.database)

    def freed(checks: Sequence[Check]) -> list[Answer]:
        find.stack.close()
        return world.ask(checks)

    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock, find=find)
        cycle(config, store, freed, after(world, 6).clock, find=find)
        assert len(rows(store, ALL)) == 2
        cycle(config, store, world.ask, after(world, 7).clock, find=find)

        assert find.calls == 3
        assert len(rows(store, ALL)) == 3


def test_controls_that_answered_are_remembered_with_the_answers_that_waited(tmp_path: Path) -> None:
    world = Pretended(lambda check, now: "+" if "control" in check.target or now == T0 else "timeout")
    table = {
        "service": [{"name": f"s{n}", "url": f"http://192.0.2.{n}/"} for n in range(1, 5)],
        "control": [{"url": "http://control.example/"}],
    }
    config = configured(tmp_path, table)
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        fail_to_write(config, store, world, [1])
        cycle(config, store, world.ask, after(world, 2).clock)

        assert rows(store, "select distinct outcome, reason from observations order by 1") == [
            ("fail", "timeout"),
            ("pass", None),
        ]
        with store.reading() as db:
            assert cycles.proven(db) == {"http://control.example/"}


# The file itself


def test_others_of_this_process_go_on_while_one_waits_for_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "uplog.db"
    with Store(path) as store, held(path):

        def wait() -> None:
            with pytest.raises(StoreError), store.writing(patience=1):
                pass

        waiter = Thread(target=wait)
        waiter.start()
        begun, reads = time.monotonic(), 0
        while waiter.is_alive():
            with store.reading() as db:
                db.execute("select count(*) from _check").fetchone()
            reads += 1
        waiter.join()

        assert 0.9 < time.monotonic() - begun < 15, "and no longer than it said: the store itself waits for 20 s"
        assert reads > 5


def garbage(path: Path) -> None:
    shutil.rmtree(path.parent / "away", ignore_errors=True)
    (path.parent / "garbage").write_bytes(b"garbage " * 1000)
    (path.parent / "garbage").replace(path)


def test_a_deleted_folder_is_made_anew_and_known_again(tmp_path: Path) -> None:
    world = Pretended()
    config = configured(tmp_path / "data", one_service())
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        shutil.rmtree(tmp_path / "data")
        cycle(config, store, world.ask, after(world, 1).clock)

        assert store.opened == 2
        assert len(rows(store, ALL)) == 1
    with Store(config.database, readonly=True) as reader:
        assert len(rows(reader, ALL)) == 1


def test_a_folder_deleted_while_asking_loses_none_of_these_answers(tmp_path: Path) -> None:
    world = Pretended()
    config = configured(tmp_path / "data", one_service())

    def deleting(checks: Sequence[Check]) -> list[Answer]:
        shutil.rmtree(tmp_path / "data")
        return world.ask(checks)

    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        cycle(config, store, deleting, after(world, 1).clock)  # recorded in a file that knows no such check
        cycle(config, store, world.ask, after(world, 2).clock)

        assert rows(store, DOWN) == [(0,)]
        assert len(rows(store, ALL)) >= 1


def test_a_record_replaced_by_garbage_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    world, config = Pretended(), configured(tmp_path, one_service())
    spool = Spool(config.database)

    def replacing(checks: Sequence[Check]) -> list[Answer]:
        config.database.rename(tmp_path / "good.db")
        garbage(config.database)
        return world.ask(checks)

    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)
        store.db.execute("pragma wal_checkpoint(truncate)")
        with pytest.raises(NotRecorded, match=r"is not an uplog database; 1 answer is kept"):
            cycle(config, store, replacing, after(world, 1).clock, spool=spool)
        with pytest.raises(StoreError, match="is not an uplog database"):
            cycle(config, store, world.ask, after(world, 2).clock, spool=spool)
        (tmp_path / "good.db").replace(config.database)
        cycle(config, store, world.ask, after(world, 3).clock, spool=spool)

        assert since_t0(rows(store, "select at_ms from observations order by 1")) == [(0,), (60,), (180,)]
        assert rows(store, DOWN) == [(0,)]
        assert rows(store, "pragma integrity_check") == [("ok",)]


def test_a_record_that_a_newer_uplog_took_over_is_left_alone(tmp_path: Path) -> None:
    world, config = Pretended(), configured(tmp_path, one_service())
    with impatient(config) as store:
        cycle(config, store, world.ask, world.clock)

        def upgrading(checks: Sequence[Check]) -> list[Answer]:
            with sqlite3.connect(config.database) as other:
                other.execute(f"pragma user_version = {SCHEMA + 1}")
            other.close()
            return world.ask(checks)

        with pytest.raises(NotRecorded, match=r"written by a newer uplog .* 1 answer is kept"):
            cycle(config, store, upgrading, after(world, 1).clock)
        store.db.execute(f"pragma user_version = {SCHEMA}")
        cycle(config, store, world.ask, after(world, 2).clock)

        assert len(rows(store, ALL)) == 3


MOUNTS = r"""22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /srv rw shared:9 - nfs4 server:/export rw,vers=4.2
41 40 254:1 / /srv/local rw shared:10 master:1 - xfs /dev/vdb rw
42 22 0:36 / /home/a\040b rw - fuse.sshfs me@host: rw
43 22 0:37 / /over rw - 9p host rw
44 43 0:38 / /over rw - tmpfs none rw
"""


@pytest.mark.parametrize(
    ("path", "kind", "shared"),
    [
        ("/var/lib/uplog.db", "ext4", False),
        ("/srv/uplog.db", "nfs4", True),
        ("/srv", "nfs4", True),
        ("/srv/local/uplog.db", "xfs", False),
        ("/srv/localother/uplog.db", "nfs4", True),
        ("/home/a b/uplog.db", "fuse.sshfs", True),
        ("/over/uplog.db", "tmpfs", False),
    ],
)
def test_the_nearest_and_newest_mount_tells_the_kind(path: str, kind: str, shared: bool) -> None:
    assert kind_of(MOUNTS, path) == kind
    assert network_kind(MOUNTS, path) == (kind if shared else None)


def test_a_network_file_system_is_refused_unless_allowed_and_never_to_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(f"40 22 0:35 / {tmp_path} rw - nfs4 server:/export rw\n")
    monkeypatch.setattr("uplog.collector.store.MOUNTS", tmp_path / "mounts")
    path = tmp_path / "uplog.db"

    with pytest.raises(StoreError, match=r"lies on a network file system \(nfs4\)"):
        Store(path)
    Store(path, network=True).close()
    Store(path, readonly=True).close()


# A running daemon


class Engine:
    """Passes at once."""

    def __call__(self, checks: Sequence[Check]) -> list[Answer]:
        return [Answer(check=check, at=datetime.now(UTC), took=1, reading=Reading(code=200)) for check in checks]


@contextmanager
def daemon(config: Config) -> Iterator[Store]:
    """Watch every second; gives the record as another process sees it."""
    with Store(config.database, zone=config.timezone, patience=1) as store:
        running = Watch(config, store, Engine(), lambda: datetime.now(UTC), every=10_000)
        running.pace = Pace(every=1000, spread=True)
        running.start()
        try:
            yield store
        finally:
            running.stop()


def counted(store: Store) -> int:
    return int(rows(store, "select count(*) from observations")[0][0])


def until(what: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to be in time"
        time.sleep(0.05)


def every_second(tmp_path: Path) -> Config:
    return configured(tmp_path, one_service(every="1s"))


@pytest.mark.slow
@pytest.mark.usefixtures("disks")
def test_a_daemon_goes_on_through_a_lock_and_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = every_second(tmp_path)
    with daemon(config) as store:
        until(lambda: counted(store) >= 1)
        with held(config.database):
            time.sleep(6)
            assert waiting(config)
        until(lambda: not waiting(config))
        until(lambda: rows(store, "select count(*) from events where kind = 'not_written'") == [(1,)])
        found = [at_ms for at_ms, *_ in rows(store, ALL)]

        gaps = [later - earlier for earlier, later in itertools.pairwise(found)]
        assert max(gaps) < 5_500, "nobody waited for the end of the lock"
        assert rows(store, "select distinct state from spans") == [("up",)]
        assert same_after_rebuild(store)
    assert len([one for one in caplog.records if "locked by another program" in one.message]) < 4


@pytest.mark.slow
@pytest.mark.usefixtures("disks")
def test_a_daemon_goes_on_when_its_folder_is_deleted_or_its_record_is_garbage(tmp_path: Path) -> None:
    config = every_second(tmp_path / "data")
    with daemon(config) as store:
        until(lambda: counted(store) >= 1)
        shutil.rmtree(tmp_path / "data")
        until(lambda: config.database.exists() and counted(store) >= 2)
        garbage(config.database)
        time.sleep(2.5)
        config.database.unlink()
        until(lambda: counted(store) >= 2)

        assert rows(store, "select distinct state from spans") == [("up",)]
        assert same_after_rebuild(store)


# Real disks, in a mount namespace of their own

PYTHON = sys.executable
TOLD = """
import sqlite3
db = sqlite3.connect("data/uplog.db")
for question in (
    "select count(*), count(distinct at_ms || check_key), (select sum(observed) from runs) from observations",
    "select count(*) from spans where state = 'down'",
    "pragma integrity_check",
):
    print(*db.execute(question).fetchone())
"""


def in_a_namespace(script: str, folder: Path) -> list[str]:
    """Run a shell *script* beside a small disk of its own; return what it prints, by lines.

    There `run` is an ordinary run, `told` prints rows, distinct rows, answers counted, spans down, integrity.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        url = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        services = "".join(f'[[service]]\nname = "{name}"\nurl = "{url}"\n' for name in "ab")
        (folder / "uplog.toml").write_text(f'[defaults]\nevery = "1s"\n{services}')
        (folder / "told.py").write_text(TOLD)
        (folder / "data").mkdir()
        prelude = f"""
            mount -t tmpfs -o size=3m,nr_inodes=60 disk data || exit 99
            run() {{ {PYTHON} -m uplog.collector run --every 1s --no-build 2>&1; echo exit $?; sleep 0.6; }}
            told() {{ {PYTHON} told.py; }}
            run
        """
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        command = ["unshare", *user, "--mount", "--propagation", "private", "sh", "-c", prelude + script]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 99 or done.stderr.startswith("unshare"):
        if os.environ.get("CI") == "true":
            pytest.fail(f"a mount namespace cannot be made: {done.stderr}")
        pytest.skip("a mount namespace cannot be made: run as root, or allow user namespaces")
    return (done.stdout + done.stderr).replace(f"{folder}/", "").splitlines()


FULL = "dd if=/dev/zero of=data/fill bs=4k status=none 2>/dev/null"
FREE = "rm -f data/fill*"
READ_ONLY = "data/uplog.db: not writable (file and folder both must be: the folder holds the write-ahead log)"
KEPT = "; 2 answers are kept in data/uplog.db.spool and come with the next run"


FAULTS = {  # what is done to the disk, how it is undone, what a run says of it, and how many rows there are at the end
    "full": (FULL, FREE, "data/uplog.db: the disk is full", 4),
    "almost full": (
        f"{FULL}; truncate -s -48k data/fill",
        FREE,
        "data/uplog.db: the disk is full; 2 answers are lost",
        4,
    ),
    "inodes": (
        "i=0; while touch data/fill$i 2>/dev/null; do i=$((i+1)); done",
        FREE,
        "data/uplog.db: no more files can be made on its disk: the inodes are used up",
        4,
    ),
    "file": (
        "mount --bind data/uplog.db data/uplog.db; mount -o remount,bind,ro data/uplog.db",
        "umount data/uplog.db",
        READ_ONLY + KEPT,
        6,
    ),
    "folder": ("mount -o remount,ro data", "mount -o remount,rw data", READ_ONLY, 4),
    "garbage": (
        "mv data/uplog.db good.db; head -c 9000 /dev/urandom > data/uplog.db",
        "rm data/*; mv good.db data/uplog.db",
        "data/uplog.db: is not an uplog database",
        4,
    ),
    "empty": (
        "mv data/uplog.db good.db; touch data/uplog.db",
        "rm data/*; mv good.db data/uplog.db",
        "2 answers recorded",
        4,
    ),
    "other": (
        f'mv data/uplog.db good.db; {PYTHON} -c \'import sqlite3; sqlite3.connect("data/uplog.db").execute("create table t(x)")\'',
        "rm data/*; mv good.db data/uplog.db",
        "data/uplog.db: is a database, but not one of uplog's",
        4,
    ),
    "newer": (
        f'{PYTHON} -c \'import sqlite3; sqlite3.connect("data/uplog.db").execute("pragma user_version = 99")\'',
        f'{PYTHON} -c \'import sqlite3; sqlite3.connect("data/uplog.db").execute("pragma user_version = {SCHEMA}")\'',
        f"data/uplog.db: written by a newer uplog (schema 99, this one knows {SCHEMA})",
        4,
    ),
    "deleted": ("rm -r data/*", "true", "2 answers recorded", 4),
}
HOLD = """
import sqlite3, time
db = sqlite3.connect("data/uplog.db", isolation_level=None)
db.execute("begin immediate")
open("held", "w").close()
time.sleep(30)
"""
LOCK = f"{PYTHON} -c '{HOLD}' & until [ -e held ]; do sleep 0.1; done; run; wait; run; told"


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Future[list[str]]]]:
    """Begin with what is done to all disks, some at a time, since most of it is waiting; gives what each will print."""
    scripts = {
        "lock": LOCK,
        **{name: f"{fault}\nrun\n{undo}\nrun\ntold\n" for name, (fault, undo, *_) in FAULTS.items()},
    }
    with ThreadPoolExecutor(3) as pool:
        yield {
            name: pool.submit(in_a_namespace, script, tmp_path_factory.mktemp("disk"))
            for name, script in scripts.items()
        }


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_run_says_what_is_wrong_with_the_disk_and_goes_on_when_it_is_over(
    disks: Mapping[str, Future[list[str]]], name: str
) -> None:
    *_, said, recorded = FAULTS[name]
    first, exit_first, sentence, exit_fault, after_it, exit_after, *told = disks[name].result()

    assert (first, exit_first) == ("2 answers recorded", "exit 0")
    assert sentence.removeprefix("uplog: ").startswith(said)
    assert exit_fault == ("exit 0" if "recorded" in said else "exit 1")
    assert (after_it, exit_after) == ("2 answers recorded", "exit 0")
    assert told == [f"{recorded} {recorded} {recorded}", "0", "ok"]


@pytest.mark.integration
@pytest.mark.slow
def test_a_lock_of_half_a_minute_costs_a_run_nothing_but_its_exit_code(
    disks: Mapping[str, Future[list[str]]],
) -> None:
    *_, sentence, exit_locked, after_it, exit_after, rows_, down, integrity = disks["lock"].result()

    assert sentence == "uplog: data/uplog.db: locked by another program for too long" + KEPT
    assert (exit_locked, after_it, exit_after) == ("exit 1", "2 answers recorded", "exit 0")
    assert (rows_, down, integrity) == ("6 6 6", "0", "ok")


def test_a_lock_file_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "uplog.db.lock").mkdir()

    with pytest.raises(CouldNot, match="cannot be made or locked"), asking(tmp_path / "uplog.db"):
        pass
