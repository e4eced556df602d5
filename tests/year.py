"""A year of one-minute history of 100 services with 20 kinds of trouble, made from a seed, and its exact figures.

A script of troubles says of each slot what was observed (`signs`, one letter a slot), and paints by hand, from
sections 3 and 4 of DESIGN.md, what that makes of each second of the year (`seconds`, one letter a second). Figures are
counted from the paint. Nothing here knows uplog; `python tests/year.py` writes tests/expected/year.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

SEED = 20_250_101
SERVICES = 5  # of each kind
ZONE = ZoneInfo("Europe/Helsinki")
START = int(datetime(2025, 1, 1, tzinfo=ZONE).timestamp())
NOW = int(datetime(2025, 12, 31, 23, 59, 30, tzinfo=ZONE).timestamp())
SLOTS = 525_600
MINUTE = 60_000  # ms
DAYS = ("2025-02-11", "2025-03-30", "2025-10-26")  # whose percentiles are compared: plain, of 23 and of 25 hours
EXPECTED = Path(__file__).parent / "expected" / "year"

# up, degraded, down, not known, nothing lives; in capitals the same in maintenance
UP, DEGRADED, DOWN, UNKNOWN, NOBODY = b"u", b"g", b"d", b"n", b" "
STORY = re.compile(rb"d[dnUGDN]*")  # an incident: from a down second to the next up or degraded one


@dataclass(kw_only=True)
class Asked:
    """What a check was told, slot by slot: + pass, ! warn, - fail, ? unknown, a space for silence."""

    role: str = "liveness"
    signs: bytearray = field(default_factory=lambda: bytearray(b"+" * SLOTS))
    slower_from: int = SLOTS  # from this slot on it is asked every five minutes


@dataclass(kw_only=True)
class Script:
    """One service in its year: what was observed, what was said about its time, and what all that means."""

    kind: str
    number: int
    random: Random
    jitter: int = 997  # ms by which observations are late, at most
    failure_threshold: int = 3
    success_threshold: int = 1
    checks: list[Asked] = field(default_factory=lambda: [Asked()])
    away: tuple[int, int] | None = None  # retired in this ms, back before this slot
    windows: list[tuple[int, int]] = field(default_factory=list)
    corrections: list[tuple[int, int, str]] = field(default_factory=list)
    seconds: bytearray = field(default_factory=lambda: bytearray(UP) * (NOW - START))

    @property
    def slug(self) -> str:
        return f"{self.kind}-{self.number}"

    def at(self, slot: int) -> int:
        """Return the ms at which this slot was observed."""
        return START * 1000 + slot * MINUTE + 7_000 + slot * 7_919 % self.jitter

    def took(self, slot: int) -> int:
        """Return how long the answer took."""
        return 40 + slot * (self.number + 3) % 211 + 900 * (slot % 25 == 0)

    def second(self, slot: int) -> int:
        """Return the second of the year in which this slot was observed; of the slot after the last, the end."""
        return self.at(slot) // 1000 - START if slot < SLOTS else len(self.seconds)

    def say(self, first: int, signs: str, check: int = 0) -> int:
        """Let the slots from *first* on be observed like this; return the slot after them."""
        self.checks[check].signs[first : first + len(signs)] = signs.encode()
        return first + len(signs)

    def paint(self, first: int, until: int, letter: bytes) -> None:
        """Let the seconds from the observation of one slot until that of another be like this."""
        begin, end = self.second(first), self.second(until)
        self.seconds[begin:end] = letter * (end - begin)

    def outage(self, first: int, count: int) -> int:
        """Fail *count* times, enough for the threshold: down from the first failure until the pass after the last."""
        until = self.say(first, "-" * count)
        self.paint(first, until, DOWN)
        return until

    def silence(self, first: int, count: int, step: int = 1) -> int:
        """Lose so many slots: unknown from one interval after the last answer until the next."""
        until = self.say(first, " " * count)
        begin = (self.at(first - step) + step * MINUTE) // 1000 - START
        end = self.second(until)
        self.seconds[begin:end] = UNKNOWN * (end - begin)
        return until

    def some_days(self, count: int) -> list[int]:
        """Return the first slots of that many days of the year, apart from each other."""
        return [day * 1440 for day in sorted(self.random.sample(range(2, 362, 2), count))]

    def finish(self) -> None:
        """Lay corrections over the seconds, and maintenance over those; neither where nothing lives."""
        letters = {"up": UP, "degraded": DEGRADED, "down": DOWN, "unknown": UNKNOWN}
        for begin, end, state in self.corrections:
            lived = self.seconds[begin:end]
            self.seconds[begin:end] = bytes(letters[state][0] if letter != NOBODY[0] else letter for letter in lived)
        for begin, end in self.windows:
            self.seconds[begin:end] = self.seconds[begin:end].upper()


def local(day: int, hour: int, minute: int = 0) -> int:
    """Return the slot in which clocks of the zone show this time on the n-th day of the year."""
    moment = datetime(2025, 1, 1, hour, minute, tzinfo=ZONE) + timedelta(days=day)
    return (int(moment.timestamp()) - START) // 60


# Twenty kinds of trouble


def healthy(script: Script) -> None:
    """Nothing ever happens."""


def blip(script: Script) -> None:
    """Fail once a day: too little for the threshold, so that it costs nothing."""
    for day in range(365):
        script.say(day * 1440 + script.random.randrange(1, 1439), "-")


def outages(script: Script) -> None:
    """Fail three times or more in a row."""
    for day in script.some_days(40):
        script.outage(day + script.random.randrange(1400), script.random.randint(3, 30))


def midnight(script: Script) -> None:
    """Be down over midnight, the ends of months among them."""
    for day in (30, 89, 119, *range(150 + script.number, 350, 20)):
        script.outage(local(day, 21, script.random.randrange(60)), script.random.randint(240, 1700))


def clocks(script: Script) -> None:
    """Be down while the clocks are changed, twice a year."""
    for day in (88, 298):  # 30 March, 26 October
        script.outage(local(day, 1) + 17 * script.number, 150 + 20 * script.number)


def flapping(script: Script) -> None:
    """Fail and pass in turns for an hour; with a threshold of one each failure counts, of three only the triples."""
    script.failure_threshold = 1 if script.number % 2 else 3
    for day in script.some_days(24):
        slot = day + 600
        for _ in range(15):
            if script.number % 2:
                for _ in range(2):
                    slot = script.outage(slot, 1) + 1
            else:
                slot = script.say(script.outage(slot, 3), "+--+")


def slow(script: Script) -> None:
    """Warn in the evening: degraded, which counts as up."""
    for day in range(365):
        first = local(day, 19 + script.number % 3)
        until = script.say(first, "!" * (90 + script.number))
        script.paint(first, until, DEGRADED)


def dead(script: Script) -> None:
    """Have nobody ask for five hours, now and then."""
    for day in script.some_days(12):
        script.silence(day + script.random.randrange(1000), 300)


def asleep(script: Script) -> None:
    """Have nobody ask at night; an outage of the evening before is one with that of the morning after."""
    for day in range(1, 364):
        first = local(day, 1, script.number)
        until = script.silence(first, 300)
        if day % 40 == 0:
            script.outage(first - 20, 20)
            script.silence(first, 300)
            script.outage(until, 15)


def interval(script: Script) -> None:
    """Be asked every five minutes from the middle of the year on; one lost round is forgiven, two are not."""
    check = script.checks[0]
    check.slower_from = slower = 182 * 1440 + 5 * script.number
    script.say(slower, ("+    " * SLOTS)[: SLOTS - slower])
    for day in script.some_days(30):
        if day < slower - 1440:
            script.outage(day + 100, 5)
            script.say(day + 200, " ")
            script.silence(day + 300, 2)
        elif day > slower:
            first = slower + (day - slower) // 5 * 5
            script.say(first, "-    -    -    ")
            script.paint(first, first + 15, DOWN)
            script.say(first + 100, " " * 5)
            script.say(first + 200, " " * 10)
            begin = (script.at(first + 195) + 5 * MINUTE) // 1000 - START
            script.seconds[begin : script.second(first + 210)] = UNKNOWN * (script.second(first + 210) - begin)


def maintenance(script: Script) -> None:
    """Be in maintenance every night; odd ones fail in it, and some of those still after it."""
    for day in range(365):
        begin = local(day, 3) * 60
        script.windows.append((begin, begin + 1800))
        if day % 30 == 0:  # overlapping
            script.windows.append((begin + 900, begin + 2700))
        if script.number % 2:
            script.outage(begin // 60 + 3, 50 if day % 17 == 0 else 10)


def corrections(script: Script) -> None:
    """Know better afterwards: an outage that was none, a time nobody can know about, an outage nobody saw."""
    for place, day in enumerate(script.some_days(20)):
        first = day + 200
        until = script.outage(first, 30)
        begin, end = script.second(first), script.second(until)
        if place % 4 == 0:
            script.corrections.append((begin, end, "up"))
        elif place % 4 == 1:
            script.corrections.append((begin - 100, begin + 500, "unknown"))
        elif place % 4 == 2:
            script.corrections += [(begin + 60, end + 600, "up"), (begin + 300, begin + 900, "down")]
        else:
            script.corrections += [(end + 3_000, end + 3_700, "down"), (end + 3_100, end + 3_200, "degraded")]


def born(script: Script) -> None:
    """Be seen first in the course of the year, the third with a failure."""
    first = local(100 + 40 * script.number, 13, 7)
    script.say(0, " " * first)
    script.paint(0, first, NOBODY)
    if script.number == 2:
        script.outage(first, 4)
    for day in script.some_days(60):
        if day > first:
            script.outage(day + 5, 4)


def retired(script: Script) -> None:
    """Be retired while it is down, and come back two months later."""
    gone = local(120 + 10 * script.number, 10)
    back = local(190, 9, script.number)
    script.outage(gone - 500, 5)
    script.say(gone, " " * (back - gone))
    script.outage(gone - 30, 30)
    script.away = (script.at(gone - 1) + 20_000, back)
    end = script.away[0] // 1000 - START
    script.seconds[end : script.second(back)] = NOBODY * (script.second(back) - end)
    script.outage(back + 4000, 7)


def readiness(script: Script) -> None:
    """Not be ready while it lives, which is degraded; be neither, which is down; be ready unless nobody knows."""
    script.checks.append(Asked(role="readiness"))
    for place, day in enumerate(script.some_days(30)):
        until = script.say(day + 60, "-" * 40, check=1)
        script.paint(day + 60, until, DEGRADED)
        if place % 3 == 0:
            script.outage(day + 70, 10)
        if place % 3 == 1:
            script.say(day + 70, "?" * 10)
            script.paint(day + 70, day + 80, UNKNOWN)


def thrice(script: Script) -> None:
    """Pass three times in a row before it counts as up, from the first of them on."""
    script.success_threshold = 3
    for day in script.some_days(30):
        first = day + script.random.randrange(1000)
        until = script.say(first, "-" * 5 + "++-" * script.random.randint(1, 4))
        script.paint(first, until, DOWN)


def unknown(script: Script) -> None:
    """Have our own network fail: unknown from that moment; an outage goes on behind it."""
    for place, day in enumerate(script.some_days(30)):
        first = day + script.random.randrange(1000)
        if place % 2:
            until = script.say(first, "?" * script.random.randint(1, 50))
            script.paint(first, until, UNKNOWN)
        else:
            begin = script.outage(first, 10)
            again = script.say(begin, "?" * 20)
            script.paint(begin, again, UNKNOWN)
            script.outage(again, 10)


def thresholds(script: Script) -> None:
    """Fail and warn exactly as often as the threshold says, and once less."""
    script.failure_threshold = most = 2 + script.number
    for day in script.some_days(30):
        script.say(day + 10, "-" * (most - 1))
        script.outage(day + 50, most)
        script.say(day + 90, "!" * (most - 1))
        until = script.say(day + 130, "!" * most)
        script.paint(day + 130, until, DEGRADED)
        until = script.say(day + 170, "!" * (most - 1) + "-")
        script.paint(day + 170, until, DEGRADED)
        until = script.say(day + 210, "!" + "-" * most)
        script.paint(day + 210, day + 211, DEGRADED)
        script.paint(day + 211, until, DOWN)


def missing(script: Script) -> None:
    """Lose single samples, which is forgiven, also in an outage; two in a row are not."""
    for slot in range(100 + script.number, SLOTS - 100, 97):
        script.say(slot, " ")
    for day in script.some_days(20):
        script.say(day + 10, "+" * 80)
        script.say(day + 20, "-- - --")
        script.paint(day + 20, day + 27, DOWN)
        script.silence(day + 60, 2)


def late(script: Script) -> None:
    """Be asked every other minute only, and late, so that up to 2.4 intervals lie between two answers."""
    script.jitter = 23_993
    script.say(0, "+ " * (SLOTS // 2))
    for day in script.some_days(20):
        first = day + 100 + 2 * script.number
        script.say(first, "- - - - ")
        script.paint(first, first + 8, DOWN)
        script.silence(first + 201, 5, step=1)
        begin = (script.at(first + 200) + MINUTE) // 1000 - START
        script.seconds[begin : script.second(first + 206)] = UNKNOWN * (script.second(first + 206) - begin)


KINDS: dict[str, Callable[[Script], None]] = {
    kind.__name__: kind
    for kind in (
        healthy,
        blip,
        outages,
        midnight,
        clocks,
        flapping,
        slow,
        dead,
        asleep,
        interval,
        maintenance,
        corrections,
        born,
        retired,
        readiness,
        thrice,
        unknown,
        thresholds,
        missing,
        late,
    )
}


def scripts(kind: str) -> Iterator[Script]:
    """Write the scripts of one kind of trouble."""
    return (script(kind, number) for number in range(SERVICES))


def script(kind: str, number: int) -> Script:
    """Write one script of a kind of trouble."""
    found = Script(kind=kind, number=number, random=Random(f"{SEED} {kind} {number}"))
    found.seconds[: found.second(0)] = NOBODY * found.second(0)
    KINDS[kind](found)
    found.finish()
    return found


# Figures


def figures(script: Script) -> dict[str, dict[str, list[object]]]:
    """Count from the paint what is to be expected of a service.

    Windows have up, degraded, down, unknown, maintenance, down in maintenance in seconds, and incidents; all incidents
    together count, seconds, first and last id; days of latency have observations, p50 and p95 in ms.
    """
    stories = [(found.start(), found.end()) for found in STORY.finditer(script.seconds)]
    days = days_of_the_year()
    by_day = {day: counted(script, begin, end) for day, begin, end in days}

    def window(some: list[tuple[str, int, int]]) -> list[object]:
        begin, end = some[0][1], some[-1][2]
        return [*map(sum, zip(*(by_day[day] for day, _, _ in some), strict=True)), touching(stories, begin, end)]

    last_day = (NOW - START - 86_400, NOW - START)
    months = {f"2025-{month:02}": [day for day in days if day[0][5:7] == f"{month:02}"] for month in range(1, 13)}
    return {
        "periods": {
            "24h": [*counted(script, *last_day), touching(stories, *last_day)],
            **{f"{count}d": window(days[-count:]) for count in (7, 30, 90, 365)},
        },
        "months": {month: sums for month, those in months.items() if any(sums := window(those))},
        "incidents": {
            "all": [
                len(stories),
                sum(script.seconds.count(DOWN, begin, end) for begin, end in stories),
                *(incident_id(script.slug, begin) for begin, _ in stories[:1] + stories[-1:]),
            ]
        },
        "latency": {day: found for day in DAYS if (found := percentiles(script, day))},
    }


def days_of_the_year() -> list[tuple[str, int, int]]:
    """Return the days of the zone, each with its first second of the year and the one after its last."""
    first = [datetime(2025, 1, 1) + timedelta(days=day) for day in range(365)]
    begins = [int(day.replace(tzinfo=ZONE).timestamp()) - START for day in first]
    ends = [*begins[1:], NOW - START]  # the last day is not over
    return [(f"{day:%Y-%m-%d}", begin, end) for day, begin, end in zip(first, begins, ends, strict=True)]


def counted(script: Script, begin: int, end: int) -> list[int]:
    """Count the seconds of a window: up, degraded, down, unknown, maintenance, and down in maintenance."""

    def count(letter: bytes) -> int:
        return script.seconds.count(letter, begin, end)

    up = count(UP)
    if up == end - begin:
        return [up, 0, 0, 0, 0, 0]
    maintenance_down = count(DOWN.upper())
    maintenance = sum(map(count, (UP.upper(), DEGRADED.upper(), UNKNOWN.upper()))) + maintenance_down
    return [up, *map(count, (DEGRADED, DOWN, UNKNOWN)), maintenance, maintenance_down]


def touching(stories: list[tuple[int, int]], begin: int, end: int) -> int:
    """Count the incidents that a window has a part of."""
    return sum(first < end and last > begin for first, last in stories)


def incident_id(slug: str, second: int) -> str:
    """Name an incident. Links that people keep have these names, so that they may not change."""
    seed = int(hashlib.sha256(slug.encode()).hexdigest()[:10], 16)
    return f"{(seed + (START + second) * 0x1F3D5B79) % (1 << 40):010x}"


def percentiles(script: Script, day: str) -> list[object]:
    """Return how many passes and warnings a day has, their median and 95th percentile by nearest rank; empty: none."""
    took = sorted(script.took(slot) for check in script.checks for slot in slots_of(day) if check.signs[slot] in b"+!")
    return [len(took), *(took[-(-len(took) * share // 100) - 1] for share in (50, 95))] if took else []


def slots_of(day: str) -> range:
    """Return the slots that lie in a day of the zone: each is observed some seconds into its minute."""
    begin, end = next((begin, end) for label, begin, end in days_of_the_year() if label == day)
    return range(begin // 60, end // 60)


def written(kind: str) -> str:
    """Write the figures of one kind of trouble, a line a window."""
    text = json.dumps({script.slug: figures(script) for script in scripts(kind)}, indent=1)
    return re.sub(r"\[[^]]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


if __name__ == "__main__":
    for each in KINDS:
        (EXPECTED / f"{each}.json").write_text(written(each))
