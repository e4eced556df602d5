"""Turn a page into files: {name: bytes}, the same for the same page."""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import draw, words
from .status import iso, status, status_txt
from .values import CELLS, Page, ServiceView

HERE = Path(__file__).parent


def render(page: Page) -> dict[str, bytes]:
    """Return every file of the site: index.html, service/<slug>.html, status.json, status.txt.

    Links are relative and name files, so that the site works at any address and from a folder. Styles and script
    stand in the pages themselves: one file is a whole page, and the policy can name them by their hashes.
    """
    environment = templates()
    index, service = environment.get_template("index.html"), environment.get_template("service.html")
    files = {f"service/{one.slug}.html": service.render(**facts(page, one)).encode() for one in page.services}
    files["status.json"] = msgspec.json.encode(status(page)) + b"\n"
    files["status.txt"] = status_txt(page).encode()
    files["index.html"] = index.render(page=page, look=page.headline.look).encode()
    return files


def facts(page: Page, service: ServiceView) -> dict[str, object]:
    """Return what the page of one *service* is made of."""
    charts = (
        (draw.lately(service, page.calendar), "24 hours: median and slowest (dotted) of each quarter of an hour"),
        (
            draw.daily(service, page.calendar),
            "90 days: median and 95th percentile (dotted) of each day; outages shaded",
        ),
    )
    return {"page": page, "service": service, "look": service.look, "charts": [one for one in charts if one[0]]}


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
        PERIODS=words.PERIODS,
        ICONS={look: icon(look) for look in words.SHAPES},
        bar=draw.bar,
        style=style,
        script=script,
        hashes={"style": digest(style), "script": digest(script)},
        milliseconds=words.milliseconds,
        interval=words.interval,
    )
    environment.filters.update(iso=iso, quote=lambda text: quote(text, safe=""), sentence=words.sentence)
    return environment


def asset(name: str) -> str:
    """Read one of our own assets."""
    return (HERE / "assets" / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows *text* inline."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def icon(look: str) -> str:
    """Return the icon of a page as an address that asks nobody: the shape in the colour of its state."""
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' stroke-width='2.6'"
        f" stroke='{COLOURS[look]}'><path d='{PATHS[look]}'/></svg>"
    )
    return "data:image/svg+xml," + quote(svg, safe=" ='/:")


COLOURS = {"up": "#1d7a5f", "degraded": "#d07a00", "down": "#c8372d", "unknown": "#80868c", "maintenance": "#4a78c8"}
PATHS = {
    "up": "M2 8.5l4 4 8-9",
    "degraded": "M8 3l6 10H2z",
    "down": "M3 3l10 10m0-10L3 13",
    "unknown": "M8 2.5a5.5 5.5 0 1 0 .1 0",
    "maintenance": "M2 5.5h12M2 10.5h12",
}
