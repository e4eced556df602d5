"""The pages as programs judge them that were made for that: axe-core, html-validate, the Nu Html Checker."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from helpers_audit import axe, html_validate, load_axe, nu
from helpers_large import large_fleet
from test_page_in_browser import address, browser, html, root, tab  # noqa: F401  fixtures

from uplog.site.asset import ASSETS
from uplog.site.render import render
from uplog.site.view import page as page_of
from uplog.site.write import write

pytestmark = [pytest.mark.integration, pytest.mark.slow]

LOOKS = {"light": 1440, "dark": 320}  # a page is looked at once in each theme, wide in one and narrow in the other


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public site of a fleet of 120 services."""
    folder = tmp_path_factory.mktemp("large")
    write(render(page_of(large_fleet(120), zone=UTC, audience="public", title="Acme")), folder)
    return folder


def sample(folder: Path) -> Iterator[Path]:
    """Pick the pages that there is one of, and one in twenty of the others."""
    yield from sorted(folder.glob("*.html"))
    for kind in ("service", "incident"):
        yield from sorted((folder / kind).glob("*.html"))[::20]


@pytest.mark.parametrize("place", ["a/b", "in"])
def test_axe_finds_nothing_on_any_page(tab: Any, root: Path, place: str) -> None:  # noqa: F811
    found = []
    for name in html(root / place):
        tab.goto((root / place / name).as_uri())
        load_axe(tab)
        for scheme, width in LOOKS.items():
            tab.set_viewport_size({"width": width, "height": 700})
            tab.emulate_media(color_scheme=scheme)
            found += [f"{scheme}, {width} px: {one}" for one in axe(tab)]

    assert found == []


@pytest.mark.parametrize("colours", ["active", "none"])
def test_axe_finds_nothing_on_a_large_index(tab: Any, large: Path, colours: str) -> None:  # noqa: F811
    tab.emulate_media(forced_colors=colours, color_scheme="dark")
    tab.goto((large / "index.html").as_uri())
    load_axe(tab)

    assert axe(tab) == []


def test_every_page_is_valid_and_sound_html(root: Path, large: Path, tmp_path: Path) -> None:  # noqa: F811
    pages = [*root.rglob("*.html"), *sample(large)]

    assert len(pages) > 60
    assert html_validate(pages, tmp_path / "answers.json") == []


def test_every_page_every_drawing_and_every_style_is_valid(root: Path, large: Path) -> None:  # noqa: F811
    pages = [*root.rglob("*.html"), *sample(large)]
    drawings, styles = list(root.rglob("*.svg")), list(ASSETS.rglob("*.css"))

    assert (len(pages) > 60, len(drawings) > 1, len(styles) > 1) == (True, True, True)
    assert nu([*pages, *drawings, *styles]) == []
