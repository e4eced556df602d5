"""`uplog up`: watch, the page and Datasette as three ordinary commands under one supervisor."""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from . import datasette
from .config import Config
from .store import Store, record
from .up import Child, up


def run_all(config: Config, path: Path | None, database: Path | None, clock: Callable[[], datetime]) -> int:
    """Run everything until it is told to stop; return the exit code.

    The page is on UPLOG_PORT (8000), Datasette on UPLOG_QUERY_PORT (8001), both on loopback only.
    """
    page_port, query_port = _port("UPLOG_PORT", 8000), _port("UPLOG_QUERY_PORT", 8001)
    with Store(config.database, zone=config.timezone) as store:  # so that Datasette finds it
        metadata = datasette.prepare(config.database)

        def keep(kind: str, detail: str) -> None:
            with store.writing() as db:
                record.event(db, clock(), kind, detail)

        uplog = [sys.executable, "-m", "uplog.collector"]
        uplog += ["--config", str(path)] if path else []
        uplog += ["--db", str(database)] if database else []
        links = {**os.environ, "UPLOG__UPLOG__QUERY_URL": config.query_url or f"http://127.0.0.1:{query_port}/"}
        return up(
            [
                Child(name="watch", argv=[*uplog, "watch"]),
                Child(
                    name="page",
                    argv=[*uplog, "build", "--watch", "--serve", str(page_port)],
                    env=links,
                    port=page_port,
                    port_variable="UPLOG_PORT",
                    title="the page",
                ),
                Child(
                    name="datasette",
                    argv=datasette.command(config.database, query_port, metadata),
                    port=query_port,
                    port_variable="UPLOG_QUERY_PORT",
                    title="Datasette",
                ),
            ],
            record_event=keep,
        )


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        sys.exit(f'uplog: {variable}: expected a port from 1 to 65535, got "{text}"')
    return int(text)
