"""A fleet as large as one likes, with 90 days of history: the same for the same size."""

from datetime import datetime
from random import Random

from helpers_site import NOW, UP, a_history, a_service, answers, dip, latencies, told

from uplog.collector.model import History, Reason, ServiceHistory, State

REASONS = (Reason.TIMEOUT, Reason.HTTP_5XX, Reason.REFUSED)
HOUR = 3_600_000  # ms


def large_fleet(count: int, now: datetime = NOW) -> History:
    """Make *count* services in groups of 15, asked every hour: an outage every two weeks, one in 40 down now."""
    chance = Random(count)
    return a_history(*(one_of_many(place, chance, now) for place in range(count)), now=now, newest=now, every=HOUR)


def one_of_many(place: int, chance: Random, now: datetime) -> ServiceHistory:
    """Make the service at a *place* of the fleet."""
    told_of = [*UP]
    day = 89 - chance.expovariate(1 / 14)
    while day > 1:
        told_of += dip(day, chance.uniform(2, 400), chance.choice(REASONS))
        day -= 0.5 + chance.expovariate(1 / 14)
    if place % 40 == 7:
        told_of.append((0.01, State.DOWN, Reason.TIMEOUT))
    service = a_service(f"service-{place}", name=f"Service {place}", group=f"Group {place // 15}", order=place)
    took = 30 + place % 200
    return told(told_of, service, now=now, latency=latencies(88, took, now), recent=answers(96, took, now))
