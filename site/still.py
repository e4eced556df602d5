"""Leave out what moves with the clock while nothing happens: what pages of services and incidents do not show. All pure.

They are made of what is left and see nothing else. So a digest of it tells that a page would come out as before.
"""

from dataclasses import replace
from functools import lru_cache

from uplog.collector.history import Account, midnight
from uplog.collector.model import CheckHistory, ServiceHistory

from .values import Calendar, Figure, Headline, Page, ServiceView

NOTHING = Account()


def common(page: Page) -> Page:
    """Return what the page of a service may see of the site: nothing of the others."""
    return replace(
        page,
        calendar=by_the_hour(page.calendar),
        headline=Headline(look="unknown", text="", detail=""),
        groups=(),
        services=(),
        wrong=(),
        more_wrong=0,
        told=(),
        problems=(),
        announcements=(),
        recent=(),
        incidents=(),
        months=(),
        newest=None,
        stale_after=None,
        stale=False,
        works=(),
        asked="",
        inside=None,
    )


def lasting(page: Page) -> Page:
    """Return what the page of an incident may see of the site: nothing that changes from day to day.

    Moments are written with their year when it is not this one.
    """
    zone = page.calendar.zone
    begins = midnight(page.calendar.now.astimezone(zone).replace(month=1, day=1), zone)
    calendar = replace(page.calendar, now=begins, days=(), periods={}, months=(), year=())
    return replace(common(page), calendar=calendar, open=())


def by_the_hour(calendar: Calendar) -> Calendar:
    """Return the same day and hour, without the windows that end now."""
    return replace(calendar, now=max(calendar.hour, calendar.days[-1][1]), periods={}, months=(), year=())


def still(service: ServiceView) -> ServiceView:
    """Return what a page of *service* is made of: percentages, but not the seconds that they come from."""
    return replace(
        service,
        lasting="",
        latency_now="",
        hourly=(),
        spent=(),
        cadence=None,
        uptime={period: percentages(figure) for period, figure in service.uptime.items()},
        days=(*service.days[:-1], *(day._replace(figure=percentages(day.figure)) for day in service.days[-1:])),
        months=(*service.months[:-1], *(replace(one, figure=percentages(one.figure)) for one in service.months[-1:])),
        checks=tuple(replace(one, private=one.private and standing(one.private)) for one in service.checks),
        private=service.private and unmoved(service.private),
    )


@lru_cache(maxsize=4_096)
def percentages(figure: Figure) -> Figure:
    """Return *figure* without its seconds."""
    return figure._replace(account=NOTHING)


def unmoved(entry: ServiceHistory) -> ServiceHistory:
    """Return of a history what answers do not move."""
    return replace(
        entry,
        spans=(),
        checks=tuple(standing(one) for one in entry.checks),
        latency=(),
        recent=(),
        hourly=(),
        last_checked=None,
        flapping=None,
        cadence=None,
        attempts=(),
    )


def standing(one: CheckHistory) -> CheckHistory:
    """Return where a check stands, without its newest answer."""
    return replace(one, last=None, took=None)
