"""`uplog import`: old history through the same step."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from . import history
from .config import Config
from .cycle import sync
from .model import Check
from .store import Store, catalog
from .store.known import spans_at
from .store.old import KIND, Kept, keep_staged
from .store.staged import Staged
from .store.upkeep import keep_zone


def bring(config: Config, store: Store, staged: Staged, now: datetime, every: int | None = None) -> list[Kept]:
    """Import what is *staged*; return what was kept, by service.

    *every* is the interval that was in force, in ms; none: what the source says, or that of the check which takes the
    rows. A transaction a service: a daemon beside it is not held up for the whole of it, and importing that again
    changes nothing.
    """
    defaults = config.defaults
    template = Check(
        key="",
        service="",
        kind=KIND,
        target="",
        every=every or defaults.every,
        declared_every=every or defaults.every,
        failure_threshold=defaults.failure_threshold,
        success_threshold=defaults.success_threshold,
    )
    with store.writing() as db:
        sync(config, db, now, set())  # so that configured names are known
        keep_zone(db, store.zone)
    kept: list[Kept] = []
    for name, told in staged.services.items():
        if not told.checks:  # nothing is known of it but its name
            continue
        with store.writing() as db:
            kept += keep_staged(db, staged, [name], template, now, store.zone, every)
    return kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an import brought of one service, and how that service was from its first row to its last."""

    kept: Kept
    first: datetime | None
    last: datetime | None
    uptime: str | None  # percent
    observed: str | None


def brought(store: Store, staged: Staged, kept: Sequence[Kept], now: datetime) -> list[Brought]:
    """Tell what became of each service."""
    with store.reading() as db:
        found = []
        for one in kept:
            reach = staged.reach(one.name)
            first, last = (reach[0], reach[1]) if reach else (None, None)
            service = catalog.find_service(db, one.key)[0]
            account = history.account(spans_at(db, service, now), first, last) if first and last else history.Account()
            uptime, observed = history.percent(account.uptime), history.percent(account.observed)
            found.append(Brought(kept=one, first=first, last=last, uptime=uptime, observed=observed))
    return found
