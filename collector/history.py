"""All arithmetic of time: from observations to flips, from flips to spans, from spans to seconds.

Nothing here counts samples. An observation speaks until the next one, or for one interval when none comes
within 2.5 of them; every second of a window belongs to exactly one state, or to nobody.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise, zip_longest
from operator import add
from typing import NamedTuple

from .model import (
    EPOCH,
    MS,
    SECOND,
    Check,
    Correction,
    Flip,
    Incident,
    Observation,
    Outcome,
    Reason,
    Role,
    Run,
    Span,
    Standing,
    State,
    Window,
    floor_second,
)

PERIODS = {"24h": 1, "7d": 7, "30d": 30, "90d": 90, "365d": 365}
BADNESS = {State.UP: 0, State.UNKNOWN: 1, State.DEGRADED: 2, State.DOWN: 3}
NO_RUN = Run()
INCIDENT_IDS = 1 << 40
INCIDENT_STEP = 0x1F3D5B79  # odd, so that no two seconds share an id; small, so that the product fits 64 bits
FLAPPING_FLIPS = 4  # in an hour


# From observations to flips


def step(standing: Standing | None, observation: Observation, check: Check) -> tuple[Standing, list[Flip]]:
    """Take one *observation* into account: where *check* stands after it, and the flips that it showed.

    *standing* is none before the first observation of a life. *check* carries the interval in force.
    Observations come oldest first; a flip is dated to the first observation of the run that made it.
    """
    flips: list[Flip] = []

    def flip(at: datetime, state: State, reason: Reason | None) -> tuple[State, Reason | None, datetime]:
        at = floor_second(at)
        flips.append(Flip(check=check.key, at=at, state=state, reason=reason, made=observation.at))
        return state, reason, at

    runs = (NO_RUN, NO_RUN, NO_RUN, NO_RUN)
    if standing is None:
        state, reason, since = flip(observation.at, State.UNKNOWN, Reason.STARTING)
        grace = grace_of(check)
        grace_until = observation.at + grace * MS if grace else None
        asked = observation.at
    else:
        if silent_from(standing.last, standing.every, observation.at) is None:
            runs = (standing.fails, standing.not_passes, standing.passes, standing.not_fails)
        elif silenced := fall_silent(standing, check.key, observation.at):
            standing = silenced[0]
            flips.append(silenced[1])
        state, reason, since = standing.state, standing.reason, standing.since
        grace_until, asked = standing.grace_until, standing.asked

    outcome = observation.outcome
    if observation.restarted and outcome is Outcome.FAIL and grace_of(check) and standing is not None:
        grace_until = observation.at + grace_of(check) * MS  # it begins anew
        runs = (NO_RUN, NO_RUN, NO_RUN, NO_RUN)
        if state is not State.UNKNOWN:
            state, reason, since = flip(observation.at, State.UNKNOWN, Reason.STARTING)
    if outcome is Outcome.UNKNOWN:
        runs = (NO_RUN, NO_RUN, NO_RUN, NO_RUN)
        if state is not State.UNKNOWN:
            state, reason, since = flip(observation.at, State.UNKNOWN, observation.reason)
    elif outcome is Outcome.FAIL and grace_until is not None and observation.at < grace_until:
        pass  # stored and shown, but counted in no run
    else:
        runs = counted(runs, observation, max(check.failure_threshold, check.success_threshold))
        if outcome is Outcome.PASS:
            grace_until = None
        decided = decide(state, runs, outcome, check)
        if decided is not None:
            to, run = decided
            state, reason, since = flip(run.first or observation.at, to, run.reason if to is not State.UP else None)

    fails, not_passes, passes, not_fails = runs
    return Standing(
        state=state,
        reason=reason,
        since=since,
        last=observation.at,
        every=check.every,
        took=observation.took,
        outcome=outcome,
        asked=observation.at if observation.attempt == 1 else asked,
        attempt=observation.attempt,
        said=observation.reason,
        grace_until=grace_until,
        fails=fails,
        not_passes=not_passes,
        passes=passes,
        not_fails=not_fails,
    ), flips


def counted(runs: tuple[Run, Run, Run, Run], observation: Observation, most: int) -> tuple[Run, Run, Run, Run]:
    """Let the runs (fails, not-passes, passes, not-fails) that *observation* continues grow, and end the others.

    None is counted beyond *most*: so a check that goes on as it was stands as it stood.
    """

    def grown(run: Run) -> Run:
        if run.count >= most:
            return run
        if run.count == 0:
            return Run(count=1, first=observation.at, reason=observation.reason)
        return Run(count=run.count + 1, first=run.first, reason=run.reason)

    fails, not_passes, passes, not_fails = runs
    match observation.outcome:
        case Outcome.PASS:
            return NO_RUN, NO_RUN, grown(passes), grown(not_fails)
        case Outcome.WARN:
            return NO_RUN, grown(not_passes), NO_RUN, grown(not_fails)
        case _:
            return grown(fails), grown(not_passes), NO_RUN, NO_RUN


def decide(state: State, runs: tuple[Run, Run, Run, Run], outcome: Outcome, check: Check) -> tuple[State, Run] | None:
    """Say which state the runs flip *state* to, and the run that does it; none when it stays."""
    fails, not_passes, passes, not_fails = runs
    if fails.count >= check.failure_threshold:
        return (State.DOWN, fails) if state is not State.DOWN else None
    if passes.count >= check.success_threshold:
        return (State.UP, passes) if state is not State.UP else None
    if state is State.DOWN and outcome is Outcome.WARN and not_fails.count >= check.success_threshold:
        return State.DEGRADED, not_fails
    if state in (State.UP, State.UNKNOWN) and not_passes.count >= check.failure_threshold:
        return State.DEGRADED, not_passes
    return None


def is_steady(standing: Standing, check: Check) -> bool:
    """Say whether a further pass in time changes nothing but the newest moment: step would return an equal standing.

    >>> one = Check(key="c", service="s", kind="http", target="http://127.0.0.1/", failure_threshold=1)
    >>> passed = Observation(check="c", at=EPOCH, outcome=Outcome.PASS, took=1)
    >>> is_steady(step(None, passed, one)[0], one)
    True
    """
    full = min(standing.passes.count, standing.not_fails.count)
    settled = standing.state is State.UP and standing.grace_until is None and standing.said is None
    return settled and standing.attempt == 1 and full >= max(check.failure_threshold, check.success_threshold)


def grace_of(check: Check) -> int:
    """Return for how many ms after first sight failures do not count; a startup check has its whole budget."""
    return check.failure_threshold * check.declared_every if check.role is Role.STARTUP else check.grace


def silent_from(last: datetime, every: int, now: datetime) -> datetime | None:
    """Return the moment from which nothing is known, when no answer followed *last* within 2.5 x *every* ms.

    >>> silent_from(EPOCH, 60_000, EPOCH + timedelta(seconds=150)) is None
    True
    >>> silent_from(EPOCH, 60_000, EPOCH + timedelta(seconds=151)).isoformat()
    '1970-01-01T00:01:00+00:00'
    """
    return last + every * MS if now >= silence_known(last, every) else None


def silence_known(last: datetime, every: int) -> datetime:
    """Return the first moment at which an answer after *last* would come too late: beyond 2.5 x *every* ms."""
    return last + (5 * every // 2 + 1) * MS


def fall_silent(standing: Standing, check: str, now: datetime) -> tuple[Standing, Flip] | None:
    """Return the flip that a silence known at *now* makes; none when there is none, or nothing was known before."""
    silence = silent_from(standing.last, standing.every, now)
    if silence is None or standing.state is State.UNKNOWN:
        return None
    flip = _silence(check, silence, silence_known(standing.last, standing.every))
    silent = replace(
        standing,
        state=State.UNKNOWN,
        reason=Reason.NO_SAMPLE,
        since=flip.at,
        fails=NO_RUN,
        not_passes=NO_RUN,
        passes=NO_RUN,
        not_fails=NO_RUN,
    )
    return silent, flip


def _silence(check: str, at: datetime, made: datetime) -> Flip:
    return Flip(check=check, at=floor_second(at), state=State.UNKNOWN, reason=Reason.NO_SAMPLE, made=made)


def fold(
    observations: Iterable[tuple[Observation, Check]], standing: Standing | None = None
) -> tuple[Standing | None, list[Flip]]:
    """Step through *observations*, oldest first, each with the check as it was in force then."""
    flips: list[Flip] = []
    for observation, check in observations:
        standing, more = step(standing, observation, check)
        flips += more
    return standing, flips


# From flips to spans


def settle(flips: Iterable[Flip]) -> list[Flip]:
    """Keep the last flip of every second, and of those only the ones that change the state."""
    settled: list[Flip] = []
    for flip in flips:
        while settled and settled[-1].at >= flip.at:
            settled.pop()
        if (settled[-1].state if settled else None) is not flip.state:
            settled.append(flip)
    return settled


def timeline(flips: Iterable[Flip], last: datetime | None, every: int, now: datetime) -> list[Flip]:
    """Settle the *flips* of one check that were known at *now*, with the silence after its *last* observation."""
    settled = settle(flip for flip in flips if flip.made <= now)
    if last is not None and settled and settled[-1].state not in (None, State.UNKNOWN):
        silence = silent_from(last, every, now)
        if silence is not None:
            settled = settle([*settled, _silence(settled[-1].check, silence, silence_known(last, every))])
    return settled


def spans(timelines: Sequence[tuple[Role, Sequence[Flip]]], start: datetime = EPOCH) -> list[Span]:
    """Join the timelines of a service's checks: the worst of those that live, at every second from *start* on."""
    changes = sorted(
        ((flip.at, index, flip) for index, (_, flips) in enumerate(timelines) for flip in flips),
        key=lambda change: change[:2],
    )
    standing: list[Flip | None] = [None] * len(timelines)
    roles = [role for role, _ in timelines]
    found: list[tuple[datetime, State | None, Reason | None]] = []  # from when on it is so
    for place, (at, index, flip) in enumerate(changes):
        standing[index] = flip
        following = changes[place + 1][0] if place + 1 < len(changes) else None
        if following is None or max(following, start) > max(at, start):
            state, reason = worst(roles, standing)
            if state is not (found[-1][1] if found else None):
                found.append((max(at, start), state, reason))
    return [
        Span(start=at, end=end, state=state, reason=reason)
        for (at, state, reason), end in zip_longest(found, (at for at, *_ in found[1:]))
        if state is not None
    ]


def worst(roles: Sequence[Role], standing: Sequence[Flip | None]) -> tuple[State | None, Reason | None]:
    """Say how a service is whose checks stand like this; the reason is that of the check that came there first."""
    living = [(role, flip.state, flip) for role, flip in zip(roles, standing, strict=True) if flip and flip.state]
    if not living:
        return None, None
    alive = [state for role, state, _ in living if role is not Role.READINESS]
    liveness = max(alive, key=BADNESS.__getitem__) if alive else None
    seen = [(*as_ready(role, state, flip.reason, liveness), flip.at) for role, state, flip in living]
    state, reason, _ = min(seen, key=lambda one: (-BADNESS[one[0]], one[2]))
    return state, reason


def as_ready(role: Role, state: State, reason: Reason | None, liveness: State | None) -> tuple[State, Reason | None]:
    """Weigh a check by its role: not ready is not dead, unless nothing else says that it lives."""
    if role is not Role.READINESS or state is not State.DOWN or liveness is None:
        return state, reason
    if liveness is State.UNKNOWN:
        return State.UNKNOWN, Reason.NOT_READY
    return State.DEGRADED, Reason.NOT_READY


def overlay(
    spans: Iterable[Span], corrections: Iterable[Correction] = (), windows: Iterable[Window] = ()
) -> list[Span]:
    """Lay corrections over *spans*, then maintenance over those; neither makes time where no check lived."""
    found = list(spans)
    for correction in corrections:
        found = list(laid(found, correction.start, correction.end, _corrected(correction)))
    return joined(maintained(joined(found), disjoint(windows)))


def _corrected(correction: Correction) -> Callable[[Span], Span]:
    return lambda span: replace(span, state=correction.state, reason=None)


def disjoint(windows: Iterable[Window]) -> Iterator[Window]:
    """Join windows that overlap or touch, earliest first: time in two of them counts once."""
    newest: Window | None = None
    for window in sorted(windows, key=lambda one: one.start):
        if newest is None or (newest.end is not None and newest.end < window.start):
            if newest is not None:
                yield newest
            newest = window
        elif newest.end is not None and (window.end is None or window.end > newest.end):
            newest = replace(newest, end=window.end)
    if newest is not None:
        yield newest


def maintained(spans: Iterable[Span], windows: Iterable[Window]) -> Iterator[Span]:
    """Mark what of *spans* lies in one of *windows*, which are disjoint; both oldest first: one pass over all."""
    ahead = iter(windows)
    window = next(ahead, None)
    for whole in spans:
        span: Span | None = whole
        while span and window and (span.end is None or window.start < span.end):
            if window.end is not None and window.end <= span.start:
                window = next(ahead, None)
                continue
            if span.start < window.start:
                yield replace(span, end=window.start)
            end = earlier(span.end, window.end)
            yield replace(span, start=max(span.start, window.start), end=end, maintenance=True)
            span = None if end is None or end == span.end else replace(span, start=end)
        if span:
            yield span


def earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the earlier of two ends; none is never.

    >>> earlier(None, EPOCH) is EPOCH
    True
    """
    return one if other is None or (one is not None and one <= other) else other


def laid(
    spans: Iterable[Span], start: datetime, end: datetime | None, change: Callable[[Span], Span]
) -> Iterator[Span]:
    """Split *spans* at *start* and *end*, and *change* what lies between."""
    for span in spans:
        if (end is not None and span.start >= end) or (span.end is not None and span.end <= start):
            yield span
            continue
        if span.start < start:
            yield replace(span, end=start)
        yield change(replace(span, start=max(span.start, start), end=earlier(span.end, end)))
        if end is not None and (span.end is None or span.end > end):
            yield replace(span, start=end)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Join neighbours that touch and do not differ but in their reason."""
    found: list[Span] = []
    for span in spans:
        before = found[-1] if found else None
        if (
            before
            and before.end == span.start
            and before.state is span.state
            and before.maintenance is span.maintenance
        ):
            found[-1] = replace(before, end=span.end)
        else:
            found.append(span)
    return found


def current(spans: Sequence[Span], now: datetime) -> tuple[State, Reason | None, datetime] | None:
    """Return the state at *now*, its reason, and since when it lasts; none where no check lives.

    Maintenance splits spans, also at an end that is still to come, but does not begin a state anew.
    """
    place = next((place for place in range(len(spans) - 1, -1, -1) if spans[place].start <= now), None)
    if place is None:
        return None
    span = spans[place]
    if span.end is not None and span.end <= now:
        return None
    while place and spans[place - 1].end == spans[place].start and spans[place - 1].state is span.state:
        place -= 1
    return span.state, span.reason, spans[place].start


def flapping_flips(spans: Sequence[Span], now: datetime) -> int:
    """Count how often the state changed in the hour before *now*; maintenance, gaps and what is not known change none.

    >>> at = [EPOCH + timedelta(minutes=minutes) for minutes in (0, 10, 20)]
    >>> up, down = (Span(start=at[0], end=at[1], state=State.UP), Span(start=at[1], end=at[2], state=State.DOWN))
    >>> flapping_flips([up, down, Span(start=at[2], end=None, state=State.UP)], at[2])
    2
    """
    since = now - timedelta(hours=1)
    return sum(
        since < late.start <= now and early.end == late.start and early.state is not late.state
        for early, late in pairwise(spans)
        if State.UNKNOWN not in (early.state, late.state)
    )


def incidents(spans: Iterable[Span], slug: str, now: datetime) -> list[Incident]:
    """Tell the outages in *spans*, oldest first: from the first down second to the next up or degraded one."""
    found: list[Incident] = []
    start: datetime | None = None
    reason: Reason | None = None
    seconds = 0
    ended: datetime | None = None  # where the span before ended

    def close(end: datetime | None) -> None:
        nonlocal start
        if end is not None and end > now:
            end = None  # it is up by then, but maintenance hides that until it ends
        if start is not None:
            found.append(
                Incident(
                    id=incident_id(slug, start), service=slug, start=start, end=end, seconds=seconds, reason=reason
                )
            )
        start = None

    for span in spans:
        if span.start > now:
            break  # the rest of a maintenance window that is still to come
        if ended is not None and ended != span.start:
            close(ended)  # no check lived between: that story is over
        ended = span.end
        if span.maintenance:
            continue
        if span.state is State.DOWN:
            if start is None:
                start, reason, seconds = span.start, span.reason, 0
            seconds += (min(span.end or now, now) - span.start) // SECOND
        elif span.state is not State.UNKNOWN:
            close(span.start)
    close(ended)
    return found


def incident_id(slug: str, start: datetime) -> str:
    """Name an incident by ten hex digits that stay the same as long as its service and its start do.

    Of a hash that SQL can compute, too: it has no other one, and views tell of moments that nothing was stored for.
    """
    return f"{(incident_seed(slug) + (start - EPOCH) // SECOND * INCIDENT_STEP) % INCIDENT_IDS:010x}"


@lru_cache(maxsize=1_024)  # each service has several incidents
def incident_seed(slug: str) -> int:
    """Return where the ids of a service's incidents begin."""
    return int(hashlib.sha256(slug.encode()).hexdigest()[:10], 16)


# From spans to seconds


class Account(NamedTuple):
    """The seconds of a window, each counted once; what no check lived through is in none of them.

    A tuple, as a page has a hundred thousand of them: so each is made, compared and digested in a tenth of the time.
    """

    up_s: int = 0
    degraded_s: int = 0
    down_s: int = 0
    unknown_s: int = 0
    maintenance_s: int = 0
    maintenance_down_s: int = 0  # these are also in maintenance_s

    @property
    def uptime(self) -> int | None:
        """Uptime in thousandths of a percent, floored; none when less than half of the time was observed.

        >>> Account(up_s=90 * 86_400 - 1, down_s=1).uptime
        99999
        """
        good = self.up_s + self.degraded_s
        seen = good + self.down_s
        if seen == 0 or 2 * seen < seen + self.unknown_s:
            return None
        return good * 100_000 // seen

    @property
    def uptime_with_maintenance(self) -> int | None:
        """The same with maintenance counted: down in it is down, the rest of it is good; none without any."""
        good = self.up_s + self.degraded_s + self.maintenance_s - self.maintenance_down_s
        seen = self.up_s + self.degraded_s + self.down_s + self.maintenance_s
        if self.maintenance_s == 0 or 2 * seen < seen + self.unknown_s:
            return None
        return good * 100_000 // seen

    @property
    def observed(self) -> int | None:
        """The share of the time outside maintenance in which something was known, in thousandths of a percent."""
        seen = self.up_s + self.degraded_s + self.down_s
        return seen * 100_000 // (seen + self.unknown_s) if seen + self.unknown_s else None


def percent(thousandths: int | None) -> str | None:
    """Write a percentage: floored to three places, and 100 only when nothing at all is missing.

    >>> percent(100_000), percent(99_987), percent(5), percent(None)
    ('100', '99.987', '0.005', None)
    """
    if thousandths is None:
        return None
    return "100" if thousandths == 100_000 else f"{thousandths // 1000}.{thousandths % 1000:03}"


def accounts(spans: Iterable[Span], borders: Sequence[datetime]) -> list[Account]:
    """Account for the windows between each two neighbours of *borders*, oldest first, in one pass.

    No two of *spans* overlap; an open one reaches to the last border.
    """
    edges, lengths = _windows(tuple(borders))
    sums = [[0] * len(lengths) for _ in Account._fields]
    for span in spans:
        start = max(edges[0], (span.start - EPOCH) // SECOND)
        end = edges[-1] if span.end is None else min(edges[-1], (span.end - EPOCH) // SECOND)
        if start >= end:
            continue
        first, last = bisect_right(edges, start) - 1, bisect_left(edges, end) - 1
        for kind in _kinds(span):
            sums[kind][first] += min(end, edges[first + 1]) - start
            if first < last:
                sums[kind][first + 1 : last] = lengths[first + 1 : last]  # these it fills alone
                sums[kind][last] += end - edges[last]
    return list(map(Account._make, zip(*sums, strict=True)))


@lru_cache(maxsize=64)  # all services are accounted for in the same windows
def _windows(borders: tuple[datetime, ...]) -> tuple[list[int], list[int]]:
    """Return the seconds of *borders*, and those between them."""
    edges = [(moment - EPOCH) // SECOND for moment in borders]
    return edges, [late - early for early, late in pairwise(edges)]


def _kinds(span: Span) -> tuple[int, ...]:
    """Return the places in an account where the seconds of *span* count."""
    if not span.maintenance:
        return (KINDS[span.state],)
    return (4, 5) if span.state is State.DOWN else (4,)


KINDS = {State.UP: 0, State.DEGRADED: 1, State.DOWN: 2, State.UNKNOWN: 3}


def together(one: Account, other: Account) -> Account:
    """Account for two windows as one.

    >>> together(Account(up_s=5), Account(up_s=1, down_s=2))
    Account(up_s=6, degraded_s=0, down_s=2, unknown_s=0, maintenance_s=0, maintenance_down_s=0)
    """
    return Account._make(map(add, one, other))


def account(spans: Iterable[Span], start: datetime, end: datetime) -> Account:
    """Account for the window from *start* to *end*."""
    return accounts(spans, [start, end])[0]


def touching(incidents: Iterable[Incident], start: datetime, end: datetime) -> list[Incident]:
    """Return the incidents that a window has a part of."""
    return [one for one in incidents if one.start < end and (one.end is None or one.end > start)]


# Days and periods


def midnight(day: datetime, zone: tzinfo) -> datetime:
    """Return the beginning of the calendar day of *day*, which is a moment seen in *zone*, as UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def days(now: datetime, zone: tzinfo, count: int) -> list[tuple[str, datetime]]:
    """Return the newest *count* days of *zone*, oldest first, the last one today: label and first moment.

    >>> [day for day, _ in days(datetime(2026, 3, 1, 12, tzinfo=UTC), UTC, 2)]
    ['2026-02-28', '2026-03-01']
    """
    today = now.astimezone(zone).replace(tzinfo=None)
    wanted = [today - timedelta(days=back) for back in range(count - 1, -1, -1)]
    return [(f"{day:%Y-%m-%d}", midnight(day, zone)) for day in wanted]


def months(now: datetime, zone: tzinfo, count: int) -> list[tuple[str, datetime, datetime]]:
    """Return the newest *count* calendar months of *zone*, oldest first: label, first moment, and end or *now*.

    >>> [label for label, _, _ in months(datetime(2026, 1, 15, tzinfo=UTC), UTC, 2)]
    ['2025-12', '2026-01']
    """
    today = now.astimezone(zone)
    newest = today.year * 12 + today.month - 1

    def first(month: int) -> datetime:
        return datetime(month // 12, month % 12 + 1, 1)

    return [
        (f"{first(month):%Y-%m}", midnight(first(month), zone), min(now, midnight(first(month + 1), zone)))
        for month in range(newest - count + 1, newest + 1)
    ]


def periods(now: datetime, zone: tzinfo) -> dict[str, tuple[datetime, datetime]]:
    """Return each period's window: the last 86,400 s, or today so far and the N-1 days of *zone* before it."""
    now = floor_second(now)
    begins = [start for _, start in days(now, zone, max(PERIODS.values()))]
    return {
        name: (now - timedelta(seconds=86_400) if name == "24h" else begins[-count], now)
        for name, count in PERIODS.items()
    }
