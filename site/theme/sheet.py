"""Find in an operator's CSS what would ask others for something, or end the element that it stands in. All pure."""

import re
from collections.abc import Iterator

COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
ESCAPE = re.compile(r"\\([0-9a-fA-F]{1,6})[ \t]?")
ENDS = re.compile("</style", re.IGNORECASE)
OUTSIDE = re.compile(
    r"@import\b|\b(?:url|src)\(\s*(?!['\"]?\s*(?:data:|#))[^)]*|image-set\(\s*['\"](?!data:)[^)]*", re.IGNORECASE
)


def flaws(text: str) -> Iterator[tuple[int, str]]:
    """Yield line and sentence for each thing in the CSS *text* that cannot stand in a page.

    >>> list(flaws('a{}\\n@import "x.css";'))
    [(2, 'expected nothing from elsewhere, got @import; only data: and # may be asked for')]
    """
    for found in ENDS.finditer(text):  # whatever CSS makes of it, HTML reads it first
        yield line(text, found), "expected CSS alone, got the end of the element that it stands in"
    plain = ESCAPE.sub(unescaped, COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text))
    for found in OUTSIDE.finditer(plain):
        said = " ".join(found[0].split())[:60]
        yield line(plain, found), f"expected nothing from elsewhere, got {said}; only data: and # may be asked for"


def line(text: str, found: re.Match[str]) -> int:
    """Return the line of something found, counted from 1."""
    return text.count("\n", 0, found.start()) + 1


def unescaped(found: re.Match[str]) -> str:
    """Return what an escape stands for, as CSS reads it; not a line of its own, which would move the others."""
    code = int(found[1], 16)
    return chr(code) if 32 <= code < 0xD800 else " "
