"""The pages for those who use a keyboard, listen, enlarge, choose colours of their own, or print."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from test_page_in_browser import browser, contrast, html, root, tab  # noqa: F401  fixtures

pytestmark = [pytest.mark.integration]

KINDS = [
    *("index.html", "history.html", "about.html", "404.html", "embed.html"),
    *("service/checkout-api.html", "service/checkout-api.embed.html", "incident/checkout.html"),
]
# What takes the focus, in the order of the page; numbered, so that a test knows which one has it.
STOPS = """() => {
  const all = [...document.querySelectorAll("a[href], summary, button, input, select, textarea, [tabindex]")];
  const stops = all.filter((one) => one.tabIndex >= 0 && one.getClientRects().length);
  stops.forEach((one, place) => { one.dataset.place = place; });
  return stops.length;
}"""
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const ring = getComputedStyle(one), box = one.getBoundingClientRect();
  let behind, at = one.parentElement;
  do { behind = getComputedStyle(at).backgroundColor; at = at.parentElement } while (behind === "rgba(0, 0, 0, 0)" && at);
  return {
    place: Number(one.dataset.place), html: one.outerHTML.slice(0, 80), behind,
    style: ring.outlineStyle, colour: ring.outlineColor, width: parseFloat(ring.outlineWidth),
    seen: box.bottom > 0 && box.top < innerHeight,
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_tab_comes_to_everything_once_in_order_and_shows_where_it_is(
    tab: Any,  # noqa: F811
    root: Path,  # noqa: F811
    name: str,
    scheme: str,
) -> None:
    tab.emulate_media(color_scheme=scheme)
    tab.goto((root / "a/b" / name).as_uri())
    stops = tab.evaluate(STOPS)

    visited = []
    for _ in range(stops):
        tab.keyboard.press("Tab")
        visited.append(tab.evaluate(FOCUSED))
    tab.keyboard.press("Tab")

    assert [one["place"] for one in visited] == list(range(stops))
    assert tab.evaluate(FOCUSED) is None
    assert [one for one in visited if not one["seen"] or one["style"] != "solid" or one["width"] < 2] == []
    assert [one for one in visited if contrast(one["colour"], one["behind"]) < 3] == []


@pytest.mark.parametrize("kind", ["summary", ".nm", ".b a:not([tabindex])", ".list a", "footer a"])
def test_the_ring_of_the_focus_is_really_drawn(tab: Any, root: Path, kind: str) -> None:  # noqa: F811
    tab.goto((root / "a/b/index.html").as_uri())
    one = tab.locator(kind).first
    one.scroll_into_view_if_needed()
    box = one.bounding_box()
    around = {"x": box["x"] - 5, "y": box["y"] - 5, "width": box["width"] + 10, "height": box["height"] + 10}

    before = tab.screenshot(clip=around)
    tab.keyboard.press("Tab")  # a ring is for those who use keys
    one.focus()

    assert tab.screenshot(clip=around) != before


def test_days_of_a_bar_that_are_no_stop_are_told_in_the_list_of_the_service(tab: Any, root: Path) -> None:  # noqa: F811
    tab.goto((root / "a/b/index.html").as_uri())
    cells = tab.evaluate(
        "[...document.querySelectorAll('.b a')].map((a) => [new URL(a.getAttribute('href'), location).href,"
        " a.querySelector('title').textContent, a.closest('.r').querySelector('a.nm').href])"
    )

    assert len(cells) > 15
    for url, title, service in cells:
        tab.goto(url)
        day, said = title.split(": ", 1)
        assert url.startswith(f"{service}#")
        assert tab.inner_text("li:target").split(" · ") == [day, said]


def test_each_row_has_one_name_for_those_who_listen(tab: Any, root: Path) -> None:  # noqa: F811
    tab.goto((root / "a/b/index.html").as_uri())
    rows = tab.locator("details").get_by_role("listitem").all()

    assert len(rows) == 7
    for row in rows:
        name = row.get_by_role("link").first.inner_text()
        assert row.get_by_role("link", name=name, exact=True).count() == 1
        bars = row.locator("svg[role]:not([aria-hidden])")
        assert [bar.get_attribute("aria-label").split(", last 90 days")[0] for bar in bars.all()] == [name]


MOVING = """() => [...document.querySelectorAll("*")].filter((one) => ["", "::before", "::after"].some((part) => {
  const style = getComputedStyle(one, part), last = Math.max(...style.transitionDuration.split(",").map(parseFloat));
  return last > 0.01 || style.animationName !== "none" || style.scrollBehavior === "smooth";
})).map((one) => one.outerHTML.slice(0, 80))"""


def test_nothing_moves_for_those_who_asked_for_that(tab: Any, root: Path) -> None:  # noqa: F811
    tab.emulate_media(reduced_motion="reduce")

    for name in KINDS:
        tab.goto((root / "a/b" / name).as_uri())
        assert (name, tab.evaluate(MOVING)) == (name, [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_signs_and_bars_can_be_seen_in_colours_that_the_reader_chose(tab: Any, root: Path, scheme: str) -> None:  # noqa: F811
    tab.emulate_media(forced_colors="active", color_scheme=scheme)
    tab.goto((root / "a/b/index.html").as_uri())

    canvas = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    signs = tab.evaluate("[...document.querySelectorAll('main .i')].map((one) => getComputedStyle(one).color)")
    behind = tab.evaluate("getComputedStyle(document.querySelector('.head .i')).backgroundColor")
    outages = tab.evaluate(
        "[...document.querySelectorAll('.b a')].filter((a) => a.textContent.includes(': down'))"
        ".map((a) => [...a.querySelectorAll('path')].map((one) => getComputedStyle(one).fill).filter((fill) => fill.startsWith('rgb(')))"
    )
    assert len(signs) > 10
    assert min(contrast(sign, canvas) for sign in signs) >= 4.5
    assert contrast(signs[0], behind) >= 4.5
    assert len(outages) > 6
    assert min(max(contrast(fill, canvas) for fill in outage) for outage in outages) >= 3


CUT = """() => [...document.querySelectorAll("body *")].filter((one) => {
  const style = getComputedStyle(one);
  return !(one instanceof SVGElement) && ["hidden", "clip"].includes(style.overflowX) && style.position !== "absolute"
    && (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1);
}).map((one) => one.outerHTML.slice(0, 120))"""
SPREAD = """() => document.querySelectorAll("body *").forEach((one) => Object.assign(one.style, {
  lineHeight: "1.5", letterSpacing: ".12em", wordSpacing: ".16em",
}))"""  # what readers may need (WCAG 1.4.12)


@pytest.mark.parametrize("width", [320, 1440])
def test_no_text_is_cut_off_however_much_room_it_takes(tab: Any, root: Path, width: int) -> None:  # noqa: F811
    tab.set_viewport_size({"width": width, "height": 700})
    for name in html(root / "in"):
        tab.goto((root / "in" / name).as_uri())
        close = tab.evaluate(CUT)
        tab.evaluate(SPREAD)
        assert (name, close, tab.evaluate(CUT)) == (name, [], [])


@pytest.mark.parametrize("width", [320, 768])
def test_written_from_right_to_left_no_page_scrolls_sideways(tab: Any, root: Path, width: int) -> None:  # noqa: F811
    tab.set_viewport_size({"width": width, "height": 700})
    for name in html(root / "in"):
        tab.goto((root / "in" / name).as_uri())
        tab.evaluate("document.documentElement.dir = 'rtl'")
        assert (name, tab.evaluate("document.documentElement.scrollWidth")) == (name, width)


@pytest.mark.parametrize("height", [480, 500, 520, 540])
def test_what_is_printed_tells_of_every_service_and_breaks_no_row(tab: Any, root: Path, height: int) -> None:  # noqa: F811
    tab.goto((root / "a/b/index.html").as_uri())
    rows = [" ".join(row.locator("b").all_inner_texts()).split() for row in tab.locator("details .r").all()]

    printed = PdfReader(BytesIO(tab.pdf(width="600px", height=f"{height}px"))).pages
    sheets = [set(sheet.extract_text().split()) for sheet in printed]

    assert len(rows) == 7
    assert len(sheets) > 2
    assert [row for row in rows if not any(sheet.issuperset(row) for sheet in sheets)] == []


def test_the_table_of_all_figures_fits_on_paper(tab: Any, root: Path) -> None:  # noqa: F811
    tab.set_viewport_size({"width": 718, "height": 900})  # A4 within its margins
    tab.emulate_media(media="print")

    tab.goto((root / "a/b/table.html").as_uri())

    assert tab.evaluate("document.documentElement.scrollWidth") == 718


def test_the_table_says_whose_a_figure_is_however_far_it_is_scrolled(tab: Any, root: Path) -> None:  # noqa: F811
    tab.goto((root / "a/b/table.html").as_uri())

    far = tab.evaluate("(document.querySelector('.wide').scrollLeft = 300)")
    heads = "thead [rowspan]:first-child, [scope=rowgroup] span, [scope=row]"
    places = tab.evaluate(f"[...document.querySelectorAll('{heads}')].map((one) => one.getBoundingClientRect().left)")

    assert far == tab.evaluate("document.querySelector('.wide').scrollLeft")
    assert len(places) == 1 + 3 + 7
    assert 0 <= min(places) <= max(places) < 60


def test_a_reader_in_the_dark_prints_dark_letters(tab: Any, root: Path) -> None:  # noqa: F811
    tab.emulate_media(color_scheme="dark", media="print")

    for name in KINDS:
        tab.goto((root / "a/b" / name).as_uri())
        inks = tab.evaluate(
            "[...document.querySelectorAll('body, body *')].filter((one) => !one.closest('svg, script'))"
            ".map((one) => getComputedStyle(one).color)"
        )
        assert (name, min(contrast(ink, "rgb(255, 255, 255)") for ink in inks) >= 4.5) == (name, True)
