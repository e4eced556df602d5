"""Datasette over a real record, as `uplog up` starts it."""

import asyncio
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from helpers import T0, a_check, at, free_port, saw

from uplog.collector import catalog, datasette
from uplog.collector.model import Observation, Target
from uplog.collector.store import Store
from uplog.collector.store import catalog as stored_catalog
from uplog.collector.store.described import DOCS
from uplog.collector.store.record import Seen, observed

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parent.parent
CHECK = "config//web/http/"
AS_OF = {"now": "2026-11-01T00:05:00Z", "service": "config//web"}


@dataclass
class Served:
    """A record and the address at which Datasette serves it."""

    store: Store
    url: str

    def get(self, path: str, host: str = "127.0.0.1", **parameters: str) -> tuple[int, str]:
        query = f"?{urlencode(parameters)}" if parameters else ""
        request = urllib.request.Request(self.url + path + query, headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def rows(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        status, body = self.get(f"{path}.json", **parameters, _shape="array")
        assert status == 200, body
        return json.loads(body)  # type: ignore[no-any-return]

    def sql(self, text: str) -> tuple[int, dict[str, Any]]:
        status, body = self.get("/uplog.json", sql=text, _shape="objects")
        return status, json.loads(body)

    def record(self, *observations: Observation) -> None:
        check = a_check(key=CHECK)
        with self.store.writing() as db:
            observed(db, [Seen(check=check, observation=one) for one in observations], UTC)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve five minutes of one service: up, three failures, up."""
    database, port = tmp_path_factory.mktemp("served") / "uplog.db", free_port()
    with Store(database) as store:
        served = Served(store, f"http://127.0.0.1:{port}")
        with store.writing() as db:
            entries = catalog.merge([Target(source="config", ref="uplog.toml:1", name="web", checks=(a_check(),))], {})
            stored_catalog.sync(
                db,
                entries,
                T0,
                configured=frozenset({"config"}),
                succeeded=frozenset({"config"}),
                silent=frozenset(),
                public=True,
            )
        served.record(*saw("+---+"))
        command = datasette.command(database, port, datasette.prepare(database))
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        try:
            assert any("Uvicorn running" in line for line in process.stdout)
            yield served
        finally:
            process.terminate()
            process.communicate(timeout=60)


def test_deploy_datasette_is_what_the_code_says() -> None:
    folder = ROOT / "deploy" / "datasette"
    renew = "renew with: python -m uplog.collector.datasette --write deploy/datasette"
    assert (folder / "metadata.json").read_text() == datasette.text(datasette.metadata()), renew
    assert (folder / "settings.json").read_text() == datasette.text(datasette.SETTINGS), renew


def test_every_view_and_column_is_described(served: Served) -> None:
    tables = datasette.metadata()["databases"]["uplog"]["tables"]
    with served.store.reading() as db:
        views = [name for (name,) in db.execute("select name from sqlite_schema where type = 'view'")]
        columns = {view: [row[1] for row in db.execute(f"pragma table_info([{view}])")] for view in views}
    bare = [f"{view}.{column}" for view in views for column in columns[view] if not tables[view]["columns"].get(column)]

    assert bare == []
    assert sorted({*tables} - {"_"}) == sorted(views)


def test_every_view_shows_its_description(served: Served) -> None:
    for view, (description, _) in DOCS.items():
        status, page = served.get(f"/uplog/{view}")
        assert (status, description in page.replace("&#39;", "'")) == (200, True), view


def test_only_views_are_listed(served: Served) -> None:
    _, body = served.get("/uplog.json")
    listed = json.loads(body)
    assert {table["hidden"] for table in listed["tables"]} == {True}
    assert {view["name"] for view in listed["views"]} == {*DOCS}


@pytest.mark.parametrize("name", datasette.queries())
def test_every_canned_query_answers(served: Served, name: str) -> None:
    status, page = served.get(f"/uplog/{name}")
    assert (status, 'class="message-error"' in page) == (200, False)


def test_uptime_can_be_asked_as_of_a_moment(served: Served) -> None:
    rows = served.rows("/uplog/uptime_as_of", **AS_OF)

    assert [
        (row["period"], row["up_s"], row["down_s"], row["uptime_pct"]) for row in rows if row["period"] == "24h"
    ] == [("24h", 120, 180, 40.0)]


def test_uptime_can_be_asked_of_any_window(served: Served) -> None:
    window = {"from": "2026-11-01T00:01:30Z", "to": "2026-11-01T00:04:10Z", "service": ""}
    rows = served.rows("/uplog/uptime_between", **window)

    assert [sum(row[name] for name in ("up_s", "degraded_s", "down_s", "unknown_s")) for row in rows] == [160]
    assert [(row["down_s"], row["incidents"]) for row in rows] == [(150, 1)]


def test_the_month_adds_its_days_up(served: Served) -> None:
    november = [row for row in served.rows("/uplog/uptime_by_month") if row["month"] == "2026-11"]
    days = served.rows("/uplog/uptime_daily")

    assert [row["down_s"] for row in november] == [sum(row["down_s"] for row in days)] == [180]


def test_incidents_come_newest_first(served: Served) -> None:
    assert [row["seconds"] for row in served.rows("/uplog/incidents_newest_first")] == [180]


def test_no_page_has_to_sort_all_observations(served: Served) -> None:
    with served.store.reading() as db:
        plan = db.execute("explain query plan select * from observations limit 101").fetchall()
    described = datasette.metadata()["databases"]["uplog"]["tables"]["observations"]

    assert "sort_desc" not in described
    assert not [line for *_, line in plan if "TEMP B-TREE" in line]


def test_the_file_cannot_be_downloaded(served: Served) -> None:
    assert served.get("/uplog.db")[0] == 403


def test_a_runaway_query_is_cut(served: Served) -> None:
    status, answer = served.sql(
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n"
    )
    assert (status, "time limit" in answer["error"]) == (400, True)


def test_a_long_answer_is_cut(served: Served) -> None:
    status, answer = served.sql(
        "with recursive n(i) as (select 1 union all select i + 1 from n limit 5000) select i from n"
    )
    assert (status, len(answer["rows"]), answer["truncated"]) == (200, 1000, True)


def test_a_new_row_is_seen_at_once(served: Served) -> None:
    before = served.rows("/uplog/observations")
    served.record(*saw("+", start=at(5)))
    after = served.rows("/uplog/observations")

    assert [row["at"] for row in after if row not in before] == ["2026-11-01T00:05:00.000Z"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8001", 200), ("localhost", 200), ("LOCALHOST:1", 200), ("[::1]:8001", 200), ("evil.example", 421)],
)
def test_only_our_own_names_are_answered(served: Served, host: str, status: int) -> None:
    assert served.get("/uplog.json", host=host)[0] == status


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Datasette leaves connections open
def test_another_datasette_in_the_same_environment_is_left_alone() -> None:
    from datasette.app import Datasette

    async def ask() -> int:
        answer = await Datasette(memory=True).client.get("/", headers={"host": "data.example"})
        return int(answer.status_code)

    assert asyncio.run(ask()) == 200


def test_the_live_file_is_never_served_as_immutable() -> None:
    command = datasette.command(Path("uplog.db"), 8001, Path("datasette.json"))
    assert not {"-i", "--immutable"} & {*command}
    assert command[command.index("--host") + 1] == "127.0.0.1"
