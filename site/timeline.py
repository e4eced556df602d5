"""Put what was measured and what the operator tells into one timeline: lists, pages of incidents, months. All pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from uplog.collector.decode import nearest
from uplog.collector.history import silence_known, touching
from uplog.collector.maintenance import called
from uplog.collector.model import SECOND, Check, Incident, Observation, Outcome, Service

from . import words
from .tongue import Tongue
from .values import Attempt, Calendar, Case, Entry, IncidentView, Outage, ServiceView, Step, Told, Words

FIRST = 6  # attempts that are shown of the beginning of an outage
LOOKS = {"": "degraded", "minor": "degraded", "major": "down", "critical": "down"}  # by severity, while it goes on
SHOWN_AS = {Outcome.PASS: "up", Outcome.WARN: "degraded", Outcome.FAIL: "down", Outcome.UNKNOWN: "unknown"}
NEVER = datetime.min.replace(tzinfo=UTC)

About = Mapping[str, Sequence[Told]]  # what is told of each measured outage, by its id


# Whose words


def concerned(one: Words, services: Iterable[Service]) -> list[Service]:
    """Return those of *services* that *one* names."""
    return [service for service in services if not called(service).isdisjoint(one.services)]


def unpublished(said: Iterable[Words], services: Sequence[Service]) -> Iterator[str]:
    """Yield a sentence for each name that keeps words off the public page: of nothing known, or of something private.

    Words that name several services tell of all of them, so nothing of them is shown to who may not see one.
    """
    known = sorted({name for service in services for name in called(service)})
    for one in said:
        for name in one.services:
            meant = [service for service in services if name in called(service)]
            if not meant:
                text = f'no service that is known is called "{name}"{nearest(name, known)}'
            elif not all(service.public for service in meant):
                text = f'"{name}" is not public, so the public page does not tell of this'
            else:
                continue
            yield f"{one.file}:{one.line}: services: {text}"


def told(
    said: Iterable[Words],
    services: Sequence[Service],
    shown: Iterable[ServiceView],
    calendar: Calendar,
    *,
    everything: bool,
) -> tuple[Told, ...]:
    """Return what the operator has *said* by now, newest first, with the outages of those *shown*.

    Unless the audience may read *everything*, each service that is named must be one of those shown.
    """
    views = {one.slug: one for one in shown}
    found = []
    for one in said:
        meant = concerned(one, services)
        known = {name for service in meant for name in called(service)}
        whole = known.issuperset(one.services) and all(service.slug in views for service in meant)
        if (everything or whole) and (one.started is None or one.started <= calendar.now):
            found.append(tell(one, [views[service.slug] for service in meant if service.slug in views], calendar))
    return tuple(sorted(found, key=lambda one: (one.words.started or NEVER, one.words.name), reverse=True))


def tell(one: Words, services: Sequence[ServiceView], calendar: Calendar) -> Told:
    """Tell what the operator wrote, as of now."""
    now, start = calendar.now, one.started
    end = one.resolved if one.resolved and one.resolved <= now else None
    outages = [
        settled(outage)
        for service in services
        for outage in service.outages
        if start and touching([outage.incident], start, end or now + SECOND)
    ]
    return Told(
        words=one,
        services=tuple((service.slug, service.name) for service in services),
        severity=calendar.tongue.gettext(words.SEVERITIES[one.severity]) if one.severity else "",
        who=words.who(calendar.tongue, [service.name for service in services], 0) if services else "",
        end=end,
        look="up" if end else "unknown" if one.announcement else LOOKS[one.severity],
        when=words.stretch(calendar.tongue, start, end, calendar.zone, now) if start else "",
        lasted=words.duration(calendar.tongue, (end - start) // SECOND) if start and end else "",
        updates=tuple(
            (update, calendar.moment(update.at)) for update in one.updates if update.at is None or update.at <= now
        ),
        outages=tuple(sorted(outages, key=lambda each: each.incident.start, reverse=True)),
    )


def by_outage(said: Iterable[Told]) -> About:
    """Return what is told of each measured outage."""
    found: dict[str, list[Told]] = defaultdict(list)
    for one in said:
        for outage in one.outages:
            found[outage.incident.id].append(one)
    return found


# Lists


def entry(tongue: Tongue, outage: Outage, about: About) -> Entry:
    """Put a measured outage into a line, with the titles of what is told of it."""
    one = outage.incident
    titles = [each.words.title for each in about.get(one.id, ())]
    return Entry(
        page=one.id,
        start=one.start,
        end=one.end,
        title=outage.name,
        when=outage.when,
        lasted=outage.lasted,
        about=tongue.details(outage.why, *map(tongue.isolated, titles)),
        told=False,
    )


def telling(tongue: Tongue, one: Told) -> Entry:
    """Put what the operator tells into a line."""
    assert one.words.started
    return Entry(
        page=one.words.name,
        start=one.words.started,
        end=one.end,
        title=one.words.title,
        when=one.when,
        lasted=one.lasted,
        about=tongue.clauses(one.who, one.severity),
        told=True,
    )


def entries(tongue: Tongue, services: Iterable[ServiceView], said: Iterable[Told], about: About) -> list[Entry]:
    """Put the incidents of all *services* into one list, newest first: an outage that is told of is in that line."""
    measured = (one for service in services for one in service.incidents if not one.told and one.page not in about)
    return sorted([*measured, *(telling(tongue, one) for one in said)], key=attrgetter("start", "page"), reverse=True)


def of_service(tongue: Tongue, service: ServiceView, said: Sequence[Told], about: About) -> tuple[Entry, ...]:
    """Put what was measured of one service, and what is told of it besides, into one list, newest first."""
    measured = {outage.incident.id for outage in service.outages}
    besides = [
        one
        for one in said
        if service.slug in (slug for slug, _ in one.services)
        and measured.isdisjoint(outage.incident.id for outage in one.outages)
    ]
    found = [entry(tongue, outage, about) for outage in service.outages] + [telling(tongue, one) for one in besides]
    return tuple(sorted(found, key=attrgetter("start", "page"), reverse=True))


def since(found: Iterable[Entry], start: datetime, end: datetime) -> Iterator[Entry]:
    """Yield those of *found* that a window has a part of."""
    return (one for one in found if one.start < end and (one.end is None or one.end > start))


# Pages


def cases(services: Iterable[ServiceView], said: Sequence[Told], about: About) -> tuple[Case, ...]:
    """Return every incident that has a page: each that was measured, and each that the operator tells."""
    return (
        *(
            Case(
                name=outage.incident.id,
                services=((service.slug, service.name),),
                outage=settled(outage),
                attempts=service.attempts.get(outage.incident.id, ()),
                said=tuple(about.get(outage.incident.id, ())),
            )
            for service in services
            for outage in service.outages
        ),
        *(Case(name=one.words.name, services=one.services, outage=None, attempts=(), said=(one,)) for one in said),
    )


def settled(outage: Outage) -> Outage:
    """Leave out how long an outage has been going on, which its page does not tell: that grows with each build."""
    return outage if outage.incident.end else replace(outage, incident=replace(outage.incident, seconds=0))


def incident(case: Case, calendar: Calendar) -> IncidentView:
    """Make the page of an incident; of *calendar* it sees the year, the zone and the language."""
    return measured(case, case.outage, calendar) if case.outage else written(case.said[0], calendar)


def measured(case: Case, outage: Outage, calendar: Calendar) -> IncidentView:
    """Make the page of one measured outage."""
    one, tongue = outage.incident, calendar.tongue
    facts = [
        *lasting(one.start, one.end, calendar),
        (tongue.gettext("Counted as down"), counted(one, calendar)),
    ]
    return IncidentView(
        name=one.id,
        title=tongue.gettext("Outage of %(name)s", name=tongue.isolated(outage.name)),
        look="up" if one.end else "down",
        state=tongue.gettext("Over after %(length)s", length=outage.lasted)
        if one.end
        else tongue.gettext("Down since %(when)s", when=calendar.moment(one.start)),
        detail=words.sentence(outage.why),
        facts=tuple((title, value) for title, value in facts if value),
        services=case.services,
        steps=ordered([*passed(outage, calendar), *(step for each in case.said for step in spoken(each))]),
        attempts=case.attempts,
        beside=tuple(telling(tongue, each) for each in case.said),
    )


def lasting(start: datetime | None, end: datetime | None, calendar: Calendar) -> list[tuple[str, str]]:
    """Say when an incident that is over began and ended: titles and values. The headline says all else."""
    if not end:
        return []
    tongue = calendar.tongue
    return [(tongue.gettext("Began"), calendar.moment(start)), (tongue.gettext("Ended"), calendar.moment(end))]


def counted(one: Incident, calendar: Calendar) -> str:
    """Say how much of an outage that is over was down time, where that is not all of it."""
    whole = one.end is None or (one.end - one.start) // SECOND == one.seconds
    return "" if whole else words.duration(calendar.tongue, one.seconds)


def written(one: Told, calendar: Calendar) -> IncidentView:
    """Make the page of what the operator tells."""
    own, tongue = one.words, calendar.tongue
    facts = [
        *lasting(own.started, one.end, calendar),
        (tongue.gettext("Severity"), words.sentence(one.severity)),
    ]
    resolved = tongue.gettext("Resolved")
    ended = [Step(at=one.end, when=calendar.moment(one.end), look="up", title=resolved, html=None)]
    lines = [step for outage in one.outages for step in passed(outage, calendar, outage.name)]
    return IncidentView(
        name=own.name,
        title=own.title,
        look=one.look,
        state=tongue.gettext("Resolved after %(length)s", length=one.lasted)
        if one.end
        else tongue.gettext("Ongoing since %(when)s", when=calendar.moment(own.started)),
        detail=one.who,
        facts=tuple((title, value) for title, value in facts if value),
        services=one.services,
        steps=ordered([*lines, *spoken(one), *(ended if one.end else ())]),
        attempts=(),
        beside=tuple(entry(tongue, outage, {}) for outage in one.outages),
    )


def passed(outage: Outage, calendar: Calendar, name: str = "") -> list[Step]:
    """Tell when an outage began and ended, with the *name* of the service where it is not said already."""
    one, tongue = outage.incident, calendar.tongue
    whose = tongue.isolated(name)
    began = words.sentence(tongue.about(whose, tongue.clauses(tongue.gettext("down"), outage.why)))
    steps = [Step(at=one.start, when=calendar.moment(one.start), look="down", title=began, html=None)]
    if one.end:
        over = words.sentence(tongue.about(whose, tongue.gettext("over after %(length)s", length=outage.lasted)))
        steps.append(Step(at=one.end, when=calendar.moment(one.end), look="up", title=over, html=None))
    return steps


def spoken(one: Told) -> list[Step]:
    """Tell what the operator said, and when."""
    return [
        Step(at=update.at, when=when, look="", title=update.title, html=update.html) for update, when in one.updates
    ]


def ordered(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Put *steps* in order, newest first; of one moment, what was said stands above what was measured."""
    return tuple(sorted(steps, key=lambda one: (one.at or NEVER, not one.look), reverse=True))


# Attempts


def attempts(
    seen: Sequence[Observation], outage: Incident, checks: Mapping[str, Check], calendar: Calendar
) -> tuple[Attempt, ...]:
    """Choose of the observations *seen*, oldest first, those that tell how an outage began and ended.

    The last one before it, the first in it that did not pass, and the one that ended it.
    """
    before = [one for one in seen if one.at < outage.start <= one.at + speaks(one, checks)]
    inside = [
        one
        for one in seen
        if one.at >= outage.start and (outage.end is None or one.at < outage.end) and one.outcome is not Outcome.PASS
    ]
    after = [one for one in seen if outage.end and outage.end <= one.at < outage.end + SECOND]
    chosen = [*before[-1:], *inside[:FIRST], *after[:1]]
    return tuple(attempt(one, checks.get(one.check), calendar) for one in chosen)


def speaks(one: Observation, checks: Mapping[str, Check]) -> timedelta:
    """Return how long an answer may speak for its check."""
    return silence_known(one.at, checks[one.check].every) - one.at if one.check in checks else timedelta()


def attempt(one: Observation, check: Check | None, calendar: Calendar) -> Attempt:
    """Tell of one answer."""
    tongue = calendar.tongue
    said = words.why(tongue, one.reason, check) or tongue.gettext("answered as expected")
    return Attempt(
        at=one.at,
        when=calendar.second(one.at),
        look=SHOWN_AS[one.outcome],
        kind=check.kind if check else "",
        text=tongue.clauses(said, tongue.gettext("asked again") if one.attempt > 1 else ""),
        took=words.milliseconds(tongue, one.took) if one.took >= 0 else "",
        private=one,
    )
