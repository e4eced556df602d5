"""What the script of a page adds, in a real browser, with a server whose files change; what it must not be."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from helpers_site import DOWN_NOW, NOW, UP, a_history, a_service, said, small_fleet, told
from test_page_in_browser import STALE, address, browser, states

from uplog.collector.model import History
from uplog.site.asset import script
from uplog.site.catalogue import tongue
from uplog.site.render import render
from uplog.site.view import page as page_of

pytestmark = [pytest.mark.integration]

__all__ = ["address", "browser"]  # fixtures

MINUTE = timedelta(minutes=1)
FLEET = 12
NEXT = NOW + MINUTE
HOUR = 3_600_000  # ms
SECONDS = count(1_700_000_000)


def fleet(now: datetime, *, down: int | None = None, every: int = 60_000) -> History:
    """Make a dozen services in three groups, of which one may be down."""
    return a_history(
        *(
            told(
                DOWN_NOW if place == down else UP,
                a_service(f"s{place}", name=f"Service {place}", group=f"Group {place % 3}", order=place),
                now=now,
            )
            for place in range(FLEET)
        ),
        now=now,
        newest=now,
        every=every,
    )


def put(path: Path, content: bytes) -> None:
    """Write a file as if a second had passed since the last: what changes within one is no change to HTTP."""
    path.write_bytes(content)
    os.utime(path, times=2 * (next(SECONDS),))


def publish(history: History, folder: Path, **more: Any) -> None:
    """Put the files that these tests look at where they are served."""
    files = render(page_of(history, zone=UTC, audience="public", title="Acme", **more))
    (folder / "service").mkdir(parents=True, exist_ok=True)
    for name in {"status.txt", "index.html", "service/s4.html"} & files.keys():
        put(folder / name, files[name])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A document root with a page of few services at /few/."""
    folder = tmp_path_factory.mktemp("www")
    publish(small_fleet(), folder / "few", said=said())
    return folder


@pytest.fixture
def site(root: Path) -> Iterator[Path]:
    """The folder of a page of a dozen services; it is at /fleet/."""
    publish(fleet(NOW), root / "fleet")
    yield root / "fleet"
    shutil.rmtree(root / "fleet")


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A tab in Tokyo whose clock is moved by the test."""
    context = browser.new_context(viewport={"width": 900, "height": 700}, timezone_id="Asia/Tokyo")
    opened = context.new_page()
    opened.clock.install(time=NOW + timedelta(seconds=30))
    opened.asked = []
    opened.on("request", lambda request: opened.asked.append(request.url.rpartition("/")[2]))
    yield opened
    context.close()


def shown(tab: Any) -> list[str]:
    return list(tab.locator(".r:visible .nm").all_inner_texts())


def test_the_script_is_readable_and_small_and_asks_for_nothing_but_the_site() -> None:
    source = script()

    assert len(source.encode()) < 4_096
    assert max(map(len, source.splitlines())) <= 120
    assert len(re.findall("^//", source, re.MULTILINE)) >= 5
    assert not re.search(r"\beval\b|\bFunction\b|innerHTML|insertAdjacentHTML|document\.write|import\b|https?:", source)
    assert re.findall(r"\bfetch\((\w+)", source) == ["address"]
    assert re.findall(r"\bget\(([\w.]+)\)", source) == ["said.status", "location.href"]


def test_few_services_need_no_filter(tab: Any, address: str) -> None:
    tab.goto(f"{address}/few/index.html")

    assert tab.get_by_role("searchbox").count() == 0
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.tagName") == "BODY"


def test_nothing_stands_there_for_a_filter_without_script(browser: Any, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"file://{site}/index.html")

    assert tab.locator(".r:visible").count() == FLEET
    assert tab.locator("input:visible, select:visible, output:visible").count() == 0
    context.close()


def test_services_are_filtered_by_name_and_state_and_their_number_is_told(tab: Any, site: Path, address: str) -> None:
    publish(fleet(NOW, down=4), site)
    tab.goto(f"{address}/fleet/index.html")

    tab.keyboard.press("/")
    tab.keyboard.type("service 1")
    named, groups = shown(tab), tab.locator("summary:visible h2").all_inner_texts()
    told = tab.get_by_role("status").inner_text()
    tab.get_by_role("searchbox").fill("")
    tab.get_by_role("combobox").select_option("down")

    assert (named, told) == (["Service 1", "Service 10", "Service 11"], "3 / 12")
    assert [text.casefold() for text in groups] == ["group 1", "group 2"]
    assert shown(tab) == ["Service 4"]
    tab.get_by_role("combobox").select_option("")
    assert (len(shown(tab)), tab.get_by_role("status").inner_text()) == (FLEET, "")


def test_a_filter_opens_the_groups_in_which_it_finds_something(tab: Any, site: Path, address: str) -> None:
    tab.goto(f"{address}/fleet/index.html")
    tab.locator("summary").nth(1).click()
    closed = shown(tab)

    tab.get_by_role("searchbox").fill("service 4")

    assert "Service 4" not in closed
    assert shown(tab) == ["Service 4"]


def pass_minutes(tab: Any, until: Callable[[], bool]) -> None:
    """Let minutes pass on the clock of the page until something is so; each answer takes some real time to arrive."""
    for _ in range(200):
        if until():
            return
        tab.clock.fast_forward(76_000)
        tab.wait_for_timeout(100)
    pytest.fail("nothing happened")


def headline(tab: Any) -> str:
    return str(tab.locator("#headline").inner_text())


def test_news_replace_what_is_shown_and_leave_the_reader_where_he_was(tab: Any, site: Path, address: str) -> None:
    tab.goto(f"{address}/fleet/index.html", wait_until="networkidle")
    before = (tab.locator("#headline").inner_text(), tab.locator("link[rel=icon]").get_attribute("href"))
    tab.locator("summary").nth(2).click()
    tab.locator(".nm", has_text="Service 7").focus()
    tab.evaluate("scrollTo(0, 90)")

    publish(fleet(NEXT, down=4, every=HOUR), site)
    pass_minutes(tab, lambda: "down" in headline(tab))

    assert before[0] == "All 12 services are up"
    assert tab.title().startswith("✕ Service 4 is down")
    assert tab.locator("link[rel=icon]").get_attribute("href") != before[1]
    assert tab.locator("#newest").get_attribute("datetime") == "2026-11-21T10:01:00Z"
    assert [one.get_attribute("open") is not None for one in tab.locator("details").all()] == [True, True, False]
    assert tab.evaluate("document.activeElement.textContent") == "Service 7"
    assert tab.evaluate("scrollY") == 90


def test_news_leave_a_filter_as_it_is(tab: Any, site: Path, address: str) -> None:
    tab.goto(f"{address}/fleet/index.html", wait_until="networkidle")
    tab.keyboard.press("/")
    tab.keyboard.type("service 4")

    publish(fleet(NEXT, down=4, every=HOUR), site)
    pass_minutes(tab, lambda: "down" in headline(tab))
    tab.keyboard.press("Backspace")
    tab.keyboard.type("3")

    assert shown(tab) == ["Service 3"]


def test_a_page_without_news_is_not_asked_for_again_and_a_hidden_one_asks_nothing(
    tab: Any, site: Path, address: str
) -> None:
    tab.goto(f"{address}/fleet/index.html", wait_until="networkidle")
    tab.asked.clear()

    pass_minutes(tab, lambda: "status.txt" in tab.asked)
    tab.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    tab.clock.fast_forward(76_000)
    tab.clock.fast_forward(76_000)
    hidden = list(tab.asked)
    tab.evaluate("Object.defineProperty(document, 'hidden', { value: false })")
    with tab.expect_response(lambda response: response.url.endswith("status.txt")):
        tab.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")

    assert hidden == ["status.txt"]


def test_who_gets_no_answer_asks_less_often_and_confesses_all_the_same(tab: Any, site: Path, address: str) -> None:
    tab.goto(f"{address}/fleet/index.html", wait_until="networkidle")
    (site / "status.txt").unlink()
    tab.asked.clear()

    pass_minutes(tab, lambda: "status.txt" in tab.asked)
    tab.clock.fast_forward(100_000)
    tab.wait_for_timeout(100)

    assert tab.asked == ["status.txt"]
    assert tab.locator("#headline").inner_text() == "Nothing is known now"


def test_what_a_gate_shows_in_place_of_a_page_replaces_nothing(tab: Any, site: Path, address: str) -> None:
    tab.goto(f"{address}/fleet/index.html", wait_until="networkidle")
    tab.asked.clear()
    put(site / "index.html", b"<p>Please log in</p>")
    put(site / "status.txt", b"<p>Please log in, utf-8</p>\n" * 4)
    pass_minutes(tab, lambda: "status.txt" in tab.asked)
    put(site / "status.txt", b"down\n\n2026-11-21T10:01:00Z\n2026-11-21T10:59:00Z\n")
    pass_minutes(tab, lambda: "index.html" in tab.asked)

    assert tab.locator("main").count() == 1
    assert "log in" not in tab.locator("body").inner_text()
    assert tab.locator(".r").count() == FLEET


@pytest.mark.parametrize("name", ["index.html", "service/s4.html"])
def test_a_page_that_confessed_recovers_with_news(tab: Any, site: Path, address: str, name: str) -> None:
    tab.clock.set_fixed_time(STALE)
    tab.goto(f"{address}/fleet/{name}", wait_until="networkidle")
    confessed = (tab.locator("#headline").inner_text(), states(tab))
    icon = tab.locator("link[rel=icon]").get_attribute("href")

    publish(fleet(NOW + 3 * MINUTE, every=HOUR), site)
    tab.clock.resume()
    pass_minutes(tab, lambda: "Nothing" not in headline(tab))

    assert confessed == ("Nothing is known now", {"unknown"})
    assert states(tab) == {"up"}
    assert tab.locator("link[rel=icon]").get_attribute("href") != icon
    assert "nothing" not in tab.title().lower()


def test_a_file_asks_for_nothing(tab: Any, site: Path) -> None:
    tab.goto(f"file://{site}/index.html")
    tab.clock.fast_forward(76_000)

    assert [name for name in tab.asked if name != "index.html" and not name.startswith(("data:", "svg+xml"))] == []


def test_times_of_the_reader_stand_beside_those_of_the_page(tab: Any, root: Path) -> None:
    tab.goto(f"file://{root}/few/index.html")

    assert "21 Nov, 10:00 UTC (21 Nov, 19:00 your time)" in tab.locator(".meta").inner_text()
    assert re.search(r"12 Nov, 10:00.13:20 \(12 Nov, 19:00.22:20 your time\)", tab.locator("main").inner_text())
    assert tab.locator(".r small").count() == 0


def test_times_of_the_reader_have_the_words_and_digits_of_the_page(tab: Any, root: Path, address: str) -> None:
    publish(small_fleet(), root / "ar", tongue=tongue("ar"))

    tab.goto(f"{address}/ar/index.html")

    assert re.search(r"21 نوفمبر، 10:00 UTC \(21 نوفمبر.* 19:00 بتوقيتك\)", tab.locator(".meta").inner_text())


def test_a_reader_in_the_zone_of_the_page_is_told_no_time_twice(browser: Any, root: Path) -> None:
    context = browser.new_context(timezone_id="Africa/Abidjan")
    tab = context.new_page()
    tab.goto(f"file://{root}/few/index.html")

    assert tab.locator("time").count() > 5
    assert tab.locator("time + small").count() == 0
    context.close()
