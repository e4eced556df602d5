"""Our own lines of JSON, which hold all that makes a history."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from ..model import UNMEASURED, Correction, Role, State, Window
from .own import Faults, happened, latency_of, named, said
from .past import Asked, Corrected, Ended, Maintained, Named, Past, Row


class Stretch(msgspec.Struct, rename={"start": "from", "end": "to"}, omit_defaults=True, kw_only=True):
    """A correction or a maintenance window, as a line tells it."""

    start: datetime
    end: datetime | None
    state: State | None = None
    text: str = ""
    who: str = ""


class Line(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One line: an observation if it has `at`, else what its other keys say of a service."""

    service: str
    at: str | None = None
    state: str = ""
    latency_ms: int | None = None
    reason: str = ""
    code: int | None = None
    check: str = ""
    role: str = ""
    every_ms: int | None = None
    rule: str = ""
    attempt: int = 1
    restarted: bool = False
    ended: str | None = None
    correction: Stretch | None = None
    maintenance: Stretch | None = None
    slug: str | None = None
    group: str = ""
    public: bool = True
    retired: datetime | None = None


def read_lines(lines: Iterable[str], name: str, now: datetime) -> Iterator[Row]:
    """Read what `uplog export --format json` wrote: one object a line. Raises ImportFailed as read_csv does."""
    decode = msgspec.json.Decoder(Line).decode
    faults = Faults(name)
    for number, text in enumerate(lines, start=1):
        if text.strip():
            try:
                yield _row(decode(text), now)
            except (ValueError, msgspec.MsgspecError) as error:
                faults.add(number, error)
    faults.end()


def _row(line: Line, now: datetime) -> Row:
    service = named(line.service)
    if line.at is not None:
        every, code = ("" if one is None else str(one) for one in (line.every_ms, line.code))
        more = (code, line.check, line.role, every, line.rule, str(line.attempt), "1" if line.restarted else "")
        outcome, reason, status, asked, attempt, restarted = said(line.state, line.reason, more)
        took = UNMEASURED if line.latency_ms is None else latency_of(str(line.latency_ms))
        return Past(
            service=service,
            at=happened(line.at, now),
            outcome=outcome,
            took=took,
            reason=reason,
            code=status,
            asked=asked,
            attempt=attempt,
            restarted=restarted,
        )
    if line.ended is not None:
        asked = Asked(check=line.check, role=Role(line.role or Role.LIVENESS))
        return Ended(service=service, asked=asked, at=happened(line.ended, now))
    if line.correction is not None:
        return Corrected(service=service, correction=_correction(line.correction), who=line.correction.who)
    if line.maintenance is not None:
        kept = line.maintenance
        return Maintained(service=service, window=Window(start=kept.start, end=kept.end, text=kept.text))
    return Named(service=service, group=line.group, public=line.public, slug=line.slug, retired=line.retired)


def _correction(kept: Stretch) -> Correction:
    if kept.end is None or kept.state is None or kept.end <= kept.start:
        raise ValueError("correction: expected from, a later to, and a state")
    return Correction(start=kept.start, end=kept.end, state=kept.state, why=kept.text)
