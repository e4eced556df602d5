"""The headline, over everything that can be together: how services are, a stale page, and what the operator tells."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from itertools import combinations_with_replacement, product

import pytest
from helpers_site import DAY, NOW, a_history, a_service, entry, told
from markupsafe import Markup

from uplog.collector.model import Reason, ServiceHistory, State, Window
from uplog.site.values import Headline, Update, Words
from uplog.site.view import page, views

pytestmark = pytest.mark.unit

NAMES = ("Alpha", "Bravo", "Charlie", "Delta")
LOOKS = ("up", "degraded", "down", "unknown", "maintenance", "not counted")
SEVERITIES = (None, "minor", "major", "critical", "")  # of an incident that is not over; none: there is no such
WORD = {"up": r"\bup\b", "degraded": "degraded", "down": "down", "unknown": "known", "maintenance": "maintenance"}
TITLE = "Card payments fail"
STATES = {
    "up": (State.UP, None),
    "degraded": (State.DEGRADED, Reason.SLOW),
    "down": (State.DOWN, Reason.REFUSED),
    "unknown": (State.UNKNOWN, Reason.PAUSED),
}


def one(name: str, look: str) -> ServiceHistory:
    """Make a service that looks so; in maintenance it is down under it, which must not show."""
    service = a_service(name.lower(), name=name)
    if look == "not counted":
        return entry(a_service(name.lower(), name=name, checks=()), [], now=NOW, last=None)
    state, reason = STATES.get(look, STATES["down"])
    windows = [Window(start=NOW - DAY / 2, end=None)] if look == "maintenance" else []
    return told([(1, state, reason)], service, windows=windows)


def words(*, announcement: bool, severity: str = "", over: bool = False) -> Words:
    """Make what an operator tells: of an incident, or of nothing that is wrong."""
    return Words(
        file="x.md", line=1, name=f"x-{announcement}-{over}", title="We move" if announcement else TITLE, services=(),
        started=NOW - timedelta(hours=2), resolved=NOW - timedelta(hours=1) if over else None, severity=severity,
        announcement=announcement, updates=(Update(at=NOW, title="", html=Markup("<p>Words.</p>"), text="Words."),),
    )  # fmt: skip


def expected_look(looks: Sequence[str], stale: bool) -> str:
    """Read DESIGN.md, section 4, sentence by sentence: over shown services that something can be asked of."""
    counted = [look for look in looks if look != "not counted"]
    table = [
        ("unknown", not counted),  # no services
        ("down", "down" in counted),  # any down
        ("degraded", "degraded" in counted),  # else any degraded
        ("unknown", "unknown" in counted or stale),  # else any unknown, or a stale page
        ("maintenance", "maintenance" in counted),  # else any in maintenance
        ("up", True),  # else up
    ]
    return next(look for look, holds in table if holds)


def wrong_text(text: str, looks: Sequence[str], stale: bool) -> Iterator[str]:
    """Tell what is wrong with a sentence about services of these *looks*: who it names, how many, and what they are."""
    look = expected_look(looks, stale)
    counted = [name for name, each in zip(NAMES, looks, strict=False) if each != "not counted"]
    alike = [name for name, each in zip(NAMES, looks, strict=False) if each == look]
    named = [name for name in NAMES if name in text]
    said = {each for each, word in WORD.items() if re.search(word, text)}
    if not counted:
        if named or said:
            yield "tells of services that are not there"
        return
    if said != {look}:
        yield f"says {said}"
    if look == "unknown" and stale:
        if named or "Nothing" not in text:
            yield "knows something of a page that is out of date"
    elif len(alike) <= 2:
        if named != alike or re.search(r"\d|\ball\b", text, re.IGNORECASE):
            yield f"names {named} and not {alike}"
    elif named or [int(number) for number in re.findall(r"\d+", text)] not in (
        [[len(counted)]] if len(alike) == len(counted) else [[len(alike), len(counted)]]
    ):
        yield f"counts wrongly: {len(alike)} of {len(counted)}"
    if re.search(r"\ball\b", text, re.IGNORECASE) and len(alike) != len(counted):
        yield "says all"


Table = Mapping[tuple[tuple[str, ...], bool, str | None, bool], Headline]  # by fleet, stale, severity, announcement
FLEETS = [fleet for size in range(5) for fleet in combinations_with_replacement(LOOKS, size)]


def test_the_table_is_whole() -> None:
    assert len(FLEETS) == 1 + 6 + 21 + 56 + 126
    assert {look for fleet in FLEETS for look in fleet} == set(LOOKS)


@pytest.fixture(scope="module")
def headlines() -> Table:
    """Build the page of every fleet, fresh and stale, with and without an open incident and an announcement."""
    found = {}
    for fleet, stale in product(FLEETS, (False, True)):
        newest = NOW - timedelta(seconds=181 if stale else 180)
        history = a_history(*map(one, NAMES, fleet), newest=newest)
        seen = views(history, UTC)
        for severity, announced in product(SEVERITIES, (False, True)):
            said = [words(announcement=False, severity="critical", over=True)]
            said += [words(announcement=True)] if announced else []
            said += [words(announcement=False, severity=severity)] if severity is not None else []
            made = page(history, zone=UTC, audience="internal", viewed=seen, said=said)
            found[fleet, stale, severity, announced] = made.headline
    return found


def test_headline_of_every_fleet_is_that_of_the_truth_table(headlines: Table) -> None:
    wrong = [
        (fleet, stale, headline)
        for (fleet, stale, severity, _), headline in headlines.items()
        if severity is None and headline.look != expected_look(fleet, stale)
    ]

    assert wrong == []


def test_headline_of_every_fleet_names_and_counts_those_that_it_is_about(headlines: Table) -> None:
    wrong = [
        (fleet, stale, headline.text, problem)
        for (fleet, stale, severity, _), headline in headlines.items()
        if severity is None
        for problem in wrong_text(headline.text, fleet, stale)
    ]

    assert wrong == []


def test_an_open_incident_is_the_headline_where_all_seems_well_and_hides_nothing_that_was_measured(
    headlines: Table,
) -> None:
    looks = {"": "degraded", "minor": "degraded", "major": "down", "critical": "down"}
    wrong = []
    for (fleet, stale, severity, announced), headline in headlines.items():
        if severity is not None:
            measured = headlines[fleet, stale, None, announced]
            well = measured.look in ("up", "maintenance")
            if (headline.look, headline.text) != ((looks[severity], TITLE) if well else (measured.look, measured.text)):
                wrong.append((fleet, stale, severity, headline))

    assert wrong == []


def test_an_announcement_and_what_is_over_change_no_headline(headlines: Table) -> None:
    plain = page(a_history(one("Alpha", "up")), zone=UTC, audience="internal").headline

    assert headlines[("up",), False, None, False] == plain
    assert [key for key, one in headlines.items() if one != headlines[*key[:3], False]] == []


def test_nothing_is_called_up_while_something_is_not_known_or_not_over(headlines: Table) -> None:
    up = {key for key, headline in headlines.items() if headline.look == "up" or "up" in headline.text.split()}

    assert Counter(stale or severity is not None for _, stale, severity, _ in up) == {False: len(up)}
    assert {look for fleet, *_ in up for look in fleet} == {"up", "not counted"}
    assert all("up" in fleet for fleet, *_ in up)


@pytest.mark.parametrize(
    ("looks", "text"),
    [
        (["down"] * 3, "All 3 services are down"),
        (["down"] * 3 + ["up"], "3 of 4 services are down"),
        (["down", "down", "unknown"], "Alpha and Bravo are down"),
        (["up"] * 3 + ["not counted"], "All 3 services are up"),
        (["unknown"] * 4, "Nothing is known of any of 4 services"),
        (["unknown", "up"], "Nothing is known of Alpha"),
        (["maintenance", "up"], "Alpha is in maintenance"),
        ([], "There is nothing to show yet"),
    ],
)
def test_headline_in_so_many_words(looks: list[str], text: str) -> None:
    assert page(a_history(*map(one, NAMES, looks)), zone=UTC, audience="public").headline.text == text
