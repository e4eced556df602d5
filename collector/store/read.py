"""What others want to know: the history as of a moment."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median_low

from .. import history
from ..model import (
    Cadence,
    Check,
    CheckHistory,
    Component,
    Correction,
    Flapping,
    Flip,
    History,
    LatencyDay,
    Noted,
    Reason,
    Service,
    ServiceHistory,
    Span,
    State,
    Window,
    floor_second,
    from_ms,
    to_ms,
)
from .attempts import attempts
from .codes import to_check
from .dependencies import needs_of
from .derive import corrections_of, seconds, to_flip, windows_of
from .hourly import HOURS, hourly
from .parts import parts_at

NOTED_FOR = timedelta(days=91)
NOTED_MOST = 20  # of one service
RECENT_ROWS = 60_000  # how many observations the newest points of all latency charts may cost


@dataclass(frozen=True, slots=True, kw_only=True)
class _Last:
    """The newest observation of a check, not later than a moment."""

    at: datetime
    every: int
    took: int


def history_at(db: sqlite3.Connection, now: datetime) -> History:
    """Read the history as it was known at *now*, a whole second: later rows, and flips that only they showed, are not.

    Spans reach back to first sight, since the page of an outage has an address that stays. Retired services, aliases,
    and what nobody had seen yet are left out.
    """
    services = _services(db, now)
    lasts = _lasts(db, now)
    flips = _flips(db, now)
    checks = _checks(db)
    latency = _latency(db, now)
    answers = _answers(db, now, len(lasts))
    texts = _texts(db, now)
    names = _names(db)
    noted = _noted(db, now)
    few = len(lasts) * HOURS * 60 <= RECENT_ROWS  # the newest answers reach back a day
    sampled = {} if few else hourly(db, now, [last.every for last in lasts.values()])
    needs = needs_of(db, now)
    components = parts_at(db, now)
    windowed = {
        row[0] for row in db.execute("select service_id from _maintenance union select service_id from _correction")
    }
    found = []
    for service_id, service, first_seen, paused in services:
        found.append(
            _service_history(
                replace(service, checks=tuple(check for _, check, declared in checks[service_id] if declared)),
                first_seen,
                [
                    (check_id, check, flips.get(check_id, []), lasts.get(check_id))
                    for check_id, check, _ in checks[service_id]
                ],
                now,
                record=(db, service_id),
                overlaid=service_id in windowed,
                latency=latency.get(service_id, ()),
                answers=answers[service_id],
                names=names.get(service_id, ()),
                noted=noted.get(service_id, ()),
                needs=needs.get(service.key, ()),
                components=components.get(service_id, ()),
                sampled=sampled.get(service_id, ()),
                texts=texts,
                paused=paused,
            )
        )
    found = _with_attempts(db, [service_id for service_id, *_ in services], found, now)
    intervals = [last.every for last in lasts.values()]
    return History(
        now=now,
        services=[one for one in found if one.spans or one.first_seen is None or floor_second(one.first_seen) <= now],
        newest=max((last.at for last in lasts.values()), default=None),
        shortest_every=min(intervals, default=None),
    )


def _with_attempts(
    db: sqlite3.Connection, ids: Sequence[int], found: Sequence[ServiceHistory], now: datetime
) -> list[ServiceHistory]:
    """Add what was answered when outages began and ended."""
    told = {
        service_id: history.incidents(one.spans, one.service.slug, now)
        for service_id, one in zip(ids, found, strict=True)
    }
    every = {
        service_id: max((check.check.every for check in one.checks), default=0)
        for service_id, one in zip(ids, found, strict=True)
    }
    seen = attempts(db, told, every, now)
    return [
        replace(one, attempts=seen[service_id]) if service_id in seen else one
        for service_id, one in zip(ids, found, strict=True)
    ]


def _service_history(
    service: Service,
    first_seen: datetime,
    checks: Sequence[tuple[int, Check, list[Flip], _Last | None]],
    now: datetime,
    *,
    record: tuple[sqlite3.Connection, int],
    overlaid: bool,
    latency: Sequence[LatencyDay],
    answers: "_Answers",
    names: Sequence[tuple[str, str, str]],
    noted: Sequence[Noted],
    needs: Sequence[str],
    components: Sequence[Component],
    sampled: Sequence[tuple[datetime, int]],
    texts: Mapping[int, str],
    paused: bool,
) -> ServiceHistory:
    """Put together what is known of one service."""
    timelines = [
        (check.role, history.timeline(flips, last.at if last else None, last.every if last else 0, now))
        for _, check, flips, last in checks
    ]
    spans: Sequence[Span] = history.spans(timelines)
    windows: Sequence[Window] = ()
    corrections: Sequence[Correction] = ()
    if overlaid:
        windows = [one for one in windows_of(*record) if one.start <= now]
        corrections = corrections_of(*record)
        spans = history.overlay(spans, corrections, windows)
    if paused and spans and spans[-1].end is None and spans[-1].state is State.UNKNOWN:
        spans = [*spans[:-1], replace(spans[-1], reason=Reason.PAUSED)]  # whatever it was unknown for before
    lasts = [last for _, _, _, last in checks if last is not None]
    return ServiceHistory(
        service=service,
        spans=spans,
        checks=[
            _check_history(check, line, last, texts.get(check_id, ""))
            for (check_id, check, _, last), (_, line) in zip(checks, timelines, strict=True)
        ],
        windows=windows,
        latency=latency,
        recent=answers.latencies,
        first_seen=first_seen,
        last_checked=max((last.at for last in lasts), default=None),
        names=names,
        flapping=flapping(*record, spans, now),
        corrections=corrections,
        cadence=answers.cadence(first_seen),
        noted=noted,
        needs=needs,
        components=components,
        hourly=sampled,
    )


def _check_history(check: Check, line: Sequence[Flip], last: _Last | None, text: str) -> CheckHistory:
    newest = line[-1] if line else None
    return CheckHistory(
        check=check,
        state=newest.state if newest else State.UNKNOWN,
        reason=newest.reason if newest else Reason.STARTING,
        since=newest.at if newest else None,
        last=last.at if last else None,
        took=last.took if last and last.took >= 0 else None,
        text=text if newest and newest.state is not State.UP else "",
    )


def _services(db: sqlite3.Connection, now: datetime) -> list[tuple[int, Service, datetime, bool]]:
    rows = db.execute(
        """
        select id, key, slug, name, group_name, words, description, source, public, sort, first_seen_ms,
            ifnull(paused_until_ms, 0) > ?
        from _service
        where alias_of is null and (retired_ms is null or retired_ms > ?)
        order by sort, group_name, name
        """,
        (to_ms(now), to_ms(now)),
    )
    return [
        (
            row[0],
            Service(
                key=row[1],
                slug=row[2],
                name=row[3],
                group=row[4],
                words=row[5],
                description=row[6],
                source=row[7],
                public=bool(row[8]),
                order=row[9],
            ),
            from_ms(row[10]),
            bool(row[11]),
        )
        for row in rows
    ]


def _checks(db: sqlite3.Connection) -> dict[int, list[tuple[int, Check, bool]]]:
    """Read the checks of each service: id, check, and whether it is declared now."""
    found: dict[int, list[tuple[int, Check, bool]]] = defaultdict(list)
    rows = db.execute("select service_id, id, spec, active and not done from _check order by id")
    for service_id, check_id, spec, declared in rows:
        found[service_id].append((check_id, to_check(spec), bool(declared)))
    return found


def _lasts(db: sqlite3.Connection, now: datetime) -> dict[int, _Last]:
    """Read the newest observation of each living check; for a moment in the past, from the rows themselves."""
    now_ms = to_ms(now)
    found: dict[int, _Last] = {}
    late: list[int] = []
    for check_id, last_ms, every, took in db.execute("select check_id, last_ms, every_ms, took from _standing"):
        if last_ms <= now_ms:
            found[check_id] = _Last(at=from_ms(last_ms), every=every, took=took)
        else:
            late.append(check_id)
    ended = [row[0] for row in db.execute("select check_id from _end where at_ms > ?", (now_ms,))]
    for check_id in {*late, *ended}:
        row = db.execute(
            """
            select at_ms, every_ms, took from (
                select o.at_ms, e.every_ms, o.took from _series e join _observation o on o.series = e.id
                where e.check_id = ? and o.at_ms <= ?
                union all
                select o.at_ms, e.every_ms, o.took from _series e join _observation_open o on o.series = e.id
                where e.check_id = ? and o.at_ms <= ?
            ) order by at_ms desc limit 1
            """,
            (check_id, now_ms, check_id, now_ms),
        ).fetchone()
        if row is not None:
            found[check_id] = _Last(at=from_ms(row[0]), every=row[1], took=row[2])
    return found


def _flips(db: sqlite3.Connection, now: datetime) -> dict[int, list[Flip]]:
    """Read for each check the flips that were known at *now*."""
    rows = db.execute(
        "select check_id, at_s, made_ms, state, reason from _flip where made_ms <= ? order by id", (to_ms(now),)
    )
    found: dict[int, list[Flip]] = defaultdict(list)
    for row in rows:
        found[row[0]].append(to_flip(*row))
    return found


def _latency(db: sqlite3.Connection, now: datetime) -> dict[int, list[LatencyDay]]:
    rows = db.execute(
        """
        select service_id, day, observations, p50_ms, p95_ms, p99_ms, max_ms
        from _latency_day where day in (select day from _day where ended_s <= ? and started_s > ?)
        order by service_id, day
        """,
        (seconds(now), seconds(now - timedelta(days=91))),
    )
    return {
        service_id: [LatencyDay._make(row[1:]) for row in days] for service_id, days in groupby(rows, itemgetter(0))
    }


@dataclass(slots=True, kw_only=True)
class _Answers:
    """What a service was answered of late, oldest first."""

    since: datetime
    hours: int
    latencies: list[tuple[datetime, int]] = field(default_factory=list)  # of passes and warnings
    rounds: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  # ms of those for a slot, by check

    def cadence(self, first_seen: datetime) -> Cadence | None:
        """Measure how often the check that was asked most was asked."""
        asked = max(self.rounds.values(), key=len, default=[])
        gaps = [late - early for early, late in pairwise(asked)]
        if not gaps:
            return None
        before = [asked[0] - to_ms(self.since)] if first_seen <= self.since else []
        return Cadence(usual=median_low(gaps), longest=max(gaps + before), hours=self.hours)


def _answers(db: sqlite3.Connection, now: datetime, checks: int) -> defaultdict[int, _Answers]:
    """Read the newest answers: of this hour and the 24 before it, or fewer where there are many checks.

    Whole hours, so that what is drawn of them changes once an hour and not with every answer.
    """
    hours = max(1, min(HOURS, RECENT_ROWS // (60 * max(1, checks))))
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=hours)
    rows = db.execute(
        """
        with span(from_ms, to_ms) as (values (?, ?))
        select c.service_id, c.id, o.at_ms, o.took, d.outcome < 2 and o.took >= 0, d.attempt
        from (
            select series, at_ms, took, said from span join _observation_open on at_ms > from_ms and at_ms <= to_ms
            union all
            select o.series, o.at_ms, o.took, o.said from span cross join _series e
            cross join _observation o on o.series = e.id and o.at_ms > from_ms and o.at_ms <= to_ms
        ) o
        join _said d on d.id = o.said join _series e on e.id = o.series join _check c on c.id = e.check_id
        order by o.at_ms
        """,
        (to_ms(since), to_ms(now)),
    )
    found: defaultdict[int, _Answers] = defaultdict(lambda: _Answers(since=since, hours=hours))
    for service_id, check_id, at_ms, took, answered, attempt in rows:
        if answered:
            found[service_id].latencies.append((from_ms(at_ms), took))
        if attempt == 1:
            found[service_id].rounds[check_id].append(at_ms)
    return found


def flapping(db: sqlite3.Connection, service: int, spans: Sequence[Span], now: datetime) -> Flapping | None:
    """Say how restless the hour before *now* was, when the state changed four times or more in it."""
    flips = history.flapping_flips(spans, now)
    if flips < history.FLAPPING_FLIPS:
        return None
    hour = to_ms(now - timedelta(hours=1)), to_ms(now)
    failed, observations = db.execute(
        """
        select ifnull(sum(d.outcome = 2), 0), count(*)
        from (
            select o.said from _check c join _series e on e.check_id = c.id join _observation o on o.series = e.id
            where c.service_id = ? and o.at_ms > ? and o.at_ms <= ?
            union all
            select o.said from _check c join _series e on e.check_id = c.id join _observation_open o on o.series = e.id
            where c.service_id = ? and o.at_ms > ? and o.at_ms <= ?
        ) o join _said d on d.id = o.said
        """,
        (service, *hour, service, *hour),
    ).fetchone()
    return Flapping(flips=flips, failed=failed, observations=observations)


def _texts(db: sqlite3.Connection, now: datetime) -> dict[int, str]:
    """Read for each check the newest raw text."""
    rows = db.execute(
        """
        select r.check_id, t.text, max(r.at_ms) from _raw r join _text t on t.id = r.text_id
        where r.at_ms <= ? group by r.check_id
        """,
        (to_ms(now),),
    )
    return {check_id: text for check_id, text, _ in rows}


def _names(db: sqlite3.Connection) -> dict[int, list[tuple[str, str, str]]]:
    found: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
    for service_id, source, ref, name in db.execute(
        "select service_id, source, ref, name from _sighting order by source, name"
    ):
        found[service_id].append((source, ref, name))
    return found


def _noted(db: sqlite3.Connection, now: datetime) -> dict[int, list[Noted]]:
    """Read what became of each service of late, newest first."""
    rows = db.execute(
        """
        select service_id, at_ms, event, source, iif(json_valid(detail), detail ->> '$.what', null),
            iif(json_valid(detail), ifnull(detail ->> '$.old', '') || ' → ' || ifnull(detail ->> '$.new', ''), detail)
        from (
            select *, row_number() over (partition by service_id order by at_ms desc, id desc) as place
            from _discovery where service_id is not null and at_ms > ? and at_ms <= ?
        ) where place <= ? order by place
        """,
        (to_ms(now - NOTED_FOR), to_ms(now), NOTED_MOST),
    )
    found: dict[int, list[Noted]] = defaultdict(list)
    for service_id, at_ms, event, source, what, detail in rows:
        found[service_id].append(
            Noted(at=from_ms(at_ms), event=event, source=source or "", what=what or "", detail=detail)
        )
    return found


def newest_seen(db: sqlite3.Connection) -> tuple[datetime | None, int | None]:
    """Return the moment of the newest observation, and the shortest interval in use in ms."""
    newest_ms, every = db.execute("select max(last_ms), min(every_ms) from _standing").fetchone()
    return (None if newest_ms is None else from_ms(newest_ms)), every


def newest_decided(db: sqlite3.Connection, clock: datetime) -> datetime | None:
    """Return when, not later than *clock*, maintenance began or ended, or a service was seen first or retired, last."""
    row = db.execute(
        """
        select max(at_ms) from (
            select started_s * 1000 as at_ms from _maintenance
            union all select ended_s * 1000 from _maintenance
            union all select first_seen_ms from _service
            union all select retired_ms from _service
        ) where at_ms <= ?
        """,
        (to_ms(clock),),
    ).fetchone()
    return None if row[0] is None else from_ms(row[0])


def data_version(db: sqlite3.Connection) -> int:
    """Return a number that changes when another connection has written."""
    version: int = db.execute("pragma data_version").fetchone()[0]
    return version
