"""Whatever a service, a group or a person's words are: text in every file of the site, for everybody who reads it.

One site whose services, groups, windows, incidents and announcements are all called by something hostile, beside the
same site called by something tame: a browser and the parsers of each format find the same things in both, and the
text that was given.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers_site import NOW, a_history, a_service, dip, latencies, told
from icalendar import Calendar
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from test_beside import SERVICE, STATUS
from test_page_in_browser import browser  # noqa: F401

from uplog.collector.maintenance import Announced
from uplog.collector.model import State, Window
from uplog.site.beside.text import plain
from uplog.site.incidents import parse
from uplog.site.render import render
from uplog.site.tongue import ENGLISH
from uplog.site.values import Words
from uplog.site.view import page
from uplog.site.write import write

pytestmark = pytest.mark.integration

Site = tuple[dict[str, bytes], dict[str, bytes]]  # the hostile one and the tame one
Sites = Mapping[str, Site]  # by audience

RUN = "window.hacked=1;alert(1)"
CORPUS = [
    f"<script>{RUN}</script>",
    f"</script><script>{RUN}</script>",
    f"</title></style></textarea></noscript></svg></template><script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"'><svg onload='{RUN}'>",
    f"--><script>{RUN}</script><!--",
    f"]]><x:script xmlns:x='http://www.w3.org/1999/xhtml'>{RUN}</x:script><![CDATA[",
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>&e;&lt;&amp;amp;',
    f"javascript:{RUN}",
    f'x" onmouseover="{RUN}" autofocus onfocus="{RUN}" style="position:fixed',
    "<base href=//evil.invalid><meta http-equiv=refresh content=0;url=//evil.invalid><link rel=stylesheet href=//evil.invalid>",
    "<iframe src=//evil.invalid></iframe><form action=//evil.invalid><input autofocus>",
    "{{7*7}}{% for x in y %}{# #}${7*7}#{7*7}<%= 7*7 %>%s%(x)s{0.__class__}",
    f"[x](javascript:{RUN}) ![i](//evil.invalid/i.png) <https://evil.invalid> `a` **b** # c\u2028- d",
    f"}}*{{background:url(//evil.invalid)}}/*</style><style>@import '//evil.invalid';*/ expression({RUN})",
    "M0 0L9 9\" fill=\"url(//evil.invalid#x)' width='1' viewBox='",
    "\u202emoc.elgoog \u2066\u2067\u200f\u061c\u2069\u202c ok",
    "zero\u200bwidth\u200d\u2060\ufeff\u00ad",
    "Z" + "\u0301\u0310\u0337\u0489" * 80,
    "nul\x00 esc\x1b[31m bell\x07 del\x7f c1\x85\x9b \ufffe\uffff",
    "a\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:x\r\nATTACH:file:///etc/passwd",
    'one\ndown\n# EOF\nuplog_service_state{service="x",state="up"} 1\n',
    'a\\",b="c\\\\"} 1\\n;:,\\;\\N',
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466\U0001f3f3\ufe0f\u200d\U0001f308 \U000e0041",
    "W" * 10_000,
    "a b " * 2_500,
    "../../etc/passwd",
    "CON",
    "index.html#x?y=z&w",
    " ",
]
JOINED = {"direction", "lengthAdjust"}  # which a badge has for letters that join
TAME = [f"tame {place}" for place in range(len(CORPUS))]
BODY = """
{text}

<script>window.hacked=1</script><img src=x onerror=window.hacked=1>
[a](javascript:window.hacked=1) [b](data:text/html,x) [c](vbscript:x) <javascript:window.hacked=1> ![d](x" onerror="window.hacked=1)

[e]: javascript:window.hacked=1
[e]

## 2026-11-21 09:50 {line}
~~~ "><script>window.hacked=1</script>
</code></pre><script>window.hacked=1</script>
~~~
"""


def spoken(text: str) -> str:
    """Return *text* without what no format can hold, and with one space for each run of white space."""
    return " ".join(plain(text).replace("\ufffd", " ").split())


def words(place: int, text: str) -> Words:
    """Read what a person wrote of a service; each fifth is an announcement."""
    title = spoken(text) or "blank"
    keys = {"title": title, "announcement": place % 5 == 0, "services": [f"s{place:02}"], "severity": "major"}
    front = "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in keys.items())
    body = BODY.format(text=text, line=title)
    found, problems = parse(f"---\n{front}started: 2026-11-21 09:40\n---\n{body}", f"incidents/told-{place:02}.md", UTC)
    assert found is not None, problems
    return found


def files(texts: list[str], audience: str) -> dict[str, bytes]:
    """Build a site in which all is called by *texts*."""
    services = []
    for place, text in enumerate(texts):
        service = a_service(
            f"s{place:02}", name=text, group=text, words=text, description=text, source=text, order=place
        )
        entry = told(
            ((5, State.UP, None), *dip(3.0, 9)), service,
            windows=[Window(start=NOW - timedelta(hours=1), end=None, text=text)] if place % 3 == 0 else [],
            names=[(text, text, text)], latency=latencies(3),
        )  # fmt: skip
        services.append(replace(entry, checks=[replace(one, text=text) for one in entry.checks]))
    made = page(
        a_history(*services), zone=UTC, audience=audience, title="".join(texts[:10]),  # type: ignore[arg-type]
        announced=[Announced(text=text, start=NOW + timedelta(days=1 + place), end=NOW + timedelta(days=2 + place), services=(f"config//s{place:02}",), everything=False) for place, text in enumerate(texts)],
        said=[words(place, text) for place, text in enumerate(texts)],
        problems=texts, public_url="https://status.invalid/x",
    )  # fmt: skip
    return render(made)


@pytest.fixture(scope="module")
def sites() -> Sites:
    """Both sites, for each audience."""
    return {audience: (files(CORPUS, audience), files(TAME, audience)) for audience in ("public", "internal")}


@pytest.fixture(scope="module")
def public(sites: Sites) -> Site:
    return sites["public"]


# Parsers


def test_both_sites_have_the_same_files_and_no_name_comes_from_a_text(
    sites: Sites,
) -> None:
    for hostile, tame in sites.values():
        assert hostile.keys() == tame.keys()
    assert len(sites["public"][0]) > len(CORPUS) * 14


def shape(root: ElementTree.Element) -> list[tuple[str, list[str]]]:
    return [(one.tag, sorted({*one.attrib} - JOINED)) for one in root.iter()]


def test_every_xml_is_well_formed_and_has_the_elements_of_the_tame_one(
    public: Site,
) -> None:
    hostile, tame = public
    names = [name for name in hostile if name.endswith((".xml", ".svg"))]

    assert len(names) > len(CORPUS) * 8
    for name in names:
        assert shape(ElementTree.fromstring(hostile[name])) == shape(ElementTree.fromstring(tame[name])), name


def test_titles_of_feeds_are_the_names_that_were_given(public: Site) -> None:
    for place, text in enumerate(CORPUS):
        root = ElementTree.fromstring(public[0][f"service/s{place:02}.xml"])
        titles = [one.text or "" for one in root.iter("{http://www.w3.org/2005/Atom}title")]
        assert spoken(text) in {spoken(title.removesuffix(" was down for 9 min")) for title in titles}


def test_every_json_has_the_schema_and_the_names_that_were_given(
    sites: Sites,
) -> None:
    for hostile, _ in sites.values():
        status = json.loads(hostile["status.json"])
        STATUS.validate(status)
        assert [(one["name"], one["group"]) for one in status["services"]] == [(text, text) for text in CORPUS]
        for place, text in enumerate(CORPUS):
            SERVICE.validate(own := json.loads(hostile[f"service/s{place:02}.json"]))
            assert (own["key"], own["name"]) == (f"s{place:02}", text)
    assert json.loads(sites["public"][0]["site.webmanifest"])["name"] == plain("".join(CORPUS[:10]))


def test_the_calendar_has_the_texts_that_were_given_and_nothing_else(
    public: Site,
) -> None:
    def told(text: str) -> str:
        return plain(text).replace("\\N", "\n")  # for which icalendar takes it

    hostile, tame = ([*Calendar.from_ical(one["calendar.ics"]).walk("VEVENT")] for one in public)

    assert [sorted(one.keys()) for one in hostile] == [sorted(one.keys()) for one in tame]
    ahead = [one for one in hostile if one["dtstart"].dt > NOW]
    assert [str(one.get("description", " ")) for one in ahead] == [told(text) for text in CORPUS]
    assert [str(one["summary"]) for one in ahead] == [f"Maintenance: {told(ENGLISH.isolated(text))}" for text in CORPUS]


def test_metrics_have_the_names_that_were_given_and_no_sample_more(
    public: Site,
) -> None:
    hostile, tame = (
        [one for family in text_string_to_metric_families(site["metrics.prom"].decode()) for one in family.samples]
        for site in public
    )
    called = {one.labels["service"]: one.labels["name"] for one in hostile if one.name == "uplog_service_info"}

    assert [(one.name, sorted(one.labels), one.value) for one in hostile] == [
        (one.name, sorted(one.labels), one.value) for one in tame
    ]
    assert called == {f"s{place:02}": plain(text) for place, text in enumerate(CORPUS)}


def test_lines_and_links_of_plain_files_are_those_of_the_tame_ones(
    public: Site,
) -> None:
    hostile, tame = public
    for name in ("status.txt", "llms.txt", "robots.txt"):
        assert len(hostile[name].decode().splitlines()) == len(tame[name].decode().splitlines())
    links, safe = (
        re.findall(r"<(\w+)(?: href=\"([^\"]*)\")?", MarkdownIt().render(site["llms.txt"].decode())) for site in public
    )
    assert links == safe


# A browser

PARSED = """([pages, joined]) => pages.map(([name, text]) => {
    const page = new DOMParser().parseFromString(text, name.endsWith('.svg') ? 'image/svg+xml' : 'text/html')
    const written = [...page.querySelectorAll('.words *')], all = [...page.querySelectorAll('*')]
    const attributes = one => [...one.attributes].map(each => each.name).filter(name => !joined.includes(name)).sort()
    return {
        elements: all.filter(one => !written.includes(one)).map(one => [one.localName, ...attributes(one)].join(' ')),
        written: written.flatMap(one => [one.localName, ...attributes(one).map(name => one.localName + '.' + name)]),
        links: all.flatMap(one => ['href', 'src', 'action', 'data'].map(name => one.getAttribute(name)).filter(Boolean)),
        heading: page.querySelector('h1') && page.querySelector('h1').textContent,
    }
})"""
WRITTEN = {  # what people's words consist of
    *("p", "h4", "h5", "ul", "ol", "li", "pre", "code", "strong", "em", "hr", "br", "blockquote", "a"),
    *("a.href", "code.class"),
}
INERT = re.compile(r"https?://|mailto:|data:image/svg\+xml,|[#\w./-]+$")


@pytest.fixture(scope="module")
def tab(browser: Any) -> Iterator[Any]:  # noqa: F811
    """A tab that keeps what it is asked for, and whatever opens a dialog or breaks."""
    context = browser.new_context()
    opened = context.new_page()
    opened.wrong = []
    opened.on("dialog", lambda one: (opened.wrong.append("a dialog"), one.dismiss()))
    opened.on("pageerror", lambda one: opened.wrong.append(str(one)))
    opened.on("request", lambda one: None if one.url.startswith(("file:", "data:")) else opened.wrong.append(one.url))
    yield opened
    context.close()


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_a_browser_finds_the_elements_of_the_tame_site_and_the_texts_that_were_given(
    tab: Any, sites: Sites, audience: str
) -> None:
    def parsed(site: Mapping[str, bytes]) -> dict[str, Any]:
        pages = [(name, content.decode()) for name, content in site.items() if name.endswith((".html", ".svg"))]
        return dict(zip((name for name, _ in pages), tab.evaluate(PARSED, [pages, [*JOINED]]), strict=True))

    hostile, tame = map(parsed, sites[audience])

    for name, found in hostile.items():
        assert found["elements"] == tame[name]["elements"], name
        assert set(found["written"]) <= WRITTEN, name
        assert [link for link in found["links"] if not INERT.match(link)] == [], name
    for place, text in enumerate(CORPUS):
        assert spoken(hostile[f"service/s{place:02}.html"]["heading"]) == spoken(ENGLISH.isolated(text))


def test_a_browser_that_opens_the_pages_runs_nothing_and_asks_nobody(tab: Any, public: Site, tmp_path: Path) -> None:
    names = [
        "index.html",
        "history.html",
        "404.html",
        "embed.html",
        "service/s00.html",
        "badge/all.svg",
        "badge/s03.svg",
    ]
    names += [f"incident/told-{place:02}.html" for place in (1, 2, 9, 13)]
    write(public[0], tmp_path)

    for name in names:
        tab.goto((tmp_path / name).as_uri(), wait_until="load")
        tab.mouse.move(40, 40)
        assert not tab.evaluate("window.hacked || 0"), name
        assert tab.wrong == [], name
