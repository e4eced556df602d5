"""Our own files that go into pages, and the hashes by which a policy names them."""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path

from . import palette

ASSETS = Path(__file__).parent / "assets"
SHEETS = {  # in the order in which they count
    "style": ("ground", "head", "lists", "rows", "bars", "words", "media"),
    "brief": ("ground", "head", "lists", "words", "media"),  # for pages of incidents, of which there are most
    "figures": ("parts", "figures", "inside"),  # for pages that have them: the others are lighter
}
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
BETWEEN = re.compile(r"\s*\n\s*")


@lru_cache
def raw(name: str) -> bytes:
    """Read one of our own assets."""
    return (ASSETS / name).read_bytes()


def asset(name: str) -> str:
    """Read one of our own assets as text, to stand inline; without the last newline, which not every program hashes."""
    return raw(name).decode().removesuffix("\n")


@lru_cache
def style(name: str = "style") -> str:
    """Return the CSS called *name*, which every page has or one that is for less: colours first, then the sheets."""
    return palette.css() + sheets(name)


def script() -> str:
    """Return the script of pages that may become out of date; others have its first part alone."""
    return f"{asset('times.js')}\n{asset('page.js')}"


@lru_cache
def sheets(name: str) -> str:
    """Return the CSS called *name*, on one line."""
    return "".join(squeezed(asset(f"style/{sheet}.css")) for sheet in SHEETS[name])


def squeezed(css: str) -> str:
    r"""Leave out of *css* what only its reader needs: comments, and space at the ends of lines.

    >>> squeezed("/* a */\na {\n  color: red;\n}\n")
    'a {color: red;}'
    """
    return BETWEEN.sub("", COMMENT.sub("", css)).strip()


@lru_cache
def digest(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows *text* inline."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
