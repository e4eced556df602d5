"""Join what the sources saw into services, and say what it means when one of them is no longer seen.

All values in, values out: the store reads and writes them.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .joining import Identity, Known, grouped, identified, rank, stem_of
from .model import Check, Target
from .probes.allowed import unfit

RETIRE_AFTER = timedelta(minutes=10)
RETIRE_AFTER_MISSES = 3
ADDRESS = re.compile(r"://|:\d+\b|::|(?:\d{1,3}\.){3}\d{1,3}")  # a URL, a port, an IP address
RESERVED = frozenset({"all"})  # no slug of a service: badge/all.svg tells of everything
STATES_OF_MANAGERS = {"systemd", "docker", "kubernetes", "pm2"}  # kinds that ask a manager, not the service


# Joining


def confined(target: Target, *, allow_exec: bool) -> Target:
    """Skip a discovered *target* that asks for what discovery may not bring."""
    flaw = next((flaw for check in target.checks if (flaw := unfit(check, allow_exec=allow_exec))), None)
    return replace(target, skipped=target.skipped or flaw) if flaw else target


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One service as all sources together see it now."""

    key: str
    targets: Sequence[Target]  # by precedence, the first one's word counts
    checks: Sequence[Check]
    aliases: Sequence[str] = ()  # keys of services that prove to be this one
    given: str | None = None  # the name that an operator gave it

    @property
    def name(self) -> str:
        """The display name: what a person gave, else the declared name as people say it."""
        stem = stem_of(self.targets[0].name) if len(repeated(self.targets)) > 1 else ""
        return self._named or stem or self.targets[0].name.removesuffix(".service")

    @property
    def _named(self) -> str | None:
        """The name that a person gave it, here or where it is declared."""
        return self.given or next((one.title for one in self.targets if one.title), None)

    @property
    def _goes_by_its_address(self) -> bool:
        """Whether nobody gave it a name, and the one that it was found by tells where it is."""
        written = self._named or self.targets[0].source == "config"
        return not written and ADDRESS.search(self.name) is not None

    @property
    def slug(self) -> str:
        """What its slug is made of, which is published: its name, unless that tells where it is."""
        if not self._goes_by_its_address:
            return self.name
        first = self.targets[0]
        process = self.name.partition(":")[0] if first.source == "listeners" else ""
        return first.project or process or first.source

    @property
    def group(self) -> str:
        """The group of the first source that knows one; what only the machine knows is in a group of its own.

        Not the host's name: a group may be published, and a host never is. Nor the folder of a document that claims
        it. What was found and is then written down by hand stays where it was.
        """
        told = [one for one in self.targets if one.layer != "claimed"]
        given = next((one.group or one.project for one in told if one.group or one.project), None)
        return given or ("This machine" if any(one.source != "config" for one in told) else "")

    @property
    def words(self) -> str:
        """What a person wrote about it by hand; what a unit says of itself may name what is not to be published."""
        return next((one.description for one in self.targets if one.source == "config"), "")

    @property
    def description(self) -> str:
        """The first description."""
        return next((one.description for one in self.targets if one.description), "")

    @property
    def public(self) -> bool | None:
        """Whether somebody said that it is public; none when nobody said anything.

        What is only known by its address is not: no host and no port is published. With a name it may be.
        """
        if self._goes_by_its_address:
            return False
        return next((one.public for one in self.targets if one.public is not None), None)


def merge(targets: Iterable[Target], known: Known) -> list[Entry]:
    """Join *targets* that are one service; *known* gives for a sighting's key its service's key and first sight.

    Targets of one source are never joined with each other, but by an explicit id, or where they share a declaration.
    A service keeps the key it was given first; where two known services prove to be one, the older key stays and the
    other is an alias.
    """
    targets = list(targets)
    declared = {(one.project, one.name): one.instances for one in targets if one.source == "compose"}
    groups = grouped(targets, known)
    return [_entry(group, found, declared) for group, found in zip(groups, identified(groups, known), strict=True)]


def _entry(group: Sequence[Target], identity: Identity, declared: Mapping[tuple[str, str], int]) -> Entry:
    key = identity.key
    checks = tuple(
        replace(check, service=key, key=f"{key}/{check.kind}/{check.name}") for check in asked(group, declared)
    )
    return Entry(key=key, targets=group, checks=checks, aliases=identity.aliases)


def asked(group: Sequence[Target], declared: Mapping[tuple[str, str], int]) -> tuple[Check, ...]:
    """Choose whose checks are asked: the best ones; where one service runs several times, each instance by them.

    *declared* says how many there should be: of containers that are not there at all, Docker does not tell.
    """
    asking = min((one for one in group if one.checks), key=lambda one: (worth(one), rank(one)), default=None)
    if asking is None:
        return ()
    if asking.source == "docker" and declared.get((asking.project, asking.name), 0) > asking.instances:
        return tuple(replace(one, expected=declared[asking.project, asking.name]) for one in asking.checks)
    instances = [one.checks for one in repeated(group) if one.source == asking.source and one.checks]
    if len(instances) < 2 or any(len(checks) != 1 or checks[0].kind != asking.checks[0].kind for checks in instances):
        return asking.checks
    every = tuple(target for (check,) in instances for target in check.instances or (check.target,))
    return (replace(asking.checks[0], instances=every),) if len(set(every)) == len(every) else asking.checks


def worth(target: Target) -> int:
    """Rank how much the checks of a target say: by hand, a declared path, a usual path, a port, what a manager says."""
    check = target.checks[0]
    if target.source == "config":
        return 0
    if check.kind in STATES_OF_MANAGERS:
        return 4
    if check.kind == "tcp" or check.expect.suspect:
        return 3
    return 2 if target.details.get("rule") else 1


def repeated(targets: Sequence[Target]) -> list[Target]:
    """Return the numbered targets of one declaration that are one service which runs several times."""
    first = targets[0]
    stem = stem_of(first.name)
    same = [one for one in targets if (one.source, one.project) == (first.source, first.project)]
    return [one for one in same if stem and stem_of(one.name) == stem]


def slug(name: str, taken: Iterable[str]) -> str:
    """Make a slug of a display name: a-z, 0-9 and -, unlike those that are *taken*.

    >>> slug("Checkout API", []), slug("Café №1", ["cafe-no1"]), slug("数据库", [])
    ('checkout-api', 'cafe-no1-2', 'service')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60] or "service"
    used, number, candidate = set(taken), 1, base
    while candidate in used:
        number += 1
        candidate = f"{base}-{number}"
    return candidate


# Absence


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A service that nobody saw, before this discovery is counted."""

    key: str
    sources: frozenset[str]  # all that ever saw it
    misses: int
    missing_since: datetime | None
    passed_over: bool = False  # a source tells that it is there, and why it is not watched


def judge_absence(
    absent: Absent,
    configured: frozenset[str],
    succeeded: frozenset[str],
    silent: frozenset[str],
    now: datetime,
    *,
    edited: frozenset[str] = frozenset(),
) -> str | None:
    """Say what the absence of a service means: `retired`, `missing`, or none when nothing follows from it.

    *configured* sources are asked at all, *succeeded* ones answered this time, *silent* ones do not say by absence
    that a thing is gone (a crash is absence, too): what only those ever saw stays, unless it is passed over now.
    *edited* ones have other settings or rules than the last time, which may be why a path or a name is gone.
    """
    asked = absent.sources & configured
    if not asked:
        return "retired" if "import" not in absent.sources else None  # taken out of the configuration: at once
    if not asked <= succeeded or (asked <= silent and not absent.passed_over):
        return None
    if asked & edited or asked - silent == {"config"}:
        return "retired"
    since = absent.missing_since or now
    if absent.misses + 1 >= RETIRE_AFTER_MISSES and now - since >= RETIRE_AFTER:
        return "retired"
    return "missing"
