"""The views: the contract with everybody who asks in SQL.

A live view uses the clock. The same text with `:now` in the clock's place is a query as of a moment, which pages
link to: see `query`.
"""

import hashlib
from collections.abc import Mapping
from functools import cache

from ..history import FLAPPING_FLIPS
from ..model import State
from .codes import STATE_CODE
from .common import CLOCK, CLOCK_MS, COMMON, OUTCOMES, iso_ms, iso_s, live, state, whole
from .uptime import UPTIME, UPTIME_BETWEEN, UPTIME_DAILY, UPTIME_MONTHLY

HOUR_S = 3600
UNKNOWN = STATE_CODE[State.UNKNOWN]


def since(spans: str, span: str) -> str:
    """Write when the state of *span* began: maintenance splits spans and begins no state anew. See history.current."""
    return f"""(
        with back(at_s) as (
            select {span}.started_s
            union all
            select p.started_s from back join {spans} p on p.service_id = v.id and p.state = {span}.state
                and p.ended_s = back.at_s
                and p.started_s = (select max(started_s) from {spans} where service_id = v.id and started_s < back.at_s)
        ) select min(at_s) from back
    )"""


SINCE = f"iif(l.started_s is null, {since('again', 'r')}, {since('_span', 'l')})"
OBSERVATION = f"""
select v.key as service, v.name as service_name, c.key as check_key, {iso_ms("o.at_ms")} as at,
    {OUTCOMES.format("d.outcome")} as outcome, iif(o.took < 0, null, o.took) as latency_ms, d.code, d.reason, d.attempt,
    e.every_ms, o.at_ms"""
LAST_HOUR = live(f"""
select l.* from clock cross join _service v join {{opened}} join {{spans}} l on l.service_id = v.id
where l.started_s <= now_s and coalesce(l.ended_s, now_s) > now_s - {HOUR_S}""")


def merged_latency(label: str, of_day: str) -> str:
    """Merge the latency sketches of the days that *of_day* gives one label; percentiles by nearest rank."""

    def percentile(part: int) -> str:
        return f"min(iif(upto >= (observations * {part} + 99) / 100, value_ms, null)) as p{part}_ms"

    return f"""
select v.key as service, v.name as service_name, {label}, observations, {percentile(50)}, {percentile(95)},
    {percentile(99)}, max(slowest) as max_ms
from (
    select service_id, {label}, value_ms, sum(count) over (partition by service_id, {label} order by bucket) as upto,
        sum(count) over (partition by service_id, {label}) as observations, slowest
    from (
        select l.service_id, {of_day} as {label}, cast(j.key as integer) as bucket, sum(j.value) as count,
            max(l.max_ms) as slowest
        from _latency_day l, json_each(l.sketch) j group by 1, 2, 3
    ) join _bucket using (bucket)
) join _service v on v.id = service_id
group by service_id, {label}"""


SELECTS: dict[str, str] = {
    "services": f"""
select v.key, v.slug, v.name, v.group_name, v.source, v.public,
    iif(v.retired_ms <= now_ms, null, coalesce({state("coalesce(l.state, r.state)")}, 'unknown')) as state,
    case when coalesce(l.state, r.state) = 1 and v.paused_until_ms > now_ms then 'paused'
        when l.state is not null then l.reason when r.state is not null then r.reason when v.retired_ms <= now_ms then null
        when exists (select 1 from _check c where c.service_id = v.id and c.active) then 'starting'
        else 'no_endpoint' end as reason,
    {iso_s(SINCE)} as since,
    {iso_ms("s.last_ms")} as last_checked,
    {iso_ms("v.first_seen_ms")} as first_seen, {iso_ms("v.last_seen_ms")} as last_seen,
    {iso_ms("iif(v.retired_ms <= now_ms, v.retired_ms, null)")} as retired, v.description,
    {SINCE} as since_s, s.last_ms as last_checked_ms
from _service v
join clock
left join _span l on l.service_id = v.id
    and l.started_s = (select max(started_s) from _span where service_id = v.id and started_s <= now_s)
    and (l.ended_s is null or l.ended_s > now_s) and v.id not in (select service_id from cut)
left join again r on r.service_id = v.id and (r.ended_s is null or r.ended_s > now_s)
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
{OBSERVATION}
from _observation_open o
join _series e on e.id = o.series join _check c on c.id = e.check_id join _service v on v.id = c.service_id
join _said d on d.id = o.said
union all
{OBSERVATION}
from _service v join _check c on c.service_id = v.id join _series e on e.check_id = c.id
cross join _observation o on o.series = e.id  -- a series at a time: that is how these rows lie
join _said d on d.id = o.said""",
    "spans": whole(f"""
select v.key as service, v.name as service_name, {state("l.state")} as state, {iso_s("l.started_s")} as started,
    {iso_s("iif(l.ended_s > now_s, null, l.ended_s)")} as ended,
    min(coalesce(l.ended_s, now_s), now_s) - l.started_s as seconds, l.reason, l.maintenance,
    l.started_s, iif(l.ended_s > now_s, null, l.ended_s) as ended_s
from clock join _service v {{kept}} {{spans}} l on l.service_id = v.id and {{holds}}
where l.started_s < now_s"""),
    "incidents": whole(f"""
select l.id, v.key as service, v.name as service_name, {iso_s("l.started_s")} as started,
    {iso_s("iif(l.ended_s > now_s, null, l.ended_s)")} as ended, (
        select sum(min(coalesce(p.ended_s, now_s), now_s) - p.started_s) from {{spans}} p
        where p.service_id = v.id and p.started_s >= l.started_s and p.started_s < coalesce(l.ended_s, now_s + 1)
            and p.started_s <= now_s and p.state = 3 and p.maintenance = 0
    ) as seconds, l.reason, l.started_s, iif(l.ended_s > now_s, null, l.ended_s) as ended_s
from clock join _service v {{kept}} {{incidents}} l on l.service_id = v.id and {{holds}}
where l.started_s <= now_s"""),
    "uptime_daily": UPTIME_DAILY,
    "uptime": UPTIME,
    "uptime_monthly": UPTIME_MONTHLY,
    "latency_daily": """
select v.key as service, v.name as service_name, l.day, l.observations, l.p50_ms, l.p95_ms, l.p99_ms, l.max_ms
from _latency_day l join _service v on v.id = l.service_id""",
    "latency_weekly": merged_latency("week", "date(l.day, 'weekday 0', '-6 days')"),
    "latency_monthly": merged_latency("month", "substr(l.day, 1, 7)"),
    "flapping": f"""
select v.key as service, v.name as service_name, r.flips,
    sum(o.failed) as failed, count(o.failed) as observations
from (
    select service_id, count(*) as flips
    from (
        select service_id, started_s, state, lag(state) over w as before, lag(ended_s) over w as before_end
        from ({LAST_HOUR})
        window w as (partition by service_id order by started_s)
    ), clock where started_s > now_s - {HOUR_S} and before <> state and before_end = started_s
        and {UNKNOWN} not in (before, state)
    group by service_id having count(*) >= {FLAPPING_FLIPS}
) r
join _service v on v.id = r.service_id
left join (
    select c.service_id, d.outcome = 2 as failed
    from clock cross join _check c cross join _series e on e.check_id = c.id
    cross join (
        select series, at_ms, said from _observation union all select series, at_ms, said from _observation_open
    ) o on o.series = e.id and o.at_ms > now_ms - {HOUR_S}000 and o.at_ms <= now_ms
    join _said d on d.id = o.said
) o on o.service_id = r.service_id
group by r.service_id""",
    "corrections": f"""
select c.id, v.key as service, v.name as service_name, {iso_s("c.started_s")} as started, {iso_s("c.ended_s")} as ended,
    {state("c.state")} as state, c.who, c.why, {iso_ms("c.made_ms")} as made, {iso_ms("c.undone_ms")} as undone,
    c.started_s, c.ended_s
from _correction c join _service v on v.id = c.service_id""",
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
    {iso_ms("d.last_seen_ms")} as last_seen, coalesce((
        select w.key from _sighting s
        join _sighting g on g.key = substr(s.key, 1, length(s.key) - length(s.name)) || d.needs
        join _service w on w.id = g.service_id
        where s.service_id = d.service_id and s.source = d.source and w.retired_ms is null and w.id <> v.id limit 1
    ), nullif(u.key, v.key)) as needed, d.first_seen_ms, d.last_seen_ms
from (
    select service_id, needs, source, ref, first_seen_ms, last_seen_ms from _dependency
    union all
    select service_id, component, 'health', '', min(at_ms), max(at_ms) from _component group by 1, 2
) d join _service v on v.id = d.service_id
left join (
    select g.name, max(w.key) as key from _sighting g join _service w on w.id = g.service_id
    where w.retired_ms is null group by g.name collate nocase having count(distinct w.id) = 1
) u on u.name = d.needs collate nocase
where v.alias_of is null and (d.source <> 'health' or u.key <> v.key)""",
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
    "pings": f"""
select v.key as service, v.name as service_name, c.key as check_key, {iso_ms("p.at_ms")} as at, p.event, p.exit_code, p.took_ms,
    p.run_id as run, p.at_ms
from _ping p join _check c on c.id = p.check_id join _service v on v.id = c.service_id""",
    "events": f"""
select {iso_ms("at_ms")} as at, kind, detail, at_ms
from _event""",
    "days": f"""
select day, {iso_s("started_s")} as started, {iso_s("ended_s")} as ended, started_s, ended_s
from _day""",
}
LIVE = ("services", "checks", "spans", "incidents", "uptime_daily", "uptime", "uptime_monthly", "flapping")


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


def uptime_between(start: str, end: str) -> str:
    """Return the query that counts the seconds from *start* to *end*, SQL expressions of seconds since 1970."""
    return f"with {COMMON.format(clock=end, clock_ms=f'({end}) * 1000').strip()}\n{UPTIME_BETWEEN.format(start=start).strip()}"


def definitions() -> Mapping[str, str]:
    """Return the statement that creates each view."""
    return {name: f"create view {name} as {query(name)}" for name in SELECTS}


@cache
def fingerprint() -> str:
    """Name the definitions by a hash, so that a file knows whether it has them."""
    return hashlib.sha256("\n".join(definitions().values()).encode()).hexdigest()[:16]
