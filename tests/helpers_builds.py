"""Builds that are killed at every moment at which they touch the disk, and what must hold after each of them.

    python tests/helpers_builds.py FOLDER EARLY LATE COUNT

The folder holds an uplog.toml and a record, whose pages as of EARLY and LATE differ. A build is a forked process with
everything imported. It is killed before a change of the disk, or in the midst of a file, after its first bytes: at
COUNT such moments of each kind of build, spread evenly over all of them, the last ones among them. Prints one JSON
object: how many were killed in each way, and what was wrong.
"""

import gc
import io
import json
import mmap
import os
import resource
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath

from uplog.collector import cli
from uplog.site.write import MANIFEST

OUT, FRESH = Path("page"), Path("fresh")
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "os.symlink", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
FIRST_BYTES = 100
LAST = 5  # changes at the end of a build that are all tried
KILLED = (-signal.SIGKILL, -signal.SIGXFSZ)
SEEN = mmap.mmap(-1, 8)

Files = Mapping[str, bytes]
Stop = Callable[[], object]


class Links(HTMLParser):
    """What a page refers to."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names += [value for name, value in attrs if name in ("href", "src") and value]


def dangling(page: str, files: Files) -> list[str]:
    """Return what *page* leads to inside the site, and which is not there."""
    paths = [name.partition("#")[0] for name in Links(files[page]).names if ":" not in name]
    return sorted({path for path in paths if path and normpath(join(dirname(page), path)) not in files})


# Builds


def build(now: str, out: Path) -> int:
    """Build the page as of *now*, as `uplog build` does; return how that ended."""
    with redirect_stdout(io.StringIO()):
        try:
            cli.cli(["build", "--now", now, "--audience", "public", "--out", str(out)], prog_name="uplog")
        except SystemExit as ended:
            return int(ended.code or 0)
    return 0


def built(now: str, out: Path, before: Stop = lambda: None) -> int:
    """Build the page as of *now* in another process, which does something *before*; return how that ended."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            before()
            code = build(now, out)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die() -> None:
    """End as if by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_writing() -> None:
    """Let the kernel end this process in the midst of its next long write."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # which Python ignores
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FIRST_BYTES, FIRST_BYTES))


def changes(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether what an audit hook hears of changes the disk."""
    writes = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & WRITES)
    return writes or event in CHANGES


def at_change(number: int, stop: Stop, *, opened: bool) -> Stop:
    """Make what lets a process *stop* when it is about to change the disk, or to write to what it *opened*, so often.

    How often that was is kept in SEEN, which both processes share.
    """
    SEEN[:8] = bytes(8)

    def heard(event: str, arguments: tuple[object, ...]) -> None:
        if changes(event, arguments) and (event == "open" or not opened):
            SEEN[:8] = (seen := int.from_bytes(SEEN[:8]) + 1).to_bytes(8)
            if seen == number:
                stop()

    return lambda: sys.addaudithook(heard)


# What must hold


def there(folder: Path) -> dict[str, bytes]:
    """Read every file of *folder*, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def half(name: str) -> bool:
    """Whether a file is one that nobody is led to, because it is not whole yet."""
    return Path(name).name.startswith(".") and Path(name).name != MANIFEST


def wrong(old: Files, new: Files) -> Iterator[str]:
    """Tell what is not as it must be of a page that was *old* when a build of the *new* one was killed."""
    found = there(OUT)
    known = set(found.get(MANIFEST, b"").decode().splitlines())
    whole = {name: content for name, content in found.items() if not half(name) and name != MANIFEST}
    for name, content in whole.items():
        if content not in (old.get(name), new.get(name)):
            yield f"{name} is neither the old one nor the new one"
        if name not in known:
            yield f"{name} is not known to be ours"
    if "index.html" in old and "index.html" not in whole:
        yield "there is no index any more"
    if "index.html" in whole:
        yield from (f"the index leads to {name}, which is not there" for name in dangling("index.html", whole))
        if whole["index.html"] == new["index.html"] != old.get("index.html"):
            yield from (
                f"the index is new before {name}" for name in new.keys() - {MANIFEST} if whole.get(name) != new[name]
            )


def healed(now: str, new: Files) -> Iterator[str]:
    """Build once more, and tell what is not as if nothing had been killed."""
    if code := built(now, OUT):
        yield f"the next build ends with {code}"
    found = there(OUT)
    yield from (f"{name} is not healed" for name in found.keys() | new.keys() if found.get(name) != new.get(name))


# All moments

WAYS: Mapping[str, tuple[Stop, bool]] = {"before a change": (die, False), "in the midst of a file": (die_writing, True)}


def begin(now: str | None) -> Files:
    """Put the page as of *now* where it is built, or none at all; return its files."""
    shutil.rmtree(OUT, ignore_errors=True)
    if now is None:
        return {}
    shutil.copytree(FRESH / now, OUT)
    return there(OUT)


def trials(way: str, before: str | None, now: str, count: int) -> Iterator[list[str]]:
    """Kill *count* builds of the page as of *now*, over the one as of *before*; yield what was wrong after each."""
    stop, opened = WAYS[way]
    new = there(FRESH / now)
    begin(before)
    assert built(now, OUT, at_change(0, stop, opened=opened)) == 0
    whole = int.from_bytes(SEEN[:8])
    spread = (1 + whole * part // (count - LAST) for part in range(count - LAST))
    for number in sorted({*spread, *range(whole - LAST + 1, whole + 1)}):
        old = begin(before)
        code = built(now, OUT, at_change(number, stop, opened=opened))
        found = [] if code in KILLED else [f"ended with {code}"]
        yield [f"{way}, {number}: {one}" for one in (*found, *wrong(old, new), *healed(now, new))]


def main(early: str, late: str, count: int) -> dict[str, object]:
    """Kill builds at all kinds of moments; return how many, and what was wrong."""
    for now in (early, late):
        assert build(now, FRESH / now) == 0  # here, so that no copy of this process has to load and compile anything
    gc.freeze()
    told = {
        f"{way}, {name}": list(trials(way, before, now, count))
        for way in WAYS
        for name, before, now in (("first", None, early), ("later", early, late), ("back", late, early))
    }
    return {
        "killed": {name: len(found) for name, found in told.items()},
        "problems": [problem for found in told.values() for problems in found for problem in problems][:20],
        "gone": sorted(there(FRESH / late).keys() - there(FRESH / early).keys()),
    }


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    print(json.dumps(main(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
