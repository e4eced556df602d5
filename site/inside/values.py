"""The values of the operator's pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from uplog.collector.surroundings import Ran, Size, Source

CONFLICT = "conflict"  # what is said of a port that several services want


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A service that another one needs, or that needs it."""

    name: str
    slug: str  # empty where it has no page
    look: str  # empty where it has none
    said: str  # where that is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one source saw a service, under which names."""

    source: str
    names: tuple[str, ...]
    ref: str
    layer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortLine:
    """One port of a service."""

    text: str  # "8080 → 80 tcp"
    status: str
    places: tuple[tuple[str, str], ...]  # layer and location


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component that a service tells of itself."""

    name: str
    look: str
    took: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a check was answered for a while, as it was said."""

    at: datetime
    when: str
    still: bool
    asked: str  # by which check
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that is wrong in what files and systems say."""

    where: str
    text: str
    name: str
    slug: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideService:
    """All that only the operator sees of one service, beside its private history."""

    visit: str  # addresses that a browser may open; empty without one
    health: str
    description: str
    repository: str
    repository_url: str
    category: str
    origins: tuple[Origin, ...]
    ports: tuple[PortLine, ...]
    needs: tuple[Neighbour, ...]
    needed_by: tuple[Neighbour, ...]
    instances: str
    instances_look: str
    addresses: tuple[str, ...]  # of those that are asked one by one
    parts: tuple[Part, ...]
    failures: tuple[Failure, ...]  # newest first
    restarted: datetime | None
    restart: str  # in words, with why where that is known
    findings: tuple[Found, ...]  # about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """How the services that are for one thing are."""

    name: str
    look: str
    healthy: int
    total: int
    wrong: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a port, or wants it."""

    name: str
    slug: str
    places: tuple[tuple[str, str], ...]  # layer and location


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRow:
    """One line of the plan of ports."""

    port: int
    protocol: str
    status: str
    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Those of one kind."""

    kind: str
    title: str
    drift: bool  # false: worth a look, and no drift
    those: tuple[Found, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run in words."""

    ran: Ran
    when: str
    well: bool
    late: str
    took: str
    asked: str  # "60 of 60"
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """How runs went."""

    newest: tuple[RunLine, ...]
    count: int  # in the last 24 hours, as all that follows
    failed: int
    spread: tuple[tuple[str, str, str, str], ...]  # what, then half of them, 95 of 100, and all took at most so long


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """How one source of discovery does."""

    source: Source
    when: str
    took: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How large the record is, and what it reaches back to."""

    size: Size
    amount: str
    free: str  # empty when that is next to nothing
    reaches: str  # empty without any answer
    keep: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """Everything that only the operator sees."""

    services: Mapping[str, InsideService]  # by slug
    categories: tuple[Category, ...]
    ports: tuple[PortRow, ...]
    findings: tuple[Findings, ...]
    runs: Runs
    sources: tuple[SourceLine, ...]
    kept: Kept
    versions: tuple[tuple[str, str], ...]

    @property
    def drift(self) -> int:
        """How many findings of drift there are."""
        return sum(len(one.those) for one in self.findings if one.drift)

    @property
    def conflicts(self) -> int:
        """How many ports several services want."""
        return sum(one.status == CONFLICT for one in self.ports)
