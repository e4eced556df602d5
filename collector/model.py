"""The values that flow through uplog: frozen, comparable, and free of the world.

Moments are aware and UTC, durations are whole milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MS = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
UNMEASURED = -1  # ms: nobody measured how long it took


def to_ms(moment: datetime) -> int:
    """Count the milliseconds from 1970 to *moment*.

    >>> to_ms(datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC))
    1500
    """
    return (moment - EPOCH) // MS


def from_ms(ms: int) -> datetime:
    """Return the moment *ms* milliseconds after 1970.

    >>> from_ms(1500).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return EPOCH + ms * MS


def floor_second(moment: datetime) -> datetime:
    """Return the whole second that *moment* lies in."""
    return moment.replace(microsecond=0)


class State(StrEnum):
    """How a check or a service is."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What one observation said."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    UNKNOWN = "unknown"


class Role(StrEnum):
    """What a check speaks for, as Kubernetes has it; a plain check is liveness."""

    LIVENESS = "liveness"
    READINESS = "readiness"
    STARTUP = "startup"


class Reason(StrEnum):
    """The closed vocabulary of why something is not a plain pass."""

    # why nothing is known
    NO_SAMPLE = "no_sample"
    MONITOR_OFFLINE = "monitor_offline"
    MONITOR_ASLEEP = "monitor_asleep"
    DNS_RESOLVER = "dns_resolver"
    LOCAL_ERROR = "local_error"
    PAUSED = "paused"
    STARTING = "starting"
    FORBIDDEN = "forbidden"
    NO_ENDPOINT = "no_endpoint"
    # failures
    DNS = "dns"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    RESET = "reset"
    PROTOCOL = "protocol"
    TLS = "tls"
    CERTIFICATE = "certificate"
    STATUS = "status"
    HTTP_3XX = "http_3xx"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    BLOCKED = "blocked"
    REDIRECTS = "redirects"
    REDIRECT_OFFSITE = "redirect_offsite"
    BODY = "body"
    ANSWER = "answer"
    NOT_READY = "not_ready"
    TOO_LARGE = "too_large"
    UNIT_FAILED = "unit_failed"
    UNIT_INACTIVE = "unit_inactive"
    CONTAINER_UNHEALTHY = "container_unhealthy"
    CONTAINER_STOPPED = "container_stopped"
    INSTANCES_MISSING = "instances_missing"
    HEARTBEAT_MISSING = "heartbeat_missing"
    HEARTBEAT_FAILED = "heartbeat_failed"
    EXEC = "exec"
    # warnings
    SLOW = "slow"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    REPORTED_DEGRADED = "reported_degraded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What an answer must look like to pass."""

    status: tuple[tuple[int, int], ...] = ((200, 299),)
    body_contains: tuple[str, ...] = ()
    body_matches: tuple[str, ...] = ()  # patterns
    json: tuple[tuple[str, str | int | float | bool], ...] = ()  # path in a JSON body, what is wanted there
    headers: tuple[tuple[str, str], ...] = ()  # name in lower case, pattern
    latency_below: int | None = None  # ms
    certificate_days_above: int | None = None
    trust: str = "body"  # code: what a health body says is not taken into account
    degraded: "Expect | None" = None  # what it takes not to be degraded; its status is empty when that is not said
    follow: bool = True  # false: a redirect is itself the answer
    redirect_hosts: tuple[str, ...] = ()  # other hosts a redirect may lead to
    suspect: bool = False  # a 4xx that passes says only that something answers (discovered ports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question put to a service, again and again."""

    key: str
    service: str
    kind: str
    target: str
    name: str = ""
    role: Role = Role.LIVENESS
    every: int = 60_000  # the interval in force
    declared_every: int = 60_000
    timeout: int = 2_000
    failure_threshold: int = 3
    success_threshold: int = 1
    grace: int = 0
    delay: int = 0  # ms after first sight in which it is not asked
    degraded_above: int | None = None
    expect: Expect = field(default_factory=Expect)
    options: Mapping[str, Any] = field(
        default_factory=dict
    )  # what its kind wants to know: Settings of the probe's module
    instances: tuple[str, ...] = ()  # where one service runs several times: what each of them is asked, target first
    expected: int = 0  # how many instances there should be, where not all of them can be found
    headers: tuple[tuple[str, str], ...] = ()  # values may be env:NAME or file:PATH, never the secret itself
    trusted: bool = True  # written by hand: may go anywhere; what discovery brought may not
    allowed: tuple[str, ...] = ()  # networks to which it may go all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port as a source saw it."""

    port: int | None = None  # on the host; none when it is not published
    host_ip: str = ""
    container_port: int | None = None
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one source saw of one service; a target that is skipped says why."""

    source: str
    ref: str  # file:line, unit, process, object
    name: str  # as declared
    project: str = ""  # stack, namespace, scope
    layer: str = "declared"  # claimed, declared, running, healthy
    names: tuple[str, ...] = ()
    title: str | None = None  # the display name a person gave
    group: str | None = None
    description: str = ""
    order: int = 0
    public: bool | None = None  # none: as [defaults] says
    ports: tuple[Port, ...] = ()
    needs: tuple[str, ...] = ()
    instances: int = 1
    checks: tuple[Check, ...] = ()  # their keys are filled in by the catalog
    skipped: str | None = None  # why this is not watched
    note: str = ""  # why this check, of the several that were possible
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key a service first seen here is given."""
        return f"{self.source}/{self.project}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong that a declaration shows without asking anybody."""

    kind: str
    where: str
    text: str
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service, whatever the number of sources that saw it."""

    key: str
    slug: str
    name: str
    group: str = ""
    words: str = ""  # what a person wrote about it, for everyone
    description: str = ""  # what its declaration says, for the internal page
    source: str = "config"
    public: bool = False
    order: int = 0
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a probe learned, before anyone judges it."""

    code: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    phases: Mapping[str, int] = field(default_factory=dict)  # dns, connect, tls, wait, body in ms
    certificate: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)  # url, truncated, state, ...


class CouldNot(Exception):  # noqa: N818  says what could not be done
    """Something that a user asked for cannot be done; the text is for them, a sentence a line."""


class ProbeFailed(Exception):  # noqa: N818  the failure of a service, not an error of ours
    """The service did not give an answer that could be read; *reason* says which way."""

    def __init__(self, reason: Reason, text: str, *, no_route: bool = False) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text  # raw, private: may name hosts and addresses
        self.no_route = no_route  # the kernel says that this machine has no way out


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What asking once gave: a reading, or the reason there is none. Survives JSON."""

    check: Check
    at: datetime  # when the attempt began
    took: int
    reading: Reading | None = None
    reason: Reason | None = None
    text: str = ""
    no_route: bool = False
    received: bool = False  # something came back, whatever became of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of a service, as its own health body tells it."""

    name: str
    state: State
    latency: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """How many instances a service should have, has, and has ready."""

    expected: int
    running: int
    ready: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One expectation with the value that was seen."""

    text: str
    seen: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an answer means."""

    outcome: Outcome
    reason: Reason | None = None
    components: tuple[Component, ...] = ()
    instances: Instances | None = None
    text: str = ""  # raw and private, cut to 500 characters
    suspect: bool = False  # passed by status only
    expectations: tuple[Expectation, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)  # what it says of itself: service, version, uptime_s
    retry_after: int | None = None  # ms in which the service does not want to be asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One row of history: at this moment, this check said this."""

    check: str
    at: datetime
    outcome: Outcome
    took: int
    code: int | None = None
    reason: Reason | None = None
    attempt: int = 1  # 1 answers for its slot, 2 and 3 confirm a failure
    restarted: bool = False  # the service says that it came up since the answer before


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Observations in a row that share something: how many, since when, and why the first of them."""

    count: int = 0  # up to the larger threshold: more make no difference
    first: datetime | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a check stands between two observations."""

    state: State
    reason: Reason | None
    since: datetime
    last: datetime
    every: int  # the interval in force when last was taken
    took: int
    outcome: Outcome
    asked: datetime  # the newest answer for a slot; confirmations are none
    attempt: int = 1
    said: Reason | None = None  # of the newest observation
    grace_until: datetime | None = None
    not_before: datetime | None = (
        None  # it said itself when to ask again; a matter of planning, kept beside the record of it
    )
    fails: Run = field(default_factory=Run)
    not_passes: Run = field(default_factory=Run)
    passes: Run = field(default_factory=Run)
    not_fails: Run = field(default_factory=Run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """The moment a state changed. A state of none: from here on the check says nothing."""

    check: str
    at: datetime
    state: State | None
    reason: Reason | None = None
    made: datetime  # the observation that showed it; later than `at` when a threshold had to be reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch of whole seconds in one state; an end of none means still."""

    start: datetime
    end: datetime | None
    state: State
    reason: Reason | None = None
    maintenance: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of maintenance of one service."""

    start: datetime
    end: datetime | None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a person knows better about a stretch of the past."""

    start: datetime
    end: datetime
    state: State
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """What a job reported of itself."""

    at: datetime
    event: str  # start, success, fail
    exit_code: int | None = None
    took: int | None = None  # ms
    run: str | None = None  # tells runs apart that overlap


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A rule of the configuration that says when there is maintenance: once, or again and again."""

    text: str = ""  # for everyone
    services: tuple[str, ...] = ()  # names, slugs or keys; without these and groups it is for all
    groups: tuple[str, ...] = ()
    start: datetime | None = None  # once: aware, UTC
    end: datetime | None = None
    rrule: str | None = None  # again and again: RFC 5545, in local time of zone
    first: datetime | None = None  # naive, local time of zone: DTSTART of the rule
    duration: int = 0  # ms, of each recurrence
    zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """How restless a service was in the last hour."""

    flips: int
    failed: int  # observations that failed
    observations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """How often a service was asked of late, as measured: nobody's promise."""

    usual: int  # ms between two rounds: half of them were at most this long
    longest: int  # ms without any
    hours: int  # that were looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """An outage, told as a story."""

    id: str
    service: str  # the slug
    start: datetime
    end: datetime | None
    seconds: int  # down, outside maintenance
    reason: Reason | None


class LatencyDay(NamedTuple):
    """How fast the passes and warnings of one day were; a tuple, as each service has ninety."""

    day: str
    observations: int
    p50: int
    p95: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHistory:
    """A check and where it stands at the moment a history was read for."""

    check: Check
    state: State | None  # none: no longer living
    reason: Reason | None
    since: datetime | None
    last: datetime | None
    took: int | None
    text: str = ""  # private: the newest raw text


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """What became of a service beside its state: it appeared, was restarted, has another version."""

    at: datetime
    event: str  # of the view discoveries
    source: str = ""
    what: str = ""  # version, image, replicas, ...: what has changed
    detail: str = ""  # private: old and new value, or why


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHistory:
    """All that a page says of one service comes from here."""

    service: Service
    spans: Sequence[Span]  # oldest first, no two touch with equal state; gaps where no check lived
    checks: Sequence[CheckHistory] = ()
    windows: Sequence[Window] = ()
    latency: Sequence[LatencyDay] = ()  # oldest first, closed days
    recent: Sequence[tuple[datetime, int]] = ()  # passes and warnings of late, oldest first: moment, ms
    hourly: Sequence[tuple[datetime, int]] = ()  # medians of the last 24 full hours, where recent has fewer of them
    first_seen: datetime | None = None
    last_checked: datetime | None = None
    names: Sequence[tuple[str, str, str]] = ()  # private: source, ref, name of every sighting
    flapping: Flapping | None = None  # four or more flips in the hour before now
    corrections: Sequence[Correction] = ()  # oldest statement first
    cadence: Cadence | None = None  # none when it was not asked twice
    noted: Sequence[Noted] = ()  # the newest of three months, newest first
    needs: Sequence[str] = ()  # the keys of the services that it needs
    attempts: Sequence[Observation] = ()  # around the beginnings and ends of its newest outages, oldest first
    components: Sequence[Component] = ()  # as they were last told, by name; not those that nothing is known of


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the record says as of one moment: the input of every page."""

    now: datetime
    services: Sequence[ServiceHistory]
    newest: datetime | None  # the newest observation, not later than now
    shortest_every: int | None  # of the intervals in use
