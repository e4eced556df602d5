"""Say how the states and percentages of a page are made, from the configuration that is in force. All pure."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from uplog.collector.history import silence_known
from uplog.collector.model import EPOCH, Check, ServiceHistory
from uplog.collector.planning import CONFIRM_AFTER

from . import words
from .tongue import ENGLISH, Tongue  # noqa: F401  ENGLISH is that of the examples
from .values import STALE_AFTER, About, Rule

MINUTE = timedelta(minutes=1)


def about(tongue: Tongue, shown: Sequence[ServiceHistory], zone: str, keep: int | None) -> About:
    """Return the values of about.html for the services *shown*; single answers are kept for *keep* ms."""
    silence = (silence_known(EPOCH, MINUTE // timedelta(milliseconds=1)) - EPOCH) / MINUTE
    return About(
        rules=rules(tongue, shown),
        confirmed=tongue.pgettext("between times", " and again ").join(
            words.milliseconds(tongue, ms) for ms in CONFIRM_AFTER
        ),
        silence=tongue.number(f"{silence:.1f}"),
        stale=STALE_AFTER,
        grace=any(check.grace for entry in shown for check in entry.service.checks),
        zone=zone,
        keep=words.duration(tongue, keep // 1_000) if keep else "",
    )


def rules(tongue: Tongue, shown: Sequence[ServiceHistory]) -> tuple[Rule, ...]:
    """Put together the services that are asked alike, those of most services first."""
    alike: dict[tuple[str, ...], dict[str, str]] = defaultdict(dict)
    for entry in shown:
        for check in entry.service.checks:
            alike[limits(tongue, check)][entry.service.slug] = entry.service.name
    found = sorted(alike.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return tuple(
        Rule(
            who=words.who(tongue, list(names.values()), len(shown)),
            often=often,
            waits=waits,
            down=down,
            up=up,
            slow=slow,
        )
        for (often, waits, down, up, slow), names in found
    )


def limits(tongue: Tongue, check: Check) -> tuple[str, str, str, str, str]:
    """Say how often is asked, how long is waited, what makes it down and up again, and what is slow."""
    return (
        words.interval(tongue, check.every),
        words.milliseconds(tongue, check.timeout),
        failures(tongue, check.failure_threshold),
        tongue.ngettext("%(count)s pass", "%(count)s passes in a row", check.success_threshold),
        words.milliseconds(tongue, check.degraded_above) if check.degraded_above else "",
    )


def failures(tongue: Tongue, threshold: int) -> str:
    """Write after how many failures a check is down.

    >>> failures(ENGLISH, 1), failures(ENGLISH, 3)
    ('1 failure', '3 failures in a row')
    """
    return tongue.ngettext("%(count)s failure", "%(count)s failures in a row", threshold)
