"""Keep the page built: again whenever the record changes, and when its newest observation goes silent."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Event

from uplog.collector.config import Config
from uplog.collector.store import Store, StoreError
from uplog.collector.store.read import data_version

from .audience import Audience
from .build import build
from .write import WriteFailed

log = logging.getLogger(__name__)

LOOK_S = 1.0  # between two looks at the record; a change takes a page of its own at most that often
QUIET_S = 60.0  # without a change the page is made again this often: what was known grows old


def keep_building(
    config: Config,
    stopped: Event,
    clock: Callable[[], datetime],
    *,
    audiences: Sequence[Audience],
    out: Path | None = None,
    port: int | None = None,
    query_url: str | None = None,
) -> None:
    """Build until *stopped*, as build() does; with *port* serve the internal page on loopback meanwhile."""

    known: set[str] = set()

    def build_now(store: Store) -> None:
        nonlocal known
        pages = build(config, store, clock(), audiences=audiences, out=out, query_url=query_url)
        for one in pages:
            log.info("%s page: %d files written", one.audience, len(one.written))
        problems = {problem for one in pages for problem in one.problems}
        for problem in sorted(problems - known):
            log.warning("%s", problem)
        known = problems

    if port is None:
        _build_on_change(config, stopped, build_now)
    else:
        asyncio.run(_serving(config, stopped, build_now, port))


async def _serving(config: Config, stopped: Event, build_now: Callable[[Store], None], port: int) -> None:
    from aiohttp import web

    from .serve import app

    runner = web.AppRunner(app(config.internal, port=port), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        await asyncio.to_thread(_build_on_change, config, stopped, build_now)
    finally:
        await runner.cleanup()


def _build_on_change(config: Config, stopped: Event, build_now: Callable[[Store], None]) -> None:
    """Build once, then whenever another process has written; a failure is tried again, and logged when it is new."""
    store: Store | None = None
    built: int | None = None
    quiet = 0.0
    failed = ""
    while not stopped.is_set():
        try:
            store = store or Store(config.database, zone=config.timezone, readonly=True)
            with store.reading() as db:
                version = data_version(db)
            if version != built or quiet >= QUIET_S:
                build_now(store)
                built, quiet = version, 0.0
            failed = ""
        except (StoreError, WriteFailed) as error:
            if str(error) != failed:
                log.warning("the page was not built: %s", error)
            failed = str(error)
        quiet += LOOK_S
        stopped.wait(LOOK_S)
    if store is not None:
        store.close()
