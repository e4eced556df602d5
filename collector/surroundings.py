"""What the record knows beside the history: where services were seen, what they need, how we do. Values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .joining import Known
from .model import Component, Finding, Instances, Port, Target
from .why import Sighting


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A port of a service, and where that is said."""

    port: Port
    layer: str
    location: str
    status: str  # in use, declared, conflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that a service says it needs."""

    name: str  # as the service calls it
    source: str
    ref: str
    service: str | None  # the key of what is meant; none where several may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A stretch in which a check was answered one thing that was not a pass."""

    check: str  # its key
    first: datetime | None  # none: longer ago than was looked at
    last: datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The last time that a service began anew."""

    at: datetime
    source: str
    detail: str  # what a manager counted, in JSON, or what the service says of itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known of one service beside its history."""

    sightings: Sequence[Sighting] = ()
    targets: Sequence[Target] = ()  # as sources told of it last; the first one's word counts
    ports: Sequence[Spot] = ()
    needs: Sequence[Need] = ()
    instances: Instances | None = None
    components: Sequence[Component] = ()
    failing: Sequence[Failing] = ()  # newest first
    restarted: Restart | None = None


NOTHING = Around()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """How a source of discovery did when it was last asked."""

    name: str
    ok: bool
    found: int
    skipped: int
    error: str
    at: datetime
    took: int  # ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One row of the view `runs`; times in ms."""

    at: datetime
    took: int | None  # none: it did not end by itself
    trigger: str
    planned: int
    observed: int
    late: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the record is."""

    bytes: int
    free: int  # of these, waiting to be used again or given back
    rows: Sequence[tuple[str, int]] = ()  # by view
    answers: int = 0  # as the runs that are kept counted them
    oldest: datetime | None = None  # answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """All of this as of one moment."""

    services: Mapping[str, Around] = field(default_factory=dict)  # by key
    targets: Sequence[Target] = ()  # everything that the configuration and its sources tell
    known: Known = field(default_factory=dict)
    sources: Sequence[Source] = ()
    findings: Sequence[Finding] = ()  # of sources; their services are keys
    runs: Sequence[Ran] = ()  # the newest, newest first
    day: Sequence[Ran] = ()  # those of the last 24 hours
    size: Size = Size(bytes=0, free=0)

    def of(self, key: str) -> Around:
        """Return what is known of one service."""
        return self.services.get(key, NOTHING)
