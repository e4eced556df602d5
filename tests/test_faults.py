"""A run that is told to stop."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from aiohttp import web
from test_cycle import serving

pytestmark = pytest.mark.integration

CONFIG = """
[[service]]
name = "answers"
url = "http://127.0.0.1:{port}/"

[[service]]
name = "hangs"
url = "http://127.0.0.1:{port}/hangs"
timeout = "110s"
every = "2m"
"""


def test_a_run_that_is_told_to_stop_while_it_asks_writes_nothing_and_says_so(tmp_path: Path) -> None:
    asked, ended = Event(), Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/hangs":
            asked.set()
            while not ended.is_set():
                await asyncio.sleep(0.05)
        return web.Response(text="ok")

    with serving(answer) as port:
        (tmp_path / "uplog.toml").write_text(CONFIG.format(port=port))
        command = [sys.executable, "-m", "uplog.collector", "run", "--no-build"]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            assert asked.wait(60)
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
        ended.set()

    assert process.returncode == 1
    assert said == "uplog: stopped before all answers were there; nothing of them is recorded\n"
    with sqlite3.connect(tmp_path / "data/uplog.db") as db:
        assert db.execute("select (select count(*) from observations), (select count(*) from runs)").fetchone() == (
            0,
            0,
        )
    db.close()
