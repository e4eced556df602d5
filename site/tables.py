"""Write tables of many rows, once for every audience: a template would take its time over each."""

from collections.abc import Sequence
from functools import lru_cache

from markupsafe import Markup, escape

from uplog.collector.model import LatencyDay

from .figures import day_title
from .tongue import Tongue, message

HEADS = (message("Day"), message("Median, ms"), message("95th percentile, ms"))


def latency(tongue: Tongue, days: Sequence[LatencyDay]) -> Markup:
    """Write median and 95th percentile of each of *days*, newest first; nothing without any."""
    if not days:
        return Markup()
    heads = "".join(f'<th scope="col">{escape(tongue.gettext(title))}</th>' for title in HEADS)
    rows = "".join(f"<tr>{head(tongue, one.day)}<td>{one.p50}</td><td>{one.p95}</td></tr>" for one in reversed(days))
    return Markup(f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>")


@lru_cache(maxsize=128)  # the same days for every service
def head(tongue: Tongue, day: str) -> str:
    """Write the cell that a row begins with."""
    return f'<th scope="row">{escape(day_title(tongue, day))}</th>'
