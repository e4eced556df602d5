"""The built site in a real browser."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from helpers_site import DOWN_NOW, NOW, UP, a_history, a_service, said, small_fleet, told

from uplog.site.catalogue import tongue
from uplog.site.render import render
from uplog.site.theme.skin import Skin
from uplog.site.view import page as page_of
from uplog.site.write import write

pytestmark = [pytest.mark.integration]

# the browser without its windows takes a third of the time
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
STALE = NOW + timedelta(seconds=181)
FRESH = NOW + timedelta(seconds=179)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if not CHROMIUM or sync_playwright is None:
        missing = "needs a browser: `apt-get install chromium-headless-shell` and `pip install playwright`"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


class Quiet(SimpleHTTPRequestHandler):
    """Files as any web server gives them."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document root with the public site at /a/b/ and the internal one at /in/."""
    folder = tmp_path_factory.mktemp("www")
    for audience, place in (("public", "a/b"), ("internal", "in")):
        made = page_of(small_fleet(), zone=UTC, audience=audience, title="Acme", said=said(), problems=["x.md:1: y"])  # type: ignore[arg-type]
        write(render(made), folder / place)
    return folder


@pytest.fixture(scope="module")
def address(root: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab whose clock stands where the pages are fresh; what it asks for and complains of is kept beside it."""
    context = browser.new_context(viewport={"width": 320, "height": 700})
    opened = context.new_page()
    opened.clock.set_fixed_time(FRESH)
    opened.asked, opened.complaints = [], []
    opened.on("request", lambda request: opened.asked.append(request.url))
    opened.on("console", lambda message: opened.complaints.append(message.text))
    opened.on("pageerror", lambda error: opened.complaints.append(str(error)))
    yield opened
    context.close()


def html(folder: Path) -> list[str]:
    """Name the pages; of incidents one that was measured and all that are told, since the others are alike."""
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.html"))
    measured = [name for name in found if re.fullmatch(r"incident/[0-9a-f]{10}\.html", name)]
    return [name for name in found if name not in measured[1:]]


@pytest.mark.parametrize("place", ["file", "a/b", "in"])
def test_pages_ask_nobody_else_and_break_no_policy(tab: Any, root: Path, address: str, place: str) -> None:
    base, folder = (f"file://{root}/a/b", root / "a/b") if place == "file" else (f"{address}/{place}", root / place)

    for name in html(folder):
        tab.goto(f"{base}/{name}")
    tab.wait_for_load_state("networkidle")

    assert tab.complaints == []
    assert {url for url in tab.asked if not url.startswith((f"{base}/", "data:"))} == set()
    assert len(tab.asked) >= len(html(folder))


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_no_page_scrolls_sideways_and_every_bar_is_whole(tab: Any, root: Path, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 700})
    for name in html(root / "in"):
        tab.goto(f"file://{root}/in/{name}")
        assert (name, tab.evaluate("document.documentElement.scrollWidth")) == (name, width)
        for box in tab.evaluate("[...document.querySelectorAll('.b')].map(b => b.getBoundingClientRect().toJSON())"):
            assert box["left"] >= 0
            assert box["right"] <= width
            assert box["width"] >= 180 or not box["height"]


def test_cells_of_a_bar_are_whole_pixels_on_a_wide_screen(tab: Any, root: Path) -> None:
    for width in (1024, 1440):
        tab.set_viewport_size({"width": width, "height": 700})
        tab.goto(f"file://{root}/a/b/index.html")
        box = tab.locator(".r .b").first.bounding_box()

        assert round(box["width"] / 89.8, 2) in (3, 4, 5)  # pixels from cell to cell: 898 units of a tenth of that
        assert round(box["x"], 2) == round(box["x"])


def test_what_a_finger_presses_is_large_enough(browser: Any, root: Path) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    tab = context.new_page()
    tab.clock.set_fixed_time(FRESH)
    tab.goto(f"file://{root}/a/b/index.html")
    high = "all => all.map(one => one.getBoundingClientRect().height)"

    for what in ("summary", ".nm", "#now li", "footer a"):
        assert min(tab.locator(what).evaluate_all(high)) >= 43, what
    context.close()


def test_a_visitor_walks_from_the_index_to_a_service_and_back(tab: Any, root: Path) -> None:
    tab.goto(f"file://{root}/a/b/index.html")

    tab.get_by_role("link", name="Ledger").first.click()
    heading = tab.get_by_role("heading", level=1).inner_text()
    tab.get_by_role("link", name="Acme").first.click()

    assert (heading, tab.get_by_role("heading", level=1).inner_text()) == ("Ledger", "Acme")


def test_the_page_is_whole_without_script(browser: Any, root: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"file://{root}/a/b/index.html")

    assert tab.locator("#headline").inner_text() == "Checkout API and CDN are down"
    assert tab.locator(".r:visible .b:visible").count() == 7
    assert "21 Nov, 10:00" in tab.locator("footer").inner_text()
    context.close()


def test_each_row_is_named_for_those_who_listen(tab: Any, root: Path) -> None:
    tab.goto(f"file://{root}/a/b/index.html")

    bar = tab.get_by_role("group", name="Checkout API, last 90 days")
    assert bar.get_by_role("link", name="8 Nov: down 23:40").count() == 1
    assert tab.get_by_role("link", name="Mail <relay> & friends").count() == 2


def test_the_keyboard_comes_from_a_bar_to_the_story_of_its_newest_bad_day(tab: Any, root: Path) -> None:
    tab.goto(f"file://{root}/a/b/index.html")
    tab.locator(".nm", has_text="Ledger").focus()

    tab.keyboard.press("Tab")
    ring = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    with tab.expect_navigation():
        tab.keyboard.press("Enter")

    assert tab.url.endswith("/service/ledger.html#2026-11-17")
    assert ring == "solid"
    assert tab.locator("li:target").inner_text().startswith("17 Nov")


def test_a_cell_of_a_bar_can_be_pressed_all_over(tab: Any, root: Path) -> None:
    tab.set_viewport_size({"width": 1440, "height": 900})
    tab.goto(f"file://{root}/a/b/index.html")

    with tab.expect_navigation():
        tab.get_by_role("link", name="8 Nov: down 23:40").click(position={"x": 2, "y": 2})

    assert tab.url.endswith("/service/checkout-api.html#2026-11-08")


@pytest.mark.parametrize("height", [0.05, 0.45, 0.95])  # beside the name, on days that were up, on the figures
def test_a_row_leads_to_its_service_wherever_it_is_pressed(tab: Any, root: Path, height: float) -> None:
    tab.set_viewport_size({"width": 390, "height": 900})
    tab.goto(f"file://{root}/a/b/index.html")
    row = tab.locator(".r", has_text="Ledger")
    row.scroll_into_view_if_needed()
    box = row.bounding_box()

    with tab.expect_navigation():
        tab.mouse.click(box["x"] + box["width"] / 2, box["y"] + height * box["height"])

    assert tab.url.endswith("/service/ledger.html")


@pytest.mark.parametrize("name", ["index.html", "service/web.html"])
def test_a_logo_and_a_font_of_the_operator_are_shown_from_a_file(tab: Any, tmp_path: Path, name: str) -> None:
    logo = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9z"/></svg>'
    css = '@font-face{font-family:x;src:url("data:font/woff2;base64,")}h1,a{font-family:x}'
    skin = Skin(logo=("logo.svg", logo), css=css, links=(("Help", "mailto:a@b.org"),), accent=("#5b3fd6", "#a996ff"))
    write(render(page_of(a_history(told(UP)), zone=UTC, audience="public", title="Acme"), skin), tmp_path)

    tab.goto(f"file://{tmp_path}/{name}")
    link = tab.get_by_role("link", name="Help")

    assert tab.evaluate("document.querySelector('header img').naturalWidth") > 0
    assert link.evaluate("one => getComputedStyle(one).color") == "rgb(91, 63, 214)"
    assert [text for text in tab.complaints if "Content Security Policy" in text] == []


def test_an_incident_that_goes_on_confesses_too_and_one_that_is_over_does_not(tab: Any, address: str) -> None:
    tab.clock.set_fixed_time(STALE)

    tab.goto(f"{address}/a/b/incident/checkout.html", wait_until="networkidle")
    open_ = tab.locator("#headline").inner_text()
    tab.goto(f"{address}/a/b/incident/slow.html", wait_until="networkidle")

    assert (open_, tab.locator("#headline").inner_text()) == ("Nothing is known now", "Resolved after 3 h 20 min")


def states(tab: Any) -> set[str]:
    return set(tab.evaluate("[...document.querySelectorAll('[data-state]')].map(one => one.dataset.state)"))


def shapes(tab: Any) -> set[str]:
    return set(tab.evaluate("[...document.querySelectorAll('[data-state] use')].map(u => u.getAttribute('href'))"))


@pytest.mark.parametrize("name", ["index.html", "service/ledger.html"])
def test_a_page_that_is_out_of_date_confesses(tab: Any, address: str, name: str) -> None:
    tab.clock.set_fixed_time(STALE)

    tab.goto(f"{address}/a/b/{name}", wait_until="networkidle")

    assert tab.locator("#headline").inner_text() == "Nothing is known now"
    assert "21" in tab.locator("#detail").inner_text()
    assert states(tab) == {"unknown"}
    assert shapes(tab) == {"#unknown"}
    assert set(tab.locator(".word").all_inner_texts()) == {"not known"}
    assert "nothing is known" in tab.title().lower()


def test_a_page_that_was_out_of_date_when_it_was_made_says_so_once(tab: Any, tmp_path: Path) -> None:
    history = replace(small_fleet(), newest=NOW - timedelta(hours=1))
    write(render(page_of(history, zone=UTC, audience="public", title="Acme")), tmp_path)

    tab.goto(f"file://{tmp_path}/index.html")

    assert tab.locator("#headline").inner_text() == "Nothing is known now"
    assert tab.locator("#detail").inner_text() == "The last check was at 21 Nov, 09:00 UTC. This page is out of date."
    assert tab.locator(".note:visible").count() == 0


def test_the_table_of_all_figures_confesses_too(tab: Any, address: str) -> None:
    tab.goto(f"{address}/a/b/table.html", wait_until="networkidle")
    before = states(tab)
    tab.clock.set_fixed_time(STALE)
    tab.reload(wait_until="networkidle")

    assert {"up", "down"} <= before
    assert (states(tab), shapes(tab)) == ({"unknown"}, {"#unknown"})
    assert set(tab.locator(".word").all_inner_texts()) == {"not known"}


def test_a_snippet_is_marked_whole_by_one_press_and_its_badge_is_there(tab: Any, root: Path) -> None:
    tab.goto(f"file://{root}/a/b/service/ledger.html")
    tab.get_by_text("To paste into a README").click()
    tab.locator(".copy").first.click()

    assert tab.evaluate("getSelection().toString()").startswith("[![Ledger](badge/ledger.svg)](service/")
    tab.wait_for_function("[...document.images].every(image => image.naturalWidth > 0)")


def test_an_open_page_confesses_when_its_time_comes(tab: Any, root: Path) -> None:
    tab.clock.install(time=FRESH)
    tab.goto(f"file://{root}/a/b/index.html")
    before = tab.locator("#headline").inner_text()

    tab.clock.fast_forward(60_000)

    assert (before, tab.locator("#headline").inner_text()) == ("Checkout API and CDN are down", "Nothing is known now")


@pytest.mark.parametrize("name", ["index.html", "service/ledger.html"])
def test_a_fresh_page_confesses_nothing(tab: Any, address: str, name: str) -> None:
    tab.goto(f"{address}/a/b/{name}", wait_until="networkidle")

    assert "up" in states(tab)
    assert "#up" in shapes(tab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_of_state_can_be_read_in_either_theme(tab: Any, root: Path, scheme: str) -> None:
    tab.emulate_media(color_scheme=scheme)
    tab.goto(f"file://{root}/a/b/index.html")

    for shown, behind in tab.evaluate(
        "[...document.querySelectorAll('.r .word, .list .word, .soft, #detail, .u b')].map(one => {"
        " let at = one, behind; do { behind = getComputedStyle(at).backgroundColor; at = at.parentElement }"
        " while (behind === 'rgba(0, 0, 0, 0)'); return [getComputedStyle(one).color, behind] })"
    ):
        assert contrast(shown, behind) >= 4.5


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast of two colours that are written rgb(1, 2, 3), or color(srgb 0.1 0.2 0.3) where they were mixed."""

    def luminance(colour: str) -> float:
        whole = 255 if colour.startswith("rgb(") else 1
        parts = [float(part) / whole for part in re.findall(r"[\d.]+", colour)]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_an_arabic_page_runs_from_right_to_left_and_fits_a_phone(tab: Any, tmp_path: Path) -> None:
    made = page_of(small_fleet(), zone=UTC, audience="internal", tongue=tongue("ar"), title="Acme", said=said())
    write(render(made), tmp_path)

    for name in html(tmp_path):
        tab.goto(f"file://{tmp_path}/{name}")
        assert (name, tab.evaluate("getComputedStyle(document.documentElement).direction")) == (name, "rtl")
        assert (name, tab.evaluate("document.documentElement.scrollWidth")) == (name, 320)
        assert (name, tab.evaluate("document.documentElement.scrollLeft")) == (name, 0)


def test_what_people_wrote_from_left_to_right_begins_where_an_arabic_page_does(tab: Any, tmp_path: Path) -> None:
    made = page_of(small_fleet(), zone=UTC, audience="public", tongue=tongue("ar"), title="Acme", said=said())
    write(render(made), tmp_path)
    tab.set_viewport_size({"width": 1440, "height": 700})

    tab.goto(f"file://{tmp_path}/index.html")
    words, heads = (
        tab.evaluate(f"[...document.querySelectorAll('{part}')].map((one) => one.getBoundingClientRect().right)")
        for part in (".card .words", ".card h3")
    )

    assert len(words) > 1
    assert words == heads


def test_time_runs_from_right_to_left_on_an_arabic_page(tab: Any, tmp_path: Path) -> None:
    made = page_of(small_fleet(), zone=UTC, audience="public", tongue=tongue("ar"), title="Acme")
    write(render(made), tmp_path)

    tab.goto(f"file://{tmp_path}/service/checkout-api.html")
    days = tab.evaluate("[...document.querySelectorAll('.b a')].map(day => day.getBoundingClientRect().left)")
    ends = tab.evaluate(
        "[...document.querySelectorAll('.x:last-of-type span')].map(a => a.getBoundingClientRect().left)"
    )

    assert len(days) > 1
    assert days == sorted(days, reverse=True)
    assert ends[0] > ends[1]


def test_an_arabic_page_that_is_out_of_date_confesses_in_arabic(tab: Any, tmp_path: Path) -> None:
    write(render(page_of(small_fleet(), zone=UTC, audience="public", tongue=tongue("ar"), title="Acme")), tmp_path)
    tab.clock.set_fixed_time(STALE)

    tab.goto(f"file://{tmp_path}/index.html")

    assert tab.locator("#headline").inner_text() == "الحالة الآن غير معروفة"
    assert tab.locator("#detail").inner_text().startswith("كان آخر فحص في 21 نوفمبر")
    assert set(tab.locator(".word").all_inner_texts()) == {"غير معروف"}


def test_a_long_outage_of_everything_fits_a_phone(tab: Any, tmp_path: Path) -> None:
    services = [told(DOWN_NOW if place % 2 else UP, a_service("x" * 60 + str(place))) for place in range(30)]
    write(render(page_of(a_history(*services), zone=UTC, audience="public", title="T" * 80)), tmp_path)

    tab.goto(f"file://{tmp_path}/index.html")

    assert tab.evaluate("document.documentElement.scrollWidth") == 320
    assert tab.locator("#headline").inner_text() == "15 of 30 services are down"
