"""metrics.prom: where everything stands, as OpenMetrics, for Prometheus and the textfile collector of its node exporter.

Gauges only, which the older text format of Prometheus has too. The moment of the newest observation is in it, for an
alert on a page that is out of date: `time() - uplog_newest_observation_timestamp_seconds > 300`.
"""

from collections.abc import Iterable, Iterator

from .. import words
from ..values import Page
from .badge import yesterday
from .text import plain

ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Sample = tuple[dict[str, str], float]  # labels and value


def files(page: Page) -> dict[str, bytes]:
    """Return metrics.prom."""
    return {"metrics.prom": "".join([*metrics(page), "# EOF\n"]).encode()}


def metrics(page: Page) -> Iterator[str]:
    """Say where each service stands; what is not known has no sample."""
    states, infos, ratios, observed, latencies = [], [], [], [], []
    for one in page.services:
        infos.append(({"service": one.slug, "name": plain(one.name), "group": plain(one.group)}, 1))
        states += [({"service": one.slug, "state": look}, int(one.look == look)) for look in words.STATES]
        for period, figure in one.uptime.items():
            if figure.uptime is not None:
                ratios.append(({"service": one.slug, "period": period}, share(figure.uptime)))
            if figure.observed is not None:
                observed.append(({"service": one.slug, "period": period}, share(figure.observed)))
        if day := yesterday(one, page):
            latencies.append(({"service": one.slug, "percentile": "50"}, day.p50 / 1_000))
            latencies.append(({"service": one.slug, "percentile": "95"}, day.p95 / 1_000))
    yield from gauge("uplog_service_info", "What a service is called; always 1.", infos)
    yield from gauge(
        "uplog_service_state",
        "1 for what a service is shown as, 0 for the others; maintenance hides the state under it.",
        states,
    )
    yield from gauge("uplog_service_uptime_ratio", "Share of the observed time that was up.", ratios)
    yield from gauge("uplog_service_observed_ratio", "Share of the time that was observed.", observed)
    yield from gauge("uplog_service_latency_seconds", "How long answers took yesterday.", latencies)
    if page.newest:
        newest = page.newest.timestamp()
        yield from gauge("uplog_newest_observation_timestamp_seconds", "When something was asked last.", [({}, newest)])


def gauge(name: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """Write one family: for each sample its labels and its value."""
    yield f"# HELP {name} {text}\n# TYPE {name} gauge\n"
    for labels, value in samples:
        shown = ",".join(f'{label}="{said.translate(ESCAPED)}"' for label, said in labels.items())
        yield f"{name}{shown and f'{{{shown}}}'} {float(value)}\n"


def share(percent: str) -> float:
    """Return a percentage as a ratio, with no more places than it has.

    >>> share("99.987"), share("100")
    (0.99987, 1.0)
    """
    return round(float(percent) / 100, 5)
