"""How a state came to be, in words: a pure account of what was known of one service at one moment."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from .causes import Blocked, Cause
from .hints import Hint, Known, Symptom, hints
from .history import BADNESS, as_ready, current, grace_of, silent_from
from .model import (
    MS,
    SECOND,
    Check,
    Correction,
    Flapping,
    Flip,
    Observation,
    Outcome,
    Reason,
    Role,
    Run,
    Service,
    Span,
    Standing,
    State,
    Target,
    Window,
)
from .show import table

# reasons by which our own failures are told from theirs, and what each means
EXCUSES: Mapping[Reason, str] = {
    Reason.NO_SAMPLE: "nobody asked, or no answer was recorded",
    Reason.MONITOR_OFFLINE: "our own network was at fault (no control target answered, or nobody elsewhere did)",
    Reason.MONITOR_ASLEEP: "the machine that asks was asleep",
    Reason.DNS_RESOLVER: "our own resolver was at fault (at least half of the names asked did not resolve)",
    Reason.LOCAL_ERROR: "uplog itself could not ask",
    Reason.PAUSED: "an operator paused it",
    Reason.STARTING: "it is starting, and no threshold is reached yet",
    Reason.FORBIDDEN: "we do not ask at such an address",
    Reason.NO_ENDPOINT: "there is nothing to ask",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One name under which a source saw the service."""

    source: str
    ref: str
    name: str
    layer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One observation, with the interval in force and the raw text."""

    observation: Observation
    every: int
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One check as it stood at the moment that is explained."""

    check: Check
    declared: bool  # it is asked today
    line: Sequence[Flip]  # its timeline as it was known, oldest first
    standing: Standing | None  # with the four runs; none when it did not live, or its answers are not kept any more
    newest: Sequence[Told]  # the newest observations, oldest first
    deciding: Sequence[Told]  # those that made the newest flip
    kept: bool  # the single answers of that time are still kept

    @property
    def flip(self) -> Flip | None:
        """The newest flip; its state holds."""
        return self.line[-1] if self.line else None

    @property
    def state(self) -> State | None:
        """The state of this check alone; none where it says nothing."""
        return self.flip.state if self.flip else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A correction that touches the moment, with who made it."""

    id: int
    correction: Correction
    who: str
    made: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """All that was known of one service at one moment."""

    at: datetime
    service: Service
    first_seen: datetime
    paused: bool
    paused_until: datetime | None  # none: until somebody resumes it
    retired: datetime | None  # a moment not after `at`
    sightings: Sequence[Sighting]
    checks: Sequence[Asked]
    spans: Sequence[Span]  # with corrections and maintenance laid over
    windows: Sequence[Window] = ()  # that touch the moment
    corrections: Sequence[Corrected] = ()
    flapping: Flapping | None = None
    causes: Sequence[Cause] = ()  # what it probably comes from, the deepest first
    blocked: Sequence[Blocked] = ()  # it and those behind it that wait for what never becomes healthy
    elsewhere: Sequence[tuple[str, int]] = ()  # usual paths that answer now, where the declared one is not found


# What decided


def state_of(why: Why) -> tuple[State | None, Reason | None, datetime | None]:
    """Return state, reason and since; a state of none where no check lived."""
    if why.retired is not None:
        return None, None, why.retired
    standing = current(why.spans, why.at)
    if standing is not None:
        return standing
    return State.UNKNOWN, Reason.NO_SAMPLE if why.checks else Reason.NO_ENDPOINT, None


def decider(why: Why) -> Asked | None:
    """Return the check whose state is the service's: the worst by its role, of equals the one that came there first."""
    liveness = liveness_of(why.checks)
    weighed = [
        (-BADNESS[as_ready(one.check.role, flip.state, flip.reason, liveness)[0]], flip.at, place)
        for place, one in enumerate(why.checks)
        if (flip := one.flip) and flip.state
    ]
    return why.checks[min(weighed)[2]] if weighed else None


def liveness_of(checks: Iterable[Asked]) -> State | None:
    """Return the worst state of the living checks that say whether a service lives; none without such a check."""
    states = [one.state for one in checks if one.state is not None and one.check.role is not Role.READINESS]
    return max(states, key=BADNESS.__getitem__, default=None)


def because(why: Why) -> list[str]:
    """Say in sentences how the state came to be: which check decided, by which rule, and what was laid over it."""
    if why.retired is not None:
        return [f"It is retired since {moment(why.retired)}: off the page, and its history stays."]
    one = decider(why)
    if one is None:
        return [nothing_lives(why.checks)]
    living = [asked for asked in why.checks if asked.state is not None]
    sentences = [f"{choice(one, living)}: {rule(one, why.at)}."]
    sentences += [f"{more}." for more in (as_role(one, living), before(why, one)) if more]
    if why.paused:
        sentences.append(f"It is paused{until(why.paused_until)}: it is not asked.")
    sentences += [
        f"Correction {laid.id} says {laid.correction.state} instead, from {stretch(laid.correction)}: "
        f"{laid.correction.why} ({laid.who}, {moment(laid.made)})."
        for laid in why.corrections
    ]
    sentences += [
        f"It is in maintenance since {moment(one.start)}{until(one.end)}"
        f"{f': {one.text}' if one.text else ''}; that time is not counted as uptime or downtime."
        for one in why.windows
    ]
    if why.flapping:
        sentences.append(f"It is {flaps(why.flapping)}.")
    return [*sentences, *likely(why)]


def likely(why: Why) -> list[str]:
    """Say in sentences what the failure probably comes from, and who waits behind it."""
    sentences = [f"Probably because {cause}." for cause in why.causes]
    for one in why.blocked:
        who = "It" if one.service in names_of(why) else one.service
        sentences.append(f"{who} cannot start: {one}.")
    if why.elsewhere:
        there = ", ".join(f"{path} ({code})" for path, code in why.elsewhere)
        sentences.append(f"Its path is not there, but this answers now: {there}. Nothing switches by itself.")
    return sentences


def names_of(why: Why) -> set[str]:
    """Return all names that the service was seen by."""
    return {why.service.name, *(one.name for one in why.sightings)}


def not_found(why: Why) -> Check | None:
    """Return the check that decides when its newest answer was that its path is not there."""
    one = decider(why)
    if one is None or one.check.kind != "http" or not one.newest or one.state is State.UP:
        return None
    return one.check if one.newest[-1].observation.code == 404 else None


def nothing_lives(checks: Sequence[Asked]) -> str:
    """Say why no check says anything."""
    if not checks:
        return "There is nothing to ask: it has no check."
    return (
        "None of its checks says anything any more."
        if any(one.newest or one.line for one in checks)
        else "It was not asked yet."
    )


def before(why: Why, one: Asked) -> str:
    """Say that the service stood so before the check that decides did; empty when it did not."""
    state, _, since = state_of(why)
    if one.flip is None or since is None or since >= one.flip.at or why.corrections:
        return ""
    return f"The service was {state} before that, since {moment(since)}: its reason is that of what came first"


def choice(one: Asked, living: Sequence[Asked]) -> str:
    """Name the check that decides, and among how many."""
    name = called(one.check)
    if len(living) == 1:
        return f"Its only living check, {name}, decides"
    return f"The worst of its {len(living)} living checks decides, {name}"


def as_role(one: Asked, living: Sequence[Asked]) -> str:
    """Say what became of a readiness check that stands down; empty where the role changes nothing."""
    if one.check.role is not Role.READINESS or one.state is not State.DOWN:
        return ""
    liveness = liveness_of(living)
    if liveness is None:
        return "It is about readiness, and no check says whether the service lives: so down is down"
    if liveness is State.UNKNOWN:
        return "It is about readiness, and liveness is unknown: so the service is unknown/not_ready"
    return f"It is about readiness, and liveness is {liveness}: not ready is not dead, so degraded/not_ready"


# The rule that a check's state follows from


def rule(one: Asked, at: datetime) -> str:
    """Say which rule of DESIGN, section 3, gave a check its state."""
    flip = one.flip
    if flip is None:
        return "it was over within its first second" if one.newest else "it was not asked yet"
    since = f"since {moment(flip.at)}"
    if flip.state is None:
        return f"says nothing {since}: its startup was over, its service stopped declaring it, or was retired"
    if flip.state is State.UNKNOWN:
        return f"unknown {since}: {unknown(one, flip, at)}"
    return f"{flip.state} {since}: {run_of(one, flip)}"


def unknown(one: Asked, flip: Flip, at: datetime) -> str:
    """Say why nothing is known: silence, a start, or a failure of our own."""
    if flip.reason is Reason.NO_SAMPLE:
        if not one.deciding:
            return "no answer came within 2.5 intervals"
        last = one.deciding[-1]
        return (
            f"no answer came within 2.5 x {interval(last.every)} after {exact(last.observation.at)}, "
            f"so nothing is known from one interval after it"
        )
    if flip.reason is Reason.STARTING:
        grace = grace_of(one.check)
        ends = flip.made + grace * MS
        waits = f"; failures do not count before {moment(ends)} or its first pass" if grace and at < ends else ""
        return f"first asked then, and no threshold is reached yet{waits}"
    return f"the answer says nothing of the service: {EXCUSES.get(flip.reason, flip.reason) if flip.reason else '?'}"


def run_of(one: Asked, flip: Flip) -> str:
    """Say which run of answers reached which threshold, when it began and how it went on."""
    what, threshold = crossed(one, flip)
    run = [told for told in one.deciding if told.observation.outcome in COUNTED[what]]
    if not run:
        return f"{counted(threshold, what)} in a row (threshold {threshold}); the single answers are no longer kept"
    first, count = run[0], len(run)
    row = f"{counted(count, what)}{' in a row' if count > 1 else ''} (threshold {threshold})"
    if count == 1:
        return f"{row}, at {exact(first.observation.at, date=False)}{said(first.observation)}"
    began = f"the first at {exact(first.observation.at, date=False)}{said(first.observation)}"
    return "; ".join([f"{row}, {began}", *confirmed(run)])


def crossed(one: Asked, flip: Flip) -> tuple[str, int]:
    """Return what was counted for the state of *flip*, and the threshold it reached."""
    check = one.check
    if flip.state is State.DOWN:
        return FAILURE, check.failure_threshold
    if flip.state is State.UP:
        return PASS, check.success_threshold
    before = one.line[-2].state if len(one.line) > 1 else None
    if before is State.DOWN:
        return NO_FAILURE, check.success_threshold
    return NO_PASS, check.failure_threshold


FAILURE, PASS = "failure", "pass"
NO_FAILURE, NO_PASS = "answer that did not fail", "answer that did not pass"
COUNTED = {
    FAILURE: {Outcome.FAIL},
    PASS: {Outcome.PASS},
    NO_FAILURE: {Outcome.PASS, Outcome.WARN},
    NO_PASS: {Outcome.WARN, Outcome.FAIL},
}


def confirmed(run: Sequence[Told]) -> list[str]:
    """Say how soon after the attempt before it each confirmation was made."""
    waits = [
        f"{round((late.observation.at - early.observation.at - max(early.observation.took, 0) * MS) / SECOND)} s"
        for early, late in pairwise(run)
        if late.observation.attempt > 1
    ]
    return [f"confirmed after {' and '.join(waits)}"] if waits else []


# What to look at


def hints_of(why: Why) -> tuple[Hint, ...]:
    """Return the likely causes, with what shows them; none where all is well, or was retired."""
    symptom = symptom_of(why)
    return hints(symptom, known_of(why), without=("why",)) if symptom else ()


def symptom_of(why: Why) -> Symptom | None:
    """Return what is to be explained: what the check that decides was told last, or why nobody knows anything."""
    state, reason, _ = state_of(why)
    if why.retired is not None or state in (None, State.UP) or reason is None:
        return None
    one = decider(why)
    if one is not None and one.check.kind == "import":  # nobody here asks it
        return None
    flip = one.flip if one else None
    if one is None or flip is None or flip.reason is Reason.NO_SAMPLE or reason in (Reason.PAUSED, Reason.NO_SAMPLE):
        return Symptom(reason=reason, check=one.check if one else None)
    said = one.newest[-1].observation.reason if one.newest else None
    starting = flip.reason is Reason.STARTING or one.check.role is Role.STARTUP
    return Symptom(reason=said or flip.reason or reason, check=one.check, starting=starting)


def known_of(why: Why) -> Known:
    """Return what is known of the service by the names that sources saw it under."""
    source, _, rest = why.service.key.partition("/")
    project = rest.partition("/")[0]
    return Known(
        name=why.service.name,
        targets=tuple(
            Target(source=one.source, ref=one.ref, name=one.name, project=project if one.source == source else "")
            for one in why.sightings
        ),
    )


# The four runs


def runs_of(one: Asked, at: datetime) -> dict[str, Run]:
    """Return the runs that stood at *at*; all are empty when a gap had ended them."""
    standing = one.standing
    if standing is None or silent_from(standing.last, standing.every, at) is not None:
        return dict.fromkeys(RUNS, Run())
    return {
        "fails": standing.fails,
        "not passes": standing.not_passes,
        "passes": standing.passes,
        "not fails": standing.not_fails,
    }


RUNS = ("fails", "not passes", "passes", "not fails")


# Words


def called(check: Check) -> str:
    """Name a check by kind, declared name and role."""
    return " ".join(part for part in (check.kind, check.name, f"({check.role})") if part)


def said(observation: Observation) -> str:
    """Say what one answer said, after a colon: code and reason; nothing where it said neither."""
    words = [str(part) for part in (observation.code, observation.reason) if part is not None]
    return f": {' '.join(words)}" if words else ""


def counted(count: int, what: str) -> str:
    """Write a number of things, of which the first word is counted.

    >>> counted(3, "failure"), counted(1, "pass"), counted(2, "answer that did not pass")
    ('3 failures', '1 pass', '2 answers that did not pass')
    """
    if count == 1:
        return f"1 {what}"
    first, _, rest = what.partition(" ")
    return f"{count} {first}{'es' if first.endswith('s') else 's'}{' ' + rest if rest else ''}"


def flaps(flapping: Flapping) -> str:
    """Say how restless the last hour was.

    >>> flaps(Flapping(flips=6, failed=37, observations=100))
    'flapping: 6 changes in the last hour, 37% of answers failed'
    """
    share = f", {100 * flapping.failed // flapping.observations}% of answers failed" if flapping.observations else ""
    return f"flapping: {flapping.flips} changes in the last hour{share}"


def moment(at: datetime) -> str:
    """Write a moment to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S}"


def exact(at: datetime, date: bool = True) -> str:
    """Write a moment to the millisecond.

    >>> exact(datetime(2026, 11, 21, 12, 3, 0, 120_000), date=False)
    '12:03:00.120'
    """
    clock = f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"
    return f"{at:%Y-%m-%d} {clock}" if date else clock


def until(end: datetime | None) -> str:
    """Write the end of something that goes on, with a space before it."""
    return f" until {moment(end)}" if end else " until further notice"


def stretch(correction: Correction) -> str:
    """Write from when to when."""
    return f"{moment(correction.start)} to {moment(correction.end)}"


def interval(ms: int) -> str:
    """Write an interval.

    >>> interval(60_000), interval(2_500)
    ('60 s', '2.5 s')
    """
    return f"{ms / 1000:g} s"


# For people, and for machines


def text(why: Why, shape: Callable[[str], str]) -> str:
    """Write all of it for people, as `uplog check` writes what it saw; moments are UTC."""
    state, reason, since = state_of(why)
    service = why.service
    title = [service.name, state or "retired", reason or "", f"since {moment(since)}" if since else ""]
    head = [
        f"{shape(state or '')} {'  '.join(part for part in title if part)}",
        f"    {service.key}  found by {service.source}{f'  group {service.group}' if service.group else ''}",
        *(f"    seen as {one.name}  {one.source}  {one.layer}  {one.ref}".rstrip() for one in why.sightings),
        f"    as of {moment(why.at)} UTC",
        "",
        *because(why),
    ]
    asked = [line for one in why.checks for line in ("", *check_lines(one, why.at, shape))]
    tries = [f"try {hint}" for hint in hints_of(why)]
    return "\n".join([*head, *asked, *([""] if tries else []), *tries])


def check_lines(one: Asked, at: datetime, shape: Callable[[str], str]) -> Iterator[str]:
    """Write one check: what it asks, its rule, its runs, and what it was told last."""
    check, flip = one.check, one.flip
    title = [called(check), one.state or "not asked", (flip.reason or "") if flip else ""]
    yield f"{shape(one.state or '')} {'  '.join(part for part in title if part)}"
    if check.target:  # what is imported is never asked
        yield f"    {check.target}"
    yield f"    {terms(check)}"
    yield f"    {rule(one, at)}"
    going = [counted_run(name, run, check) for name, run in runs_of(one, at).items() if run.count]
    if going:
        yield f"    in a row: {', '.join(going)}"
    if not one.kept:
        yield "    the single answers of that time are no longer kept"
    columns = [column for column in zip(*map(row, one.newest), strict=True) if any(column)]
    yield from table(zip(*columns, strict=True), indent="    ").splitlines()


def terms(check: Check) -> str:
    """Say how a check is asked, and what it takes to change its state."""
    declared = "" if check.declared_every == check.every else f" (declared {interval(check.declared_every)})"
    grace = f", grace {interval(grace_of(check))}" if grace_of(check) else ""
    return (
        f"every {interval(check.every)}{declared}, waits {interval(check.timeout)}, "
        f"down after {counted(check.failure_threshold, FAILURE)}, up after {counted(check.success_threshold, PASS)}"
        f"{grace}"
    )


def counted_run(name: str, run: Run, check: Check) -> str:
    """Write a run: how many (none is counted beyond the larger threshold), since when, and why the first of them."""
    more = "+" if run.count >= max(check.failure_threshold, check.success_threshold) else ""
    since = f" since {exact(run.first)}" if run.first else ""
    return f"{name} {run.count}{more}{since}{f' {run.reason}' if run.reason else ''}"


def row(told: Told) -> tuple[str, ...]:
    """Write one observation as the cells of a table."""
    one = told.observation
    took = f"{one.took} ms" if one.took >= 0 else ""
    attempt = f"attempt {one.attempt}" if one.attempt > 1 else ""
    return exact(one.at), one.outcome, str(one.code or ""), one.reason or "", took, attempt, told.text


def as_json(why: Why) -> dict[str, Any]:
    """Write all of it for machines."""
    state, reason, since = state_of(why)
    decided = decider(why)
    service = why.service
    return {
        "service": service.key,
        "name": service.name,
        "group": service.group,
        "source": service.source,
        "sightings": [
            {"source": one.source, "ref": one.ref, "name": one.name, "layer": one.layer} for one in why.sightings
        ],
        "at": iso(why.at),
        "state": state,
        "reason": reason,
        "since": iso(since),
        "because": because(why),
        "decided_by": decided and decided.check.key,
        "paused": why.paused,
        "retired": iso(why.retired),
        "checks": [check_json(one, why.at) for one in why.checks],
        "maintenance": [{"started": iso(one.start), "ended": iso(one.end), "text": one.text} for one in why.windows],
        "corrections": [
            {
                "id": one.id,
                "started": iso(one.correction.start),
                "ended": iso(one.correction.end),
                "state": one.correction.state,
                "why": one.correction.why,
                "who": one.who,
                "made": iso(one.made),
            }
            for one in why.corrections
        ],
        "flapping": why.flapping and asdict(why.flapping),
        "causes": [{"chain": one.chain, "state": one.state, "since": iso(one.since)} for one in why.causes],
        "blocked": [asdict(one) for one in why.blocked],
        "elsewhere": [{"path": path, "code": code} for path, code in why.elsewhere],
        "hints": [asdict(hint) for hint in hints_of(why)],
    }


def check_json(one: Asked, at: datetime) -> dict[str, Any]:
    """Write one check for machines."""
    check, flip = one.check, one.flip
    return {
        "check": check.key,
        "kind": check.kind,
        "role": check.role,
        "target": check.target,
        "state": one.state,
        "reason": flip.reason if flip else None,
        "since": iso(flip.at) if flip else None,
        "rule": rule(one, at),
        "every_s": check.every / 1000,
        "declared_every_s": check.declared_every / 1000,
        "timeout_s": check.timeout / 1000,
        "failure_threshold": check.failure_threshold,
        "success_threshold": check.success_threshold,
        "grace_s": grace_of(check) / 1000,
        "runs": {
            name.replace(" ", "_"): {"count": run.count, "first": iso(run.first), "reason": run.reason}
            for name, run in runs_of(one, at).items()
        },
        "answers_kept": one.kept,
        "observations": [observation_json(told) for told in one.newest],
    }


def observation_json(told: Told) -> dict[str, Any]:
    """Write one observation for machines."""
    one = told.observation
    return {
        "at": iso(one.at),
        "outcome": one.outcome,
        "latency_ms": one.took if one.took >= 0 else None,
        "code": one.code,
        "reason": one.reason,
        "attempt": one.attempt,
        "text": told.text,
    }


def iso(at: datetime | None) -> str | None:
    """Write a moment for machines, to the millisecond where that says more; none without one."""
    if at is None:
        return None
    return f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{at.microsecond // 1000:03}Z" if at.microsecond else "Z")
