"""A year of one-minute history of 100 services: what uplog says of it are the figures in tests/expected/year."""

import json
import re
import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import oracle
import pytest
import year
from helpers import a_check
from year import MINUTE, NOW, SLOTS, START, ZONE, Asked, Script

from uplog.collector.catalog import Entry
from uplog.collector.model import Check, Role, State, Target, from_ms
from uplog.collector.store import Store, catalog, derive, record, upkeep
from uplog.collector.store.codes import STATE_CODE
from uplog.collector.store.read import history_at
from uplog.collector.store.views import query
from uplog.site.render import overview
from uplog.site.view import page

pytestmark = [pytest.mark.unit, pytest.mark.slow]

SUMS = ("up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s", "maintenance_down_s", "incidents")
SAID = {"+": (0, None), "!": (1, "slow"), "-": (2, "timeout"), "?": (3, "monitor_offline")}

# days by minutes, for half a million steps of a recursion take as long as writing the rows
ROWS = """
with recursive
    day(begin) as (values (:first) union all select begin + 1440 from day where begin + 1440 < :until),
    minute(offset) as (values (0) union all select offset + 1 from minute where offset < 1439),
    slot(i, sign) as (
        select begin + offset, substr(:signs, begin + offset + 1, 1)
        from day cross join minute where begin + offset < :until
    )
insert into _observation
select :series, :start_ms + i * 60000 + 7000 + i * 7919 % :jitter, 40 + i * :factor % 211 + 900 * (i % 25 = 0),
    case sign when x'2b' then :pass when x'21' then :warn when x'2d' then :fail else :unknown end
from slot where sign <> x'20'
"""


def checks_of(script: Script) -> list[Check]:
    """Return the checks of a service."""
    return [
        a_check(
            key=f"config//{script.slug}/http/{place}",
            service=f"config//{script.slug}",
            name=str(place),
            role=Role(asked.role),
            failure_threshold=script.failure_threshold,
            success_threshold=script.success_threshold,
        )
        for place, asked in enumerate(script.checks)
    ]


def declare(store: Store, scripts: list[Script], now_ms: int) -> None:
    """Let the configuration name these services."""
    config = frozenset({"config"})
    entries = [
        Entry(
            key=f"config//{script.slug}",
            targets=[Target(source="config", ref="uplog.toml:1", name=script.slug, checks=tuple(checks_of(script)))],
            checks=checks_of(script),
        )
        for script in scripts
    ]
    with store.writing() as db:
        catalog.sync(db, entries, from_ms(now_ms), configured=config, succeeded=config, silent=frozenset(), public=True)


def observe(db: sqlite3.Connection, script: Script, first: int, until: int) -> None:
    """Write what was observed in these slots into the gathered rows, and step through it."""
    numbers = numbers_of(db)
    write = amend if is_plain(script) else insert
    for place, asked in enumerate(script.checks):
        check = db.execute("select id from _check where key = ?", (f"config//{script.slug}/http/{place}",)).fetchone()[
            0
        ]
        for begin, end, step in eras(asked, first, until):
            write(db, record.series_of(db, check, step * MINUTE), script, bytes(asked.signs[:end]), begin, numbers)
        upkeep.replay(db, check)


def numbers_of(db: sqlite3.Connection) -> dict[str, int]:
    """Return the number of what each sign says."""
    said = record.Said(db)
    return {sign: said.number(outcome, None, reason, 1) for sign, (outcome, reason) in SAID.items()}


def insert(
    db: sqlite3.Connection, series: int, script: Script, signs: bytes, first: int, numbers: dict[str, int]
) -> None:
    """Write what was observed from the slot *first* on."""
    db.execute(
        ROWS,
        {
            "series": series,
            "first": first,
            "until": len(signs),
            "start_ms": START * 1000,
            "jitter": script.jitter,
            "factor": script.number + 3,
            "signs": signs,
            "pass": numbers["+"],
            "warn": numbers["!"],
            "fail": numbers["-"],
            "unknown": numbers["?"],
        },
    )


def amend(
    db: sqlite3.Connection, series: int, script: Script, signs: bytes, first: int, numbers: dict[str, int]
) -> None:
    """Write what was observed otherwise than in the year of `passing`, from the slot *first* on."""
    assert (series, first, len(signs)) == (script.number + 1, 0, SLOTS)
    for run in re.finditer(rb"([^+])\1*", signs):
        rows = (series, script.at(run.start()), script.at(run.end() - 1))
        if run[1] == b" ":
            db.execute("delete from _observation where series = ? and at_ms between ? and ?", rows)
        else:
            db.execute(
                "update _observation set said = ? where series = ? and at_ms between ? and ?",
                (numbers[run[1].decode()], *rows),
            )


def is_plain(script: Script) -> bool:
    """Whether a service is asked as in the year of `passing`: one check, every minute, all year."""
    (check, *others) = script.checks
    return not (others or script.away) and (check.slower_from, script.jitter) == (SLOTS, Script.jitter)


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a year of passes of each series of five plain checks: most kinds of trouble change little of it."""
    path = tmp_path_factory.mktemp("passing") / "uplog.db"
    with Store(path, zone=ZONE) as store, store.writing() as db:
        numbers = numbers_of(db)
        for script in year.scripts("healthy"):
            insert(db, script.number + 1, script, bytes(script.checks[0].signs), 0, numbers)
    return path


def eras(asked: Asked, first: int, until: int) -> list[tuple[int, int, int]]:
    """Return the slots in which a check was asked every minute, and every five: first, until, step."""
    found = [(first, min(until, asked.slower_from), 1), (max(first, asked.slower_from), until, 5)]
    return [era for era in found if era[0] < era[1]]


def live(store: Store, scripts: list[Script]) -> None:
    """Let the services live through their year."""
    declare(store, scripts, START * 1000)
    with store.writing() as db:
        for script in scripts:
            observe(db, script, 0, script.away[1] if script.away else SLOTS)
    for script in scripts:
        if script.away:
            declare(store, [other for other in scripts if other is not script], script.away[0])
            declare(store, scripts, script.at(script.away[1]))
            with store.writing() as db:
                observe(db, script, script.away[1], SLOTS)
    with store.writing() as db:
        for script in scripts:
            lay_over(db, script)
        follow(db, scripts)
        days = [row[1:] for row in db.execute("select day, started_s, ended_s from _day") if row[0] in year.DAYS]
        for started_s, ended_s in days:
            upkeep.keep_latency(db, started_s, ended_s)


def follow(db: sqlite3.Connection, scripts: list[Script]) -> None:
    """Derive what follows from the flips."""
    record.follow(db, {service_of(db, script): 0 for script in scripts}, ZONE)


def lay_over(db: sqlite3.Connection, script: Script) -> None:
    """Write corrections and maintenance."""
    service = service_of(db, script)
    db.executemany(
        """
        insert into _correction (service_id, started_s, ended_s, state, who, why, made_ms)
        values (?, ?, ?, ?, 'ann', 'because', 0)
        """,
        [(service, START + begin, START + end, STATE_CODE[State(state)]) for begin, end, state in script.corrections],
    )
    db.executemany(
        "insert into _maintenance (service_id, started_s, ended_s, text) values (?, ?, ?, 'at night')",
        [(service, START + begin, START + end) for begin, end in script.windows],
    )
    derive.derive(db, [(service, START)])


def service_of(db: sqlite3.Connection, script: Script) -> int:
    """Return the number of a service."""
    found: int = db.execute("select id from _service where key = ?", (f"config//{script.slug}",)).fetchone()[0]
    return found


def asked(db: sqlite3.Connection, view: str, key: str) -> list[dict[str, Any]]:
    """Ask a view as of the end of the year."""
    cursor = db.execute(f"select * from ({query(view, str(NOW))}) where service = ?", (key,))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def in_sql(db: sqlite3.Connection, script: Script) -> dict[str, Any]:
    """Return the figures of a service as the views have them."""
    rows = {
        view: asked(db, view, f"config//{script.slug}")
        for view in ("uptime", "uptime_monthly", "incidents", "latency_daily")
    }
    told = sorted(rows["incidents"], key=lambda one: one["started_s"])
    return {
        "periods": {one["period"]: [one[name] for name in SUMS] for one in rows["uptime"]},
        "months": {one["month"]: [one[name] for name in SUMS] for one in rows["uptime_monthly"]},
        "incidents": {
            "all": [len(told), sum(one["seconds"] for one in told), *(one["id"] for one in told[:1] + told[-1:])]
        },
        "latency": {
            one["day"]: [one[name] for name in ("observations", "p50_ms", "p95_ms")] for one in rows["latency_daily"]
        },
    }


@pytest.mark.parametrize("kind", year.KINDS)
def test_a_year_of_trouble_has_the_figures_that_its_script_says(kind: str, passing: Path, tmp_path: Path) -> None:
    expected = json.loads((year.EXPECTED / f"{kind}.json").read_text())
    scripts = list(year.scripts(kind))
    if all(map(is_plain, scripts)):
        shutil.copy(passing, tmp_path)
    with Store(tmp_path / "uplog.db", zone=ZONE) as store:
        live(store, scripts)
        with store.reading() as db:
            found = {script.slug: in_sql(db, script) for script in scripts}
            read = history_at(db, datetime.fromtimestamp(NOW, UTC))
    status = json.loads(overview(page(read, zone=ZONE, audience="public"))["status.json"])

    for script in scripts:
        assert found[script.slug] == expected[script.slug] == year.figures(script)
    for one in status["services"]:
        assert {
            "periods": {period: [sums[name] for name in SUMS] for period, sums in one["uptime"].items()},
            "months": {sums["month"]: [sums[name] for name in SUMS] for sums in one["months"]},
        } == {name: expected[one["key"]][name] for name in ("periods", "months")}


HOURS = 8  # of the year that the oracle looks at, second by second
LETTER = {"up": "u", "degraded": "g", "down": "d", "unknown": "n"}


def looked_at(script: Script, which: str) -> range:
    """Return the slots from an hour before the first or the last trouble on, the first of them observed."""
    trouble = re.search(rb"[^u ]", script.seconds)
    found = trouble.start() if trouble else 0
    if which == "last":
        found = script.seconds.rfind(b"u", 0, len(script.seconds.rstrip(b"u "))) + 1
    first = max(found // 60 - 60, 0)
    while script.checks[0].signs[first] == ord(" "):
        first += 1
    return range(first, min(first + HOURS * 60, SLOTS))


def rows_of(script: Script, asked: Asked, slots: range) -> list[oracle.Row]:
    """Return what was observed in these slots."""
    return [
        oracle.Row(
            at=script.at(slot),
            every=MINUTE if slot < asked.slower_from else 5 * MINUTE,
            outcome=("pass", "warn", "fail", "unknown")[SAID[chr(asked.signs[slot])][0]],
            reason=SAID[chr(asked.signs[slot])][1],
        )
        for slot in slots
        if asked.signs[slot] != ord(" ")
    ]


@pytest.mark.parametrize("kind", year.KINDS)
def test_the_oracle_says_of_some_hours_what_the_script_does(kind: str) -> None:
    script = year.script(kind, 1)
    for which in ("first", "last"):
        slots = looked_at(script, which)
        assert (
            seen_by_the_oracle(script, slots)
            == script.seconds[script.second(slots[0]) : script.second(slots[-1])].decode()
        )


def seen_by_the_oracle(script: Script, slots: range) -> str:
    """Write a letter for each second from the first of these slots to the last."""
    now = script.at(slots[-1]) // 1000
    service = oracle.Service(
        checks=[
            oracle.Check(
                role=asked.role,
                failure_threshold=script.failure_threshold,
                success_threshold=script.success_threshold,
                grace=0,
                declared_every=MINUTE,
                rows=rows_of(script, asked, slots),
                ends=[script.away[0]] if script.away else [],
            )
            for asked in script.checks
        ],
        corrections=[(START + begin, START + end, state) for begin, end, state in script.corrections],
        windows=[(START + begin, START + end) for begin, end in script.windows if begin < slots[-1] * 60],
    )
    told = oracle.seconds(service, now)
    return "".join(
        " " if one is None else LETTER[one.state].upper() if one.maintenance else LETTER[one.state]
        for one in (told.get(second) for second in range(script.at(slots[0]) // 1000, now))
    )
