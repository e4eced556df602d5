"""Corrections: what a person knows better is laid over the past, honoured everywhere, undone, and touches no row."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import T0, a_check, at, saw
from hypothesis import given, settings
from hypothesis import strategies as st
from test_accounting import START, checks, dump, make, stored

from uplog.collector import history
from uplog.collector.catalog import Entry
from uplog.collector.cli import cli
from uplog.collector.model import Check, Correction, Observation, Role, State, Target
from uplog.collector.store import Store, catalog, corrections, record, upkeep
from uplog.collector.store.read import history_at

pytestmark = pytest.mark.unit

ROWS = ("_observation", "_observation_open", "_flip", "_standing", "_raw", "_end")
Uplog = Callable[..., Result]


@pytest.fixture
def uplog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uplog:
    """Run a command on a record of one service: up, down from minute 30 to 45, up again, last asked at minute 59."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("uplog.collector.operating.clock", lambda: at(60))
    with Store(tmp_path / "data" / "uplog.db") as store:
        record_all(store, [(a_check(), list(saw("+" * 30 + "-" * 15 + "+" * 15)))])

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == code, result.output
        return result

    return run


def record_all(store: Store, made: list[tuple[Check, list[Observation]]]) -> None:
    """Record a service called web with these checks and their answers."""
    target = Target(source="config", ref="uplog.toml:1", name="web", checks=tuple(check for check, _ in made))
    entry = Entry(key="config//web", targets=[target], checks=[check for check, _ in made])
    everyone = frozenset({"config"})
    with store.writing() as db:
        catalog.sync(db, [entry], T0, configured=everyone, succeeded=everyone, silent=frozenset(), public=True)
        seen = [record.Seen(check=check, observation=one) for check, rows in made for one in rows]
        record.observed(db, sorted(seen, key=lambda one: one.observation.at), store.zone)


def ask(question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect("data/uplog.db")) as db:
        return db.execute(question).fetchall()


def rows_of(tables: tuple[str, ...]) -> dict[str, list[tuple[object, ...]]]:
    return {table: ask(f"select * from {table}") for table in tables}


DOWN = ("--from", "2026-11-01T00:30:00Z", "--to", "2026-11-01T00:45:00Z")


def test_a_correction_changes_what_follows_from_the_rows_and_no_row(uplog: Uplog) -> None:
    before = rows_of(ROWS)

    said = uplog("correct", "web", *DOWN, "--as", "unknown", "--why", "our switch", "--who", "ada").output

    assert "correction 1: web was unknown from 2026-11-01 00:30:00 to 2026-11-01 00:45:00 UTC; uptime" in said
    assert said.endswith("75.000% -> 100%\n")
    assert rows_of(ROWS) == before
    assert ask("select state, started_s - 1793491200, ended_s - 1793491200 from _span order by started_s")[:3] == [
        (0, 0, 1_800),
        (1, 1_800, 2_700),
        (0, 2_700, None),
    ]
    assert ask("select count(*) from _incident") == [(0,)]
    assert ask("select kind, detail from events where kind = 'correct'") == [
        (
            "correct",
            "correction 1: web was unknown from 2026-11-01 00:30:00 to 2026-11-01 00:45:00 UTC, says ada: our switch",
        )
    ]


def test_what_is_undone_is_as_it_was_and_both_stay_on_record(uplog: Uplog) -> None:
    derived = ("_span", "_incident", "_uptime_day")
    before = rows_of(derived)
    uplog("correct", "web", *DOWN, "--as", "up", "--why", "it was we", "--who", "ada")

    said = uplog("correct", "--undo", "1", "--who", "bob").output

    assert said.startswith("correction 1 of web is undone; uptime of the last 90 days 100% -> 75.000%")
    assert rows_of(derived) == before
    assert ask("select id, who, why, undone_ms is not null from _correction") == [(1, "ada", "it was we", 1)]
    assert [detail for (detail,) in ask("select detail from events where kind = 'correct'")][1:] == [
        "correction 1 of web is undone, says bob"
    ]


def test_up_may_be_corrected_to_down(uplog: Uplog) -> None:
    uplog("correct", "web", "--from", "2026-11-01T00:10", "--to", "2026-11-01T00:15", "--as", "down", "--why", "seen")

    assert ask("select started_s - 1793491200, ended_s - 1793491200, reason from _incident order by started_s") == [
        (600, 900, None),
        (1_800, 2_700, "timeout"),
    ]


def test_the_login_name_says_who(uplog: Uplog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    uplog("correct", "web", *DOWN, "--as", "up", "--why", "x")

    (kept,) = json.loads(uplog("correct", "--list", "--json").output)

    assert {name: kept[name] for name in ("id", "service", "state", "why", "who", "undone")} == {
        "id": 1,
        "service": "config//web",
        "state": "up",
        "why": "x",
        "who": "grace",
        "undone": None,
    }


def test_the_list_names_each_correction_and_what_was_undone(uplog: Uplog) -> None:
    assert uplog("correct", "--list").output == "nothing was corrected\n"

    uplog("correct", "web", *DOWN, "--as", "up", "--why", "x", "--who", "ada")
    uplog("correct", "--undo", "1")
    uplog("correct", "web", *DOWN, "--as", "unknown", "--why", "y", "--who", "bob")
    first, second = uplog("correct", "--list", "web").output.splitlines()

    assert first.startswith("1  web  up  2026-11-01 00:30:00 to 2026-11-01 00:45:00")
    assert "x  (ada, " in first
    assert "(undone " in first
    assert "unknown" in second
    assert "undone" not in second


@pytest.mark.parametrize(
    ("name", "start", "end", "why", "sentence"),
    [
        ("web", "2026-11-01T00:45", "2026-11-01T00:30", "x", "ends at 2026-11-01 00:30:00 UTC, which is not after"),
        ("web", "2026-11-01T00:45", "2026-11-01T00:45:00.9", "x", "not after its start, 2026-11-01 00:45:00 UTC"),
        ("web", "2026-11-01T00:30", "2026-11-01T01:01", "x", "is still to come: only what was is corrected"),
        ("web", "2026-11-01T00:30", "2026-11-01T00:45", " ", "a correction needs a reason: say it with --why"),
        ("wbe", "2026-11-01T00:30", "2026-11-01T00:45", "x", "wbe: there is no such service; did you mean web?"),
        ("web", "2026-10-31T20:00", "2026-10-31T21:00", "x", "web was not watched from 2026-10-31 20:00:00 to"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence_and_not_kept(
    uplog: Uplog, name: str, start: str, end: str, why: str, sentence: str
) -> None:
    said = uplog("correct", name, "--from", start, "--to", end, "--as", "up", "--why", why, code=1).output

    assert sentence in said
    assert ask("select count(*) from _correction") == [(0,)]


def test_undoing_what_is_not_there_or_undone_already_is_said(uplog: Uplog) -> None:
    uplog("correct", "web", *DOWN, "--as", "up", "--why", "x")
    uplog("correct", "--undo", "1")

    assert (
        "correction 1 of web was undone already, on 2026-11-01 01:00:00"
        in uplog("correct", "--undo", "1", code=1).output
    )
    assert "7: there is no such correction; `uplog correct --list`" in uplog("correct", "--undo", "7", code=1).output


@pytest.mark.parametrize("arguments", [(), ("web",), ("web", *DOWN), ("web", *DOWN, "--as", "up")])
def test_a_correction_that_lacks_something_is_a_wrong_call(uplog: Uplog, arguments: tuple[str, ...]) -> None:
    assert "a correction takes NAME, --from, --to, --as and --why" in uplog("correct", *arguments, code=2).output


def test_a_correction_shows_on_the_page_its_words_only_inside(uplog: Uplog) -> None:
    uplog("correct", "web", *DOWN, "--as", "unknown", "--why", "switch <b>4</b>", "--who", "ada")

    uplog("build", "--now", "2026-11-01T00:59:30Z")

    public, internal = (Path(folder, "service/web.html").read_text() for folder in ("public", "data/internal"))
    status = json.loads(Path("data/internal/status.json").read_text())["services"][0]
    assert "counted as not known" in public
    assert b"switch" not in b"".join(path.read_bytes() for path in Path("public").rglob("*.*"))
    assert "counted as not known: switch &lt;b&gt;4&lt;/b&gt;" in internal
    assert [(one["state"], one["why"]) for one in status["corrections"]] == [("unknown", "switch <b>4</b>")]
    assert status["uptime"]["24h"]["uptime_pct"] == "100"


def test_a_correction_of_a_silent_end_is_honoured(uplog: Uplog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uplog.collector.operating.clock", lambda: at(120))
    uplog("correct", "web", "--from", "2026-11-01T01:10", "--to", "2026-11-01T01:20", "--as", "up", "--why", "seen")

    with Store(Path("data/uplog.db"), readonly=True) as store, store.reading() as db:
        (web,) = history_at(db, at(120)).services

    assert [(span.state, span.start) for span in web.spans][-3:] == [
        (State.UNKNOWN, at(60)),
        (State.UP, at(70)),
        (State.UNKNOWN, at(80)),
    ]


def test_corrections_survive_a_rebuild_of_answers_by_several_checks(tmp_path: Path) -> None:
    """The reason of what follows a correction is the same whether all or only the end is derived."""
    first, second = a_check(key="a", failure_threshold=1), a_check(key="b", name="b", failure_threshold=1)
    with Store(tmp_path / "uplog.db") as store:
        record_all(store, [(first, list(saw("+---+---+++"))), (second, list(saw("++--------+")))])
        said = Correction(start=at(4), end=at(5.5), state=State.UP, why="x")
        with store.writing() as db:
            corrections.correct(db, "web", said, "ada", at(20), store.zone)
        with store.writing() as db:
            record.observed(
                db,
                [record.Seen(check=first, observation=one) for one in saw("-+", first, at(11))],
                store.zone,
            )
        before = dump(store)
        with store.writing() as db:
            upkeep.rebuild(db, store.zone)

        assert dump(store) == before


stretches = st.lists(
    st.tuples(st.integers(0, 30_000), st.integers(1, 4_000), st.sampled_from([State.UP, State.UNKNOWN, State.DOWN])),
    min_size=1,
    max_size=4,
)


@settings(max_examples=10)
@given(spec=checks, said=stretches, undone=st.integers(0, 4), share=st.integers(1, 100))
def test_whenever_it_is_said_a_correction_gives_what_a_rebuild_gives(
    tmp_path_factory: pytest.TempPathFactory,
    spec: list[tuple[int, int, int, Role, list[tuple[str, int, int]]]],
    said: list[tuple[int, int, State]],
    undone: int,
    share: int,
) -> None:
    """A part of the rows, then corrections, then the other rows: as if all had been there at once."""
    made = make(spec)
    path = tmp_path_factory.mktemp("db") / "uplog.db"
    with Store(path) as store:
        newest = max(one.at for _, rows in made for one in rows)
        middle = START + (newest - START) * share / 100
        early = [(check, [one for one in rows if one.at <= middle] or rows[:1]) for check, rows in made]
        stored(store, early)
        plain = dump(store)
        for begin, long, state in said:
            start = START + timedelta(minutes=begin % max(1, (middle - START) // timedelta(minutes=1)))
            one = Correction(start=start, end=start + timedelta(minutes=long), state=state, why="x")
            with store.writing() as db:
                lived = history.account(corrections.spans_at(db, 1, one.end), one.start, one.end)
                if lived != history.Account():
                    corrections.correct(db, "web", one, "ada", max(newest, one.end), store.zone)
        with store.writing() as db:
            kept = [one.id for one in corrections.listed(db)]
            for number in kept[:undone]:
                corrections.undo(db, number, "bob", newest, store.zone)
        if undone >= len(kept):
            assert dump(store) == plain
        rest = [
            record.Seen(check=check, observation=one)
            for (check, rows), (_, had) in zip(made, early, strict=True)
            for one in rows[len(had) :]
        ]
        with store.writing() as db:
            record.observed(db, sorted(rest, key=lambda one: one.observation.at), store.zone)
        before = dump(store)
        with store.writing() as db:
            upkeep.rebuild(db, store.zone)

        assert [line for line in dump(store).splitlines() if not line.startswith("_latency")] == [
            line for line in before.splitlines() if not line.startswith("_latency")
        ]
