"""The hours behind a sparkline, where all answers of a day would be too many to read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from helpers import a_check
from test_accounting import stored

from uplog.collector.model import Observation, Outcome, Reason
from uplog.collector.store import Store, read, upkeep
from uplog.collector.store.hourly import hourly

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)
BEGINS = datetime(2026, 11, 20, 20, tzinfo=UTC)
CHECK = a_check(every=300_000)


def answers(hours: int, took: list[int]) -> list[Observation]:
    """Make twelve answers an hour that take longer by 100 ms each hour; the fifth of each hour fails at once."""
    return [
        Observation(
            check=CHECK.key,
            at=BEGINS + hour * HOUR + timedelta(minutes=5 * place, seconds=2),
            outcome=Outcome.FAIL if place == 4 else Outcome.PASS,
            reason=Reason.REFUSED if place == 4 else None,
            took=1 if place == 4 else 100 * hour + ms,
        )
        for hour in range(hours)
        for place, ms in enumerate(took)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return a record of 26 hours, of which a part lies in a closed day."""
    with Store(tmp_path / "uplog.db") as opened:
        stored(opened, [(CHECK, answers(26, [10, 30, 20, 40, 0, 50, 50, 50, 50, 50, 50, 50]))])
        with opened.writing() as db:
            upkeep.move_days(db)
        yield opened


def test_an_hour_is_told_by_the_median_of_its_answers_whether_its_day_is_closed_or_open(store: Store) -> None:
    now = BEGINS + 25 * HOUR + timedelta(minutes=40)
    with store.reading() as db:
        (found,) = hourly(db, now, [CHECK.every]).values()

    assert found == [(BEGINS + hour * HOUR, 100 * hour + 50) for hour in range(1, 25)]


def test_of_many_services_only_the_beginning_of_an_hour_is_read(store: Store) -> None:
    now = BEGINS + 25 * HOUR
    with store.reading() as db:
        (found,) = hourly(db, now, [300_000] * 1_000).values()  # 12 min and a half: three answers

    assert [ms for _, ms in found] == [100 * hour + 20 for hour in range(1, 25)]


def test_hours_without_an_answer_are_left_out(store: Store) -> None:
    with store.reading() as db:
        (found,) = hourly(db, BEGINS + 30 * HOUR, [CHECK.every]).values()

        assert [at for at, _ in found] == [BEGINS + hour * HOUR for hour in range(6, 26)]
        assert hourly(db, BEGINS, [CHECK.every]) == {}
        assert hourly(db, BEGINS, []) == {}


def test_a_history_has_a_day_of_hours_however_many_services_there_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.reading() as db:
        (few,) = read.history_at(db, BEGINS + 25 * HOUR).services
        monkeypatch.setattr(read, "RECENT_ROWS", 600)
        (many,) = read.history_at(db, BEGINS + 25 * HOUR).services

    assert (len(few.recent), few.hourly) == (24 * 11, ())
    assert (len(many.recent), len(many.hourly)) == (10 * 11, 24)
