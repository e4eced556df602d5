"""The line of deploy/crontab under a real cron daemon, which gives it an almost empty environment.

The daemon runs in a mount and process namespace of its own: nothing of this machine's cron is touched or run.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers_real import libfaketime

from uplog.collector.store import Store

ROOT = Path(__file__).parent.parent
CRONTAB = ROOT / "deploy" / "crontab"
pytestmark = [pytest.mark.integration, pytest.mark.slow]

CONFIG = """
[[service]]
name = "web"
url = "http://127.0.0.1:9/"
failure_threshold = 1
"""
BEGINS_S = 57  # of a minute: cron starts jobs at the full one

# $1 is the folder that is /srv/uplog in there, $2 the crontab, $3 and $4 what makes the daemon's clock fast;
# jobs have an environment of their own, and with it the time of this machine
NAMESPACE = """
set -e
mount -t tmpfs tmpfs /run
for folder in /srv /var/spool/cron /etc/cron.d; do mount -t tmpfs tmpfs $folder; done
mount --bind /dev/null /etc/crontab
mkdir -p /srv/uplog
mount --bind "$1" /srv/uplog
mkdir -p /var/spool/cron/crontabs
install -m 600 "$2" /var/spool/cron/crontabs/root
LD_PRELOAD=$3 FAKETIME=$4 NO_FAKE_STAT=1 exec /usr/sbin/cron -f
"""


def missing() -> str | None:
    """Say what this machine lacks for the test."""
    if shutil.which("cron", path="/usr/sbin") is None:
        return "needs Debian's cron: apt-get install cron"
    if os.geteuid() != 0:
        return "needs root, to make namespaces"
    return None


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    """Give the folder that is /srv/uplog for a running cron daemon."""
    if reason := missing():
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    fast = f"+{(BEGINS_S - time.time()) % 60:.1f}"
    words = ["sh", "-c", NAMESPACE, "sh", tmp_path, CRONTAB, libfaketime(), fast]
    daemon = subprocess.Popen([*unshare, *words], env=environment)
    yield tmp_path
    daemon.kill()  # and with it, as the first process of the namespace ends, everything in there
    daemon.wait()


def test_the_line_works_under_cron(machine: Path) -> None:
    (machine / "uplog.toml").write_text(CONFIG)
    deadline = time.monotonic() + 150  # a busy machine may miss the first full minute
    index = machine / "public" / "index.html"
    while not index.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    asked = "select service_name, outcome, reason from observations limit 1"
    with Store(machine / "data" / "uplog.db", readonly=True) as store, store.reading() as db:
        assert db.execute(asked).fetchone() == ("web", "fail", "refused")
        assert db.execute("select trigger, error from runs").fetchone() == ("cron", None)
    assert "web" in index.read_text()
