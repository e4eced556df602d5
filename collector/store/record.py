"""Write observations: read where the checks stand, step, and keep the row, the flips and what follows from them."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

import msgspec

from .. import history
from ..model import (
    Check,
    Flip,
    Observation,
    Outcome,
    Role,
    Standing,
    floor_second,
    from_ms,
    to_ms,
)
from . import parts
from .codes import OUTCOME_CODE, STATE_CODE, body_of, to_check, to_standing
from .derive import close_days, derive, horizon_ms, make_days, meta_int, note, seconds
from .parts import Seen as Seen  # noqa: PLC0414  what this room takes; mypy wants it said


@dataclass(slots=True)
class _Row:
    """What the record knows of a check that was just asked."""

    check_id: int
    service_id: int
    series: int | None  # of the newest interval
    every: int | None
    last_ms: int
    known_ms: int  # of the newest that is known: that answer, a silence after it, the end of its life, the horizon
    steady: bool
    body: str | None
    took: int
    asked_ms: int
    standing: Standing | None = None

    def stands(self) -> Standing | None:
        """Return the standing, which is decoded only when somebody wants to know."""
        if self.standing is None and self.body is not None:
            self.standing = to_standing(self.body, self.last_ms, self.took, self.asked_ms)
        return self.standing


def observed(db: sqlite3.Connection, seen: Sequence[Seen], zone: tzinfo) -> list[Flip]:
    """Record what was *seen*, oldest first, inside the open write transaction; return the flips that it made.

    A moment that does not lie after the newest that is known of its check (a clock that was set back) is moved behind
    it, with an event. Checks that are not asked any more are passed over: their service was retired or paused, or the
    configuration changed, while the answer was under way.
    """
    if not seen:
        return []
    rows = _rows(db, {one.check.key for one in seen}, to_ms(seen[-1].observation.at))
    said = Said(db)
    found: list[Flip] = []
    observations: list[tuple[int, int, int, int]] = []
    unchanged: list[tuple[int, int, int, int]] = []
    stepped: dict[int, tuple[int, Standing, Check]] = {}
    changed: dict[int, int] = {}
    behind = 0
    for one in seen:
        row = rows.get(one.check.key)
        if row is None:
            continue
        observation = one.observation
        asked_ms = at_ms = to_ms(observation.at)
        if at_ms <= row.known_ms:
            behind = max(behind, row.known_ms - at_ms)
            at_ms = row.known_ms + 1
            observation = replace(observation, at=from_ms(at_ms))
        elif observation.at.microsecond % 1000:  # a row keeps milliseconds, and a rebuild reads rows
            observation = replace(observation, at=from_ms(at_ms))
        if row.series is None or row.every != one.check.every:
            row.series = series_of(db, row.check_id, one.check.every)
        if one.tells:
            observation = parts.keep_parts(db, row.check_id, row.service_id, one, observation, row.last_ms)
        observations.append((at_ms, row.series, observation.took, said.id(observation)))
        row.known_ms = at_ms
        if _goes_on(row, one.check, observation, at_ms):
            unchanged.append((at_ms, observation.took, asked_ms, row.check_id))
            row.last_ms, row.took, row.asked_ms = at_ms, observation.took, asked_ms
            continue
        row.standing, flips = history.step(row.stands(), observation, one.check)
        if observation.attempt == 1 and asked_ms != at_ms:  # when to ask next is a matter of the clock as it is
            row.standing = replace(row.standing, asked=from_ms(asked_ms))
        row.last_ms, row.every, row.steady = at_ms, one.check.every, False
        if one.text:
            keep_text(db, row.check_id, observation.at, one.text)
        if flips:
            keep_flips(db, row.check_id, flips)
            earliest = min(seconds(flip.at) for flip in flips)
            changed[row.service_id] = min(earliest, changed.get(row.service_id, earliest))
            found += flips
        if one.check.role is Role.STARTUP and startup_is_over(row.standing, observation):
            keep_end(db, row.check_id, observation.at)
            stepped.pop(row.check_id, None)
            row.standing, row.body, row.last_ms = None, None, 0
            db.execute("update _check set done = 1 where id = ?", (row.check_id,))
            changed.setdefault(row.service_id, seconds(observation.at))
        else:
            stepped[row.check_id] = (row.check_id, row.standing, one.check)
    db.executemany("insert into _observation_open values (?, ?, ?, ?)", observations)
    db.executemany("update _standing set last_ms = ?, took = ?, asked_ms = ? where check_id = ?", unchanged)
    keep_standings(db, stepped.values())
    if behind:
        _tell_behind(db, to_ms(seen[-1].observation.at), behind)
    follow(db, changed, zone)
    return found


def _tell_behind(db: sqlite3.Connection, now_ms: int, behind: int) -> None:
    """Note that the clock is behind the newest observation: once, until it has caught up."""
    if now_ms > meta_int(db, "clock_behind"):
        event(db, from_ms(now_ms), "clock_behind", f"the clock is {behind} ms behind the newest observation")
    note(db, "clock_behind", str(now_ms + behind))


def _goes_on(row: _Row, check: Check, observation: Observation, at_ms: int) -> bool:
    """Say whether an up check passed again in time: nine of ten answers, which change nothing but the newest moment."""
    return (
        row.steady
        and observation.outcome is Outcome.PASS
        and observation.attempt == 1
        and observation.reason is None
        and not observation.restarted
        and row.every == check.every
        and 2 * (at_ms - row.last_ms) <= 5 * check.every
    )


def startup_is_over(standing: Standing, observation: Observation) -> bool:
    """Say whether a startup check has done its work: it passed, or its budget is spent."""
    spent = standing.grace_until is not None and observation.at >= standing.grace_until
    return observation.outcome is Outcome.PASS or spent


def follow(db: sqlite3.Connection, changed: dict[int, int], zone: tzinfo, now: datetime | None = None) -> None:
    """Do what follows from new rows: silences, spans, and days that are over.

    *changed* are services with the second from which on their flips are others; who fell silent joins them. There are
    days until *now*, too, when the rows are old ones.
    """
    oldest, youngest_ms = db.execute(
        "select (select min(at_s) from _flip), (select max(made_ms) from _flip)"  # each by its index
    ).fetchone()
    if oldest is None:
        return
    newest = newest_observation(db) or from_ms(youngest_ms)  # when every check has ended, the end is the newest
    note(db, "newest_ms", str(to_ms(newest)))
    for service, second in silences(db, newest).items():
        changed[service] = min(second, changed.get(service, second))
    make_days(db, zone, from_ms(oldest * 1000), max(newest, now or newest))
    derive(db, changed.items())
    close_days(db, newest)


def newest_observation(db: sqlite3.Connection) -> datetime | None:
    """Return the moment of the newest observation of all."""
    newest: int = db.execute("select ifnull(max(last_ms), 0) from _standing").fetchone()[0]
    newest = max(newest, meta_int(db, "newest_ms"))  # of a check that has ended since
    return from_ms(newest) if newest else None


def silences(db: sqlite3.Connection, now: datetime) -> dict[int, int]:
    """Write the flips of checks whose silence is known at *now*; return each service with the earliest second."""
    rows = db.execute(
        """
        select s.check_id, c.service_id, c.spec, s.body, s.last_ms, s.took, s.asked_ms
        from _standing s join _check c on c.id = s.check_id
        where s.state <> 1 and 2 * (? - s.last_ms) > 5 * s.every_ms
        """,
        (to_ms(now),),
    ).fetchall()
    changed: dict[int, int] = {}
    for check_id, service_id, spec, body, *newest in rows:
        check = to_check(spec)
        fallen = history.fall_silent(to_standing(body, *newest), check.key, now)
        if fallen is not None:
            standing, flip = fallen
            keep_flips(db, check_id, [flip])
            keep_standings(db, [(check_id, standing, check)])
            changed[service_id] = min(seconds(flip.at), changed.get(service_id, seconds(flip.at)))
    return changed


def _rows(db: sqlite3.Connection, keys: set[str], now_ms: int) -> dict[str, _Row]:
    """Read what is known of the checks with these keys, as far as they are asked at *now_ms*."""
    query = """
        select c.key, c.id, c.service_id, e.id, s.every_ms, ifnull(s.last_ms, 0), max(?, coalesce(
                iif(  -- history.silence_known, while nothing was answered after it
                    s.reason = 'no_sample' and s.since_s * 1000 > s.last_ms, s.last_ms + 5 * s.every_ms / 2 + 1, s.last_ms
                ),
                (select max(at_ms) from _end where check_id = c.id), 0
            )), ifnull(s.steady, 0), s.body, ifnull(s.took, 0), ifnull(s.asked_ms, 0)
        from _check c join _service v on v.id = c.service_id
        left join _standing s on s.check_id = c.id
        left join _series e on e.check_id = c.id and e.every_ms = s.every_ms and e.vantage = '' and e.rule = c.rule
        where c.active and not c.done and v.retired_ms is null and ifnull(v.paused_until_ms, 0) <= ?
        """
    count = db.execute("select count(*) from _check").fetchone()[0]
    values = horizon_ms(db) - 1, now_ms
    if 2 * len(keys) > count:  # a scan is faster than that many look-ups
        rows = db.execute(query, values)
    else:
        wanted = msgspec.json.encode(list(keys)).decode()
        rows = db.execute(f"{query} and c.key in (select value from json_each(?))", (*values, wanted))
    return {
        key: _Row(check_id, service_id, series, every, last_ms, known_ms, bool(steady), body, took, asked_ms)
        for key, check_id, service_id, series, every, last_ms, known_ms, steady, body, took, asked_ms in rows
        if key in keys
    }


class Said:
    """The few things that answers say, interned."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.known: dict[tuple[int, int | None, str | None, int, int], int] = {
            tuple(said): number
            for number, *said in db.execute("select id, outcome, code, reason, attempt, restarted from _said")
        }

    def id(self, said: Observation) -> int:
        """Return the number of what an observation says."""
        return self.number(OUTCOME_CODE[said.outcome], said.code, said.reason, said.attempt, said.restarted)

    def number(self, outcome: int, code: int | None, reason: str | None, attempt: int, restarted: bool = False) -> int:
        """Return the number of one combination, giving it one when it is new."""
        key = (outcome, code, reason, attempt, int(restarted))
        number = self.known.get(key)
        if number is None:
            cursor = self.db.execute(
                "insert into _said (outcome, code, reason, attempt, restarted) values (?, ?, ?, ?, ?)", key
            )
            number = self.known[key] = int(cursor.lastrowid or 0)
        return number


def series_of(db: sqlite3.Connection, check_id: int, every: int, rule: str | None = None) -> int:
    """Return the number of the series that a check has at an interval of *every* ms, with the thresholds of now.

    A row belongs to the *rule* under which it was judged, if not that: another threshold changes only the future.
    """
    db.execute(
        """
        insert or ignore into _series (check_id, every_ms, rule)
        select id, ?, coalesce(?, rule) from _check where id = ?
        """,
        (every, rule, check_id),
    )
    found: int = db.execute(
        """
        select e.id from _series e join _check c on c.id = e.check_id
        where e.check_id = ? and e.every_ms = ? and e.vantage = '' and e.rule = coalesce(?, c.rule)
        """,
        (check_id, every, rule),
    ).fetchone()[0]
    return found


def keep_standings(db: sqlite3.Connection, standings: Iterable[tuple[int, Standing, Check]]) -> None:
    """Write where checks stand now."""
    db.executemany(
        "insert or replace into _standing values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                check_id,
                STATE_CODE[standing.state],
                standing.reason,
                seconds(standing.since),
                to_ms(standing.last),
                standing.every,
                standing.took,
                to_ms(standing.asked),
                history.is_steady(standing, check),
                body_of(standing),
            )
            for check_id, standing, check in standings
        ),
    )


def keep_flips(db: sqlite3.Connection, check_id: int, flips: Iterable[Flip]) -> None:
    """Write flips in the order in which they were made."""
    db.executemany(
        "insert into _flip (check_id, at_s, made_ms, state, reason) values (?, ?, ?, ?, ?)",
        (
            (
                check_id,
                seconds(flip.at),
                to_ms(flip.made),
                None if flip.state is None else STATE_CODE[flip.state],
                flip.reason,
            )
            for flip in flips
        ),
    )


def keep_text(db: sqlite3.Connection, check_id: int, at: datetime, text: str) -> None:
    """Keep the raw text beside an observation, once for all that say the same."""
    db.execute("insert or ignore into _text (text) values (?)", (text[:500],))
    db.execute(
        "insert or replace into _raw select ?, ?, id from _text where text = ?", (check_id, to_ms(at), text[:500])
    )


def end_life(db: sqlite3.Connection, check_id: int, at: datetime) -> int | None:
    """Let a check say nothing from *at* on, until it is observed again; by a clock that was set back, later.

    Return the second from which on its flips are others; none when it never said anything.
    """
    row = db.execute("select body, last_ms, took, asked_ms from _standing where check_id = ?", (check_id,)).fetchone()
    made_ms = db.execute("select max(made_ms) from _flip where check_id = ?", (check_id,)).fetchone()[0]
    if row is None and made_ms is None:
        return None
    newest_ms = max(made_ms, row[1] if row else 0, horizon_ms(db) - 1)
    return keep_end(db, check_id, max(at, from_ms(newest_ms + 1)), to_standing(*row) if row else None)


def keep_end(db: sqlite3.Connection, check_id: int, at: datetime, standing: Standing | None = None) -> int:
    """Write the end of a life that stood at *standing*; return the second from which on its flips are others."""
    flips = ended(standing, "", at)
    db.execute("insert or ignore into _end values (?, ?)", (check_id, to_ms(at)))
    keep_flips(db, check_id, flips)
    db.execute("delete from _standing where check_id = ?", (check_id,))
    return seconds(flips[0].at)


def ended(standing: Standing | None, check: str, at: datetime) -> list[Flip]:
    """Return the flip to nothing, after that of the silence before *at*, if there was one."""
    silent = standing and history.fall_silent(standing, check, at)
    end = Flip(check=check, at=floor_second(at), state=None, made=at)
    return [silent[1], end] if silent else [end]


def event(db: sqlite3.Connection, at: datetime, kind: str, detail: str = "") -> None:
    """Note that something happened to uplog itself."""
    db.execute("insert into _event (at_ms, kind, detail) values (?, ?, ?)", (to_ms(at), kind, detail))


# Runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a cycle adds to the row of its run."""

    trigger: str
    started: datetime
    ended: datetime
    planned: int
    observed: int
    late: int
    error: str | None = None


def count_run(db: sqlite3.Connection, run: int | None, counted: Counted) -> int:
    """Add a cycle to the row *run*, or begin a row for it; return the row's id."""
    if run is None:
        cursor = db.execute(
            """
            insert into _run (started_ms, ended_ms, trigger, planned, observed, late_ms, error)
            values (?, ?, ?, ?, ?, ?, ?)
            """,
            (
                to_ms(counted.started),
                to_ms(counted.ended),
                counted.trigger,
                counted.planned,
                counted.observed,
                counted.late,
                counted.error,
            ),
        )
        return int(cursor.lastrowid or 0)
    db.execute(
        """
        update _run set ended_ms = ?, planned = planned + ?, observed = observed + ?, late_ms = max(late_ms, ?)
        where id = ?
        """,
        (to_ms(counted.ended), counted.planned, counted.observed, counted.late, run),
    )
    return run


def newest_starts(db: sqlite3.Connection, trigger: str, count: int) -> list[datetime]:
    """Return when the newest *count* runs of *trigger* started, newest first."""
    rows = db.execute(
        "select started_ms from _run where trigger = ? order by started_ms desc limit ?", (trigger, count)
    )
    return [from_ms(row[0]) for row in rows]
