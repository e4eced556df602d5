"""Turn a page into files: {name: bytes}, the same for the same page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from urllib.parse import quote

import msgspec
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from . import beside, draw, rows, tables, words
from .asset import asset, digest, style
from .beside.badge import yesterday
from .beside.icons import icon
from .figures import day_title
from .iso import iso
from .snippets import snippets
from .spark import spark
from .status import status, status_txt
from .theme.skin import PLAIN, Skin
from .theme.templates import loader, sentences
from .values import CELLS, Calendar, Page, ServiceView


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is drawn of one service."""

    bar: Markup  # for the index
    own: Markup  # for the page of the service
    spark: Markup  # for the index
    charts: tuple[tuple[draw.Chart, str], ...]
    daily: Markup


def drawings(services: Iterable[ServiceView], calendar: Calendar) -> dict[str, Drawn]:
    """Draw every service, by slug: the same for each audience."""
    return {
        one.slug: Drawn(
            bar=draw.bar(one.name, one.days, f"service/{one.slug}.html"),
            own=draw.bar(one.name, one.days),
            spark=spark(one.hourly, calendar.hour),
            charts=charts(one, calendar),
            daily=tables.latency(one.latency),
        )
        for one in services
    }


@sentences
def render(page: Page, drawn: Mapping[str, Drawn] | None = None, skin: Skin = PLAIN) -> dict[str, bytes]:
    """Return every file of the site: index.html, service/<slug>.html, status.json, status.txt, and those beside them.

    *drawn* is what `drawings` made of the same services, when there are pages for more than one audience. The *skin*
    is the operator's own look; raises TemplateWrong where a template of theirs fails.

    Links are relative and name files, so that the site works at any address and from a folder. Styles and script
    stand in the pages themselves: one file is a whole page, and the policy can name them by their hashes.
    """
    drawn = drawings(page.services, page.calendar) if drawn is None else drawn
    environment = templates(skin)
    index, service = environment.get_template("index.html"), environment.get_template("service.html")
    files = beside.files(page) | ({skin.logo[0]: skin.logo[1]} if skin.logo else {})
    files |= {f"service/{one.slug}.html": page_of(service, page, one, drawn[one.slug]) for one in page.services}
    incident = environment.get_template("incident.html")
    measured = {outage.incident.id for one in page.services for outage in one.outages}
    for one in page.incidents:
        row = rows.incident(page, one.name) if one.name in measured else ""
        content = incident.render(page=page, root="../", one=one, look=one.look, row=row)
        files[f"incident/{one.name}.html"] = content.encode()
    for name in ("about.html", "history.html"):
        files[name] = environment.get_template(name).render(page=page, look="up").encode()
    files["table.html"] = table_of(environment.get_template("table.html"), page)
    if page.inside:
        files["inside.html"] = environment.get_template("inside.html").render(page=page, look="up").encode()
    files["status.json"] = msgspec.json.encode(status(page)) + b"\n"
    files["status.txt"] = status_txt(page).encode()
    shown = index.render(page=page, look=page.headline.look, drawn=drawn, as_of=rows.as_of(page))
    files["index.html"] = shown.encode()
    return files


def page_of(template: Template, page: Page, service: ServiceView, drawn: Drawn) -> bytes:
    """Render the page of one *service*."""
    behind = partial(rows.rows, page, service)
    return template.render(
        page=page,
        root="../",
        service=service,
        look=service.look,
        bar=drawn.own,
        charts=drawn.charts,
        daily=drawn.daily,
        rows=behind,
        snippets=snippets(page, service),
        periods=[
            (words.PERIODS[period], figure, behind("uptime", period=period))
            for period, figure in service.uptime.items()
        ],
        months=[
            (month.title, month.figure, behind("uptime_monthly", month=month.month))
            for month in reversed(service.months)
        ],
    ).encode()


def table_of(template: Template, page: Page) -> bytes:
    """Render the table of all figures; response times are those of the last closed day."""
    day = page.calendar.days[-2][0]
    latency = {one.slug: yesterday(one, page) for one in page.services}
    return template.render(page=page, look="up", day=day_title(day), latency=latency).encode()


def charts(service: ServiceView, calendar: Calendar) -> tuple[tuple[draw.Chart, str], ...]:
    """Draw the response times of one *service*, each drawing with what it shows."""
    both = (
        (draw.lately(service, calendar), "24 hours: median and slowest (dotted) of each quarter of an hour"),
        (draw.daily(service, calendar), "90 days: median and 95th percentile (dotted) of each day; outages shaded"),
    )
    return tuple((chart, about) for chart, about in both if chart)


@lru_cache(maxsize=2)  # with the operator's templates, and without where those fail
def templates(skin: Skin = PLAIN) -> Environment:
    """Compile the templates, once for each *skin*."""
    environment = Environment(
        loader=loader(skin),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    worn, script = style() + skin.colours + skin.css, asset("page.js")
    environment.globals.update(
        CELLS=CELLS,
        PERIODS=words.PERIODS,
        STATES=words.STATES,
        WEEKDAYS=words.WEEKDAYS,
        SHAPES=words.SHAPES,
        ICONS={look: icon(look) for look in words.SHAPES},
        skin=skin,
        root="",
        style=worn,
        script=script,
        hashes={"style": digest(worn), "script": digest(script)},
        milliseconds=words.milliseconds,
        interval=words.interval,
    )
    environment.filters.update(iso=iso, quote=lambda text: quote(text, safe=""), sentence=words.sentence)
    return environment
