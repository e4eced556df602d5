"""Make the sites of each audience from the record, in the look that the operator wants."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from uplog.collector.config import Config
from uplog.collector.maintenance import upcoming
from uplog.collector.model import History

from .audience import Audience
from .catalogue import tongue as tongue_of
from .file import File
from .notes import notes
from .render import Drawn, drawings, plan
from .theme.read import read as read_theme
from .theme.skin import Skin
from .theme.templates import blamed
from .timeline import unpublished
from .values import Calendar, Page, ServiceView, Words
from .view import calendar_of, page, views

if TYPE_CHECKING:
    from uplog.collector.surroundings import Surroundings

    from .inside.values import Inside

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The page of one audience before it is rendered."""

    page: Page
    drawn: Mapping[str, Drawn]
    skin: Skin
    problems: Sequence[str]  # with what the operator wrote of incidents, and wants of the look

    def files(self) -> dict[str, File]:
        """Plan its files; raises TemplateWrong, then or when they are made."""
        return plan(self.page, self.skin, self.drawn)

    def bare(self, failed: str) -> "Site":
        """Return it without the operator's templates, of which is to be said what *failed*."""
        shown = (*self.page.problems, failed) if self.page.audience == "internal" else ()
        return replace(
            self,
            page=replace(self.page, problems=shown),
            skin=replace(self.skin, templates=()),
            problems=[*self.problems, failed],
        )


def worn(site: Site, put: Callable[[Mapping[str, File]], T]) -> tuple[T, Site]:
    """Let *put* have the files of *site*, and return what it made of them; *put* changes nothing until all are made.

    Where a template of the operator fails, ours take the place of all of them: one that fails only in an outage must
    not take the page away just then.
    """
    try:
        return put(site.files()), site
    except Exception as error:
        failed = blamed(error, site.skin)
        if failed is None:
            raise
        bare = site.bare(failed)
        return put(bare.files()), bare


def sites(
    config: Config, history: History, around: "Surroundings | None", addresses: Mapping[Audience, str | None]
) -> Iterator[Site]:
    """Yield the site of each audience, of which *addresses* say where Datasette is for it.

    What is *around* the services is for the internal one.
    """
    said, problems = written(config)
    problems += unpublished(said, [one.service for one in history.services])
    skin, unfit = read_theme(config.theme, config.origins)
    problems += unfit
    announced = upcoming(config.maintenance, [one.service for one in history.services], history.now)
    tongue = tongue_of(config.language)
    calendar = calendar_of(history.now, config.timezone, tongue)
    seen = views(history, config.timezone, tongue)
    drawn = drawings(seen, calendar)
    own = inside(config, seen, around, calendar) if around else None
    for audience, address in addresses.items():
        made = page(
            history,
            zone=config.timezone,
            audience=audience,
            tongue=tongue,
            title=config.title,
            public_url=config.public_url,
            query_url=asked_at(address, config.database.stem),
            announced=announced,
            said=said,
            problems=problems,
            keep=config.keep,
            order=config.groups,
            viewed=seen,
            inside=own,
        )
        yield Site(page=made, drawn=drawn, skin=skin, problems=problems)


def written(config: Config) -> tuple[list[Words], list[str]]:
    """Read what the operator wrote of incidents, and what is wrong with that.

    Most wrote nothing, and then what reads YAML and Markdown is not imported either.
    """
    with suppress(OSError):  # which is told
        if not notes(config.incidents):
            return [], []
    from .incidents import read

    return read(config.incidents, config.timezone)


def inside(config: Config, seen: Sequence[ServiceView], around: "Surroundings", calendar: Calendar) -> "Inside":
    """Make what only the operator sees, which a build for the public alone has no need to import."""
    from .inside.operators import operators

    return operators(config, seen, around, calendar)


def asked_at(datasette: str | None, database: str) -> str | None:
    """Return the address of *database* in the Datasette that is at an address, which may name the database already.

    >>> asked_at("http://127.0.0.1:8001/", "uplog"), asked_at("https://example.org/history/uplog", "uplog")
    ('http://127.0.0.1:8001/uplog', 'https://example.org/history/uplog')
    """
    if datasette is None or urlsplit(datasette).path.strip("/"):
        return datasette
    return f"{datasette.rstrip('/')}/{database}"
