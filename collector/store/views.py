"""The views: the contract with everybody who asks in SQL, and their documentation.

A live view uses the clock. The same text with `:now` in the clock's place is a query as of a moment, which pages
link to: see `query`. Both say what history.py says, to the digit: of a moment in the past only what was known then.
"""

import hashlib
from collections.abc import Mapping
from functools import cache

CLOCK = "cast(strftime('%s', 'now') as integer)"
CLOCK_MS = "cast((julianday('now') - 2440587.5) * 86400000 as integer)"
STATES = "case {0} when 0 then 'up' when 1 then 'unknown' when 2 then 'degraded' when 3 then 'down' end"
OUTCOMES = "case {0} when 0 then 'pass' when 1 then 'warn' when 2 then 'fail' else 'unknown' end"
SUMS = ("up_s", "degraded_s", "down_s", "unknown_s", "maintenance_s", "maintenance_down_s")


def state(column: str) -> str:
    """Write a state's number as its word."""
    return STATES.format(column)


def iso_s(column: str) -> str:
    """Write whole seconds as ISO-8601 in UTC."""
    return f"strftime('%Y-%m-%dT%H:%M:%SZ', {column}, 'unixepoch')"


def iso_ms(column: str) -> str:
    """Write milliseconds as ISO-8601 in UTC."""
    return f"strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000, 'unixepoch') || printf('.%03dZ', {column} % 1000)"


# The common table expressions that more than one view stands on, in the order in which they build on each other.
# newest: the newest observation of each check, not later than now. silent: it fell silent, and is unknown from one
# interval after its last answer (history.silent_from). cut: from here on the stored spans of a service do not say what
# is known at now, because of a silence, or because rows later than now showed a flip; they are made again from the flips.
COMMON = f"""
clock(now_s, now_ms) as (select {{clock}}, {{clock_ms}}),
later(check_id) as (
    select check_id from _standing, clock where last_ms > now_ms
    union
    select check_id from _end, clock where at_ms > now_ms
),
newest(check_id, last_ms, every_ms) as (
    select check_id, last_ms, every_ms from _standing, clock where last_ms <= now_ms
    union all
    select check_id, max(at_ms), every_ms from (
        select e.check_id, e.every_ms, max(o.at_ms) as at_ms
        from later cross join _series e on e.check_id = later.check_id
        join _observation o on o.series = e.id, clock where o.at_ms <= now_ms group by e.id
        union all
        select e.check_id, e.every_ms, max(o.at_ms)
        from later cross join _series e on e.check_id = later.check_id
        join _observation_open o on o.series = e.id, clock where o.at_ms <= now_ms group by e.id
    ) group by check_id
),
silent(service_id, check_id, from_s) as (
    select c.service_id, n.check_id, (n.last_ms + n.every_ms) / 1000
    from newest n join _check c on c.id = n.check_id, clock
    where 2 * (now_ms - n.last_ms) > 5 * n.every_ms and (
        select state from _flip where check_id = n.check_id and made_ms <= now_ms order by at_s desc, id desc limit 1
    ) <> 1
),
cut(service_id, from_s) as (
    select service_id, min(from_s) from (
        select service_id, from_s from silent
        union all
        select c.service_id, f.at_s from _flip f join _check c on c.id = f.check_id, clock
        where f.made_ms > now_ms and f.at_s <= now_s
    ) group by service_id
),
point(service_id, at_s) as (
    select service_id, from_s from silent
    union
    select service_id, from_s from cut
    union
    select c.service_id, f.at_s
    from cut join _check c on c.service_id = cut.service_id, clock
    join _flip f on f.check_id = c.id and f.at_s > cut.from_s and f.made_ms <= now_ms
),
standing_at(service_id, at_s, role, state, reason) as (
    select p.service_id, p.at_s, c.role,
        iif(s.from_s <= p.at_s, 1, f.state), iif(s.from_s <= p.at_s, 'no_sample', f.reason)
    from point p
    join _check c on c.service_id = p.service_id, clock
    left join silent s on s.check_id = c.id
    left join _flip f on f.id = (
        select id from _flip where check_id = c.id and at_s <= p.at_s and made_ms <= now_ms
        order by at_s desc, id desc limit 1
    )
),
alive(service_id, at_s, state) as (
    select service_id, at_s, max(iif(role <> 'readiness', state, null)) from standing_at group by service_id, at_s
),
tail(service_id, started_s, reason, state) as (  -- a state of null: no check lives from here on
    select service_id, at_s, reason, max(case
        when s.role <> 'readiness' or s.state < 3 or a.state is null then s.state when a.state = 1 then 1 else 2 end)
    from standing_at s join alive a using (service_id, at_s)
    group by service_id, at_s
),
start(service_id, started_s, ended_s, state, reason, maintenance) as (
    select p.service_id, p.started_s, iif(p.ended_s >= cut.from_s, null, p.ended_s), p.state, p.reason, p.maintenance
    from cut join _span p on p.service_id = cut.service_id and p.started_s < cut.from_s
    union all
    select service_id, started_s, null, state, reason, 0 from tail
),
changed as (
    select *, row_number() over w as place, lag(state) over w as before, lag(maintenance) over w as before_maintenance,
        lag(ended_s) over w as before_end
    from start window w as (partition by service_id order by started_s)
),
remade as (
    select service_id, started_s, state, reason, maintenance,
        coalesce(ended_s, lead(started_s) over (partition by service_id order by started_s)) as ended_s
    from changed
    where place = 1 or before is not state or before_maintenance <> maintenance or before_end is not null
),
live(service_id, started_s, ended_s, state, reason, maintenance) as (
    select service_id, started_s, ended_s, state, reason, maintenance
    from _span, clock where started_s <= now_s and service_id not in (select service_id from cut)
    union all
    select service_id, started_s, ended_s, state, reason, maintenance from remade where state is not null
),
told(id, service_id, started_s, ended_s, reason) as (
    select id, service_id, started_s, iif(ended_s > now_s, null, ended_s), reason
    from _incident, clock where started_s <= now_s and service_id not in (select service_id from cut)
    union all
    select i.id, i.service_id, i.started_s, max(iif(e.state in (0, 2) or e.state is null and g.ended_s is not null, i.ended_s, null)),
        i.reason
    from cut join _incident i on i.service_id = cut.service_id
    join live l on l.service_id = i.service_id and l.started_s = i.started_s and l.state = 3 and l.maintenance = 0
    left join live e on e.service_id = i.service_id and e.started_s = i.ended_s and e.maintenance = 0
    left join live g on g.service_id = i.service_id and g.ended_s = i.ended_s
    group by i.id
),
windows(period, from_s) as (
    select '24h', now_s - 86400 from clock
    union all
    select period, coalesce(r.started_s, (select min(started_s) from _day))
    from (select '7d' as period, 7 as days union all select '30d', 30 union all select '90d', 90
        union all select '365d', 365) left join (
        select started_s, row_number() over (order by started_s desc) as back
        from _day, clock where started_s <= now_s order by started_s desc limit 365
    ) r on r.back = days
),
closed(until_s) as (select coalesce((select cast(value as integer) from _meta where name = 'closed_s'), 0)),
touched(service_id, day, incidents) as (
    select i.service_id, d.day, count(*)
    from told i left join cut on cut.service_id = i.service_id, clock, closed
    join _day d on d.ended_s > min(closed.until_s, coalesce(cut.from_s, closed.until_s), now_s - 1)
        and d.started_s < now_s and i.started_s < d.ended_s and (i.ended_s is null or i.ended_s > d.started_s)
    group by i.service_id, d.day
),
daily(service_id, day, {", ".join(SUMS)}, incidents, started_s, ended_s) as (
    select u.service_id, u.day, {", ".join("u." + name for name in SUMS)}, u.incidents, d.started_s, d.ended_s
    from _uptime_day u join _day d on d.day = u.day left join cut on cut.service_id = u.service_id, clock
    where d.ended_s <= now_s and (cut.from_s is null or d.ended_s <= cut.from_s)
    union all
    select service_id, day,
        sum(iif(maintenance = 0 and state = 0, seconds, 0)), sum(iif(maintenance = 0 and state = 2, seconds, 0)),
        sum(iif(maintenance = 0 and state = 3, seconds, 0)), sum(iif(maintenance = 0 and state = 1, seconds, 0)),
        sum(iif(maintenance = 1, seconds, 0)), sum(iif(maintenance = 1 and state = 3, seconds, 0)),
        coalesce(max(touched.incidents), 0), started_s, ended_s
    from (
        select l.service_id, d.day, l.state, l.maintenance, d.started_s, min(d.ended_s, now_s) as ended_s,
            min(coalesce(l.ended_s, now_s), d.ended_s, now_s) - max(l.started_s, d.started_s) as seconds
        from live l
        left join cut on cut.service_id = l.service_id, clock, closed
        join _day d on d.ended_s > min(closed.until_s, coalesce(cut.from_s, closed.until_s), now_s - 1)
            and d.ended_s > l.started_s and d.started_s < min(coalesce(l.ended_s, now_s), now_s)
        where l.started_s < now_s
    ) as open left join touched using (service_id, day)
    group by service_id, day
)
"""

PERCENT = """
    iif(2 * (up_s + degraded_s + down_s) < up_s + degraded_s + down_s + unknown_s or up_s + degraded_s + down_s = 0, null,
        (up_s + degraded_s) * 100000 / (up_s + degraded_s + down_s) / 1000.0) as uptime_pct,
    iif(up_s + degraded_s + down_s + unknown_s = 0, null,
        (up_s + degraded_s + down_s) * 100000 / (up_s + degraded_s + down_s + unknown_s) / 1000.0) as observed_pct"""

SELECTS: dict[str, str] = {
    "services": f"""
select v.key, v.slug, v.name, v.group_name, v.source, v.public,
    iif(v.retired_ms is null, coalesce({state("l.state")}, 'unknown'), null) as state,
    case when l.state = 1 and v.paused_until_ms > now_ms then 'paused' when l.state is not null then l.reason when v.retired_ms is not null then null
        when exists (select 1 from _check c where c.service_id = v.id and c.active) then 'starting'
        else 'no_endpoint' end as reason,
    {iso_s("l.started_s")} as since,
    {iso_ms("s.last_ms")} as last_checked,
    {iso_ms("v.first_seen_ms")} as first_seen, {iso_ms("v.last_seen_ms")} as last_seen,
    {iso_ms("v.retired_ms")} as retired, v.description,
    l.started_s as since_s, s.last_ms as last_checked_ms
from _service v
join clock
left join live l on l.service_id = v.id and l.started_s <= now_s and (l.ended_s is null or l.ended_s > now_s)
left join (
    select c.service_id, max(n.last_ms) as last_ms from newest n join _check c on c.id = n.check_id group by 1
) s on s.service_id = v.id
where v.alias_of is null""",
    "checks": f"""
select c.key, v.key as service, v.name as service_name, c.kind, c.role, c.target,
    coalesce(s.every_ms, c.every_ms) / 1000.0 as every_s, c.declared_every_ms / 1000.0 as declared_every_s,
    c.timeout_ms / 1000.0 as timeout_s, c.failure_threshold, c.success_threshold, c.grace_ms / 1000.0 as grace_s,
    iif(e.check_id is not null, 'unknown', {state("s.state")}) as state,
    {iso_s("coalesce(e.from_s, s.since_s)")} as since, s.reason, s.last_ms
from _check c join _service v on v.id = c.service_id
left join _standing s on s.check_id = c.id
left join silent e on e.check_id = c.id""",
    "observations": f"""
select v.key as service, v.name as service_name, c.key as check_key, {iso_ms("o.at_ms")} as at,
    {OUTCOMES.format("d.outcome")} as outcome, iif(o.took < 0, null, o.took) as latency_ms, d.code, d.reason, d.attempt, e.every_ms, o.at_ms
from (
    select series, at_ms, took, said from _observation
    union all
    select series, at_ms, took, said from _observation_open
) o
join _series e on e.id = o.series join _check c on c.id = e.check_id join _service v on v.id = c.service_id
join _said d on d.id = o.said""",
    "spans": f"""
select v.key as service, v.name as service_name, {state("l.state")} as state, {iso_s("l.started_s")} as started,
    {iso_s("iif(l.ended_s > now_s, null, l.ended_s)")} as ended,
    min(coalesce(l.ended_s, now_s), now_s) - l.started_s as seconds, l.reason, l.maintenance,
    l.started_s, iif(l.ended_s > now_s, null, l.ended_s) as ended_s
from live l join _service v on v.id = l.service_id, clock
where l.started_s < now_s""",
    "incidents": f"""
select i.id, v.key as service, v.name as service_name, {iso_s("i.started_s")} as started, {iso_s("i.ended_s")} as ended,
    sum(min(coalesce(l.ended_s, now_s), now_s) - l.started_s) as seconds, i.reason, i.started_s, i.ended_s
from told i join _service v on v.id = i.service_id
join live l on l.service_id = i.service_id and l.state = 3 and l.maintenance = 0
    and l.started_s >= i.started_s and (i.ended_s is null or l.started_s < i.ended_s), clock
group by i.id""",
    "uptime_daily": f"""
select v.key as service, v.name as service_name, u.day, {", ".join(SUMS)}, {PERCENT}, u.incidents, u.started_s, u.ended_s
from daily u join _service v on v.id = u.service_id""",
    "uptime": f"""
select v.key as service, v.name as service_name, p.period, {", ".join(SUMS)}, {PERCENT},
    coalesce(t.incidents, 0) as incidents, w.from_s as started_s, now_s as ended_s
from (
    select service_id, '24h' as period,
        sum(iif(maintenance = 0 and state = 0, seconds, 0)) as up_s,
        sum(iif(maintenance = 0 and state = 2, seconds, 0)) as degraded_s,
        sum(iif(maintenance = 0 and state = 3, seconds, 0)) as down_s,
        sum(iif(maintenance = 0 and state = 1, seconds, 0)) as unknown_s,
        sum(iif(maintenance = 1, seconds, 0)) as maintenance_s,
        sum(iif(maintenance = 1 and state = 3, seconds, 0)) as maintenance_down_s
    from (
        select service_id, state, maintenance,
            min(coalesce(ended_s, now_s), now_s) - max(started_s, now_s - 86400) as seconds
        from live, clock where started_s < now_s and coalesce(ended_s, now_s) > now_s - 86400
    ) group by service_id
    union all
    select u.service_id, w.period, {", ".join(f"sum(u.{name})" for name in SUMS)}
    from windows w join daily u on u.started_s >= w.from_s where w.period <> '24h'
    group by u.service_id, w.period
) p
join windows w using (period)
join _service v on v.id = p.service_id, clock
left join (
    select i.service_id, w.period, count(*) as incidents
    from windows w join told i on i.ended_s is null or i.ended_s > w.from_s group by i.service_id, w.period
) t on t.service_id = p.service_id and t.period = p.period""",
    "latency_daily": """
select v.key as service, v.name as service_name, l.day, l.observations, l.p50_ms, l.p95_ms, l.p99_ms, l.max_ms
from _latency_day l join _service v on v.id = l.service_id""",
    "components": f"""
select v.key as service, v.name as service_name, p.component, {iso_ms("p.at_ms")} as at, {state("p.state")} as state,
    p.latency_ms, p.at_ms
from _component p join _service v on v.id = p.service_id""",
    "instances": f"""
select v.key as service, v.name as service_name, {iso_ms("i.at_ms")} as at, i.expected, i.running, i.ready, i.at_ms
from _instance i join _service v on v.id = i.service_id""",
    "sightings": f"""
select v.key as service, v.name as service_name, s.source, s.ref, s.name, s.layer,
    {iso_ms("s.first_seen_ms")} as first_seen, {iso_ms("s.last_seen_ms")} as last_seen, s.first_seen_ms, s.last_seen_ms
from _sighting s join _service v on v.id = s.service_id""",
    "ports": """
select v.key as service, v.name as service_name, p.protocol, p.host_ip, p.port, p.container_port, p.layer, p.location,
    p.status
from _port p join _service v on v.id = p.service_id""",
    "dependencies": f"""
select v.key as service, v.name as service_name, d.needs, d.source, d.ref, {iso_ms("d.first_seen_ms")} as first_seen,
    {iso_ms("d.last_seen_ms")} as last_seen, d.first_seen_ms, d.last_seen_ms
from _dependency d join _service v on v.id = d.service_id""",
    "sources": f"""
select source, ok, found, skipped, error, {iso_ms("at_ms")} as at, took_ms, at_ms
from _source""",
    "discoveries": f"""
select {iso_ms("d.at_ms")} as at, d.source, d.event, v.key as service, v.name as service_name, d.detail, d.at_ms
from _discovery d left join _service v on v.id = d.service_id""",
    "findings": f"""
select f.kind, v.key as service, v.name as service_name, f.location, f.text, {iso_ms("f.first_seen_ms")} as first_seen,
    {iso_ms("f.last_seen_ms")} as last_seen, f.source, f.first_seen_ms, f.last_seen_ms
from _finding f left join _service v on v.id = f.service_id""",
    "maintenance": f"""
select v.key as service, v.name as service_name, {iso_s("m.started_s")} as started, {iso_s("m.ended_s")} as ended, m.text,
    m.started_s, m.ended_s
from _maintenance m join _service v on v.id = m.service_id""",
    "runs": f"""
select id, {iso_ms("started_ms")} as started, {iso_ms("ended_ms")} as ended, trigger, planned, observed, late_ms, error,
    started_ms, ended_ms
from _run""",
    "events": f"""
select {iso_ms("at_ms")} as at, kind, detail, at_ms
from _event""",
    "days": f"""
select day, {iso_s("started_s")} as started, {iso_s("ended_s")} as ended, started_s, ended_s
from _day""",
}
LIVE = ("services", "checks", "spans", "incidents", "uptime_daily", "uptime")


def query(name: str, clock: str | None = None) -> str:
    """Return the text of the view *name*: live, or as of the seconds since 1970 that the SQL expression *clock* gives.

    >>> "strftime('%s', 'now')" in query("spans", ":now")
    False
    """
    select = SELECTS[name].strip()
    if name not in LIVE:
        return select
    moment = (CLOCK, CLOCK_MS) if clock is None else (clock, f"({clock}) * 1000")
    return f"with {COMMON.format(clock=moment[0], clock_ms=moment[1]).strip()}\n{select}"


def definitions() -> Mapping[str, str]:
    """Return the statement that creates each view."""
    return {name: f"create view {name} as {query(name)}" for name in SELECTS}


@cache
def fingerprint() -> str:
    """Name the definitions by a hash, so that a file knows whether it has them."""
    return hashlib.sha256("\n".join(definitions().values()).encode()).hexdigest()[:16]


SECONDS = {
    "up_s": "seconds up",
    "degraded_s": "seconds degraded: it answered, but slowly or saying that something is wrong",
    "down_s": "seconds down, outside maintenance",
    "unknown_s": "seconds in which nothing was known",
    "maintenance_s": "seconds inside a maintenance window, whatever the state",
    "maintenance_down_s": "of these, seconds down",
    "uptime_pct": "(up + degraded) / (up + degraded + down), floored to three places; null below half observed",
    "observed_pct": "share of the time outside maintenance in which something was known",
    "incidents": "outages that touch this stretch",
}
SERVICE = {"service": "the service's key, given once and never changed", "service_name": "its display name"}

SPAN_S = {
    "started_s": "started in seconds since 1970: filter and sort by this",
    "ended_s": "ended in seconds since 1970",
}
AT_MS = {"at_ms": "at in milliseconds since 1970: filter and sort by this"}
SEEN = {
    "first_seen": "first time",
    "last_seen": "last time",
    "first_seen_ms": "the first time in milliseconds since 1970",
    "last_seen_ms": "the last time in milliseconds since 1970",
}

DOCS: dict[str, tuple[str, dict[str, str]]] = {
    "services": (
        "One row a service, with its state at this moment.",
        {
            "key": "source/project/name as first seen; never changes",
            "slug": "the only identity that published files show",
            "name": "display name",
            "group_name": "the group it is shown in",
            "source": "the source that saw it first",
            "public": "1: it is on the public page",
            "state": "up, degraded, down or unknown; null once retired",
            "reason": "why, from a closed vocabulary",
            "since": "when that state began",
            "last_checked": "the newest observation of any of its checks",
            "first_seen": "when it was first found or configured",
            "last_seen": "when a source last saw it",
            "retired": "when it was taken off the page",
            "description": "as its declaration says",
            "since_s": "since in seconds since 1970",
            "last_checked_ms": "last_checked in milliseconds since 1970",
        },
    ),
    "checks": (
        "One row a check: what is asked, how often, and where it stands.",
        {
            "key": "service key + kind + declared name",
            **SERVICE,
            "kind": "http, tcp, ...",
            "role": "liveness, readiness or startup",
            "target": "what is asked",
            "every_s": "the interval in force",
            "declared_every_s": "the interval that was declared",
            "timeout_s": "how long an answer may take",
            "failure_threshold": "failures in a row that make it down",
            "success_threshold": "passes in a row that make it up",
            "grace_s": "how long failures do not count after first sight",
            "state": "its own state at this moment",
            "since": "when that state began",
            "reason": "why",
            "last_ms": "its newest observation in milliseconds since 1970",
        },
    ),
    "observations": (
        "Every single answer, kept for 90 days unless configured otherwise.",
        {
            **SERVICE,
            "check_key": "the check that asked",
            "at": "when it asked, to the millisecond",
            "outcome": "pass, warn, fail or unknown",
            "latency_ms": "how long the answer took",
            "code": "the status code, where there is one",
            "reason": "why it was not a plain pass",
            "attempt": "1 answered for its slot, 2 and 3 confirmed a failure",
            "every_ms": "the interval in force then",
            **AT_MS,
        },
    ),
    "spans": (
        "Stretches of time in one state: every second of a service's life is in exactly one.",
        {
            **SERVICE,
            "state": "up, degraded, down or unknown",
            "started": "its first second",
            "ended": "the first second after it; null: still",
            "seconds": "how long",
            "reason": "of the observation it is dated to",
            "maintenance": "1: inside a maintenance window",
            **SPAN_S,
        },
    ),
    "incidents": (
        "Outages: from the first down second to the next up or degraded one.",
        {
            "id": "stays the same as long as service and start do",
            **SERVICE,
            "started": "the first down second",
            "ended": "null: still",
            "seconds": "down, without unknown and maintenance in between",
            "reason": "of the first failed observation",
            **SPAN_S,
        },
    ),
    "uptime_daily": (
        "Uptime by day of the configured zone.",
        {**SERVICE, "day": "YYYY-MM-DD in that zone", **SECONDS, **SPAN_S},
    ),
    "uptime": (
        "Uptime of the last 24 hours, and of 7, 30, 90 and 365 days with today so far.",
        {**SERVICE, "period": "24h, 7d, 30d, 90d or 365d", **SECONDS, **SPAN_S},
    ),
    "latency_daily": (
        "How fast the passes and warnings of a closed day were; exact.",
        {
            **SERVICE,
            "day": "YYYY-MM-DD in the configured zone",
            "observations": "how many",
            "p50_ms": "half were at most this slow",
            "p95_ms": "95 of 100",
            "p99_ms": "99 of 100",
            "max_ms": "the slowest",
        },
    ),
    "components": (
        "Parts of a service, as its own health body tells them; one row a change.",
        {
            **SERVICE,
            "component": "its name",
            "at": "since when",
            "state": "its state",
            "latency_ms": "as reported",
            **AT_MS,
        },
    ),
    "instances": (
        "How many instances of a service were expected, running and ready; one row a change.",
        {**SERVICE, "at": "since when", "expected": "by declaration", "running": "seen", "ready": "answering", **AT_MS},
    ),
    "sightings": (
        "Every name under which a source saw a service.",
        {
            **SERVICE,
            "source": "config, systemd, compose, ...",
            "ref": "file:line, unit or process",
            "name": "the name it has there",
            "layer": "claimed, declared, running or healthy",
            **SEEN,
        },
    ),
    "ports": (
        "Who uses which port, and where that is said.",
        {
            **SERVICE,
            "protocol": "tcp or udp",
            "host_ip": "address it is bound to; empty: all",
            "port": "on the host",
            "container_port": "inside the container",
            "layer": "declared or running",
            "location": "file:line or unit",
            "status": "in use, declared or conflict",
        },
    ),
    "dependencies": (
        "What a service says it needs.",
        {**SERVICE, "needs": "name", "source": "who says so", "ref": "where", **SEEN},
    ),
    "sources": (
        "How each source of discovery did when it was last asked.",
        {
            "source": "systemd, compose, ...",
            "ok": "1: it answered",
            "found": "services that it tells of",
            "skipped": "things that are not watched; `uplog discover` says why",
            "error": "why it did not answer",
            "at": "when it was asked",
            "took_ms": "how long that took",
            "at_ms": "at, as ms since 1970: for filters and sorts",
        },
    ),
    "discoveries": (
        "What discovery saw change: nothing is ever forgotten.",
        {
            "at": "when",
            "source": "which source",
            "event": "appeared, changed, missing, retired, returned, restarted or failed",
            **SERVICE,
            "detail": "what, old, new",
            **AT_MS,
        },
    ),
    "findings": (
        "Something wrong that a declaration shows without asking anybody.",
        {
            "kind": "what sort",
            **SERVICE,
            "location": "file:line",
            "text": "in a sentence",
            "source": "who reported it",
            **SEEN,
        },
    ),
    "maintenance": (
        "Maintenance windows, written when they begin.",
        {**SERVICE, "started": "from", "ended": "until; null: still", "text": "what for", **SPAN_S},
    ),
    "runs": (
        "One row a cycle of `uplog run`, one a minute of `uplog watch`.",
        {
            "id": "counts up",
            "started": "when",
            "ended": "null: it did not end by itself",
            "trigger": "cron, watch, api or function",
            "planned": "checks that were due",
            "observed": "answers that were recorded",
            "late_ms": "how late the latest check was asked",
            "error": "why it could not be completed",
            "started_ms": "started in milliseconds since 1970: filter and sort by this",
            "ended_ms": "ended in milliseconds since 1970",
        },
    ),
    "events": (
        "What happened to uplog itself.",
        {"at": "when", "kind": "what sort", "detail": "in a sentence", **AT_MS},
    ),
    "days": (
        "The days of the configured zone: 23 or 25 hours twice a year.",
        {"day": "YYYY-MM-DD", "started": "its first second", "ended": "the first second of the next", **SPAN_S},
    ),
}
