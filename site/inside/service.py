"""What only the operator sees of one service."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlunsplit

from uplog.collector.joining import split
from uplog.collector.model import Check, Instances, Role, Target
from uplog.collector.surroundings import Around, Failing, Need, Restart
from uplog.collector.why import Sighting

from .. import words
from ..tongue import ENGLISH, Tongue  # noqa: F401  ENGLISH is that of the examples
from ..values import Calendar, CheckView, ServiceView
from .ports import lines
from .values import Failure, Found, InsideService, Neighbour, Origin, Part

FAILURES = 5  # that are shown
OPENED = ("http", "https")  # what a browser may be sent to
KEPT = "/%:@!$&'()*+,;=~-._"  # in a path, as it stands
NEAREST = {"healthy": 0, "running": 1, "declared": 2, "claimed": 3}


class Neighbourhood(NamedTuple):
    """Who needs whom, and how everybody is."""

    seen: Mapping[str, ServiceView]  # by key
    needed_by: Mapping[str, Sequence[tuple[str, Need]]]  # by key: the key of who needs it, and where that is said


def inside_service(
    view: ServiceView,
    around: Around,
    beside: Neighbourhood,
    findings: Sequence[Found],
    calendar: Calendar,
    repository: Callable[[Target], str],
) -> InsideService:
    """Tell of one service, with the *findings* about it; *repository* names what the file of a target lies in."""
    key = view.private.service.key if view.private else ""
    health = next((url for one in private(view) if (url := opened(one.target))), "")
    place = next((one for target in around.targets if (one := repository_of(target, repository))), "")
    tongue = calendar.tongue
    look, instances = counted(tongue, around.instances)
    return InsideService(
        visit=visit(health, around.targets),
        health=health,
        description=next((text for one in around.targets if (text := one.description)), ""),
        repository=place,
        repository_url=opened(place),
        category=category_of(around.targets),
        origins=tuple(origins(around.sightings)),
        ports=tuple(lines(tongue, around.ports)),
        needs=tuple(neighbours(tongue, ((one.service, one) for one in around.needs), beside.seen)),
        needed_by=tuple(neighbours(tongue, beside.needed_by.get(key, ()), beside.seen)),
        instances=instances,
        instances_look=look,
        addresses=tuple(dict.fromkeys(one for check in private(view) for one in check.instances)),
        parts=tuple(
            Part(
                name=one.name,
                look=one.state.value,
                took=words.milliseconds(tongue, one.latency) if one.latency is not None else "",
            )
            for one in around.components
        ),
        failures=tuple(failures(around.failing, view.checks, calendar))[:FAILURES],
        restarted=around.restarted.at if around.restarted else None,
        restart=restart(around.restarted, calendar) if around.restarted else "",
        findings=tuple(findings),
    )


# Addresses


def private(view: ServiceView) -> list[Check]:
    """Return the living checks of a service, liveness first."""
    found = [one.private.check for one in view.checks if one.private]
    return sorted(found, key=lambda one: one.role is not Role.LIVENESS)


def visit(health: str, targets: Iterable[Target]) -> str:
    """Return where a service begins, from the address of its *health*, else as a document says."""
    if health:
        scheme, _, rest = health.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}/"
    told = (str(one.details.get("url") or "") for one in targets if one.source == "readme")
    return next(filter(None, map(opened, told)), "")


def opened(address: str) -> str:
    """Return what a browser may open of *address*, without what may be secret in it; empty where that is nothing.

    >>> opened("http://u:p@[::1]:80/a b?token=1#c"), opened("javascript:alert(1)"), opened("nginx.service")
    ('http://[::1]:80/a%20b', '', '')
    """
    parts = split(address)
    if parts is None or parts.scheme not in OPENED or not parts.hostname:
        return ""
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, quote(parts.path, safe=KEPT), "", ""))


# Where it comes from


def category_of(targets: Iterable[Target]) -> str:
    """Return what a service is for, as the first of its targets tells."""
    return next((str(kind) for one in targets if (kind := one.details.get("category"))), "")


def repository_of(target: Target, repository: Callable[[Target], str]) -> str:
    """Return the repository that a document names, or that the file of a target lies in."""
    return str(target.details.get("repository") or "") or repository(target)


def origins(sightings: Iterable[Sighting]) -> Iterator[Origin]:
    """Yield each place in which a service was seen, what runs first and what only documents claim last."""
    names: dict[tuple[str, str, str], list[str]] = {}
    for one in sightings:
        names.setdefault((one.layer, one.source, one.ref), []).append(one.name)
    for (layer, source, ref), those in sorted(names.items(), key=lambda pair: NEAREST[pair[0][0]]):
        yield Origin(source=source, names=tuple(dict.fromkeys(those)), ref=ref, layer=layer)


# What is around it


def neighbours(
    tongue: Tongue, told: Iterable[tuple[str | None, Need]], seen: Mapping[str, ServiceView]
) -> Iterator[Neighbour]:
    """Yield services by key, each once, with where it is said that one needs the other."""
    places: dict[tuple[str, str], list[str]] = {}
    for key, need in told:
        named = (key, "") if key in seen else ("", need.name)
        places.setdefault((named[0] or "", named[1]), []).append(
            need.ref or tongue.gettext("its own %(source)s", source=need.source)
        )
    for (key, name), said in places.items():
        view = seen.get(key)
        yield Neighbour(
            name=view.name if view else name,
            slug=view.slug if view else "",
            look=view.look if view else "",
            said=tongue.clauses(*dict.fromkeys(said)),
        )


def counted(tongue: Tongue, found: Instances | None) -> tuple[str, str]:
    """Say how many instances of a service are there, with how that looks."""
    if found is None:
        return "", ""
    look = "up" if found.ready >= found.expected else "degraded" if found.ready else "down"
    ready = tongue.ngettext(
        "%(count)s of %(total)s ready", "%(count)s of %(total)s ready", found.ready, total=found.expected
    )
    running = tongue.ngettext("%(count)s running", "%(count)s running", found.running)
    return look, tongue.clauses(ready, "" if found.running == found.ready else running)


def failures(failing: Iterable[Failing], checks: Sequence[CheckView], calendar: Calendar) -> Iterator[Failure]:
    """Tell what checks were answered that was not a pass, newest first."""
    by_key = {one.private.check.key: one.private for one in checks if one.private}
    for one in failing:
        own = by_key.get(one.check)
        still = own is not None and own.last is not None and own.last <= one.last
        since = one.first or (own.since if own and still else None) or one.last
        when = words.stretch(calendar.tongue, since, None if still else one.last, calendar.zone, calendar.now)
        if not still and since == one.last:
            when = calendar.moment(since)
        yield Failure(
            at=since,
            when=when,
            still=still,
            asked=f"{own.check.kind} {own.check.role.value}" if own else "",
            text=one.text,
        )


def restart(told: Restart, calendar: Calendar) -> str:
    """Tell when a service began anew, and why as far as that was seen."""
    return calendar.tongue.clauses(calendar.moment(told.at), why(calendar.tongue, told.detail), told.source)


def why(tongue: Tongue, detail: str) -> str:
    """Say what a manager knows of a restart, or what the service says of itself.

    >>> why(ENGLISH, '{"what": "restarts", "old": 1, "new": 3, "cause": "oom", "exit_code": 137}')
    '2 restarts counted, oom, exit code 137'
    >>> why(ENGLISH, "up for 4 s")
    'up for 4 s'
    """
    try:
        known = json.loads(detail)
    except ValueError:
        return detail
    if not isinstance(known, dict):
        return detail
    more = known.get("new", 0) - known.get("old", 0) if known.get("what") == "restarts" else 0
    code = known.get("exit_code")
    return tongue.clauses(
        tongue.ngettext("%(count)s restart counted", "%(count)s restarts counted", more) if more else "",
        str(known.get("cause") or ""),
        tongue.gettext("exit code %(code)s", code=code) if code is not None else "",
    )
