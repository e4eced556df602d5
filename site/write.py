"""Put files on disk: each whole or not at all, only what changed, the index last, and nobody else's touched."""

import fcntl
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from uplog.collector.model import CouldNot

from .file import File, whole

MANIFEST = ".uplog-files"  # the names we wrote, one a line: what is not in it is not ours to remove
LAST = "index.html"
NAME = re.compile(r"[^./\0-\x1f\x7f][^/\0-\x1f\x7f]*(?:/[^./\0-\x1f\x7f][^/\0-\x1f\x7f]*)*")
MANY = 32  # files from which on the whole file system is flushed at once

Seen = tuple[int, int]  # of a file on disk: bytes, and moment of the last change in ns


class WriteFailed(CouldNot):
    """The site could not be written; the text is one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What writing did."""

    names: Sequence[str]  # of the files that were written
    known: Mapping[str, tuple[bytes, Seen]]  # every file: the digest of its source, and how it is seen on disk


def write(files: Mapping[str, bytes], folder: Path, mode: int = 0o755) -> list[str]:
    """Make *folder* hold *files* and return the names of those that were written; see `update`."""
    return list(update({name: whole(content) for name, content in files.items()}, folder, mode).names)


def update(
    plan: Mapping[str, File], folder: Path, mode: int = 0o755, known: Mapping[str, tuple[bytes, Seen]] | None = None
) -> Written:
    """Make *folder* hold the files of *plan*.

    A file of which is *known* that it was made from the same is not even made, as long as nobody touched it; and one
    that already has its bytes is left alone. All others are written beside their places first. When all of them are
    safe on the disk they are renamed, the index last: whatever fails until then leaves the site as it was.
    Files of an earlier plan that are in this one no more are removed.

    A folder that is made gets *mode*, its files the same without execution; a *mode* that shuts out others is also
    given to a folder that was there. Raises WriteFailed.
    """
    names = sorted((checked(name) for name in plan), key=lambda name: (name == LAST, name))
    try:
        make(folder, mode)
        with alone(folder):
            ours = manifest(folder)
            refuse_links(folder, ours | set(names))
            tidy(folder, {MANIFEST, *ours})
            if not ours >= set(names):
                remember(folder, ours | set(names), mode)  # first, so that a crash leaves nothing that nobody knows
            written, found = _written(plan, names, folder, mode, known or {})
            gone = ours - set(names)
            for name in sorted(gone):
                remove(folder, name)
            if gone:
                remember(folder, names, mode)
    except OSError as error:
        raise WriteFailed(f"could not write {error.filename or folder}: {error.strerror}") from error
    return Written(names=written, known=found)


def _written(
    plan: Mapping[str, File], names: Iterable[str], folder: Path, mode: int, known: Mapping[str, tuple[bytes, Seen]]
) -> tuple[list[str], dict[str, tuple[bytes, Seen]]]:
    """Write what is new of *names*; return which that was, and how every file is seen now."""
    found: dict[str, tuple[bytes, Seen]] = {}
    parts: dict[str, str] = {}
    try:
        for name in names:
            path, file = f"{folder}/{name}", plan[name]
            there = seen(path)
            if there is None or known.get(name) != (file.source, there):
                content = file.make()
                if there is None or not holds(path, content):
                    parts[name] = part_of(path)
                    there = stage(parts[name], content, mode)
            found[name] = file.source, there
        flush(folder, list(parts.values()))
    except BaseException:
        for part in parts.values():
            with suppress(OSError):
                os.unlink(part)
        raise
    for name, part in parts.items():
        os.replace(part, f"{folder}/{name}")
    return list(parts), found


def checked(name: str) -> str:
    """Return *name* if it lies inside the folder and is not hidden.

    >>> checked("service/web.html")
    'service/web.html'
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"not a name for a file of the site: {name!r}")
    return name


def make(folder: Path, mode: int) -> None:
    """Make *folder*, and shut others out of one that was there if *mode* says so."""
    made = not folder.is_dir()
    folder.mkdir(parents=True, exist_ok=True)
    if made or (mode & 0o077 == 0 and folder.stat().st_mode & 0o077):
        folder.chmod(mode)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other builder writes into *folder*, and keep it so."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def refuse_links(folder: Path, names: Iterable[str]) -> None:
    """Raise WriteFailed where a folder of the site is a link: what is written or removed there lies elsewhere."""
    for inside in {name.rpartition("/")[0] for name in names} - {""}:
        if (folder / inside).is_symlink():
            raise WriteFailed(f"could not write {folder / inside}: expected a folder, got a symbolic link")


def seen(path: str) -> Seen | None:
    """Say how a file is seen on disk; none where there is none, but a link, a pipe or the like, which is replaced."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return None
    return found.st_size, found.st_mtime_ns


def holds(path: str, content: bytes) -> bool:
    """Say whether a file has *content* already."""
    with open(path, "rb") as file:
        return os.fstat(file.fileno()).st_size == len(content) and file.read() == content


def stage(part: str, content: bytes, mode: int) -> Seen:
    """Write *content* to a file that nobody looks for yet, and say how that is seen."""
    handle = fresh(part, mode)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(handle, rest) :]
        found = os.fstat(handle)
        if stat.S_IMODE(found.st_mode) != mode & 0o666:  # what the umask took
            os.fchmod(handle, mode & 0o666)
    finally:
        os.close(handle)
    return found.st_size, found.st_mtime_ns


def fresh(part: str, mode: int) -> int:
    """Open a new file, in a folder that is made where there is none; what lies there goes, so that no link is followed."""
    new = partial(os.open, part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o666)
    try:
        return new()
    except FileExistsError:
        os.unlink(part)
    except FileNotFoundError:
        make(Path(part).parent, mode)
    return new()


def flush(folder: Path, paths: Sequence[str]) -> None:
    """Bring the bytes of *paths* to the disk, so that no crash of the machine leaves a name without its content.

    Of many, by flushing the file system of *folder* once, which waits for what other programs write there, too: to
    wait for the disk after each of 18,000 small files takes longer than all else that a build does.
    """
    if len(paths) >= MANY and flush_all(folder):
        return
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def flush_all(folder: Path) -> bool:
    """Flush the file system that *folder* lies on; say whether this system can, which Linux does.

    Not sync(2): that waits for every file system, and for ever where a network share is gone.
    """
    import ctypes  # which a build of few files has no need of

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        if syncfs(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(handle)
    return True


def part_of(path: str) -> str:
    """Return where a file is written before it is whole; always the same, so that a crash leaves at most one of each."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.part"


def tidy(folder: Path, ours: Iterable[str]) -> None:
    """Remove what a crash left of files of ours before they were whole."""
    folders: dict[str, set[str]] = {}
    for name in ours:
        parent, _, own = name.rpartition("/")
        folders.setdefault(parent, set()).add(f".{own}.part")
    for parent, parts in folders.items():
        with suppress(FileNotFoundError, NotADirectoryError):
            for left in parts.intersection(os.listdir(folder / parent)):
                os.unlink(folder / parent / left)


def remove(folder: Path, name: str) -> None:
    """Remove a file of ours, and its folder when that is empty."""
    path = folder / name
    path.unlink(missing_ok=True)
    if path.parent != folder:
        with suppress(OSError):  # others keep files there
            path.parent.rmdir()


def manifest(folder: Path) -> set[str]:
    """Read which files are ours; lines that name anything outside the folder are not believed."""
    try:
        lines = (folder / MANIFEST).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return set()
    return {line for line in lines if NAME.fullmatch(line)}


def remember(folder: Path, names: Iterable[str], mode: int) -> None:
    """Write down which files are ours."""
    path = f"{folder}/{MANIFEST}"
    stage(part_of(path), "".join(f"{name}\n" for name in sorted(names)).encode(), mode)
    flush(folder, [part_of(path)])
    os.replace(part_of(path), path)
