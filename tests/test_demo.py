"""`uplog demo`: what it makes up, how the fleets behave, and the whole of it in a process of its own."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from helpers import free_port

from uplog.collector import demo
from uplog.collector.causes import causes_in
from uplog.collector.config import Config
from uplog.collector.demo import past, server
from uplog.collector.demo.fleets import FLEETS
from uplog.collector.demo.server import Player
from uplog.collector.demo.timetable import Act, Fault, act
from uplog.collector.observe import Local
from uplog.collector.planning import CONFIRM_AFTER, Pace
from uplog.collector.run import Ran, run
from uplog.collector.store import Store
from uplog.collector.store.read import history_at
from uplog.collector.up import cannot_bind

NOW = datetime.now(UTC).replace(microsecond=0)  # views know no other moment than the clock's
ASKED_EVERY = 10
TITLE = "Demo: five made-up fleets"
SERVICES = [(fleet, made) for fleet, those in FLEETS.items() for made in those]
FAULTY = {made.name: made.fault for _, made in SERVICES if made.fault}


# What is made up


PRINT_THE_PAST = """
import sys
from datetime import datetime
from uplog.collector.demo import fleets, past
print(*past.made_up("kong", fleets.FLEETS["auterity"][0], datetime.fromisoformat(sys.argv[1])), sep="\\n")
"""


@pytest.mark.unit
def test_the_same_moment_gives_the_same_past_in_every_process() -> None:
    command = [sys.executable, "-c", PRINT_THE_PAST, NOW.isoformat()]
    other = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert [str(row) for row in past.made_up("kong", FLEETS["auterity"][0], NOW)] == other.splitlines()


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A demo before its fleets live."""

    config: Config
    ports: demo.Ports
    store: Store

    @property
    def db(self) -> Connection:
        return self.store.db


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    ports = demo.free_ports()
    config = demo.prepare(tmp_path_factory.mktemp("demo"), ports, NOW)
    with Store(config.database, zone=config.timezone) as store:
        yield Prepared(config=config, ports=ports, store=store)


@pytest.mark.integration
def test_every_service_is_found_where_its_files_say_it_listens(prepared: Prepared) -> None:
    asked = {urllib.parse.urlsplit(row[0]).port for row in prepared.db.execute("select target from checks")}

    assert asked == {port for those in prepared.ports.values() for port in those.values()}


@pytest.mark.integration
def test_the_stacks_are_the_groups(prepared: Prepared) -> None:
    groups = dict(prepared.db.execute("select group_name, count(*) from services group by 1"))

    assert groups == {
        "ai-codereview": 10,
        "auterity": 16,
        "craftnudge": 8,
        "defect-detector-services": 3,
        "defectdetect-database": 1,
        "home-server": 4,
    }


@pytest.mark.integration
def test_who_tells_of_another_declares_to_need_it(prepared: Prepared) -> None:
    declared = {*prepared.db.execute("select service_name, needs from dependencies")}

    assert {(made.name, other) for _, made in SERVICES for other in made.needs} <= declared


@pytest.mark.integration
def test_the_files_contradict_themselves_as_the_real_ones_do(prepared: Prepared) -> None:
    kinds = {row[0] for row in prepared.db.execute("select kind from findings")}

    assert kinds == {
        "count_mismatch",
        "file_refused",
        "gateway_fixed_health",
        "healthcheck_always_passes",
        "healthcheck_missing",
    }


@pytest.mark.integration
def test_everything_is_public_and_says_that_it_is_made_up(prepared: Prepared) -> None:
    public = {row[0] for row in prepared.db.execute("select public from services")}

    assert public == {1}
    assert prepared.config.title == TITLE
    assert prepared.db.execute("select detail from events where kind = 'demo'").fetchone() == (demo.NOTICE,)
    assert all("made up" in path.read_text() for path in prepared.config.folder.glob("fleets/*/README.md"))


@pytest.mark.integration
def test_the_past_ends_where_the_watching_begins(prepared: Prepared) -> None:
    newest = {row[0] for row in prepared.db.execute("select max(at) from observations group by service")}
    without = {row[0] for row in prepared.db.execute("select name from services where state = 'unknown'")}

    assert newest == {f"{NOW:%Y-%m-%dT%H:%M:%S}.000Z"}
    assert without == {"celery-worker"}


@pytest.mark.integration
def test_only_the_six_hours_are_unknown(prepared: Prepared) -> None:
    unknown = prepared.db.execute(
        "select service, started, seconds, reason from spans where state = 'unknown'"
    ).fetchall()

    began = (NOW - timedelta(days=41, hours=5)).isoformat().replace("+00:00", "Z")
    assert {row[1:] for row in unknown} == {(began, 6 * 3600, "no_sample")}
    assert len(unknown) == len([made for _, made in SERVICES if made.days == 90])


@pytest.mark.integration
def test_the_past_has_outages_of_many_lengths_a_bad_week_and_a_newcomer(prepared: Prepared) -> None:
    lengths = {row[0] for row in prepared.db.execute("select seconds from incidents")}
    bad = prepared.db.execute("select sum(degraded_s) from uptime_daily where service_name = 'mlflow'").fetchone()[0]
    first = dict(prepared.db.execute("select service_name, min(day) from uptime_daily group by 1"))

    assert lengths >= {minutes * 60 for minutes in past.LENGTHS[:5]}
    assert timedelta(days=6) < timedelta(seconds=bad) < timedelta(days=7, hours=3)
    assert first["kong"] == f"{NOW - timedelta(days=90):%Y-%m-%d}"
    assert first["pgadmin4"] == f"{NOW - timedelta(days=14):%Y-%m-%d}"


@pytest.mark.integration
def test_blips_of_the_past_cost_no_uptime(prepared: Prepared) -> None:
    failures, uptime = prepared.db.execute(
        """
        select (select count(*) from observations where service = u.service and outcome = 'fail'), uptime_pct
        from uptime u where service_name = 'database-python-handler' and period = '365d'
        """
    ).fetchone()

    assert failures > 0
    assert uptime == 100


# The timetable


@pytest.mark.unit
def test_the_blip_is_over_before_it_is_confirmed() -> None:
    fault = FAULTY["database-python-handler"]

    assert fault.lasts * 1000 < sum(CONFIRM_AFTER)
    assert fault.period % ASKED_EVERY, "it would be hit always or never"


@pytest.mark.unit
@pytest.mark.parametrize("name", ["auth-service", "ollama", "kafka", "commit-tracker", "version-control-service"])
def test_a_fault_shows_in_the_first_minute(name: str) -> None:
    fault = FAULTY[name]

    assert fault.lasts > 2 * ASKED_EVERY
    assert fault.start + ASKED_EVERY + sum(CONFIRM_AFTER) / 1000 < 60


@pytest.mark.unit
def test_a_fault_comes_again_and_passes_again() -> None:
    fault = Fault(act=Act.FAILING, start=10, lasts=5, period=20)

    assert [second for second in range(60) if act(fault, second) is Act.FAILING] == [
        *range(10, 15),
        *range(30, 35),
        *range(50, 55),
    ]


# What is answered


def asked(fleet: str, name: str, path: str, second: float) -> tuple[int, Any]:
    """Return what a service answers so many seconds after its fleet began."""
    by_name = {made.name: made for made in FLEETS[fleet]}

    async def scenario() -> tuple[int, Any]:
        player = Player(made=by_name[name], fleet=by_name, began=time.monotonic() - second)
        async with (
            TestServer(player.application()) as running,
            ClientSession() as client,
            client.get(running.make_url(path)) as answer,
        ):
            return answer.status, await answer.json()

    return asyncio.run(scenario())


@pytest.mark.unit
@pytest.mark.parametrize(
    ("fleet", "name", "path", "second", "status", "word"),
    [
        ("ai-codereview", "project-service", "/health", 5, 200, "healthy"),
        ("ai-codereview", "project-service", "/health", 40, 503, "degraded"),
        ("ai-codereview", "project-service", "/ready", 40, 503, "not_ready"),
        ("ai-codereview", "version-control-service", "/health", 40, 200, "healthy"),
        ("ai-codereview", "version-control-service", "/ready", 40, 503, "not_ready"),
        ("ai-codereview", "comparison-service", "/health/startup", 5, 503, "starting"),
        ("ai-codereview", "comparison-service", "/health/startup", 40, 200, "started"),
        ("craftnudge", "commit-tracker", "/health", 40, 503, "unhealthy"),
    ],
)
def test_a_fault_is_what_is_answered(fleet: str, name: str, path: str, second: float, status: int, word: str) -> None:
    seen, body = asked(fleet, name, path, second)

    assert (seen, body["status"]) == (status, word)


@pytest.mark.unit
def test_the_contract_tells_how_long_each_component_took() -> None:
    _, body = asked("ai-codereview", "project-service", "/health", 40)

    assert {one["name"]: one["status"] for one in body["components"]} == {
        "postgres": "healthy",
        "auth-service": "unhealthy",
    }
    assert all(one["latency_ms"] > 0 for one in body["components"])


@pytest.mark.unit
def test_who_depends_on_the_model_says_healthy_without_it() -> None:
    code, body = asked("craftnudge", "ai-analyzer", "/health", 40)

    assert (code, body["status"], body["ollama_available"]) == (200, "healthy", False)


@pytest.mark.unit
def test_the_gateway_says_success_whatever_it_finds() -> None:
    code, body = asked("craftnudge", "api-gateway", "/status", 40)

    assert (code, body["success"]) == (200, True)
    assert {name for name, one in body["services"].items() if one["status"] == "unhealthy"} == {"commit-tracker"}


# The fleets, asked


@contextmanager
def played(ports: demo.Ports, second: float) -> Iterator[None]:
    """Play all fleets in a thread, as if they had begun so many seconds ago."""
    loop = asyncio.new_event_loop()
    playing = loop.create_task(server.play(ports, time.monotonic() - second))

    def play() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(playing)

    thread = threading.Thread(target=play)
    thread.start()
    listening = [ports[fleet][made.name] for fleet, made in SERVICES if act(made.fault, second) is not Act.REFUSING]
    deadline = time.monotonic() + 60
    while not all(map(cannot_bind, listening)) and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(playing.cancel)
        thread.join()
        loop.close()


@dataclass
class Clock:
    """A clock that only waiting moves: confirmations come without delay."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="module")
def lived(prepared: Prepared) -> tuple[list[Ran], datetime]:
    """What two runs find, one before the faults and one in the middle of most, and when they ended."""
    clock, pace = Clock(NOW), Pace(every=ASKED_EVERY * 1000)
    ran = []
    for second in (2, 40):
        clock.wait(ASKED_EVERY)
        with played(prepared.ports, second):
            ran.append(run(prepared.config, prepared.store, Local(clock=clock), clock, pace=pace, wait=clock.wait))
    return ran, clock.now


@pytest.mark.integration
def test_what_runs_is_what_was_found(lived: tuple[list[Ran], datetime]) -> None:
    assert [change for ran in lived[0] for change in ran.changes] == []


@pytest.mark.integration
def test_who_needs_auth_service_fails_because_of_it(prepared: Prepared, lived: tuple[list[Ran], datetime]) -> None:
    history = history_at(prepared.db, lived[1])
    told = {
        one.service.name: str(causes[0])
        for one in history.services
        if (causes := causes_in(history).get(one.service.key))
    }

    assert told.keys() == {"project-service", "analysis-service"}
    assert all(why.startswith("auth-service is down since ") for why in told.values())


@pytest.mark.integration
def test_the_parts_of_those_that_tell_of_them_are_recorded(
    prepared: Prepared, lived: tuple[list[Ran], datetime]
) -> None:
    parts = prepared.db.execute("select component, state from components where state <> 'up'").fetchall()

    assert {*parts} >= {("auth-service", "down"), ("ollama_available", "down"), ("commit-tracker", "down")}


@pytest.mark.integration
def test_the_job_is_followed_to_its_end(prepared: Prepared, lived: tuple[list[Ran], datetime]) -> None:
    job = prepared.db.execute("select outcome from observations where check_key like '%/job/'").fetchall()

    assert job == [("pass",)] * 2


# The whole


class Running:
    """`uplog demo` as from a terminal, in a session of its own."""

    def __init__(self, folder: Path, *, keep: bool) -> None:
        self.page, self.query, self.log = free_port(), free_port(), folder / "demo.log"
        ours = {"UPLOG_PORT": str(self.page), "UPLOG_QUERY_PORT": str(self.query), "TMPDIR": str(folder)}
        ours |= {"UPLOG__UPLOG__DATABASE": str(folder / "real.db"), "COMPOSE_FILE": "real.yml"}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uplog.collector", "demo", *(["--folder", "kept"] if keep else [])],
                cwd=folder,
                env={**os.environ, **ours},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until(self, true: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.2)

    def started(self) -> bool:
        return f"page http://127.0.0.1:{self.page}/" in self.log.read_text()

    def get(self, port: int, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def services(self) -> Any:
        return json.loads(self.get(self.page, "/status.json"))["services"]

    def left(self) -> list[int]:
        """Return the processes of the session."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(ValueError, ProcessLookupError):
                if os.getsid(int(entry.name)) == self.process.pid:
                    found.append(int(entry.name))
        return found

    def kill(self) -> None:
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(*, keep: bool = False) -> Running:
        started.append(Running(tmp_path, keep=keep))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.mark.integration
@pytest.mark.slow
def test_a_demo_shows_life_and_stops_without_a_trace(running: Callable[..., Running], tmp_path: Path) -> None:
    begun = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    shown = running()
    shown.wait_until(shown.started, 300)
    assert demo.NOTICE in shown.log.read_text()
    assert TITLE in shown.get(shown.page, "/")
    assert TITLE in shown.get(shown.page, "/service/kong.html")
    shown.wait_until(lambda: any((service["since"] or "") > begun for service in shown.services()), 300)

    assert len(shown.services()) == len(SERVICES) + 1  # and celery-worker, which listens nowhere
    kong = next(service for service in shown.services() if service["name"] == "kong")
    assert (len(kong["days"]), kong["uptime"]["24h"]["unknown_s"]) == (90, 0)
    question = urllib.parse.urlencode({"sql": demo.QUESTION, "_shape": "array"})
    outages = json.loads(shown.get(shown.query, f"/demo.json?{question}"))
    assert {row["service_name"]: row["outages"] for row in outages}["commit-tracker"] >= 5

    shown.process.send_signal(signal.SIGTERM)
    assert shown.process.wait(60) == 0, shown.log.read_text()
    assert not shown.left()
    assert [path.name for path in tmp_path.iterdir()] == ["demo.log"]


@pytest.mark.integration
@pytest.mark.slow
def test_a_demo_interrupted_while_it_prepares_leaves_no_folder(running: Callable[..., Running], tmp_path: Path) -> None:
    shown = running()
    shown.wait_until(lambda: demo.NOTICE in shown.log.read_text(), 300)
    shown.process.send_signal(signal.SIGINT)

    assert shown.process.wait(60) == 0, shown.log.read_text()
    assert not shown.left()
    assert [path.name for path in tmp_path.iterdir()] == ["demo.log"]


@pytest.mark.integration
@pytest.mark.slow
def test_a_killed_demo_leaves_its_folder_and_no_process(running: Callable[..., Running], tmp_path: Path) -> None:
    shown = running(keep=True)
    shown.wait_until(lambda: len(shown.left()) >= 5, 300)  # the fleets, watch, page and Datasette
    shown.process.kill()
    shown.process.wait()
    deadline = time.monotonic() + 60
    while shown.left() and time.monotonic() < deadline:
        time.sleep(0.1)

    assert not shown.left()
    assert (tmp_path / "kept" / "uplog.toml").exists()


@pytest.mark.unit
def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "uplog.toml").write_text("# mine\n")

    assert demo.run_demo(tmp_path, lambda: NOW) == 1
    assert capsys.readouterr().err == f"uplog: {tmp_path}: is not empty; the demo wants a new folder\n"
    assert [path.read_text() for path in tmp_path.iterdir()] == ["# mine\n"]
