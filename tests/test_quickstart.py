"""deploy/quickstart.sh, from a fresh clone to a page and back to silence."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from helpers import free_port

from uplog.collector.up import PATIENCE

ROOT = Path(__file__).parent.parent
pytestmark = [pytest.mark.integration, pytest.mark.slow]
TOOLS = ("bash", "dirname", "find", "rm", "touch", "env", "mkdir")  # what the script itself calls
INSTALLING = "uplog: installing into .venv, which takes a moment\n"


def clone(folder: Path) -> Path:
    """Copy what git would bring to *folder*."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


class Quickstart:
    """The script running in *folder*, as from a terminal: in a process group of its own."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.page, self.query = free_port(), free_port()
        self.log = folder.parent / "quickstart.log"
        ports = {"UPLOG_PORT": str(self.page), "UPLOG_QUERY_PORT": str(self.query)}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["bash", folder / "deploy" / "quickstart.sh"],
                cwd=folder.parent,
                env={**environment, **ports},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def said(self) -> str:
        return self.log.read_text()

    def wait_until_said(self, text: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while text not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def get(self, port: int, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def services(self, seconds: float) -> list[object]:
        """Return the services of the page, as soon as there are some."""
        deadline = time.monotonic() + seconds
        found: list[object] = []
        while not found:
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.5)
            with suppress(urllib.error.HTTPError):  # not built yet
                found = json.loads(self.get(self.page, "/status.json"))["services"]
        return found

    def stop(self, number: signal.Signals) -> None:
        """Send the signal to the group, as a terminal does, and wait until all is over and nobody had to be killed."""
        began = time.monotonic()
        os.killpg(self.process.pid, number)
        assert self.process.wait(60) == 0, self.said()
        assert time.monotonic() - began < PATIENCE

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture(scope="module")
def environment() -> Mapping[str, str]:
    """Give the environment of an ordinary user: no virtual environment, no settings of the tests or of Python."""
    venv = {str(Path(sys.prefix, "bin")), str(Path(sys.executable).parent)}
    path = ":".join(entry for entry in os.environ["PATH"].split(":") if entry not in venv)
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UPLOG", "PYTHON", "PYTEST", "VIRTUAL"))
    } | {"PATH": path}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("quickstart") / "uplog")


@pytest.fixture
def listener() -> Iterator[None]:
    """Let this machine run at least one service."""
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(free_port())]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield
    process.kill()
    process.wait()


def test_a_fresh_clone_becomes_a_page_and_stops(checkout: Path, environment: Mapping[str, str], listener: None) -> None:
    first = Quickstart(checkout, environment)
    try:
        first.wait_until_said(INSTALLING, 300)
        first.wait_until_said(f"page http://127.0.0.1:{first.page}/", 300)
        assert first.services(300)
        assert "uplog" in first.get(first.query, "/")
        assert "<html" in first.get(first.page, "/")
        known = json.loads(first.get(first.query, "/uplog/services.json?_shape=array"))
        assert known
        assert {one["source"] for one in known} <= {"listeners", "systemd", "docker"}, "the clone is not a fleet"
        first.stop(signal.SIGINT)
    finally:
        first.kill()
    with pytest.raises(urllib.error.URLError):
        first.get(first.page, "/")

    config = (checkout / "uplog.toml").read_bytes()
    again = Quickstart(checkout, environment)
    try:
        again.wait_until_said(f"page http://127.0.0.1:{again.page}/", 300)
        again.stop(signal.SIGTERM)
    finally:
        again.kill()
    assert INSTALLING not in again.said()
    assert (checkout / "uplog.toml").read_bytes() == config


def bare_path(tmp_path: Path, python3: str) -> dict[str, str]:
    """Make a PATH on which *python3*, a shell script's body, is the only Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    (folder / "python3").write_text(f"#!/bin/sh\n{python3}\n")
    (folder / "python3").chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("python3", "sentence"),
    [
        ("exit 1", "uplog: Python 3.11 or newer is needed, and none was found (python3, python3.11, ...)\n"),
        (
            'case "$2" in *ensurepip*) exit 1;; esac',
            "uplog: python3 has no venv module; on Debian and Ubuntu: apt-get install python3-venv\n",
        ),
    ],
    ids=["too old", "without venv"],
)
def test_what_is_missing_is_said_plainly(tmp_path: Path, python3: str, sentence: str) -> None:
    shutil.copytree(ROOT / "deploy", tmp_path / "uplog" / "deploy")
    script = tmp_path / "uplog" / "deploy" / "quickstart.sh"
    environment = bare_path(tmp_path, python3)
    done = subprocess.run(["bash", script], check=False, capture_output=True, text=True, env=environment)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", sentence)
    assert not (tmp_path / "uplog" / ".venv").exists()
