"""Read what lies around services and how uplog itself does, for who runs it: see surroundings.py."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from ..history import silence_known
from ..joining import rank
from ..model import Component, Instances, Port, Target, from_ms, to_ms
from ..stock import category
from ..surroundings import Around, Failing, Need, Restart, Spot, Surroundings
from ..why import Sighting
from . import ours
from .codes import STATES
from .sightings import known_sightings

DAY = timedelta(days=1)
ANSWERS = 20  # of the newest texts of a check that are looked at

_to_targets = msgspec.json.Decoder(tuple[Target, ...]).decode


def surroundings(
    db: sqlite3.Connection, now: datetime, configured: Sequence[Target], sources: Collection[str]
) -> Surroundings:
    """Read everything as of *now*, with the targets that are *configured*, and of the *sources* that still are.

    Sightings, ports, needs and findings are the newest that are known: the record keeps none of an earlier moment.
    """
    told = [*map(categorized, configured), *_told(db, sources)]
    keys = dict(db.execute("select id, key from _service where alias_of is null").fetchall())
    sightings, targets = _sightings(db, keys, told)
    ports, needs = _ports(db), _needs(db)
    instances, components, restarted = _instances(db, now), _components(db), _restarts(db, now)
    failing = _failing(db, now)
    return Surroundings(
        services={
            key: Around(
                sightings=sightings[service],
                targets=sorted(targets[service], key=rank),
                ports=ports[service],
                needs=needs[key],
                instances=instances.get(service),
                components=components[service],
                failing=failing[service],
                restarted=restarted.get(service),
            )
            for service, key in keys.items()
        },
        targets=told,
        known=known_sightings(db),
        sources=ours.sources(db, sources),
        findings=ours.findings(db, sources),
        runs=ours.runs(db, "started_ms <= ?", to_ms(now), ours.RUNS),
        day=ours.runs(db, "started_ms > ? and started_ms <= ?", to_ms(now - DAY), to_ms(now), -1),
        size=ours.size(db),
    )


def categorized(target: Target) -> Target:
    """Say what a target that a person wrote down is for; of those that were found it is said."""
    kind = category(target)
    return replace(target, details={**target.details, "category": kind}) if kind else target


def _told(db: sqlite3.Connection, sources: Collection[str]) -> Iterable[Target]:
    """Return what each of *sources* told last."""
    for source, targets in db.execute("select source, targets from _source order by source"):
        if source in sources:
            yield from _to_targets(targets)


def _sightings(
    db: sqlite3.Connection, services: Mapping[int, str], told: Iterable[Target]
) -> tuple[dict[int, list[Sighting]], dict[int, list[Target]]]:
    """Return by service the names it is seen by, and which of the targets *told* are about it."""
    sightings: dict[int, list[Sighting]] = defaultdict(list)
    owners = {}
    rows = db.execute("select key, service_id, source, ref, name, layer from _sighting order by source, name, key")
    for key, service, source, ref, name, layer in rows:
        if service in services:
            owners[key] = service
            sightings[service].append(Sighting(source=source, ref=ref, name=name, layer=layer))
    targets: dict[int, list[Target]] = defaultdict(list)
    for target in told:
        if target.key in owners and not target.skipped:
            targets[owners[target.key]].append(target)
    return sightings, targets


def _ports(db: sqlite3.Connection) -> dict[int, list[Spot]]:
    found: dict[int, list[Spot]] = defaultdict(list)
    rows = db.execute(
        """
        select service_id, protocol, host_ip, port, container_port, layer, location, status from _port
        order by port, protocol, layer, location
        """
    )
    for service, protocol, host_ip, port, container_port, layer, location, status in rows:
        seen = Port(port=port, host_ip=host_ip, container_port=container_port, protocol=protocol)
        found[service].append(Spot(port=seen, layer=layer, location=location, status=status))
    return found


def _needs(db: sqlite3.Connection) -> dict[str, list[Need]]:
    """Return by key of a service what it needs, as far as its sources still say so."""
    found: dict[str, list[Need]] = defaultdict(list)
    rows = db.execute(
        """
        select d.service, d.needs, d.source, d.ref, d.needed from dependencies d join _service v on v.key = d.service
        where d.source = 'health' or d.last_seen_ms >= v.last_seen_ms
        order by d.needs, d.source
        """
    )
    for service, name, source, ref, needed in rows:
        found[service].append(Need(name=name, source=source, ref=ref, service=needed))
    return found


def _instances(db: sqlite3.Connection, now: datetime) -> dict[int, Instances]:
    rows = db.execute(
        "select service_id, expected, running, ready, max(at_ms) from _instance where at_ms <= ? group by 1",
        (to_ms(now),),
    )
    return {
        service: Instances(expected=expected, running=running, ready=ready)
        for service, expected, running, ready, _ in rows
    }


def _components(db: sqlite3.Connection) -> dict[int, list[Component]]:
    """Return by service the parts that its health bodies tell of now."""
    found: dict[int, list[Component]] = defaultdict(list)
    rows = db.execute(
        """
        select c.service_id, n.component, max(n.state), n.latency_ms from _component_now n
        join _check c on c.id = n.check_id where c.active group by 1, 2
        """
    )
    for service, name, state, latency in rows:
        found[service].append(Component(name=name, state=STATES[state], latency=latency))
    return found


def _restarts(db: sqlite3.Connection, now: datetime) -> dict[int, Restart]:
    rows = db.execute(
        """
        select service_id, max(at_ms), source, detail from _discovery
        where event = 'restarted' and service_id is not null and at_ms <= ? group by 1
        """,
        (to_ms(now),),
    )
    return {
        service: Restart(at=from_ms(at_ms), source=source or "", detail=detail)
        for service, at_ms, source, detail in rows
    }


# What checks were answered


def _failing(db: sqlite3.Connection, now: datetime) -> dict[int, list[Failing]]:
    """Return by service the newest stretches in which its checks were answered alike, and not as they should be."""
    found: dict[int, list[Failing]] = defaultdict(list)
    checks = db.execute(
        "select id, service_id, key, every_ms from _check where exists (select 1 from _raw where check_id = _check.id)"
    ).fetchall()
    for check_id, service, key, every in checks:
        rows = db.execute(
            """
            select r.at_ms, t.text from _raw r join _text t on t.id = r.text_id
            where r.check_id = ? and r.at_ms <= ? order by r.at_ms desc limit ?
            """,
            (check_id, to_ms(now), ANSWERS),
        )
        found[service] += stretches([(from_ms(at_ms), text) for at_ms, text in rows], key, every)
    for those in found.values():
        those.sort(key=lambda one: one.last, reverse=True)
    return found


def stretches(answers: Sequence[tuple[datetime, str]], check: str, every: int) -> list[Failing]:
    """Put *answers*, newest first, together as long as they say the same and come one after the other.

    Where as many were looked at as may be, nobody knows when the oldest stretch began: its `first` is none.
    """
    found: list[list[tuple[datetime, str]]] = []
    for at, text in answers:
        if found and found[-1][-1][1] == text and silence_known(at, every) >= found[-1][-1][0]:
            found[-1].append((at, text))
        else:
            found.append([(at, text)])
    return [
        Failing(
            check=check,
            first=None if those is found[-1] and len(answers) >= ANSWERS else those[-1][0],
            last=those[0][0],
            text=those[0][1],
        )
        for those in found
    ]
