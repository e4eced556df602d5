"""History that something else has kept: a module a format, each of which makes the values of `past` of a document.

A format is a module and a line in FORMATS. What it cannot bring along it tells as Skipped; what a source only sums up
is not made into observations.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..model import CouldNot
from . import gatus, kuma, own, prometheus, upptime
from .lines import read_lines
from .past import Row
from .sqlite import MAGIC, tables

HEAD = 65_536  # bytes, by which a file is recognised


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a file or folder of one kind is known and read: *knows* is given its path and the first bytes of it."""

    title: str
    knows: Callable[[Path, bytes], bool]
    read: Callable[[Path, datetime], Iterator[Row]]


def _csv(path: Path, now: datetime) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        yield from own.read_csv(lines, str(path), now)


def _json(path: Path, now: datetime) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        yield from read_lines(lines, str(path), now)


def _has(*wanted: str) -> Callable[[Path, bytes], bool]:
    return lambda path, head: head.startswith(MAGIC) and tables(path).issuperset(wanted)


def _columns(head: bytes) -> set[bytes]:
    return {cell.strip(b' "\r\xef\xbb\xbf') for cell in head.partition(b"\n")[0].split(b",")}


FORMATS = {
    "csv": Format(title="our own table", knows=lambda _, head: _columns(head) >= {b"service", b"at"}, read=_csv),
    "json": Format(title="our own lines", knows=lambda _, head: head.lstrip().startswith(b'{"service":'), read=_json),
    "kuma": Format(title="kuma.db of Uptime Kuma 1 or 2", knows=_has("monitor", "heartbeat"), read=kuma.read),
    "gatus": Format(title="the SQLite database of Gatus", knows=_has("endpoints", "endpoint_results"), read=gatus.read),
    "upptime": Format(
        title="a clone of a repository of Upptime", knows=lambda path, _: upptime.recognises(path), read=upptime.read
    ),
    "prometheus": Format(
        title="what query_range answers for probe_success or up",
        knows=lambda _, head: b'"resultType"' in head,
        read=prometheus.read,
    ),
}


def recognised(path: Path) -> str:
    """Return the name of the format that *path* has. Raises CouldNot, or OSError when it cannot be read."""
    head = b""
    if not path.is_dir():
        with path.open("rb") as file:
            head = file.read(HEAD)
    found = next((name for name, one in FORMATS.items() if one.knows(path, head)), None)
    if found is None:
        raise CouldNot(f"{path}: is in none of the known formats ({', '.join(FORMATS)}); --from says which it is")
    return found
