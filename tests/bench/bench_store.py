"""How fast observations are recorded, and how small they are.

    python tests/bench/bench_store.py [rows]

Records a million rows of 250 checks through the same `observed` as a cycle, closes and moves their days, and weighs
the file. The reference is the same number of bare rows inserted into one table of four integers.
"""

import json
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from uplog.collector.catalog import Entry
from uplog.collector.model import Check, Observation, Outcome, Target
from uplog.collector.store import Store, catalog, record, upkeep

CHECKS = 250
START = datetime(2026, 11, 1, tzinfo=UTC)


def entries(count: int) -> list[Entry]:
    """Make services with a check each."""
    made = []
    for n in range(count):
        check = Check(key=f"config//s{n}/http/", service=f"config//s{n}", kind="http", target=f"http://10.0.0.1/{n}")
        target = Target(source="config", ref="", name=f"s{n}", checks=(check,))
        made.append(Entry(key=f"config//s{n}", targets=[target], checks=[check]))
    return made


def fill(store: Store, made: list[Entry], rounds: int, start: datetime = START) -> tuple[float, float]:
    """Record *rounds* of all checks; return processor seconds of it, and the slowest round in seconds."""
    everyone = frozenset({"config"})
    with store.writing() as db:
        catalog.sync(db, made, START, configured=everyone, succeeded=everyone, silent=frozenset(), public=True)
    checks = [entry.checks[0] for entry in made]
    spent, slowest = 0.0, 0.0
    for minute in range(rounds):
        at = start + timedelta(minutes=minute)
        seen = [
            record.Seen(
                check=check,
                observation=Observation(
                    check=check.key,
                    at=at + timedelta(milliseconds=n),
                    outcome=Outcome.PASS,
                    took=20 + (n * minute) % 180,
                    code=200,
                ),
            )
            for n, check in enumerate(checks)
        ]
        begun, wall = time.process_time(), time.perf_counter()
        with store.writing() as db:
            record.observed(db, seen, UTC)
        spent += time.process_time() - begun
        slowest = max(slowest, time.perf_counter() - wall)
    return spent, slowest


def bare(path: Path, rounds: int) -> float:
    """Insert as many rows with nothing but SQLite; return processor seconds."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")
    db.execute(
        "create table t (at_ms integer, series integer, took integer, said integer, primary key (at_ms, series)) "
        "strict, without rowid"
    )
    spent = 0.0
    for minute in range(rounds):
        values = [(1_790_000_000_000 + minute * 60_000 + n, n, 20 + n % 180, 1) for n in range(CHECKS)]
        begun = time.process_time()
        db.execute("begin immediate")
        db.executemany("insert into t values (?, ?, ?, ?)", values)
        db.execute("commit")
        spent += time.process_time() - begun
    db.close()
    return spent


def measure(rows: int) -> dict[str, float]:
    """Fill a record and a bare table, and compare."""
    rounds = rows // CHECKS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "uplog.db")
        with Store(path) as store:
            empty = path.stat().st_size
            spent, slowest = fill(store, entries(CHECKS), rounds)
            begun = time.perf_counter()
            with store.writing() as db:
                upkeep.move_days(db)
            moved = time.perf_counter() - begun
            store.db.execute("pragma wal_checkpoint(truncate)")
            store.db.executescript("pragma incremental_vacuum")
            store.db.execute("pragma wal_checkpoint(truncate)")
            size = path.stat().st_size
        reference = bare(Path(folder, "bare.db"), rounds)
        with Store(Path(folder, "big.db")) as store:
            many = entries(10_000)
            fill(store, many, 3)  # until they are up, and as steady as services are
            steady, _ = fill(store, many, 5, START + timedelta(minutes=3))
    return {
        "rows": rows,
        "rows_per_processor_second": round(rows / spent),
        "bare_rows_per_processor_second": round(rows / reference),
        "bytes_per_row": round((size - empty) / rows, 1),
        "move_seconds": round(moved, 2),
        "slowest_cycle_of_250_ms": round(slowest * 1000, 1),
        "cycle_of_10000_ms": round(steady / 5 * 1000, 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)))
