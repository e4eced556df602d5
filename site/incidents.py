"""Read what the operator wrote of incidents: Markdown files with a front matter, one an incident or announcement.

    ---
    title: Card payments fail
    services: [Checkout API]
    started: 2026-11-21 09:40
    resolved: 2026-11-21 10:20
    severity: major
    ---
    We are looking into it.

    ## 2026-11-21 10:05 Update
    The provider is back.

Moments without an offset are those of the page's zone. What is wrong is said with file, line and key; a file of which
title, services or times cannot be read is left out, and nothing else stops.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from uplog.collector.catalog import slug
from uplog.collector.decode import nearest
from uplog.collector.maintenance import YEARS

from .beside.text import plain
from .markdown import Section, sections
from .notes import notes
from .values import SEVERITIES, Update, Words

LARGEST = 64_000  # bytes of a file: what is longer is not written by hand
MOST = 1_000  # files
DEEPEST = 20  # of lists in lists
KEYS = ("title", "services", "started", "resolved", "severity", "announcement")
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")
MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:(?:[Tt]|[ ]+)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.\d+)?)?"
    r"(?:[ ]?(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)(?![\w:]))?)?(?![\w:-])"
)
RULE = re.compile(r"(?:---|\.\.\.)[ \t]*")
NOT_AN_ADDRESS = re.compile(r"[0-9a-f]{10}")  # that is how the pages of measured outages are called
LIKE = 'a moment like "2026-11-21 10:05"'

T = TypeVar("T")


class _Unreadable(ValueError):  # noqa: N818  says what it is
    """What stands in a file, and where, cannot be understood."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def read(folder: Path, zone: tzinfo) -> tuple[list[Words], list[str]]:
    """Read every file `*.md` of *folder*, if there is one, and return what they say and all that is wrong with them."""
    found: list[Words] = []
    problems: list[str] = []
    wrong: Sequence[str]
    names: dict[str, str] = {}
    try:
        paths = notes(folder)
    except OSError as error:
        return [], [f"{folder}: could not be read: {error.strerror}"]
    if len(paths) > MOST:
        problems.append(
            f"{folder}: expected at most {MOST} files, got {len(paths)}; the first ones by name are left out"
        )
    for path in paths[-MOST:]:
        file = os.fsencode(path).decode(errors="replace")  # a name may be any bytes, and a page is text
        try:
            words, wrong = parse(_text(path), file, zone)
        except _Unreadable as error:
            words, wrong = None, [f"{file}:{error.line}: {error}"]
        problems += wrong
        if words and words.name in names:
            problems.append(f"{file}:1: expected another name for the file: {names[words.name]} has the same address")
        elif words:
            names[words.name] = file.rpartition("/")[2]
            found.append(words)
    return found, problems


def _text(path: Path) -> str:
    """Read one file."""
    try:
        if not path.is_file():
            raise _Unreadable(1, "expected a file")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _Unreadable(1, f"could not be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise _Unreadable(1, f"expected at most {LARGEST} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _Unreadable(line, f"expected text in UTF-8, got the byte {content[error.start]:#04x}") from error


@lru_cache(maxsize=MOST)  # a page is built each minute, and words are written once
def parse(text: str, file: str, zone: tzinfo) -> tuple[Words | None, tuple[str, ...]]:
    """Read the *text* of *file*: what it says, unless that cannot be told, and a sentence for each thing wrong."""
    reader = _Reader(file=file, zone=zone)
    try:
        return reader.words(text.replace("\r\n", "\n").replace("\r", "\n")), tuple(reader.problems)
    except _Unreadable as error:
        return None, (*reader.problems, f"{file}:{error.line}: {error}")


def moment(text: str, zone: tzinfo) -> datetime | None:
    """Read a moment, which is one of *zone* where it does not say its offset; none when it is no moment.

    >>> str(moment("2026-11-21 10:05", UTC)), str(moment("2026-11-21T10:05:30+01:00", UTC)), moment("soon", UTC)
    ('2026-11-21 10:05:00+00:00', '2026-11-21 09:05:30+00:00', None)
    """
    match = MOMENT.fullmatch(text.strip())
    return _moment(match, zone) if match else None


def _moment(match: re.Match[str], zone: tzinfo) -> datetime | None:
    """Return the moment that was matched, if there is such a one."""
    offset = (match["offset"] or "").upper()
    clock = [int(match[part] or 0) for part in ("hour", "minute", "second")]
    try:
        day = datetime.fromisoformat(f"{match['day']}T00:00{offset}")
        there = day.replace(hour=clock[0], minute=clock[1], second=clock[2], tzinfo=day.tzinfo or zone)
    except ValueError:
        return None
    return there.astimezone(UTC) if there.year in YEARS else None


@dataclass(slots=True, kw_only=True)
class _Reader:
    """Reads one file."""

    file: str
    zone: tzinfo
    problems: list[str] = field(default_factory=list)

    def words(self, text: str) -> Words:
        """Read front matter and body."""
        front, body, line = _divided(text)
        known = self.keys(_mapping(front))
        name = slug(self.file.rpartition("/")[2].removesuffix(".md"), ())
        title = self.of(known, "title", _line)
        services = self.of(known, "services", _names) or ()
        started, resolved = (self.of(known, key, self.moment) for key in ("started", "resolved"))
        announcement = self.of(known, "announcement", _flag) or not services
        if NOT_AN_ADDRESS.fullmatch(name):
            raise _Unreadable(1, "expected another name for the file: ten hexadecimal digits are that of an outage")
        if title is None:
            raise _Unreadable(1, "title: expected text, got nothing")
        if started is None and not announcement:
            raise _Unreadable(1, f"started: expected {LIKE}, got nothing")
        if started and resolved and resolved < started:
            raise _Unreadable(_line_of(known["resolved"]), "resolved: expected a moment after started")
        return Words(
            file=self.file,
            line=_line_of(known["services"]) if services else 1,
            name=name,
            title=title,
            services=services,
            started=started,
            resolved=resolved,
            severity=self.severity(known),
            announcement=announcement,
            updates=self.updates(body, line, started),
        )

    def wrong(self, line: int, text: str) -> None:
        """Note what is wrong, and go on."""
        self.problems.append(f"{self.file}:{line}: {text}")

    def keys(self, mapping: yaml.MappingNode) -> dict[str, yaml.Node]:
        """Return what stands under each key that we know."""
        found: dict[str, yaml.Node] = {}
        for key, value in mapping.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name not in KEYS:
                self.wrong(_line_of(key), f"{_shown(plain(name))}: there is no such key{nearest(name, KEYS)}")
            elif name in found:
                self.wrong(_line_of(key), f"{name}: expected once, got it again; the first one counts")
            elif value.tag != "tag:yaml.org,2002:null":
                found[name] = value
        return found

    def of(self, known: Mapping[str, yaml.Node], key: str, read: Callable[[yaml.Node], T]) -> T | None:
        """Read what stands under *key*; none where nothing does."""
        if key not in known:
            return None
        try:
            return read(known[key])
        except ValueError as error:
            raise _Unreadable(_line_of(known[key]), f"{key}: expected {error}, got {_value(known[key])}") from None

    def moment(self, node: yaml.Node) -> datetime:
        """Read a moment."""
        found = moment(node.value, self.zone) if isinstance(node, yaml.ScalarNode) else None
        if found is None:
            raise ValueError(LIKE)
        return found

    def severity(self, known: Mapping[str, yaml.Node]) -> str:
        """Read how bad it is; a word that we do not know is left out."""
        node = known.get("severity")
        if node is None or node.value in SEVERITIES:
            return node.value if node else ""
        self.wrong(_line_of(node), f"severity: expected {' or '.join(SEVERITIES)}, got {_value(node)}")
        return ""

    def updates(self, body: str, line: int, started: datetime | None) -> tuple[Update, ...]:
        """Divide the *body*, which begins after *line* lines, at its dated headings; newest first."""
        found = [
            Update(
                at=self.dated(one, line) if one.heading else started,
                title=MOMENT.sub("", one.heading, count=1).strip(" \t-–—:·"),  # noqa: RUF001  such dashes are written
                html=one.html,
                text=one.text,
            )
            for one in sections(body, MOMENT)
        ]
        order = sorted(enumerate(found), key=lambda pair: (pair[1].at or datetime.min.replace(tzinfo=UTC), pair[0]))
        return tuple(update for _, update in reversed(order))

    def dated(self, one: Section, line: int) -> datetime | None:
        """Read the moment of a heading; one that is none is told, and stands at the beginning."""
        match = MOMENT.match(one.heading)
        found = _moment(match, self.zone) if match else None
        if found is None:
            self.wrong(line + one.line, f"expected a heading with {LIKE}, got {_shown(one.heading)}")
        return found


def _divided(text: str) -> tuple[str, str, int]:
    """Divide a file into front matter and body, and count the lines before the body."""
    lines = text.split("\n")
    if lines[0].rstrip() == "---":
        for place, line in enumerate(lines[1:], 1):
            if RULE.fullmatch(line):
                return "\n".join(lines[:place]), "\n".join(lines[place + 1 :]), place + 1
    raise _Unreadable(1, "expected a front matter between two lines of three dashes")


class _Shallow(yaml.SafeLoader):
    """Refuse what is nested deeper than a person writes: to read it takes time that grows with the square of its depth."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node with all that lies in it."""
        if self.depth == DEEPEST:
            raise yaml.YAMLError
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _mapping(front: str) -> yaml.MappingNode:
    """Read a front matter as YAML, whose values are left as they were written: none is made, and no alias followed."""
    try:
        node = yaml.compose(front, Loader=_Shallow)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Unreadable(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}") from error
    except yaml.reader.ReaderError as error:
        raise _Unreadable(front.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}") from error
    except yaml.YAMLError as error:
        raise _Unreadable(1, "not YAML that a person would write") from error
    if not isinstance(node, yaml.MappingNode):
        raise _Unreadable(1, "expected keys and values such as `title: Card payments fail`")
    return node


def _line(node: yaml.Node) -> str:
    """Read text on one line, without what YAML can write and no page can hold."""
    text = " ".join(plain(node.value).split()) if isinstance(node, yaml.ScalarNode) else ""
    if not text:
        raise ValueError("text")
    return text


def _names(node: yaml.Node) -> tuple[str, ...]:
    """Read a name, or a list of them."""
    try:
        return tuple(_line(one) for one in (node.value if isinstance(node, yaml.SequenceNode) else [node]))
    except ValueError:
        raise ValueError("a list of names of services") from None


def _flag(node: yaml.Node) -> bool:
    """Read true or false."""
    text = node.value.lower() if isinstance(node, yaml.ScalarNode) else ""
    if text not in TRUE + FALSE:
        raise ValueError("true or false")
    return text in TRUE


def _line_of(node: yaml.Node) -> int:
    """Return the line of a node in its file: the front matter begins with the file."""
    return int(node.start_mark.line) + 1


def _value(node: yaml.Node) -> str:
    """Show a value in a message."""
    if isinstance(node, yaml.ScalarNode):
        return _shown(plain(node.value))
    return "a list" if isinstance(node, yaml.SequenceNode) else "a table"


def _shown(text: str) -> str:
    """Show some text in a message, cut where it is long."""
    return f'"{text if len(text) <= 60 else text[:59] + "…"}"'.replace("\n", " ")
