"""Put the seconds of collector/history.py into the figures and day cells of a page."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from uplog.collector.history import Account, accounts, percent, touching
from uplog.collector.model import Incident, Span

from . import words
from .values import Calendar, Day, Figure, Month

SPELT = 6  # outages that the text of one day spells out


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
    """Account for each period."""
    return {
        period: figure(accounts(spans, [start, end])[0], len(touching(told, start, end)))
        for period, (start, end) in calendar.periods.items()
    }


def cells(spans: Sequence[Span], told: Sequence[Incident], calendar: Calendar) -> tuple[Day, ...]:
    """Account for each day of the bar from first sight on, with the outages of the day from when to when."""
    if not spans:
        return ()
    borders = [start for _, start in calendar.days] + [calendar.now]
    parts = touched(told, borders)
    found = []
    for place, ((day, start), account) in enumerate(zip(calendar.days, accounts(spans, borders), strict=True)):
        end = borders[place + 1]
        if end <= spans[0].start:
            continue
        part = parts.get(place, [])
        one = figure(account, len(part))
        plain = not part and one.steps == (0, 0, 0, 0) and (start == end or not one.empty)
        text = "" if plain else story(day, one, part, calendar)
        found.append(
            Day(
                day=day,
                title=day_title(day),
                figure=one,
                text=text,
                outages=tuple(each.id for each in part) if part else (),
            )
        )
    return tuple(found)


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
        Month(month=month, title=month_title(month), figure=figure(account, count), outages=words.outages(count))
        for place, ((month, _, _), account) in enumerate(zip(calendar.months, accounts(spans, borders), strict=True))
        if account != Account()
        for count in [len(parts.get(place, []))]
    )


def month_title(month: str) -> str:
    """Write a month for people.

    >>> month_title("2026-11")
    'Nov 2026'
    """
    return f"{words.MONTHS[int(month[5:]) - 1]} {month[:4]}"


@lru_cache(maxsize=4_096)
def day_title(day: str) -> str:
    """Write a day for people.

    >>> day_title("2026-11-01")
    '1 Nov'
    """
    return f"{int(day[8:])} {words.MONTHS[int(day[5:7]) - 1]}"


def story(day: str, one: Figure, part: Sequence[Incident], calendar: Calendar) -> str:
    """Tell what a day was like that was not simply up: outages from when to when, the rest by its length."""
    if one.empty:
        return "not watched"
    today = day == calendar.days[-1][0]

    def long(word: str, seconds: int) -> str:
        return (
            word if today else f"{word} for {words.duration(seconds)}"
        )  # of today's that would change with each build

    _, degraded, maintenance, unknown = one.steps
    spelt = [words.stretch(each.start, each.end, calendar.zone, calendar.now, day) for each in part[:SPELT]]
    more = [f"{len(part) - SPELT} more times"] if len(part) > SPELT else []
    return "; ".join(
        [
            *(["down " + ", ".join(spelt + more)] if part else []),
            *([long("degraded", one.account.degraded_s)] if degraded else []),
            *([long("in maintenance", one.account.maintenance_s)] if maintenance else []),
            *([long("not known", one.account.unknown_s)] if unknown else []),
        ]
    )
