"""The signs of the states, and the icons of the site as files."""

from urllib.parse import quote

import msgspec

from ..asset import raw
from ..palette import LIGHT, STATES
from ..values import Page
from .text import plain

# Of icons, which stand on light and on dark, under a white sign: 3:1 with all of them.
COLOURS = {"up": "#2f9279", "degraded": "#bf7d12", "down": "#d2473c", "unknown": "#80868c", "maintenance": "#4a78c8"}
FILLS = {state: LIGHT[state] for state in STATES}  # under white letters
INK, SOFT, GROUND = LIGHT["ink"], LIGHT["soft"], LIGHT["bg"]
PATHS = {  # in a square of 16
    "up": "M2 8.5l4 4 8-9",
    "degraded": "M8 3l6 10H2z",
    "down": "M3 3l10 10m0-10L3 13",
    "unknown": "M8 2.5a5.5 5.5 0 1 0 .1 0z",
    "maintenance": "M2 5.5h12M2 10.5h12",
}


def files(page: Page) -> dict[str, bytes]:
    """Return favicon.svg, which shows how everything is, the icons of the site, and its web manifest."""
    manifest = {
        "name": plain(page.title),
        "start_url": "index.html",
        "scope": "./",
        "display": "browser",
        "background_color": GROUND,
        "theme_color": INK,
        "icons": [
            {"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": "apple-touch-icon.png", "sizes": "180x180", "type": "image/png"},
        ],
    }
    return {
        "favicon.svg": svg(page.headline.look).encode(),
        "icon.svg": raw("icon.svg"),
        "apple-touch-icon.png": raw("apple-touch-icon.png"),
        "site.webmanifest": msgspec.json.encode(manifest) + b"\n",
    }


def svg(look: str) -> str:
    """Draw the sign of a state on a disc of its colour, as the headline has it: so it is seen among tabs."""
    return (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='-3 -3 22 22' fill='none' stroke-width='3' stroke='#fff'>"
        f"<circle cx='8' cy='8' r='11' fill='{COLOURS[look]}' stroke='none'/><path d='{PATHS[look]}'/></svg>"
    )


def icon(look: str) -> str:
    """Return the icon of a page as an address that asks nobody."""
    return "data:image/svg+xml," + quote(svg(look), safe="='/:")
