"""The words of the page: moments, durations and reasons, as people read them."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo

from uplog.collector.causes import Cause
from uplog.collector.model import Check, Reason, State

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")

STATES = {"up": "up", "degraded": "degraded", "down": "down", "unknown": "not known", "maintenance": "maintenance"}
BEING = {**STATES, "maintenance": "in maintenance"}  # what stands after "is"
SHAPES = {"up": "✓", "degraded": "▲", "down": "✕", "unknown": "?", "maintenance": "="}
PERIODS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days", "365d": "365 days"}

NAMED = 4  # services that a line names

# What is published instead of an error's own text, which may name hosts, addresses and paths.
REASONS = {
    Reason.NO_SAMPLE: "no check has come in",
    Reason.MONITOR_OFFLINE: "the monitor was offline",
    Reason.MONITOR_ASLEEP: "the monitor was asleep",
    Reason.DNS_RESOLVER: "the monitor could not resolve names",
    Reason.LOCAL_ERROR: "the monitor had a fault of its own",
    Reason.PAUSED: "checks are paused",
    Reason.STARTING: "starting, not judged yet",
    Reason.FORBIDDEN: "the monitor may not ask there",
    Reason.NO_ENDPOINT: "there is nothing to ask",
    Reason.DNS: "its name did not resolve",
    Reason.UNREACHABLE: "there was no way to it",
    Reason.REFUSED: "the connection was refused",
    Reason.TIMEOUT: "no answer in time",
    Reason.RESET: "the connection was cut off",
    Reason.PROTOCOL: "the answer made no sense",
    Reason.TLS: "no secure connection could be made",
    Reason.CERTIFICATE: "the certificate was not valid",
    Reason.STATUS: "the answer had an unexpected status",
    Reason.HTTP_3XX: "the answer was a redirect",
    Reason.HTTP_4XX: "the request was turned down",
    Reason.HTTP_5XX: "the server reported an error",
    Reason.BLOCKED: "the check was not let in",
    Reason.REDIRECTS: "there were too many redirects",
    Reason.REDIRECT_OFFSITE: "it redirected to another site",
    Reason.BODY: "the answer lacked what it should contain",
    Reason.ANSWER: "the answer was wrong",
    Reason.NOT_READY: "it was not ready",
    Reason.TOO_LARGE: "the answer was too large",
    Reason.UNIT_FAILED: "its unit failed",
    Reason.UNIT_INACTIVE: "its unit was not running",
    Reason.CONTAINER_UNHEALTHY: "its container was unhealthy",
    Reason.CONTAINER_STOPPED: "its container was stopped",
    Reason.INSTANCES_MISSING: "some of its instances were missing",
    Reason.HEARTBEAT_MISSING: "its sign of life did not come",
    Reason.HEARTBEAT_FAILED: "it reported a failure",
    Reason.EXEC: "its check command failed",
    Reason.SLOW: "slow answers",
    Reason.CERTIFICATE_EXPIRING: "its certificate ends soon",
    Reason.REPORTED_DEGRADED: "it reported itself degraded",
}


def why(reason: Reason | None, check: Check | None = None) -> str:
    """Say *reason* in a fixed sentence, with the limit that *check* sets where that is known; empty without one."""
    if reason is None:
        return ""
    if reason is Reason.TIMEOUT and check:
        return f"no answer within {milliseconds(check.timeout)}"
    if reason is Reason.SLOW and check and check.degraded_above:
        return f"slower than {milliseconds(check.degraded_above)}"
    return REASONS[reason]


def because(causes: Sequence[Cause], moment: Callable[[datetime | None], str]) -> str:
    """Say what a failure probably comes from; empty where nothing is known.

    >>> from uplog.collector.model import State
    >>> db = Cause(chain=("api", "db"), state=State.DOWN, since=None)
    >>> because([db], str), because([], str)
    ('probably because db is down', '')
    """
    told = [
        " ".join(
            part
            for part in (one.chain[-1], "is", STATES[one.state], one.since and f"since {moment(one.since)}")
            if part
        )
        for one in causes[:NAMED]
    ]
    return f"probably because {' and '.join(told)}" if told else ""


def sentence(text: str) -> str:
    """Begin *text* with a capital letter, and leave the rest.

    >>> sentence("no secure connection (TLS)")
    'No secure connection (TLS)'
    """
    return text[:1].upper() + text[1:]


def milliseconds(ms: int) -> str:
    """Write a short time.

    >>> milliseconds(140), milliseconds(2_000), milliseconds(2_500)
    ('140 ms', '2 s', '2.5 s')
    """
    return f"{ms} ms" if ms < 1_000 else f"{ms / 1_000:.1f} s".replace(".0 s", " s")


def duration(seconds: int) -> str:
    """Write a length of time by its two largest units, floored.

    >>> duration(40), duration(1_320), duration(12_000), duration(187_200), duration(86_400)
    ('40 s', '22 min', '3 h 20 min', '2 days 4 h', '1 day')
    """
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3_600 % 24, seconds // 86_400
    units = [(days, "day" if days == 1 else "days"), (hours, "h"), (minutes, "min")]
    largest = next(place for place, (count, _) in enumerate(units) if count)
    return " ".join(f"{count} {unit}" for count, unit in units[largest : largest + 2] if count)


def interval(ms: int) -> str:
    """Write how often something happens.

    >>> interval(60_000), interval(300_000), interval(10_000), interval(90_000)
    ('every minute', 'every 5 min', 'every 10 s', 'every 90 s')
    """
    if ms == 60_000:
        return "every minute"
    if ms % 60_000:
        return f"every {milliseconds(ms)}"
    return f"every {duration(ms // 1_000)}"


def about(ms: int) -> str:
    """Write a measured time by two digits, so that it stands still while answers jitter.

    >>> about(60_180), about(9_940), about(3_604_000), about(21_700_000)
    ('60 s', '9.9 s', '60 min', '6 h')
    """
    unit, long = next((unit for unit in (("h", 3_600_000), ("min", 60_000)) if ms > 1.99 * unit[1]), ("s", 1_000))
    return f"{float(f'{ms / long:.2g}'):g} {unit}"


def asked(usual: Sequence[int], longest: int, hours: int) -> str:
    """Say how often is asked, from the *usual* and the *longest* ms between two rounds, measured in some hours.

    >>> asked([60_010], 61_000, 24), asked([10_000, 300_000], 21_600_000, 24)
    ('asked about every 60 s', 'asked about every 10 s to 5 min; the longest gap in the last 24 hours was 6 h')
    """
    ends = [about(ms) for ms in (min(usual), max(usual))]
    often = f"asked about every {' to '.join(dict.fromkeys(ends))}"
    if longest < 2 * max(usual):
        return often
    within = "hour" if hours == 1 else f"{hours} hours"
    return f"{often}; the longest gap in the last {within} was {about(longest)}"


def moment(at: datetime, zone: tzinfo, now: datetime) -> str:
    """Write a moment as a clock in *zone* shows it, with the year when it is not this one.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 1, 9, 5, tzinfo=UTC), UTC, datetime(2026, 12, 1, tzinfo=UTC))
    '1 Nov, 09:05'
    """
    there = at.astimezone(zone)
    return f"{date(there, now.astimezone(zone))}, {there:%H:%M}"


def date(there: datetime, today: datetime) -> str:
    """Write the day of *there*, with the year when it is not that of *today*; both as seen in one zone."""
    year = "" if there.year == today.year else f" {there.year}"
    return f"{there.day} {MONTHS[there.month - 1]}{year}"


def stretch(start: datetime, end: datetime | None, zone: tzinfo, now: datetime, day: str = "") -> str:
    """Write from when to when; the date is left out where it is *day* (2026-11-01) or was just said.

    >>> from datetime import UTC
    >>> a, b = datetime(2026, 11, 1, 23, 58, tzinfo=UTC), datetime(2026, 11, 2, 0, 14, tzinfo=UTC)
    >>> stretch(a, b, UTC, b), stretch(a, b, UTC, b, "2026-11-02"), stretch(b, None, UTC, b, "2026-11-02")
    ('1 Nov, 23:58 to 2 Nov, 00:14', '1 Nov, 23:58 to 00:14', 'since 00:14')
    """
    today, begins = now.astimezone(zone), start.astimezone(zone)
    on = f"{begins:%Y-%m-%d}"
    from_ = "" if on == day else f"{date(begins, today)}, "
    if end is None:
        return f"since {from_}{begins:%H:%M}"
    ends = end.astimezone(zone)
    if f"{ends:%Y-%m-%d}" != on:
        to = "" if f"{ends:%Y-%m-%d}" == day else f"{date(ends, today)}, "
        return f"{from_}{begins:%H:%M} to {to}{ends:%H:%M}"
    clock = "%H:%M:%S" if f"{begins:%H:%M}" == f"{ends:%H:%M}" else "%H:%M"
    return f"{from_}{begins:{clock}}–{ends:{clock}}"  # noqa: RUF001  from-to is written with an en dash


def headline(shown: str, names: list[str], total: int) -> str:
    """Say in one sentence how *total* services are, of which those called *names* are *shown* alike.

    >>> headline("down", ["web"], 3), headline("down", ["web", "mail"], 3)
    ('web is down', 'web and mail are down')
    >>> headline("down", ["a", "b", "c"], 3), headline("unknown", ["a", "b", "c"], 4)
    ('All 3 services are down', 'Nothing is known of 3 of 4 services')
    """
    if len(names) <= 2:
        who, verb = " and ".join(names), "is" if len(names) == 1 else "are"
    else:
        who, verb = f"{'All' if len(names) == total else f'{len(names)} of'} {total} services", "are"
    if shown == "unknown":
        return f"Nothing is known of {who.replace('All', 'any of', 1) if len(names) > 2 else who}"
    return f"{who} {verb} {BEING[shown]}"


def outages(count: int) -> str:
    """Count outages; empty without any.

    >>> outages(0), outages(1), outages(2)
    ('', '1 outage', '2 outages')
    """
    return f"{count} outage{'' if count == 1 else 's'}" if count else ""


def parts(states: Sequence[State]) -> str:
    """Count the parts that a service tells of itself; empty without any.

    >>> parts([State.UP, State.UP]), parts([State.UP, State.DOWN, State.DEGRADED]), parts([])
    ('of its 2 parts 2 are up', 'of its 3 parts 1 is up, 1 is degraded, 1 is down', '')
    """
    counts = [(states.count(one), STATES[one]) for one in (State.UP, State.DEGRADED, State.DOWN)]
    told = ", ".join(f"{count} {'is' if count == 1 else 'are'} {word}" for count, word in counts if count)
    return f"of its {len(states)} part{'' if len(states) == 1 else 's'} {told}" if states else ""


def who(names: Sequence[str], total: int) -> str:
    """Name some of *total* services, the first few of many.

    >>> who(["web"], 1), who(["web", "mail"], 2), who(["web", "mail"], 9), who(list("abcdef"), 9)
    ('web', 'all services', 'web and mail', 'a, b, c and 3 more')
    """
    if len(names) == total > 1:
        return "all services"
    first = list(names) if len(names) <= NAMED else [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return " and ".join(part for part in (", ".join(first[:-1]), first[-1]) if part)
