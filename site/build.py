"""From the record to the pages on disk: read, view, render, write."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from uplog.collector.config import Config
from uplog.collector.history import silence_known
from uplog.collector.maintenance import upcoming
from uplog.collector.model import SECOND, floor_second
from uplog.collector.store import Store
from uplog.collector.store.read import history_at, newest_seen

from . import incidents
from .catalogue import tongue as tongue_of
from .render import drawings, render
from .timeline import unpublished
from .view import Audience, calendar_of, page, views
from .write import write

MODES = {"public": 0o755, "internal": 0o700}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What building the page of one audience did."""

    audience: str
    folder: Path
    services: int
    written: Sequence[str]
    problems: Sequence[str]  # with what the operator wrote of incidents


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
        history = history_at(db, now or as_of(*newest_seen(db), clock))
    said, problems = incidents.read(config.incidents, config.timezone)
    problems += unpublished(said, [one.service for one in history.services])
    announced = upcoming(config.maintenance, [one.service for one in history.services], history.now)
    tongue = tongue_of(config.language)
    seen = views(history, config.timezone, tongue)
    drawn = drawings(seen, calendar_of(history.now, config.timezone, tongue))
    addresses = {"public": config.query_url, "internal": config.query_url or query_url}
    built = []
    for audience in audiences:
        made = page(
            history,
            zone=config.timezone,
            audience=audience,
            tongue=tongue,
            title=config.title,
            public_url=config.public_url,
            query_url=asked_at(addresses[audience], config.database.stem),
            announced=announced,
            said=said,
            problems=problems,
            keep=config.keep,
            viewed=seen,
        )
        folder = out or (config.site if audience == "public" else config.internal)
        written = write(render(made, drawn), folder, MODES[audience])
        built.append(
            Built(audience=audience, folder=folder, services=len(made.services), written=written, problems=problems)
        )
    return built


def asked_at(datasette: str | None, database: str) -> str | None:
    """Return the address of *database* in the Datasette that is at an address, which may name the database already.

    >>> asked_at("http://127.0.0.1:8001/", "uplog"), asked_at("https://example.org/history/uplog", "uplog")
    ('http://127.0.0.1:8001/uplog', 'https://example.org/history/uplog')
    """
    if datasette is None or urlsplit(datasette).path.strip("/"):
        return datasette
    return f"{datasette.rstrip('/')}/{database}"


def as_of(newest: datetime | None, shortest_every: int | None, clock: datetime) -> datetime:
    """Return the whole second that a page is built for when nobody names one.

    While the newest observation still speaks, nothing is known beyond it: the page is as of that, so that building
    it again without new rows writes nothing. From then on it is as of the clock, and says what is no longer known.
    """
    if newest is None or shortest_every is None or clock >= silence_known(newest, shortest_every):
        return floor_second(clock)
    return floor_second(newest + SECOND - timedelta(microseconds=1))
