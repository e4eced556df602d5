"""Look back: maintenance that is over, and a calendar of what was worst on each day. All pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from uplog.collector.model import SECOND, ServiceHistory, Span, State

from . import words
from .figures import month_title
from .timeline import since
from .tongue import Tongue
from .values import WORST, Calendar, DayOf, Entry, MonthOf, ServiceView, Work

BRIEF = timedelta(minutes=15)  # what is not known for less is a restart of ours, and makes no day


# Of one service


def worked(entry: ServiceHistory, calendar: Calendar) -> tuple[Work, ...]:
    """Return the maintenance of one service that is over and touches the days of a bar, newest first."""
    begins = calendar.days[0][1]
    return tuple(
        Work(
            services=(entry.service.slug,),
            who=entry.service.name,
            window=one,
            running=False,
            when=words.stretch(calendar.tongue, one.start, one.end, calendar.zone, calendar.now),
        )
        for one in sorted(entry.windows, key=lambda one: one.start, reverse=True)
        if one.end and begins < one.end <= calendar.now
    )


def spent(spans: Sequence[Span], calendar: Calendar) -> tuple[tuple[str, int, int], ...]:
    """Return in which looks one service was: from which to which day of the calendar's year, each once."""
    starts = [start for _, start in calendar.year]
    found = {
        (look(one), max(bisect_right(starts, one.start) - 1, 0), bisect_left(starts, one.end or calendar.now) - 1)
        for one in spans
        if one.end is None or one.end > starts[0]
        if one.state is not State.UNKNOWN or (one.end or calendar.now) - one.start >= BRIEF
    }
    return tuple(sorted(found))


def look(one: Span) -> str:
    """Say how a stretch of time looks: maintenance hides the state under it."""
    return "maintenance" if one.maintenance else one.state.value


# Of all together


def months(found: Sequence[Entry], services: Sequence[ServiceView], calendar: Calendar) -> tuple[MonthOf, ...]:
    """Put incidents and days under each month, newest first, where anything was watched or told."""
    watched = {month.month for service in services for month in service.months}
    looks = worst(services)
    return tuple(
        MonthOf(
            month=month,
            title=month_title(calendar.tongue, month),
            entries=entries,
            days=shown,
            anchors=frozenset(one.link.rpartition(".")[2] for one in shown if one.link.startswith("#")),
        )
        for month, start, end in reversed(calendar.months)
        for entries in [tuple(since(found, start, end))]
        if month in watched or entries
        for shown in [tuple(days(month, entries, looks, calendar))]
    )


def worst(services: Iterable[ServiceView]) -> Mapping[int, str]:
    """Return what was worst in each day of the year that anything was watched in."""
    places: dict[str, set[int]] = defaultdict(set)
    for service in services:
        for each, first, last in service.spent:
            places[each].update(range(first, last + 1))
    return {place: each for each in reversed(WORST) for place in places[each]}


def days(month: str, entries: Sequence[Entry], looks: Mapping[int, str], calendar: Calendar) -> Iterator[DayOf]:
    """Yield the days of one *month* until today."""
    ends = [*(start for _, start in calendar.year[1:]), calendar.now + SECOND]
    for place, ((day, start), end) in enumerate(zip(calendar.year, ends, strict=True)):
        if day[:7] == month:
            incidents = tuple(since(entries, start, end))
            shown = looks.get(place, "")
            yield DayOf(
                day=day,
                number=int(day[8:]),
                weekday=date.fromisoformat(day).isoweekday(),
                look=shown,
                link=leads_to(month, incidents),
                text=told(calendar.tongue, shown, len(incidents)),
            )


def told(tongue: Tongue, shown: str, count: int) -> str:
    """Say how a day looks, and *count* the incidents in it."""
    word = words.state(tongue, shown) if shown else tongue.gettext("not watched")
    return tongue.clauses(word, tongue.ngettext("%(count)s incident", "%(count)s incidents", count) if count else "")


def leads_to(month: str, incidents: Sequence[Entry]) -> str:
    """Say where a day of *month* leads to that these *incidents* touch, newest first."""
    if len(incidents) > 1:
        return f"#{month}.{incidents[0].page}"
    return f"incident/{incidents[0].page}.html" if incidents else ""
