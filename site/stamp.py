"""Tell by a digest, and without reading the history, whether anything that a page follows from has changed.

What files hold is told by how they are seen: which file it is, how long, and when it was changed. That is true of one
that was not changed just now; of the others a second change might be seen as the first one, so there is no stamp then.
SQLite writes into the file of the database or its log whatever is written, and each changes when it does.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import uplog.collector.model
from uplog.collector.config import Config
from uplog.collector.history import days

from .file import made_from
from .theme.inputs import inputs as look

JUST_NOW_NS = 100_000_000  # clocks of file systems are that coarse
OURS = (Path(__file__).parent, Path(uplog.collector.model.__file__).parent)
THEIRS = ("jinja2", "markupsafe", "msgspec", "markdown_it", "icalendar", "yaml", "babel")

Seen = tuple[bytes, int, int, int, int]  # path, device, inode, bytes, moment of the last change in ns


def stamp(config: Config, now: datetime, *more: str | None) -> bytes | None:
    """Return a digest of all that the page of *config* as of *now* follows from; none when that changed just now.

    *more* is what the caller adds. Taken before anything of it is read, it is at worst too old.
    """
    files = [*seen(inputs(config)), *seen(record(config.database))]
    latest = time.time_ns() - JUST_NOW_NS
    if any(latest < changed for *_, changed in files):
        return None
    year = [str(start) for _, start in days(now, config.timezone, 367)]  # what is known of the zone may change
    return made_from(made_by(), files, header(config.database), repr(config), now, year, more)


def inputs(config: Config) -> Iterator[Path]:
    """Yield every file of the operator's that a page follows from, beside the record.

    That of the configuration, too: of what is wrong the page tells the lines.
    """
    if config.path:
        yield config.path
    yield from below(config.incidents)
    yield from look(config.theme)


def record(database: Path) -> Iterator[Path]:
    """Yield the files of a database that hold what was written; an empty log is made by whoever reads."""
    yield database
    log = database.with_name(f"{database.name}-wal")
    if log.exists() and log.stat().st_size:
        yield log


def header(database: Path) -> bytes:
    """Return the beginning of the log, which SQLite changes whenever it writes the log from its beginning."""
    try:
        with database.with_name(f"{database.name}-wal").open("rb") as log:
            return log.read(32)
    except OSError:
        return b""


@cache
def made_by() -> bytes:
    """Return a digest of what makes pages: our code, templates and assets, and the libraries.

    Of these the folders that they are installed in: each new version is a new name there.
    """
    found = (find_spec(name) for name in THEIRS)
    folders = sorted({Path(spec.origin).parents[1] for spec in found if spec and spec.origin})
    return made_from(sys.version, [*seen(path for folder in OURS for path in below(folder)), *seen(folders)])


def below(folder: Path) -> Iterator[Path]:
    """Yield the files in *folder* and the folders in it, in order, without what Python keeps of modules."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        yield from (Path(parent, name) for name in sorted(names))


def seen(paths: Iterable[Path]) -> Iterator[Seen]:
    """Say how files are seen on disk; one that cannot be seen is left out."""
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue
        yield os.fsencode(path), found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
