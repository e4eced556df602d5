"""Write tables of many rows, once for every audience: a template would take its time over each."""

from collections.abc import Sequence

from markupsafe import Markup

from uplog.collector.model import LatencyDay

from .figures import day_title


def latency(days: Sequence[LatencyDay]) -> Markup:
    """Write median and 95th percentile of each of *days*, newest first; nothing without any."""
    if not days:
        return Markup()
    rows = "".join(
        f"<tr><th>{day_title(one.day)}</th><td>{one.p50}</td><td>{one.p95}</td></tr>" for one in reversed(days)
    )
    return Markup(
        "<table><thead><tr><th>Day</th><th>Median, ms</th><th>95th percentile, ms</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )
