"""What makes again all that is derived: days of another zone, replaying, rebuilding."""

import heapq
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from .. import history
from ..model import Check, Flip, Observation, Outcome, Reason, Standing, from_ms, to_ms
from .codes import OUTCOMES, to_check, to_standing
from .derive import close_days, from_s, horizon_ms, make_days, meta, meta_int, note
from .moving import FOREVER_MS, forget_latency, gather, keep_latency, over
from .moving import move_days as move_days  # noqa: PLC0414  the first upkeep of all; mypy wants it said
from .record import ended, follow, keep_flips, keep_standings, newest_observation


def keep_zone(db: sqlite3.Connection, zone: tzinfo) -> None:
    """Cut all time into the days of *zone* again, when it is not the one that the days were cut by.

    Percentiles need rows: those of days from before the horizon keep the label that they have.
    """
    before = meta(db, "zone")
    note(db, "zone", str(zone))
    newest = newest_observation(db)
    if before in ("", str(zone)) or newest is None:
        return
    gather(db)
    forget_latency(db)
    for table in ("_day", "_uptime_day"):
        db.execute(f"delete from {table}")
    make_days(db, zone, from_s(db.execute("select min(at_s) from _flip").fetchone()[0]), newest)
    forget_latency(db)
    note(db, "closed_s", "0")
    closed_s = close_days(db, newest)
    keep_latency(db, 0, closed_s)
    note(db, "moved_s", str(closed_s))


# Replaying


def horizon_of(db: sqlite3.Connection, check_id: int) -> int:
    """Return the moment, in ms, before which the rows of a check are pruned; 0 while none of them is.

    There the check stands as _horizon says, and the flips that were made before are all that is left.
    """
    pruned = db.execute("select 1 from _horizon where check_id = ?", (check_id,)).fetchone()
    return horizon_ms(db) if pruned else 0


def stepped(
    db: sqlite3.Connection, check_id: int, check: Check, until_ms: int = FOREVER_MS
) -> tuple[Standing | None, list[Flip]]:
    """Step through everything that *check* said from its horizon on and before *until_ms*.

    Return where it stands then, and the flips; a life that ended stands nowhere.
    """
    start_ms = horizon_of(db, check_id)
    standing = _stood(db, check_id)
    ends = db.execute(
        "select at_ms from _end where check_id = ? and at_ms >= ? and at_ms < ? order by at_ms",
        (check_id, start_ms, until_ms),
    ).fetchall()
    rows = _Rows.of(db, check_id, check)
    found: list[Flip] = []
    for (end_ms,) in ends:
        standing, flips = _life(rows, standing, start_ms, end_ms + 1)
        found += [*flips, *ended(standing, check.key, from_ms(end_ms))]
        standing, start_ms = None, end_ms + 1
    standing, flips = _life(rows, standing, start_ms, until_ms)
    return standing, found + flips


def _stood(db: sqlite3.Connection, check_id: int) -> Standing | None:
    """Return where a check stood at the horizon."""
    row = db.execute(
        "select body, last_ms, took, asked_ms from _horizon where check_id = ? and body <> ''", (check_id,)
    ).fetchone()
    return None if row is None else to_standing(*row)


def _life(rows: "_Rows", standing: Standing | None, start_ms: int, stop_ms: int) -> tuple[Standing | None, list[Flip]]:
    """Step through the rows from *start_ms* on and before *stop_ms*, but pass over those that change nothing."""
    found: list[Flip] = []
    while True:
        if standing is not None:
            standing, start_ms = rows.passed_over(standing, start_ms, stop_ms)
        for observation, check in rows.between(start_ms, stop_ms):
            standing, flips = history.step(standing, observation, check)
            found += flips
            if history.is_steady(standing, check):
                start_ms = to_ms(observation.at) + 1
                break
        else:
            return standing, found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The gathered observations of one check."""

    db: sqlite3.Connection
    check: Check
    series: Mapping[int, Check]  # the check as it was in force for each series
    said: Mapping[
        int, tuple[Outcome, int | None, Reason | None, int, bool]
    ]  # outcome, code, reason, attempt, restarted

    @classmethod
    def of(cls, db: sqlite3.Connection, check_id: int, check: Check) -> "_Rows":
        series = db.execute("select id, every_ms, rule from _series where check_id = ?", (check_id,))
        said = db.execute("select id, outcome, code, reason, attempt, restarted from _said")
        return cls(
            db=db,
            check=check,
            series={number: _in_force(check, every, rule) for number, every, rule in series},
            said={
                number: (OUTCOMES[outcome], code, Reason(reason) if reason else None, attempt, bool(restarted))
                for number, outcome, code, reason, attempt, restarted in said
            },
        )

    def between(self, start_ms: int, stop_ms: int) -> Iterator[tuple[Observation, Check]]:
        """Read the observations from *start_ms* on and before *stop_ms*, oldest first, each with its check."""
        sql = """
            select at_ms, series, took, said from _observation
            where series = ? and at_ms >= ? and at_ms < ? order by at_ms
            """
        # merged here, for SQLite would sort all of a year anew after each pause that was passed over
        rows = heapq.merge(*(self.db.execute(sql, (number, start_ms, stop_ms)) for number in self.series))
        for at_ms, series, took, said in rows:
            outcome, code, reason, attempt, restarted = self.said[said]
            yield (
                Observation(
                    check=self.check.key,
                    at=from_ms(at_ms),
                    outcome=outcome,
                    took=took,
                    code=code,
                    reason=reason,
                    attempt=attempt,
                    restarted=restarted,
                ),
                self.series[series],
            )

    def passed_over(self, standing: Standing, start_ms: int, stop_ms: int) -> tuple[Standing, int]:
        """Let SQLite look for the first row that may change a steady *standing*; return how it stands before, and when.

        The rule is that of record: a plain pass, in the same series, within 2.5 intervals of the one before.
        """
        series = self._nearest(standing.every, start_ms)
        if series is None or not history.is_steady(standing, self.series[series]):
            return standing, start_ms
        for other in self.series.keys() - {series}:
            stop_ms = self._first("series = ? and at_ms >= ? and at_ms < ?", other, start_ms, stop_ms) or stop_ms
        plain = ", ".join(
            str(number)
            for number, (outcome, _, reason, attempt, restarted) in self.said.items()
            if outcome is Outcome.PASS and reason is None and attempt == 1 and not restarted
        )
        differs = f"""
            series = ?1 and at_ms >= ?2 and at_ms < ?3 and (said not in ({plain}) or not exists (
                select 1 from _observation b where b.series = ?1 and b.at_ms < o.at_ms and b.at_ms >= o.at_ms - ?4))
            """
        stop_ms = self._first(differs, series, start_ms, stop_ms, 5 * standing.every // 2) or stop_ms
        newest = self.db.execute(
            """
            select at_ms, took from _observation where series = ? and at_ms >= ? and at_ms < ?
            order by at_ms desc limit 1
            """,
            (series, start_ms, stop_ms),
        ).fetchone()
        if newest is None:
            return standing, start_ms
        last = from_ms(newest[0])
        return replace(standing, last=last, took=newest[1], asked=last), stop_ms

    def _nearest(self, every: int, start_ms: int) -> int | None:
        """Return the series with that interval that goes on first; there are several when thresholds were changed."""
        asked = [number for number, check in self.series.items() if check.every == every]
        found = [
            (at_ms, number)
            for number in asked
            if (at_ms := self._first("series = ? and at_ms >= ?", number, start_ms)) is not None
        ]
        return min(found)[1] if found else None

    def _first(self, condition: str, *values: int) -> int | None:
        row = self.db.execute(
            f"select at_ms from _observation o where {condition} order by at_ms limit 1", values
        ).fetchone()
        return row[0] if row else None


def _in_force(check: Check, every: int, rule: str) -> Check:
    """Return *check* with the interval and the thresholds by which its rows were judged; see `rule` of _check."""
    failures, successes, grace, declared = map(int, rule.split("/"))
    return replace(
        check,
        every=every,
        failure_threshold=failures,
        success_threshold=successes,
        grace=grace,
        declared_every=declared,
    )


def replay(db: sqlite3.Connection, check_id: int) -> None:
    """Step again through what a check said since its horizon, and keep the flips and the standing that follow.

    The moment of asking stays that of the clock, for it is only planned by.
    """
    check = to_check(db.execute("select spec from _check where id = ?", (check_id,)).fetchone()[0])
    before = db.execute("select last_ms, asked_ms from _standing where check_id = ?", (check_id,)).fetchone()
    standing, flips = stepped(db, check_id, check)
    db.execute("delete from _flip where check_id = ? and made_ms >= ?", (check_id, horizon_of(db, check_id)))
    db.execute("delete from _standing where check_id = ?", (check_id,))
    keep_flips(db, check_id, flips)
    if standing is not None:
        if before is not None and before[0] == to_ms(standing.last):
            standing = replace(standing, asked=from_ms(before[1]))
        keep_standings(db, [(check_id, standing, check)])
    note(db, "replays", str(meta_int(db, "replays") + 1))  # who reads outside a transaction sees that it changed


def rebuild(db: sqlite3.Connection, zone: tzinfo, now: datetime | None = None) -> None:
    """Make everything that is derived again: from the rows since the horizon, and from the flips before.

    Percentiles are made of the days that are over at *now*; those from before the horizon stay as they are.
    """
    gather(db)
    for (check_id,) in db.execute("select id from _check order by id").fetchall():
        replay(db, check_id)
    for table in ("_span", "_incident", "_uptime_day", "_day"):
        db.execute(f"delete from {table}")
    note(db, "closed_s", "0")
    follow(db, {row[0]: 0 for row in db.execute("select id from _service")}, zone, now)
    forget_latency(db)
    over_s = over(db, now)
    keep_latency(db, 0, over_s)
    note(db, "moved_s", str(over_s))
