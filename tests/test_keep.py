"""Keeping the page built while there is nothing to build it from."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from helpers_site import NOW

from uplog.collector.config import parse
from uplog.collector.store import Store
from uplog.collector.store.derive import note
from uplog.site.keep import keep_building

pytestmark = pytest.mark.unit


class Rounds(Event):
    """An end that comes when all has been done that happens between two rounds, which take no time."""

    def __init__(self, *happens: Callable[[], object]) -> None:
        super().__init__()
        self.happens = iter((*happens, self.set))

    def wait(self, timeout: float | None = None) -> bool:
        next(self.happens)()
        return self.is_set()


def nothing() -> None:
    pass


def now() -> datetime:
    return NOW


def test_each_fault_is_said_once_until_it_is_over_and_the_page_is_built_as_soon_as_it_can_be(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = parse({}, folder=tmp_path)

    def record() -> None:
        with Store(config.database, zone=UTC) as store, store.writing() as db:
            note(db, "changed", str(next(numbers)))

    def block() -> None:
        if config.site.exists():
            config.site.rename(tmp_path / "built")
        config.site.write_text("mine")
        record()

    numbers = count()
    rounds = Rounds(nothing, block, nothing, config.site.unlink, nothing, block, nothing)

    keep_building(config, rounds, now, audiences=["public"])

    missing, *blocked = [one.getMessage() for one in caplog.records]
    assert "there is no such database; `uplog run` makes one" in missing
    assert [text.endswith("public: File exists") for text in blocked] == [True, True]
    assert "There is nothing to show yet" in (tmp_path / "built/index.html").read_text()
