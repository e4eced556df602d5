"""Upptime: a clone of its repository.

`history/SLUG.yml` (url, status, code, responseTime, lastUpdated) is committed when a status changes, and once a day
with the response time (src/update.ts and src/workflows/response-time.yml of upptime/uptime-monitor): what git has of
the file is the history. A commit speaks until the next one, and at least one a day is promised: that is the interval.
Between them Upptime asked every five minutes and wrote nothing down, so a blip that it did not commit is lost.
Names are in `history/summary.json` (name, slug, dailyMinutesDown); its minutes of a day are sums, and make no
observation. Without git, or in a shallow clone, there is only what the files say: the newest answer.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from ..model import UNMEASURED, Outcome, Reason
from .past import Asked, ImportFailed, Past, Row, Skipped, failure, moment, rule

A_DAY = 86_400_000  # ms
ASKED = Asked(every=A_DAY, rule=rule(1, A_DAY))  # a status that is committed was confirmed
OUTCOMES = {"up": Outcome.PASS, "down": Outcome.FAIL, "degraded": Outcome.WARN}
LINE = re.compile(r"(?:- )?(\w+): (.*)")
CHANGE = re.compile(r":\d+ \d+ [0-9a-f]+ ([0-9a-f]+) [AM]\thistory/([^/]+)\.ya?ml")
# nothing that the repository configures is run, and nothing is fetched
GIT = ("git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "core.quotePath=false")

Version = tuple[str, str, str]  # slug, where it is kept, text


def recognises(path: Path) -> bool:
    """Say whether the folder *path* looks like a repository of Upptime."""
    return (path / ".upptimerc.yml").is_file() and (path / "history").is_dir()


def read(path: Path, _: datetime) -> Iterator[Row]:
    """Read the repository *path*."""
    summary = path / "history" / "summary.json"
    told = summary.read_text(encoding="utf-8") if summary.is_file() else "[]"
    yield from rows(committed(path) if (path / ".git").exists() else files(path), *summed(told))


def summed(text: str) -> tuple[dict[str, str], dict[str, int]]:
    """Return the names of summary.json, by slug, and of how many days it has sums.

    >>> summed('[{"name": "My Shop", "slug": "my-shop", "dailyMinutesDown": {"2022-06-12": 21}}]')
    ({'my-shop': 'My Shop'}, {'my-shop': 1})
    """
    try:
        found = json.loads(text)
        names = {str(one["slug"]): str(one["name"]) for one in found}
        return names, {str(one["slug"]): len(one.get("dailyMinutesDown") or {}) for one in found}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}, {}  # then the names of the files have to do


def rows(versions: Iterable[Version], names: Mapping[str, str], days: Mapping[str, int]) -> Iterator[Row]:
    """Tell what each version of each file says."""
    for slug, where, text in versions:
        yield past(names.get(slug, slug), where, dict(LINE.findall(text)))
    for slug, count in days.items():
        if count:
            why = "minutes down of a day say how long, not when"
            yield Skipped(service=names.get(slug, slug), why=why, where="history/summary.json", rows=count)


def past(service: str, where: str, said: Mapping[str, str]) -> Row:
    """Tell one version."""
    status, code, took = (said.get(key, "").strip() for key in ("status", "code", "responseTime"))
    outcome = OUTCOMES.get(status)
    if outcome is None:
        return Skipped(service=service, why="its status is none of up, down and degraded", where=where)
    try:
        at = moment(said.get("lastUpdated", ""))
    except ValueError:
        return Skipped(service=service, why="lastUpdated is no moment", where=where)
    number = int(code) if code.isdecimal() and int(code) else None
    reasons = {Outcome.FAIL: failure(number, ""), Outcome.WARN: Reason.SLOW}
    return Past(
        service=service,
        at=at,
        outcome=outcome,
        took=int(took) if took.isdecimal() and int(took) else UNMEASURED,
        reason=reasons.get(outcome),
        code=number,
        asked=ASKED,
    )


def files(path: Path) -> Iterator[Version]:
    """Yield the files as they are."""
    for file in sorted((path / "history").glob("*.y*ml")):
        yield file.stem, f"history/{file.name}", file.read_text(encoding="utf-8", errors="replace")


def committed(path: Path) -> Iterator[Version]:
    """Yield every version of the files that git has, oldest first. Raises ImportFailed."""
    log = _git(path, b"", "log", "--reverse", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", "history")
    changes = CHANGE.findall(log.decode(errors="replace"))
    texts = _git(path, "".join(f"{blob}\n" for blob, _ in changes).encode(), "cat-file", "--batch")
    place = 0
    for blob, slug in changes:
        start = texts.index(b"\n", place) + 1
        size = int(texts[place:start].split()[2])  # <id> blob <size>
        yield slug, f"git:{blob[:12]}", texts[start : start + size].decode(errors="replace")
        place = start + size + 1


def _git(path: Path, given: bytes, *arguments: str) -> bytes:
    environ = {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            [*GIT, "-C", path, *arguments], input=given, capture_output=True, check=False, env=environ
        )
    except FileNotFoundError as error:
        raise ImportFailed([f"{path}: git is not installed, and its history is in git"]) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise ImportFailed([f"{path}: git says: {said}"])
    return done.stdout
