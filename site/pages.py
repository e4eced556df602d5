"""Make the pages of each audience from the record."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from uplog.collector.config import Config
from uplog.collector.maintenance import upcoming
from uplog.collector.model import History

from . import incidents
from .file import File
from .render import drawings, plan
from .timeline import unpublished
from .values import Audience, Page
from .view import page, views


def pages(
    config: Config, history: History, addresses: Mapping[Audience, str | None]
) -> Iterator[tuple[Page, dict[str, File], Sequence[str]]]:
    """Yield the page of each audience, the files of that, and what is wrong with what the operator wrote of incidents.

    *addresses* are where Datasette is for each audience.
    """
    said, problems = incidents.read(config.incidents, config.timezone)
    problems += unpublished(said, [one.service for one in history.services])
    announced = upcoming(config.maintenance, [one.service for one in history.services], history.now)
    seen = views(history, config.timezone)
    drawn = drawings(seen)
    for audience, address in addresses.items():
        made = page(
            history,
            zone=config.timezone,
            audience=audience,
            title=config.title,
            public_url=config.public_url,
            query_url=asked_at(address, config.database.stem),
            announced=announced,
            said=said,
            problems=problems,
            keep=config.keep,
            viewed=seen,
        )
        yield made, plan(made, drawn), problems


def asked_at(datasette: str | None, database: str) -> str | None:
    """Return the address of *database* in the Datasette that is at an address, which may name the database already.

    >>> asked_at("http://127.0.0.1:8001/", "uplog"), asked_at("https://example.org/history/uplog", "uplog")
    ('http://127.0.0.1:8001/uplog', 'https://example.org/history/uplog')
    """
    if datasette is None or urlsplit(datasette).path.strip("/"):
        return datasette
    return f"{datasette.rstrip('/')}/{database}"
