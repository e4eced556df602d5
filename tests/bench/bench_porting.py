"""How fast history comes in and goes out, beside what SQLite alone takes for as many rows.

    python tests/bench/bench_porting.py [rows]

Writes a CSV file of 20 services (1,000,000 rows), imports it into an empty record, exports that in both formats, and
reads the heartbeats of an Uptime Kuma database of as many rows. The references: inserting the same rows with
executemany into one plain table, and selecting them from it.
"""

import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from uplog.collector import exporting
from uplog.collector.bring import bring
from uplog.collector.config import parse
from uplog.collector.importing import FORMATS
from uplog.collector.model import from_ms
from uplog.collector.porting import pour, written
from uplog.collector.store import Store, exported
from uplog.collector.store.staged import Staged

SERVICES = 20
FIRST_MS = 1_760_000_000_000
NOW = datetime(2025, 12, 31, tzinfo=UTC)  # a little after the newest row of a million


def drawn(rows: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield service, moment in ms, state (one in 500 is down) and latency."""
    for place in range(rows):
        service, minute = divmod(place, rows // SERVICES)
        yield service, FIRST_MS + 60_000 * minute + service, int(minute % 500 > 2), 20 + place % 180


def seconds(work: Callable[[], object]) -> float:
    """Return the processor seconds of *work*: others may be at work on the same machine."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def plain(path: Path, rows: int) -> tuple[float, float]:
    """Insert and select with SQLite alone."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("create table t (service, at_ms, up, took, primary key (service, at_ms)) without rowid")

        def insert() -> None:
            with db:
                db.executemany("insert into t values (?, ?, ?, ?)", drawn(rows))

        return seconds(insert), seconds(lambda: sum(1 for _ in db.execute("select * from t")))


def kuma(path: Path, rows: int) -> None:
    """Write the heartbeats of an Uptime Kuma."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("create table monitor (id integer primary key, name, type, interval, maxretries)")
        db.execute("create table heartbeat (id integer primary key, monitor_id, status, time, ping, msg)")
        db.execute("create index monitor_time_index on heartbeat (monitor_id, time)")
        db.executemany("insert into monitor values (?, ?, 'http', 60, 0)", [(n, f"s{n}") for n in range(SERVICES)])
        db.executemany(
            "insert into heartbeat (monitor_id, status, time, ping, msg) values (?, ?, ?, ?, '200 - OK')",
            ((n, up, f"{from_ms(at):%Y-%m-%d %H:%M:%S}.000", took) for n, at, up, took in drawn(rows)),
        )


def table(path: Path, rows: int) -> None:
    """Write a CSV file."""
    with path.open("w") as file:
        file.write("service,at,state,latency_ms\n")
        file.writelines(
            f"s{service},{from_ms(at).isoformat()},{'up' if up else 'down'},{took}\n"
            for service, at, up, took in drawn(rows)
        )


def brought(folder: Path, source: Path, form: str) -> dict[str, float]:
    """Import *source* into an empty record; return the seconds of reading and of recording."""
    with Store(folder / f"from-{form}.db") as store, Staged(NOW) as staged:
        reading = seconds(lambda: staged.take(FORMATS[form].read(source, NOW)))
        recording = seconds(lambda: bring(parse({}, folder=folder), store, staged, NOW))
    return {"read": reading, "record": recording}


def sent(folder: Path, form: str) -> float:
    """Export the record that was made of the table; return the seconds."""
    frame: exporting.Framing = exporting.json_frame if form == "json" else exporting.csv_frame
    with Store(folder / "from-csv.db", readonly=True) as store, store.reading() as db, written(folder / "out") as file:
        services = exported.chosen(db, ())
        lines = exporting.lines(exported.rows(db, services, None, None), exported.kinds(db, services), frame)
        return seconds(lambda: pour(lines, file.write))


def measure(rows: int) -> dict[str, object]:
    """Measure all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table(folder / "old.csv", rows)
        kuma(folder / "kuma.db", rows)
        insert, select = plain(folder / "plain.db", rows)
        found = {form: brought(folder, folder / file, form) for form, file in (("csv", "old.csv"), ("kuma", "kuma.db"))}
        out = {form: sent(folder, form) for form in ("csv", "json")}
    return {
        "rows": rows,
        "sqlite_insert_per_s": round(rows / insert),
        "sqlite_select_per_s": round(rows / select),
        "import_per_s": {form: round(rows / sum(took.values())) for form, took in found.items()},
        "import_read_share": {form: round(took["read"] / sum(took.values()), 2) for form, took in found.items()},
        "import_times_insert": {form: round(sum(took.values()) / insert, 1) for form, took in found.items()},
        "export_per_s": {form: round(rows / took) for form, took in out.items()},
        "export_times_select": {form: round(took / select, 1) for form, took in out.items()},
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000), indent=2))
