"""A Docker Engine for tests: a real one, in namespaces of its own, with an image made of busybox alone."""

import io
import json
import os
import re
import shutil
import ssl
import subprocess
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from helpers_machine import HERE, needs_real

Handler = Callable[[web.Request], Awaitable[web.Response]]
BUSYBOX = Path("/bin/busybox")  # statically linked: the image has no library
TOOLS = ("sh", "sleep", "true", "false", "cat", "echo", "tail")


class Engine:
    """A running engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = str(folder / "docker.sock")
        self.netns = (folder / "netns").read_text().strip()

    def docker(self, *words: str, data: bytes | None = None) -> str:
        """Run the docker command line, and return what it printed."""
        environ = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}"}
        done = subprocess.run(
            ["docker", *words], input=data, capture_output=True, timeout=300, check=False, env=environ
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def run(self, name: str, *command: str, options: tuple[str, ...] = ()) -> None:
        """Run a container of the image."""
        self.docker("run", "--detach", "--network=none", "--name", name, *options, "box:1", *command)

    def compose(self, file: Path, *words: str) -> None:
        """Run Docker Compose 2 on a file."""
        plugin = subprocess.run([HERE / "get-compose.sh"], capture_output=True, text=True, timeout=300, check=False)
        needs_real(plugin.returncode == 0, "Docker Compose 2")
        environ = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}"}
        command = [plugin.stdout.strip(), "--file", file, *words]
        done = subprocess.run(command, capture_output=True, timeout=300, check=False, env=environ)
        assert done.returncode == 0, done.stderr.decode()


@contextmanager
def engine(folder: Path) -> Iterator[Engine]:
    """Start an engine, or skip."""
    needs_real(shutil.which("dockerd", path="/usr/sbin:/usr/bin"), "a Docker Engine: apt install docker.io iptables")
    needs_real(BUSYBOX.exists(), "an image: apt install busybox-static")
    needs_real(os.geteuid() == 0, "root, for namespaces")
    done = subprocess.run([HERE / "dockerd-up.sh", folder], capture_output=True, text=True, timeout=300, check=False)
    try:
        needs_real(done.returncode == 0, f"namespaces, overlayfs and cgroup2: {done.stderr[-300:]}")
        running = Engine(folder)
        running.docker("import", "--change", "ENV PATH=/bin", "-", "box:1", data=image())
        yield running
    finally:
        subprocess.run([HERE / "dockerd-down.sh", folder], timeout=300, check=False, capture_output=True)


def image() -> bytes:
    """Pack a root file system with busybox and nothing else."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(BUSYBOX, "bin/busybox")
        for tool in TOOLS:
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return packed.getvalue()


# Engines that tell what was captured, and proxies before real ones


def captured(name: str) -> dict[str, Any]:
    """Return what an engine told once: its list of containers, and what it knows of each."""
    document: dict[str, Any] = json.loads((HERE / "captured" / "docker" / name).read_text())
    return document


def replay(document: dict[str, Any], listed: Handler | None = None) -> web.Application:
    """Tell what was captured, or instead of the list what *listed* says."""
    bodies = {one["Id"]: json.dumps(one).encode() for one in document["inspected"]}
    whole = json.dumps(document["containers"]).encode()

    async def tell(request: web.Request) -> web.Response:
        body = bodies.get(request.match_info.get("id", "")) if "id" in request.match_info else whole
        return web.Response(body=body or b"{}", status=200 if body else 404, content_type="application/json")

    app = web.Application()
    app.router.add_get("/containers/json", listed or tell)
    app.router.add_get("/containers/{id}/json", tell)
    return app


LET_THROUGH = re.compile(r"/(_ping|version|events|containers/json|containers/[^/]+/json)")


def proxy(socket: str, asked: list[tuple[str, str]]) -> web.Application:
    """Let five paths through to the engine at *socket*, answer 403 to all else, and note what is asked."""

    async def pass_on(request: web.Request) -> web.Response:
        asked.append((request.method, request.path))
        if request.method != "GET" or not LET_THROUGH.fullmatch(request.path):
            return web.Response(status=403)
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(socket)) as session,
            session.get(f"http://docker{request.path_qs}") as response,
        ):
            return web.Response(body=await response.read(), status=response.status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    return app


@asynccontextmanager
async def serving(
    app: web.Application, socket: Path | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve *app* at a socket, else at a free port of loopback, and return where, as DOCKER_HOST has it."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        if socket:
            await web.UnixSite(runner, str(socket)).start()
            yield f"unix://{socket}"
        else:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
            yield f"tcp://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
