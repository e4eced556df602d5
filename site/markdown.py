"""Turn what an operator wrote in Markdown into HTML that can do nothing but be read."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)  # what a link may lead to; a page has many places
DEEP = 4  # headings of a text stand below those of the page, which end at three


class _Inert(MarkdownIt):
    """CommonMark without raw HTML, links to other sites and to mail only, and pictures as links to them."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False})
        self.add_render_rule("image", _picture)

    def validateLink(self, url: str) -> bool:  # noqa: N802  as the library calls it
        return bool(ADDRESS.match(url))


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of a text: what stands under one of its outer headings, or before the first of them."""

    heading: str  # without markup; empty before the first
    line: int  # counted from 1
    html: Markup  # without the heading
    text: str  # its source


def sections(text: str, divides: re.Pattern[str]) -> list[Section]:
    """Divide *text* at those outer headings that match *divides*; what is before them comes first, if there is any.

    >>> [(one.heading, str(one.html)) for one in sections("<b>\\n# 1 x\\n*so*", re.compile("1"))]
    [('', '<p>&lt;b&gt;</p>\\n'), ('1 x', '<p><em>so</em></p>\\n')]
    """
    parser, environment = _Inert(), dict[str, Any]()
    tokens, lines = parser.parse(text, environment), text.split("\n")
    found = []
    for start, end in _borders(tokens, divides):
        part = tokens[start:end]
        heading, begins = "", 0
        if part and _divides(part, 0, divides):
            heading, begins = _plain(part[1]), _end_line(part[0])
            part = part[3:]  # heading_open, inline, heading_close
        line = begins if heading else 1
        ends = _first_line(tokens[end]) if end < len(tokens) else len(lines)
        if part or heading:
            html = parser.renderer.render(_lowered(part), parser.options, environment)
            source = "\n".join(lines[begins:ends]).strip()
            found.append(Section(heading=heading, line=line, html=Markup(html), text=source))
    return found


def html(text: str) -> Markup:
    """Turn a whole *text* into HTML.

    >>> str(html("<b> [x](https://example.org/) [y](javascript:1)"))
    '<p>&lt;b&gt; <a href="https://example.org/">x</a> [y](javascript:1)</p>\\n'
    """
    parser, environment = _Inert(), dict[str, Any]()
    return Markup(parser.renderer.render(_lowered(parser.parse(text, environment)), parser.options, environment))


def _borders(tokens: Sequence[Token], divides: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Yield where each section begins and ends."""
    places = [place for place in range(len(tokens)) if _divides(tokens, place, divides)]
    yield from zip([0, *places], [*places, len(tokens)], strict=True)


def _divides(tokens: Sequence[Token], place: int, divides: re.Pattern[str]) -> bool:
    """Whether a section begins at *place*: with an outer heading that says so."""
    token = tokens[place]
    return token.type == "heading_open" and token.level == 0 and bool(divides.match(_plain(tokens[place + 1])))


def _first_line(token: Token) -> int:
    """Return the line that a block begins with, counted from 0."""
    return token.map[0] if token.map else 0


def _end_line(token: Token) -> int:
    """Return the line that a block ends with, counted from 1."""
    return token.map[1] if token.map else 1


def _plain(inline: Token) -> str:
    """Return the text of a line without its markup."""
    return "".join(one.content for one in inline.children or () if one.type in ("text", "code_inline")).strip()


def _lowered(tokens: Sequence[Token]) -> list[Token]:
    """Put the headings of a text below those of the page."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, max(DEEP, int(token.tag[1:]) + 2))}"
    return list(tokens)


def _picture(renderer: Any, tokens: Sequence[Token], place: int, options: Any, environment: Any) -> str:
    """Write a picture as a link to it: a page asks nobody else for anything."""
    token = tokens[place]
    address = str(token.attrs.get("src", ""))
    name = escape(renderer.renderInlineAsText(token.children or [], options, environment) or address)
    inside = sum({"link_open": 1, "link_close": -1}.get(one.type, 0) for one in tokens[:place])
    return str(name if inside else Markup('<a href="{}">{}</a>').format(address, name))
