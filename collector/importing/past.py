"""What history that something else has kept is made of: the values that every format is read into."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median_low

from ..model import Correction, CouldNot, Outcome, Reason, Role, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a service was asked: by which check of it, how often, and by which rule the answers were judged."""

    check: str = ""  # the end of the check's key; empty where the source knows only services
    role: Role = Role.LIVENESS
    every: int | None = None  # ms; none where the source does not say: that of the check which takes the rows
    rule: str | None = None  # as `rule` makes it; none: that of the check


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One observation that somebody else made."""

    service: str
    at: datetime
    outcome: Outcome
    took: int
    reason: Reason | None
    code: int | None = None
    asked: Asked = Asked()
    attempt: int = 1
    restarted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a source says of a service; it counts for one that nobody knows yet."""

    service: str
    group: str = ""
    public: bool = True
    slug: str | None = None
    retired: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """From here on a check said nothing, until its next row."""

    service: str
    asked: Asked
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What a person knew better about a service."""

    service: str
    correction: Correction
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintained:
    """A stretch of maintenance of a service."""

    service: str
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that is not brought along: why, a sentence that many rows share, and where the first of *rows* lies."""

    service: str
    why: str
    where: str
    rows: int = 1


LONGEST = 200  # signs of a name

Row = Past | Named | Ended | Corrected | Maintained | Skipped


class ImportFailed(CouldNot):
    """The file cannot be imported; *errors* has a sentence for each line that is wrong."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def plain(name: str) -> str:
    """Return *name* as one line that can be shown anywhere: it comes from somebody else's database.

    >>> plain("My \\x1b[31m shop\\n")
    'My [31m shop'
    """
    shown = "".join(sign if sign.isprintable() else " " for sign in name)
    return " ".join(shown.split())[:LONGEST] or "unnamed"


def rule(failures: int, every: int, successes: int = 1, grace: int = 0) -> str:
    """Write a rule as the record has it: thresholds of failures and passes, grace and declared interval in ms.

    >>> rule(1, 60_000)
    '1/1/0/60000'
    """
    return f"{failures}/{successes}/{grace}/{every}"


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


def usual(moments: Iterable[int], otherwise: int) -> int:
    """Return how far *moments*, in ms and in order, usually lie apart; *otherwise* for fewer than two.

    For sources that do not say how often they ask: what they did is the only declaration there is.

    >>> usual([0, 60_000, 120_000, 900_000], 300_000)
    60000
    """
    gaps = [late - early for early, late in pairwise(moments) if late > early]
    return median_low(gaps) if gaps else otherwise


def failure(code: int | None, said: str) -> Reason:
    """Name a failure by the status and the words that another monitor kept of it; what tells nothing is `answer`.

    >>> failure(503, ""), failure(None, "connect ECONNREFUSED 10.0.0.7:80")
    (<Reason.HTTP_5XX: 'http_5xx'>, <Reason.REFUSED: 'refused'>)
    """
    if code is not None and 300 <= code < 600:
        return BY_STATUS[code // 100]
    words = said.lower()
    return next((reason for sign, reason in SIGNS.items() if sign in words), Reason.ANSWER)


BY_STATUS = {3: Reason.HTTP_3XX, 4: Reason.HTTP_4XX, 5: Reason.HTTP_5XX}
SIGNS = {  # what libraries of JavaScript and Go say, the more telling first
    "certificate": Reason.CERTIFICATE,
    "x509": Reason.CERTIFICATE,
    "timeout": Reason.TIMEOUT,
    "timed out": Reason.TIMEOUT,
    "deadline exceeded": Reason.TIMEOUT,
    "econnrefused": Reason.REFUSED,
    "connection refused": Reason.REFUSED,
    "econnreset": Reason.RESET,
    "connection reset": Reason.RESET,
    "enotfound": Reason.DNS,
    "eai_again": Reason.DNS,
    "no such host": Reason.DNS,
    "ehostunreach": Reason.UNREACHABLE,
    "enetunreach": Reason.UNREACHABLE,
    "no route to host": Reason.UNREACHABLE,
    "network is unreachable": Reason.UNREACHABLE,
}
