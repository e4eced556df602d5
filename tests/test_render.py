"""The files of a site: whole, light, inert, and the same for the same page."""

import gzip
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from posixpath import dirname, join, normpath
from zoneinfo import ZoneInfo

import pytest
from helpers_inside import sown_inside
from helpers_site import (
    DOWN_NOW,
    NOW,
    UP,
    a_history,
    a_service,
    answers,
    coming,
    dip,
    entry,
    latencies,
    small_fleet,
    told,
)
from renew_expected import EXPECTED, site
from test_view import CANARY, sown

from uplog.collector.model import History, LatencyDay, Reason, State, Window
from uplog.site.asset import digest, script, style
from uplog.site.render import render
from uplog.site.view import page
from uplog.site.write import MANIFEST

pytestmark = pytest.mark.unit

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); '",
    "</title></style></script><h1>x",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "\u202emoc.elgoog <b>&amp;",
]
VOID = {"meta", "link", "br", "use", "path", "rect", "circle", "img"}


class Document(HTMLParser):
    """What a reader of a page finds: elements with their attributes, and text; end tags must match."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(content.decode())
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def built(history: History, **more: object) -> dict[str, bytes]:
    return render(page(history, **{"zone": UTC, "audience": "public", **more}))  # type: ignore[arg-type]


def pages(files: dict[str, bytes]) -> dict[str, Document]:
    return {name: Document(content) for name, content in files.items() if name.endswith(".html")}


def test_the_whole_site_is_as_expected() -> None:
    """Renewed by `python tests/renew_expected.py`."""
    there = {
        str(path.relative_to(EXPECTED)): path.read_bytes()
        for path in EXPECTED.rglob("*")
        if path.is_file()
        and path.name != MANIFEST
        and path.relative_to(EXPECTED).parts[0] not in ("fleets", "year")  # of other tests
    }

    assert site() == there


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_links_are_relative_and_lead_to_files_of_the_site(audience: str) -> None:
    files = built(small_fleet(), audience=audience)

    found = pages(files)
    for name, document in found.items():
        assert len(set(document.values("id"))) == len(document.values("id"))
        for link in document.values("href") + document.values("src"):
            if not link.startswith("data:"):
                path, _, place = link.partition("#")
                target = normpath(join(dirname(name), path)) if path else name
                assert target in files
                assert not place or place in found[target].values("id")


def test_the_policy_names_the_style_and_the_script_of_the_page() -> None:
    for content in (content for name, content in site().items() if name.endswith(".html")):
        (policy,) = re.findall(rb'Content-Security-Policy" content="([^"]+)"', content)
        for tag in (b"style", b"script"):
            inline = re.findall(rb"<%b\b[^>]*>(.*?)</%b>" % (tag, tag), content, re.DOTALL)
            named = re.findall(
                r"'(sha256-[^']+)'", (re.findall(rf"{tag.decode()}-src ([^;]+);", policy.decode()) or [""])[0]
            )
            assert sorted(named) == sorted(digest(one.decode()) for one in inline)
            assert named or tag == b"script"
        assert policy.startswith(b"default-src 'none';")
        assert not re.search(rb"\son\w+=|\sstyle=", content)


def test_the_page_of_an_incident_asks_for_news_only_while_it_goes_on() -> None:
    found = [content for name, content in site().items() if name.startswith("incident/")]

    asks = [b"data-status=" in content for content in found]

    assert {True, False} == set(asks)
    for sign in (b"fetch(", b"data-stale-icon=", b"connect-src"):
        assert [sign in content for content in found] == asks


NAMED = re.compile(r"[.#][a-z][\w-]*|(?<![\w:.#\[-])[a-z]\w*")  # in a selector: classes, ids, elements


def test_the_lighter_styles_of_incidents_leave_out_no_rule_of_what_such_a_page_shows() -> None:
    shown = [
        content.decode().partition("</defs>")[2] for name, content in site().items() if name.startswith("incident/")
    ]
    used = {f".{word}" for text in shown for words in re.findall(r'class="([^"]+)"', text) for word in words.split()}
    used |= {f"#{name}" for text in shown for name in re.findall(r'id="([^"]+)"', text)}
    used |= {name for text in shown for name in re.findall(r"<([a-z]\w*)", text)}

    def rules(css: str) -> set[str]:
        selectors = {one for rule in re.findall(r"([^{}]+){[^{}]*}", css) for one in rule.split(",")}
        return {one for one in selectors if (named := set(NAMED.findall(one))) and named <= used}

    assert {".steps", ".facts", ".head", "dl", "ul", "li+li"} < rules(style()) == rules(style("brief"))


def test_the_script_is_small() -> None:
    assert len(script().encode()) < 4_096


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("audience", ["public", "internal"])
def test_hostile_words_are_text_and_nothing_else(hostile: str, audience: str) -> None:
    window = Window(start=NOW - timedelta(hours=1), end=None, text=hostile)
    service = a_service("web", name=hostile, group=hostile, description=hostile, source=hostile)
    evil = told((*UP, *dip(3.0, 9)), service, windows=[window], names=[(hostile, hostile, hostile)])
    evil = replace(evil, checks=[replace(evil.checks[0], text=hostile)])
    tame = replace(
        evil, service=replace(service, name="n", group="g", description="d", source="s"), names=[("a", "b", "c")]
    )
    tame = replace(tame, windows=[replace(window, text="w")], checks=[replace(evil.checks[0], text="t")])

    files, plain = built(a_history(evil), audience=audience, title=hostile), built(a_history(tame), audience=audience)

    for name, document in pages(files).items():
        assert [tag for tag, _ in document.elements] == [tag for tag, _ in pages(plain)[name].elements]
        assert hostile in document.text
    assert json.loads(files["status.json"])["services"][0]["name"] == hostile


def test_no_published_byte_holds_anything_private() -> None:
    files = built(sown(), inside=sown_inside(["web"]))

    assert [name for name, content in files.items() if CANARY.encode() in content or CANARY in name] == []
    assert b"77123" not in b"".join(files.values())
    assert b"http://" not in re.sub(rb"http://www.w3.org/(2000/svg|2005/Atom)", b"", b"".join(files.values()))
    assert CANARY.encode() in built(sown(), audience="internal")["service/web.html"]


def test_status_json_has_the_shape_of_the_contract() -> None:
    files = built(small_fleet(), title="Acme status", announced=coming())
    found = json.loads(files["status.json"])

    assert list(found) == [
        *("version", "generated_at", "newest_observation_at", "stale_after", "timezone"),
        *("headline", "services", "maintenance", "announcements"),
    ]
    assert [found[key] for key in list(found)[:6]] == [
        *(1, "2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z", "2026-11-21T10:03:00Z", "UTC"),
        {"state": "down", "text": "Checkout API and CDN are down"},
    ]
    assert found["maintenance"] == [
        {
            "services": ["documentation"],
            "started": "2026-11-21T09:40:00Z",
            "ended": "2026-11-21T11:10:00Z",
            "text": "moves to a new host",
        },
        {
            "services": ["checkout-api", "ledger"],
            "started": "2026-11-22T23:00:00Z",
            "ended": "2026-11-23T01:00:00Z",
            "text": "database upgrade",
        },
    ]
    service = found["services"][0]
    assert {key: service[key] for key in list(service)[:7]} == {
        "key": "checkout-api",
        "name": "Checkout API",
        "group": "Payments",
        "state": "down",
        "reason": "timeout",
        "since": "2026-11-21T09:37:58Z",
        "maintenance_until": None,
    }
    assert list(service)[7:] == ["flapping", "uptime", "days", "months", "incidents"]
    assert (service["flapping"], found["services"][5]["flapping"]) == (
        None,
        {"flips": 5, "failed": 9, "observations": 17},
    )
    assert [month["month"] for month in service["months"]] == ["2026-08", "2026-09", "2026-10", "2026-11"]
    assert service["uptime"]["24h"] == {
        "up_s": 85_078,
        "degraded_s": 0,
        "down_s": 1_322,
        "unknown_s": 0,
        "maintenance_s": 0,
        "maintenance_down_s": 0,
        "uptime_pct": "98.469",
        "uptime_with_maintenance_pct": None,
        "observed_pct": "100",
        "incidents": 1,
    }
    assert list(service["uptime"]) == ["24h", "7d", "30d", "90d", "365d"]
    assert len(service["days"]) == 90
    assert service["days"][-1]["day"] == "2026-11-21"
    assert service["days"][-1]["down_s"] == 1_322
    assert [one["ended"] for one in service["incidents"]][:2] == [None, "2026-11-08T23:42:48Z"]
    assert set(service["incidents"][0]) == {"id", "started", "ended", "seconds", "reason"}


def test_what_was_never_seen_is_null_in_status_json() -> None:
    history = a_history(entry(a_service(), [], now=NOW, last=None), newest=None, every=None)
    found = json.loads(built(history)["status.json"])
    (service,) = found["services"]

    assert (found["newest_observation_at"], found["stale_after"]) == (None, None)
    assert (service["state"], service["reason"], service["since"], service["days"]) == (
        "unknown",
        "no_sample",
        None,
        [],
    )
    assert service["uptime"]["90d"]["uptime_pct"] is None
    assert service["uptime"]["90d"]["observed_pct"] is None


def test_status_json_of_the_internal_page_has_the_same_and_more() -> None:
    public, internal = (
        json.loads(built(a_history(told(DOWN_NOW)), audience=audience)["status.json"])
        for audience in ("public", "internal")
    )
    more = internal["services"][0].keys() - public["services"][0].keys()

    assert public["services"][0].items() <= {k: v for k, v in internal["services"][0].items() if k not in more}.items()
    assert more == {
        *("service_key", "description", "source", "public", "first_seen"),
        *("last_checked", "latency_ms", "changes", "corrections", "names", "checks"),
    }


def test_status_txt_says_one_word_a_line() -> None:
    assert built(small_fleet())["status.txt"].decode().splitlines() == [
        "down",
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:03:00Z",
    ]


def test_the_page_prints_the_figures_of_status_json() -> None:
    files = built(small_fleet(), zone=ZoneInfo("Pacific/Auckland"))

    for service in json.loads(files["status.json"])["services"]:
        text = Document(files[f"service/{service['key']}.html"]).text
        for figure in [*service["uptime"].values(), *service["months"]]:
            for shown in (figure["uptime_pct"], figure["observed_pct"], figure["uptime_with_maintenance_pct"]):
                assert shown is None or f"{shown}%" in text


def at_minute(minute: int, second: int = 0) -> History:
    """Make a fleet as it is a little later, when nothing happened but more of the same answers."""
    now = NOW + timedelta(minutes=minute, seconds=second)
    start = NOW - timedelta(days=99)
    flips = [
        ((now - start - timedelta(days=ago)) / timedelta(days=1), state, None)
        for ago, state in [(0, State.UP), (95, State.DEGRADED), (95.1, State.UP)]
    ]
    more = {
        "latency": latencies(50),
        "recent": [
            one
            for one in answers(1_700, now=NOW + timedelta(hours=2))
            if now.replace(minute=0, second=0) - timedelta(days=1) < one[0] <= now
        ],
    }
    return a_history(
        told(flips, a_service("a"), now=now, **more),
        told(flips[:1], a_service("b"), now=now, **more),
        now=now,
        newest=now,
    )


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_files_of_services_stay_the_same_while_nothing_happens(audience: str) -> None:
    early, late = (built(at_minute(minute), audience=audience) for minute in (1, 58))

    assert {name for name in early if early[name] != late[name]} == {
        *("index.html", "status.json", "status.txt", "metrics.prom")
    }


def test_the_same_history_gives_the_same_bytes() -> None:
    assert built(small_fleet(), audience="internal") == built(small_fleet(), audience="internal")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_chart_is_drawn_of_two_days_and_a_table_of_one(count: int) -> None:
    content = built(a_history(told(UP, latency=latencies(count))))["service/web.html"].decode()

    lines = [line.count("h0") for line in re.findall(r'class="p50" d="([^"]+)"', content)]
    assert (content.count("<figure>"), lines) == ((1, [count]) if count > 1 else (0, []))
    assert content.count("<td>94</td>") == (1 if count else 0)


def test_a_chart_is_broken_where_days_are_missing() -> None:
    def day(day: str) -> LatencyDay:
        return LatencyDay(day=day, observations=9, p50=10, p95=20, p99=30, max=40)

    seen = [day("2026-11-01"), day("2026-11-02"), day("2026-11-09")]
    content = built(a_history(told(UP, latency=seen)))["service/web.html"].decode()

    assert [re.sub(r"[^ML]", "", line) for line in re.findall(r'class="p50" d="([^"]+)"', content)] == ["MLM"]


def test_an_outage_is_shaded_in_the_chart() -> None:
    history = a_history(told((*UP, *dip(45.0, 1_440 * 9)), latency=latencies(80)))
    (chart,) = re.findall(r"<figure>.*?</figure>", built(history)["service/web.html"].decode())

    assert re.findall(r'<rect x="([\d.]+)" width="([\d.]+)"', chart) == [("296.1", "60.0")]


def test_healthy_days_are_drawn_as_one_and_unwatched_ones_not_at_all() -> None:
    history = a_history(told(((30, State.UP, None), (20, None, None), (10, State.UP, None))))
    (bar,) = re.findall(r'<svg class="b".*?</svg>', built(history)["index.html"].decode())

    assert re.findall(r'<rect x="(\d+)" width="(\d+)"', bar) == [("590", "108"), ("790", "108")]


def test_every_row_has_a_name_a_word_and_a_shape() -> None:
    content = site()["index.html"].decode()
    rows = re.findall(r'<li class="r".*?</li>', content, re.DOTALL)

    assert len(rows) == 7
    for row in rows:
        (state,) = re.findall(r'data-state="(\w+)"', row)
        assert f'<use href="#{state}"/>' in row
        assert re.search(r'<span class="word">[a-z ]+</span>', row)
        assert re.search(r'role="(img|group)" aria-label="[^"]+, last 90 days', row)


def test_a_page_that_is_built_stale_says_so() -> None:
    late = NOW + timedelta(minutes=4)
    down = built(a_history(told(((1, State.DOWN, Reason.TLS),), now=late), now=late))["index.html"]
    well = built(a_history(told(UP, now=late), now=late))["index.html"]

    assert "the last check was on 21 Nov, 10:00" in Document(down).text
    assert "Nothing is known now" in Document(well).text


def fleet(count: int) -> History:
    """Make many services, of which some had bad days."""
    return a_history(
        *(
            told(
                (
                    *UP,
                    *(flip for ago in range(place % 5 * 15, 0, -13) for flip in dip(ago + place % 7 / 10, 3 + place)),
                ),
                a_service(f"service-{place}", name=f"Service number {place}", group=f"Group {place % 8}", order=place),
                latency=latencies(89, 30 + place),
                recent=answers(300, 30 + place),
            )
            for place in range(count)
        )
    )


def test_the_index_of_120_services_is_light() -> None:
    assert len(gzip.compress(built(fleet(120))["index.html"])) < 25_000


def test_moments_are_written_to_the_second() -> None:
    history = replace(
        small_fleet(), now=NOW + timedelta(milliseconds=700), newest=datetime(2026, 11, 21, 9, 59, 59, 600_000, UTC)
    )
    found = json.loads(built(history)["status.json"])

    assert [found[key] for key in ("generated_at", "newest_observation_at", "stale_after")] == [
        "2026-11-21T10:00:00Z",
        "2026-11-21T09:59:59Z",
        "2026-11-21T10:02:59Z",
    ]
