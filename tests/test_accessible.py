"""The pages for those who use a keyboard, listen, enlarge, choose colours of their own, or print."""

from pathlib import Path
from typing import Any

import pytest
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
