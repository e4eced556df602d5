"""The history that Gatus kept."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_kuma import spans

from uplog.collector.importing import FORMATS
from uplog.collector.importing.past import Past, Skipped

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T0 = datetime(2026, 11, 1, tzinfo=UTC)
SCHEMA = """
create table endpoints (
    endpoint_id integer primary key, endpoint_key text unique, endpoint_name text, endpoint_group text,
    unique (endpoint_name, endpoint_group));
create table endpoint_events (
    endpoint_event_id integer primary key, endpoint_id integer, event_type text, event_timestamp timestamp);
create table endpoint_results (
    endpoint_result_id integer primary key, endpoint_id integer, success integer, errors text, connected integer,
    status integer, dns_rcode text, certificate_expiration integer, domain_expiration integer, hostname text,
    ip text, duration integer, timestamp timestamp);
create table endpoint_uptimes (
    endpoint_uptime_id integer primary key, endpoint_id integer, hour_unix_timestamp integer,
    total_executions integer, successful_executions integer, total_response_time integer,
    unique (endpoint_id, hour_unix_timestamp));
"""


def gatus(path: Path, pattern: str, *statements: str) -> Path:
    """Write a database of one endpoint that is asked every five minutes, a sign each time."""
    with closing(sqlite3.connect(path / "data.db")) as db, db:
        db.executescript(SCHEMA)
        db.execute("insert into endpoints values (1, 'core_web', 'web', 'core')")
        db.executemany(
            """
            insert into endpoint_results (endpoint_id, success, errors, status, duration, timestamp)
            values (1, ?, ?, ?, 45678901, ?)
            """,
            [
                (
                    sign == "+",
                    "" if sign == "+" else 'Get "https://x": dial tcp: connection refused|~|and more',
                    200 if sign == "+" else 0,
                    f"{T0 + timedelta(minutes=5 * place):%Y-%m-%d %H:%M:%S}.123456789 +0000 UTC",
                )
                for place, sign in enumerate(pattern)
                if sign != " "
            ],
        )
        for statement in statements:
            db.execute(statement)
    return path / "data.db"


def test_every_result_is_a_verdict_and_the_interval_is_the_usual_one(tmp_path: Path) -> None:
    found = spans(tmp_path, gatus(tmp_path, "+++-++    ++"))

    assert found == [
        ("up", 900, None, 0),
        ("down", 300, "refused", 0),
        ("up", 600, None, 0),
        ("unknown", 1200, "no_sample", 0),
        ("up", 600, None, 0),
    ]


def test_a_result_has_its_status_and_its_latency(tmp_path: Path) -> None:
    rows = [row for row in FORMATS["gatus"].read(gatus(tmp_path, "+"), NOW) if isinstance(row, Past)]

    assert [(row.service, row.took, row.code, row.at.microsecond) for row in rows] == [("web", 46, 200, 123456)]


def test_no_observation_is_made_of_sums_and_a_wrong_row_is_named(tmp_path: Path) -> None:
    source = gatus(
        tmp_path,
        "++",
        "insert into endpoint_uptimes values (1, 1, 1790000000, 12, 11, 500)",
        "insert into endpoint_results (endpoint_id, success, timestamp) values (1, 1, 'noon'), (5, 1, '2026-11-01')",
    )

    found = [row for row in FORMATS["gatus"].read(source, NOW) if isinstance(row, Skipped)]
    assert [(row.service, row.where, row.rows) for row in found] == [
        ("web", "endpoint_results:3", 1),
        ("endpoint 5", "endpoint_results", 1),
        ("web", "endpoint_uptimes", 1),
    ]
