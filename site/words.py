"""The words of the page: moments, durations and reasons, as people read them in one language."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from uplog.collector.causes import Cause
from uplog.collector.model import Check, Flapping, Reason, State

from .tongue import ENGLISH, Tongue, message, plural  # noqa: F401  ENGLISH is that of the examples

STATES = {
    "up": message("up"),
    "degraded": message("degraded"),
    "down": message("down"),
    "unknown": message("not known"),
    "maintenance": message("maintenance"),
}
SHAPES = {"up": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "maintenance": "="}
PERIODS = {
    "24h": message("24 hours"),
    "7d": message("7 days"),
    "30d": message("30 days"),
    "90d": message("90 days"),
    "365d": message("365 days"),
}
SEVERITIES = {"minor": message("minor"), "major": message("major"), "critical": message("critical")}

# How services are that are alike: one or two of them by name, all of them, some of them.
ALIKE = {
    "up": (
        plural("%(who)s is up", "%(who)s are up"),
        message("All %(total)s services are up"),
        message("%(count)s of %(total)s services are up"),
    ),
    "degraded": (
        plural("%(who)s is degraded", "%(who)s are degraded"),
        message("All %(total)s services are degraded"),
        message("%(count)s of %(total)s services are degraded"),
    ),
    "down": (
        plural("%(who)s is down", "%(who)s are down"),
        message("All %(total)s services are down"),
        message("%(count)s of %(total)s services are down"),
    ),
    "unknown": (
        plural("Nothing is known of %(who)s", "Nothing is known of %(who)s"),
        message("Nothing is known of any of %(total)s services"),
        message("Nothing is known of %(count)s of %(total)s services"),
    ),
    "maintenance": (
        plural("%(who)s is in maintenance", "%(who)s are in maintenance"),
        message("All %(total)s services are in maintenance"),
        message("%(count)s of %(total)s services are in maintenance"),
    ),
}
MORE = {  # what stands beside something worse
    "degraded": plural("%(count)s more is degraded", "%(count)s more are degraded"),
    "unknown": plural("%(count)s more is not known", "%(count)s more are not known"),
    "maintenance": plural("%(count)s more is in maintenance", "%(count)s more are in maintenance"),
}
CAUSES = {  # without the moment since when, and with it
    State.DOWN: (message("%(who)s is down"), message("%(who)s is down since %(when)s")),
    State.DEGRADED: (message("%(who)s is degraded"), message("%(who)s is degraded since %(when)s")),
}
EVENTS = {  # in the life of a service
    "appeared": message("appeared"),
    "changed": message("changed"),
    "missing": message("missing"),
    "retired": message("retired"),
    "returned": message("returned"),
    "restarted": message("restarted"),
    "ended": message("ended"),
}

NAMED = 4  # services that a line names

# What is published instead of an error's own text, which may name hosts, addresses and paths.
REASONS = {
    Reason.NO_SAMPLE: message("no check has come in"),
    Reason.MONITOR_OFFLINE: message("the monitor was offline"),
    Reason.MONITOR_ASLEEP: message("the monitor was asleep"),
    Reason.DNS_RESOLVER: message("the monitor could not resolve names"),
    Reason.LOCAL_ERROR: message("the monitor had a fault of its own"),
    Reason.PAUSED: message("checks are paused"),
    Reason.STARTING: message("starting, not judged yet"),
    Reason.FORBIDDEN: message("the monitor may not ask there"),
    Reason.NO_ENDPOINT: message("there is nothing to ask"),
    Reason.DNS: message("its name did not resolve"),
    Reason.UNREACHABLE: message("there was no way to it"),
    Reason.REFUSED: message("the connection was refused"),
    Reason.TIMEOUT: message("no answer in time"),
    Reason.RESET: message("the connection was cut off"),
    Reason.PROTOCOL: message("the answer made no sense"),
    Reason.TLS: message("no secure connection could be made"),
    Reason.CERTIFICATE: message("the certificate was not valid"),
    Reason.STATUS: message("the answer had an unexpected status"),
    Reason.HTTP_3XX: message("the answer was a redirect"),
    Reason.HTTP_4XX: message("the request was turned down"),
    Reason.HTTP_5XX: message("the server reported an error"),
    Reason.BLOCKED: message("the check was not let in"),
    Reason.REDIRECTS: message("there were too many redirects"),
    Reason.REDIRECT_OFFSITE: message("it redirected to another site"),
    Reason.BODY: message("the answer lacked what it should contain"),
    Reason.ANSWER: message("the answer was wrong"),
    Reason.NOT_READY: message("it was not ready"),
    Reason.TOO_LARGE: message("the answer was too large"),
    Reason.UNIT_FAILED: message("its unit failed"),
    Reason.UNIT_INACTIVE: message("its unit was not running"),
    Reason.CONTAINER_UNHEALTHY: message("its container was unhealthy"),
    Reason.CONTAINER_STOPPED: message("its container was stopped"),
    Reason.INSTANCES_MISSING: message("some of its instances were missing"),
    Reason.HEARTBEAT_MISSING: message("its sign of life did not come"),
    Reason.HEARTBEAT_FAILED: message("it reported a failure"),
    Reason.EXEC: message("its check command failed"),
    Reason.SLOW: message("slow answers"),
    Reason.CERTIFICATE_EXPIRING: message("its certificate ends soon"),
    Reason.REPORTED_DEGRADED: message("it reported itself degraded"),
}


def state(tongue: Tongue, look: str) -> str:
    """Say a state in a word or two."""
    return tongue.gettext(STATES[look])


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
    'flapping: 6 changes in the last hour, 37 % of answers failed'
    """
    changes = tongue.ngettext(
        "flapping: %(count)s change in the last hour", "flapping: %(count)s changes in the last hour", flapping.flips
    )
    if not flapping.observations:
        return changes
    share = 100 * flapping.failed // flapping.observations
    return tongue.clauses(changes, tongue.gettext("%(share)s %% of answers failed", share=share))


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


# Lengths of time


def milliseconds(tongue: Tongue, ms: int) -> str:
    """Write a short time.

    >>> milliseconds(ENGLISH, 140), milliseconds(ENGLISH, 2_000), milliseconds(ENGLISH, 2_500)
    ('140 ms', '2 s', '2.5 s')
    """
    if ms < 1_000:
        return tongue.gettext("%(count)s ms", count=ms)
    return tongue.gettext("%(count)s s", count=tongue.number(f"{ms / 1_000:.1f}".removesuffix(".0")))


def duration(tongue: Tongue, seconds: int) -> str:
    """Write a length of time by its two largest units, floored.

    >>> [duration(ENGLISH, seconds) for seconds in (40, 1_320, 12_000, 187_200, 86_400)]
    ['40 s', '22 min', '3 h 20 min', '2 days 4 h', '1 day']
    """
    if seconds < 60:
        return tongue.gettext("%(count)s s", count=seconds)
    minutes, hours, days = seconds // 60 % 60, seconds // 3_600 % 24, seconds // 86_400
    units = [
        days and tongue.ngettext("%(count)s day", "%(count)s days", days),
        hours and tongue.gettext("%(count)s h", count=hours),
        minutes and tongue.gettext("%(count)s min", count=minutes),
    ]
    largest = next(place for place, unit in enumerate(units) if unit)
    large, *small = filter(None, units[largest : largest + 2])
    return tongue.gettext("%(large)s %(small)s", large=large, small=small[0]) if small else str(large)


def interval(tongue: Tongue, ms: int) -> str:
    """Write how often something happens.

    >>> [interval(ENGLISH, ms) for ms in (60_000, 300_000, 10_000, 90_000)]
    ['every minute', 'every 5 min', 'every 10 s', 'every 90 s']
    """
    if ms == 60_000:
        return tongue.gettext("every minute")
    time = milliseconds(tongue, ms) if ms % 60_000 else duration(tongue, ms // 1_000)
    return tongue.gettext("every %(time)s", time=time)


def about(tongue: Tongue, ms: int) -> str:
    """Write a measured time by two digits, so that it stands still while answers jitter.

    >>> [about(ENGLISH, ms) for ms in (60_180, 9_940, 3_604_000, 21_700_000)]
    ['60 s', '9.9 s', '60 min', '6 h']
    """
    unit, long = next(
        (unit for unit in (("%(count)s h", 3_600_000), ("%(count)s min", 60_000)) if ms > 1.99 * unit[1]),
        ("%(count)s s", 1_000),
    )
    return tongue.gettext(unit, count=tongue.number(f"{float(f'{ms / long:.2g}'):g}"))


def asked(tongue: Tongue, usual: Sequence[int], longest: int, hours: int) -> str:
    """Say how often is asked, from the *usual* and the *longest* ms between two rounds, measured in some hours.

    >>> asked(ENGLISH, [60_010], 61_000, 24)
    'asked about every 60 s'
    >>> asked(ENGLISH, [10_000, 300_000], 21_600_000, 24)
    'asked about every 10 s to 5 min; the longest gap in the last 24 hours was 6 h'
    """
    short, long = about(tongue, min(usual)), about(tongue, max(usual))
    often = (
        tongue.gettext("asked about every %(time)s", time=short)
        if short == long
        else tongue.gettext("asked about every %(short)s to %(long)s", short=short, long=long)
    )
    if longest < 2 * max(usual):
        return often
    gap = tongue.ngettext(
        "the longest gap in the last hour was %(gap)s",
        "the longest gap in the last %(count)s hours was %(gap)s",
        hours,
        gap=about(tongue, longest),
    )
    return tongue.details(often, gap)


# Moments


def moment(tongue: Tongue, at: datetime, zone: tzinfo, now: datetime) -> str:
    """Write a moment as a clock in *zone* shows it, with the year when it is not this one.

    >>> from datetime import UTC
    >>> moment(ENGLISH, datetime(2026, 11, 1, 9, 5, tzinfo=UTC), UTC, datetime(2026, 12, 1, tzinfo=UTC))
    '1 Nov, 09:05'
    """
    there = at.astimezone(zone)
    return tongue.at(date(tongue, there, now.astimezone(zone)), f"{there:%H:%M}")


def date(tongue: Tongue, there: datetime, today: datetime) -> str:
    """Write the day of *there*, with the year when it is not that of *today*; both as seen in one zone."""
    return tongue.on(there, year=there.year != today.year)


def stretch(tongue: Tongue, start: datetime, end: datetime | None, zone: tzinfo, now: datetime, day: str = "") -> str:
    """Write from when to when; the date is left out where it is *day* (2026-11-01) or was just said.

    >>> from datetime import UTC
    >>> a, b = datetime(2026, 11, 1, 23, 58, tzinfo=UTC), datetime(2026, 11, 2, 0, 14, tzinfo=UTC)
    >>> stretch(ENGLISH, a, b, UTC, b), stretch(ENGLISH, a, b, UTC, b, "2026-11-02")
    ('1 Nov, 23:58 to 2 Nov, 00:14', '1 Nov, 23:58 to 00:14')
    >>> stretch(ENGLISH, b, None, UTC, b, "2026-11-02")
    'since 00:14'
    """
    today, begins = now.astimezone(zone), start.astimezone(zone)
    on = f"{begins:%Y-%m-%d}"
    from_ = "" if on == day else date(tongue, begins, today)
    if end is None:
        return tongue.gettext("since %(when)s", when=tongue.at(from_, f"{begins:%H:%M}"))
    ends = end.astimezone(zone)
    if f"{ends:%Y-%m-%d}" != on:
        to = "" if f"{ends:%Y-%m-%d}" == day else date(tongue, ends, today)
        return tongue.gettext(
            "%(start)s to %(end)s", start=tongue.at(from_, f"{begins:%H:%M}"), end=tongue.at(to, f"{ends:%H:%M}")
        )
    clock = "%H:%M:%S" if f"{begins:%H:%M}" == f"{ends:%H:%M}" else "%H:%M"
    clocks = tongue.gettext("%(start)s–%(end)s", start=f"{begins:{clock}}", end=f"{ends:{clock}}")  # noqa: RUF001  en dash
    return tongue.at(from_, clocks)


# Services


def headline(tongue: Tongue, shown: str, names: list[str], total: int) -> str:
    """Say in one sentence how *total* services are, of which those called *names* are *shown* alike.

    >>> headline(ENGLISH, "down", ["web"], 3), headline(ENGLISH, "down", ["web", "mail"], 3)
    ('web is down', 'web and mail are down')
    >>> headline(ENGLISH, "down", ["a", "b", "c"], 3), headline(ENGLISH, "unknown", ["a", "b", "c"], 4)
    ('All 3 services are down', 'Nothing is known of 3 of 4 services')
    """
    few, all_, some = ALIKE[shown]
    if len(names) <= 2:
        return tongue.ngettext(*few, len(names), who=tongue.listed([tongue.isolated(name) for name in names]))
    return tongue.gettext(all_ if len(names) == total else some, count=len(names), total=total)


def outages(tongue: Tongue, count: int) -> str:
    """Count outages; empty without any.

    >>> outages(ENGLISH, 0), outages(ENGLISH, 1), outages(ENGLISH, 2)
    ('', '1 outage', '2 outages')
    """
    return tongue.ngettext("%(count)s outage", "%(count)s outages", count) if count else ""


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
