"""The command line: what it says, and the exit codes."""

import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from helpers import free_port
from test_cycle import serving

from uplog.collector.cli import cli

pytestmark = pytest.mark.unit

Uplog = Callable[..., Result]


@pytest.fixture
def uplog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uplog:
    """Run a command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == code, result.output + repr(result.exception)
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def web_port() -> Iterator[int]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="fine", status=404 if request.path == "/missing" else 200)

    with serving(answer) as port:
        yield port


def configure(text: str) -> None:
    Path("uplog.toml").write_text(text)


def rows(question: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect("data/uplog.db")
    try:
        return db.execute(question).fetchall()
    finally:
        db.close()


def test_a_run_asks_records_and_builds_both_pages(uplog: Uplog, web_port: int) -> None:
    configure(f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{web_port}/"\n')

    said = uplog("run").output

    assert "1 answer recorded" in said
    assert rows("select service_name, outcome, code from observations") == [("web", "pass", 200)]
    assert rows("select trigger, planned, observed, error from runs") == [("cron", 1, 1, None)]
    assert json.loads(Path("public/status.json").read_text())["headline"]["state"] == "up"
    assert Path("data/internal/index.html").exists()


def test_building_twice_writes_nothing_the_second_time(uplog: Uplog, web_port: int) -> None:
    configure(f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{web_port}/"\n')
    uplog("run", "--no-build")
    uplog("build")
    before = {
        path: path.stat().st_mtime_ns for path in Path().rglob("*.*") if path.is_file() and "uplog.db" not in path.name
    }

    said = uplog("build").output

    assert said.count("nothing changed") == 2
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_same_moment_gives_the_same_bytes(uplog: Uplog, web_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{web_port}/"\n')
    uplog("run", "--no-build")
    uplog("build", "--out", "one", "--now", "2036-01-01T00:00:00Z")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "2082758400")
    uplog("build", "--out", "two")

    assert Path("one/index.html").read_bytes() == Path("two/index.html").read_bytes()
    assert json.loads(Path("one/status.json").read_text())["generated_at"] == "2036-01-01T00:00:00Z"
    assert json.loads(Path("one/status.json").read_text())["headline"]["state"] == "unknown"


def test_the_public_page_is_not_built_around_what_is_not_public(uplog: Uplog) -> None:
    configure("")
    uplog("run", "--no-build")
    Path("link").symlink_to("data")

    for folder in ("data", "data/internal", ".", "link"):
        said = uplog("build", "--out", folder, code=1).output
        assert said == (
            f"uplog: {folder}: for the public page expected a folder without the record, the internal page"
            " and the configuration\n"
        )
    configure('[uplog]\nsite = "link"')
    assert (
        '2: uplog.site: expected a folder without the record, the internal page and the configuration, got "link"'
        in (uplog("build", code=1).output)
    )


def test_nothing_public_is_said(uplog: Uplog, web_port: int) -> None:
    configure(f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{web_port}/"\npublic = false\n')

    assert "nothing is public yet" in uplog("run").output
    assert json.loads(Path("public/status.json").read_text())["services"] == []
    assert len(json.loads(Path("data/internal/status.json").read_text())["services"]) == 1


def test_where_there_is_no_service_nobody_is_told_to_publish_one(uplog: Uplog) -> None:
    configure("")
    uplog("run", "--no-build")

    assert "nothing is public yet" not in uplog("build").output


def test_check_explains_in_the_form_of_the_contract_and_stores_nothing(uplog: Uplog, web_port: int) -> None:
    configure(
        f'[[service]]\nname = "good"\nurl = "http://127.0.0.1:{web_port}/"\nexpect = {{ body_contains = "fine" }}\n'
        f'[[service]]\nname = "bad"\nurl = "http://127.0.0.1:{web_port}/missing"\n'
    )

    good, bad = json.loads(uplog("check", "--json", code=1).output)["checks"]

    assert {
        name: good[name] for name in ("service", "check", "kind", "role", "outcome", "state", "reason", "code")
    } == {
        "service": "config//good",
        "check": "config//good/http/",
        "kind": "http",
        "role": "liveness",
        "outcome": "pass",
        "state": "up",
        "reason": None,
        "code": 200,
    }
    assert [one["ok"] for one in good["expectations"]] == [True, True]
    assert (bad["state"], bad["reason"], bad["code"]) == ("down", "http_4xx", 404)
    assert not Path("data").exists()


def test_check_of_one_name_that_is_up_exits_0(uplog: Uplog, web_port: int) -> None:
    configure(f'[[service]]\nname = "good"\nurl = "http://127.0.0.1:{web_port}/"\n')

    assert "good  up" in uplog("check", "good").output
    assert "there is no such service to ask; did you mean good?" in uplog("check", "goo", code=1).output


def test_check_waits_until_all_is_up(uplog: Uplog) -> None:
    port = free_port()
    configure(f'[[service]]\nname = "late"\nurl = "tcp://127.0.0.1:{port}"\n')
    from threading import Timer

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    Timer(0.5, listener.listen).start()
    with listener:
        uplog("check", "--wait", "10s")


def test_a_wrong_configuration_is_told_whole_and_starts_nothing(uplog: Uplog) -> None:
    configure('[[service]]\nname = "web"\nurl = "http://127.0.0.1/"\ntimeout = 5\n[uplog]\ntitel = "x"\n')

    said = uplog("run", code=1).output

    assert "uplog.toml:4" in said
    assert 'expected a duration like "5s", got 5' in said
    assert "titel" in said
    assert "title" in said
    assert not Path("data").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--config", "other.toml", "run"], 1, "other.toml"),
        (["discover", "nowhere"], 2, "there is no such source"),
        (["build", "--now", "today"], 2, "expected a moment"),
        (["build", "--now", "9999-12-31T23:59:59Z"], 2, "expected a moment"),
        (["why", "nobody", "--at", "0001-01-01T00:00:00+01:00"], 2, "expected a moment"),
        (["build", "--query-url", "127.0.0.1:8001"], 2, "expected a URL that begins with http:// or https://"),
        (["run", "--every", "5"], 2, 'expected a duration like "5s"'),
        (["build"], 1, "there is no such database"),
        (["pause", "nobody"], 1, "there is no such database"),
        (["rebuild"], 1, "there is no such database"),
        (["nothing"], 2, "No such command"),
        (["import", "csv", "missing.csv"], 2, "missing.csv"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_with_the_right_exit_code(
    uplog: Uplog, arguments: list[str], code: int, said: str
) -> None:
    assert said in uplog(*arguments, code=code).output


def test_a_folder_without_a_configuration_is_said_to_be_one_and_left_as_it_is(uplog: Uplog) -> None:
    assert "there is no uplog.toml in" in uplog("run", code=1).output
    assert list(Path().iterdir()) == []


def test_a_configuration_without_services_has_nothing_to_ask(uplog: Uplog) -> None:
    configure("[uplog]\n")

    assert "nothing to ask" in uplog("run").output


@pytest.mark.parametrize(("variable", "value"), [("LOG_LEVEL", "loud"), ("UPLOG_LOG", "xml")])
def test_a_wrong_variable_is_named(uplog: Uplog, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)

    assert f"{variable}: expected" in uplog("config", "schema", code=1).output


def test_a_moment_that_no_calendar_has_is_named(uplog: Uplog, monkeypatch: pytest.MonkeyPatch) -> None:
    configure("[uplog]\n")
    uplog("run", "--no-build")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "999999999999")

    assert "SOURCE_DATE_EPOCH: expected seconds since 1970" in uplog("build", code=1).output


def test_a_secret_that_is_not_there_is_told_once(uplog: Uplog, web_port: int) -> None:
    url = f"http://127.0.0.1:{web_port}/"
    configure(f'[[service]]\nname = "web"\nurl = "{url}"\nevery = "1s"\nheaders = {{ X-Api-Key = "env:NOT_SET" }}\n')

    first = uplog("run", "--no-build", "--every", "1s").output
    time.sleep(1)
    second = uplog("run", "--no-build", "--every", "1s").output

    assert "config//web could not be asked: the environment variable NOT_SET is not set" in first
    assert "could not be asked" not in second
    assert rows("select outcome, reason from observations") == [("unknown", "local_error")] * 2


def test_operating_a_service_is_an_event_each(uplog: Uplog, web_port: int) -> None:
    configure(f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{web_port}/"\n')
    uplog("run", "--no-build")

    assert "did you mean web?" in uplog("pause", "wep", code=1).output
    uplog("pause", "web", "--for", "2h")
    assert rows("select state, reason from services") == [("unknown", "paused")]
    assert "nothing" in uplog("run", "--no-build").output
    uplog("resume", "web")
    uplog("rename", "web", "Web Shop")
    assert "Web Shop  up" in uplog("check", "Web Shop").output
    assert "empty" in uplog("rename", "web", " ", code=2).output
    uplog("retire", "Web Shop")

    assert rows("select key, name, slug, retired is not null from services") == [("config//web", "Web Shop", "web", 1)]
    assert rows("select kind from events") == [("pause",), ("resume",), ("rename",), ("retire",)]


def test_a_retired_service_stays_retired_while_its_configuration_stands(uplog: Uplog, web_port: int) -> None:
    configure(f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{web_port}/"\n')
    uplog("run", "--no-build")
    uplog("retire", "web")
    configure(Path("uplog.toml").read_text() + 'description = "changed"\n')
    uplog("run", "--no-build")
    assert rows("select count(*) from observations") == [(1,)]
    assert rows("select retired is null from services") == [(0,)]

    uplog("resume", "web")
    uplog("run", "--no-build")
    assert rows("select count(*) from observations") == [(2,)]
    assert rows("select retired is null from services") == [(1,)]


def test_import_and_rebuild(uplog: Uplog) -> None:
    Path("old.csv").write_text("service,at,state\nold,2026-01-01T00:00:00Z,up\nold,2026-01-01T00:05:00Z,down\n")

    assert "2 rows" in uplog("import", "csv", "old.csv", "--every", "5m").output
    uplog("rebuild")
    uplog("build", "--now", "2026-01-01T00:07:00Z")

    assert json.loads(Path("public/status.json").read_text())["services"][0]["uptime"]["24h"]["up_s"] == 420
    Path("old.csv").write_text("service,at,state\nold,never,up\n")
    assert "old.csv:2: at: expected a moment" in uplog("import", "csv", "old.csv", code=1).output


def test_json_logs_are_json(
    uplog: Uplog, web_port: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import subprocess
    import sys

    configure(f'[[service]]\nname = "web"\nurl = "http://127.0.0.1:{web_port}/"\n')
    monkeypatch.setenv("UPLOG_LOG", "json")
    monkeypatch.setenv("LOG_LEVEL", "INFO")
    done = subprocess.run(
        [sys.executable, "-m", "uplog.collector", "run", "--no-build"], capture_output=True, text=True, check=True
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert any("appeared: web" in line["message"] for line in lines)
