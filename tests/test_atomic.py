"""A page on disk is the old one or the new one, whatever happens to who builds it, and whoever reads meanwhile."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import test_kill
from helpers_builds import FRESH, OUT, Files, there, wrong

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("helpers_builds.py")
EACH = 18  # killed of each of six kinds
TIMED = 5  # killed as an operator's would be


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A configuration and a record of two days; in memory where that can be, since nobody cuts the power here."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as name:
        made = Path(name)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(test_kill, "SERVICES", 2)
            patched.setattr(test_kill, "OUTAGE_EVERY", 240)  # each has a page, which is to be written
            test_kill.prepare(made, 1)
        shutil.copytree(made / "template", made / "data")
        yield made


@pytest.fixture(scope="module")
def moments() -> tuple[str, str]:
    """Two moments as of which the page differs: incidents come, and with them files."""
    late = datetime.now(UTC)
    return f"{late - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}", f"{late:%Y-%m-%dT%H:%M:%SZ}"


def begun(folder: Path, now: str, out: Path = OUT) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "uplog.collector", "build", "--now", now, "--audience", "public", "--out", str(out)]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def pages(folder: Path, moments: tuple[str, str]) -> dict[str, Files]:
    """The files of both pages, built where nothing was."""
    for now in moments:
        said, _ = (process := begun(folder, now, FRESH / now)).communicate(timeout=120)
        assert process.returncode == 0, said
    return {now: there(folder / FRESH / now) for now in moments}


def test_a_build_that_is_killed_at_any_moment_leaves_the_old_page_or_the_new_one(
    folder: Path, moments: tuple[str, str]
) -> None:
    words = [sys.executable, str(SCRIPT), str(folder), *moments, str(EACH)]

    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=500)

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == []
    assert min(told["killed"].values()) > EACH / 2
    assert sum(told["killed"].values()) + TIMED >= 100
    assert told["gone"], "no file had to be removed"


def test_the_command_can_be_killed_at_any_time(
    folder: Path, moments: tuple[str, str], pages: dict[str, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    shutil.rmtree(OUT, ignore_errors=True)
    started = time.monotonic()
    begun(folder, moments[0]).communicate(timeout=120)
    lasts = time.monotonic() - started
    old, killed = moments

    for turn in range(TIMED):
        process = begun(folder, killed)
        time.sleep(lasts * (0.5 + 0.5 * turn / TIMED))
        process.kill()
        process.communicate()
        assert list(wrong(pages[old], pages[killed])) == []
        begun(folder, killed).communicate(timeout=120)
        assert there(OUT) == pages[killed]
        old, killed = killed, old


def reading(folder: Path, stopped: threading.Event, seen: set[tuple[str, bytes]]) -> None:
    """Read all files of a page again and again."""
    while not stopped.is_set():
        for path in folder.rglob("[!.]*"):
            with suppress(FileNotFoundError, IsADirectoryError):  # it was removed since it was listed
                seen.add((str(path.relative_to(folder)), path.read_bytes()))


def test_who_reads_while_two_builders_write_sees_whole_files_only(
    folder: Path, moments: tuple[str, str], pages: dict[str, Files]
) -> None:
    out, stopped = folder / "read", threading.Event()
    seen: set[tuple[str, bytes]] = set()
    reader = threading.Thread(target=reading, args=(out, stopped, seen))
    reader.start()
    try:
        for _ in range(3):
            both = [begun(folder, now, out) for now in moments]
            said = [process.communicate(timeout=120)[0] for process in both]
            assert [process.returncode for process in both] == [0, 0], said
            assert there(out) in pages.values()
    finally:
        stopped.set()
        reader.join()

    known = {(name, content) for page in pages.values() for name, content in page.items()}
    assert seen <= known
    assert {("index.html", page["index.html"]) for page in pages.values()} <= seen


def test_a_build_of_the_same_again_writes_nothing(
    folder: Path, moments: tuple[str, str], pages: dict[str, Files]
) -> None:
    def state() -> Iterator[tuple[str, int, int, int]]:
        for path in sorted((folder / FRESH).rglob("*")):
            one = path.stat()
            yield str(path), one.st_ino, one.st_mtime_ns, one.st_ctime_ns

    before = list(state())
    for now in moments:
        said, _ = begun(folder, now, FRESH / now).communicate(timeout=120)
        assert "nothing changed" in said

    assert list(state()) == before
    assert len(before) > len(pages[moments[0]])


def test_what_somebody_did_to_a_page_is_put_right_by_the_next_build(
    folder: Path, moments: tuple[str, str], pages: dict[str, Files]
) -> None:
    out = folder / FRESH / moments[1]
    (out / "index.html").unlink()
    shutil.rmtree(out / "badge")
    (out / "history.html").write_bytes(bytes(len(pages[moments[1]]["history.html"])))

    said, _ = begun(folder, moments[1], FRESH / moments[1]).communicate(timeout=120)

    assert "files written" in said
    assert there(out) == pages[moments[1]]


def test_a_page_that_cannot_be_written_costs_one_sentence_and_exit_1(folder: Path, moments: tuple[str, str]) -> None:
    (folder / "taken").write_text("mine")

    said, _ = (process := begun(folder, moments[1], Path("taken"))).communicate(timeout=120)

    assert (process.returncode, said) == (1, "uplog: could not write taken: File exists\n")
    assert (folder / "taken").read_text() == "mine"
