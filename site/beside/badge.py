"""Badges for READMEs and other people's pages: SVG, and JSON for shields.io's endpoint badge.

badge/<slug>.svg and .json          state: word, shape and colour
badge/<slug>.uptime-<period>.svg    24h, 7d, 30d, 90d, 365d: the percentage of status.json
badge/<slug>.latency.svg            the median of the last closed day
badge/all.svg and .json             the state of everything

What follows the slug begins with a dot, which no slug has: "web-latency" may be a service beside "web".
"""

from functools import lru_cache
from unicodedata import bidirectional

import msgspec

from uplog.collector.model import LatencyDay

from .. import words
from ..tongue import Tongue
from ..values import Figure, Page, ServiceView
from .icons import FILLS, INK, PATHS, SOFT
from .text import plain, xml
from .widths import SIZE, width

ALL = "all"  # the address is that of everything: a service that has this slug from of old has no badges
LONGEST = 200  # px of a label
PAD, SIGN = 6, 12


def files(page: Page) -> dict[str, bytes]:
    """Return the badges of every service, and of all together."""
    found: dict[str, bytes] = {}
    for one in page.services:
        if one.slug != ALL:
            found |= of_service(one, page)
    found |= state(page.tongue, ALL, page.title, page.headline.look)
    return found


def of_service(one: ServiceView, page: Page) -> dict[str, bytes]:
    """Return the badges of one service."""
    name, tongue = f"badge/{one.slug}", page.tongue
    found = state(tongue, one.slug, one.name, one.look)
    for period, figure in one.uptime.items():
        found[f"{name}.uptime-{period}.svg"] = svg(one.name, uptime(tongue, period, figure), SOFT)
    found[f"{name}.latency.svg"] = svg(one.name, latency(one, page), SOFT)
    return found


def state(tongue: Tongue, slug: str, name: str, look: str) -> dict[str, bytes]:
    """Return the badge of a state, as a drawing and for shields.io."""
    word = words.state(tongue, look)
    shield = {"schemaVersion": 1, "label": short(name), "message": word, "color": FILLS[look][1:]}
    return {
        f"badge/{slug}.svg": svg(name, word, FILLS[look], PATHS[look]),
        f"badge/{slug}.json": msgspec.json.encode(shield) + b"\n",
    }


def uptime(tongue: Tongue, period: str, figure: Figure) -> str:
    """Say the uptime of a period, as the page does."""
    if figure.uptime:
        return words.share_in(tongue, figure.uptime, period)
    return tongue.gettext("not watched") if figure.empty else tongue.gettext("not enough data")


def latency(one: ServiceView, page: Page) -> str:
    """Say the median of yesterday."""
    day = yesterday(one, page)
    return words.milliseconds(page.tongue, day.p50) if day else page.tongue.gettext("not measured")


def yesterday(one: ServiceView, page: Page) -> LatencyDay | None:
    """Return the latency of the last closed day: what followed each answer would be written anew by each build."""
    day = page.calendar.days[-2][0]
    return next((each for each in one.latency[-1:] if each.day == day), None)


def svg(label: str, message: str, colour: str, sign: str = "") -> bytes:
    """Draw a badge: *label* on the left, *message* on *colour* on the right, after a *sign* if there is one.

    The letters are set to the widths computed here, so that they fit whatever font the reader has.
    """
    label = short(label)
    left, right = width(label), width(message)
    border = left + 2 * PAD
    begins = border + PAD + (SIGN + 4 if sign else 0)
    whole = begins + right + PAD
    mark = (
        f'<path transform="translate({border + PAD} 4) scale(.75)" d="{sign}" fill="none" stroke="#fff" stroke-width="2.4"/>'
        if sign
        else ""
    )
    said, told = xml(label), xml(message)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="{said}: {told}">'
        f'<title>{said}: {told}</title><rect width="{whole}" height="20" rx="4" fill="{INK}"/>'
        f'<path d="M{border} 0h{whole - border - 4}a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4H{border}z" fill="{colour}"/>{mark}'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="{SIZE}">'
        f"<text {placed(label, PAD, left)}>{said}</text>"
        f"<text {placed(message, begins, right)}>{told}</text></g></svg>\n"
    ).encode()


def placed(text: str, x: int, long: int) -> str:
    """Say where *text* begins and ends; letters that join are made narrower or wider, not drawn apart."""
    if not text.isascii() and any(bidirectional(letter) in ("R", "AL") for letter in text):
        return f'x="{x + long}" y="14" direction="rtl" textLength="{long}" lengthAdjust="spacingAndGlyphs"'
    return f'x="{x}" y="14" textLength="{long}"'


@lru_cache(maxsize=4_096)
def short(text: str) -> str:
    """Cut a label to what a badge has room for."""
    text = plain(text[:LONGEST]).strip() or "-"
    if width(text) <= LONGEST:
        return text
    while width(text) > LONGEST - SIZE:
        text = text[:-1]
    return text.rstrip() + "…"
