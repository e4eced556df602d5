"""Turn a page into files: {name: bytes}, the same for the same page."""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from . import beside, draw, rows, tables, words
from .about import failures
from .asset import asset, digest, script, sheets, style
from .beside.badge import yesterday
from .beside.icons import icon
from .figures import day_title
from .file import File, made_from, whole
from .iso import iso
from .snippets import snippets
from .spark import spark
from .status import status, status_txt
from .still import common, lasting, still
from .theme.skin import PLAIN, Skin
from .theme.templates import loader, sentences
from .timeline import incident
from .tongue import Tongue, message
from .translating import Translating
from .values import CELLS, Calendar, Case, Page, ServiceView

if TYPE_CHECKING:
    from .inside.values import InsideService

PAGES = {"service.html", "incident.html", "history.html", "table.html", "about.html"}  # that not every build makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What the index draws of one service."""

    bar: Markup
    spark: Markup


def drawings(services: Iterable[ServiceView], calendar: Calendar) -> dict[str, Drawn]:
    """Draw every service for the index, by slug: the same for each audience."""
    return {
        one.slug: Drawn(
            bar=draw.bar(calendar.tongue, one.name, one.days, f"service/{one.slug}.html"),
            spark=spark(one.hourly, calendar.hour),
        )
        for one in services
    }


def render(page: Page, skin: Skin = PLAIN) -> dict[str, bytes]:
    """Return every file of the site: index.html, service/<slug>.html, status.json, status.txt, and those beside them.

    The *skin* is the operator's own look; raises TemplateWrong where a template of theirs fails.

    Links are relative and name files, so that the site works at any address and from a folder. Styles and script
    stand in the pages themselves: one file is a whole page, and the policy can name them by their hashes.
    """
    return {name: file.make() for name, file in plan(page, skin).items()}


@sentences
def plan(page: Page, skin: Skin = PLAIN, drawn: Mapping[str, Drawn] | None = None) -> dict[str, File]:
    """Return the files that `render` makes; pages of services and incidents are not made yet.

    *drawn* is what `drawings` made of the same services, when there are pages for more than one audience. Our templates
    are compiled when a page is made of them; the operator's now, so that it is not an outage that tells what is wrong.
    """
    environment = templates(skin, page.tongue)
    for name in PAGES.intersection(name for name, *_ in skin.templates):
        environment.get_template(name)
    site, told = common(page), beside.told_of(page)
    shown = [still(one) for one in page.services]
    known = made_from(site, skin)
    own = page.inside.services if page.inside else {}
    sources = [made_from(known, one, own.get(one.slug), told.get(one.slug, ())) for one in shown]
    files = {name: whole(content) for name, content in beside.of_site(page).items()}
    if skin.logo:
        files[skin.logo[0]] = whole(skin.logo[1])
    for one, source in zip(shown, sources, strict=True):
        make = partial(page_of, environment, site, one, own.get(one.slug))
        files[f"service/{one.slug}.html"] = File(source=source, make=make)
        for name, write in beside.of_service(one, site, told.get(one.slug, ())):
            files[name] = File(source=source, make=write)
    files |= incidents(page, skin)
    files |= summaries(page, site, {one.slug: one for one in shown}, made_from(known, sources), skin)
    if page.inside:
        files["inside.html"] = whole(summary_of(environment, "inside.html", page))
    return files | {name: whole(content) for name, content in overview(page, skin, drawn).items()}


def overview(page: Page, skin: Skin = PLAIN, drawn: Mapping[str, Drawn] | None = None) -> dict[str, bytes]:
    """Return what tells how everything is now, which is new with every build: index.html, status.json, status.txt."""
    drawn = drawings(page.services, page.calendar) if drawn is None else drawn
    index = templates(skin, page.tongue).get_template("index.html")
    shown = index.render(page=page, look=page.headline.look, drawn=drawn, as_of=rows.as_of(page))
    return {
        "status.json": msgspec.json.encode(status(page)) + b"\n",
        "status.txt": status_txt(page).encode(),
        "index.html": shown.encode(),
    }


def incidents(page: Page, skin: Skin) -> Iterator[tuple[str, File]]:
    """Yield the page of each incident, which stays as it is once that is over."""
    environment = templates(skin, page.tongue)
    site = lasting(page)
    known = made_from(site, skin)
    for one in page.incidents:
        row = rows.incident(page, one.name) if one.outage else ""
        make = partial(incident_of, environment, site, one, row)
        yield f"incident/{one.name}.html", File(source=made_from(known, one, row), make=make)


def summaries(
    page: Page, site: Page, shown: Mapping[str, ServiceView], known: bytes, skin: Skin
) -> Iterator[tuple[str, File]]:
    """Yield the pages that tell of all services together, and what all of them share.

    *known* is the digest of *site* and all that is *shown*: to make another takes as long as all of those before.
    """
    environment = templates(skin, page.tongue)
    groups = tuple(
        replace(group, look="", summary="", folded=False, services=tuple(shown[one.slug] for one in group.services))
        for group in page.groups
    )
    past = replace(site, months=page.months, services=tuple(shown.values()))
    figures = replace(site, groups=groups)
    for name, seen, source, make in (
        ("history.html", past, made_from(known, page.months), summary_of),
        ("table.html", figures, known, table_of),
        ("about.html", site, made_from(site, skin), summary_of),
    ):
        yield name, File(source=source, make=partial(make, environment, name, seen))


@sentences
def page_of(environment: Environment, page: Page, service: ServiceView, inside: "InsideService | None") -> bytes:
    """Render the page of one *service*, with what only the operator sees where that is for them."""
    behind = partial(rows.rows, page, service)
    begins, ends = (day_title(page.tongue, day) for day, _ in (page.calendar.days[0], page.calendar.days[-1]))
    template = environment.get_template("service.html")
    return template.render(
        page=page,
        root="../",
        service=service,
        inside=inside,
        look=service.look,
        bar=draw.bar(page.tongue, service.name, service.days),
        begins=begins,
        ends=ends,
        charts=charts(service, page.calendar),
        daily=tables.latency(page.tongue, service.latency),
        told=[day for day in service.days if day.text],
        rows=behind,
        snippets=snippets(page, service),
        periods=[
            (page.tongue.gettext(words.PERIODS[period]), figure, behind("uptime", period=period))
            for period, figure in service.uptime.items()
        ],
        months=[
            (month.title, month.figure, behind("uptime_monthly", month=month.month))
            for month in reversed(service.months)
        ],
    ).encode()


@sentences
def table_of(environment: Environment, name: str, page: Page) -> bytes:
    """Render the table of all figures; response times are those of the last closed day."""
    day = page.calendar.days[-2][0]
    latency = {one.slug: yesterday(one, page) for group in page.groups for one in group.services}
    template = environment.get_template(name)
    return template.render(page=page, look="up", day=day_title(page.tongue, day), latency=latency).encode()


@sentences
def summary_of(environment: Environment, name: str, page: Page) -> bytes:
    """Render a page that tells of all of them together."""
    return environment.get_template(name).render(page=page, look="up").encode()


@sentences
def incident_of(environment: Environment, page: Page, case: Case, row: str) -> bytes:
    """Render the page of an incident, of which Datasette has a *row* at that address."""
    one = incident(case, page.calendar)
    template = environment.get_template("incident.html")
    return template.render(page=page, root="../", one=one, look=one.look, row=row).encode()


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


class _Environment(Environment):
    """Jinja's, but templates have one dict of what all of them may use: it is copied for each page, and looked at for
    each import, where a chain of two goes key by key through Python.
    """

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Join what one template may use with what all may; the latter is complete before the first is found."""
        return {**self.globals, **(d or {})}


@lru_cache(maxsize=2)  # with the operator's templates, and without where those fail
def templates(skin: Skin, tongue: Tongue) -> Environment:
    """Compile the templates, once for each *skin* and language."""
    environment = _Environment(
        loader=loader(skin),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=[Translating],
        optimized=False,  # to look for what is constant takes longer than it saves: there is none
    )
    own = skin.colours + skin.css
    environment.globals.update(
        CELLS=CELLS,
        PERIODS={period: tongue.gettext(said) for period, said in words.PERIODS.items()},
        STATES={look: words.state(tongue, look) for look in words.STATES},
        WEEKDAYS=tongue.weekdays,
        SHAPES=words.SHAPES,
        ICONS={look: icon(look) for look in words.SHAPES},
        skin=skin,
        root="",
        style=style() + own,
        brief_style=style("brief") + own,
        figures_style=sheets("figures"),
        script=script(),
        times_script=asset("times.js"),
        digest=digest,
        tongue=tongue,
        local=tongue.gettext("(%(time)s your time)", time="{}"),
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
        sentence=words.sentence,
        isolated=tongue.isolated,
        share=tongue.share,
        standing=partial(words.standing, tongue),
    )
    return environment
