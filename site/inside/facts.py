"""What status.json says more for the operator, of each service and of the whole."""

from typing import Any

from uplog.collector.surroundings import Ran, Source

from ..iso import iso
from .values import Found, Inside, InsideService, Neighbour, PortLine, PortRow

Facts = dict[str, Any]


def service(one: InsideService) -> Facts:
    """Return what is added to a service."""
    return {
        "visit": one.visit or None,
        "health": one.health or None,
        "repository": one.repository or None,
        "category": one.category or None,
        "sightings": [
            {"source": each.source, "ref": each.ref, "names": list(each.names), "layer": each.layer}
            for each in one.origins
        ],
        "ports": [port(each) for each in one.ports],
        "needs": [neighbour(each) for each in one.needs],
        "needed_by": [neighbour(each) for each in one.needed_by],
        "instances": one.instances or None,
        "components": [{"name": each.name, "state": each.look} for each in one.parts],
        "errors": [
            {"since": iso(each.at), "still": each.still, "check": each.asked, "text": each.text}
            for each in one.failures
        ],
        "restarted": iso(one.restarted),
    }


def port(one: PortLine) -> Facts:
    """Return one port of a service."""
    return {"port": one.text, "status": one.status, "places": places(one.places)}


def places(those: tuple[tuple[str, str], ...]) -> list[Facts]:
    """Return where a port is spoken of."""
    return [{"layer": layer, "location": location} for layer, location in those]


def neighbour(one: Neighbour) -> Facts:
    """Return a service that is needed, or needs; it has no key where it has no page."""
    return {"key": one.slug or None, "name": one.name, "location": one.said}


def whole(inside: Inside) -> Facts:
    """Return what is said of everything together."""
    return {
        "categories": [{"name": one.name, "healthy": one.healthy, "total": one.total} for one in inside.categories],
        "findings": [
            {"kind": kind.kind, "drift": kind.drift, **finding(one)} for kind in inside.findings for one in kind.those
        ],
        "ports": [planned(one) for one in inside.ports],
        "runs": [run(one.ran) for one in inside.runs.newest],
        "sources": [source(one.source) for one in inside.sources],
        "record": {
            "bytes": inside.kept.size.bytes,
            "oldest_observation_at": iso(inside.kept.size.oldest),
            "rows": dict(inside.kept.size.rows),
        },
        "versions": dict(inside.versions),
    }


def finding(one: Found) -> Facts:
    """Return one finding."""
    return {"location": one.where, "text": one.text, "service": one.slug or None}


def planned(one: PortRow) -> Facts:
    """Return one line of the plan of ports."""
    return {
        "port": one.port,
        "protocol": one.protocol,
        "status": one.status,
        "services": [
            {"key": each.slug or None, "name": each.name, "places": places(each.places)} for each in one.holders
        ],
    }


def run(one: Ran) -> Facts:
    """Return one run."""
    return {
        "started": iso(one.at),
        "trigger": one.trigger,
        "planned": one.planned,
        "observed": one.observed,
        "late_ms": one.late,
        "took_ms": one.took,
        "error": one.error or None,
    }


def source(one: Source) -> Facts:
    """Return how one source does."""
    return {
        "source": one.name,
        "ok": one.ok,
        "at": iso(one.at),
        "found": one.found,
        "skipped": one.skipped,
        "error": one.error or None,
    }
