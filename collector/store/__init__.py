"""The only package that knows tables.

`Store` is the open file; the rooms beside it hold what is done inside its transactions: record (observations),
derive (spans, incidents, days), catalog (services and checks), read (what others want to know), upkeep (moving,
pruning, rebuilding).
"""

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, tzinfo
from pathlib import Path
from threading import RLock
from typing import Self

from ..model import CouldNot
from .mounts import network_kind
from .views import fingerprint

log = logging.getLogger(__name__)

SCHEMA = 3  # the number of migrations in schema.py
LITTLE = 1 << 20  # bytes: less is a full disk
BUSY_S = 20  # how long to wait for another writer; none of ours holds the lock for more than a moment
LOG_KEPT = 16 << 20  # bytes
TURN_S = 0.1  # of that, how long at a stretch the other threads of this process have to wait, too
SQLITE_WANTED = (3, 37)  # strict tables
MOUNTS = Path("/proc/self/mountinfo")


class StoreError(CouldNot):
    """The record cannot be read or written; the text is one sentence that says why."""


class Store:
    """An open record. One connection, used by one thread at a time.

    *path* is made when it does not exist, unless *readonly*. *zone* is the zone of the days, *patience* how many
    seconds to wait for another writer; *network* allows a file system that is shared over a network.
    A file that was deleted or replaced meanwhile is opened again with the next transaction, or made anew: what is
    written to a file without a name is lost.
    Raises StoreError when the file cannot be opened, is not ours, or was written by a newer uplog.
    """

    def __init__(
        self,
        path: Path,
        *,
        zone: tzinfo = UTC,
        readonly: bool = False,
        patience: float = BUSY_S,
        network: bool = False,
    ) -> None:
        self.path = path
        self.zone = zone
        self.readonly = readonly
        self.patience = patience
        self.opened = 0  # how many times
        self._lock = RLock()
        if sqlite3.sqlite_version_info < SQLITE_WANTED:
            raise StoreError(f"uplog needs SQLite 3.37 or newer, this Python has {sqlite3.sqlite_version}")
        if not (readonly or network):
            _refuse_network(path)
        self.db: sqlite3.Connection
        self._identity: tuple[int, int] | None = None
        with translated(path):
            self._open()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """Hold the write lock from the first read to the commit; whatever fails inside leaves no trace.

        With *patience*, wait only so many seconds for another writer.
        """
        until = time.monotonic() + min(self.patience, self.patience if patience is None else patience)
        with translated(self.path):
            while not self._begun_to_write(until):
                time.sleep(TURN_S / 10)
            try:
                with self._whole() as db:
                    yield db
                if _identity(self.path) != self._identity:
                    raise StoreError(f"{self.path}: was deleted or replaced while it was being written")
            finally:
                self._lock.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read one state of the record, whatever others write meanwhile."""
        with translated(self.path), self._lock:
            self._follow()
            self.db.execute("begin")
            with self._whole() as db:
                yield db

    def _begun_to_write(self, until: float) -> bool:
        """Take the lock of this process and SQLite's; neither when another process holds that before *until*."""
        self._lock.acquire()
        try:
            self._follow()
            left = until - time.monotonic()
            self.db.execute(f"pragma busy_timeout = {max(0, min(left, TURN_S)) * 1000:.0f}")
            try:
                self.db.execute("begin immediate")
            finally:
                self.db.execute(f"pragma busy_timeout = {self.patience * 1000:.0f}")
        except BaseException as error:
            self._lock.release()
            if time.monotonic() < until and _name(error).startswith("SQLITE_BUSY"):
                return False
            raise
        return True

    @contextmanager
    def _whole(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or undo all of it."""
        try:
            _refuse_newer(self.db, self.path)
            yield self.db
            self.db.execute("commit")
        except BaseException as error:
            self._undo(error)
            raise

    def _undo(self, error: BaseException) -> None:
        """Roll back; a file that is not what it was is let go of at once, before its log is written into another."""
        damaged = _name(error).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))
        try:
            if self.db.in_transaction:
                self.db.execute("rollback")
        except sqlite3.Error:
            damaged = True
        if damaged:
            self._identity = None
            self.db.close()

    def _follow(self) -> None:
        """Open the file again when its name leads to another one, or to none."""
        if self._identity is None or _identity(self.path) != self._identity:
            self.db.close()
            self._open()
            log.warning("%s was opened again: it had been deleted, replaced or damaged", self.path)

    def _open(self) -> None:
        self._identity = None
        self.db = _opened(self.path, self.readonly, self.patience)
        self._identity = _identity(self.path)
        try:
            _prepared(self, self.readonly)
        except BaseException:
            self._identity = None
            self.db.close()
            raise
        self.opened += 1


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells the file of this name from another one of the same name; none when there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _opened(path: Path, readonly: bool, patience: float) -> sqlite3.Connection:
    """Connect to *path*; a new file is given its pragmas in the one order that works."""
    if readonly and not path.exists():
        raise StoreError(f"{path}: there is no such database; `uplog run` makes one")
    if not readonly:
        path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
    try:
        if not readonly and db.execute("pragma page_count").fetchone()[0] == 0:
            db.execute("pragma auto_vacuum = incremental")  # set after journal_mode it would silently stay 0
        if not readonly:
            db.execute("pragma journal_mode = wal")
        db.execute(f"pragma journal_size_limit = {LOG_KEPT}")  # what a long reader made grow is given back
        db.execute("pragma synchronous = normal")  # in WAL mode a crash loses the newest cycle at most, and no order
        db.execute("pragma foreign_keys = on")
    except BaseException:
        db.close()
        raise
    return db


def _prepared(store: Store, readonly: bool) -> None:
    """Bring tables and views to this version, or say why that cannot be."""
    found = _refuse_newer(store.db, store.path)
    if found == SCHEMA and _views(store.db) == fingerprint():
        return
    if found == 0 and store.db.execute("select 1 from sqlite_schema limit 1").fetchone():
        raise StoreError(f"{store.path}: is a database, but not one of uplog's")
    if readonly:
        if found == 0:
            raise StoreError(f"{store.path}: is empty; `uplog run` makes a record of it")
        raise StoreError(f"{store.path}: written by another version of uplog; `uplog run` brings it up to date")
    from .upgrade import upgrade  # a tenth of a second of imports that an ordinary run does not need

    upgrade(store)


def _refuse_newer(db: sqlite3.Connection, path: Path) -> int:
    """Return the schema of a file that this version knows."""
    found: int = db.execute("pragma user_version").fetchone()[0]
    if found > SCHEMA:
        raise StoreError(f"{path}: written by a newer uplog (schema {found}, this one knows {SCHEMA})")
    return found


def _refuse_network(path: Path) -> None:
    """Refuse a file system whose locks do not hold between machines, where the system tells its kind."""
    try:
        kind = network_kind(MOUNTS.read_text(), os.path.realpath(path))
    except OSError:  # there is no such table here
        return
    if kind is not None:
        raise StoreError(
            f"{path}: lies on a network file system ({kind}), where SQLite's locks cannot be trusted; "
            "move it to a local disk, or set `allow_network_filesystem = true` in [uplog]"
        )


def _views(db: sqlite3.Connection) -> str | None:
    row = db.execute("select value from _meta where name = 'views'").fetchone()
    return row[0] if row else None


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Say in one sentence what SQLite or the disk says in a word."""
    try:
        yield
    except (sqlite3.IntegrityError, BrokenPipeError):
        raise  # a bug of ours, or a reader of what is exported who went away: no state of the file
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {_sentence(error, path)}") from error
    except UnicodeDecodeError as error:  # SQLite quotes the garbage that it found
        raise StoreError(f"{path}: is damaged; restore a backup or move it away") from error
    except OSError as error:
        raise StoreError(f"{error.filename or path}: {error.strerror or error}") from error


def _name(error: BaseException) -> str:
    """Return SQLite's name of an error; nothing for any other."""
    return getattr(error, "sqlite_errorname", None) or ""


def _sentence(error: sqlite3.DatabaseError, path: Path) -> str:
    name = _name(error)
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):  # how most troubles of a disk show
        name = _disk(path.parent) or name
    for start, sentence in {
        "SQLITE_BUSY": "locked by another program for too long",
        "SQLITE_LOCKED": "locked by another program",
        "SQLITE_READONLY": "not writable (file and folder both must be: the folder holds the write-ahead log)",
        "SQLITE_FULL": "the disk is full",
        "INODES": "no more files can be made on its disk: the inodes are used up",
        "SQLITE_CANTOPEN": "cannot be opened: does its folder exist, and may it be read and written?",
        "SQLITE_NOTADB": "is not an uplog database",
        "SQLITE_CORRUPT": "is damaged; restore a backup or move it away",
    }.items():
        if name.startswith(start):
            return sentence
    return str(error)


def _disk(folder: Path) -> str | None:
    """Name what the disk of *folder* has too little of, or does not allow."""
    try:
        if shutil.disk_usage(folder).free < LITTLE:
            return "SQLITE_FULL"
        if hasattr(os, "statvfs"):
            found = os.statvfs(folder)
            if found.f_files and found.f_favail == 0:  # some file systems have no table of inodes, and say 0 of 0
                return "INODES"
        return None if os.access(folder, os.W_OK) else "SQLITE_READONLY"
    except OSError:
        return None
