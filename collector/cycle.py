"""The one cycle that cron, the daemon, an API and a function all run: find, plan, ask, judge, guard, step, record."""

import asyncio
import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib import import_module
from sqlite3 import Connection
from typing import Any

import msgspec

from . import judge
from .catalog import confined, merge
from .config import Config
from .discover import SOURCES, Context, Found, find_all
from .garbage import seldom_collecting
from .heartbeat import answering
from .model import MS, Answer, Check, Flip, Observation, Outcome, Reason, Standing, Target, Verdict, from_ms, to_ms
from .planning import Due, Pace, plan
from .spool import SHORT_S, Spool, Standings
from .store import Store, StoreError, catalog, cycles, maintenance, record, sightings, surroundings, upkeep
from .store.checks import waiting
from .store.cycles import Told
from .store.derive import meta, note

log = logging.getLogger(__name__)

AT_ONCE_S = 0.1  # patience with other writers where something can be written later as well

Ask = Callable[[Sequence[Check]], Sequence[Answer]]
Clock = Callable[[], datetime]
Find = Callable[[Mapping[str, Any], Context], tuple[list[Found], dict[str, bool]]]
Claim = Callable[[Sequence[Due]], Sequence[Due]]


class NotRecorded(StoreError):  # noqa: N818  says what it is
    """The answers of a cycle are not in the record; *why* tells it without what became of these ones."""

    def __init__(self, why: StoreError, became: str) -> None:
        super().__init__(f"{why}; {became}")
        self.why = str(why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one cycle did, and when the next thing is to be done."""

    run: int | None
    planned: int
    observed: int
    flips: Sequence[Flip] = ()
    changes: Sequence[str] = field(default_factory=tuple)  # of the catalog, a line each
    next: datetime | None = None


def find_now(settings: Mapping[str, Any], context: Context) -> tuple[list[Found], dict[str, bool]]:
    """Ask every configured source, and wait for the answers."""
    return asyncio.run(find_all(settings, context))


@seldom_collecting()
def cycle(
    config: Config,
    store: Store,
    ask: Ask,
    clock: Clock,
    *,
    pace: Pace | None = None,
    trigger: str = "function",
    run: int | None = None,
    find: Find | None = find_now,
    claim: Claim = lambda due: due,
    told: Told = cycles.as_it_is,
    spool: Spool | None = None,
    confirming: bool = False,
) -> Report:
    """Find services if that is due, ask every check that is due, and record the answers in one transaction.

    *pace* says how time is cut into slots. *run* continues the row of an earlier cycle in the view `runs`. *find*
    of none leaves discovery to somebody else. *claim* may take checks out that are being asked elsewhere. *told* adds
    rows for a time in which nobody was awake to ask. *spool* is that of an earlier cycle of this process. When
    *confirming*, no new slots are begun.
    Whatever *ask* raises ends the cycle before anything of it is written. Raises NotRecorded when the answers could
    not be recorded: they wait in the spool for the next cycle, or it says that they are lost.
    """
    pace = pace or Pace(every=config.defaults.every)
    spool = spool or Spool(store.path)
    blocked = still_blocked(spool, store, clock, told)
    changes: list[str] = []
    if find is not None and blocked is None:
        try:
            changes = discover(config, store, clock(), find, pace)
        except StoreError as error:
            blocked = put_off("what was found", error)
    started = clock()
    standings = spool.standings(lambda: standings_now(store, started))
    proven = proven_controls(config, store)
    with store.reading() as db:
        young = waiting(db, started)
    planned = plan(standings, started, pace, confirming=confirming, waiting=young)
    due = claim(planned.due)
    if not due:
        if blocked is not None:
            raise NotRecorded(blocked, "earlier answers still wait") if spool.waiting() else blocked
        begin_maintenance(config, store, clock())
        return Report(run=run, planned=0, observed=0, changes=changes, next=planned.next)
    seen, first = answered(config, answering(store, ask, clock), due, standings, proven, started, pace)
    counted = record.Counted(
        trigger=trigger,
        started=started,
        ended=clock(),
        planned=len(due),
        observed=len(seen),
        late=max(one.late for one in due),
    )
    done = cycles.Cycle(counted=counted, seen=seen, missed=missed(due), controls=first)
    try:
        spool.replay(store, clock, told)  # what waits is older
        with store.writing(None if blocked is None else SHORT_S) as db:
            flips, run = cycles.keep(db, done, store.zone, told=told, run=run)
    except StoreError as error:
        raise kept(spool, done, error) from error
    begin_maintenance(config, store, clock())
    return Report(run=run, planned=len(due), observed=len(seen), flips=flips, changes=changes, next=planned.next)


def standings_now(store: Store, now: datetime) -> Standings:
    """Read what may be asked at *now*, and where it stands."""
    with store.reading() as db:
        return catalog.plannable(db, now)


def proven_controls(config: Config, store: Store) -> set[str]:
    """Read which control targets ever answered: before anything is asked, so that no answer falls with the record."""
    if not config.controls:
        return set()
    with store.reading() as db:
        return cycles.proven(db)


def answered(
    config: Config,
    ask: Ask,
    due: Sequence[Due],
    standings: Standings,
    proven: set[str],
    now: datetime,
    pace: Pace,
) -> tuple[tuple[record.Seen, ...], tuple[str, ...]]:
    """Ask what is *due*; return what is to be recorded, oldest first, and the controls that answered for the first time."""
    checks = [one.check for one in due]
    answers = ask(judge.spread(checks))
    verdicts, first = guarded(config, ask, answers, standings, proven, now, pace)
    judged = judge.gathered(checks, list(zip(answers, verdicts, strict=True)))
    stands = {check.key: standing for check, standing in standings}
    warn_of_ours(due, [verdict for _, verdict in judged], stands)
    seen = [
        seen_as(one, answer, judge.patient(verdict, stands.get(one.check.key), one.check, answer.at))
        for one, (answer, verdict) in zip(due, judged, strict=True)
    ]
    return tuple(sorted(seen, key=lambda one: one.observation.at)), first


def missed(due: Sequence[Due]) -> str:
    """Tell of slots that were lost; nothing when none was."""
    lost = [one.late + one.check.every for one in due if one.late >= one.check.every]
    return f"{len(lost)} checks lost a slot: one was not asked for {max(lost) // 1000} s" if lost else ""


# What cannot be recorded now


def still_blocked(spool: Spool, store: Store, clock: Clock, told: Told) -> StoreError | None:
    """Record what waits, and return why that cannot be: then nothing else that is written needs to be tried for long."""
    try:
        spool.replay(store, clock, told, AT_ONCE_S)
    except StoreError as error:
        return error
    return None


def kept(spool: Spool, done: cycles.Cycle, error: StoreError) -> NotRecorded:
    """Keep in the spool what could not be recorded because of *error*; say what became of it."""
    one = len(done.seen) == 1
    many = "1 answer is" if one else f"{len(done.seen)} answers are"
    try:
        spool.keep(replace(done, counted=replace(done.counted, error=str(error))))
    except OSError as worse:
        return NotRecorded(error, f"{many} lost, for nothing can be kept beside it either ({worse.strerror or worse})")
    return NotRecorded(error, f"{many} kept in {spool.folder} and {'comes' if one else 'come'} with the next run")


def put_off(what: str, error: StoreError) -> StoreError:
    """Log that something could not be written that the next cycle can write as well: this one goes on."""
    log.warning("%s cannot be written now: %s", what, error)
    return error


def begin_maintenance(config: Config, store: Store, now: datetime) -> None:
    """Write the windows that have begun, in a transaction of their own: no answer waits for them or falls with them."""
    with store.reading() as db:
        due = maintenance.due(db, config.maintenance, now)
    if not due:
        return
    try:
        with store.writing() as db:
            maintenance.begin(db, config.maintenance, now)
    except StoreError as error:
        put_off("the maintenance that has begun", error)


def warn_of_ours(due: Sequence[Due], verdicts: Sequence[Verdict], stands: Mapping[str, Standing | None]) -> None:
    """Say once what keeps us from asking: a secret that is not there, a tool that does not start."""
    for one, verdict in zip(due, verdicts, strict=True):
        if verdict.reason is Reason.LOCAL_ERROR:
            before = stands.get(one.check.key)
            if before is None or before.said is not Reason.LOCAL_ERROR:
                log.warning("%s could not be asked: %s", one.check.service, verdict.text)


def seen_as(due: Due, answer: Answer, verdict: Verdict) -> record.Seen:
    """Make the row of history that an answer and its verdict are."""
    return record.Seen(
        check=due.check,
        observation=Observation(
            check=due.check.key,
            at=from_ms(to_ms(answer.at)),  # what a row keeps
            outcome=verdict.outcome,
            took=answer.took,
            code=answer.reading.code if answer.reading else None,
            reason=verdict.reason,
            attempt=due.attempt,
        ),
        text=verdict.text if verdict.outcome is not Outcome.PASS else "",
        components=verdict.components,
        instances=verdict.instances,
        retry_after=verdict.retry_after,
        version=verdict.facts.get("version"),
        uptime=verdict.facts.get("uptime_s"),
    )


# Our own failures are never theirs


def guarded(
    config: Config,
    ask: Ask,
    answers: Sequence[Answer],
    standings: Standings,
    proven: set[str],
    now: datetime,
    pace: Pace,
) -> tuple[list[Verdict], tuple[str, ...]]:
    """Judge the answers, and excuse those that our own network or resolver is to blame for.

    What the other checks said in the last interval counts as evidence, and the control targets, which are asked
    only when there is something to excuse; those that never answered, as far as is *proven*, prove nothing and are
    left out. Return with the verdicts which of them answered for the first time.
    """
    judged = [(answer, judge.verdict(answer)) for answer in answers]
    if not any(judge.excusable(answer) for answer in answers):
        return [verdict for _, verdict in judged], ()
    asked = {answer.check.key for answer in answers}
    since = now - pace.every * MS
    others = [
        remembered(check, standing)
        for check, standing in standings
        if standing is not None and standing.last >= since and check.key not in asked
    ]
    controls = [(answer, judge.verdict(answer)) for answer in (ask(config.controls) if config.controls else ())]
    passed = {answer.check.target for answer, verdict in controls if verdict.outcome is Outcome.PASS}
    heard = [(answer, verdict) for answer, verdict in controls if answer.check.target in proven | passed]
    return judge.guard([*judged, *others], heard)[: len(judged)], tuple(sorted(passed - proven))


def remembered(check: Check, standing: Standing) -> tuple[Answer, Verdict]:
    """Make of a check's newest observation the answer that it was, as far as the guard wants to know."""
    answer = Answer(check=check, at=standing.last, took=standing.took, reason=standing.said)
    return answer, Verdict(outcome=standing.outcome, reason=standing.said)


# Finding


def discover(config: Config, store: Store, now: datetime, find: Find, pace: Pace) -> list[str]:
    """Bring the catalog up to date when a source is due or the configuration is another one; return a line a change."""
    with store.reading() as db:
        tried = catalog.tried(db)
        changed = not is_recorded(config, db)
    slack = timedelta(milliseconds=pace.every // 2)  # a cron run that is a little early is not put off by a round
    wait = timedelta(milliseconds=config.discover_every) - slack
    due = any(name not in tried or not timedelta() <= now - tried[name] < wait for name in config.discover)
    if not (due or changed):
        return []
    found, learned = find(config.discover, context_of(config, store)) if config.discover else ([], {})
    with store.writing() as db:
        for one in found:
            before = () if one.complete else catalog.newest(db, one.source)
            fresh = {target.key for target in one.targets}
            targets = [*one.targets, *(target for target in before if target.key not in fresh)]
            told = catalog.keep_source(db, one.source, now, one.took, one.error, targets)
            for line in told:
                log.log(logging.WARNING if one.error else logging.INFO, "%s", line)
        catalog.keep_speaks(db, learned, now)
        upkeep.keep_zone(db, store.zone)
        lines = sync(config, db, now, {one.source for one in found if one.ok})
        for one in found:  # only now is it known which service each one is about
            surroundings.keep_findings(db, one.source, now, one.findings)
        maintenance.begin(db, config.maintenance, now, look=True)  # services that came during a window are in it too
        note(db, "config", fingerprint(config))
        note(db, "sources", msgspec.json.encode(marks(config)).decode())
    for line in lines:
        log.info("%s", line)
    return lines


def context_of(config: Config, store: Store | None = None) -> Context:
    """Gather what the sources are told: by the configuration and, where there is one, by the record."""
    context = Context(
        folder=config.folder,
        environ=dict(os.environ),
        ask_from=config.ask_from,
        rules=config.rules,
        group_by=config.group_by,
    )
    if store is None:
        return context
    with store.reading() as db:
        return replace(context, known=sightings.known_names(db), speaks=catalog.speaks(db))


def sync(config: Config, db: Connection, now: datetime, answered: set[str]) -> list[str]:
    """Join what the configuration says with the newest good answer of each source, and keep the catalog."""
    targets = list(config.targets)
    for name, (_, newest) in catalog.sources(db).items():
        if name in config.discover:
            targets += [with_defaults(one, config) for one in newest]
    silent = {name for name in config.discover if import_module(SOURCES[name]).ABSENCE == "silent"}
    return catalog.sync(
        db,
        merge(targets, sightings.known_sightings(db)),
        now,
        configured=frozenset({"config", *config.discover}),
        succeeded=frozenset({"config", *answered}),
        silent=frozenset(silent),
        public=config.defaults.public,
        passed_over={one.key for one in targets if one.skipped},
        edited=edited(config, db),
    )


def with_defaults(target: Target, config: Config) -> Target:
    """Give the checks of a discovered target what [defaults] says, where the declaration left it open.

    And no more freedom than that: who writes a label does not say where this machine goes.
    """
    plain = Check(key="", service="", kind="", target="")
    names = ("every", "timeout", "failure_threshold", "success_threshold", "degraded_above", "grace")
    checks = []
    for check in target.checks:
        open_ = {name: getattr(config.defaults, name) for name in names if getattr(check, name) == getattr(plain, name)}
        if "every" in open_ and check.declared_every == plain.declared_every:
            open_["declared_every"] = open_["every"]
        checks.append(replace(check, **open_, trusted=False, allowed=config.defaults.allow_addresses))
    return confined(replace(target, checks=tuple(checks)), allow_exec=config.defaults.allow_exec)


def is_recorded(config: Config, db: Connection) -> bool:
    """Say whether what the record has of the sources was found with this configuration."""
    return meta(db, "config") == fingerprint(config)


def fingerprint(config: Config) -> str:
    """Name what the catalog depends on in the configuration, so that a change is seen."""
    found = (sorted(config.discover.items()), config.rules, config.group_by)
    return mark((config.targets, found, config.defaults, str(config.timezone)))


def edited(config: Config, db: Connection) -> frozenset[str]:
    """Return the sources that were looked through with other settings or rules before."""
    before: dict[str, str] = msgspec.json.decode(meta(db, "sources") or "{}")
    return frozenset(name for name, now in marks(config).items() if before.get(name, now) != now)


def marks(config: Config) -> dict[str, str]:
    """Name for each source what it finds and passes over by, so that a change is seen."""
    return {name: mark((settings, config.rules)) for name, settings in config.discover.items()}


def mark(value: Any) -> str:
    """Name *value*, so that another one is told from it."""
    return hashlib.sha256(msgspec.json.encode(value, enc_hook=repr)).hexdigest()
