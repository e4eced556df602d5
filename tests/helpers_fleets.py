"""The five fleets: their files, servers that give their documented answers, and the whole way through uplog.

A fleet is tests/fleets/N/guide and N/deployed, and beside each a JSON file of what it answers: by port the answers
in HTTP by method and path, or the name of a TALKER; under `containers` what a Docker Engine tells of it.
"""

import asyncio
import ctypes
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from aiohttp import web
from click.testing import CliRunner
from helpers_machine import HERE, needs_real

from uplog.collector import planning
from uplog.collector.cli import cli
from uplog.collector.probes import lookup

Body = str | Mapping[str, Any] | Sequence[Any]  # what is no text is JSON
Headers = Mapping[str, str | Sequence[str]]  # of several values the one that the request has in Origin
Answer = tuple[int, Headers, Body]
Talker = Callable[[bytes], bytes]  # what is said to the first bytes that come
Answers = Mapping[int, Mapping[tuple[str, str], Answer] | Talker]

FLEETS = HERE / "fleets"
EXPECTED = HERE / "expected" / "fleets"
ENGINE_PORT = 2375
SOON = (20, 50)  # ms after which what fails is asked again, instead of seconds
HTTP_METHOD = re.compile(rb"[A-Z]+ \S+ HTTP/1")
TALKERS: Mapping[str, Talker] = {
    "nothing": lambda _: b"",
    "redis": lambda _: b"+PONG\r\n",
    "postgres": lambda said: b"N" if len(said) == 8 else b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0",
    "kafka": lambda _: b"\0\0\0\x10uplg\0\0\0\0\0\x01\0\x12\0\0\0\x03",
    "zookeeper": lambda _: b"Zookeeper version: 3.6.3--6401e4ad2087061bc6b9f80dec2d69f2e3c8660a\nMode: standalone\n",
}


# Answers


def answers_of(file: Path) -> Answers:
    """Read what a fleet answers."""
    document = json.loads(file.read_text())
    found: dict[int, Any] = {}
    if containers := document.pop("containers", None):
        found[ENGINE_PORT] = engine(containers)
    for port, said in document.items():
        found[int(port)] = (
            TALKERS[said] if isinstance(said, str) else {split(key): value for key, value in said.items()}
        )
    return found


def split(key: str) -> tuple[str, str]:
    method, _, path = key.partition(" ")
    return method, path


def engine(containers: Sequence[Mapping[str, Any]]) -> Mapping[tuple[str, str], Answer]:
    """Answer as a Docker Engine that runs *containers* which Compose has started.

    Each has project, service, image and ports ("8080:80"), and may have name, number, state, exit_code, test (of its
    HEALTHCHECK) and networks.
    """
    told = [inspected(number, one) for number, one in enumerate(containers, 1)]
    listed = [
        {
            "Id": one["Id"],
            "Names": [one["Name"]],
            "Image": one["Config"]["Image"],
            "Labels": one["Config"]["Labels"],
            "State": one["State"]["Status"],
            "NetworkSettings": {"Networks": one["NetworkSettings"]["Networks"]},
        }
        for one in told
    ]
    named = [(name, one) for one in told for name in (one["Id"], one["Name"].removeprefix("/"))]
    inspections = {("GET", f"/containers/{name}/json"): (200, {}, one) for name, one in named}
    return {("GET", "/containers/json"): (200, {}, listed), **inspections}


def inspected(number: int, one: Mapping[str, Any]) -> dict[str, Any]:
    """Write what an engine tells of one container, as far as it is read."""
    project, service = one["project"], one["service"]
    nth = one.get("number", 1)
    name = one.get("name", f"{project}-{service}-{nth}")
    bound = {}
    for text in one.get("ports", ()):
        outside, _, inside = text.partition(":")
        bound[f"{inside}/tcp"] = [{"HostIp": "0.0.0.0", "HostPort": outside}]
    state = one.get("state", "running")
    return {
        "Id": f"{number:064x}",
        "Name": f"/{name}",
        "Image": f"sha256:{number:064x}",
        "RestartCount": 0,
        "State": {
            "Status": state,
            "ExitCode": one.get("exit_code", 0),
            "OOMKilled": False,
            "StartedAt": "2026-11-21T09:00:00Z" if state == "running" else "0001-01-01T00:00:00Z",
        },
        "HostConfig": {
            "NetworkMode": f"{project}_default",
            "PortBindings": bound,
            "RestartPolicy": {"Name": "unless-stopped"},
        },
        "Config": {
            "Image": one["image"],
            "Labels": {
                "com.docker.compose.project": project,
                "com.docker.compose.service": service,
                "com.docker.compose.container-number": str(nth),
            },
            "ExposedPorts": {port: {} for port in bound},
            "Healthcheck": {"Test": one["test"]} if "test" in one else None,
        },
        "NetworkSettings": {
            "Ports": bound if state == "running" else {},
            "Networks": {network: {"Aliases": [service]} for network in one.get("networks", [f"{project}_default"])},
        },
    }


@dataclass
class Serving:
    """Servers that run."""

    asked: list[tuple[int, str]] = field(default_factory=list)  # at which port, and the method and path

    def http(self) -> set[int]:
        """Return the ports that somebody asked in HTTP."""
        return {port for port, line in self.asked if line}


@contextmanager
def serving(answers: Answers) -> Iterator[Serving]:
    """Serve *answers* from a thread, at the fleet's own ports of loopback."""
    told = Serving()
    begun, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            for port, said in answers.items():
                await listen(told, port, said, stack)
            begun.set()
            await asyncio.to_thread(over.wait)

    failure: list[OSError] = []

    def run() -> None:
        try:
            asyncio.run(serve())
        except OSError as error:
            failure.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(60)
    try:
        if not failure:
            yield told
    finally:
        over.set()
        thread.join(60)
    if failure:
        raise failure[0]


async def listen(
    told: Serving, port: int, said: Mapping[tuple[str, str], Answer] | Talker, stack: AsyncExitStack
) -> None:
    """Serve one port until *stack* is closed."""
    if callable(said):
        server = await asyncio.start_server(talk(told, port, said), "127.0.0.1", port)
        stack.callback(server.close)
        return
    runner = web.AppRunner(application(told, port, said), shutdown_timeout=0.1)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", port).start()


def talk(told: Serving, port: int, said: Talker) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    """Return what answers a connection in a tongue that is not HTTP, and notes when HTTP is spoken to it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while first := await reader.read(4096):
                told.asked.append((port, first.split(b"\r\n")[0].decode() if HTTP_METHOD.match(first) else ""))
                writer.write(said(first))
                if first in (b"srvr", b"ruok"):
                    break  # ZooKeeper hangs up
        except OSError:
            pass
        finally:
            writer.close()

    return connected


def application(told: Serving, port: int, answers: Mapping[tuple[str, str], Answer]) -> web.Application:
    """Make the application that gives *answers* in HTTP, and 404 to all else."""

    def handler(status: int, headers: Headers, body: Body) -> Callable[[web.Request], Any]:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = {"Content-Type": "text/html" if isinstance(body, str) else "application/json"}

        async def answer(request: web.Request) -> web.Response:
            told.asked.append((port, f"{request.method} {request.path}"))
            origin = request.headers.get("Origin", "")
            chosen = {
                name: value if isinstance(value, str) else (origin if origin in value else value[0])
                for name, value in headers.items()
            }
            return web.Response(status=status, headers={**kind, **chosen}, body=text.encode())

        return answer

    app = web.Application()
    for (method, path), answer in answers.items():
        app.router.add_route(method, path, handler(*answer))
    return app


# A network of one's own

CLONE_NEWNET = 0x40000000


@contextmanager
def own_network() -> Iterator[None]:
    """Give this thread, and what it starts, a network in which every port is free."""
    needs_real(os.geteuid() == 0 and shutil.which("ip"), "root, and ip: apt install iproute2")
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as before:
        needs_real(libc.unshare(CLONE_NEWNET) == 0, "network namespaces")
        outside, lookup.THREADS = lookup.THREADS, lookup.Threads(lookup.MOST_THREADS)  # a thread stays where it began
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
            yield
        finally:
            lookup.THREADS = outside
            assert libc.setns(before.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


# The whole way

VIEWS: Mapping[str, str] = {
    "services": "select key, slug, name, group_name, state, reason from services order by key",
    "checks": "select service, kind, role, target, every_s, timeout_s, failure_threshold, grace_s from checks order by key",
    "ports": "select port, protocol, service, container_port, layer, location, status from ports order by 1, 2, 3, 5, 6",
    "dependencies": "select service, needs, source, ref, needed from dependencies order by 1, 2, 3, 4",
    "findings": "select kind, location, text, service from findings order by 1, 2, 3, 4",
    "discoveries": "select source, event, service, detail from discoveries order by 1, 2, 3, 4",
    "sightings": "select service, source, name, layer, ref from sightings order by 1, 2, 3, 5",
    "instances": "select service, expected, running, ready from instances order by 1",
}


@dataclass
class Uplog:
    """The commands of uplog in one folder."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    config: str = "uplog.toml"

    def __call__(self, *words: str, code: int | None = 0) -> str:
        """Run a command, and return what it prints."""
        given = ["--config", self.config, *words] if (self.folder / self.config).exists() else words
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            done = CliRunner().invoke(cli, given, env={"COLUMNS": "120", **self.environ})
        finally:
            os.chdir(before)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert code is None or done.exit_code == code, done.output
        return done.stdout

    def check(self, *names: str) -> dict[str, tuple[str, str | None]]:
        """Ask now, and return the outcome of each check with its reason."""
        told = json.loads(self("check", *names, "--json", code=None))["checks"]
        return {f"{one['service']} {one['check']}": (one["outcome"], one["reason"]) for one in told}

    def rows(self, sql: str) -> list[list[Any]]:
        """Ask the record."""
        with closing(sqlite3.connect(self.folder / "data" / "uplog.db")) as db:
            return [list(row) for row in db.execute(sql)]


@dataclass
class Way:
    """What uplog said on its way through a fleet."""

    files: dict[str, str]  # name of an expected file -> text
    uplog: Uplog
    served: Serving
    discovered: dict[str, Any] = field(default_factory=dict)  # source -> what `uplog discover --json` printed

    def targets(self, source: str) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.discovered[source]["targets"]}

    def findings(self, kind: str) -> list[tuple[str, str, str | None]]:
        """Return where, what and of which service the record has findings of one kind."""
        sql = f"select location, text, service_name from findings where kind = '{kind}' order by 1, 2"
        return [(where, text, name) for where, text, name in self.uplog.rows(sql)]

    def states(self) -> dict[str, str]:
        return dict(self.uplog.rows("select name, state from services order by 1"))

    def checks(self) -> dict[str, str]:
        return dict(self.uplog.rows("select service_name, target from checks order by 1"))


def copied(fleet: int, kind: str, folder: Path, name: str) -> Path:
    """Copy a fleet to a folder of its *name*, for Compose names a project after the folder."""
    return Path(shutil.copytree(FLEETS / str(fleet) / kind, folder / name))


def whole_way(
    place: Path,
    answers: Answers,
    settings: str,
    sources: Mapping[str, Sequence[str]],
    environ: Mapping[str, str] | None = None,
    more: Callable[[Uplog], Mapping[str, str]] = lambda _: {},
) -> Way:
    """Discover, run, build and ask the record of the fleet in *place*, with all that it answers around it.

    *sources* are asked with the paths that each is given; *settings* is the configuration. What is asked in *more*
    while all answers is kept in files too.
    """
    (place / "uplog.toml").write_text(settings)
    uplog = Uplog(place, environ or {})
    with own_network(), serving(answers) as served, patch.object(planning, "CONFIRM_AFTER", SOON):
        discovered = {
            name: json.loads(uplog("discover", name, *paths, "--json", code=None)) for name, paths in sources.items()
        }
        uplog("run", "--every", "1m")
        uplog("build")
        drift = {"drift.txt": uplog("drift", code=None)} if "drift" in cli.commands else {}
        drift |= more(uplog)
    files = {f"discover-{name}.json": lines(told["targets"] + told["findings"]) for name, told in discovered.items()}
    files |= {f"{name}.json": lines(uplog.rows(sql)) for name, sql in VIEWS.items()}
    files |= drift
    return Way(files=files, uplog=uplog, served=served, discovered=discovered)


def lines(rows: Sequence[Any]) -> str:
    """Write a list as JSON with a line a row."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def expected(fleet: int, kind: str) -> dict[str, str]:
    """Return the expected files of a fleet."""
    folder = EXPECTED / str(fleet) / kind
    return {path.name: path.read_text() for path in sorted(folder.iterdir())} if folder.exists() else {}


def renew(fleet: int, kind: str, way: Way) -> None:
    """Write what a fleet is expected to give anew."""
    folder = EXPECTED / str(fleet) / kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, text in way.files.items():
        (folder / name).write_text(text)


if __name__ == "__main__":  # inside a machine: commands as JSON, each a configuration and words
    with patch.object(planning, "CONFIRM_AFTER", SOON):
        here = {config: Uplog(Path.cwd(), os.environ, config) for config, *_ in json.loads(sys.argv[1])}
        json.dump([here[config](*words, code=None) for config, *words in json.loads(sys.argv[1])], sys.stdout)
