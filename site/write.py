"""Put files on disk: each whole or not at all, only what changed, the index last, and nobody else's touched."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from uplog.collector.model import CouldNot

MANIFEST = ".uplog-files"  # the names we wrote, one a line: what is not in it is not ours to remove
LAST = "index.html"


class WriteFailed(CouldNot):
    """The site could not be written; the text is one sentence."""


def write(files: Mapping[str, bytes], folder: Path, mode: int = 0o755) -> list[str]:
    """Make *folder* hold *files* and return the names of those that were written.

    A file that already has its bytes is left alone. Files of an earlier plan that are in this one no more are removed.
    A folder that is made gets *mode*, its files the same without execution; a *mode* that shuts out others is also
    given to a folder that was there. Raises WriteFailed; what was written until then are whole files.
    """
    names = sorted((checked(name) for name in files), key=lambda name: (name == LAST, name))
    try:
        make(folder, mode)
        with alone(folder):
            ours = manifest(folder)
            if not ours >= set(names):
                remember(folder, ours | set(names), mode)  # first, so that a crash leaves nothing that nobody knows
            written = [name for name in names if put(folder / name, files[name], mode)]
            gone = ours - set(names)
            for name in sorted(gone):
                remove(folder, name)
            if gone:
                remember(folder, names, mode)
    except OSError as error:
        raise WriteFailed(f"could not write {error.filename or folder}: {error.strerror}") from error
    return written


def checked(name: str) -> str:
    """Return *name* if it lies inside the folder and is not hidden.

    >>> checked("service/web.html")
    'service/web.html'
    """
    parts = PurePosixPath(name).parts
    if not parts or name != "/".join(parts) or any(part.startswith((".", "/")) for part in parts):
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


def put(path: Path, content: bytes, mode: int) -> bool:
    """Write *content* beside *path* and rename it there, unless it is there already; say whether."""
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return False
    make(path.parent, mode)
    part = beside(path)
    with part.open("wb") as file:
        os.fchmod(file.fileno(), mode & 0o666)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return True


def beside(path: Path) -> Path:
    """Return where a file is written before it is whole; always the same, so that a crash leaves at most one."""
    return path.with_name(f".{path.name}.part")


def remove(folder: Path, name: str) -> None:
    """Remove a file of ours, what a crash left of it, and its folder when that is empty."""
    path = folder / name
    path.unlink(missing_ok=True)
    beside(path).unlink(missing_ok=True)
    if path.parent != folder:
        with suppress(OSError):  # others keep files there
            path.parent.rmdir()


def manifest(folder: Path) -> set[str]:
    """Read which files are ours; lines that name anything outside the folder are not believed."""
    found: set[str] = set()
    with suppress(FileNotFoundError):
        for line in (folder / MANIFEST).read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                found.add(checked(line))
    return found


def remember(folder: Path, names: Iterable[str], mode: int) -> None:
    """Write down which files are ours."""
    put(folder / MANIFEST, "".join(f"{name}\n" for name in sorted(names)).encode(), mode)
