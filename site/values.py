"""The values that a page is made of: every number and word of it, frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from uplog.collector.history import Account
from uplog.collector.model import (
    Cadence,
    CheckHistory,
    Correction,
    Flapping,
    Incident,
    LatencyDay,
    Noted,
    Observation,
    Reason,
    ServiceHistory,
    State,
    Window,
)

from . import words
from .audience import Audience
from .tongue import ENGLISH, Tongue

if TYPE_CHECKING:  # what a site for the public alone has no need of
    from .inside.values import Inside

CELLS = 90  # days that a bar shows
STALE_AFTER = 3  # of the shortest intervals without an answer make a page stale
MONTHS = 12  # calendar months that a table shows
WORST = ("down", "degraded", "unknown", "maintenance", "up")  # what decides a look of many, first come first
SEVERITIES = ("minor", "major", "critical")  # of what an operator tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What the operator said at one moment."""

    at: datetime | None  # none: at no moment in particular
    title: str
    html: Markup
    text: str  # the same as it was written


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the operator wrote about one incident, or announces."""

    file: str
    line: int  # where the services stand
    name: str  # of its page
    title: str
    services: tuple[str, ...]  # as the operator calls them
    started: datetime | None
    resolved: datetime | None
    severity: str
    announcement: bool
    updates: tuple[Update, ...]  # newest first


class Figure(NamedTuple):
    """One window of one service, accounted: what status.json has under U. A tuple, as there are so many."""

    account: Account
    incidents: int
    uptime: str | None  # percent; none when less than half was observed
    with_maintenance: str | None
    observed: str | None
    empty: bool  # nothing was watched
    steps: tuple[int, int, int, int]  # share of down, degraded, maintenance, unknown: 0 none, 4 half and more


class Day(NamedTuple):
    """One cell of a bar; a tuple, as each service has ninety."""

    day: str
    title: str  # "1 Nov"
    figure: Figure
    text: str  # what went wrong, empty when nothing did
    outages: tuple[str, ...]  # the ids of those that touch it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An incident with the words it is told in."""

    incident: Incident
    name: str  # of the service
    when: str
    lasted: str  # empty while it goes on
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the operator tells, as one audience may see it: until now, and with the outages that it is about."""

    words: Words
    services: tuple[tuple[str, str], ...]  # slug and name
    severity: str  # in words; empty without one
    who: str
    end: datetime | None  # none while it goes on
    look: str
    when: str
    lasted: str
    updates: tuple[tuple[Update, str], ...]  # with their moments as they are shown, newest first
    outages: tuple[Outage, ...]  # newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line in a list of incidents: an outage that was measured, or what the operator tells of some."""

    page: str  # the name of its page
    start: datetime
    end: datetime | None
    title: str
    when: str
    lasted: str  # empty while it goes on
    about: str
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened in an incident: measured, or said by the operator."""

    at: datetime | None
    when: str
    look: str  # of what was measured; empty for what was said
    title: str
    html: Markup | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One answer around the beginning or the end of an outage."""

    at: datetime
    when: str
    look: str
    kind: str
    text: str
    took: str
    private: Observation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the page of one incident is made of, which few builds have to make."""

    name: str
    services: tuple[tuple[str, str], ...]  # slug and name
    outage: Outage | None  # none where the operator tells of it and nothing was measured
    attempts: tuple[Attempt, ...]  # oldest first
    said: tuple[Told, ...]  # what the operator tells of it


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentView:
    """The page of one incident, measured or told."""

    name: str
    title: str
    look: str
    state: str
    detail: str
    facts: tuple[tuple[str, str], ...]  # start, end, how long, why: title and value
    services: tuple[tuple[str, str], ...]  # slug and name
    steps: tuple[Step, ...]  # newest first
    attempts: tuple[Attempt, ...]  # oldest first
    beside: tuple[Entry, ...]  # what else is to be read of the same


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOf:
    """One calendar day of the whole page: what was worst in it."""

    day: str  # "2026-11-01"
    number: int
    weekday: int  # 1 is Monday
    look: str  # empty when nothing was watched
    link: str  # to its incident, or the first of several in the list of the month; empty without any
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthOf:
    """One calendar month of the whole page."""

    month: str  # "2026-11"
    title: str  # "Nov 2026"
    entries: tuple[Entry, ...]  # newest first
    days: tuple[DayOf, ...]  # oldest first, none that is to come
    anchors: frozenset[str]  # pages of the entries that days lead to


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How some services are asked and judged, in words."""

    who: str
    often: str
    waits: str
    down: str
    up: str
    slow: str  # empty where no answer is too slow


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What about.html says of the configuration that is in force."""

    rules: tuple[Rule, ...]  # that of most services first
    confirmed: str  # how soon after a failure is asked again
    silence: str  # so many intervals without an answer make a state not known
    stale: int  # of the shortest intervals
    grace: bool  # a service has a time in which failures do not count
    zone: str
    keep: str  # how long single answers are kept; empty where that is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One calendar month of one service."""

    month: str  # "2026-11"
    title: str  # "Nov 2026"
    figure: Figure
    outages: str  # how many, in words; empty without any


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Maintenance of all services it is for that the audience may see."""

    services: tuple[str, ...]  # slugs
    who: str  # their names, or that it is all of them
    window: Window
    running: bool
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Amended:
    """A stretch of the past that a person has corrected."""

    correction: Correction  # with the words of who made it for the internal audience only
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of a service beside its state."""

    noted: Noted
    when: str
    text: str
    public: bool  # a restart or a new version; how it was found and what it consists of is nobody else's business


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """Where one check stands."""

    kind: str
    role: str
    look: str
    since: str
    why: str
    private: CheckHistory | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """All that is shown of one service."""

    slug: str
    name: str
    words: str  # what a person wrote about it
    public: bool
    order: int
    group: str
    state: State
    reason: Reason | None
    since: datetime | None
    look: str  # the state, or maintenance over it
    counted: bool  # in the headline; what nothing can be asked of is not
    why: str
    because: str  # what that probably comes from; empty when nothing that it needs fails
    began: datetime | None  # since when it is as it is; an outage goes on through a time of which nothing is known
    since_text: str
    lasting: str  # for how long until now: for the index only
    windows: tuple[Window, ...]  # the maintenance it is in now
    until: str
    planned: str  # what that maintenance is for, and until when
    uptime: dict[str, Figure]  # by period
    days: tuple[Day, ...]  # oldest first, none before first sight
    outages: tuple[Outage, ...]  # newest first
    checks: tuple[CheckView, ...]
    latency: tuple[LatencyDay, ...]
    recent: tuple[tuple[datetime, int], ...]  # of full hours
    hourly: tuple[tuple[datetime, int], ...]  # the same, or medians of the last 24 hours where recent has fewer of them
    latency_now: str
    months: tuple[Month, ...]  # oldest first, none before first sight
    works: tuple[Work, ...]  # maintenance that is to come
    worked: tuple[Work, ...]  # maintenance that is over, of the days of a bar, newest first
    spent: tuple[tuple[str, int, int], ...]  # in which looks: from which to which day of the calendar's year
    parts: str  # how many of its own parts it says are well; empty when it tells of none
    amended: tuple[Amended, ...]  # newest first
    flapping: Flapping | None
    restless: str  # flapping in words
    cadence: Cadence | None
    changes: tuple[Change, ...]  # newest first
    asked: str  # the cadence in words
    attempts: Mapping[str, tuple[Attempt, ...]]  # by outage
    incidents: tuple[Entry, ...]  # newest first: its outages, and what the operator tells besides
    private: ServiceHistory | None

    @property
    def maintenance_until(self) -> datetime | None:
        """The end of the maintenance it is in, if one is planned."""
        return ending(self.windows)


def ending(windows: Sequence[Window]) -> datetime | None:
    """Return when the last of *windows* ends, if they all do."""
    ends = [window.end for window in windows if window.end]
    return max(ends) if len(ends) == len(windows) and ends else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Services that are shown together, in the operator's order."""

    name: str
    look: str
    summary: str
    folded: bool
    services: tuple[ServiceView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The one thing a visitor came for."""

    look: str  # up, degraded, down, unknown, maintenance
    text: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The windows that figures are made for, as of one moment, and the language in which they are told."""

    now: datetime
    zone: tzinfo
    days: tuple[tuple[str, datetime], ...]  # oldest first: label, first moment
    periods: dict[str, tuple[datetime, datetime]]
    months: tuple[tuple[str, datetime, datetime], ...]  # oldest first: label, first moment, end or now
    year: tuple[tuple[str, datetime], ...]  # the days of these months until today, oldest first: label, first moment
    tongue: Tongue = ENGLISH  # in which all of it is told

    @property
    def hour(self) -> datetime:
        """The last full hour."""
        return self.now.replace(minute=0, second=0)

    def moment(self, at: datetime | None) -> str:
        """Write *at* as a clock of the zone shows it; empty without one."""
        return words.moment(self.tongue, at, self.zone, self.now) if at else ""

    def second(self, at: datetime) -> str:
        """Write *at* with its seconds, of what may follow within a minute."""
        return f"{self.moment(at)}:{at:%S}"

    def since(self, at: datetime | None) -> str:
        """Say since when; empty without a moment."""
        return self.tongue.gettext("since %(when)s", when=self.moment(at)) if at else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Every number and word of a site, for one audience."""

    audience: Audience
    title: str
    public_url: str | None
    query_url: str | None
    calendar: Calendar
    zone: str
    headline: Headline
    groups: tuple[Group, ...]
    services: tuple[ServiceView, ...]
    wrong: tuple[ServiceView, ...]  # what is not well now and not in maintenance, worst first; see `view.wrong_of`
    more_wrong: int
    told: tuple[Told, ...]  # incidents as the operator tells them, newest first
    open: tuple[Told, ...]  # of these those that are not over
    problems: tuple[str, ...]  # why not all that the operator wrote could be read: for the internal audience only
    announcements: tuple[Told, ...]  # that are shown now
    recent: tuple[Entry, ...]  # newest first
    incidents: tuple[Case, ...]
    months: tuple[MonthOf, ...]  # newest first
    about: About
    newest: datetime | None
    stale_after: datetime | None
    stale: bool
    works: tuple[Work, ...]  # maintenance, earliest first: what goes on and what is to come
    asked: str  # how often, as measured
    inside: "Inside | None"  # for the internal audience only

    @property
    def tongue(self) -> Tongue:
        """The language that it is in."""
        return self.calendar.tongue

    @property
    def generated_at(self) -> datetime:
        """The moment this was built for."""
        return self.calendar.now
