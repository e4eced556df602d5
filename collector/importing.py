"""Read history that something else has kept, row by row, with the line of whatever is wrong."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches

from .model import UNMEASURED, CouldNot, Outcome, Reason

COLUMNS = ("service", "at", "state", "latency_ms", "reason")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One observation that somebody else made."""

    service: str
    at: datetime
    outcome: Outcome
    took: int
    reason: Reason | None


class ImportFailed(CouldNot):
    """The file cannot be imported; *errors* has a sentence for each line that is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def read_csv(lines: Iterable[str], name: str, now: datetime) -> list[Past]:
    """Read rows with the columns service, at, state, latency_ms and reason; the last two may be missing or empty.

    *lines* come from the file *name*. Moments are ISO-8601; one without a zone is UTC. Raises ImportFailed with all
    that is wrong, the first 20 lines of it: rows from after *now* are, too.
    """
    reader = csv.DictReader(lines)
    given = reader.fieldnames or []
    missing = [column for column in COLUMNS[:3] if column not in given]
    if missing:
        raise ImportFailed([f"{name}:1: expected the columns {', '.join(COLUMNS)}; {', '.join(missing)} missing"])
    found: list[Past] = []
    errors: list[str] = []
    for row in reader:
        try:
            found.append(_past(row, now))
        except ValueError as error:
            errors.append(f"{name}:{reader.line_num}: {error}")
            if len(errors) == MOST_ERRORS:
                errors.append("... and perhaps more")
                break
    if errors:
        raise ImportFailed(errors)
    return found


def _past(row: dict[str, str], now: datetime) -> Past:
    service = (row["service"] or "").strip()
    if not service:
        raise ValueError("service: expected a name, got nothing")
    outcome = STATES.get((row["state"] or "").strip().lower())
    if outcome is None:
        raise ValueError(f'state: expected one of up, degraded, down, unknown, got "{row["state"]}"')
    at = moment(row["at"] or "")
    if at > now:
        raise ValueError(f"at: {row['at']} has not happened yet")
    return Past(
        service=service,
        at=at,
        outcome=outcome,
        took=_latency(row.get("latency_ms") or ""),
        reason=_reason(row.get("reason") or "", outcome),
    )


def moment(text: str) -> datetime:
    """Read an ISO-8601 moment; one without a zone is UTC. Raises ValueError.

    >>> moment("2026-11-21T10:00:00+02:00").isoformat()
    '2026-11-21T08:00:00+00:00'
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f'at: expected a moment like 2026-11-21T10:00:00Z, got "{text}"') from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _latency(text: str) -> int:
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


def by_service(rows: Iterable[Past]) -> Iterator[tuple[str, list[Past]]]:
    """Group rows by service, in the order in which the services first appear; oldest first inside."""
    groups: dict[str, list[Past]] = {}
    for row in rows:
        groups.setdefault(row.service, []).append(row)
    for service, group in groups.items():
        yield service, sorted(group, key=lambda one: one.at)
