"""The slow oracle: sections 3 and 4 of DESIGN.md once more, to be checked by reading the two side by side.

It walks second by second, keeps whole lists, and knows nothing of uplog. Observations, ends of lives, intervals and
grace are in ms since 1970; everything that is accounted is whole seconds. It answers for one moment, *now*: what is
dated later is not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

WORST_FIRST = ("down", "degraded", "unknown", "up")
PERIODS = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One observation, with the interval in force when it was taken."""

    at: int
    every: int
    outcome: str  # pass, warn, fail, unknown
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check, all its observations, oldest first, and the moments at which it stopped being declared."""

    role: str  # liveness, readiness, startup
    failure_threshold: int
    success_threshold: int
    grace: int
    declared_every: int
    rows: Sequence[Row]
    ends: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service, with what people said about its time, in whole seconds."""

    checks: Sequence[Check]
    corrections: Sequence[tuple[int, int, str]] = ()  # from, until, state; oldest statement first
    windows: Sequence[tuple[int, int | None]] = ()  # of maintenance; none: open


class Change(NamedTuple):
    """From here on a check is in another state; none: it says nothing any more."""

    at: int
    state: str | None
    reason: str | None


class Stand(NamedTuple):
    """How a check stands in one second, and since which."""

    state: str
    reason: str | None
    since: int


class Second(NamedTuple):
    """What is told of one second of a service."""

    state: str
    reason: str | None
    maintenance: bool


class Span(NamedTuple):
    """Seconds in a row of which the same is told; an end of none: it goes on."""

    start: int
    end: int | None
    state: str
    reason: str | None
    maintenance: bool


class Incident(NamedTuple):
    """An outage."""

    start: int
    end: int | None
    seconds: int
    reason: str | None


# Section 3: one check


def lives(check: Check) -> list[tuple[list[Row], int | None]]:
    """Cut the observations of a check into its lives, each with the moment at which it ended, if it did."""
    found: list[tuple[list[Row], int | None]] = []
    rest = list(check.rows)
    for end in sorted(check.ends):
        if any(row.at < end for row in rest):
            found.append(([row for row in rest if row.at < end], end))
        rest = [row for row in rest if row.at >= end]
    if rest:
        found.append((rest, None))
    return [cut_at_startup(check, rows, end) for rows, end in found]


def cut_at_startup(check: Check, rows: list[Row], end: int | None) -> tuple[list[Row], int | None]:
    """End the life of a startup check at its first pass, or when its budget is spent."""
    if check.role == "startup":
        for place, row in enumerate(rows):
            if row.outcome == "pass" or row.at >= rows[0].at + check.failure_threshold * check.declared_every:
                return rows[: place + 1], row.at
    return rows, end


def run(rows: Sequence[Row], *outcomes: str) -> list[Row]:
    """Return the newest *rows* in a row that have one of these outcomes."""
    found: list[Row] = []
    for row in reversed(rows):
        if row.outcome not in outcomes:
            break
        found.append(row)
    return found[::-1]


def is_gap(row: Row, until: int) -> bool:
    """Whether *row* no longer speaks at *until*: one lost round is forgiven, two never."""
    return 2 * (until - row.at) > 5 * row.every


def changes(check: Check, rows: Sequence[Row], until: int) -> list[Change]:
    """Return the changes of state in one life, as far as they show in *rows* and at *until*."""
    found = [Change(rows[0].at, "unknown", "starting")]
    grace = check.failure_threshold * check.declared_every if check.role == "startup" else check.grace
    in_grace = True
    counted: list[Row] = []  # all that a run may consist of
    for place, row in enumerate(rows):
        before = rows[place - 1] if place else None
        if before is not None and is_gap(before, row.at):
            counted = []
            if found[-1].state != "unknown":
                found.append(Change(before.at + before.every, "unknown", "no_sample"))
        if row.outcome == "unknown":
            counted = []
            if found[-1].state != "unknown":
                found.append(Change(row.at, "unknown", row.reason))
            continue
        if row.outcome == "fail" and in_grace and row.at < rows[0].at + grace:
            continue
        if row.outcome == "pass":
            in_grace = False
        counted.append(row)
        change = flip(check, found[-1].state, counted)
        if change is not None:
            found.append(change)
    if is_gap(rows[-1], until) and found[-1].state != "unknown":
        found.append(Change(rows[-1].at + rows[-1].every, "unknown", "no_sample"))
    return found


def flip(check: Check, state: str | None, counted: Sequence[Row]) -> Change | None:
    """Say what the newest of the *counted* rows changes, dated to the first observation of the run that made it."""
    fails = run(counted, "fail")
    not_passes = run(counted, "fail", "warn")
    passes = run(counted, "pass")
    not_fails = run(counted, "pass", "warn")
    if len(fails) >= check.failure_threshold:
        return Change(fails[0].at, "down", fails[0].reason) if state != "down" else None
    if len(passes) >= check.success_threshold:
        return Change(passes[0].at, "up", None) if state != "up" else None
    if state == "down" and counted[-1].outcome == "warn" and len(not_fails) >= check.success_threshold:
        return Change(not_fails[0].at, "degraded", not_fails[0].reason)
    if state in ("up", "unknown") and len(not_passes) >= check.failure_threshold:
        return Change(not_passes[0].at, "degraded", not_passes[0].reason)
    return None


def stands(check: Check, now: int) -> dict[int, Stand]:
    """Say for every second of a check's lives, up to and with the second *now*, how it stands."""
    found: dict[int, Stand] = {}
    known = [row for row in check.rows if row.at <= now * 1000]
    ends = [end for end in check.ends if end <= now * 1000]
    said: list[Change] = []
    until = now * 1000
    for rows, end in lives(replace_rows(check, known, ends)):
        said += changes(check, rows, until if end is None else end)
        if end is not None:
            said.append(Change(end, None, None))
    current: Change | None = None
    for second in range(said[0].at // 1000, now + 1) if said else ():
        while said and said[0].at // 1000 <= second:  # of the changes in one second the last holds
            current = said.pop(0)
        if current is not None and current.state is not None:
            before = found.get(second - 1)
            if before is not None and before.state == current.state:
                found[second] = before  # a change of reason alone is none
            else:
                found[second] = Stand(current.state, current.reason, second)
    return found


def replace_rows(check: Check, rows: Sequence[Row], ends: Sequence[int]) -> Check:
    """Return the check as it would be had nothing else happened."""
    return Check(
        role=check.role,
        failure_threshold=check.failure_threshold,
        success_threshold=check.success_threshold,
        grace=check.grace,
        declared_every=check.declared_every,
        rows=rows,
        ends=ends,
    )


# Sections 3 and 4: one service


@lru_cache  # seconds in a row stand alike
def worst(standing: tuple[tuple[str, Stand], ...]) -> Second:
    """Say how a service is whose living checks, given with their roles, stand like this."""
    alive = [stand.state for role, stand in standing if role != "readiness"]
    liveness = next((state for state in WORST_FIRST if state in alive), None)
    weighed: list[tuple[str, str | None, int]] = []
    for role, (state, reason, since) in standing:
        if role == "readiness" and state == "down" and liveness is not None:
            state, reason = "unknown" if liveness == "unknown" else "degraded", "not_ready"
        weighed.append((state, reason, since))
    state = next(state for state in WORST_FIRST if state in [one[0] for one in weighed])
    earliest = min((one for one in weighed if one[0] == state), key=lambda one: one[2])
    return Second(state, earliest[1], False)


def seconds(service: Service, now: int) -> dict[int, Second]:
    """Tell of every second in which a check lived, up to and with the second *now*: checks, corrections, maintenance.

    The reason of a second is that of the first second of the stretch in the same state that it belongs to.
    """
    standing = [(check.role, stands(check, now)) for check in service.checks]
    found: dict[int, Second] = {}
    for second in sorted({second for _, those in standing for second in those}):
        told = worst(tuple((role, those[second]) for role, those in standing if second in those))
        before = found.get(second - 1)
        found[second] = before if before and before.state == told.state else told
    for start, end, state in service.corrections:
        for second in range(start, end):
            if second in found:
                found[second] = Second(state, None, False)
    for second in sorted(found):
        before = found.get(second - 1)
        if before is not None and before.state == found[second].state:
            found[second] = before
    for start, until in service.windows:
        for second in range(start, now + 1 if until is None else until):
            if second in found:
                found[second] = found[second]._replace(maintenance=True)
    return found


def spans(told: Mapping[int, Second], now: int) -> list[Span]:
    """Join seconds in a row that say the same; a span that reaches the second *now* goes on."""
    found: list[Span] = []
    first = None  # of the span that the second belongs to
    for second, (state, reason, maintenance) in sorted(told.items()):
        before, following = told.get(second - 1), told.get(second + 1)
        if first is None or before is None or (before.state, before.maintenance) != (state, maintenance):
            first = second
        if second == now:
            if first < now:
                found.append(Span(first, None, state, reason, maintenance))
        elif following is None or (following.state, following.maintenance) != (state, maintenance):
            found.append(Span(first, second + 1, state, reason, maintenance))
    return found


def incidents(told: Mapping[int, Second], now: int) -> list[Incident]:
    """Tell the outages, oldest first: from the first down second to the next up or degraded one."""
    found: list[Incident] = []
    going_on = False
    before = None
    for second, (state, reason, maintenance) in sorted(told.items()):
        if going_on and before is not None and before != second - 1:  # nothing lived in between
            found[-1] = found[-1]._replace(end=before + 1)
            going_on = False
        before = second
        if maintenance or state == "unknown":
            continue
        if state == "down":
            if not going_on:
                found.append(Incident(second, None, 0, reason))
                going_on = True
            if second < now:
                found[-1] = found[-1]._replace(seconds=found[-1].seconds + 1)
        elif going_on:
            found[-1] = found[-1]._replace(end=second)
            going_on = False
    if going_on and before is not None and before < now:
        found[-1] = found[-1]._replace(end=before + 1)
    return found


def current(told: Mapping[int, Second], now: int) -> tuple[str, str | None, int] | None:
    """Return state, reason and since when at *now*; none when no check lives."""
    if now not in told:
        return None
    since = now
    while since - 1 in told and told[since - 1].state == told[now].state:
        since -= 1
    return told[now].state, told[now].reason, since


# Section 4: seconds of a window


def account(told: Mapping[int, Second], start: int, end: int) -> dict[str, int]:
    """Count the seconds of the window from *start* until *end*."""
    sums = dict.fromkeys(("up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s", "maintenance_down_s"), 0)
    for second, (state, _, maintenance) in told.items():
        if start <= second < end:
            sums["maintenance_s" if maintenance else f"{state}_s"] += 1
            if maintenance and state == "down":
                sums["maintenance_down_s"] += 1
    return sums


def thousandths(part: int, whole: int) -> str:
    """Write a percentage with three places, floored; 100 only when nothing is missing."""
    if part == whole:
        return "100"
    digits = part * 100_000 // whole
    return f"{digits // 1000}.{digits % 1000:03}"


def percentages(sums: Mapping[str, int]) -> dict[str, str | None]:
    """Return uptime, observed, and the uptime that counts maintenance, as text; none: not enough data, or nothing."""
    good = sums["up_s"] + sums["degraded_s"]
    seen = good + sums["down_s"]
    lived = seen + sums["unknown_s"]
    all_good = good + sums["maintenance_s"] - sums["maintenance_down_s"]
    all_seen = seen + sums["maintenance_s"]
    enough = seen > 0 and 2 * seen >= lived
    all_enough = sums["maintenance_s"] > 0 and 2 * all_seen >= all_seen + sums["unknown_s"]
    return {
        "uptime_pct": thousandths(good, seen) if enough else None,
        "observed_pct": thousandths(seen, lived) if lived else None,
        "uptime_with_maintenance_pct": thousandths(all_good, all_seen) if all_enough else None,
    }


def midnight(day: datetime, zone: tzinfo) -> int:
    """Return the first second of the calendar day that *day* names."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def windows(now: int, zone: tzinfo) -> dict[str, tuple[int, int]]:
    """Return the window of each period: the last 86,400 s, or today so far and the N-1 days before it."""
    today = datetime.fromtimestamp(now, zone)
    found = {"24h": (now - 86_400, now)}
    for name, count in PERIODS.items():
        found[name] = (midnight(today.replace(tzinfo=None) - timedelta(days=count - 1), zone), now)
    return found


def days(told: Mapping[int, Second], now: int, zone: tzinfo) -> dict[str, dict[str, int]]:
    """Account for each day, by the date that a clock of the zone shows then, as far as a check lived."""
    seconds_of: dict[str, dict[int, Second]] = {}
    for second, one in told.items():
        if second < now:
            seconds_of.setdefault(date(second // 900, zone), {})[second] = one
    return {day: account(those, 0, now) for day, those in sorted(seconds_of.items())}


@lru_cache
def date(quarter: int, zone: tzinfo) -> str:
    """Write the date that clocks of the zone show in a quarter of an hour, for no day begins within one."""
    return str(datetime.fromtimestamp(quarter * 900, zone).date())


def months(by_day: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Account for each calendar month: what its days add up to."""
    found: dict[str, dict[str, int]] = {}
    for day, sums in by_day.items():
        month = found.setdefault(day[:7], dict.fromkeys(sums, 0))
        for name, count in sums.items():
            month[name] += count
    return found


def touching(told: Sequence[Incident], start: int, end: int) -> int:
    """Count the incidents that the window from *start* until *end* has a part of."""
    return sum(one.start < end and (one.end is None or one.end > start) for one in told)
