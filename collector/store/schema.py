"""The tables, as migrations: each does one thing and stays as it was released.

People query the views (views.py); tables begin with an underscore and are nobody's contract.
Moments are integers: `_ms` since 1970 UTC where an observation is meant, `_s` where accounted time is.
States are numbers in the order of their badness (0 up, 1 unknown, 2 degraded, 3 down), outcomes are
0 pass, 1 warn, 2 fail, 3 unknown.
"""

from sqlite_utils import Database, Migrations

from ..history import incident_id, incident_seed
from ..model import from_ms

migrations = Migrations("uplog")


@migrations()
def m001_tables(db: Database) -> None:
    """Make every table of version 1."""
    _run_all(db, TABLES)


@migrations()
def m002_what_keeps_history_right(db: Database) -> None:
    """Make room for the horizon of pruning, replayed spools, rules of maintenance, and mergeable latencies."""
    _run_all(db, RIGHT)
    for service, slug in db.execute("select id, slug from _service").fetchall():
        db.execute("update _service set seed = ? where id = ?", (incident_seed(slug), service))
    told = "select i.id, v.slug, i.started_s from _incident i join _service v on v.id = i.service_id"
    for before, slug, started_s in db.execute(told).fetchall():
        after = incident_id(slug, from_ms(started_s * 1000))
        db.execute("update _incident set id = ? where id = ?", (after, before))
    db.conn.executemany(
        "insert into _bucket (bucket, low_ms, high_ms, value_ms) values (?, ?, ?, ?)", latency_buckets()
    )


@migrations()
def m003_what_services_say_of_themselves(db: Database) -> None:
    """Make room for the pings of jobs, and for restarts, versions and patience that health bodies tell of."""
    _run_all(db, TOLD)


def _run_all(db: Database, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)


def latency_buckets(error: float = 0.02, longest: int = 86_400_000) -> list[tuple[int, int, int, int]]:
    """Return the buckets of a latency sketch: number, lowest and highest ms in it, and the ms that stands for them.

    DDSketch (Masson, Rim, Lee: «DDSketch: A Fast and Fully-Mergeable Quantile Sketch with Relative-Error
    Guarantees», VLDB 2019): each bucket reaches (1 + error) / (1 - error) times as far as it begins, so that
    what stands for it is wrong by *error* of the true value at most. Sketches are merged by adding their counts.
    """
    buckets = [(0, 0, 0, 0)]
    low = 1
    while low <= longest:
        value = int(low * (1 + error))
        high = int(value / (1 - error))
        buckets.append((len(buckets), low, high, value))
        low = high + 1
    number, low, _, value = buckets[-1]
    return [*buckets[:-1], (number, low, 1 << 62, value)]


TABLES = """
create table _meta (
    name text primary key,
    value text not null
) strict, without rowid;

create table _service (
    id integer primary key,
    key text not null unique,
    slug text not null unique,
    name text not null,
    renamed integer not null default 0,
    group_name text not null default '',
    words text not null default '',
    description text not null default '',
    source text not null,
    public integer not null default 0,
    sort integer not null default 0,
    alias_of integer references _service(id),
    first_seen_ms integer not null,
    last_seen_ms integer not null,
    misses integer not null default 0,
    missing_since_ms integer,
    paused_until_ms integer,
    retired_ms integer,
    put_away integer not null default 0
) strict;

create table _check (
    id integer primary key,
    service_id integer not null references _service(id),
    key text not null unique,
    spec text not null,
    kind text not null,
    role text not null,
    target text not null,
    every_ms integer not null,
    declared_every_ms integer not null,
    timeout_ms integer not null,
    failure_threshold integer not null,
    success_threshold integer not null,
    grace_ms integer not null,
    active integer not null default 1,
    done integer not null default 0
) strict;
create index _check_service on _check(service_id);

create table _standing (
    check_id integer primary key references _check(id),
    state integer not null,
    reason text,
    since_s integer not null,
    last_ms integer not null,
    every_ms integer not null,
    took integer not null,
    asked_ms integer not null,
    steady integer not null,
    body text not null
) strict;

create table _series (
    id integer primary key,
    check_id integer not null references _check(id),
    every_ms integer not null,
    vantage text not null default '',
    unique (check_id, every_ms, vantage)
) strict;

create table _said (
    id integer primary key,
    outcome integer not null,
    code integer,
    reason text,
    attempt integer not null default 1
) strict;

create table _observation_open (
    at_ms integer not null,
    series integer not null,
    took integer not null,
    said integer not null,
    primary key (at_ms, series)
) strict, without rowid;

create table _observation (
    series integer not null,
    at_ms integer not null,
    took integer not null,
    said integer not null,
    primary key (series, at_ms)
) strict, without rowid;

create table _text (
    id integer primary key,
    text text not null unique
) strict;

create table _raw (
    check_id integer not null,
    at_ms integer not null,
    text_id integer not null references _text(id),
    primary key (check_id, at_ms)
) strict, without rowid;

create table _end (
    check_id integer not null references _check(id),
    at_ms integer not null,
    primary key (check_id, at_ms)
) strict, without rowid;

create table _flip (
    id integer primary key,
    check_id integer not null references _check(id),
    at_s integer not null,
    made_ms integer not null,
    state integer,
    reason text
) strict;
create index _flip_check on _flip(check_id, at_s);

create table _span (
    service_id integer not null references _service(id),
    started_s integer not null,
    ended_s integer,
    state integer not null,
    reason text,
    maintenance integer not null default 0,
    primary key (service_id, started_s)
) strict, without rowid;

create table _incident (
    id text primary key,
    service_id integer not null references _service(id),
    started_s integer not null,
    ended_s integer,
    reason text
) strict, without rowid;
create index _incident_service on _incident(service_id, started_s);

create table _day (
    day text primary key,
    started_s integer not null,
    ended_s integer not null
) strict, without rowid;
create index _day_started on _day(started_s);

create table _uptime_day (
    service_id integer not null references _service(id),
    day text not null,
    up_s integer not null,
    degraded_s integer not null,
    down_s integer not null,
    unknown_s integer not null,
    maintenance_s integer not null,
    maintenance_down_s integer not null,
    incidents integer not null,
    primary key (service_id, day)
) strict, without rowid;

create table _latency_day (
    service_id integer not null references _service(id),
    day text not null,
    observations integer not null,
    p50_ms integer not null,
    p95_ms integer not null,
    p99_ms integer not null,
    max_ms integer not null,
    primary key (service_id, day)
) strict, without rowid;

create table _component (
    service_id integer not null references _service(id),
    component text not null,
    at_ms integer not null,
    state integer not null,
    latency_ms integer,
    primary key (service_id, component, at_ms)
) strict, without rowid;

create table _instance (
    service_id integer not null references _service(id),
    at_ms integer not null,
    expected integer not null,
    running integer not null,
    ready integer not null,
    primary key (service_id, at_ms)
) strict, without rowid;

create table _sighting (
    key text primary key,
    service_id integer not null references _service(id),
    source text not null,
    ref text not null,
    name text not null,
    layer text not null,
    first_seen_ms integer not null,
    last_seen_ms integer not null
) strict, without rowid;
create index _sighting_service on _sighting(service_id);

create table _port (
    service_id integer not null references _service(id),
    protocol text not null,
    host_ip text not null,
    port integer,
    container_port integer,
    layer text not null,
    location text not null,
    status text not null
) strict;

create table _dependency (
    service_id integer not null references _service(id),
    needs text not null,
    source text not null,
    ref text not null,
    first_seen_ms integer not null,
    last_seen_ms integer not null,
    primary key (service_id, needs, source)
) strict, without rowid;

create table _discovery (
    id integer primary key,
    at_ms integer not null,
    source text not null,
    event text not null,
    service_id integer references _service(id),
    detail text not null default ''
) strict;

create table _source (
    source text primary key,
    at_ms integer not null,
    ok integer not null,
    found integer not null,
    skipped integer not null,
    took_ms integer not null,
    error text,
    targets text not null default '[]'
) strict;

create table _finding (
    kind text not null,
    location text not null,
    text text not null,
    service_id integer references _service(id),
    source text not null,
    first_seen_ms integer not null,
    last_seen_ms integer not null,
    primary key (kind, location, text)
) strict, without rowid;

create table _speaks (
    owner text primary key,
    http integer not null,
    at_ms integer not null
) strict, without rowid;

create table _maintenance (
    id integer primary key,
    service_id integer not null references _service(id),
    started_s integer not null,
    ended_s integer,
    text text not null default ''
) strict;
create index _maintenance_service on _maintenance(service_id, started_s);

create table _correction (
    id integer primary key,
    service_id integer not null references _service(id),
    started_s integer not null,
    ended_s integer not null,
    state integer not null,
    who text not null,
    why text not null,
    made_ms integer not null,
    undone_ms integer
) strict;

create table _run (
    id integer primary key,
    started_ms integer not null,
    ended_ms integer,
    trigger text not null,
    planned integer not null default 0,
    observed integer not null default 0,
    late_ms integer not null default 0,
    error text
) strict;
create index _run_started on _run(started_ms);

create table _event (
    id integer primary key,
    at_ms integer not null,
    kind text not null,
    detail text not null default ''
) strict
"""

RIGHT = """
create table _horizon (
    check_id integer primary key references _check(id),
    last_ms integer not null,
    took integer not null,
    asked_ms integer not null,
    body text not null
) strict;

create table _spooled (
    id text primary key,
    at_ms integer not null
) strict, without rowid;

create table _bucket (
    bucket integer primary key,
    low_ms integer not null unique,
    high_ms integer not null,
    value_ms integer not null
) strict;

create table _component_now (
    check_id integer not null references _check(id),
    component text not null,
    state integer not null,
    latency_ms integer,
    primary key (check_id, component)
) strict, without rowid;

alter table _service add column seed integer not null default 0;

alter table _latency_day add column sketch text not null default '{}';

alter table _maintenance add column rule text not null default '';
create unique index _maintenance_rule on _maintenance(service_id, rule, started_s);

create index _event_at on _event(at_ms);

create index _flip_made on _flip(made_ms);
create index _flip_at on _flip(at_s);

drop index _incident_service;
create index _incident_service on _incident(service_id, started_s, ended_s)
"""

TOLD = """
alter table _check add column rule text
    generated always as (failure_threshold || '/' || success_threshold || '/' || grace_ms || '/' || declared_every_ms);

create temp table series_before as
    select e.id, e.check_id, e.every_ms, e.vantage, c.rule from _series e join _check c on c.id = e.check_id;
drop table _series;
create table _series (
    id integer primary key,
    check_id integer not null references _check(id),
    every_ms integer not null,
    vantage text not null default '',
    rule text not null,
    unique (check_id, every_ms, vantage, rule)
) strict;
insert into _series select id, check_id, every_ms, vantage, rule from series_before;
drop table series_before;

create table _ping (
    id integer primary key,
    check_id integer not null references _check(id),
    at_ms integer not null,
    event text not null,
    exit_code integer,
    took_ms integer,
    run_id text
) strict;
create index _ping_check on _ping(check_id, at_ms);

create table _patience (
    check_id integer primary key references _check(id),
    until_ms integer not null
) strict;

create table _told (
    check_id integer primary key references _check(id),
    started_ms integer,
    version text
) strict;

alter table _said add column restarted integer not null default 0
"""
