"""The operator's pages in a real browser."""

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpers_site import DOWN_NOW, NOW, UP, a_history, a_service, told
from test_page_in_browser import browser, tab  # noqa: F401  fixtures

from uplog.collector.model import Component, Finding, Instances, Port, State
from uplog.collector.surroundings import Around, Failing, Need, Ran, Source, Spot, Surroundings
from uplog.collector.why import Sighting
from uplog.site.inside.whole import inside
from uplog.site.render import render
from uplog.site.view import calendar_of, page, views
from uplog.site.write import write

pytestmark = [pytest.mark.integration]

LONG = "a/place/that/is/longer/than/a/phone/has/room/for/and-has-no-blank/docker-compose.production.yml:120"
RESOLVED = """() => [...document.querySelectorAll("a[href^='#']")]
  .map((one) => one.getAttribute("href").slice(1)).filter((name) => !document.getElementById(name))"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An internal site where everything is there, and everything is long."""
    history = a_history(
        told(DOWN_NOW, a_service("api", name="a-service-with-a-name-that-is-rather-long")), told(UP, a_service("db"))
    )
    spots = [
        Spot(port=Port(port=8080, container_port=80), layer=layer, location=LONG, status="conflict")
        for layer in ("claimed", "declared", "running")
    ]
    around = Around(
        sightings=[Sighting(source="compose", ref=LONG, name="api", layer="declared")],
        ports=spots,
        needs=[Need(name="db", source="compose", ref=LONG, service="config//db")],
        instances=Instances(expected=3, running=2, ready=1),
        components=[Component(name="queue", state=State.DEGRADED, latency=12)],
        failing=[Failing(check="config//api/http/", first=NOW - timedelta(minutes=22), last=NOW, text=f"refused: {LONG}")],
    )  # fmt: skip
    run = Ran(at=NOW, took=61_000, trigger="function", planned=1_000, observed=998, late=90_400, error=f"{LONG}: full")
    known = Surroundings(
        services={"config//api": around},
        sources=[Source(name="prometheus", ok=False, found=100, skipped=100, error=LONG, at=NOW, took=10_000)],
        runs=[run],
        day=[run],
    )
    made = inside(
        views(history, UTC),
        known,
        calendar_of(NOW, UTC),
        drift=[Finding(kind="healthcheck_missing", where=f"{LONG}{place}", text="none") for place in range(9)],
    )
    place = tmp_path_factory.mktemp("inside")
    write(render(page(history, zone=UTC, audience="internal", inside=made)), place)
    return place


@pytest.mark.parametrize("name", ["index.html", "inside.html", "service/api.html", "service/db.html"])
def test_what_the_operator_reads_fits_a_phone_and_its_links_lead_somewhere(name: str, folder: Path, tab: Any) -> None:  # noqa: F811
    tab.goto(f"file://{folder}/{name}")

    tab.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") == 320
    assert tab.evaluate(RESOLVED) == []
    assert tab.complaints == []


def test_the_operator_walks_from_a_conflict_to_the_service_that_has_it(folder: Path, tab: Any) -> None:  # noqa: F811
    tab.goto(f"file://{folder}/index.html")

    tab.get_by_role("link", name="1 port in conflict").click()
    tab.locator("#ports ~ table").get_by_role("link", name="a-service-with").click()
    tab.get_by_role("link", name="Inside").click()
    tab.get_by_role("link", name="db", exact=True).click()

    assert tab.get_by_role("heading", level=1).inner_text() == "db"


def test_what_is_no_state_of_a_service_stays_as_it_is_on_a_stale_page(folder: Path, tab: Any) -> None:  # noqa: F811
    tab.clock.set_fixed_time(NOW + timedelta(minutes=4))
    tab.goto(f"file://{folder}/index.html")

    panel = tab.locator("section[aria-labelledby=operations]").inner_text()

    assert "1 port in conflict" in panel
    assert "prometheus failed" in panel
    assert "0 of 1" not in panel  # how many are up now nobody knows
