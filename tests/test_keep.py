"""Keeping the page built while there is nothing to build it from."""

from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from helpers_site import NOW

from uplog.collector.config import parse
from uplog.collector.store import Store
from uplog.site.keep import keep_building

pytestmark = pytest.mark.unit


class Rounds(Event):
    """An end that comes after as many rounds, which take no time; before the last two of them a record appears."""

    def __init__(self, rounds: int, database: Path) -> None:
        super().__init__()
        self.left, self.database = rounds, database

    def wait(self, timeout: float | None = None) -> bool:
        self.left -= 1
        if self.left == 2:
            Store(self.database, zone=UTC).close()
        if not self.left:
            self.set()
        return self.is_set()


def now() -> datetime:
    return NOW


def test_that_there_is_no_record_yet_is_said_once_and_the_page_is_built_when_there_is_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = parse({}, folder=tmp_path)

    keep_building(config, Rounds(5, config.database), now, audiences=["public"])

    (warning,) = [one.getMessage() for one in caplog.records]
    assert "there is no such database; `uplog run` makes one" in warning
    assert "There is nothing to show yet" in (tmp_path / "public/index.html").read_text()
