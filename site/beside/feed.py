"""Atom feeds: feed.xml, and service/<slug>.xml of each service.

An entry tells of one incident, measured or reported, or is an announcement. It keeps its id, and is updated when
its incident ends and when the operator says more.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from operator import attrgetter
from uuid import NAMESPACE_URL, uuid5

from markupsafe import Markup

from .. import words
from ..iso import iso
from ..tongue import Tongue
from ..values import Outage, Page, ServiceView, Told
from .address import base
from .text import xml

LONGEST = 50  # entries
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # when what has no moment was changed last


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What one entry tells."""

    id: str
    title: str
    address: str  # inside the site
    published: datetime
    updated: datetime
    text: str  # Markup is written as HTML


def files(page: Page) -> dict[str, bytes]:
    """Return the feed of all services."""
    outages = nlargest(LONGEST, (outage for one in page.services for outage in one.outages), key=latest)
    items = [measured(page.tongue, outage, page.zone) for outage in outages]
    items += [reported(one) for one in (*page.announcements, *page.told)]
    return {"feed.xml": feed(page, "feed", page.title, items)}


def of_service(one: ServiceView, page: Page, told: Iterable[Told]) -> bytes:
    """Return the feed of one service, of which the operator has *told* something."""
    items = [measured(page.tongue, outage, page.zone) for outage in one.outages] + [reported(each) for each in told]
    return feed(page, f"service/{one.slug}", f"{page.tongue.isolated(one.name)} · {page.title}", items)


def latest(outage: Outage) -> tuple[datetime, str]:
    """Say what puts the newest outages first, as in a feed."""
    return outage.incident.end or outage.incident.start, outage.incident.id


def measured(tongue: Tongue, outage: Outage, zone: str) -> Item:
    """Tell of one outage: as it begins, and once more when it is over."""
    one, name = outage.incident, tongue.isolated(outage.name)
    title = (
        tongue.gettext("%(who)s was down for %(length)s", who=name, length=outage.lasted)
        if one.end
        else tongue.gettext("%(who)s is down", who=name)
    )
    when = tongue.gettext("%(when)s (%(zone)s)", when=outage.when, zone=zone)
    return Item(
        id=f"incident {one.id}",
        title=title,
        address=f"incident/{one.id}.html",
        published=one.start,
        updated=one.end or one.start,
        text=words.sentences(tongue, tongue.about(when, outage.why)),
    )


def reported(one: Told) -> Item:
    """Tell what the operator said, newest first."""
    own = one.words
    moments = [at for at in (own.started, one.end, *(update.at for update, _ in one.updates)) if at] or [NEVER]
    return Item(
        id=f"words {own.name}",
        title=own.title,
        address="index.html" if own.announcement else f"incident/{own.name}.html",
        published=min(moments),
        updated=max(moments),
        text=Markup().join(
            (Markup("<h3>{}</h3>\n").format(update.title) if update.title else Markup()) + update.html
            for update, _ in one.updates
        ),
    )


def feed(page: Page, name: str, title: str, items: Iterable[Item]) -> bytes:
    """Write the newest *items* as the feed called *name* of the page that is called so too."""
    newest = nlargest(LONGEST, items, key=attrgetter("updated", "id"))
    site, file, up = base(page), name.rpartition("/")[2], "../" * name.count("/")
    at = f' xml:base="{xml(site)}{name}.xml"' if site else ""
    about = "index" if name == "feed" else file
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{page.tongue.code}"{at}>'
        f"<id>{urn(f'{site or page.title} {name}')}</id><title>{xml(title)}</title>"
        f"<updated>{iso(newest[0].updated if newest else NEVER)}</updated><author><name>{xml(page.title)}</name></author>"
        f'<link rel="self" type="application/atom+xml" href="{file}.xml"/>'
        f'<link rel="alternate" type="text/html" href="{about}.html"/>\n'
        f"{''.join(written(one, up) for one in newest)}</feed>\n"
    ).encode()


def written(one: Item, up: str) -> str:
    """Write one entry of a feed from which *up* leads to the root of the site."""
    kind = ' type="html"' if isinstance(one.text, Markup) else ""
    text = "\n".join(xml(str(line)) for line in one.text.splitlines())
    return (
        f"<entry><id>{urn(one.id)}</id><title>{xml(one.title)}</title>"
        f"<published>{iso(one.published)}</published><updated>{iso(one.updated)}</updated>"
        f'<link rel="alternate" type="text/html" href="{up}{xml(one.address)}"/>'
        f"<content{kind}>{text}</content></entry>\n"
    )


def urn(what: str) -> str:
    """Name *what* by an address that stays the same wherever the site moves."""
    return uuid5(NAMESPACE_URL, f"uplog {what}").urn
