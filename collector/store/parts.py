"""What an answer tells beside being one: parts and instances of a service, its version, restarts, and when to ask again."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from ..health import restarted
from ..model import Check, Component, Instances, Observation, State, from_ms, to_ms
from .codes import STATE_CODE, STATES
from .discoveries import discovered


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An observation on its way into the record, with what is kept beside it."""

    check: Check
    observation: Observation
    text: str = ""  # raw and private
    components: tuple[Component, ...] = ()
    instances: Instances | None = None
    retry_after: int | None = None  # ms
    version: str | None = None
    uptime: float | None = None  # seconds

    @property
    def tells(self) -> bool:
        """Whether there is anything beside the observation."""
        return bool(self.components or self.instances or self.retry_after or self.version or self.uptime is not None)


def keep_patience(db: sqlite3.Connection, check_id: int, ended_ms: int, retry_after: int, every: int) -> None:
    """Keep until when a service does not want to be asked: at most for an interval and a half, or nothing would be known."""
    db.execute(
        "insert or replace into _patience values (?, ?)", (check_id, ended_ms + min(retry_after, every * 3 // 2))
    )


def keep_parts(
    db: sqlite3.Connection, check_id: int, service_id: int, seen: Seen, observation: Observation, last_ms: int
) -> Observation:
    """Keep all that *seen* tells beside its *observation*; return this, which says so when the service was restarted.

    *last_ms* is the moment of the answer before.
    """
    at_ms = to_ms(observation.at)
    if seen.components:
        keep_components(db, check_id, service_id, at_ms, seen.components)
    if seen.instances is not None:
        keep_instances(db, service_id, at_ms, seen.instances)
    if seen.retry_after:
        keep_patience(db, check_id, at_ms + observation.took, seen.retry_after, seen.check.every)
    if seen.version is None and seen.uptime is None:
        return observation
    was_restarted = keep_told(db, check_id, service_id, seen, observation.at, from_ms(last_ms))
    return replace(observation, restarted=True) if was_restarted else observation


def keep_told(db: sqlite3.Connection, check_id: int, service_id: int, seen: Seen, at: datetime, last: datetime) -> bool:
    """Keep since when a service says it runs, and in which version; tell whether it was restarted."""
    started = None if seen.uptime is None else at - timedelta(seconds=seen.uptime)
    row = db.execute("select started_ms, version from _told where check_id = ?", (check_id,)).fetchone()
    known, version = (None, None) if row is None else (None if row[0] is None else from_ms(row[0]), row[1])
    was_restarted = known is not None and started is not None and restarted(known, started, last)
    if was_restarted:
        discovered(db, at, "restarted", service_id, f"it says that it has been up for {seen.uptime:.0f} s")
    if version is not None and seen.version is not None and seen.version != version:
        detail = msgspec.json.encode({"what": "version", "old": version, "new": seen.version}).decode()
        discovered(db, at, "changed", service_id, detail)
    if row is None or was_restarted or (seen.version or version) != version:
        begun = started if was_restarted or known is None else known
        db.execute(
            "insert or replace into _told values (?, ?, ?)",
            (check_id, None if begun is None else to_ms(begun), seen.version or version),
        )
    return was_restarted


def keep_instances(db: sqlite3.Connection, service_id: int, at_ms: int, instances: Instances) -> None:
    """Keep how many instances a service has, when that has changed."""
    counts = (instances.expected, instances.running, instances.ready)
    newest = db.execute(
        "select expected, running, ready from _instance where service_id = ? order by at_ms desc limit 1", (service_id,)
    ).fetchone()
    if newest != counts:
        db.execute("insert or replace into _instance values (?, ?, ?, ?, ?)", (service_id, at_ms, *counts))


def keep_components(
    db: sqlite3.Connection, check_id: int, service_id: int, at_ms: int, components: Iterable[Component]
) -> None:
    """Keep the components whose state or speed is another than before; one that is no longer told of is unknown.

    Where several checks of a service tell of one component, the worst of what they know is kept.
    """
    rows = db.execute("select component, state, latency_ms from _component_now where check_id = ?", (check_id,))
    before = {name: (state, latency) for name, state, latency in rows}
    told = {one.name: (STATE_CODE[one.state], one.latency) for one in components}
    told |= dict.fromkeys(before.keys() - told.keys(), (STATE_CODE[State.UNKNOWN], None))
    changed = [(name, *now) for name, now in told.items() if name not in before or differs(before[name], now)]
    db.executemany("insert or replace into _component_now values (?, ?, ?, ?)", [(check_id, *one) for one in changed])
    db.executemany(
        """
        insert or replace into _component
        select c.service_id, n.component, ?, max(n.state), max(n.latency_ms)
        from _component_now n join _check c on c.id = n.check_id
        where c.service_id = ? and c.active and n.component = ?
            and (n.state <> ? or not exists (
                select 1 from _component_now o join _check d on d.id = o.check_id
                where d.service_id = c.service_id and d.active and o.component = n.component and o.state <> n.state
            ))
        group by 1, 2
        """,
        [(at_ms, service_id, name, STATE_CODE[State.UNKNOWN]) for name, _, _ in changed],
    )


def parts_at(db: sqlite3.Connection, now: datetime) -> dict[int, list[Component]]:
    """Read the components of each service as they were last told at *now*, by name; not those that nothing is known of."""
    rows = db.execute(
        """
        select service_id, component, state, latency_ms, max(at_ms) from _component where at_ms <= ?
        group by service_id, component
        """,
        (to_ms(now),),
    )
    found: dict[int, list[Component]] = defaultdict(list)
    for service_id, name, state, latency, _ in rows:
        if STATES[state] is not State.UNKNOWN:
            found[service_id].append(Component(name=name, state=STATES[state], latency=latency))
    return found


def differs(before: tuple[int, int | None], now: tuple[int, int | None]) -> bool:
    """Tell whether a component changed: its state, or its latency to beyond twice or half of what was kept.

    >>> differs((0, 10), (0, 19)), differs((0, 10), (0, 21)), differs((0, None), (0, 3))
    (False, True, True)
    """
    (state, kept), (new_state, latency) = before, now
    if state != new_state or (kept is None) != (latency is None):
        return True
    return kept is not None and latency is not None and not kept <= 2 * latency <= 4 * kept
