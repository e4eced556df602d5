"""Pages of incidents, history and about: what was measured and what the operator tells, in one timeline."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from helpers import T0, a_check, saw
from helpers_site import DAY, DOWN_NOW, NOW, UP, a_history, a_service, dip, drawn, entry, small_fleet, told
from test_accounting import stored
from test_render import HOSTILE, Document, built, pages
from test_view import CANARY, sown

from uplog.collector.config import parse as configured
from uplog.collector.model import Check, History, Observation, Outcome, Reason, ServiceHistory, State
from uplog.collector.store import Store, upkeep
from uplog.collector.store.read import history_at
from uplog.site.build import build
from uplog.site.file import File
from uplog.site.incidents import parse
from uplog.site.render import plan
from uplog.site.timeline import incident, unpublished
from uplog.site.values import IncidentView, Page, Words
from uplog.site.view import page

pytestmark = pytest.mark.unit


def words(name: str = "x", body: str = "We look into it.", **front: str) -> Words:
    """Write a file as an operator would: `services="web"`, `started="2026-11-21 09:00"`."""
    lines = [f"{key}: {value}" for key, value in {"title": "Cards fail", **front}.items()]
    found, problems = parse("\n".join(["---", *lines, "---", body]), f"incidents/{name}.md", UTC)
    assert problems == ()
    assert found is not None
    return found


def shown(history: History, *said: Words, **more: object) -> Page:
    return page(history, **{"zone": UTC, "audience": "public", "said": said, **more})  # type: ignore[arg-type]


def titles(seen: Page) -> list[tuple[str, bool]]:
    return [(one.title, one.told) for one in seen.recent]


def steps(seen: IncidentView) -> list[tuple[str, str]]:
    return [(one.when, one.title) for one in seen.steps]


def one_page(seen: Page, name: str = "") -> IncidentView:
    (found,) = [one for one in seen.incidents if name in ("", one.name)]
    return incident(found, seen.calendar)


NOON = NOW - 2 * DAY + timedelta(hours=2)  # 19 Nov, 12:00
OUTAGE = ((NOW - NOON) / DAY, 30.0)
SAID = {"services": "web", "started": "2026-11-19 12:05", "resolved": "2026-11-19 12:40"}
FAILED = a_history(told((*UP, *dip(*OUTAGE)), a_service("web", name="Web")))


# The page of an incident


def test_pages_of_what_goes_on_are_made_of_the_same_a_minute_later() -> None:
    going_on, said = a_history(told(DOWN_NOW)), words(services="web", started="2026-11-21 09:00")
    later = replace(going_on, now=going_on.now + timedelta(minutes=1))

    assert shown(going_on, said).told[0].outages
    assert shown(going_on, said).incidents == shown(later, said).incidents


def test_the_page_of_an_outage_that_is_over_is_made_again_in_another_year_only() -> None:
    def made(days: int) -> File:
        (found,) = [
            file
            for name, file in plan(shown(replace(FAILED, now=NOW + days * DAY))).items()
            if name.startswith("incident/")
        ]
        return found

    assert made(0).source == made(1).source == made(20).source
    assert (b"19 Nov 2026" in made(0).make(), b"19 Nov 2026" in made(50).make()) == (False, True)


def test_every_outage_has_a_page_and_every_list_leads_to_it() -> None:
    files = built(small_fleet())
    ids = {one["id"] for service in json.loads(files["status.json"])["services"] for one in service["incidents"]}

    assert {name for name in files if name.startswith("incident/")} == {f"incident/{one}.html" for one in ids}
    linked = {
        link.rpartition("/")[2].removesuffix(".html")
        for name in ("index.html", "history.html")
        for link in Document(files[name]).values("href")
        if link.startswith("incident/")
    }
    assert linked == ids
    for service in json.loads(files["status.json"])["services"]:
        links = Document(files[f"service/{service['key']}.html"]).values("href")
        assert {f"../incident/{one['id']}.html" for one in service["incidents"]} <= {*links}


def test_the_page_of_an_outage_tells_start_end_length_and_reason() -> None:
    one = one_page(shown(FAILED))

    assert (one.title, one.look, one.state) == ("Outage of Web", "up", "Over after 30 min")
    assert one.facts == (
        ("Began", "19 Nov, 12:00"),
        ("Ended", "19 Nov, 12:30"),
    )
    assert one.detail == "The server reported an error"
    assert steps(one) == [
        ("19 Nov, 12:30", "Over after 30 min"),
        ("19 Nov, 12:00", "Down, the server reported an error"),
    ]


def test_what_was_not_known_meanwhile_is_not_counted_as_down() -> None:
    start = OUTAGE[0]
    history = a_history(
        told(
            (
                *UP,
                (start, State.DOWN, Reason.TLS),
                (start - 10 / 1_440, State.UNKNOWN, Reason.NO_SAMPLE),
                (start - 30 / 1_440, State.UP, None),
            )
        )
    )

    assert ("Counted as down", "10 min") in one_page(shown(history)).facts


def test_an_outage_that_goes_on_says_so_and_has_no_length() -> None:
    one = one_page(shown(a_history(told(DOWN_NOW))))

    assert (one.look, one.state) == ("down", "Down since 21 Nov, 09:37")
    assert one.facts == ()


def test_pages_of_incidents_stay_the_same_while_nothing_happens() -> None:
    def at(minutes: int) -> dict[str, bytes]:
        now = NOW + timedelta(minutes=minutes)
        since = ((now - NOW + 0.5 * DAY) / DAY, State.DOWN, Reason.TLS)
        history = a_history(told(((100, State.UP, None), since), now=now), now=now, newest=now)
        return built(history, said=[words(**{**SAID, "resolved": ""})])

    early, late = at(1), at(40)

    assert {name for name in early if early[name] != late[name] and name.startswith(("incident", "about"))} == set()


def seen(check: Check, *answers: tuple[float, Outcome, Reason | None, int]) -> list[Observation]:
    return [
        Observation(check=check.key, at=NOON + timedelta(seconds=s), outcome=outcome, took=12, reason=why, attempt=n)
        for s, outcome, why, n in answers
    ]


def with_attempts(*answers: tuple[float, Outcome, Reason | None, int]) -> ServiceHistory:
    one = FAILED.services[0]
    return replace(one, attempts=seen(one.checks[0].check, *answers))


def test_the_answers_that_decided_are_told() -> None:
    fail, good = (Outcome.FAIL, Reason.TIMEOUT), (Outcome.PASS, None)
    history = a_history(
        with_attempts(
            (-400, *good, 1),
            (-59, *good, 1),
            (0.4, *fail, 1),
            (4, *fail, 2),
            (9, *good, 1),
            (11, *fail, 3),
            (1_800.2, *good, 1),
            (1_860, *good, 1),
        )
    )

    one = one_page(shown(history))

    assert [(each.when, each.look, each.text) for each in one.attempts] == [
        ("19 Nov, 11:59:01", "up", "answered as expected"),
        ("19 Nov, 12:00:00", "down", "no answer within 2 s"),
        ("19 Nov, 12:00:04", "down", "no answer within 2 s, asked again"),
        ("19 Nov, 12:00:11", "down", "no answer within 2 s, asked again"),
        ("19 Nov, 12:30:00", "up", "answered as expected"),
    ]
    assert all(each.private is None for each in one.attempts)


def test_of_many_answers_the_first_are_told() -> None:
    history = a_history(with_attempts(*((s, Outcome.FAIL, Reason.TLS, 1) for s in range(20))))

    assert len(one_page(shown(history)).attempts) == 6


# The operator's words


def test_what_is_told_stands_on_the_page_of_the_outage_and_the_other_way_round() -> None:
    said = words(body="Looking.\n\n## 2026-11-19 12:20 Found\nA switch.", severity="major", **SAID)

    found = shown(FAILED, said)
    outage = found.services[0].outages[0].incident.id

    assert steps(one_page(found, outage)) == [
        ("19 Nov, 12:30", "Over after 30 min"),
        ("19 Nov, 12:20", "Found"),
        ("19 Nov, 12:05", ""),
        ("19 Nov, 12:00", "Down, the server reported an error"),
    ]
    assert steps(one_page(found, "x")) == [
        ("19 Nov, 12:40", "Resolved"),
        ("19 Nov, 12:30", "Web: over after 30 min"),
        ("19 Nov, 12:20", "Found"),
        ("19 Nov, 12:05", ""),
        ("19 Nov, 12:00", "Web: down, the server reported an error"),
    ]
    assert one_page(found, "x").facts == (
        ("Began", "19 Nov, 12:05"),
        ("Ended", "19 Nov, 12:40"),
        ("Severity", "Major"),
    )
    assert [one.page for one in one_page(found, "x").beside] == [outage]
    assert [one.page for one in one_page(found, outage).beside] == ["x"]


def test_an_outage_that_is_told_of_is_one_line_of_the_timeline() -> None:
    assert titles(shown(FAILED, words(**SAID))) == [("Cards fail", True)]
    assert titles(shown(FAILED)) == [("Web", False)]


def test_what_is_told_of_another_time_or_service_is_a_line_of_its_own() -> None:
    earlier = words(**{**SAID, "started": "2026-11-19 10:00", "resolved": "2026-11-19 11:00"})
    history = a_history(*FAILED.services, told(UP, a_service("other")))

    assert titles(shown(history, earlier)) == [("Web", False), ("Cards fail", True)]
    assert titles(shown(history, words(**{**SAID, "services": "other"}))) == [("Cards fail", True), ("Web", False)]


def test_the_page_of_a_service_lists_what_is_told_of_it_once() -> None:
    history = a_history(*FAILED.services, told(UP, a_service("other")))
    found = shown(history, words(**{**SAID, "services": "[web, other]"}))

    assert {
        one.slug: [(entry.title, entry.about, entry.told) for entry in one.incidents] for one in found.services
    } == {
        "other": [("Cards fail", "Web and other", True)],
        "web": [("Web", "the server reported an error; Cards fail", False)],
    }


@pytest.mark.parametrize(
    ("severity", "look"), [("minor", "degraded"), ("major", "down"), ("critical", "down"), ("", "degraded")]
)
def test_an_incident_that_is_not_over_forbids_that_all_is_well(severity: str, look: str) -> None:
    said = words(services="web", started="2026-11-21 09:00", severity=severity)

    found = shown(a_history(told(UP)), said)

    assert (found.headline.look, found.headline.text) == (look, "Cards fail")
    assert found.headline.detail == "Web, since 21 Nov, 09:00. web is up."
    assert [one.words.name for one in found.open] == ["x"]


def test_a_headline_that_was_measured_is_not_replaced() -> None:
    said = words(services="web", started="2026-11-21 09:00", severity="minor")

    assert shown(a_history(told(DOWN_NOW)), said).headline.text == "web is down"


@pytest.mark.parametrize("more", [{"resolved": "2026-11-21 09:30"}, {"started": "2026-11-21 10:01"}])
def test_what_is_over_or_to_come_changes_no_headline(more: dict[str, str]) -> None:
    said = words(**{"services": "web", "started": "2026-11-21 09:00", **more})

    assert shown(a_history(told(UP)), said).headline.look == "up"


def test_what_is_dated_later_does_not_exist_yet() -> None:
    said = words(
        body="Now.\n\n## 2026-11-21 10:30\nLater.",
        services="web",
        started="2026-11-21 09:00",
        resolved="2026-11-21 11:00",
    )
    (one,) = shown(a_history(told(UP)), said).open

    assert (one.end, [update.text for update, _ in one.updates]) == (None, ["Now."])
    assert shown(a_history(told(UP)), words(services="web", started="2026-11-21 10:01")).incidents == ()


def test_announcements_stand_on_the_index_until_they_are_over() -> None:
    said = [
        words("always"),
        words("shown", started="2026-11-01", resolved="2026-12-01", services="web", announcement="true"),
        words("over", resolved="2026-11-20"),
        words("ahead", started="2026-12-01"),
    ]
    files = built(a_history(told(UP)), said=said)

    assert [one["id"] for one in json.loads(files["status.json"])["announcements"]] == ["shown", "always"]
    assert Document(files["index.html"]).text.count("Cards fail") == 2
    assert "All is up" not in Document(files["index.html"]).text
    assert json.loads(files["status.json"])["headline"]["state"] == "up"
    assert [name for name in files if name.startswith("incident/")] == []


def test_announcements_in_status_json_have_their_words() -> None:
    said = words(body="One.\n\n## 2026-11-20 12:00 Again\n*Two*.", started="2026-11-19")
    found = json.loads(built(a_history(told(UP)), said=[said])["status.json"])

    assert found["announcements"] == [
        {
            "id": "x",
            "title": "Cards fail",
            "services": [],
            "started": "2026-11-19T00:00:00Z",
            "ended": None,
            "severity": None,
            "updates": [
                {"at": "2026-11-20T12:00:00Z", "title": "Again", "text": "*Two*."},
                {"at": "2026-11-19T00:00:00Z", "title": "", "text": "One."},
            ],
        }
    ]


# For whom


def test_words_are_published_only_when_all_they_name_is_public() -> None:
    history = a_history(told(UP), told(UP, a_service("inside", public=False)))
    said = [
        words(name, services=services, started="2026-11-20", announcement=announcement)
        for announcement in ("false", "true")
        for name, services in [("good", "web"), ("both", "[web, inside]"), ("hidden", "inside"), ("odd", "[web, wbe]")]
    ]

    public, internal = (shown(history, *said, audience=audience) for audience in ("public", "internal"))

    assert [[one.words.name for one in some] for some in (public.told, public.announcements)] == [["good"], ["good"]]
    assert [len(some) for some in (internal.told, internal.announcements)] == [4, 4]


def test_what_keeps_words_off_the_public_page_is_told() -> None:
    services = [a_service("web"), a_service("inside", name="Inside", public=False)]
    said = [words(services="[web, Inside]", started="2026-11-20"), words("y", services="wbe", started="2026-11-20")]

    assert list(unpublished(said, services)) == [
        'incidents/x.md:3: services: "Inside" is not public, so the public page does not tell of this',
        'incidents/y.md:3: services: no service that is known is called "wbe"; did you mean "web"?',
    ]


def test_problems_stand_on_the_internal_index_only() -> None:
    public, internal = (
        built(FAILED, problems=["incidents/x.md:3: <b>"], audience=audience) for audience in ("public", "internal")
    )

    assert "incidents/x.md:3: <b>" in Document(internal["index.html"]).text
    assert not [name for name, content in public.items() if b"x.md" in content]


def test_no_page_of_an_incident_holds_anything_private() -> None:
    history = sown()
    one = history.services[0]
    seen = [Observation(check=one.checks[0].check.key, at=NOW, outcome=Outcome.FAIL, took=1, code=77_123)]
    files = built(replace(history, services=[replace(one, attempts=seen), *history.services[1:]]), keep=86_400_000)

    assert [name for name, content in files.items() if CANARY.encode() in content or b"77123" in content] == []
    assert {"about.html", "history.html"} <= files.keys()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_titles_and_names_are_text_and_nothing_else(hostile: str) -> None:
    def site(text: str) -> dict[str, bytes]:
        service = told((*UP, *dip(*OUTAGE)), a_service("web", name=text))
        said = [words(**{**SAID, "resolved": ""}), words("y", "a\n\n## 2026-11-20 09:00 b")]
        said = [
            replace(one, title=text, updates=tuple(replace(each, title=text) for each in one.updates)) for one in said
        ]
        return built(a_history(service), said=said)

    evil, tame = site(hostile), site("n")

    for name, document in pages(evil).items():
        assert [tag for tag, _ in document.elements] == [tag for tag, _ in pages(tame)[name].elements]
    for name in ("index.html", "history.html", "incident/x.html", "service/web.html"):
        assert hostile in Document(evil[name]).text


# Days


def test_what_a_person_wrote_from_right_to_left_stays_together_beside_its_moment() -> None:
    said = words(body="x\n## 2026-11-19 12:10 \u062d\u062f\u062f\u0646\u0627 1", **SAID)

    content = built(FAILED, said=[said])["incident/x.html"].decode()

    assert "<h3>\u2068\u062d\u062f\u062f\u0646\u0627 1\u2069 <time" in content


def test_each_day_with_trouble_is_a_link_to_its_story() -> None:
    files = built(small_fleet())

    for service in json.loads(files["status.json"])["services"]:
        own = files[f"service/{service['key']}.html"].decode()
        (bar,) = re.findall(r'<svg class="b".*?</svg>', own, re.DOTALL)
        days = re.findall(r'<a href="#([^"]+)"', bar)
        assert days == list(reversed(re.findall(r'<li id="(\d{4}-\d\d-\d\d)">', own)))
        assert re.findall(rf'href="service/{service["key"]}.html#([^"]+)"', files["index.html"].decode()) == days


def test_the_story_of_a_day_leads_to_its_outage_or_to_the_list_of_them() -> None:
    several = (*dip(3.0, 9), *dip(2.9, 9))
    content = built(a_history(told((*UP, *dip(5.0, 9), *several))))["service/web.html"].decode()
    links = re.findall(r'<li id="([\d-]+)"><p><time[^>]*>[^<]+</time><span class="soft"> · <a href="([^"]+)"', content)

    assert [(day, link.rpartition("/")[0]) for day, link in links] == [
        ("2026-11-18", ""),
        ("2026-11-16", "../incident"),
    ]
    assert links[0][1] == "#outages"


def test_a_bar_is_one_stop_of_the_keyboard_at_its_newest_trouble() -> None:
    index = built(small_fleet())["index.html"].decode()

    for bar in re.findall(r'<svg class="b".*?</svg>', index, re.DOTALL):
        links = re.findall(r"<a [^>]+>", bar)
        assert ['tabindex="-1"' in link for link in links] == [True] * (len(links) - 1) + [False] * bool(links)


# History and about


def test_history_goes_by_month_and_an_incident_stands_in_each_it_touches() -> None:
    turn = datetime(2026, 10, 31, 23, 50, tzinfo=UTC)
    found = shown(a_history(told((*UP, *dip((NOW - turn) / DAY, 20.0)))))

    assert [(month.month, len(month.entries)) for month in found.months] == [
        *(("2026-11", 1), ("2026-10", 1), ("2026-09", 0), ("2026-08", 0)),
    ]


def test_history_of_nothing_is_a_page_all_the_same() -> None:
    files = built(a_history(entry(a_service(), [], now=NOW, last=None), newest=None, every=None))

    assert "Nothing was watched so far." in Document(files["history.html"]).text
    assert "Asked every minute" in Document(files["about.html"]).text
    assert "No service is asked at present." in Document(built(a_history())["about.html"]).text


def test_about_tells_the_configuration_in_force() -> None:
    slow = Check(
        key="k",
        service="config//slow",
        kind="http",
        target="http://x.invalid/",
        every=300_000,
        timeout=10_000,
        failure_threshold=1,
        success_threshold=2,
        degraded_above=1_500,
        grace=1,
    )
    history = a_history(
        *(told(UP, a_service(name)) for name in "abc"), drawn("+", a_service("slow", name="Slow", checks=(slow,)))
    )
    seen = Document(built(history, keep=30 * 86_400_000, zone=UTC)["about.html"]).text

    for said in (
        "A, b and c",
        "Asked every minute, with 2 s to answer. Down after 3 failures in a row, up again after 1 pass.",
        "Asked every 5 min, with 10 s to answer. Down after 1 failure, up again after 2 passes in a row.",
        "An answer that takes longer than 1.5 s counts as degraded.",
        "asked about again, 2 s and again 5 s after it",
        "Some services have a time after their start",
        "more than 2.5 intervals",
        "older than 3 of its shortest intervals",
        "calendar days of UTC",
        "kept for 30 days",
    ):
        assert said in seen


def test_about_says_nothing_of_services_that_are_not_shown() -> None:
    hidden = a_service("inside", name="Inside", public=False)
    history = a_history(told(UP), told(UP, replace(hidden, checks=(replace(hidden.checks[0], timeout=77_000),))))

    assert "77 s" not in Document(built(history)["about.html"]).text
    assert "77 s" in Document(built(history, audience="internal")["about.html"]).text


# From the record


def test_the_answers_around_beginnings_and_ends_are_read_from_closed_days_and_from_the_open_one(tmp_path: Path) -> None:
    seen = list(saw("++++++---+++" + "+" * 1_500 + "++----++++--"))
    with Store(tmp_path / "uplog.db") as store:
        stored(store, [(a_check(), seen)])
        with store.writing() as db:
            upkeep.move_days(db)
        with store.reading() as db:
            (read,) = history_at(db, seen[-1].at).services

    assert [(one.at - T0) // timedelta(minutes=1) for one in read.attempts] == [
        *(5, 6, 7, 8, 9),  # the last before, the first of it, and the one that ended it
        *(1_513, 1_514, 1_515, 1_516, 1_518),
    ]
    assert [one for one in seen if one in read.attempts] == list(read.attempts)


def test_the_page_of_an_outage_stays_where_it_is_after_years(tmp_path: Path) -> None:
    seen = list(saw("++---++"))
    with Store(tmp_path / "uplog.db") as store:
        stored(store, [(a_check(), seen)])
        first, _ = build(configured({}, folder=tmp_path), store, seen[-1].at)
        build(configured({}, folder=tmp_path), store, seen[-1].at + 800 * DAY)

    (name,) = [name for name in first.written if name.startswith("incident/")]
    assert (tmp_path / "public" / name).exists()
    assert f"../{name}" in (tmp_path / "public/service/web.html").read_text()


def test_a_page_is_built_with_what_lies_in_the_folder_beside_the_configuration(tmp_path: Path) -> None:
    folder = tmp_path / "incidents"
    folder.mkdir()
    for name, service in (("good", "web"), ("odd", "wbe")):
        said = f"---\ntitle: {name} title\nservices: {service}\nstarted: 2026-11-01 00:02\n---\nWe look."
        (folder / f"{name}.md").write_text(said)
    (folder / "bad.md").write_text("no")
    seen = list(saw("++++"))
    with Store(tmp_path / "uplog.db") as store:
        stored(store, [(a_check(), seen)])
        public, internal = build(configured({}, folder=tmp_path), store, seen[-1].at)

    assert {name for name in internal.written if name.startswith("incident/")} == {
        "incident/good.html",
        "incident/odd.html",
    }
    assert {name for name in public.written if name.startswith("incident/")} == {"incident/good.html"}
    assert "odd title" not in (tmp_path / "public/index.html").read_text()
    assert [problem.removeprefix(f"{folder}/") for problem in internal.problems] == [
        "bad.md:1: expected a front matter between two lines of three dashes",
        'odd.md:3: services: no service that is known is called "wbe"; did you mean "web"?',
    ]
