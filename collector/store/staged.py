"""Rows on their way into the record: put in order in a file of their own, whatever their number and order are."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Self

from ..importing.past import Asked, Corrected, Ended, Maintained, Named, Past, Row, Skipped, plain
from ..model import from_ms, to_ms
from .codes import OUTCOME_CODE

AT_ONCE = 1_000  # rows
FIRST_MS = 946_684_800_000  # the year 2000: a clock that was not set yet, or a moment that a program left empty
Said = tuple[int, int | None, str | None, int, bool]  # outcome, code, reason, attempt, restarted
Step = tuple[int, int, Said, Asked]  # at_ms, took, what it said, how it was asked


@dataclass(slots=True, kw_only=True)
class Told:
    """What there is of one service, but for its rows."""

    name: str
    named: Named | None = None
    checks: dict[str, int] = field(default_factory=dict)  # each with the number that its rows have
    ended: list[Ended] = field(default_factory=list)
    corrected: list[Corrected] = field(default_factory=list)
    maintained: list[Maintained] = field(default_factory=list)


class Staged:
    """Rows of other people's history, by service and check, oldest first.

    *renamed* says what names mean here. What is from after *now* did not happen, and is skipped. Memory does not grow
    with the number of rows: SQLite keeps them in a temporary file that nobody else sees.
    """

    def __init__(self, now: datetime, renamed: Mapping[str, str] | None = None) -> None:
        self.services: dict[str, Told] = {}  # in the order in which they first appear
        self.skipped: dict[tuple[str, str], Skipped] = {}  # by service and reason, with the number of rows
        self.not_there = {*(renamed or {})}  # names that were to be others here, and did not appear
        self._renamed = renamed or {}
        self._now_ms = to_ms(now)
        self._said: dict[Said, int] = {}
        self._asked: dict[Asked, int] = {}
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("pragma journal_mode = off")  # when we die, nobody misses it
        self._db.execute(
            """
            create table row (
                number integer not null,
                at_ms integer not null,
                took integer not null,
                said integer not null,
                asked integer not null,
                primary key (number, at_ms)
            ) without rowid
            """
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def take(self, rows: Iterable[Row]) -> None:
        """Take all of *rows*; of one check at one moment the last counts."""
        steps = self._steps(rows)
        self._db.execute("begin")
        while batch := list(islice(steps, AT_ONCE)):
            self._db.executemany("insert or replace into row values (?, ?, ?, ?, ?)", batch)
        self._db.execute("commit")

    def rows(self, service: str, check: str) -> Iterator[Step]:
        """Yield what a check of a service said, oldest first."""
        said, asked = list(self._said), list(self._asked)
        number = self.services[service].checks[check]
        found = self._db.execute("select at_ms, took, said, asked from row where number = ? order by at_ms", (number,))
        return ((at_ms, took, said[words], asked[how]) for at_ms, took, words, how in found)

    def reach(self, service: str) -> tuple[datetime, datetime, int] | None:
        """Return the first and the last moment of a service, and its number of rows; none when there are none."""
        numbers = ", ".join(map(str, self.services[service].checks.values()))
        first, last, rows = self._db.execute(
            f"select min(at_ms), max(at_ms), count(*) from row where number in ({numbers})"
        ).fetchone()
        return (from_ms(first), from_ms(last), rows) if rows else None

    def last(self, service: str, check: str) -> Asked | None:
        """Return how a check was asked when it was last asked."""
        row = self._db.execute(
            "select asked from row where number = ? order by at_ms desc limit 1",
            (self.services[service].checks[check],),
        ).fetchone()
        return list(self._asked)[row[0]] if row else None

    def _steps(self, rows: Iterable[Row]) -> Iterator[tuple[int, int, int, int, int]]:
        number = how = 0
        service: str | None = None
        asked: Asked | None = None
        for row in rows:
            if not isinstance(row, Past):
                self._note(row)
                continue
            if row.service != service or row.asked is not asked:  # seldom: to compare is cheaper than to look up
                service, asked = row.service, row.asked
                number, how = self._number(service, asked), self._asked.setdefault(asked, len(self._asked))
            at_ms = to_ms(row.at)
            if not FIRST_MS <= at_ms <= self._now_ms:
                why = "has not happened yet" if at_ms > FIRST_MS else "is from before the year 2000"
                self._note(Skipped(service=row.service, why=why, where=row.at.isoformat()))
                continue
            said = (OUTCOME_CODE[row.outcome], row.code, row.reason, row.attempt, row.restarted)
            yield number, at_ms, row.took, self._said.setdefault(said, len(self._said)), how

    def _told(self, name: str) -> Told:
        here = self._here(name)
        return self.services.setdefault(here, Told(name=here))

    def _here(self, name: str) -> str:
        self.not_there.discard(name)
        return self._renamed.get(name) or plain(name)

    def _number(self, service: str, asked: Asked) -> int:
        told = self._told(service)
        known = told.checks.get(asked.check)
        if known is None:
            known = told.checks[asked.check] = sum(len(one.checks) for one in self.services.values())
        return known

    def _note(self, row: Row) -> None:
        match row:
            case Named():
                self._told(row.service).named = row
            case Ended():
                self._number(row.service, row.asked)
                self._told(row.service).ended.append(row)
            case Corrected():
                self._told(row.service).corrected.append(row)
            case Maintained():
                self._told(row.service).maintained.append(row)
            case Skipped():
                self._skip(row)

    def _skip(self, row: Skipped) -> None:
        name = self._here(row.service)
        known = self.skipped.get((name, row.why))
        rows = row.rows + (known.rows if known else 0)
        where = known.where if known else row.where
        self.skipped[name, row.why] = Skipped(service=name, why=row.why, where=where, rows=rows)
