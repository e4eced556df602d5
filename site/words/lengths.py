"""Lengths of time in words."""

from collections.abc import Sequence

from ..tongue import ENGLISH, Tongue  # noqa: F401  ENGLISH is that of the examples


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
