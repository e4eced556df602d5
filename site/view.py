"""Decide every number and word that a page shows, for one audience, from a history alone.

Nothing is computed from time here: seconds, incidents, days and percentages come from collector/history.py.

What may change when only `now` moves is kept off the service pages, so that a build each minute rewrites few of
them: no ages, no last check, no length of an outage that goes on; recent answers are drawn by full hours.
Percentages are shown as status.json has them; floored to three places, they stand still while nothing goes wrong.

The public audience is an allow-list: of a service its slug, name, words, group, states, times and latencies, of a check
its kind, role and limits, of a window its text. All else is reached through `private`, which is none for it.
"""

from bisect import bisect_left
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from uplog.collector.causes import causes_in
from uplog.collector.history import current, days, incidents, months, periods
from uplog.collector.maintenance import Announced
from uplog.collector.model import (
    MS,
    SECOND,
    Cadence,
    Check,
    CheckHistory,
    Correction,
    History,
    Incident,
    Noted,
    Reason,
    ServiceHistory,
    State,
    Window,
    floor_second,
)

from . import past, timeline, words
from .about import about as about_of
from .audience import Audience
from .figures import by_month, cells, uptime
from .tongue import ENGLISH, Tongue, message
from .values import (
    CELLS,
    MONTHS,
    STALE_AFTER,
    WORST,
    Amended,
    Calendar,
    Change,
    CheckView,
    Group,
    Headline,
    Outage,
    Page,
    ServiceView,
    Told,
    Words,
    Work,
    ending,
)

if TYPE_CHECKING:
    from .inside.values import Inside

__all__ = ["Page", "page"]

RECENT = 10  # outages on the index
MANY = 100  # services are more than anybody scrolls through: groups that are all well are folded then
REST = message("Services")  # the heading of those in no group
TOLD = 10  # services in "what is wrong now"; more are counted


def page(
    history: History,
    *,
    zone: tzinfo,
    audience: Audience,
    tongue: Tongue = ENGLISH,
    title: str = "Status",
    public_url: str | None = None,
    query_url: str | None = None,
    announced: Sequence[Announced] = (),
    said: Sequence[Words] = (),
    problems: Sequence[str] = (),
    keep: int | None = None,
    order: Sequence[str] = (),
    viewed: Sequence[ServiceView] | None = None,
    inside: "Inside | None" = None,
) -> Page:
    """Make the page of *history* for *audience* in the language *tongue*; days and clocks are those of *zone*.

    *query_url* is the address of the database in Datasette, *public_url* that of the site; both are only linked to.
    *announced* is maintenance that is to come; of what began already the record tells.
    *said* is what the operator wrote of incidents, and *problems* what is wrong with that.
    *keep* is for how many ms single answers are kept. *order* names groups that come first.
    *viewed* is what `views` made of the same history, when there are pages for more than one audience.
    *inside* is what only the operator sees; the public audience is not given it.
    """
    now = floor_second(history.now)
    calendar = calendar_of(now, zone, tongue)
    every = views(history, zone, tongue) if viewed is None else viewed
    shown = every if audience == "internal" else [published(one) for one in every if one.public]
    because = explained(shown, history, calendar)
    slugs = {entry.service.key: entry.service.slug for entry in history.services}
    planned = [
        (Window(start=one.start, end=one.end, text=one.text), {slugs[key] for key in one.services if key in slugs})
        for one in announced
        if one.start > now
    ]
    works = maintenance(shown, planned, calendar)
    told = timeline.told(
        said, [entry.service for entry in history.services], shown, calendar, everything=audience == "internal"
    )
    happened = tuple(one for one in told if not one.words.announcement)
    about = timeline.by_outage(happened)
    groups = grouped(
        tongue,
        (
            replace(
                one,
                because=because.get(one.slug, ""),
                works=coming(one, works),
                incidents=timeline.of_service(tongue, one, happened, about),
            )
            for one in shown
        ),
        order,
    )
    services = tuple(service for group in groups for service in group.services)
    slugs_shown = {one.slug for one in services}
    newest = floor_second(history.newest) if history.newest else None
    stale_after = stale_from(history)
    stale = stale_after is not None and now > stale_after
    entries = timeline.entries(tongue, services, happened, about)
    name_of_zone = getattr(zone, "key", None) or str(zone)
    wrong = wrong_of([one for one in services if one.counted], stale)
    return Page(
        audience=audience,
        title=title,
        public_url=public_url,
        query_url=query_url,
        calendar=calendar,
        zone=name_of_zone,
        headline=admitted(tongue, headline(tongue, services, stale, calendar.moment(newest)), happened),
        groups=groups,
        services=services,
        wrong=tuple(wrong[:TOLD]),
        more_wrong=len(wrong[TOLD:]),
        told=happened,
        open=tuple(one for one in happened if one.end is None),
        problems=tuple(problems) if audience == "internal" else (),
        announcements=tuple(one for one in told if one.words.announcement and one.end is None),
        recent=tuple(timeline.since(entries, calendar.days[0][1], calendar.now + SECOND))[:RECENT],
        incidents=timeline.cases(services, happened, about),
        months=past.months(entries, services, calendar),
        about=about_of(
            tongue, [entry for entry in history.services if entry.service.slug in slugs_shown], name_of_zone, keep
        ),
        newest=newest,
        stale_after=stale_after,
        stale=stale,
        works=works,
        asked=asked(tongue, [one.cadence for one in services if one.cadence]),
        inside=inside if audience == "internal" else None,
    )


@lru_cache(maxsize=4)  # the pages of one build are all as of the same moment
def calendar_of(now: datetime, zone: tzinfo, tongue: Tongue = ENGLISH) -> Calendar:
    """Return the days and periods that a page at *now* speaks of, in the language *tongue*."""
    shown = months(now, zone, MONTHS)
    return Calendar(
        now=now,
        zone=zone,
        days=tuple(days(now, zone, CELLS)),
        periods=periods(now, zone),
        months=tuple(shown),
        year=tuple(day for day in days(now, zone, 31 * MONTHS) if day[0][:7] >= shown[0][0]),
        tongue=tongue,
    )


def views(history: History, zone: tzinfo, tongue: Tongue = ENGLISH) -> list[ServiceView]:
    """View every service of *history* as the internal audience may see it."""
    calendar = calendar_of(floor_second(history.now), zone, tongue)
    return [view(entry, calendar) for entry in history.services]


def published(seen: ServiceView) -> ServiceView:
    """Leave out of a view all that is not for the public."""
    return replace(
        seen,
        private=None,
        checks=tuple(replace(one, private=None) for one in seen.checks),
        amended=tuple(replace(one, correction=replace(one.correction, why="")) for one in seen.amended),
        changes=tuple(replace(one, noted=replace(one.noted, detail="")) for one in seen.changes if one.public),
        attempts={
            outage: tuple(replace(one, private=None) for one in found) for outage, found in seen.attempts.items()
        },
    )


def explained(shown: Iterable[ServiceView], history: History, calendar: Calendar) -> dict[str, str]:
    """Say by slug of the services that fail what that probably comes from, as far as it is among those *shown*."""
    slugs = {one.slug for one in shown}
    entries = [entry for entry in history.services if entry.service.slug in slugs]
    causes = causes_in(replace(history, services=entries))
    return {
        entry.service.slug: words.because(calendar.tongue, causes[entry.service.key], calendar.moment)
        for entry in entries
        if entry.service.key in causes
    }


def stale_from(history: History) -> datetime | None:
    """Return the moment after which the page is out of date: three of the shortest intervals without news."""
    if history.newest is None or history.shortest_every is None:
        return None
    return floor_second(history.newest + STALE_AFTER * history.shortest_every * MS)


# The headline, and what stands under it


def overall(services: Iterable[ServiceView], stale: bool = False) -> str:
    """Say how *services* are together: the worst of those that count, and nothing is up when nothing is known.

    Maintenance hides the state under it. On a stale page nothing can be called up or in maintenance.
    """
    looks = {service.look for service in services if service.counted}
    if not looks:
        return "unknown"
    if stale:
        looks.add("unknown")
    return next(look for look in WORST if look in looks)


def headline(tongue: Tongue, services: Sequence[ServiceView], stale: bool, newest: str) -> Headline:
    """Say in one sentence how everything is, and in one more what else is to be said."""
    look = overall(services, stale)
    counted = [service for service in services if service.counted]
    alike = [service for service in counted if service.look == look]
    if not counted:
        return Headline(
            look=look,
            text=tongue.gettext("There is nothing to show yet"),
            detail=tongue.gettext("No service is checked here."),
        )
    if stale and look == "unknown":
        return Headline(
            look=look,
            text=tongue.gettext("Nothing is known now"),
            detail=tongue.gettext("The last check was on %(when)s.", when=newest),
        )
    named = len(alike) <= words.FEW  # else the sentence has counted them
    others = [
        tongue.ngettext(*more, count)
        for other, more in words.MORE.items()
        if other != look and (named or other != "up") and (count := sum(service.look == other for service in counted))
    ]
    return Headline(
        look=look,
        text=words.headline(tongue, look, [one.name for one in alike], len(counted)),
        detail=words.sentences(tongue, *shared(tongue, look, alike), *others),
    )


def shared(tongue: Tongue, look: str, alike: Sequence[ServiceView]) -> tuple[str, ...]:
    """Say why services that are *alike* are so, where that is the same for all of them, and since when the first is."""
    if look == "up":
        return ()
    if look == "maintenance":
        return common(one.planned for one in alike)
    why = common(one.why for one in alike)
    dated = [(began, one) for one in alike if (began := one.began)]
    if not dated:
        return why
    _, first = min(dated, key=itemgetter(0))
    since = first.since_text
    if not common(one.since_text for one in alike):
        since = tongue.gettext("the first %(since)s", since=since)
    return (tongue.clauses(*why, since, first.lasting),)


def common(texts: Iterable[str]) -> tuple[str, ...]:
    """Return what all *texts* say; nothing where they differ.

    >>> common(["slow", "slow"]), common(["slow", "lost"]), common([""])
    (('slow',), (), ('',))
    """
    found = set(texts)
    return tuple(found) if len(found) == 1 else ()


def wrong_of(counted: Sequence[ServiceView], stale: bool) -> list[ServiceView]:
    """Return those of the *counted* services that are not well, the worst first.

    Where nothing is known of any, for one reason and since one moment, the headline has said so once for all of them;
    of a *stale* page it says when the last check was, and no other reason.
    """
    found = [one for one in counted if one.look not in ("up", "maintenance")]
    alike = {(one.look, one.why, one.since_text) for one in counted}
    once = len(counted) > words.FEW and len(alike) == 1 and overall(counted) == "unknown"
    if once and (not stale or counted[0].reason is Reason.NO_SAMPLE):
        return []
    return sorted(found, key=lambda one: WORST.index(one.look))


def admitted(tongue: Tongue, measured: Headline, told: Iterable[Told]) -> Headline:
    """Let an incident that the operator tells of, and that is not over, forbid that all is well."""
    open_ = next((one for one in told if one.end is None), None)
    if open_ is None or measured.look not in ("up", "maintenance"):
        return measured
    detail = words.sentences(tongue, tongue.clauses(open_.who, open_.when), measured.text)
    return Headline(look=open_.look, text=tongue.isolated(open_.words.title), detail=detail)


def grouped(tongue: Tongue, shown: Iterable[ServiceView], order: Sequence[str] = ()) -> tuple[Group, ...]:
    """Put services into the operator's order: by order, then name; a group stands where *order* says, or its first one."""
    ordered = sorted(shown, key=lambda one: (one.order, one.name.casefold(), one.slug))
    places = {name: place for place, name in enumerate(order)}
    rest = tongue.gettext(REST)
    first: dict[str, tuple[int, int, str]] = {}
    for one in ordered:
        first.setdefault(one.group, (places.get(one.group or rest, len(places)), one.order, one.group.casefold()))
    ordered.sort(key=lambda one: (first[one.group], one.group))
    many = len(ordered) > MANY and len(first) > 1
    return tuple(
        group(tongue, name, tuple(members), many) for name, members in groupby(ordered, key=lambda one: one.group)
    )


def group(tongue: Tongue, name: str, services: tuple[ServiceView, ...], many: bool) -> Group:
    """Put *services* under one name, with how many of those that count are up; folded when it is one of *many* and well."""
    counted = [service for service in services if service.counted]
    well = sum(service.look == "up" for service in counted)
    return Group(
        name=name or tongue.gettext(REST),
        look=overall(services),
        summary=tongue.ngettext("%(count)s of %(total)s up", "%(count)s of %(total)s up", well, total=len(counted))
        if counted
        else tongue.gettext("nothing to ask"),
        folded=many and overall(services) == "up",
        services=services,
    )


def asked(tongue: Tongue, cadences: Sequence[Cadence]) -> str:
    """Say how often is asked, of one service or of many; empty where it was not measured."""
    if not cadences:
        return ""
    longest = max(one.longest for one in cadences)
    return words.asked(tongue, [one.usual for one in cadences], longest, max(one.hours for one in cadences))


# Maintenance


def maintenance(
    shown: Sequence[ServiceView], planned: Iterable[tuple[Window, Container[str]]], calendar: Calendar
) -> tuple[Work, ...]:
    """Return the maintenance that goes on, and that is *planned* for services by slug, earliest first.

    Services that are not *shown* are not told of.
    """
    running = {window for service in shown for window in service.windows}
    told = [
        *((window, [one for one in shown if window in one.windows]) for window in running),
        *((window, [one for one in shown if one.slug in slugs]) for window, slugs in planned),
    ]
    works = [work(window, services, len(shown), calendar) for window, services in told if services]
    return tuple(sorted(works, key=lambda one: (one.window.start, one.services)))


def work(window: Window, services: Sequence[ServiceView], total: int, calendar: Calendar) -> Work:
    """Tell of one window of maintenance, of some of *total* services."""
    return Work(
        services=tuple(one.slug for one in services),
        who=words.who(calendar.tongue, [one.name for one in services], total),
        window=window,
        running=window.start <= calendar.now,
        when=words.stretch(calendar.tongue, window.start, window.end, calendar.zone, calendar.now),
    )


def coming(service: ServiceView, works: Iterable[Work]) -> tuple[Work, ...]:
    """Return the maintenance of *service* that is to come."""
    return tuple(one for one in works if not one.running and service.slug in one.services)


# One service


def view(entry: ServiceHistory, calendar: Calendar) -> ServiceView:
    """View one service as the internal audience may see it."""
    service, now, tongue = entry.service, calendar.now, calendar.tongue
    standing = current(entry.spans, now)
    counted = standing is not None or bool(service.checks)
    if standing:
        state, reason, since = standing
    else:
        state, reason, since = State.UNKNOWN, Reason.NO_SAMPLE if counted else Reason.NO_ENDPOINT, None
    windows = tuple(one for one in entry.windows if one.start <= now and (one.end is None or one.end > now))
    look = "maintenance" if windows else state.value
    told = incidents(entry.spans, service.slug, now)
    # an outage goes on through a time of which nothing is known; then it began before its last stretch
    began = told[-1].start if told and told[-1].end is None and state is State.DOWN else since
    asks = {one.check.key: one.check for one in entry.checks}
    end = ending(windows)
    until = tongue.gettext("until %(when)s", when=calendar.moment(end)) if end else ""
    texts = tongue.details(*dict.fromkeys(tongue.isolated(one.text.rstrip(".。")) for one in windows))
    return ServiceView(
        slug=service.slug,
        name=service.name,
        words=service.words,
        public=service.public,
        order=service.order,
        group=service.group,
        state=state,
        reason=reason,
        since=since,
        look=look,
        counted=counted,
        why=words.why(tongue, reason, asker(entry, reason)),
        because="",
        began=began,
        since_text=calendar.since(began),
        lasting=tongue.gettext("for %(length)s", length=words.duration(tongue, (now - began) // SECOND))
        if began
        else "",
        windows=windows,
        until=until,
        planned=tongue.clauses(texts, until),
        uptime=uptime(entry.spans, told, calendar),
        days=cells(entry.spans, told, calendar),
        outages=tuple(outage(one, service.name, calendar) for one in reversed(told)),
        checks=tuple(check_view(one, calendar) for one in entry.checks if lives(one)),
        latency=tuple(entry.latency),
        recent=whole_hours(entry.recent, calendar.hour),
        hourly=tuple(entry.hourly) or whole_hours(entry.recent, calendar.hour),
        latency_now=words.milliseconds(tongue, entry.recent[-1][1]) if entry.recent and state in GOOD else "",
        months=by_month(entry.spans, told, calendar),
        works=(),
        worked=past.worked(entry, calendar),
        spent=past.spent(entry.spans, calendar),
        parts=words.parts(tongue, [one.state for one in entry.components]),
        amended=tuple(amended(one, calendar) for one in reversed(entry.corrections)),
        flapping=entry.flapping,
        restless=words.flaps(tongue, entry.flapping) if entry.flapping else "",
        cadence=entry.cadence,
        changes=tuple(change(one, calendar) for one in entry.noted),
        asked=asked(tongue, [entry.cadence] if entry.cadence else []),
        attempts={one.id: timeline.attempts(entry.attempts, one, asks, calendar) for one in told}
        if entry.attempts
        else {},
        incidents=(),
        private=entry,
    )


GOOD = (State.UP, State.DEGRADED)


def whole_hours(recent: Sequence[tuple[datetime, int]], hour: datetime) -> tuple[tuple[datetime, int], ...]:
    """Leave out what came after the full *hour*: a part of one would be drawn anew by each build."""
    return tuple(recent[: bisect_left(recent, hour, key=itemgetter(0))])


def asker(entry: ServiceHistory, reason: Reason | None) -> Check | None:
    """Return the check that stands where its service does and says why."""
    return next((one.check for one in entry.checks if one.reason is reason and one.state), None)


def lives(one: CheckHistory) -> bool:
    """Whether a check is still asked; one that was never asked yet is about to be."""
    return one.state is not None or one.last is None


def check_view(one: CheckHistory, calendar: Calendar) -> CheckView:
    """View one check: what kind of question, and where it stands."""
    return CheckView(
        kind=one.check.kind,
        role=one.check.role.value,
        look=(one.state or State.UNKNOWN).value,
        since=calendar.since(one.since) or calendar.tongue.gettext("not asked yet"),
        why=words.why(calendar.tongue, one.reason, one.check),
        private=one,
    )


def amended(correction: Correction, calendar: Calendar) -> Amended:
    """Tell of one correction."""
    return Amended(
        correction=correction,
        when=words.stretch(calendar.tongue, correction.start, correction.end, calendar.zone, calendar.now),
    )


def change(noted: Noted, calendar: Calendar) -> Change:
    """Tell what became of a service."""
    return Change(
        noted=noted,
        when=calendar.moment(noted.at),
        text=words.event(calendar.tongue, noted.event, noted.what),
        public=noted.event == "restarted" or (noted.event, noted.what) == ("changed", "version"),
    )


def outage(incident: Incident, name: str, calendar: Calendar) -> Outage:
    """Tell one incident of the service called *name*."""
    return Outage(
        incident=incident,
        name=name,
        when=words.stretch(calendar.tongue, incident.start, incident.end, calendar.zone, calendar.now),
        lasted=words.duration(calendar.tongue, (incident.end - incident.start) // SECOND) if incident.end else "",
        why=words.why(calendar.tongue, incident.reason),
    )
