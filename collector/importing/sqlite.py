"""Open the SQLite files of other monitors: to read, never to change."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .past import ImportFailed

MAGIC = b"SQLite format 3\0"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database *path*, which a program may be using; raises ImportFailed with a sentence."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.text_factory = lambda text: text.decode(errors="replace")  # what a program kept may be cut anywhere
            db.execute("begin")  # one state of it, whatever is written meanwhile
            yield db
    except sqlite3.Error as error:
        raise ImportFailed([f"{path}: cannot be read: {error}"]) from error


def tables(path: Path) -> set[str]:
    """Return the names of the tables of *path*; none when it is no database."""
    try:
        with opened(path) as db:
            return {name for (name,) in db.execute("select name from sqlite_schema where type = 'table'")}
    except ImportFailed:
        return set()


def columns(db: sqlite3.Connection, table: str) -> set[str]:
    """Return the names of the columns of *table*; none when there is no such table."""
    return {row[1] for row in db.execute(f"pragma table_info({table})")}
