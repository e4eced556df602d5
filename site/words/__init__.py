"""The words of the page: moments, durations and reasons, as people read them in one language."""

from .lengths import about, asked, duration, interval, milliseconds
from .moments import moment, stretch
from .services import (
    FEW,
    because,
    event,
    flaps,
    headline,
    outages,
    parts,
    sentence,
    sentences,
    share_in,
    standing,
    state,
    who,
    why,
)
from .tables import MORE, PERIODS, REASONS, SEVERITIES, SHAPES, STATES

__all__ = [
    "FEW",
    "MORE",
    "PERIODS",
    "REASONS",
    "SEVERITIES",
    "SHAPES",
    "STATES",
    "about",
    "asked",
    "because",
    "duration",
    "event",
    "flaps",
    "headline",
    "interval",
    "milliseconds",
    "moment",
    "outages",
    "parts",
    "sentence",
    "sentences",
    "share_in",
    "standing",
    "state",
    "stretch",
    "who",
    "why",
]
