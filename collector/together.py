"""`uplog up`: watch, the page and Datasette as three ordinary commands under one supervisor."""

import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from . import datasette
from .config import Config
from .store import Store, record
from .up import Child, up


def run_all(
    config: Config,
    path: Path | None,
    database: Path | None,
    clock: Callable[[], datetime],
    *,
    also: Sequence[Child] = (),
) -> int:
    """Run everything, and what is given in *also*, until it is told to stop; return the exit code.

    The page is on UPLOG_PORT (8000), Datasette on UPLOG_QUERY_PORT (8001), both on loopback only.
    """
    page_port, query_port = _port("UPLOG_PORT", 8000), _port("UPLOG_QUERY_PORT", 8001)
    with Store(config.database, zone=config.timezone, patience=2) as store:  # also so that Datasette finds it
        metadata = datasette.prepare(config.database)

        def keep(kind: str, detail: str) -> None:
            with store.writing() as db:
                record.event(db, clock(), kind, detail)

        uplog = [sys.executable, "-m", "uplog.collector"]
        uplog += ["--config", str(path)] if path else []
        uplog += ["--db", str(database)] if database else []
        page = [
            "build",
            "--watch",
            "--serve",
            str(page_port),
            "--query-url",
            f"http://127.0.0.1:{query_port}/{config.database.stem}",
        ]
        return up(
            [
                *also,
                Child(name="watch", argv=[*uplog, "watch"]),
                Child(
                    name="page",
                    argv=[*uplog, *page],
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
                    quiet=True,  # a line for each request
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
