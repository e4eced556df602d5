"""Remember of each folder what was built into it, in a file beside the database. Without it, all is made anew.

It is not kept in the folder itself, which may be published.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from .file import digest
from .write import Seen, part_of, seen, stage

VERSION = 1


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What was built into one folder."""

    version: int
    made_by: bytes  # digest of what made it: of that depends what `source` of a file stands for
    stamp: bytes | None  # digest of all that it follows from; none where that was not certain
    services: int
    problems: list[str]
    files: dict[str, tuple[bytes, Seen]]  # digest of what it was made from, and how it was seen on disk


def place(database: Path, folder: Path) -> Path:
    """Return where is remembered what was built into *folder*."""
    return database.with_name(f"{database.name}.built-{digest(str(folder.absolute()).encode()).hex()[:10]}")


def recall(database: Path, folder: Path, made_by: bytes) -> Memory | None:
    """Return what is remembered of *folder*; none when nothing is, or another version of uplog made it."""
    try:
        found = msgspec.msgpack.decode(place(database, folder).read_bytes(), type=Memory)
    except (OSError, msgspec.DecodeError):
        return None
    return found if (found.version, found.made_by) == (VERSION, made_by) else None


def keep(memory: Memory, database: Path, folder: Path) -> None:
    """Remember what was built; where that cannot be written, the next build takes longer."""
    path = str(place(database, folder))
    with suppress(OSError):
        stage(part_of(path), msgspec.msgpack.encode(memory), 0o600)
        os.replace(part_of(path), path)


def intact(memory: Memory, folder: Path) -> bool:
    """Say whether every file is there as it was written."""
    return all(seen(f"{folder}/{name}") == there for name, (_, there) in memory.files.items())
