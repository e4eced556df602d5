"""Moments, and stretches between them, as a clock of one zone shows them."""

from datetime import datetime, tzinfo

from ..tongue import ENGLISH, Tongue  # noqa: F401  ENGLISH is that of the examples


def moment(tongue: Tongue, at: datetime, zone: tzinfo, now: datetime) -> str:
    """Write a moment as a clock in *zone* shows it, with the year when it is not this one.

    >>> from datetime import UTC
    >>> moment(ENGLISH, datetime(2026, 11, 1, 9, 5, tzinfo=UTC), UTC, datetime(2026, 12, 1, tzinfo=UTC))
    '1 Nov, 09:05'
    """
    there = at.astimezone(zone)
    return tongue.at(date(tongue, there, now.astimezone(zone)), clock(there))


def clock(there: datetime) -> str:
    """Write hour and minute of *there*, as `strftime` would in five times the time.

    >>> clock(datetime(2026, 11, 1, 9, 5))
    '09:05'
    """
    return f"{there.hour:02}:{there.minute:02}"


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
    on = begins.date()
    from_ = "" if on.isoformat() == day else date(tongue, begins, today)
    if end is None:
        return tongue.gettext("since %(when)s", when=tongue.at(from_, clock(begins)))
    ends = end.astimezone(zone)
    if ends.date() != on:
        to = "" if ends.date().isoformat() == day else date(tongue, ends, today)
        return tongue.gettext(
            "%(start)s to %(end)s", start=tongue.at(from_, clock(begins)), end=tongue.at(to, clock(ends))
        )
    first, last = clock(begins), clock(ends)
    if first == last:
        first, last = f"{begins:%H:%M:%S}", f"{ends:%H:%M:%S}"
    return tongue.at(from_, tongue.gettext("%(start)s–%(end)s", start=first, end=last))  # noqa: RUF001  en dash
