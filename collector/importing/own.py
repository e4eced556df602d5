"""Our own table of observations, in CSV: what a person writes, and what `uplog export` does."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from operator import itemgetter

from ..model import UNMEASURED, Outcome, Reason, Role
from .past import LONGEST, Asked, ImportFailed, Past, Row, moment

COLUMNS = ("service", "at", "state", "latency_ms", "reason")  # what people write; the others come from an export
MORE = ("code", "check", "role", "every_ms", "rule", "attempt", "restarted")
STATES = {
    "up": Outcome.PASS,
    "pass": Outcome.PASS,
    "degraded": Outcome.WARN,
    "warn": Outcome.WARN,
    "down": Outcome.FAIL,
    "fail": Outcome.FAIL,
    "unknown": Outcome.UNKNOWN,
}
UNSAID = {Outcome.FAIL: Reason.ANSWER, Outcome.WARN: Reason.REPORTED_DEGRADED, Outcome.UNKNOWN: Reason.NO_SAMPLE}
MOST_ERRORS = 20
RULE = re.compile(r"[1-9]\d{0,5}/[1-9]\d{0,5}/\d{1,11}/\d{1,11}")

_Said = tuple[Outcome, Reason | None, int | None, Asked, int, bool]


def read_csv(lines: Iterable[str], name: str, now: datetime) -> Iterator[Row]:
    """Read rows with the columns service, at, state, latency_ms and reason, and those that an export adds.

    Only the first three must be there. *lines* come from the file *name*. Moments are ISO-8601; one without a zone is
    UTC. Raises ImportFailed at the end with all that was wrong, the first 20 lines of it: rows from after *now* are, too.
    """
    reader = csv.reader(lines)
    faults = Faults(name)
    try:
        head = next(reader, [])
        missing = [column for column in COLUMNS[:3] if column not in head]
        if missing:
            raise ImportFailed([f"{name}:1: expected the columns {', '.join(COLUMNS)}; {', '.join(missing)} missing"])
        width = len(head)
        whole = itemgetter(*(head.index(column) if column in head else width for column in (*COLUMNS, *MORE)))
        for cells in reader:
            if not cells:
                continue
            try:
                # one more, which is empty: what a column that is not there holds
                yield _past(whole(cells[:width] + [""] * (width + 1 - min(width, len(cells)))), now)
            except ValueError as error:
                faults.add(reader.line_num, error)
    except csv.Error as error:
        faults.add(reader.line_num, error)
    faults.end()


class Faults:
    """The lines of one file that are wrong."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[str] = []

    def add(self, line: int, error: Exception) -> None:
        """Note what is wrong with *line*; raises ImportFailed when that is enough."""
        self.errors.append(f"{self.name}:{line}: {error}")
        if len(self.errors) == MOST_ERRORS:
            self.errors.append("... and perhaps more")
            self.end()

    def end(self) -> None:
        """Raise ImportFailed if anything was wrong."""
        if self.errors:
            raise ImportFailed(self.errors)


def _past(cells: Sequence[str], now: datetime) -> Past:
    service, at, state, latency, why, *more = cells
    outcome, reason, code, asked, attempt, restarted = said(state, why, tuple(more))
    return Past(
        service=named(service),
        at=happened(at, now),
        outcome=outcome,
        took=latency_of(latency),
        reason=reason,
        code=code,
        asked=asked,
        attempt=attempt,
        restarted=restarted,
    )


def named(text: str) -> str:
    service = text.strip()
    if not service:
        raise ValueError("service: expected a name, got nothing")
    return service


def happened(text: str, now: datetime) -> datetime:
    at = moment(text)
    if at > now:
        raise ValueError(f"at: {text} has not happened yet")
    return at


@cache  # rows differ in their moments and latencies; the rest of them comes in few kinds
def said(state: str, reason: str, more: Sequence[str]) -> _Said:
    outcome = STATES.get(state.strip().lower())
    if outcome is None:
        raise ValueError(f'state: expected one of up, degraded, down, unknown, got "{state}"')
    code, check, role, every, rule, attempt, restarted = more
    if not check.isprintable() or len(check) > LONGEST:
        raise ValueError("check: expected a name that can be shown")
    if role not in ("", *Role):
        raise ValueError(f'role: expected one of {", ".join(Role)}, got "{role}"')
    if rule and not RULE.fullmatch(rule):
        raise ValueError(f'rule: expected failures/passes/grace/interval like 3/1/0/60000, got "{rule}"')
    asked = Asked(check=check, role=Role(role or Role.LIVENESS), every=_whole("every_ms", every, 1), rule=rule or None)
    return (
        outcome,
        _reason(reason, outcome),
        _whole("code", code),
        asked,
        _whole("attempt", attempt, 1) or 1,
        bool(_whole("restarted", restarted)),
    )


def _whole(column: str, text: str, least: int = 0) -> int | None:
    if not text.strip():
        return None
    if not text.strip().isdecimal() or int(text) < least:
        raise ValueError(f'{column}: expected a whole number, got "{text}"')
    return int(text)


def latency_of(text: str) -> int:
    if text.isdecimal():
        return int(text)
    if not text.strip():
        return UNMEASURED
    try:
        took = round(float(text))
    except (ValueError, OverflowError):
        took = -1
    if took < 0:
        raise ValueError(f'latency_ms: expected a number of milliseconds, got "{text}"')
    return took


def _reason(text: str, outcome: Outcome) -> Reason | None:
    word = text.strip().lower()
    if not word or outcome is Outcome.PASS:
        return UNSAID.get(outcome)
    try:
        return Reason(word)
    except ValueError:
        near = get_close_matches(word, list(Reason), 1)
        hint = f"; did you mean {near[0]}?" if near else f"; leave it empty for {UNSAID[outcome]}"
        raise ValueError(f'reason: "{text}" is not one of uplog\'s reasons{hint}') from None
