"""Put the seconds of collector/history.py into the figures and day cells of a page."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import accumulate

from uplog.collector.history import Account, accounts, percent, together, touching
from uplog.collector.model import Incident, Span

from . import words
from .tongue import ENGLISH, Tongue, message  # noqa: F401  ENGLISH is that of the examples
from .values import Calendar, Day, Figure, Month

SPELT = 6  # outages that the text of one day spells out
WAS = (  # what a day was beside down, in the order of Figure.steps, without how long and with it
    (message("degraded"), message("degraded for %(length)s")),
    (message("in maintenance"), message("in maintenance for %(length)s")),
    (message("not known"), message("not known for %(length)s")),
)


@lru_cache(maxsize=4_096)  # most days of most services are the same
def figure(account: Account, count: int) -> Figure:
    """Write the percentages of *account*, in whose window *count* incidents have a part."""
    outside = account.up_s + account.degraded_s + account.down_s
    whole = outside + account.unknown_s + account.maintenance_s
    unknown = (
        step(account.unknown_s, whole) if account.unknown_s * 100 >= whole else 0
    )  # each start is a moment unknown
    return Figure(
        account=account,
        incidents=count,
        uptime=percent(account.uptime),
        with_maintenance=percent(account.uptime_with_maintenance),
        observed=percent(account.observed),
        empty=whole == 0,
        steps=(
            step(account.down_s, whole),
            step(account.degraded_s, whole),
            step(account.maintenance_s, whole),
            unknown,
        ),
    )


def step(part: int, whole: int) -> int:
    """Sort a share into four sizes that an eye tells apart: under 1 %, 10 %, half, and more.

    >>> [step(seconds, 86_400) for seconds in (0, 1, 900, 9_000, 86_400)]
    [0, 1, 2, 3, 4]
    """
    if part == 0:
        return 0
    return 1 + sum(100 * part >= share * whole for share in (1, 10, 50))


def uptime(spans: Sequence[Span], told: Sequence[Incident], calendar: Calendar) -> dict[str, Figure]:
    """Account for each period; they all end now, so that each is the shorter one before it and some time more."""
    begins = [start for start, _ in reversed(calendar.periods.values())]
    sums = accumulate(reversed(accounts(spans, [*begins, calendar.now])), together)
    return {
        period: figure(account, len(touching(told, start, end)))
        for (period, (start, end)), account in zip(calendar.periods.items(), sums, strict=True)
    }


def cells(spans: Sequence[Span], told: Sequence[Incident], calendar: Calendar) -> tuple[Day, ...]:
    """Account for each day of the bar from first sight on, with the outages of the day from when to when."""
    if not spans:
        return ()
    borders = [start for _, start in calendar.days] + [calendar.now]
    parts = touched(told, borders)
    first = bisect_right(borders, spans[0].start) - 1
    today = len(calendar.days) - 1
    return tuple(
        quiet(calendar.tongue, day, account)
        if place < today and place not in parts
        else eventful(day, account, parts.get(place, ()), calendar)
        for place, ((day, _), account) in enumerate(zip(calendar.days, accounts(spans, borders), strict=True))
        if place >= first
    )


@lru_cache(maxsize=4_096)  # most days of most services are the same
def quiet(tongue: Tongue, day: str, account: Account) -> Day:
    """Make the cell of a day that is over, and that no outage touches."""
    one = figure(account, 0)
    return Day(day=day, title=day_title(tongue, day), figure=one, text=story(tongue, one), outages=())


def eventful(day: str, account: Account, part: Sequence[Incident], calendar: Calendar) -> Day:
    """Make the cell of a *day* that *part* of the outages touches, or of today, whose lengths change with each build."""
    one = figure(account, len(part))
    down = outages_of(day, part, calendar) if part else ""
    today, begins = calendar.days[-1]
    text = "" if begins == calendar.now and day == today else story(calendar.tongue, one, down, lengths=day != today)
    return Day(
        day=day,
        title=day_title(calendar.tongue, day),
        figure=one,
        text=text,
        outages=tuple(each.id for each in part),
    )


def touched(told: Iterable[Incident], borders: Sequence[datetime]) -> dict[int, list[Incident]]:
    """Return by their places the windows between each two neighbours of *borders* that incidents have a part in."""
    found: dict[int, list[Incident]] = defaultdict(list)
    for one in told:
        first = max(0, bisect_right(borders, one.start) - 1)
        last = bisect_left(borders, one.end) if one.end else len(borders) - 1
        for place in range(first, min(last, len(borders) - 1)):
            found[place].append(one)
    return found


def by_month(spans: Sequence[Span], told: Sequence[Incident], calendar: Calendar) -> tuple[Month, ...]:
    """Account for each calendar month that a service lived a second of."""
    borders = [start for _, start, _ in calendar.months] + [calendar.now]
    parts = touched(told, borders)
    return tuple(
        Month(
            month=month,
            title=month_title(calendar.tongue, month),
            figure=figure(account, count),
            outages=words.outages(calendar.tongue, count),
        )
        for place, ((month, _, _), account) in enumerate(zip(calendar.months, accounts(spans, borders), strict=True))
        if account != Account()
        for count in [len(parts.get(place, []))]
    )


@lru_cache(maxsize=64)
def month_title(tongue: Tongue, month: str) -> str:
    """Write a month for people.

    >>> month_title(ENGLISH, "2026-11")
    'Nov 2026'
    """
    return tongue.month_of(date.fromisoformat(f"{month}-01"))


@lru_cache(maxsize=4_096)
def day_title(tongue: Tongue, day: str) -> str:
    """Write a day for people.

    >>> day_title(ENGLISH, "2026-11-01")
    '1 Nov'
    """
    return tongue.on(date.fromisoformat(day), year=False)


def story(tongue: Tongue, one: Figure, down: str = "", *, lengths: bool = True) -> str:
    """Tell what a day was like that was not simply up: *down* from when to when, the rest, if wanted by its length."""
    if one.empty:
        return tongue.gettext("not watched")
    seconds = (one.account.degraded_s, one.account.maintenance_s, one.account.unknown_s)
    rest = (
        tongue.gettext(was_for, length=words.duration(tongue, long)) if lengths else tongue.gettext(was)
        for (was, was_for), size, long in zip(WAS, one.steps[1:], seconds, strict=True)
        if size
    )
    return tongue.details(down, *rest)


def outages_of(day: str, part: Sequence[Incident], calendar: Calendar) -> str:
    """Say from when to when it was down on a *day*."""
    tongue = calendar.tongue
    spelt = [words.stretch(tongue, each.start, each.end, calendar.zone, calendar.now, day) for each in part[:SPELT]]
    rest = len(part) - SPELT
    more = tongue.ngettext("%(count)s more time", "%(count)s more times", rest) if rest > 0 else ""
    return tongue.gettext("down %(times)s", times=tongue.clauses(*spelt, more))
