"""Trials of `uplog run` and `uplog watch` that are killed at a moment, and what must hold after each of them.

    python tests/helpers_trials.py COMMAND FOLDER SEED COUNT

The folder holds an uplog.toml, and a record to begin with in `template`. A trial is a forked process with everything
imported, but for each eighth, which starts as an operator's does. Prints one JSON object: how many trials were killed
after what, and what was wrong.
"""

import gc
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from urllib.parse import unquote, urlsplit

from helpers_dump import dump

from uplog.collector import cli
from uplog.collector.lock import asking, tidying
from uplog.collector.store import Store, upkeep

WATCHED_S = 2.0  # a watch that is not killed before; a run ends by itself
REBUILT_EVERY = 8  # trials
ANEW_EVERY = 4  # trials: from nothing, or from the template, whose closed days are still to be moved
PAGES = ("public", "data/internal")
WRITES = {"run": PAGES, "watch": ()}
DATABASE = Path("data/uplog.db")
ASKED = "asked"  # the file that the server touches for each question

Moment = Callable[[], bool]  # says whether it has come


class Links(HTMLParser):
    """What a page refers to, and whether it is whole."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names += [value for name, value in attrs if name in ("href", "src") and value]

    def handle_endtag(self, tag: str) -> None:
        self.ended = tag == "html"


# A trial


def begin(from_template: bool) -> None:
    """Forget the record of this folder; begin with none at all, or with the one of the template."""
    for path in Path("data").glob("uplog.db*"):
        path.unlink()
    if from_template:
        shutil.copytree("template", "data", dirs_exist_ok=True)


def begun(command: str, imported: bool) -> int:
    """Start `uplog` *command* in this folder, and return its process."""
    words = [command, "--every", "1s"] if command == "run" else [command]
    if not imported:
        with open("output", "ab") as output:
            process = subprocess.Popen([sys.executable, "-m", "uplog.collector", *words], stdout=output, stderr=output)
        process.returncode = 0  # ours to wait for
        return process.pid
    pid = os.fork()
    if pid == 0:
        try:
            output_to(Path("output"))
            cli.cli(words, prog_name="uplog")
        except SystemExit as ended:
            os._exit(int(ended.code or 0))
        finally:
            os._exit(70)
    return pid


def output_to(path: Path) -> None:
    """Let this process write into a file from now on."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def warm_up() -> None:
    """Run once in this process itself, so that no copy of it has to load and compile anything."""
    ours = [os.dup(number) for number in (1, 2)]
    output_to(Path("output"))
    try:
        cli.cli(["run"], prog_name="uplog", standalone_mode=False)
        sys.stdout.flush()
    finally:
        for number, kept in enumerate(ours, 1):
            os.dup2(kept, number)
            os.close(kept)
    assert threading.active_count() == 1, "only a process of one thread may be copied"
    gc.freeze()


def moment(chance: Random, command: str, lasts: float, *, anew: bool) -> tuple[str, Moment]:
    """Draw when to kill: any time while it *lasts*, or a write to the record or to a page; with its name.

    With a record that begins *anew* it is mostly a question: only then were the services found a moment ago.
    """
    until = time.monotonic() + chance.uniform(0, lasts)
    aims = ["any", "record", *(["page"] if command == "run" else []), *(["asked"] * 4 if anew else [])]
    match chance.choice(aims):
        case "asked":
            return "asked", after(changes(Path(ASKED)), 1)
        case "record":
            return "record", after(changes(DATABASE.with_name("uplog.db-wal")), chance.randint(1, 6))
        case "page":
            folder = Path(chance.choice(PAGES))
            return "page", after(changes(folder), chance.randint(1, 8))
        case name:
            return name, lambda: time.monotonic() >= until


def changes(path: Path) -> Iterator[bool]:
    """Say each time when asked whether *path* was written since."""
    before = None
    while True:
        with suppress(FileNotFoundError):
            found = os.stat(path)
            now = (found.st_mtime_ns, found.st_size, found.st_ino)
            yield before is not None and now != before
            before = now
            continue
        yield False


def after(seen: Iterator[bool], count: int) -> Moment:
    """Make the moment of the change *count*."""
    left = [count]

    def come() -> bool:
        left[0] -= next(seen)
        return left[0] <= 0

    return come


def trial(command: str, chance: Random, lasts: float, imported: bool, anew: bool) -> tuple[str, str]:
    """Kill one process at a moment; return what was aimed at, and what it had done; nothing when it ended before."""
    start_ms = int(time.time() * 1000)
    aim, come = moment(chance, command, lasts, anew=anew)
    pid = begun(command, imported)
    given_up = time.monotonic() + 2 * lasts
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and not come() and time.monotonic() < given_up:
        time.sleep(0.0002 if aim != "any" else 0.002)
    if ended == (0, 0):
        os.kill(pid, signal.SIGKILL)
        ended = os.waitpid(pid, 0)
    return aim, done_since(start_ms) if os.WIFSIGNALED(ended[1]) else ""


def done_since(start_ms: int) -> str:
    """Say how far a process came: the newest of what it left on disk."""
    if any(path.stat().st_mtime * 1000 >= start_ms for folder in PAGES for path in Path(folder).rglob("*")):
        return "page"
    try:
        with closing(sqlite3.connect(f"file:{DATABASE}?mode=ro", uri=True)) as db:
            if db.execute("select 1 from _run where started_ms >= ?", (start_ms,)).fetchone():
                return "recorded"
            if db.execute("select 1 from _service where last_seen_ms >= ?", (start_ms,)).fetchone():
                return "found"
    except sqlite3.Error:
        pass  # none yet, or not its tables
    return "started"


def whole(imported: bool) -> float:
    """Let one run end by itself; return how many seconds it took."""
    started = time.monotonic()
    _, status = os.waitpid(begun("run", imported), 0)
    assert os.waitstatus_to_exitcode(status) == 0, Path("output").read_text()
    return time.monotonic() - started


# What must hold


def wrong(pages: Sequence[str], rebuild: bool) -> Iterator[str]:
    """Tell what is not as it must be after a process was killed that may have written *pages*."""
    if DATABASE.exists():
        try:
            with closing(sqlite3.connect(DATABASE)) as db:
                yield from wrong_rows(db)
        except sqlite3.Error as error:
            yield f"the database cannot be read: {error}"
        for hold in (asking, tidying):
            with hold(DATABASE):  # raises when one is left behind
                pass
        if rebuild:
            yield from wrong_derived()
    for folder in pages:
        yield from wrong_page(Path(folder))


def wrong_rows(db: sqlite3.Connection) -> Iterator[str]:
    """Compare the answers that each run says it recorded with the rows from its start to the next one's."""
    integrity = db.execute("pragma integrity_check").fetchone()[0]
    if integrity != "ok":
        yield f"integrity: {integrity}"
    if db.execute("select 1 from sqlite_schema where name = '_run'").fetchone() is None:
        if db.execute("select 1 from sqlite_schema").fetchone():
            yield "half a schema"
        return
    yield from (
        f"run {run} says {observed}, and there are {rows}"
        for run, observed, rows in db.execute(
            """
            select r.id, r.observed, count(o.at_ms)
            from (select *, lead(started_ms, 1, 1 << 62) over (order by started_ms) as next_ms from _run) r
            left join observations o on o.at_ms >= r.started_ms and o.at_ms < r.next_ms
            group by r.id having r.observed <> count(o.at_ms)
            """
        )
    )
    first = db.execute("select ifnull(min(started_ms), 1 << 62) from _run").fetchone()[0]
    told = db.execute("select ifnull(value, 0) from _meta where name = 'template_ms'").fetchone()
    stray = db.execute(
        "select count(*) from observations where at_ms < ? and at_ms > ?", (first, told[0] if told else 0)
    ).fetchone()[0]
    if stray:
        yield f"{stray} rows without a run"
    bad = db.execute(
        "select kind, detail from events where kind in ('skipped', 'job_failed', 'not_written')"
    ).fetchall()
    yield from (f"event {kind}: {detail}" for kind, detail in bad)


def wrong_derived() -> Iterator[str]:
    """Rebuild a copy, and compare what is derived."""
    copy = Path("copy.db")
    for name in ("copy.db", "copy.db-wal", "copy.db-shm"):
        Path(name).unlink(missing_ok=True)
    with closing(sqlite3.connect(DATABASE)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    with Store(copy) as store:
        with store.writing() as db:
            upkeep.move_days(db)
        before = dump(store).splitlines()
        with store.writing() as db:
            upkeep.rebuild(db, store.zone)
        after_ = dump(store).splitlines()
    for line in sorted(set(before) ^ set(after_))[:4]:
        yield f"{'only before' if line in set(before) else 'only after'} a rebuild: {line}"


def wrong_page(folder: Path) -> Iterator[str]:
    """Follow every link of the page that is there."""
    for page in [folder / "index.html", *folder.glob("service/*.html")] if (folder / "index.html").exists() else []:
        links = Links()
        links.feed(page.read_text())
        if not links.ended:
            yield f"{page} is half a page"
        for name in links.names:
            parts = urlsplit(name)
            if not parts.scheme and not parts.netloc and parts.path:
                found = page.parent / unquote(parts.path)
                if not (found.exists() or (found / "index.html").exists()):
                    yield f"{page} leads to {name}, which is not there"
    for path in folder.glob("*.json"):
        try:
            json.loads(path.read_text())
        except ValueError as error:
            yield f"{path} is not whole: {error}"


def trials(command: str, seed: int, count: int) -> dict[str, object]:
    """Kill *count* processes; return how many were killed after what, and what was wrong."""
    chance = Random(seed)
    killed: Counter[str] = Counter()
    problems: list[str] = []
    lasts = dict.fromkeys((True, False), WATCHED_S)
    warm_up()
    if command == "run":
        lasts = {imported: min(whole(imported) for _ in range(2)) for imported in lasts}
    for number in range(3 * count):
        if killed.total() == count:
            break
        if anew := number % ANEW_EVERY == 0:
            begin(from_template=number % (2 * ANEW_EVERY) == 0)
        imported = number % 8 != 7
        aim, done = trial(command, chance, lasts[imported], imported, anew)
        if done:
            killed[done] += 1
            found = wrong(WRITES[command], rebuild=killed.total() % REBUILT_EVERY == 0)
            problems += [f"trial {number} ({aim}, {done}): {one}" for one in found]
    whole(imported=True)
    problems += [f"at the end: {one}" for one in wrong(PAGES, rebuild=True)]
    for folder in PAGES:
        problems += [f"half a file: {path}" for path in Path(folder).rglob("*.part")]
    if list(Path("data").glob("spool/*")) or list(Path("data").glob("*.spool/*")):
        problems.append("something is left in the spool")
    said = sorted({line for line in Path("output").read_text().splitlines() if "rror" in line or "lock" in line})
    return {"killed": dict(killed), "problems": problems, "said": said[:5]}


if __name__ == "__main__":
    os.chdir(sys.argv[2])
    print(json.dumps(trials(sys.argv[1], int(sys.argv[3]), int(sys.argv[4]))))
