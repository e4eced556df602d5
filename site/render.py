"""Turn a page into files: {name: bytes}, the same for the same page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from urllib.parse import quote

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from . import beside, draw, words
from .about import failures
from .asset import asset, digest
from .beside.icons import icon
from .status import iso, status, status_txt
from .tongue import Tongue, message
from .translating import Translating
from .values import CELLS, Calendar, Page, ServiceView

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is drawn of one service."""

    bar: Markup  # for the index
    own: Markup  # for the page of the service
    charts: tuple[tuple[draw.Chart, str], ...]


def drawings(services: Iterable[ServiceView], calendar: Calendar) -> dict[str, Drawn]:
    """Draw every service, by slug: the same for each audience."""
    return {
        one.slug: Drawn(
            bar=draw.bar(calendar.tongue, one.name, one.days, f"service/{one.slug}.html"),
            own=draw.bar(calendar.tongue, one.name, one.days),
            charts=charts(one, calendar),
        )
        for one in services
    }


def render(page: Page, drawn: Mapping[str, Drawn] | None = None) -> dict[str, bytes]:
    """Return every file of the site: index.html, service/<slug>.html, status.json, status.txt, and those beside them.

    *drawn* is what `drawings` made of the same services, when there are pages for more than one audience.

    Links are relative and name files, so that the site works at any address and from a folder. Styles and script
    stand in the pages themselves: one file is a whole page, and the policy can name them by their hashes.
    """
    drawn = drawings(page.services, page.calendar) if drawn is None else drawn
    environment = templates(page.tongue)
    index, service = environment.get_template("index.html"), environment.get_template("service.html")
    files = beside.files(page)
    files |= {f"service/{one.slug}.html": page_of(service, page, one, drawn[one.slug]) for one in page.services}
    incident = environment.get_template("incident.html")
    for one in page.incidents:
        files[f"incident/{one.name}.html"] = incident.render(page=page, one=one, look=one.look).encode()
    for name in ("about.html", "history.html"):
        files[name] = environment.get_template(name).render(page=page, look="up").encode()
    files["status.json"] = msgspec.json.encode(status(page)) + b"\n"
    files["status.txt"] = status_txt(page).encode()
    files["index.html"] = index.render(page=page, look=page.headline.look, drawn=drawn).encode()
    return files


def page_of(template: Template, page: Page, service: ServiceView, drawn: Drawn) -> bytes:
    """Render the page of one *service*."""
    return template.render(
        page=page,
        service=service,
        look=service.look,
        bar=drawn.own,
        charts=drawn.charts,
        periods=[(page.tongue.gettext(words.PERIODS[period]), figure) for period, figure in service.uptime.items()],
        months=[(month.title, month.figure) for month in reversed(service.months)],
    ).encode()


def charts(service: ServiceView, calendar: Calendar) -> tuple[tuple[draw.Chart, str], ...]:
    """Draw the response times of one *service*, each drawing with what it shows."""
    say = calendar.tongue.gettext
    both = (
        (
            draw.lately(service, calendar),
            say(message("24 hours: median and slowest (dotted) of each quarter of an hour")),
        ),
        (
            draw.daily(service, calendar),
            say(message("90 days: median and 95th percentile (dotted) of each day; outages shaded")),
        ),
    )
    return tuple((chart, about) for chart, about in both if chart)


@cache
def templates(tongue: Tongue) -> Environment:
    """Compile the templates for a language, once."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=[Translating],
    )
    style, script = asset("style.css"), asset("stale.js")
    environment.globals.update(
        CELLS=CELLS,
        STATES={look: words.state(tongue, look) for look in words.STATES},
        SHAPES=words.SHAPES,
        ICONS={look: icon(look) for look in words.SHAPES},
        style=style,
        script=script,
        hashes={"style": digest(style), "script": digest(script)},
        tongue=tongue,
        outdated=tongue.gettext("The last check was at %(when)s. This page is out of date.", when="{}"),
        comma=tongue.comma,
        colon=tongue.colon,
        milliseconds=partial(words.milliseconds, tongue),
        interval=partial(words.interval, tongue),
        failures=partial(failures, tongue),
    )
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension brings it
        tongue.catalogue.gettext, tongue.catalogue.ngettext, newstyle=True, pgettext=tongue.catalogue.pgettext
    )
    environment.filters.update(
        iso=iso,
        quote=lambda text: quote(text, safe=""),
        sentence=words.sentence,
        isolated=tongue.isolated,
        share=tongue.share,
    )
    return environment
