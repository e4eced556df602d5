"""What is said of services: how they are, why, and which."""

from collections.abc import Callable, Sequence
from datetime import datetime

from uplog.collector.causes import Cause
from uplog.collector.model import Check, Flapping, Reason, State

from ..tongue import ENGLISH, Tongue  # noqa: F401  ENGLISH is that of the examples
from .lengths import milliseconds
from .tables import ALIKE, CAUSES, COUNTED, EVENTS, PERIODS, REASONS, STANDINGS, STATES

FEW = 2  # services that a headline names
NAMED = 4  # services that a line names


def state(tongue: Tongue, look: str) -> str:
    """Say a state in a word or two."""
    return tongue.gettext(STATES[look])


def standing(tongue: Tongue, name: str) -> str:
    """Say how it stands with a port, or how something was seen; what has no words is said as it is called."""
    return tongue.gettext(STANDINGS[name]) if name in STANDINGS else name


def why(tongue: Tongue, reason: Reason | None, check: Check | None = None) -> str:
    """Say *reason* in a fixed sentence, with the limit that *check* sets where that is known; empty without one."""
    if reason is None:
        return ""
    if reason is Reason.TIMEOUT and check:
        return tongue.gettext("no answer within %(time)s", time=milliseconds(tongue, check.timeout))
    if reason is Reason.SLOW and check and check.degraded_above:
        return tongue.gettext("slower than %(time)s", time=milliseconds(tongue, check.degraded_above))
    return tongue.gettext(REASONS[reason])


def because(tongue: Tongue, causes: Sequence[Cause], moment: Callable[[datetime | None], str]) -> str:
    """Say what a failure probably comes from; empty where nothing is known.

    >>> from uplog.collector.model import State
    >>> db = Cause(chain=("api", "db"), state=State.DOWN, since=None)
    >>> because(ENGLISH, [db], str), because(ENGLISH, [], str)
    ('probably because db is down', '')
    """
    if not causes:
        return ""
    told = [
        tongue.gettext(CAUSES[one.state][bool(one.since)], who=tongue.isolated(one.chain[-1]), when=moment(one.since))
        for one in causes[:NAMED]
    ]
    return tongue.gettext("probably because %(what)s", what=tongue.listed(told))


def flaps(tongue: Tongue, flapping: Flapping) -> str:
    """Say how restless the last hour was.

    >>> flaps(ENGLISH, Flapping(flips=6, failed=37, observations=100))
    'flapping: 6 changes in the last hour, 37% of answers failed'
    """
    changes = tongue.ngettext(
        "flapping: %(count)s change in the last hour", "flapping: %(count)s changes in the last hour", flapping.flips
    )
    if not flapping.observations:
        return changes
    share = tongue.share(str(100 * flapping.failed // flapping.observations))
    return tongue.clauses(changes, tongue.gettext("%(share)s of answers failed", share=share))


def event(tongue: Tongue, name: str, what: str) -> str:
    """Say what became of a service, and of *what* of it.

    >>> event(ENGLISH, "changed", "image"), event(ENGLISH, "changed", "version"), event(ENGLISH, "restarted", "")
    ('image changed', 'another version', 'restarted')
    """
    if (name, what) == ("changed", "version"):
        return tongue.gettext("another version")
    return " ".join(filter(None, (what, tongue.gettext(EVENTS[name]) if name in EVENTS else name)))


def sentence(text: str) -> str:
    """Begin *text* with a capital letter, and leave the rest.

    >>> sentence("no secure connection (TLS)")
    'No secure connection (TLS)'
    """
    return text[:1].upper() + text[1:]


def sentences(tongue: Tongue, *parts: str) -> str:
    """Make a sentence of each of *parts* that is not empty; the first begins with a capital letter.

    >>> sentences(ENGLISH, "since 09:37", "1 more is degraded"), sentences(ENGLISH)
    ('Since 09:37. 1 more is degraded.', '')
    """
    return sentence(" ".join(tongue.gettext("%(text)s.", text=part) for part in parts if part))


def share_in(tongue: Tongue, percent: str, period: str) -> str:
    """Write a percentage with what it is of.

    >>> share_in(ENGLISH, "99.987", "90d")
    '99.987% in 90 days'
    """
    return tongue.gettext(
        "%(share)s in %(period)s", share=tongue.share(percent), period=tongue.gettext(PERIODS[period])
    )


def headline(tongue: Tongue, shown: str, names: list[str], total: int) -> str:
    """Say in one sentence how *total* services are, of which those called *names* are *shown* alike.

    >>> headline(ENGLISH, "down", ["web"], 3), headline(ENGLISH, "down", ["web", "mail"], 3)
    ('web is down', 'web and mail are down')
    >>> headline(ENGLISH, "down", ["a", "b", "c"], 3), headline(ENGLISH, "unknown", ["a", "b", "c"], 1_000)
    ('All 3 services are down', 'Nothing is known of 3 of 1,000 services')
    """
    few, all_, some = ALIKE[shown]
    if len(names) <= FEW:
        return tongue.ngettext(*few, len(names), who=tongue.listed([tongue.isolated(name) for name in names]))
    return tongue.gettext(
        all_ if len(names) == total else some, count=tongue.counted(len(names)), total=tongue.counted(total)
    )


def outages(tongue: Tongue, count: int) -> str:
    """Count outages; empty without any.

    >>> outages(ENGLISH, 0), outages(ENGLISH, 1), outages(ENGLISH, 2)
    ('', '1 outage', '2 outages')
    """
    return tongue.ngettext("%(count)s outage", "%(count)s outages", count) if count else ""


def parts(tongue: Tongue, states: Sequence[State]) -> str:
    """Count the parts that a service tells of itself; empty without any.

    >>> parts(ENGLISH, [State.UP, State.UP]), parts(ENGLISH, [State.UP, State.DOWN, State.DEGRADED]), parts(ENGLISH, [])
    ('of its 2 parts 2 are up', 'of its 3 parts 1 is up, 1 is degraded, 1 is down', '')
    """
    if not states:
        return ""
    counts = [tongue.ngettext(*COUNTED[one], count) for one in COUNTED if (count := states.count(one))]
    return tongue.ngettext(
        "of its %(count)s part %(told)s", "of its %(count)s parts %(told)s", len(states), told=tongue.clauses(*counts)
    )


def who(tongue: Tongue, names: Sequence[str], total: int) -> str:
    """Name some of *total* services, the first few of many.

    >>> who(ENGLISH, ["web"], 1), who(ENGLISH, ["web", "mail"], 2), who(ENGLISH, ["web", "mail"], 9)
    ('web', 'all services', 'web and mail')
    >>> who(ENGLISH, list("abcdef"), 9)
    'a, b, c and 3 more'
    """
    if len(names) == total > 1:
        return tongue.gettext("all services")
    first = [tongue.isolated(name) for name in names]
    if len(names) > NAMED:
        rest = len(names) - NAMED + 1
        first = [*first[: NAMED - 1], tongue.ngettext("%(count)s more", "%(count)s more", rest)]
    return tongue.listed(first)
