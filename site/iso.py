"""Moments as machines read them."""

from datetime import UTC, datetime


def iso(moment: datetime | None) -> str | None:
    """Write a moment as ISO-8601 in UTC, to the second, ending in Z; none without one.

    >>> iso(datetime(2026, 11, 1, 9, 5, 7, tzinfo=UTC))
    '2026-11-01T09:05:07Z'
    """
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
