"""The files beside the pages: read back by the parsers of others, inert, steady, and true to status.json."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin
from xml.etree import ElementTree

import jsonschema
import pytest
from helpers_site import DOWN_NOW, NOW, UP, a_history, a_service, coming, dip, latencies, small_fleet, told
from icalendar import Calendar
from markupsafe import Markup
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_text_to_metric_families
from test_render import HOSTILE, Document, pages

from uplog.collector.model import History, State, Window
from uplog.site import beside
from uplog.site.asset import asset, style
from uplog.site.beside import badge, crawlers, icons, widths
from uplog.site.beside.text import plain
from uplog.site.render import render
from uplog.site.values import Update, Words
from uplog.site.view import page

pytestmark = pytest.mark.unit

ATOM = "{http://www.w3.org/2005/Atom}"
SVG = "{http://www.w3.org/2000/svg}"
AT = "https://status.example.org/x"
PERIODS = ("24h", "7d", "30d", "90d", "365d")
NAMESPACES = rb"http://www\.w3\.org/(2000/svg|2005/Atom)|https://json-schema\.org/draft/2020-12/schema"
WORSE = [*HOSTILE, "a\x00b\x1b[31m\r\nBEGIN:VEVENT", 'a\\n",;:b]]>\ufffe', "\u2028`[a](b)`\u0301" * 40]


def built(history: History, **more: object) -> dict[str, bytes]:
    return render(page(history, **{"zone": UTC, "audience": "public", **more}))  # type: ignore[arg-type]


def fleet(**more: object) -> dict[str, bytes]:
    return built(small_fleet(), **{"title": "Acme status", "announced": coming(), **more})


def xml(content: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(content)


def services(files: dict[str, bytes]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(files["status.json"])["services"]
    return found


# status.schema.json, and the files of services


def closed(schema: Any) -> Any:
    """Forbid every field that a schema does not describe; as published it is open for fields to come."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {"unevaluatedProperties": False} if "object" in schema.get("type", ()) else {}
    return {**{key: closed(value) for key, value in schema.items()}, **strict}


SCHEMA = closed(json.loads(asset("status.schema.json")))
STATUS = jsonschema.Draft202012Validator(SCHEMA)
SERVICE = jsonschema.Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": "#/$defs/serviceFile"})


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_the_schema_describes_all_of_status_json_and_of_the_files_of_services(audience: str) -> None:
    files = fleet(audience=audience)

    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    STATUS.validate(json.loads(files["status.json"]))
    for one in services(files):
        SERVICE.validate(json.loads(files[f"service/{one['key']}.json"]))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("version", 2),
        ("generated_at", "2026-11-21T10:00:00+00:00"),
        ("services.0.state", "maintenance"),
        ("services.0.uptime.24h.uptime_pct", 98.469),
        ("services.0.days.0.down_s", -1),
        ("services.0.days.0.more", 1),
        ("services.0.incidents.0.ended", "yesterday"),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: str, wrong: object) -> None:
    document = json.loads(fleet()["status.json"])
    *way, last = (int(part) if part.isdigit() else part for part in path.split("."))
    place: Any = document
    for part in way:
        place = place[part]
    place[last] = wrong

    assert not STATUS.is_valid(document)


def test_the_file_of_a_service_says_what_status_json_says() -> None:
    files = fleet()

    for one in services(files):
        own = json.loads(files[f"service/{one['key']}.json"])
        same = ("key", "name", "group", "state", "reason", "since", "maintenance_until")
        assert {key: own[key] for key in same} == {key: one[key] for key in same}
        for period in PERIODS:
            assert own["uptime"][period].items() <= one["uptime"][period].items()
        assert own["days"] == [day for day in one["days"] if day["day"] != "2026-11-21"]
        assert own["months"] == [month for month in one["months"] if month["month"] != "2026-11"]
        assert [each["seconds"] for each in own["incidents"]] == [
            each["seconds"] if each["ended"] else None for each in one["incidents"]
        ]


# feed.xml


def entries(content: bytes) -> list[dict[str, str]]:
    found = []
    for one in xml(content).iterfind(f"{ATOM}entry"):
        texts = {child.tag.removeprefix(ATOM): child.text or "" for child in one}
        link = one.find(f"{ATOM}link")
        assert link is not None
        found.append({**texts, "link": link.attrib["href"]})
    return found


def test_a_feed_has_an_entry_an_incident_newest_first() -> None:
    files = fleet()
    found = entries(files["feed.xml"])

    assert len(found) == sum(len(one["incidents"]) for one in services(files)) == len({one["id"] for one in found})
    assert [one["updated"] for one in found] == sorted((one["updated"] for one in found), reverse=True)
    assert found[3] == {
        "id": found[3]["id"],
        "title": "Checkout API is down",
        "published": "2026-11-21T09:37:58Z",
        "updated": "2026-11-21T09:37:58Z",
        "link": "incident/d0fe38cec5.html",
        "content": "Since 21 Nov, 09:37 (UTC): no answer in time.",
    }
    own = [{**one, "link": f"../{one['link']}"} for one in found if one["title"].startswith("Checkout API ")]
    assert entries(files["service/checkout-api.xml"]) == own


def test_an_entry_is_the_same_one_when_its_incident_ends() -> None:
    start = NOW - timedelta(minutes=30)

    def during(minutes: int, *flips: tuple[float, State | None, None]) -> list[dict[str, str]]:
        now = start + timedelta(minutes=minutes)
        ago = minutes / 1_440
        history = a_history(told((*UP, (ago, State.DOWN, None), *flips), now=now), now=now, newest=now)
        return entries(built(history)["feed.xml"])

    (early,), (late,), (over,) = during(5), during(29), during(30, (10 / 1_440, State.UP, None))

    assert early == late
    assert (over["id"], over["published"]) == (early["id"], early["updated"])
    assert (over["updated"], over["title"]) == ("2026-11-21T09:50:00Z", "web was down for 20 min")


def test_a_feed_tells_the_newest_fifty() -> None:
    many = [flip for back in range(70, 0, -1) for flip in dip(back, 2)]
    files = built(a_history(told((*UP, *many)), told(UP, a_service("calm"))))

    assert [len(entries(files[name])) for name in ("feed.xml", "service/web.xml", "service/calm.xml")] == [50, 50, 0]
    assert entries(files["feed.xml"])[0]["published"] == "2026-11-20T10:00:00Z"


def words(**more: object) -> Words:
    """Make what the operator wrote of the service web."""
    html = Markup("<p>We <b>know</b>.</p>\n<pre>a &lt;b\nc</pre>\n")
    updates = (Update(at=NOW - timedelta(minutes=1), title="Found <it>", html=html, text="We **know**."),)
    values = {
        "name": "2026-11-21-web",
        "title": "Payments <fail>",
        "services": ("web",),
        "severity": "major",
        "resolved": None,
    }
    values |= {
        "started": NOW - timedelta(minutes=9),
        "announcement": False,
        "updates": updates,
        "file": "a.md",
        "line": 1,
    }
    return Words(**{**values, **more})  # type: ignore[arg-type]


def test_a_feed_tells_what_the_operator_says() -> None:
    history = a_history(told(DOWN_NOW), told(UP, a_service("other")))
    files = built(history, said=[words(), words(name="news", announcement=True, services=(), started=None, updates=())])
    one, outage, news = entries(files["feed.xml"])

    assert (outage["title"], news["title"], news["link"]) == ("web is down", "Payments <fail>", "index.html")
    assert {key: one[key] for key in ("title", "published", "updated", "link", "content")} == {
        "title": "Payments <fail>",
        "published": "2026-11-21T09:51:00Z",
        "updated": "2026-11-21T09:59:00Z",
        "link": "incident/2026-11-21-web.html",
        "content": "<h3>Found &lt;it&gt;</h3>\n<p>We <b>know</b>.</p>\n<pre>a &lt;b\nc</pre>",
    }
    assert [each["id"] for each in entries(files["service/web.xml"])] == [one["id"], outage["id"]]
    assert entries(files["service/other.xml"]) == []


@pytest.mark.parametrize("url", [None, AT, f"{AT}/"])
def test_links_of_feeds_lead_to_pages_and_have_a_base_where_the_address_is_known(url: str | None) -> None:
    files = fleet(public_url=url)

    for name in (one for one in files if one.endswith(".xml") and one != "sitemap.xml"):
        root = xml(files[name])
        base = root.get("{http://www.w3.org/XML/1998/namespace}base")
        assert base == (f"{AT}/{name}" if url else None)
        for link in root.iter(f"{ATOM}link"):
            assert urljoin(f"{AT}/{name}", link.attrib["href"]).removeprefix(f"{AT}/") in files
        assert not re.search(r"https?:", "".join(link.attrib["href"] for link in root.iter(f"{ATOM}link")))


# calendar.ics


def events(content: bytes) -> list[Any]:
    return list(Calendar.from_ical(content).walk("VEVENT"))


def test_the_calendar_has_the_maintenance_that_goes_on_and_that_is_to_come() -> None:
    assert [
        (str(one["summary"]), one["dtstart"].dt, one["dtend"].dt, str(one["description"]))
        for one in events(fleet()["calendar.ics"])
    ] == [
        (
            "Maintenance: Documentation",
            NOW - timedelta(minutes=20),
            NOW + timedelta(minutes=70),
            "moves to a new host",
        ),
        (
            "Maintenance: Checkout API and Ledger",
            datetime(2026, 11, 22, 23, tzinfo=UTC),
            datetime(2026, 11, 23, 1, tzinfo=UTC),
            "database upgrade",
        ),
    ]
    assert events(built(a_history(told(UP)))["calendar.ics"]) == []


def test_an_event_is_the_same_one_when_it_begins_and_when_its_end_is_moved() -> None:
    (plan, *_) = coming()

    def at(now: datetime, window: Window | None, end: datetime) -> Any:
        later = told(
            UP, a_service("ledger", name="Ledger"), now=now, windows=[replace(window, end=end)] if window else []
        )
        announced = [replace(plan, end=end, services=("config//ledger",))]
        files = built(a_history(later, now=now, newest=now), announced=announced)
        (found,) = events(files["calendar.ics"])
        return found

    window = Window(start=plan.start, end=plan.end, text=plan.text)
    before, begun = at(NOW, None, plan.end), at(plan.start + timedelta(minutes=1), window, plan.end)
    moved = at(plan.start + timedelta(minutes=1), window, plan.end + timedelta(hours=1))

    assert before.to_ical() == begun.to_ical()
    assert (moved["uid"], moved["dtstamp"].dt) == (before["uid"], before["dtstamp"].dt)
    assert moved["dtend"].dt == plan.end + timedelta(hours=1)


def test_maintenance_without_a_planned_end_has_none_in_the_calendar() -> None:
    window = Window(start=NOW - timedelta(hours=1), end=None, text="until it is done")
    (found,) = events(built(a_history(told(UP, windows=[window])))["calendar.ics"])

    assert "dtend" not in found


# Badges


def badges(files: dict[str, bytes]) -> dict[str, ElementTree.Element]:
    return {name: xml(content) for name, content in files.items() if name.startswith("badge/") and name.endswith("svg")}


def said(root: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in root.iter(f"{SVG}text")]


def test_badges_say_what_status_json_says() -> None:
    files = fleet()
    drawn = badges(files)

    assert said(drawn["badge/all.svg"]) == ["Acme status", "down"]
    for one in services(files):
        key = one["key"]
        shield = json.loads(files[f"badge/{key}.json"])
        assert said(drawn[f"badge/{key}.svg"]) == [shield["label"], shield["message"]]
        assert shield["message"] == {"unknown": "not known"}.get(one["state"], one["state"]) or key == "documentation"
        for period in PERIODS:
            (_, text) = said(drawn[f"badge/{key}.uptime-{period}.svg"])
            share = one["uptime"][period]["uptime_pct"]
            assert text.startswith(f"{share}% in " if share else "not ")
    assert said(drawn["badge/documentation.svg"]) == ["Documentation", "maintenance"]
    assert [said(drawn[f"badge/{key}.latency.svg"])[1] for key in ("ledger", "mail")] == ["45 ms", "not measured"]


def test_latency_of_long_ago_is_not_that_of_now() -> None:
    old = [one._replace(day="2026-11-19") for one in latencies(1)]

    assert said(badges(built(a_history(told(UP, latency=old))))["badge/web.latency.svg"])[1] == "not measured"


def test_a_badge_is_as_wide_as_its_texts() -> None:
    for root in badges(fleet()).values():
        whole = int(root.attrib["width"])
        ends = [int(one.attrib["x"]) + int(one.attrib["textLength"]) for one in root.iter(f"{SVG}text")]
        (_, message) = root.iter(f"{SVG}text")
        (fill,) = (one.attrib["d"] for one in root.iter(f"{SVG}path") if one.get("fill") != "none")
        border = int(re.match(r"M(\d+) ", fill)[1])  # type: ignore[index]
        assert ends == [border - badge.PAD, whole - badge.PAD]
        assert int(message.attrib["x"]) >= border + badge.PAD


def test_a_long_label_is_cut_and_told_so() -> None:
    (label, _) = said(badges(built(a_history(told(UP, a_service(name="W" * 100_000)))))["badge/web.svg"])

    assert label.endswith("W…")
    assert badge.LONGEST - 2 * widths.SIZE < widths.width(label) <= badge.LONGEST


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colour", [*icons.FILLS.values(), icons.INK, icons.SOFT])
def test_white_letters_are_readable_on_every_colour_of_a_badge(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_badges_have_the_colours_of_the_page() -> None:
    light = dict(re.findall(r"--(\w+):(#\w+)", style().split("}")[0]))

    assert {look: light[look] for look in icons.FILLS} == icons.FILLS
    assert (light["ink"], light["soft"], light["bg"]) == (icons.INK, icons.SOFT, icons.GROUND)


def test_addresses_of_badges_are_never_those_of_another_service() -> None:
    names = ("web", "web-latency", "web-uptime-90d", "all")
    files = built(a_history(*(told(UP, a_service(slug)) for slug in names), told(DOWN_NOW, a_service("x"))))
    drawn = badges(files)

    assert [said(drawn[f"badge/{slug}.svg"])[0] for slug in names] == ["web", "web-latency", "web-uptime-90d", "Status"]
    assert said(drawn["badge/all.svg"])[1] == "down"
    assert "badge/all.latency.svg" not in drawn


# metrics.prom


def samples(content: bytes) -> dict[tuple[str, str, str], float]:
    """Return the samples by name, service and the other label."""
    found = {}
    for family in text_string_to_metric_families(content.decode()):
        for one in family.samples:
            other = next(
                (one.labels[key] for key in ("state", "period", "percentile", "name") if key in one.labels), ""
            )
            found[(one.name, one.labels.get("service", ""), other)] = float(one.value)
    return found


def test_metrics_say_what_status_json_says() -> None:
    files = fleet()
    found = samples(files["metrics.prom"])

    for one in services(files):
        states = {
            other for (name, key, other), value in found.items() if (name[14:], key, value) == ("state", one["key"], 1)
        }
        assert states == {"maintenance" if one["maintenance_until"] else one["state"]}
        for period in PERIODS:
            for what in ("uptime", "observed"):
                share = one["uptime"][period][f"{what}_pct"]
                ratio = found.get((f"uplog_service_{what}_ratio", one["key"], period))
                assert ratio == (None if share is None else pytest.approx(float(share) / 100))
    assert found["uplog_service_latency_seconds", "ledger", "50"] == 0.045
    assert found["uplog_newest_observation_timestamp_seconds", "", ""] == NOW.timestamp()


def test_metrics_are_read_by_older_parsers_and_by_promtool() -> None:
    content = fleet()["metrics.prom"]

    assert len(list(older_text_to_metric_families(content.decode()))) == 6
    if promtool := shutil.which("promtool"):
        done = subprocess.run([promtool, "check", "metrics"], input=content, capture_output=True, check=False)
        assert (done.returncode, done.stdout + done.stderr) == (0, b"")


# For crawlers, phones, and people who are lost


def test_a_sitemap_names_the_pages_when_the_address_is_known_and_public() -> None:
    files = fleet(public_url=AT)
    found = {one.text for one in xml(files["sitemap.xml"]).iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}

    told = {name for name in files if name.startswith("incident/")}
    assert told
    assert {f"{AT}/{name}" for name in ("", "about.html", "history.html", "service/mail.html", *told)} <= found
    for address in found:
        name = (address or "").removeprefix(f"{AT}/") or "index.html"
        assert f'rel="canonical" href="{address}"'.encode() in files[name]
    assert files["robots.txt"] == f"User-agent: *\nAllow: /\nSitemap: {AT}/sitemap.xml\n".encode()
    assert "sitemap.xml" not in fleet()
    assert "sitemap.xml" not in (internal := fleet(public_url=AT, audience="internal"))
    assert internal["robots.txt"] == b"User-agent: *\nDisallow: /\n"


def test_a_sitemap_has_no_more_addresses_than_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crawlers, "MOST", 12)
    whole = xml(fleet(public_url=AT)["sitemap.xml"])

    assert (len(whole), whole[0][0].text) == (12, f"{AT}/")


def test_the_public_pages_name_their_own_address() -> None:
    def canonical(files: dict[str, bytes], name: str) -> list[str]:
        return [
            one["href"] for tag, one in Document(files[name]).elements if tag == "link" and one["rel"] == "canonical"
        ]

    files = fleet(public_url=AT)
    assert canonical(files, "service/mail.html") == [f"{AT}/service/mail.html"]
    assert canonical(fleet(), "service/mail.html") == []
    assert canonical(fleet(public_url=AT, audience="internal"), "service/mail.html") == []


def test_pages_lead_to_their_feed_and_their_json() -> None:
    def alternates(name: str) -> set[tuple[str, str]]:
        links = [one for tag, one in Document(fleet()[name]).elements if tag == "link" and one["rel"] == "alternate"]
        return {(one["type"], one["href"]) for one in links}

    assert alternates("index.html") == {
        ("application/atom+xml", "feed.xml"),
        ("application/json", "status.json"),
        ("text/calendar", "calendar.ics"),
    }
    assert alternates("service/mail.html") == {
        ("application/atom+xml", "../feed.xml"),
        ("application/atom+xml", "mail.xml"),
        ("application/json", "mail.json"),
    }


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_what_is_named_for_machines_is_there(audience: str) -> None:
    files = fleet(audience=audience)
    manifest = json.loads(files["site.webmanifest"])
    links = re.findall(r"\]\(([^)]+)\)", files["llms.txt"].decode())

    assert {manifest["start_url"], *(one["src"] for one in manifest["icons"]), *links} <= files.keys()
    assert {"history.html", "about.html"} <= {*links}
    assert len(links) == 8 + len(services(files))
    assert files["apple-touch-icon.png"].startswith(b"\x89PNG")
    for name in ("favicon.svg", "icon.svg"):
        assert xml(files[name]).tag == f"{SVG}svg"


def test_where_nothing_is_a_link_leads_home_from_every_depth_if_home_is_known() -> None:
    def links(**more: object) -> list[str]:
        return Document(fleet(**more)["404.html"]).values("href")

    assert (links(), links(public_url=AT)) == (["index.html"], [f"{AT}/"])


def test_the_icon_changes_with_the_state() -> None:
    assert built(a_history(told(UP)))["favicon.svg"] != built(a_history(told(DOWN_NOW)))["favicon.svg"]


# All of them


def test_without_an_address_of_the_site_no_file_has_one() -> None:
    assert not re.search(rb"https?:", re.sub(NAMESPACES, b"", b"".join(fleet().values())))


def test_only_the_public_site_has_files_for_other_peoples_pages() -> None:
    assert not [name for name in fleet(audience="internal") if "badge" in name or "embed" in name]


def test_what_goes_on_is_told_in_the_same_bytes_until_it_ends() -> None:
    """But for uptime, which falls meanwhile."""

    def after(minutes: int) -> dict[str, bytes]:
        now = NOW + timedelta(minutes=minutes)
        down = told((*UP, ((20 + minutes) / 1_440, State.DOWN, None)), now=now)
        return beside.files(page(a_history(down, now=now, newest=now), zone=UTC, audience="public"))

    early, late = after(0), after(7)

    assert {name for name in early if early[name] != late[name] and "uptime" not in name} == {
        *("metrics.prom", "service/web.json", "service/web.embed.html")
    }


def named(text: str) -> dict[str, bytes]:
    """Put *text* into all that a person or a machine may call by a name."""
    service = a_service(name=text, group=text, words=text)
    history = a_history(
        told((*UP, *dip(3.0, 9)), service, windows=[Window(start=NOW - timedelta(hours=1), end=None, text=text)])
    )
    return built(history, title=text, public_url=AT)


@pytest.mark.parametrize("hostile", WORSE)
def test_hostile_words_are_text_in_every_file(hostile: str) -> None:
    files, tame = named(hostile), named("tame")
    safe = plain(hostile)

    assert files.keys() == tame.keys()
    for name, content in files.items():
        if name.endswith((".xml", ".svg")):
            assert [one.tag for one in xml(content).iter()] == [one.tag for one in xml(tame[name]).iter()]
        elif name.endswith((".json", ".webmanifest")):
            assert json.loads(content).keys() == json.loads(tame[name]).keys()
    assert safe in entries(files["feed.xml"])[0]["title"]
    (event,) = events(files["calendar.ics"])
    assert event.keys() == events(tame["calendar.ics"])[0].keys()
    assert str(event["description"]) == safe
    assert samples(files["metrics.prom"])["uplog_service_info", "web", safe] == 1
    assert len(files["llms.txt"].decode().splitlines()) == len(tame["llms.txt"].decode().splitlines())
    for name in ("embed.html", "service/web.embed.html", "404.html"):
        document = pages({name: files[name]})[name]
        assert [tag for tag, _ in document.elements] == [tag for tag, _ in pages({name: tame[name]})[name].elements]
        assert safe in document.text


def test_the_readme_lists_the_files_beside_the_pages() -> None:
    section = (Path(__file__).parents[1] / "README.md").read_text().split("## Beside the page\n")[1].split("\n## ")[0]
    listed = {
        address.replace("<slug>", "web")
        for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
        for address in re.findall(r"`([^`]+)`", row)
    }
    made = beside.files(page(a_history(told(UP)), zone=UTC, audience="public", public_url=AT))
    others = {f"badge/web.uptime-{period}.svg" for period in PERIODS if period != "90d"}

    assert listed | others == made.keys() | {"status.json", "status.txt"}
