"""A whole machine for tests: a real systemd as PID 1 of its own namespaces, with units of every kind that misled others."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

# A master that binds and workers that answer, as gunicorn has them.
PREFORK = """
import os, signal, socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
for _ in range(2):
    if os.fork() == 0:
        while True:
            connection, _ = listener.accept()
            if connection.recv(4096):
                connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
            connection.close()
listener.close()
signal.pause()
"""

# Answers whatever it is asked in a tongue of its own.
CHATTER = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    connection, _ = listener.accept()
    connection.sendall(b"hello from another protocol\\r\\n")
    connection.close()
"""

PYTHON = "/usr/bin/python3"  # one under a home directory cannot be read under DynamicUser
INSTALL = "[Install]\nWantedBy=multi-user.target\n"


def unit(exec_start: str, *lines: str, enabled: bool = False, description: str = "") -> str:
    """Write a unit file."""
    head = f"[Unit]\nDescription={description}\n" if description else ""
    return "\n".join([f"{head}[Service]", f"ExecStart={exec_start}", *lines, INSTALL if enabled else "", ""])


UNITS = {
    "prefork.service": unit(
        f"{PYTHON} /srv/t/prefork.py 0.0.0.0 8100", description="Prefork application", enabled=True
    ),
    "forking.service": unit(f"/bin/sh -c '{PYTHON} /srv/t/prefork.py 127.0.0.1 8101 & wait'", enabled=True),
    "dynamic.service": unit(f"{PYTHON} -m http.server 8102 --directory /srv/t", "DynamicUser=yes", enabled=True),
    "chatter.service": unit(f"{PYTHON} /srv/t/chatter.py 0.0.0.0 8105", enabled=True),
    "database.service": unit(f"{PYTHON} /srv/t/chatter.py 127.0.0.1 5432", enabled=True),
    "worker.service": unit("/bin/sleep infinity", enabled=True),
    "broken.service": unit("/bin/false", enabled=True),
    "loop.service": unit("/bin/false", "Restart=always", "RestartSec=300", enabled=True),
    "once.service": unit("/bin/true", "Type=oneshot", "RemainAfterExit=yes", enabled=True),
    "stopped.service": unit("/bin/sleep infinity", enabled=True),
    "disabled.service": unit("/bin/sleep infinity"),
    "tick.service": unit("/bin/true", "Type=oneshot"),
    "tick.timer": "[Timer]\nOnActiveSec=1h\n[Install]\nWantedBy=timers.target\n",
    "nightly.service": unit("/bin/false", "Type=oneshot"),
    "nightly.timer": "[Timer]\nOnCalendar=*-*-* 03:00:00\n[Install]\nWantedBy=timers.target\n",
    "queue@.service": unit("/bin/sleep infinity", description="Queue %I"),
    "demand.socket": "[Socket]\nListenStream=8103\n[Install]\nWantedBy=sockets.target\n",
    "demand.service": unit("/bin/sleep infinity"),
    "each.socket": "[Socket]\nListenStream=127.0.0.1:8104\nAccept=yes\n",
    "each@.service": unit("/bin/sleep infinity", "StandardInput=socket"),
    "elsewhere.service": f"[Unit]\nConditionPathExists=/nowhere\n{unit('/bin/sleep infinity', enabled=True)}",
    "unusable.service": f"[Service]\nType=simple\n{INSTALL}",
    "cover.service": unit("/bin/sleep infinity"),
    "uplog.service": unit("/srv/t/uplog 127.0.0.1 8000", enabled=True),
}
ENABLED = ["stopped", "broken", "elsewhere", "unusable"]  # should run and do not
STARTED = [
    *("prefork", "forking", "dynamic", "chatter", "database", "worker", "loop", "once", "uplog", "nginx"),
    *("tick.timer", "nightly.timer", "demand.socket", "each.socket", r"queue@my\x2dqueue"),
]


class Machine:
    """A running machine; commands run inside it."""

    def __init__(self, pid: str, folder: Path) -> None:
        self.pid = pid
        self.folder = folder  # the same path inside and outside

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command inside as root and return what it printed."""
        inside = ["nsenter", "-t", self.pid, "-a", "--", *command]
        done = subprocess.run(inside, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def ask(self, what: str, *, user: str = "root", **values: Any) -> Any:
        """Run one of the questions of machine_inside.py as *user* inside, and return its answer."""
        question = json.dumps({"what": what, "user": user, **values})
        # an empty environment but for cron's bare PATH
        return json.loads(
            self.run("env", "-i", "PATH=/usr/bin:/bin", sys.executable, str(HERE / "machine_inside.py"), question)
        )

    def has_ports(self, ports: Sequence[int]) -> bool:
        """Wait, 10 s at most, until all *ports* listen."""
        script = "for i in $(seq 500); do ok=1; for p in $@; do ss -Htln sport = :$p | grep -q . || ok=; done; "
        script += "[ $ok ] && exit 0; sleep 0.02; done; exit 1"
        self.run("bash", "-c", script, "wait", *map(str, ports))
        return True


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Start a machine with all UNITS and nginx, or skip."""
    needs_real(shutil.which("ss") and shutil.which("nginx"), "ss and nginx: apt install iproute2 nginx-light")
    files = folder / "files"
    files.mkdir()
    for name, text in {**UNITS, "prefork.py": PREFORK, "chatter.py": CHATTER}.items():
        (files / name).write_text(text)
    with booted(folder) as inside:
        prepare(inside, files)
        yield inside


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Start a machine with no services but systemd's own, or skip."""
    needs_real(shutil.which("unshare") and Path("/lib/systemd/systemd").exists(), "a systemd: apt install systemd dbus")
    needs_real(os.geteuid() == 0, "root, for namespaces")
    shared = f"{sys.prefix} {HERE.parent}"
    done = subprocess.run(
        [HERE / "machine-up.sh", folder],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "BIND": shared},
    )
    needs_real(done.returncode == 0, f"namespaces, overlayfs and cgroup2: {done.stderr[-300:]}")
    try:
        yield Machine(done.stdout.strip(), folder)
    finally:
        subprocess.run([HERE / "machine-down.sh", folder], timeout=300, check=False)


def prepare(inside: Machine, files: Path) -> None:
    """Install the units inside, start what should run and break what should be broken."""
    shebang = f"#!{PYTHON}\n{PREFORK}"
    (files / "uplog").write_text(shebang)
    inside.run("bash", "-c", f"mkdir -p /srv/t && cp {files}/*.py {files}/uplog /srv/t && chmod -R a+rX,a+x /srv/t")
    inside.run("bash", "-c", f"cp {files}/*.service {files}/*.timer {files}/*.socket /etc/systemd/system/")
    inside.run("bash", "-c", "mv /etc/systemd/system/cover.service /lib/systemd/system/")
    inside.run("systemctl", "mask", "cover")
    inside.run("systemctl", "daemon-reload")
    inside.run("systemctl", "enable", *ENABLED)
    inside.run("systemctl", "start", *STARTED)
    inside.run("systemctl", "start", "broken", "elsewhere", check=False)
    inside.has_ports([80, 8100, 8101, 8102, 8103, 8104, 8105, 5432, 8000])


def needs_real(there: object, what: str) -> None:
    """Skip the test where a real component is missing, and fail it in CI, where none may be."""
    if not there:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse(f"needs {what}")


def pretend_tool(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, script: str) -> None:
    """Put a tool of this machine aside for a shell script: first on PATH, as an operator's own would be."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
