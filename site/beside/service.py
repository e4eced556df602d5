"""service/<slug>.json: one service for machines, in the words of status.json.

What moves with the clock alone is left to status.json: today, the running month, seconds of periods, the seconds of an
outage that goes on. So the file is new only when there is news, or a day or month has closed.
"""

from typing import Any

import msgspec

from ..iso import iso
from ..status import day, figure, incident
from ..values import Figure, Outage, Page, ServiceView

ENCODER = msgspec.json.Encoder()


def of_service(one: ServiceView, page: Page) -> bytes:
    """Return the JSON file of one service."""
    return ENCODER.encode(service(one, page)) + b"\n"


def service(one: ServiceView, page: Page) -> dict[str, Any]:
    """Return what is said of one service, the same for every audience."""
    today = page.calendar.days[-1][0]
    return {
        "version": 1,
        "key": one.slug,
        "name": one.name,
        "group": one.group,
        "state": one.state.value,
        "reason": one.reason and one.reason.value,
        "since": iso(one.since),
        "maintenance": bool(one.windows),
        "maintenance_until": iso(one.maintenance_until),
        "timezone": page.zone,
        "uptime": {period: percentages(shown) for period, shown in one.uptime.items()},
        "days": [day(each) for each in one.days if each.day != today],
        "months": [{"month": each.month, **figure(each.figure)} for each in one.months if each.month != today[:7]],
        "incidents": [closed(outage) for outage in one.outages],
    }


def percentages(one: Figure) -> dict[str, Any]:
    """Return of a period what stands still while nothing goes wrong."""
    return {
        "uptime_pct": one.uptime,
        "uptime_with_maintenance_pct": one.with_maintenance,
        "observed_pct": one.observed,
        "incidents": one.incidents,
    }


def closed(outage: Outage) -> dict[str, Any]:
    """Return one incident; it has no length while it goes on."""
    return incident(outage) if outage.incident.end else {**incident(outage), "seconds": None}
