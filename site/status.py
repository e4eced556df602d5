"""Say the facts of a page for machines: status.json and status.txt."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from uplog.collector.model import CheckHistory, Incident, ServiceHistory

from .iso import iso
from .values import Day, Figure, Outage, Page, ServiceView, Told, Work


def status(page: Page) -> dict[str, Any]:
    """Return status.json as a value, in the shape that DESIGN.md fixes.

    For the internal audience each service has these fields more: service_key, description, source, public,
    first_seen, last_checked, latency_ms, corrections (started, ended, state, why), names (source, ref, name of every
    sighting) and checks (key, kind, role, target, every_s, timeout_s, state, reason, since, last, latency_ms, text);
    and what inside/facts.py adds, of each service and of the whole.
    """
    inside = page.inside
    if inside:
        from .inside import facts
    return {
        "version": 1,
        "generated_at": iso(page.generated_at),
        "newest_observation_at": iso(page.newest),
        "stale_after": iso(page.stale_after),
        "timezone": page.zone,
        "headline": {"state": page.headline.look, "text": page.headline.text},
        "services": [
            {**service(one), **(facts.service(inside.services[one.slug]) if inside else {})} for one in page.services
        ],
        "maintenance": [work(one) for one in page.works],
        "announcements": [announcement(one) for one in page.announcements],
        **({"inside": facts.whole(inside)} if inside else {}),
    }


def status_txt(page: Page) -> str:
    """Return one word a line: the headline, then when it was made, newest observation, and when it is stale."""
    moments = (page.generated_at, page.newest, page.stale_after)
    return "".join(f"{line}\n" for line in (page.headline.look, *(iso(moment) or "-" for moment in moments)))


def service(one: ServiceView) -> dict[str, Any]:
    """Return what status.json says of one service."""
    return {
        "key": one.slug,
        "name": one.name,
        "group": one.group,
        "state": one.state.value,
        "reason": one.reason and one.reason.value,
        "since": iso(one.since),
        "maintenance_until": iso(one.maintenance_until),
        "flapping": one.flapping and asdict(one.flapping),
        "uptime": {period: figure(shown) for period, shown in one.uptime.items()},
        "days": [day(shown) for shown in one.days],
        "months": [{"month": month.month, **figure(month.figure)} for month in one.months],
        "incidents": [incident(outage) for outage in one.outages],
        **(private(one.private) if one.private else {}),
    }


def work(one: Work) -> dict[str, Any]:
    """Return one window of maintenance, which goes on or is to come."""
    return {
        "services": list(one.services),
        "started": iso(one.window.start),
        "ended": iso(one.window.end),
        "text": one.window.text,
    }


def announcement(one: Told) -> dict[str, Any]:
    """Return what the operator announces: its text as it was written, in Markdown, newest first."""
    return {
        "id": one.words.name,
        "title": one.words.title,
        "services": [slug for slug, _ in one.services],
        "started": iso(one.words.started),
        "ended": iso(one.words.resolved),
        "severity": one.words.severity or None,
        "updates": [{"at": iso(update.at), "title": update.title, "text": update.text} for update, _ in one.updates],
    }


@lru_cache(maxsize=4_096)  # most days of most services are the same
def day(one: Day) -> Mapping[str, Any]:
    """Return the account of one day."""
    return {"day": one.day, **figure(one.figure)}


def figure(one: Figure) -> dict[str, Any]:
    """Return the account of one window."""
    account = one.account
    return {
        "up_s": account.up_s,
        "degraded_s": account.degraded_s,
        "down_s": account.down_s,
        "unknown_s": account.unknown_s,
        "maintenance_s": account.maintenance_s,
        "maintenance_down_s": account.maintenance_down_s,
        "uptime_pct": one.uptime,
        "uptime_with_maintenance_pct": one.with_maintenance,
        "observed_pct": one.observed,
        "incidents": one.incidents,
    }


def incident(outage: Outage) -> dict[str, Any]:
    """Return one incident."""
    one: Incident = outage.incident
    return {
        "id": one.id,
        "started": iso(one.start),
        "ended": iso(one.end),
        "seconds": one.seconds,
        "reason": one.reason and one.reason.value,
    }


def private(entry: ServiceHistory) -> dict[str, Any]:
    """Return what only the internal audience learns of a service."""
    service = entry.service
    return {
        "service_key": service.key,
        "description": service.description,
        "source": service.source,
        "public": service.public,
        "first_seen": iso(entry.first_seen),
        "last_checked": iso(entry.last_checked),
        "latency_ms": entry.recent[-1][1] if entry.recent else None,
        "corrections": [
            {"started": iso(one.start), "ended": iso(one.end), "state": one.state.value, "why": one.why}
            for one in entry.corrections
        ],
        "changes": [
            {"at": iso(one.at), "event": one.event, "source": one.source, "what": one.what, "detail": one.detail}
            for one in entry.noted
        ],
        "names": [{"source": source, "ref": ref, "name": name} for source, ref, name in entry.names],
        "checks": [private_check(one) for one in entry.checks],
    }


def private_check(one: CheckHistory) -> dict[str, Any]:
    """Return what only the internal audience learns of a check."""
    check = one.check
    return {
        "key": check.key,
        "kind": check.kind,
        "role": check.role.value,
        "target": check.target,
        "every_s": check.every / 1_000,
        "timeout_s": check.timeout / 1_000,
        "state": one.state and one.state.value,
        "reason": one.reason and one.reason.value,
        "since": iso(one.since),
        "last": iso(one.last),
        "latency_ms": one.took,
        "text": one.text,
    }
