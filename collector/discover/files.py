"""Find the files of a tree that a source reads, and read them as text, whatever wrote them."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ..model import Finding
from . import SourceFailed

log = logging.getLogger(__name__)

# folders whose files are somebody else's
FOREIGN = {".git", ".hg", ".svn", ".tox", ".venv", "venv", "node_modules", "__pycache__", "site-packages", "vendor"}
# files of these names say that a folder holds no services: samples and tests; a site that uplog built
PASSED_OVER = {".uplog-ignore", ".uplog-files"}
FILES_AT_MOST = 20_000  # of one tree
BYTES_AT_MOST = 2 * 1024 * 1024  # of one file


def wanted(paths: Iterable[str], folder: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield the files that *paths* name, and those of the folders that they name which are ours, each once.

    Relative paths begin in *folder*, and are yielded as they were given. What does not exist is left out: see `missing`.
    """
    seen = set()
    for text in paths:
        given = Path(text).expanduser()
        place = folder / given
        files = (given / path for path in below(place) if is_ours(path)) if place.is_dir() else [given]
        for file in files:
            where = (folder / file).resolve()
            if where not in seen and where.is_file():
                seen.add(where)
                yield file


def missing(paths: Iterable[str], folder: Path) -> list[Finding]:
    """Return a finding for each of *paths* that does not exist."""
    return [not_there(text) for text in paths if not (folder / Path(text).expanduser()).exists()]


def not_there(path: str) -> Finding:
    """Say of a path that it does not exist."""
    return Finding(kind="path_missing", where=path, text="no such file or folder")


def some_missing(paths: Sequence[str], folder: Path) -> list[Finding]:
    """Return a finding for each of *paths* that does not exist; raise SourceFailed when none of them does."""
    found = missing(paths, folder)
    if found and len(found) == len(paths):
        raise SourceFailed(f"{found[0].where}: {found[0].text}")
    return found


def below(place: Path) -> Iterator[Path]:
    """Yield the files below *place*, relative to it, in a stable order; links to folders are not followed.

    A folder that says so is passed over, with all below it, but for *place* itself: that was asked for.
    """
    count = 0
    for parent, folders, names in os.walk(place):
        if not PASSED_OVER.isdisjoint(names) and Path(parent) != place:
            folders.clear()
            continue
        folders[:] = sorted(set(folders) - FOREIGN)
        for name in sorted(names):
            if (count := count + 1) > FILES_AT_MOST:
                log.warning("%s: more than %d files: those from %s on are not looked at", place, FILES_AT_MOST, parent)
                return
            yield (Path(parent) / name).relative_to(place)


def text_of(path: Path) -> str:
    """Read *path*: UTF-8 with or without a mark, UTF-16 with one, else Windows-1252; OSError is the caller's.

    What lies beyond BYTES_AT_MOST is not read.
    """
    with path.open("rb") as file:
        return decoded(file.read(BYTES_AT_MOST))


def decoded(data: bytes) -> str:
    r"""Turn bytes into text.

    >>> decoded(b"\xef\xbb\xbfa"), decoded("é".encode("utf-16")), decoded(b"caf\xe9")
    ('a', 'é', 'café')
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.end == len(data) and len(data) == BYTES_AT_MOST:  # cut within a character
            return data.decode("utf-8-sig", errors="ignore")
        return data.decode("cp1252", errors="replace")
