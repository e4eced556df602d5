"""Renew the pictures of pages in the README: a made-up fleet, on a quiet day and in an outage, as a browser shows it.

Run `python tests/renew_pictures.py` after a wanted change of the look, and look at deploy/pictures. It needs chromium.
"""

from datetime import UTC, timedelta
from math import sin
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from helpers_site import DAY, NOW, UP, a_history, a_service, answers, began, dip, latencies, told
from playwright.sync_api import Browser, sync_playwright

from uplog.collector.maintenance import Announced
from uplog.collector.model import History, Reason, Service, State
from uplog.site.incidents import parse
from uplog.site.render import render
from uplog.site.values import Words
from uplog.site.view import page
from uplog.site.write import write

PICTURES = Path(__file__).parent.parent / "deploy/pictures"
SHOTS = (  # name, state of the fleet, page, colours, width and height in px
    ("light", "quiet", "index.html", "light", 1100, 820),
    ("dark", "quiet", "history.html", "dark", 1100, 640),
    ("outage", "outage", "index.html", "light", 1100, 900),
    ("narrow", "outage", "index.html", "dark", 390, 844),
)
Flips = tuple[tuple[float, State | None, Reason | None], ...]


def fleet(now_of_checkout: Flips = ()) -> History:
    """Make a shop of nine services with a quarter of a year behind it."""
    db = told((*UP, *dip(33.3, 4, Reason.REFUSED)), named("Database", "Platform", 6), **took(3))
    checkout = told(
        (*UP, *dip(52, 131), *dip(30.4, 30), *dip(12.43, 4, Reason.TIMEOUT), *now_of_checkout),
        (service := named("Checkout", "Shop", 2)),
        needs=("config//payments-provider",),
        attempts=began(service.checks[0].key, (NOW - 0.0153 * DAY).replace(microsecond=0)),
        **took(140),
    )
    provider = told(
        (*UP, *dip(52, 140, Reason.HTTP_5XX), *((0.016, State.DOWN, Reason.HTTP_5XX),) * bool(now_of_checkout)),
        named("Payments provider", "Shop", 4),
        **took(210),
    )
    return a_history(
        told(UP, named("Website", "Shop", 1), **took(45)),
        checkout,
        told((*UP, *dip(61.2, 220, Reason.SLOW, State.DEGRADED)), named("Search", "Shop", 3), **took(88)),
        provider,
        told((*UP, *dip(19.42, 21)), named("Accounts", "Platform", 5), **took(38)),
        db,
        told((*UP, (71, State.UNKNOWN, Reason.MONITOR_OFFLINE), (69.5, State.UP, None)), named("Mail", "Platform", 7)),
        told((*UP, *dip(8.2, 11, Reason.HTTP_5XX)), named("Documentation", "Help", 8), **took(61)),
        told(((44, State.UP, None), *dip(26, 800)), named("Community", "Help", 9), **took(120)),
    )


def named(name: str, group: str, order: int) -> Service:
    """Make a published service."""
    slug = name.lower().replace(" ", "-")
    return a_service(slug, name=name, group=group, order=order)


def took(ms: int) -> dict[str, object]:
    """Make answers of about so many ms."""
    recent = [
        (at, round(ms * (1.1 + 0.25 * sin(at.hour / 3.8) + 0.12 * ((at.hour * 7) % 5) / 5)))
        for at, _ in answers(1_440, ms)
    ]
    return {"latency": latencies(88, ms), "recent": recent}


def planned() -> list[Announced]:
    """Make maintenance that is to come."""
    night = NOW.replace(hour=23) + DAY
    keys = ("config//database",)
    return [
        Announced(
            text="upgrade to a new version",
            start=night,
            end=night + timedelta(hours=1),
            services=keys,
            everything=False,
        )
    ]


def told_of_outage() -> list[Words]:
    """Write what the operator says while it goes on."""
    text = """---
title: Cards are not accepted
services: [Checkout, Payments provider]
started: 2026-11-21 09:37
severity: major
---
Our provider is down. Orders are kept and will be charged later: **nothing is lost**.

## 2026-11-21 09:52 Identified
The provider works on it, see [their page](https://example.org/status). Invoice and transfer go on as usual.
"""
    words, problems = parse(text, "incidents/cards.md", UTC)
    assert words
    assert not problems
    return [words]


def shoot(browser: Browser, file: Path, name: str, colours: str, width: int, height: int) -> None:
    """Take one picture, at the moment that the page was made."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)  # type: ignore[arg-type]
    tab = context.new_page()
    tab.clock.install(time=NOW)
    tab.goto(file.as_uri())
    tab.screenshot(path=PICTURES / f"{name}.png")
    context.close()


def main() -> None:
    states = {
        "quiet": (fleet(), []),
        "outage": (fleet(((0.0153, State.DOWN, Reason.TIMEOUT),)), told_of_outage()),
    }
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        for state, (history, said) in states.items():
            made = page(history, zone=UTC, audience="public", title="Example shop", announced=planned(), said=said)
            write(render(made), Path(folder, state))
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for name, state, file, colours, width, height in SHOTS:
            shoot(browser, Path(folder, state, file), name, colours, width, height)
        browser.close()


if __name__ == "__main__":
    main()
