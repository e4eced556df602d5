"""`uplog export`: history as lines of text that `uplog import` reads back."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from .importing.lines import Line, Stretch
from .importing.own import COLUMNS, MORE
from .importing.past import Asked, Corrected, Ended, Maintained, Named
from .model import Correction, Outcome, Role, State, Window, from_ms
from .store.exported import Fact, Found, Key, Kind

A_DAY = 86_400_000  # ms
STATES = {
    Outcome.PASS: State.UP,
    Outcome.WARN: State.DEGRADED,
    Outcome.FAIL: State.DOWN,
    Outcome.UNKNOWN: State.UNKNOWN,
}
MARK_AT, MARK_TOOK = "1970-01-01T00:00:00.000Z", 4_000_000_007  # where a moment and a latency go
CSV_HEAD = ",".join((*COLUMNS, *MORE)) + "\n"

Frame = tuple[str, str, str]  # what stands before the moment, between it and the latency, and after
Framing = Callable[[Kind, bool], Frame]


def csv_frame(kind: Kind, measured: bool) -> Frame:
    """Return what all rows of *kind* have in common, as a line of CSV."""
    asked = kind.asked
    cells = (
        kind.service,
        MARK_AT,
        STATES[kind.outcome],
        MARK_TOOK if measured else "",
        kind.reason,
        kind.code,
        asked.check,
        asked.role,
        asked.every,
        asked.rule,
        kind.attempt if kind.attempt > 1 else None,
        1 if kind.restarted else None,
    )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return _framed(text.getvalue(), measured)


def json_frame(kind: Kind, measured: bool) -> Frame:
    """Return what all rows of *kind* have in common, as a line of JSON."""
    asked = kind.asked
    line = Line(
        service=kind.service,
        at=MARK_AT,
        state=STATES[kind.outcome],
        latency_ms=MARK_TOOK if measured else None,
        reason=kind.reason or "",
        code=kind.code,
        check=asked.check,
        role=_role(asked.role),
        every_ms=asked.every,
        rule=asked.rule or "",
        attempt=kind.attempt,
        restarted=kind.restarted,
    )
    return _framed(_encoded(line), measured)


def _framed(text: str, measured: bool) -> Frame:
    """Cut *text* where the moment and the latency go; from the end, for a name may hold anything."""
    before, _, after = text.rpartition(MARK_AT)
    between, _, rest = after.partition(str(MARK_TOOK)) if measured else ("", "", after)
    return before, between, rest


def lines(found: Iterable[Found], kinds: Mapping[Key, Kind], frame: Framing) -> Iterator[str]:
    """Write each row that was *found* as a line: what it has in common with others is written once."""
    frames: dict[tuple[int, int, bool], Frame] = {}
    date, begins = "", -A_DAY
    for series, said, at_ms, took in found:
        key = (series, said, took >= 0)
        if key not in frames:
            frames[key] = frame(kinds[series, said], took >= 0)
        before, between, after = frames[key]
        if not 0 <= at_ms - begins < A_DAY:
            begins = at_ms - at_ms % A_DAY
            date = f"{from_ms(begins):%Y-%m-%d}T"
        seconds, ms = divmod(at_ms - begins, 1000)
        minutes, seconds = divmod(seconds, 60)
        clock = f"{date}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{ms:03}Z"
        yield f"{before}{clock}{between}{took}{after}" if took >= 0 else f"{before}{clock}{after}"


def fact(one: Fact) -> str:
    """Write what there is of a service beside its rows, as a line of JSON."""
    line = Line(service=one.service)
    match one:
        case Named():
            line = Line(service=one.service, slug=one.slug, group=one.group, public=one.public, retired=one.retired)
        case Ended(asked=Asked(check=check, role=role), at=at):
            line = Line(service=one.service, check=check, role=_role(role), ended=iso(at))
        case Corrected(correction=Correction() as said):
            kept = Stretch(start=said.start, end=said.end, state=said.state, text=said.why, who=one.who)
            line = Line(service=one.service, correction=kept)
        case Maintained(window=Window() as window):
            line = Line(service=one.service, maintenance=Stretch(start=window.start, end=window.end, text=window.text))
    return _encoded(line)


def not_in_csv(facts: Iterable[Fact]) -> list[str]:
    """Say what a table of observations cannot carry: a sentence a kind."""
    words = {Ended: "ends of checks", Corrected: "corrections", Maintained: "maintenance"}
    counts = Counter(words[type(one)] for one in facts if type(one) in words)
    return [f"not in CSV, but in --format json: {what} ({count})" for what, count in counts.items()]


def iso(at: datetime) -> str:
    """Write a moment with its milliseconds.

    >>> iso(from_ms(1_500))
    '1970-01-01T00:00:01.500Z'
    """
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def _role(role: Role) -> str:
    return "" if role is Role.LIVENESS else role


def _encoded(line: Line) -> str:
    return msgspec.json.encode(line).decode() + "\n"
