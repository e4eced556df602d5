"""One asker a database: whoever asks holds this lock, whoever only writes does not need it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Asked(Exception):  # noqa: N818  not an error: somebody else does the work
    """Another uplog is asking for this database already."""


@contextmanager
def asking(database: Path) -> Iterator[None]:
    """Hold the lock of *database*; raises Asked when somebody else does.

    An exclusive SQLite transaction on a file beside it: the system drops it with the process, on every platform.
    """
    path = database.with_name(database.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        try:
            db.execute("begin exclusive")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_BUSY":
                raise
            raise Asked(f"another uplog is asking for {database} already") from error
        yield
    finally:
        db.close()
