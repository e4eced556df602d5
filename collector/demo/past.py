"""What the services of the demo answered in the 90 days before it began: made up."""

import itertools
import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from ..importing.past import Past
from ..model import Outcome, Reason
from ..planning import CONFIRM_AFTER
from .fleets import Made
from .timetable import SLOWDOWN

ROUND = timedelta(hours=1)  # between two answers: so the 90 days of so many services are there within seconds
A_DAY = 24  # rounds; all are counted backwards from now
SILENCE = range(41 * A_DAY, 41 * A_DAY + 6)  # six hours in which nobody asked
SLOW_MS = 500  # as in uplog.toml
LENGTHS = (4, 7, 11, 18, 25, 90, 320)  # of outages, in minutes
ATTEMPTS = tuple(timedelta(milliseconds=ms) for ms in (0, *itertools.accumulate(CONFIRM_AFTER)))
WHY = {Reason.TIMEOUT: 2_000, Reason.REFUSED: 0, Reason.HTTP_5XX: 30}  # ms that it took
BLIPS = 0.003  # of all rounds: failures that their confirmation takes back


def made_up(who: str, made: Made, now: datetime) -> Iterator[Past]:
    """Make up what *made*, the service *who*, answered until *now*, oldest first: the same for the same moment."""
    dice = random.Random(f"uplog demo {who}")
    for at, reason in sorted(answers(made, now, dice).items()):
        yield answered(who, at, took(made, now - at, dice), reason)


def answers(made: Made, now: datetime, dice: random.Random) -> dict[datetime, Reason | None]:
    """Make up when *made* answered, and why it did not."""
    rounds = [now - back * ROUND for back in range(made.days * A_DAY, -1, -1) if back not in SILENCE]
    said: dict[datetime, Reason | None] = dict.fromkeys(rounds)
    for at in rounds:
        if dice.random() < BLIPS:
            said |= {at: Reason.TIMEOUT, at + ATTEMPTS[1]: None}
    for _ in range(made.outages):
        begin = now - dice.randrange(A_DAY, (made.days - 1) * A_DAY) * ROUND  # none of today's
        end = begin + dice.choice(LENGTHS) * timedelta(minutes=1)
        why = dice.choice([why for why in WHY if made.answers or why is not Reason.HTTP_5XX])
        failing = [*(begin + later for later in ATTEMPTS), *(at for at in rounds if begin < at < end)]
        said |= {**dict.fromkeys(failing, why), end: None}
    return said


def took(made: Made, ago: timedelta, dice: random.Random) -> int:
    """Make up how many ms an answer took, so long *ago*: longer by day than by night, and much longer on bad days."""
    usual = made.took * (SLOWDOWN if ago.days in made.slow_days else 1)
    daily = 1 + 0.25 * math.sin(math.tau * (ago / timedelta(days=1)))
    return round(usual * daily * dice.lognormvariate(0, 0.2))


def answered(who: str, at: datetime, took: int, reason: Reason | None) -> Past:
    """Make one answer; *took* counts unless it is a failure."""
    if reason is not None:
        return Past(service=who, at=at, outcome=Outcome.FAIL, took=WHY[reason], reason=reason)
    if took > SLOW_MS:
        return Past(service=who, at=at, outcome=Outcome.WARN, took=took, reason=Reason.SLOW)
    return Past(service=who, at=at, outcome=Outcome.PASS, took=took, reason=None)
