"""Bring history along, as `uplog import csv` does."""

from collections.abc import Iterable
from datetime import datetime

from uplog.collector.bring import bring
from uplog.collector.config import Config
from uplog.collector.importing.own import read_csv
from uplog.collector.store import Store
from uplog.collector.store.old import Kept
from uplog.collector.store.staged import Staged

HEADER = "service,at,state,latency_ms,reason"


def brought(config: Config, store: Store, rows: Iterable[str], now: datetime, every: int | None = None) -> list[Kept]:
    """Import *rows*, as lines of a table whose interval was *every* ms."""
    with Staged(now) as staged:
        staged.take(read_csv([HEADER, *rows], "old.csv", now))
        return bring(config, store, staged, now, every)
