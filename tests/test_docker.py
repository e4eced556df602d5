"""Containers: of a real engine, and of engines that answer in every way."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from helpers import a_check, open_files
from helpers_docker import Engine, captured, engine, proxy, replay, serving

from uplog.collector.discover import Context, find_all
from uplog.collector.discover.docker import Settings, find
from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason, Target
from uplog.collector.observe import observe

unit, integration = pytest.mark.unit, pytest.mark.integration


def ask(target: str, socket: str, timeout: int = 5000) -> Answer:
    check = a_check(kind="docker", target=target, timeout=timeout, options={"socket_file": socket})
    [answer] = asyncio.run(observe([check]))
    return answer


# A real engine


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("docker")) as running:
        yield running


def until(docker: Engine, name: str, wanted: str) -> None:
    """Wait until the engine says that a container is as *wanted*, for a minute at most."""
    form = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}}"
    for _ in range(1_200):
        if docker.docker("inspect", "--format", form, name).strip() == wanted:
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} did not become {wanted}")


HEALTH = ("--health-interval=100ms", "--health-retries=1")


@integration
def test_a_container_is_judged_by_its_state_and_its_healthcheck(docker):
    docker.run("plain", "sleep", "600")
    docker.run("well", "sleep", "600", options=(*HEALTH, "--health-cmd=true"))
    docker.run("ill", "sleep", "600", options=(*HEALTH, "--health-cmd=echo no database; false"))
    docker.run("young", "sleep", "600", options=("--health-interval=600s", "--health-cmd=true"))
    docker.run("ended", "sh", "-c", "exit 3")
    docker.run("waits", "sleep", "600")
    docker.docker("pause", "waits")
    docker.docker("create", "--network=none", "--name", "made", "box:1", "true")
    for name, wanted in [("well", "running healthy"), ("ill", "running unhealthy"), ("ended", "exited")]:
        until(docker, name, wanted)
    found = {name: verdict(ask(f"docker:{name}", docker.socket)) for name in JUDGED}

    assert {name: (one.outcome, one.reason, one.text) for name, one in found.items()} == JUDGED


JUDGED = {
    "plain": (Outcome.PASS, None, ""),
    "well": (Outcome.PASS, None, ""),
    "ill": (Outcome.FAIL, Reason.CONTAINER_UNHEALTHY, "ill is unhealthy: no database"),
    "young": (Outcome.UNKNOWN, Reason.STARTING, "young is starting"),
    "ended": (Outcome.FAIL, Reason.CONTAINER_STOPPED, "ended is exited (exit code 3)"),
    "waits": (Outcome.FAIL, Reason.CONTAINER_STOPPED, "waits is paused"),
    "made": (Outcome.FAIL, Reason.CONTAINER_STOPPED, "made is created"),
    "absent": (Outcome.FAIL, Reason.CONTAINER_STOPPED, "there is no container absent"),
}


@integration
def test_a_container_that_is_restarted_again_and_again_is_stopped_between(docker):
    docker.run("again", "false", options=("--restart=always",))

    texts = set()
    for _ in range(200):  # the pauses grow
        texts.add(ask("docker:again", docker.socket).text)
        if "again is restarting (exit code 1)" in texts:
            break
        time.sleep(0.05)

    assert "again is restarting (exit code 1)" in texts


@integration
def test_restarts_and_the_last_start_are_facts(docker):
    docker.run("twice", "sh", "-c", "[ -e /x ] && sleep 600; echo > /x; exit 7", options=("--restart=on-failure",))
    until(docker, "twice", "running")
    for _ in range(600):
        answer = ask("docker:twice", docker.socket)
        if answer.reading is not None and answer.reading.facts["restarts"] == 1:
            break
        time.sleep(0.1)

    assert answer.reading is not None
    assert answer.reading.facts == {
        "state": "running",
        "health": None,
        "restarts": 1,
        "started_at": docker.docker("inspect", "--format", "{{json .State.StartedAt}}", "twice").strip('"'),
        "exit_code": 0,
    }


@integration
def test_an_engine_is_asked_over_the_network(docker):
    docker.run("remote", "sleep", "600")
    code = """if True:
        import asyncio, sys
        from uplog.collector.model import Check
        from uplog.collector.observe import observe
        for target in sys.argv[1:]:
            [answer] = asyncio.run(observe([Check(key="c", service="s", kind="docker", target=target)]))
            print(answer.reason or answer.reading.facts["state"], answer.text)
        """
    places = ["127.0.0.1/remote", "127.0.0.1:2375/absent", "127.0.0.1:2376/remote"]
    inside = ["ip", "netns", "exec", docker.netns, sys.executable, "-c", code, *(f"docker://{one}" for one in places)]
    said = subprocess.run(inside, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()

    assert [line.strip() for line in said] == [
        "running",
        "container_stopped there is no container absent",
        "local_error the Docker Engine cannot be asked: connection refused",
    ]


# Discovery at a real engine

SHOP = """
services:
  web:
    image: box:1
    init: true
    command: sleep 600
    environment: {SECRET: canary-env-value}
    ports: ["8080:80"]
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: wget -qO- http://localhost/health, interval: 20s, timeout: 4s, retries: 5, start_period: 10s}
    labels: {uplog.group: Shop}
  db:
    image: box:1
    init: true
    command: sleep 600
    healthcheck: {test: "[ -x /bin/sh ]", interval: 100ms}
  worker: {image: box:1, init: true, command: sleep 600, deploy: {replicas: 2}}
  migrate: {image: box:1, command: "true"}
"""


def found_at(host: str, known: tuple[str, ...] = ()) -> dict[str, Target]:
    context = Context(folder=Path(), known={"docker": frozenset(known)})
    found, findings = asyncio.run(find(Settings(hosts=(host,)), context))
    assert findings == []
    return {f"{target.project}/{target.name}": target for target in found}


def asks(target: Target) -> list[str]:
    return [place for check in target.checks for place in check.instances or (check.target,)]


@integration
def test_a_project_of_compose_is_found_with_five_paths_and_nothing_else_is_asked(docker, tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/compose.yaml").write_text(SHOP)
    docker.compose(tmp_path / "shop/compose.yaml", "up", "--detach")
    asked: list[tuple[str, str]] = []

    async def scenario() -> list[Target]:
        async with serving(proxy(docker.socket, asked), tmp_path / "proxy.sock") as host:
            found, _ = await find(Settings(hosts=(host,)), Context(folder=Path()))
            return found

    found = {target.name: target for target in asyncio.run(scenario())}
    [check] = found["web"].checks

    assert {name: one.skipped or asks(one) for name, one in found.items() if one.project == "shop"} == {
        "web": ["http://127.0.0.1:8080/health"],
        "db": ["docker:shop-db-1"],
        "worker": ["docker:shop-worker-1", "docker:shop-worker-2"],
        "shop-migrate-1": "a job that is done",
    }
    assert (found["web"].key, found["web"].group, found["web"].needs) == ("docker/shop/web", "Shop", ("db",))
    assert (check.declared_every, check.timeout, check.failure_threshold, check.grace) == (20_000, 4_000, 5, 10_000)
    assert found["db"].checks[0].options == {"socket_file": str(tmp_path / "proxy.sock")}
    assert {method for method, _ in asked} == {"GET"}
    containers = docker.docker("ps", "--all", "--quiet", "--no-trunc").split()
    assert sorted(path for _, path in asked) == sorted(
        ["/containers/json", *(f"/containers/{one}/json" for one in containers)]
    )
    assert "canary-env-value" not in repr(found)


@integration
def test_a_container_that_is_stopped_stays_and_one_that_is_made_anew_is_the_same_service(docker):
    docker.run("solo", "sleep", "600", options=("--init", "--label=uplog.every=15s"))
    host = f"unix://{docker.socket}"
    before = found_at(host)["/solo"]
    docker.docker("restart", "--time=0", "solo")
    again = found_at(host)["/solo"]
    docker.docker("stop", "--time=0", "solo")
    stopped = found_at(host)["/solo"]
    docker.docker("rm", "solo")
    gone = found_at(host)
    docker.run("solo", "sleep", "600", options=("--init", "--label=uplog.every=15s"))
    anew = found_at(host)["/solo"]

    assert again.details["run"]["started"] >= before.details["run"]["started"]
    assert (stopped.layer, stopped.details["run"]["cause"], stopped.checks) == ("declared", "exit_code", before.checks)
    assert "/solo" not in gone
    assert (anew.key, anew.checks, anew.names) == (before.key, before.checks, before.names)


@integration
def test_two_engines_of_which_one_hangs_are_found_within_the_deadline_of_a_source(docker, tmp_path, monkeypatch):
    monkeypatch.setattr("uplog.collector.discover.docker.DEADLINE_S", 1.0)

    async def scenario() -> Any:
        async def hang(request: web.Request) -> web.Response:
            await asyncio.sleep(60)
            return web.Response()

        nothing = {"containers": [], "inspected": []}
        async with serving(replay(nothing, hang), tmp_path / "hung.sock") as hung:
            settings = {"docker": Settings(hosts=(hung, f"unix://{docker.socket}"))}
            return (await find_all(settings, Context(folder=Path(), speaks={"docker//x:1": True})))[0][0]

    docker.run("beside", "sleep", "600")
    begun = time.monotonic()
    found = asyncio.run(scenario())

    assert (found.ok, found.complete, [one.kind for one in found.findings]) == (True, False, ["engine_silent"])
    assert "beside" in {one.name for one in found.targets}
    assert time.monotonic() - begun < 30


# Any engine


def told(tmp_path: Path, answer: Any, name: str = "web", timeout: int = 2000, status: int = 200) -> Answer:
    """Ask an engine that gives this *answer*."""
    asked: list[tuple[str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append((request.method, request.path))
        if answer is None:
            await asyncio.sleep(60)
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return web.Response(status=status, body=body, content_type="application/json")

    async def scenario() -> Answer:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        socket = str(tmp_path / "docker.sock")
        await web.UnixSite(runner, socket).start()
        check = a_check(kind="docker", target=f"docker:{name}", timeout=timeout, options={"socket_file": socket})
        [found] = await observe([check])
        await runner.cleanup()
        return found

    found = asyncio.run(scenario())
    assert asked in ([("GET", f"/containers/{name}/json")], [])
    return found


def state(**values: object) -> dict[str, object]:
    return {"State": values}


@unit
@pytest.mark.parametrize(
    ("document", "reason", "text"),
    [
        (state(Status="exited", ExitCode=137, OOMKilled=True), "container_stopped", "web is exited (exit code 137), out of memory"),
        (state(Status="dead", ExitCode=1, OOMKilled=False), "container_stopped", "web is dead (exit code 1)"),
        (state(Status="removing"), "container_stopped", "web is removing"),
        (state(Status="running", Health={"Status": "unhealthy", "Log": []}), "container_unhealthy", "web is unhealthy"),
        (state(Status="running", Health={"Status": "odd"}), "container_unhealthy", "web is odd"),
        (state(Status="running", Health={"Status": "starting", "Log": None}), "starting", "web is starting"),
        ({}, "local_error", "not an answer of the Docker Engine: KeyError"),
        ([1], "local_error", "not an answer of the Docker Engine: TypeError"),
        ({"State": None}, "local_error", "not an answer of the Docker Engine: TypeError"),
        (state(Status="running", Health={"Status": ["x"]}), "local_error", "not an answer of the Docker Engine: TypeError"),
        (state(Status="running", Health={"Status": "healthy", "Log": [{"Output": 5}]}), "local_error", "not an answer of the Docker Engine: AttributeError"),
        (b"<html>", "local_error", "the Docker Engine cannot be asked: DecodeError"),
        (b"[" * 1_000_000, "local_error", "the Docker Engine cannot be asked: RecursionError"),
        (b"[" * 1_100_000, "local_error", "the Docker Engine cannot be asked: its answer is longer than 1 MiB"),
    ],
)  # fmt: skip
def test_documents_of_every_kind_have_their_reason(tmp_path, document, reason, text):
    answer = told(tmp_path, document)

    assert (answer.reason, answer.text) == (reason, text)


@unit
@pytest.mark.parametrize("health", [None, {}, {"Status": "none"}, {"Status": "healthy", "Log": []}])
def test_what_runs_and_does_not_say_otherwise_passes(tmp_path, health):
    assert told(tmp_path, state(Status="running", Health=health)).reading is not None


@unit
def test_an_engine_that_refuses_or_hangs_is_our_trouble(tmp_path):
    refused = told(tmp_path, {"message": "no\nrights"}, status=403)
    hung = told(tmp_path, None, timeout=300)

    assert (refused.reason, refused.text) == (
        Reason.LOCAL_ERROR,
        'the Docker Engine answered 403: {"message": "no\\nrights"}',
    )
    assert (hung.reason, hung.text) == (Reason.LOCAL_ERROR, "the Docker Engine cannot be asked: it does not answer")


@unit
def test_a_socket_that_cannot_be_reached_is_our_trouble(tmp_path):
    absent = ask("docker:web", str(tmp_path / "none.sock"))
    (tmp_path / "file").touch()
    refused = ask("web", str(tmp_path / "file"))

    assert (absent.reason, absent.text) == (
        Reason.LOCAL_ERROR,
        "the Docker Engine cannot be asked: no such file or directory",
    )
    assert (refused.reason, refused.text) == (
        Reason.LOCAL_ERROR,
        "the Docker Engine cannot be asked: connection refused",
    )


@unit
@pytest.mark.parametrize(
    "target", ["docker:", "docker:a/b", "docker:../info", "docker://h:x/web", "docker://h", "docker:a b?"]
)
def test_nothing_but_a_container_is_asked_for(target):
    answer = ask(target, "/nowhere")

    assert (answer.reason, answer.text) == (Reason.LOCAL_ERROR, "the target names no container")


@unit
@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"host": "ssh://engine"}, 'host: expected "unix:///path/to/socket" or "tcp://host:port"'),
        ({"host": "tcp://127.0.0.1:1"}, "the Docker Engine cannot be asked: connection refused"),
        ({"host": "unix:///nowhere.sock"}, "the Docker Engine cannot be asked: no such file or directory"),
        (
            {"host": "tcp://127.0.0.1:2376", "ca_file": "/nowhere.pem"},
            "the Docker Engine cannot be asked: a file for TLS cannot be read: No such file or directory",
        ),
    ],
)
def test_an_engine_may_be_named_beside_the_target(options, text):
    [answer] = asyncio.run(observe([a_check(kind="docker", target="docker:web", options=options)]))

    assert (answer.reason, answer.text) == (Reason.LOCAL_ERROR, text)


@unit
def test_a_place_in_a_swarm_is_judged_by_its_newest_container(tmp_path):
    document = captured("engine-26.1.json")
    newest = next(one for one in document["inspected"] if one["Name"].startswith("/st_api.1."))
    newest["State"]["Health"]["Status"] = "healthy"
    earlier = {**newest, "Id": "0" * 64, "State": {"Status": "exited", "ExitCode": 137}}
    wanted: list[str] = []

    async def listed(request: web.Request) -> web.Response:
        wanted.append(request.query["filters"])
        both = [{"Id": earlier["Id"], "Created": 1}, {"Id": newest["Id"], "Created": 2}]
        return web.json_response(both if "api" in request.query["filters"] else [])

    async def scenario() -> list[Answer]:
        app = replay({"containers": [], "inspected": [newest, earlier]}, listed)
        async with serving(app, tmp_path / "docker.sock") as host:
            options = {"host": host, "task": True}
            targets = ("docker:st_api.1", "docker:st_db.1")
            return await observe([a_check(kind="docker", target=target, options=options) for target in targets])

    there, absent = asyncio.run(scenario())

    assert there.reading is not None
    assert there.reading.facts["state"] == "running"
    assert (absent.reason, absent.text) == (Reason.CONTAINER_STOPPED, "there is no container st_db.1")
    assert min(wanted) == '{"name": ["^/?st_api\\\\.1\\\\."]}'


@unit
def test_no_file_stays_open(tmp_path):
    ask("docker:web", str(tmp_path / "none.sock"))
    before = open_files()
    for _ in range(20):
        told(tmp_path, state(Status="running"))

    assert open_files() <= before
