"""Draw what the page shows as SVG: bars of 90 days, and latency over time.

Strings made here hold numbers of ours and escaped titles only; they go into templates as they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import groupby, pairwise
from statistics import median_low

from markupsafe import Markup, escape

from .figures import day_title
from .tongue import Tongue
from .values import CELLS, Calendar, Day, ServiceView

CELL, GAP, HIGH = 8, 2, 40
PITCH = CELL + GAP
WIDTH = CELLS * PITCH - GAP
HEIGHTS = (0, 8, 16, 26, 40)  # of a share: none, under 1 %, under 10 %, under half, more
CLASSES = ("d{}", "w", "m")  # down by its step, degraded, maintenance: as Figure.steps

ASIDE = ' tabindex="-1"'  # not a stop of the keyboard
QUARTER = timedelta(minutes=15)


def bar(tongue: Tongue, name: str, days: Sequence[Day], page: str = "") -> Markup:
    """Draw one cell a day, the newest at the right; days of which nobody was to know anything have a floor only.

    The healthy days are one stretch of a pattern that the page defines once (`#u`); only what differs is drawn over
    it, from the bottom up, what is not known from the top down. Each such day is a link to its story, which is also
    its title, on *page*. Only the newest is a stop of the keyboard: from there the others are around it.
    """
    first = CELLS - len(days)
    places = [first + place for place, day in enumerate(days) if not day.figure.empty]
    watched = "".join(
        f'<rect x="{start * PITCH}" width="{count * PITCH - GAP}" height="{HIGH}" fill="url(#u)"/>'
        for start, count in stretches(places)
    )
    floor = "".join(
        f"M{start * PITCH} {HIGH - 1}h{count * PITCH - GAP}"
        for start, count in stretches(sorted({*range(CELLS)}.difference(places)))
    )
    unwatched = f'<path class="e" d="{floor}"/>' if floor else ""
    told = [(place, day) for place, day in enumerate(days, first) if day.text]
    links = "".join(
        f'<a href="{escape(page)}#{day.day}" transform="translate({place * PITCH})"{"" if place == told[-1][0] else ASIDE}>'
        f"<title>{escape(tongue.about(day.title, day.text))}</title>{cell(day)}</a>"
        for place, day in told
    )
    role = "group" if told else "img"
    label = tongue.gettext("%(name)s, last %(count)s days", name=tongue.isolated(name), count=CELLS)
    if not told:
        label = tongue.about(label, tongue.gettext("nothing went wrong") if days else tongue.gettext("not watched"))
    return Markup(
        f'<svg class="b" viewBox="0 0 {WIDTH} {HIGH}" preserveAspectRatio="none" role="{role}" '
        f'aria-label="{escape(label)}">{watched}{unwatched}{links}</svg>'
    )


def cell(day: Day) -> str:
    """Draw what differs in one day: down lowest, then degraded, then maintenance, and from the top what is not known.

    Without its place, so that equal days are equal text: of that a compressed page has each but once.
    """
    floor = HIGH
    drawn = [f'<path d="M0 0h{CELL}v{HIGH}h-{CELL}z"/>']  # without colour: all of the cell can be pressed
    for name, step in zip(CLASSES, day.figure.steps[:3], strict=True):
        high = min(HEIGHTS[step], floor)
        floor -= high
        if high:
            drawn.append(f'<path class="{name.format(step)}" d="M0 {floor}h{CELL}v{high}h-{CELL}z"/>')
    hollow = min(HEIGHTS[day.figure.steps[3]], floor)
    if hollow:
        drawn.append(f'<path class="n" d="M.5 .5h{CELL - 1}v{hollow - 1}h-{CELL - 1}z"/>')
    return "".join(drawn)


def stretches(places: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Join neighbouring *places*, ascending, into (first, how many).

    >>> list(stretches([3, 4, 5, 9]))
    [(3, 3), (9, 1)]
    """
    for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        members = [place for _, place in run]
        yield members[0], len(members)


# Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing without letters, which may be stretched, and the labels of its axes."""

    svg: Markup
    top: int  # ms at the upper edge; half of it in the middle, nothing at the lower one
    begins: str
    ends: str


def daily(service: ServiceView, calendar: Calendar) -> Chart | None:
    """Draw median and 95th percentile of each closed day of the bar; none of fewer than two: one point is no line."""
    noon = noons(calendar.days)
    known = [(noon[one.day], one.p50, one.p95) for one in service.latency if one.day in noon]
    if len(known) < 2:
        return None
    begins = calendar.days[0][1]
    (first, _), (last, _) = calendar.days[0], calendar.days[-1]
    svg, top = chart(
        calendar.tongue, service, known, begins, begins + timedelta(days=CELLS), timedelta(days=1, hours=2)
    )
    return Chart(svg=svg, top=top, begins=day_title(calendar.tongue, first), ends=day_title(calendar.tongue, last))


def lately(service: ServiceView, calendar: Calendar) -> Chart | None:
    """Draw median and slowest answer of each quarter of an hour in the day before the last full hour; none of one alone."""
    ends = calendar.hour
    begins = ends - timedelta(hours=24)
    quarters = groupby(
        (point for point in service.recent if point[0] >= begins), key=lambda point: (point[0] - begins) // QUARTER
    )
    known = []
    for quarter, points in quarters:
        took = [ms for _, ms in points]
        known.append((begins + quarter * QUARTER + QUARTER / 2, median_low(took), max(took)))
    if len(known) < 2:
        return None
    svg, top = chart(calendar.tongue, service, known, begins, ends, timedelta(hours=1))
    return Chart(svg=svg, top=top, begins=calendar.moment(begins), ends=calendar.moment(ends))


def chart(
    tongue: Tongue,
    service: ServiceView,
    known: Sequence[tuple[datetime, int, int]],
    begins: datetime,
    ends: datetime,
    gap: timedelta,
) -> tuple[Markup, int]:
    """Draw two lines through the *known* points (moment, usual, slow), broken where they lie further apart than *gap*.

    Return the drawing and the ms at its upper edge.
    """
    top = ceiling(max(slow for _, _, slow in known))
    x = partial(across, begins, ends)
    moments = [at for at, _, _ in known]
    signs = ["M", *("L" if late - early <= gap else "M" for early, late in pairwise(moments))]
    places = [f"{sign}{x(at)}" for sign, at in zip(signs, moments, strict=True)]

    def line(took: Iterable[int]) -> str:
        return "".join([place + down(top, ms) for place, ms in zip(places, took, strict=True)])

    usual, slow = line(usual for _, usual, _ in known), line(slow for _, _, slow in known)
    shades = "".join(
        f'<rect x="{left}" width="{max(round(right - left, 1), 1.5)}" height="120"/>'
        for one in service.outages
        if one.incident.start < ends and (one.incident.end is None or one.incident.end > begins)
        for left, right in [(x(one.incident.start), x(one.incident.end or ends))]
    )
    most = tongue.gettext("at most %(time)s", time=tongue.gettext("%(count)s ms", count=top))
    label = escape(tongue.about(tongue.isolated(service.name), most))
    return Markup(
        f'<svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label="{label}">{shades}'
        '<path class="a" d="M0 .5h600M0 60h600M0 119.5h600"/>'
        f'<path class="p95" d="{slow}"/><path class="p50" d="{usual}"/></svg>'
    ), top


@lru_cache(maxsize=2)  # the same for all services, as are most places in their charts
def noons(days: tuple[tuple[str, datetime], ...]) -> Mapping[str, datetime]:
    """Return the middle of each of the *days* of a calendar, by its label."""
    return {day: start + timedelta(hours=12) for day, start in days}


@lru_cache(maxsize=4_096)
def across(begins: datetime, ends: datetime, at: datetime) -> float:
    """Return where a moment stands in a chart that is 600 wide; what lies outside of it, at its edge."""
    return round(min(max((at - begins) / (ends - begins), 0), 1) * 600, 1)


@lru_cache(maxsize=4_096)
def down(top: int, ms: int) -> str:
    """Write how far below the upper edge, which is at *top*, an answer stands in a chart that is 120 high; as a dot."""
    return f" {round(120 - 120 * ms / top, 1)}h0"


def ceiling(ms: int) -> int:
    """Return a round number not below *ms*, for the upper edge of a chart.

    >>> ceiling(0), ceiling(7), ceiling(38), ceiling(140), ceiling(2_000)
    (10, 10, 40, 200, 2000)
    """
    power = 10
    while True:
        for factor in (1, 2, 4, 6, 8):
            if ms <= factor * power:
                return factor * power
        power *= 10
