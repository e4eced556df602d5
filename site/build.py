"""From the record to the pages on disk: nothing where nothing has changed; else read, view, render, write."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from uplog.collector.config import APART, Config, is_apart
from uplog.collector.garbage import COLLECT_PAGES_AFTER, seldom_collecting
from uplog.collector.history import silence_known
from uplog.collector.model import SECOND, floor_second, from_ms, to_ms
from uplog.collector.store import Store
from uplog.collector.store.read import history_at, newest_decided, newest_seen

from .audience import Audience
from .memory import VERSION, Memory, intact, keep, recall
from .notes import notes
from .stamp import made_by, seen, stamp
from .write import WriteFailed, make, update

if TYPE_CHECKING:
    from uplog.collector.surroundings import Surroundings

MODES: Mapping[Audience, int] = {"public": 0o755, "internal": 0o700}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What building the page of one audience did."""

    audience: str
    folder: Path
    services: int
    written: Sequence[str]
    problems: Sequence[str]  # with what the operator wrote of incidents, and wants of the look


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The page of one audience that is to be built."""

    audience: Audience
    folder: Path
    address: str | None  # of Datasette
    stamp: bytes | None  # of all that it follows from
    memory: Memory | None  # of what was built there before

    @property
    def there(self) -> bool:
        """Whether it is there already, as it would be built."""
        known = self.memory
        return known is not None and self.stamp is not None and known.stamp == self.stamp and intact(known, self.folder)


@seldom_collecting(COLLECT_PAGES_AFTER)
def build(
    config: Config,
    store: Store,
    clock: datetime,
    *,
    now: datetime | None = None,
    audiences: Sequence[Audience] = ("public", "internal"),
    out: Path | None = None,
    query_url: str | None = None,
) -> list[Built]:
    """Build the page as of *now* for each audience, into *out* or where the configuration says.

    *query_url* is where Datasette is for those who see the internal page; the public one links to the configured
    address only. Without *now* the page is as of the newest observation while that one still speaks (see `as_of`).
    Raises StoreError and WriteFailed.
    """
    with store.reading() as db:
        now = now or as_of(
            *newest_seen(db), clock, [newest_decided(db, clock), newest_written(config.incidents, clock)]
        )
    wanted = [want(config, audience, now, out, query_url) for audience in audiences]
    if all(one.there for one in wanted):
        return [untouched(one) for one in wanted]

    # what reading and rendering take to import is a third of all that a build does that finds nothing to do
    from .pages import sites, worn

    with store.reading() as db:
        history = history_at(db, now)
        around = around_it(db, now, config) if "internal" in audiences else None

    built = []
    for one, site in zip(
        wanted, sites(config, history, around, {one.audience: one.address for one in wanted}), strict=True
    ):
        known = one.memory.files if one.memory else None
        put = partial(update, folder=one.folder, mode=MODES[one.audience], known=known)
        written, site = worn(site, put)
        shown = len(site.page.services)
        memory = Memory(
            version=VERSION,
            made_by=made_by(),
            stamp=one.stamp,
            services=shown,
            problems=list(site.problems),
            files=dict(written.known),
        )
        keep(memory, config.database, one.folder)
        built.append(
            Built(
                audience=one.audience, folder=one.folder, services=shown, written=written.names, problems=site.problems
            )
        )
    return built


def around_it(db: sqlite3.Connection, now: datetime, config: Config) -> "Surroundings":
    """Read what only the operator sees, which a build for the public alone has no need to import."""
    from uplog.collector.store.inside import surroundings

    return surroundings(db, now, config.targets, config.discover)


def want(config: Config, audience: Audience, now: datetime, out: Path | None, query_url: str | None) -> Wanted:
    """Say what is to be built for *audience*, and what is known of what is there."""
    folder = out or (config.site if audience == "public" else config.internal)
    if audience == "public" and not is_apart(folder, config.database, config.path):
        raise WriteFailed(f"{folder}: for the public page expected {APART}")
    address = config.query_url or (query_url if audience == "internal" else None)
    return Wanted(
        audience=audience,
        folder=folder,
        address=address,
        stamp=stamp(config, now, audience, address),
        memory=recall(config.database, folder, made_by()),
    )


def untouched(one: Wanted) -> Built:
    """Say that the page of an audience is there already."""
    assert one.memory
    make(one.folder, MODES[one.audience])
    return Built(
        audience=one.audience,
        folder=one.folder,
        services=one.memory.services,
        written=(),
        problems=one.memory.problems,
    )


def as_of(
    newest: datetime | None, shortest_every: int | None, clock: datetime, besides: Iterable[datetime | None] = ()
) -> datetime:
    """Return the whole second that a page is built for when nobody names one.

    While the newest observation still speaks, nothing is known beyond it and what happened *besides*: the page is as
    of the later of them, so that building it again without new rows writes nothing. From then on it is as of the
    clock, and says what is no longer known.
    """
    if newest is None or shortest_every is None or clock >= silence_known(newest, shortest_every):
        return floor_second(clock)
    latest = max([newest, *(one for one in besides if one)])
    return floor_second(latest + SECOND - timedelta(microseconds=1))


def newest_written(folder: Path, clock: datetime) -> datetime | None:
    """Return when, not later than *clock*, the operator last wrote of incidents in *folder*.

    Who asks once an hour tells of an outage at once.
    """
    paths: Sequence[Path] = ()
    with suppress(OSError):  # which is told by who reads them
        paths = notes(folder)
    changed = (changed // 1_000_000 for *_, changed in seen(paths))
    latest = max((ms for ms in changed if ms <= to_ms(clock)), default=None)
    return None if latest is None else from_ms(latest)
