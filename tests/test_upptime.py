"""The history that Upptime kept in git."""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_kuma import spans

from uplog.collector.importing import FORMATS, recognised
from uplog.collector.importing.past import ImportFailed, Past, Skipped

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SUMMARY = '[{"name": "My Shop", "slug": "my-shop", "dailyMinutesDown": {"2026-11-03": 45}}]'
VERSION = """\
url: https://shop.example
status: {status}
code: {code}
responseTime: {took}
lastUpdated: {at}
startTime: 2026-11-01T00:00:00.000Z
generator: Upptime <https://github.com/upptime/upptime>
"""


def repository(path: Path, *versions: tuple[str, str, int], git: bool = True) -> Path:
    """Make a repository whose history has these versions, each with moment, status and code."""
    (path / "history").mkdir(parents=True)
    (path / ".upptimerc.yml").write_text("owner: someone\n")
    (path / "history" / "summary.json").write_text(SUMMARY)
    if git:
        run(path, "init", "-q")
    for at, status, code in versions:
        text = VERSION.format(at=at, status=status, code=code, took=120 if status == "up" else 0)
        (path / "history" / "my-shop.yml").write_text(text)
        if git:
            run(path, "add", "-A")
            run(path, "commit", "-q", "-m", f"My Shop is {status}")
    return path


def run(path: Path, *words: str) -> None:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example", "GIT_CONFIG_GLOBAL": "/dev/null"}
    who |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example"}
    subprocess.run(["git", "-C", path, *words], check=True, env={**os.environ, **who})


def test_every_commit_is_an_answer_that_holds_until_the_next(tmp_path: Path) -> None:
    found = spans(
        tmp_path,
        repository(
            tmp_path / "repo",
            ("2026-11-01T23:00:00.500Z", "up", 200),
            ("2026-11-02T23:00:00.500Z", "up", 200),
            ("2026-11-03T10:00:00.500Z", "down", 503),
            ("2026-11-03T10:45:00.500Z", "up", 200),
            ("2026-11-09T23:00:00.500Z", "up", 200),
        ),
    )

    assert found == [
        ("up", 35 * 3600, None, 0),
        ("down", 45 * 60, "http_5xx", 0),
        ("up", 86_400, None, 0),  # one answer a day is promised: the silence after that tells nothing
        ("unknown", 5 * 86_400 + 12 * 3600 + 15 * 60, "no_sample", 0),
        ("up", 86_400, None, 0),
    ]


def test_without_git_there_is_the_newest_answer_of_each_file(tmp_path: Path) -> None:
    source = repository(tmp_path, ("2026-11-01T23:00:00.500Z", "up", 200), git=False)
    (tmp_path / "history" / "other.yml").write_text("- url: x\n- status: sleeping\n")
    found = list(FORMATS[recognised(source)].read(source, NOW))

    assert [(row.service, row.took, row.code) for row in found if isinstance(row, Past)] == [("My Shop", 120, 200)]
    assert [(row.service, row.where, row.why) for row in found if isinstance(row, Skipped)] == [
        ("other", "history/other.yml", "its status is none of up, down and degraded"),
        ("My Shop", "history/summary.json", "minutes down of a day say how long, not when"),
    ]


def test_what_git_says_of_a_broken_repository_is_told(tmp_path: Path) -> None:
    source = repository(tmp_path, ("2026-11-01T23:00:00.500Z", "up", 200))
    (source / ".git" / "HEAD").write_text("nowhere\n")

    with pytest.raises(ImportFailed, match="git says: fatal: "):
        list(FORMATS["upptime"].read(source, NOW))
