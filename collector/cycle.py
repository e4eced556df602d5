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
from .catalog import Due, Pace, merge, plan
from .config import Config
from .discover import SOURCES, Context, Found, find_all
from .model import MS, Answer, Check, Flip, Observation, Outcome, Reason, Standing, Target, Verdict
from .store import Store, catalog, record, upkeep
from .store.derive import meta, note

log = logging.getLogger(__name__)

Ask = Callable[[Sequence[Check]], Sequence[Answer]]
Clock = Callable[[], datetime]
Find = Callable[[Mapping[str, Any], Context], tuple[list[Found], dict[str, bool]]]
Claim = Callable[[Sequence[Due]], Sequence[Due]]


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
    confirming: bool = False,
) -> Report:
    """Find services if that is due, ask every check that is due, and record the answers in one transaction.

    *pace* says how time is cut into slots. *run* continues the row of an earlier cycle in the view `runs`. *find*
    of none leaves discovery to somebody else. *claim* may take checks out that are being asked elsewhere. When *confirming*, no new slots are begun.
    Whatever *ask* raises ends the cycle before anything of it is written.
    """
    pace = pace or Pace(every=config.defaults.every)
    changes = discover(config, store, clock(), find, pace) if find is not None else []
    started = clock()
    with store.reading() as db:
        standings = catalog.plannable(db, started)
    planned = plan(standings, started, pace, confirming=confirming)
    due = claim(planned.due)
    if not due:
        return Report(run=run, planned=0, observed=0, changes=changes, next=planned.next)
    answers = ask([one.check for one in due])
    verdicts = guarded(config, store, ask, answers, standings, started, pace)
    warn_of_ours(due, verdicts, standings)
    seen = [seen_as(one, answer, verdict) for one, answer, verdict in zip(due, answers, verdicts, strict=True)]
    seen.sort(key=lambda one: one.observation.at)
    with store.writing() as db:
        flips = record.observed(db, seen, store.zone)
        counted = record.Counted(
            trigger=trigger,
            started=started,
            ended=clock(),
            planned=len(due),
            observed=len(seen),
            late=max(one.late for one in due),
        )
        run = record.count_run(db, run, counted)
        lost = [one.late + one.check.every for one in due if one.late >= one.check.every]
        if lost:
            longest = max(lost) // 1000
            record.event(db, started, "missed", f"{len(lost)} checks lost a slot: one was not asked for {longest} s")
    return Report(run=run, planned=len(due), observed=len(seen), flips=flips, changes=changes, next=planned.next)


def warn_of_ours(
    due: Sequence[Due], verdicts: Sequence[Verdict], standings: Sequence[tuple[Check, Standing | None]]
) -> None:
    """Say once what keeps us from asking: a secret that is not there, a tool that does not start."""
    before = {check.key: standing.said for check, standing in standings if standing is not None}
    for one, verdict in zip(due, verdicts, strict=True):
        if verdict.reason is Reason.LOCAL_ERROR and before.get(one.check.key) is not Reason.LOCAL_ERROR:
            log.warning("%s could not be asked: %s", one.check.service, verdict.text)


def seen_as(due: Due, answer: Answer, verdict: Verdict) -> record.Seen:
    """Make the row of history that an answer and its verdict are."""
    return record.Seen(
        check=due.check,
        observation=Observation(
            check=due.check.key,
            at=answer.at,
            outcome=verdict.outcome,
            took=answer.took,
            code=answer.reading.code if answer.reading else None,
            reason=verdict.reason,
            attempt=due.attempt,
        ),
        text=verdict.text if verdict.outcome is not Outcome.PASS else "",
    )


# Our own failures are never theirs


def guarded(
    config: Config,
    store: Store,
    ask: Ask,
    answers: Sequence[Answer],
    standings: Sequence[tuple[Check, Standing | None]],
    now: datetime,
    pace: Pace,
) -> list[Verdict]:
    """Judge the answers, and excuse those that our own network or resolver is to blame for.

    What the other checks said in the last interval counts as evidence, and the control targets, which are asked
    only when there is something to excuse.
    """
    judged = [(answer, judge.verdict(answer)) for answer in answers]
    if not any(judge.excusable(answer) for answer in answers):
        return [verdict for _, verdict in judged]
    asked = {answer.check.key for answer in answers}
    since = now - pace.every * MS
    others = [
        remembered(check, standing)
        for check, standing in standings
        if standing is not None and standing.last >= since and check.key not in asked
    ]
    return judge.guard([*judged, *others], controls(config, store, ask))[: len(judged)]


def remembered(check: Check, standing: Standing) -> tuple[Answer, Verdict]:
    """Make of a check's newest observation the answer that it was, as far as the guard wants to know."""
    answer = Answer(check=check, at=standing.last, took=standing.took, reason=standing.said)
    return answer, Verdict(outcome=standing.outcome, reason=standing.said)


def controls(config: Config, store: Store, ask: Ask) -> list[tuple[Answer, Verdict]]:
    """Ask the control targets; those that never answered prove nothing and are left out."""
    if not config.controls:
        return []
    judged = [(answer, judge.verdict(answer)) for answer in ask(config.controls)]
    with store.reading() as db:
        known = set(msgspec.json.decode(meta(db, "controls", "[]")))
    answered = {answer.check.target for answer, verdict in judged if verdict.outcome is Outcome.PASS}
    if answered - known:
        with store.writing() as db:
            note(db, "controls", msgspec.json.encode(sorted(known | answered)).decode())
    return [(answer, verdict) for answer, verdict in judged if answer.check.target in known | answered]


# Finding


def discover(config: Config, store: Store, now: datetime, find: Find, pace: Pace) -> list[str]:
    """Bring the catalog up to date when a source is due or the configuration is another one; return a line a change."""
    wanted = fingerprint(config)
    with store.reading() as db:
        tried = catalog.sources(db)
        changed = meta(db, "config") != wanted
        context = Context(
            folder=config.folder,
            known=catalog.known_names(db),
            speaks=catalog.speaks(db),
            environ=dict(os.environ),
        )
    slack = timedelta(milliseconds=pace.every // 2)  # a cron run that is a little early is not put off by a round
    wait = timedelta(milliseconds=config.discover_every) - slack
    due = any(name not in tried or not timedelta() <= now - tried[name][0] < wait for name in config.discover)
    if not (due or changed):
        return []
    found, learned = find(config.discover, context) if config.discover else ([], {})
    with store.writing() as db:
        for one in found:
            before = () if one.complete or one.source not in tried else tried[one.source][1]
            fresh = {target.key for target in one.targets}
            targets = [*one.targets, *(target for target in before if target.key not in fresh)]
            failed = catalog.keep_source(db, one.source, now, one.took, one.error, targets, one.findings)
            if failed:
                log.warning("%s", failed)
        catalog.keep_speaks(db, learned, now)
        upkeep.keep_zone(db, store.zone)
        lines = sync(config, db, now, {one.source for one in found if one.ok})
        note(db, "config", wanted)
    for line in lines:
        log.info("%s", line)
    return lines


def sync(config: Config, db: Connection, now: datetime, answered: set[str]) -> list[str]:
    """Join what the configuration says with the newest good answer of each source, and keep the catalog."""
    targets = list(config.targets)
    for name, (_, newest) in catalog.sources(db).items():
        if name in config.discover:
            targets += [with_defaults(one, config) for one in newest]
    silent = {name for name in config.discover if import_module(SOURCES[name]).ABSENCE == "silent"}
    return catalog.sync(
        db,
        merge(targets, catalog.known_sightings(db)),
        now,
        configured=frozenset({"config", *config.discover}),
        succeeded=frozenset({"config", *answered}),
        silent=frozenset(silent),
        public=config.defaults.public,
    )


def with_defaults(target: Target, config: Config) -> Target:
    """Give the checks of a discovered target what [defaults] says, where the declaration left it open."""
    plain = Check(key="", service="", kind="", target="")
    names = ("every", "timeout", "failure_threshold", "success_threshold", "degraded_above", "grace")
    checks = []
    for check in target.checks:
        open_ = {name: getattr(config.defaults, name) for name in names if getattr(check, name) == getattr(plain, name)}
        if "every" in open_ and check.declared_every == plain.declared_every:
            open_["declared_every"] = open_["every"]
        checks.append(replace(check, **open_))
    return replace(target, checks=tuple(checks))


def fingerprint(config: Config) -> str:
    """Name what the catalog depends on in the configuration, so that a change is seen."""
    parts = (config.targets, sorted(config.discover.items()), config.defaults, str(config.timezone))
    return hashlib.sha256(repr(parts).encode()).hexdigest()
