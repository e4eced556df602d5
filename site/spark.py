"""Draw how long answers took of late, small enough for a row of the index: a sparkline.

It changes once an hour, and says nothing that does not stand in words beside it or on the page of the service.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import median_low

from markupsafe import Markup

from .draw import stretches

HOURS = 24
STEP, HIGH = 2, 12  # units of the drawing: of an hour, and of the slowest
HOUR = timedelta(hours=1)


def spark(recent: Sequence[tuple[datetime, int]], ends: datetime) -> Markup:
    """Draw the median of each of the full hours before *ends*, from nothing up; empty where fewer than two are known.

    A line of one point would be none. It is broken at the hours of which nothing is known.
    """
    known = medians(recent, ends)
    if len(known) < 2:
        return Markup()
    top = max(*known.values(), 1)
    heights = {hour: round(HIGH - HIGH * ms / top) for hour, ms in known.items()}
    return Markup(
        f'<svg class="k" viewBox="0 0 {(HOURS - 1) * STEP} {HIGH}" aria-hidden="true"><path d="{line(heights)}"/></svg>'
    )


def medians(recent: Sequence[tuple[datetime, int]], ends: datetime) -> dict[int, int]:
    """Return the median of what was answered in each of the hours before *ends*, 0 the first of them."""
    begins = ends - HOURS * HOUR
    inside = ((at, ms) for at, ms in recent if begins <= at < ends)
    return {
        hour: median_low([ms for _, ms in answers])
        for hour, answers in groupby(inside, key=lambda answer: (answer[0] - begins) // HOUR)
    }


def line(heights: Mapping[int, int]) -> str:
    """Write a path through *heights*, by hour and ascending, in as few letters as it takes.

    >>> line({0: 4, 1: 4, 2: 4, 3: 1, 4: 2, 6: 0})
    'M0 4h4l2-3l2 1M12 0h0'
    """
    return "".join(
        f"M{first * STEP} {heights[first]}{strokes([heights[hour] for hour in range(first, first + count)])}"
        for first, count in stretches(heights)
    )


def strokes(run: Sequence[int]) -> str:
    """Write the strokes through the heights of neighbouring hours; one that stands alone is a dot."""
    rises = groupby(late - early for early, late in pairwise(run))
    return "".join(stroke(rise, len(list(alike))) for rise, alike in rises) or "h0"


def stroke(rise: int, times: int) -> str:
    """Write *times* strokes that go the same way; level ones are one."""
    if rise == 0:
        return f"h{STEP * times}"
    return f"l{STEP}{'' if rise < 0 else ' '}{rise}" * times
