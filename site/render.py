"""Turn a page into files: {name: bytes}, the same for the same page."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import quote

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from . import beside, draw, words
from .asset import asset, digest
from .beside.icons import icon
from .file import File, made_from, whole
from .status import iso, status, status_txt
from .still import common, lasting, still
from .values import CELLS, Calendar, IncidentView, Page, ServiceView

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What the index draws of one service."""

    bar: Markup


def drawings(services: Iterable[ServiceView]) -> dict[str, Drawn]:
    """Draw every service for the index, by slug: the same for each audience."""
    return {one.slug: Drawn(bar=draw.bar(one.name, one.days, f"service/{one.slug}.html")) for one in services}


def render(page: Page) -> dict[str, bytes]:
    """Return every file of the site: index.html, service/<slug>.html, status.json, status.txt, and those beside them.

    Links are relative and name files, so that the site works at any address and from a folder. Styles and script
    stand in the pages themselves: one file is a whole page, and the policy can name them by their hashes.
    """
    return {name: file.make() for name, file in plan(page).items()}


def plan(page: Page, drawn: Mapping[str, Drawn] | None = None) -> dict[str, File]:
    """Return the files that `render` makes; pages of services and incidents are not made yet.

    *drawn* is what `drawings` made of the same services, when there are pages for more than one audience.
    """
    environment = templates()
    site, told = common(page), beside.told_of(page)
    shown = [still(one) for one in page.services]
    known = made_from(site)
    sources = [made_from(known, one, told.get(one.slug, ())) for one in shown]
    files = {name: whole(content) for name, content in beside.of_site(page).items()}
    service = environment.get_template("service.html")
    for one, source in zip(shown, sources, strict=True):
        files[f"service/{one.slug}.html"] = File(source=source, make=partial(page_of, service, site, one))
        for name, make in beside.of_service(one, site, told.get(one.slug, ())):
            files[name] = File(source=source, make=make)
    files |= incidents(page, environment.get_template("incident.html"))
    past = replace(site, months=page.months, services=tuple(shown))
    source = made_from(known, page.months, sources)
    files["history.html"] = File(
        source=source, make=partial(summary_of, environment.get_template("history.html"), past)
    )
    files["about.html"] = File(source=known, make=partial(summary_of, environment.get_template("about.html"), site))
    return files | {name: whole(content) for name, content in overview(page, drawn).items()}


def overview(page: Page, drawn: Mapping[str, Drawn] | None = None) -> dict[str, bytes]:
    """Return what tells how everything is now, which is new with every build: index.html, status.json, status.txt."""
    drawn = drawings(page.services) if drawn is None else drawn
    index = templates().get_template("index.html")
    return {
        "status.json": msgspec.json.encode(status(page)) + b"\n",
        "status.txt": status_txt(page).encode(),
        "index.html": index.render(page=page, look=page.headline.look, drawn=drawn).encode(),
    }


def incidents(page: Page, template: Template) -> Iterator[tuple[str, File]]:
    """Yield the page of each incident, which stays as it is once that is over."""
    site = lasting(page)
    known = made_from(site)
    for one in page.incidents:
        make = partial(incident_of, template, site, one)
        yield f"incident/{one.name}.html", File(source=made_from(known, one), make=make)


def page_of(template: Template, page: Page, service: ServiceView) -> bytes:
    """Render the page of one *service*."""
    return template.render(
        page=page,
        service=service,
        look=service.look,
        bar=draw.bar(service.name, service.days),
        charts=charts(service, page.calendar),
        periods=[(words.PERIODS[period], figure) for period, figure in service.uptime.items()],
        months=[(month.title, month.figure) for month in reversed(service.months)],
    ).encode()


def summary_of(template: Template, page: Page) -> bytes:
    """Render a page that tells of all of them together."""
    return template.render(page=page, look="up").encode()


def incident_of(template: Template, page: Page, one: IncidentView) -> bytes:
    """Render the page of *one* incident."""
    return template.render(page=page, one=one, look=one.look).encode()


def charts(service: ServiceView, calendar: Calendar) -> tuple[tuple[draw.Chart, str], ...]:
    """Draw the response times of one *service*, each drawing with what it shows."""
    both = (
        (draw.lately(service, calendar), "24 hours: median and slowest (dotted) of each quarter of an hour"),
        (draw.daily(service, calendar), "90 days: median and 95th percentile (dotted) of each day; outages shaded"),
    )
    return tuple((chart, about) for chart, about in both if chart)


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Compile the templates, once."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    style, script = asset("style.css"), asset("stale.js")
    environment.globals.update(
        CELLS=CELLS,
        STATES=words.STATES,
        SHAPES=words.SHAPES,
        ICONS={look: icon(look) for look in words.SHAPES},
        style=style,
        script=script,
        hashes={"style": digest(style), "script": digest(script)},
        milliseconds=words.milliseconds,
        interval=words.interval,
    )
    environment.filters.update(iso=iso, quote=lambda text: quote(text, safe=""), sentence=words.sentence)
    return environment
