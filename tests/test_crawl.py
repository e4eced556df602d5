"""The same bytes at any address: every link, asset and anchor is followed in a real browser."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag

import msgspec
import pytest
from test_page_in_browser import FRESH, Quiet, address, browser, root  # noqa: F401  fixtures

pytestmark = [pytest.mark.integration]

PLACES = ("from a folder", "at /", "at /a/b/")
TOLD = {"https://example.org/status", "https://example.org/x.png"}  # where the words of the operator lead
LINKS = """() => [...document.querySelectorAll("*")].flatMap((one) => ["href", "src", "poster", "action"].map((name) => {
  const text = one.getAttribute(name);
  return text === null ? null : new URL(text, document.baseURI).href;
})).filter((url) => url && !url.startsWith("data:"))"""
IDS = "() => [...document.querySelectorAll('[id]')].map((one) => one.id)"


@pytest.fixture(scope="module")
def at_the_top(root: Path) -> Iterator[str]:  # noqa: F811
    """The address of a server whose document root is the public site itself."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root / "a/b")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def base(request: pytest.FixtureRequest, root: Path, address: str, at_the_top: str) -> str:  # noqa: F811
    """The address of the public site in a place of PLACES."""
    return dict(zip(PLACES, ((root / "a/b").as_uri() + "/", at_the_top, f"{address}/a/b/"), strict=True))[request.param]


@pytest.mark.parametrize("base", PLACES, indirect=True)
def test_every_link_and_asset_is_there_and_nobody_else_is_asked(base: str, browser: Any, root: Path) -> None:  # noqa: F811
    context = browser.new_context()
    asked: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    tab = context.new_page()
    tab.clock.set_fixed_time(FRESH)

    links: dict[str, set[str]] = {}
    ids: dict[str, set[str]] = {}
    ahead = [base + "index.html"]
    while ahead:
        url = ahead.pop()
        if url in links or not url.endswith(".html"):
            continue
        assert tab.goto(url).ok
        links[url], ids[url] = set(tab.evaluate(LINKS)), set(tab.evaluate(IDS))
        ahead += [urldefrag(link).url for link in links[url] if link.startswith(base)]
    context.close()

    followed = {link for found in links.values() for link in found}
    folder = root / "a/b"
    assert {link for link in followed if not link.startswith(base)} == TOLD
    assert [link for link in followed if link.startswith(base) and not file(folder, base, link).is_file()] == []
    assert [link for link in followed if "#" in link and urldefrag(link).fragment not in ids[urldefrag(link).url]] == []
    assert {file(folder, base, url) for url in links} == pages(folder)
    assert [url for url in asked if not url.startswith((base, "data:"))] == []
    assert complaints == []


def file(folder: Path, base: str, url: str) -> Path:
    """Return the file of the site that *url* names."""
    return folder / urldefrag(url).url.removeprefix(base)


def pages(folder: Path) -> set[Path]:
    """Return the pages to come to from the index; 404.html is shown by servers, embeds are for other people's pages."""
    return {path for path in folder.rglob("*.html") if path.name != "404.html" and "embed" not in path.name}


def test_all_facts_are_there_without_script(browser: Any, root: Path) -> None:  # noqa: F811
    folder = root / "a/b"
    status = msgspec.json.decode((folder / "status.json").read_bytes())
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()

    def seen(name: str) -> str:
        tab.goto((folder / name).as_uri())
        return " ".join(tab.locator("body").inner_text().split())

    index = seen("index.html")
    assert status["headline"]["text"] in index
    for service in status["services"]:
        own = seen(f"service/{service['key']}.html")
        figures = [period["uptime_pct"] for period in service["uptime"].values() if period["uptime_pct"]]
        assert service["name"] in index
        assert not figures or f"{service['uptime']['90d']['uptime_pct']}%" in index
        assert [figure for figure in figures if f"{figure}%" not in own] == []
        assert tab.locator("#outages ~ ul > li").count() >= len(service["incidents"])
    context.close()
