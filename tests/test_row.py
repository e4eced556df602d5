"""What stands on the index, on the table of all figures, in the calendar, and behind a number: rows and their links."""

import gzip
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import pytest
from helpers import a_check, saw
from helpers_site import (
    DAY,
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
from test_accounting import stored
from test_render import Document, at_minute, built
from test_view import CANARY, sown

from uplog.collector.model import Component, History, Reason, State, Window
from uplog.collector.store import Store
from uplog.collector.store.read import history_at
from uplog.site.spark import spark
from uplog.site.values import Page
from uplog.site.view import page

pytestmark = pytest.mark.unit

DATASETTE = "https://rows.example.org/uplog"
HOUR = timedelta(hours=1)


def shown(history: History, **more: object) -> Page:
    return page(history, **{"zone": UTC, "audience": "public", **more})  # type: ignore[arg-type]


def hours(*known: int | None) -> list[tuple[datetime, int]]:
    """Make three answers around each value, in the newest hours before *NOW*."""
    return [
        (NOW - (len(known) - place) * HOUR + timedelta(minutes=minute), ms + off)
        for place, ms in enumerate(known)
        if ms is not None
        for minute, off in ((5, -1), (20, 0), (40, 300))
    ]


# The row


def test_a_sparkline_goes_by_the_median_of_each_hour_from_nothing_to_the_slowest() -> None:
    assert re.findall(r' d="([^"]*)"', spark(hours(100, 100, 100, 50, 0), NOW)) == ["M38 0h4l2 6l2 6"]


def test_a_sparkline_is_broken_where_nothing_is_known() -> None:
    assert re.findall(r' d="([^"]*)"', spark(hours(100, 50, None, 100), NOW)) == ["M40 0l2 6M46 0h0"]


@pytest.mark.parametrize("known", [(), (40,), (None, 40)])
def test_one_hour_makes_no_sparkline(known: tuple[int | None, ...]) -> None:
    assert spark(hours(*known), NOW) == ""


def test_a_sparkline_is_drawn_of_hours_where_the_newest_answers_do_not_reach_back_a_day() -> None:
    told_by_hour = [(NOW - back * HOUR, ms) for back, ms in ((3, 80), (2, 40), (1, 80))]
    content = built(a_history(told(UP, hourly=told_by_hour, recent=hours(5))))["index.html"].decode()

    assert re.findall(r'<svg class="k"[^>]*><path d="([^"]*)"', content) == ["M42 0l2 6l2-6"]


def test_a_row_has_its_response_time_in_words_beside_the_sparkline() -> None:
    content = built(a_history(told(UP, recent=hours(40, 60))))["index.html"].decode()

    assert re.search(r'<svg class="k"[^>]* aria-hidden="true"><path [^>]*/></svg>360 ms</p>', content)


def test_the_rows_of_120_services_are_light_with_sparklines_that_all_differ() -> None:
    chance = Random(6)
    services = [
        told(
            (*UP, *(flip for ago in sorted(chance.sample(range(1, 89), 4), reverse=True) for flip in dip(ago, 9.0))),
            a_service(f"service-{place}", name=f"Service number {place}", group=f"Group {place % 8}"),
            recent=hours(*(chance.randrange(20, 900) for _ in range(24))),
        )
        for place in range(120)
    ]

    assert len(gzip.compress(built(a_history(*services))["index.html"])) < 25_000


@pytest.mark.parametrize(("minutes", "step"), [(1.0, 1), (30.0, 2), (400.0, 3), (1_000.0, 4)])
def test_a_cell_says_in_four_steps_how_much_of_the_day_was_down(minutes: float, step: int) -> None:
    content = built(a_history(told((*UP, *dip(3.4, minutes)))))["index.html"].decode()
    (bar,) = re.findall(r'<svg class="b".*?</svg>', content)

    assert re.findall(r'<path class="(d[^"]*)"', bar) == [f"d{step}"]


def test_a_day_that_nobody_watched_does_not_look_like_one_of_which_nothing_is_known() -> None:
    flips = ((30, State.UP, None), (20.4, None, None), (15.4, State.UP, None), (5.4, State.UNKNOWN, Reason.NO_SAMPLE))
    content = built(a_history(told((*flips, (3.4, State.UP, None)))))["index.html"].decode()
    (bar,) = re.findall(r'<svg class="b".*?</svg>', content)

    assert re.findall(r'<path class="e" d="([^"]*)"', bar) == ["M0 39h588M700 39h38"]
    assert {text.partition(": ")[2] for text in re.findall("<title>([^<]*)</title>", bar)} == {
        *("not watched", "not known for 24 min", "not known for 1 day", "not known for 23 h 36 min"),
    }
    assert len(re.findall('<path class="n"', bar)) == 3


# Groups


def grouped(count: int, groups: int, *, order: tuple[str, ...] = (), down: int | None = None) -> list[tuple[str, bool]]:
    services = [
        told(DOWN_NOW if place == down else UP, a_service(f"s{place}", group=f"g{place % groups}" if groups else ""))
        for place in range(count)
    ]
    return [(one.name, one.folded) for one in shown(a_history(*services), order=order).groups]


def test_groups_stand_as_the_operator_orders_them_and_the_others_follow() -> None:
    assert [name for name, _ in grouped(8, 4, order=("g2", "not there", "g1"))] == ["g2", "g1", "g0", "g3"]


def test_services_of_no_group_can_be_ordered_by_their_heading() -> None:
    fleet = a_history(told(UP, a_service("a", group="Shop")), told(UP, a_service("b")))

    assert [one.name for one in shown(fleet).groups] == ["Services", "Shop"]
    assert [one.name for one in shown(fleet, order=["Shop", "Services"]).groups] == ["Shop", "Services"]


def test_of_very_many_services_only_the_groups_with_trouble_are_open() -> None:
    assert {folded for _, folded in grouped(100, 4, down=5)} == {False}
    assert grouped(101, 4, down=5) == [("g0", True), ("g1", False), ("g2", True), ("g3", True)]
    assert grouped(101, 0) == [("Services", False)]


def test_a_folded_group_is_closed_and_whole() -> None:
    services = [told(UP, a_service(f"s{place}", group=f"g{place % 2}")) for place in range(101)]
    content = built(a_history(*services))["index.html"].decode()

    assert (content.count("<details>"), content.count("<details open>")) == (2, 0)
    assert content.count('<li class="r"') == 101


# Maintenance


def test_maintenance_that_goes_on_stands_on_the_index_before_what_is_to_come() -> None:
    content = built(small_fleet(), announced=coming())["index.html"].decode()
    (section,) = re.findall(r'<section aria-labelledby="planned">.*?</section>', content, re.DOTALL)

    assert [" ".join(Document(row.encode()).text.split()) for row in re.findall("<li.*?</li>", section, re.DOTALL)] == [
        "Documentation in maintenance 21 Nov, 09:40–11:10 · moves to a new host",  # noqa: RUF001
        "Checkout API and Ledger 22 Nov, 23:00 to 23 Nov, 01:00 · database upgrade",
    ]
    assert "documentation" not in [one.slug for one in shown(small_fleet()).wrong]


def test_maintenance_that_is_over_stands_on_the_page_of_the_service_for_90_days() -> None:
    windows = [
        Window(start=NOW - 91 * DAY, end=NOW - 90.5 * DAY, text="too old"),
        Window(start=NOW - 40 * DAY, end=NOW - 39.9 * DAY, text="earlier"),
        Window(start=NOW - 2 * DAY, end=NOW - 2 * DAY + HOUR, text=""),
        Window(start=NOW - HOUR, end=NOW + HOUR, text="goes on"),
    ]
    (one,) = shown(a_history(told(UP, windows=windows))).services

    assert [(work.when, work.window.text) for work in one.worked] == [
        ("19 Nov, 10:00–11:00", ""),  # noqa: RUF001
        ("12 Oct, 10:00–12:24", "earlier"),  # noqa: RUF001
    ]


# All figures in a table


def test_the_table_has_the_figures_of_status_json_for_every_service() -> None:
    files = built(small_fleet(), zone=ZoneInfo("Asia/Kolkata"))
    services = json.loads(files["status.json"])["services"]
    rows = re.findall(r'<tr data-state="(\w+)"><th scope="row">(.*?)</tr>', files["table.html"].decode())

    assert len(rows) == len(services) == 7
    for (state, row), service in zip(rows, services, strict=True):
        name, word, *cells = (Document(cell.encode()).text.strip() for cell in re.split("</t[hd]><td>|</td>", row)[:-1])
        assert name == service["name"]
        assert word == {"unknown": "not known"}.get(state, state)
        assert [cell.replace("%", "").split() for cell in cells[:5]] == [
            [pct for pct in (one["uptime_pct"] or "–", one["observed_pct"]) if pct]  # noqa: RUF001
            for one in service["uptime"].values()
        ]
        assert cells[5] == str(service["uptime"]["90d"]["incidents"])


def test_months_have_their_uptime_and_what_was_observed_of_them() -> None:
    silent = ((40, State.UP, None), (38, State.UNKNOWN, Reason.NO_SAMPLE), (36, State.UP, None))
    files = built(a_history(told(silent)))
    (service,) = json.loads(files["status.json"])["services"]
    shown = re.findall(r"<b>([\d.]+)%</b> <i>observed ([\d.]+)%</i>", files["history.html"].decode())

    assert shown == [(one["uptime_pct"], one["observed_pct"]) for one in reversed(service["months"])]
    assert shown[1][1] != "100"


def test_response_times_in_the_table_are_those_of_yesterday_or_none() -> None:
    fleet = a_history(
        told(UP, a_service("a"), latency=latencies(3)), told(UP, a_service("b"), latency=latencies(3)[:2])
    )
    content = built(fleet)["table.html"].decode()

    assert "Response time, 20 Nov" in content
    assert re.findall(r"<td>0</td><td>(.*?)</td><td>(.*?)</td></tr>", content) == [("47 ms", "94 ms"), ("–", "–")]  # noqa: RUF001


def test_the_table_stays_the_same_while_nothing_happens() -> None:
    assert built(at_minute(1))["table.html"] == built(at_minute(58))["table.html"]


def test_every_day_of_a_chart_stands_in_figures_beside_it() -> None:
    days = latencies(3)
    content = built(a_history(told(UP, latency=days)))["service/web.html"].decode()

    assert re.findall(r'<tr><th scope="row">([^<]*)</th><td>(\d+)</td><td>(\d+)</td></tr>', content) == [
        (title, str(one.p50), str(one.p95))
        for title, one in zip(("20 Nov", "19 Nov", "18 Nov"), reversed(days), strict=True)
    ]


@pytest.mark.parametrize(("minutes", "charts"), [(10, 0), (40, 1)])
def test_a_chart_of_the_day_is_drawn_from_the_second_quarter_of_an_hour_on(minutes: int, charts: int) -> None:
    content = built(a_history(told(UP, recent=answers(minutes))))["service/web.html"]

    assert content.count(b"<figure>") == charts


# The calendar


def days_of(seen: Page, month: str) -> dict[int, tuple[str, str, str]]:
    (found,) = [one for one in seen.months if one.month == month]
    return {day.number: (day.look, day.text, day.link) for day in found.days}


def test_a_calendar_says_of_each_day_what_was_worst_in_it_and_leads_there() -> None:
    night = (NOW.replace(hour=23, minute=50) - 9 * DAY, 30.0)  # 12 Nov, to 13 Nov
    ago = (NOW - night[0]) / DAY
    fleet = a_history(
        told((*UP, *dip(ago, night[1]), *dip(4.0, 5), *dip(3.99, 5)), a_service("a")),
        told((*UP, *dip(4.0, 5), *dip(2.0, 5, Reason.SLOW, State.DEGRADED)), a_service("b")),
    )
    seen = shown(fleet)
    days = days_of(seen, "2026-11")
    outage = seen.services[0].outages[-1].incident.id

    assert [*days] == [*range(1, 22)]
    assert days[12] == days[13] == ("down", "down, 1 incident", f"incident/{outage}.html")
    assert days[17] == ("down", "down, 3 incidents", f"#2026-11.{seen.services[0].outages[0].incident.id}")
    assert days[19] == ("degraded", "degraded", "")
    assert days[21] == ("up", "up", "")


def test_days_before_anything_was_watched_are_not_up() -> None:
    days = days_of(shown(a_history(told(((2.4, State.UNKNOWN, Reason.STARTING), (2.399, State.UP, None))))), "2026-11")

    assert {number for number, (look, _, _) in days.items() if look == "up"} == {19, 20, 21}
    assert days[18] == ("", "not watched", "")


def test_maintenance_and_what_is_not_known_colour_a_day_unless_it_was_a_moment() -> None:
    windows = [Window(start=NOW - 5 * DAY, end=NOW - 4.9 * DAY)]
    gaps = ((8.0, State.UNKNOWN, Reason.NO_SAMPLE), (7.9, State.UP, None))
    blink = ((7.0, State.UNKNOWN, Reason.STARTING), (7.0 - 5 / 1_440, State.UP, None))
    days = days_of(shown(a_history(told((*UP, *gaps, *blink), windows=windows))), "2026-11")

    assert [days[number][0] for number in (13, 14, 15, 16, 17)] == ["unknown", "up", "up", "maintenance", "up"]


def test_a_calendar_is_cut_by_the_days_of_the_zone() -> None:
    auckland = ZoneInfo("Pacific/Auckland")
    fleet = a_history(told((*UP, *dip((NOW - datetime(2026, 9, 26, 11, 30, tzinfo=UTC)) / DAY, 20))))
    days = days_of(shown(fleet, zone=auckland), "2026-09")

    assert {number for number, (look, _, _) in days.items() if look == "down"} == {26}
    assert {number for number, (look, _, _) in days_of(shown(fleet), "2026-09").items() if look == "down"} == {26}
    late = a_history(told((*UP, *dip((NOW - datetime(2026, 9, 26, 12, 30, tzinfo=UTC)) / DAY, 20))))
    assert days_of(shown(late, zone=auckland), "2026-09")[27][0] == "down"


def test_two_years_of_history_fill_twelve_months() -> None:
    seen = shown(a_history(told(((730, State.UP, None), *dip(400, 60), *dip(200, 60)))))

    assert [(one.month, len(one.days)) for one in seen.months][:2] == [("2026-11", 21), ("2026-10", 31)]
    assert len(seen.months) == 12
    assert sum(day.look == "down" for month in seen.months for day in month.days) == 1
    assert {day.look for month in seen.months for day in month.days} == {"up", "down"}


def test_a_day_of_the_calendar_is_a_word_and_a_shape_too() -> None:
    content = built(a_history(told((*UP, *dip(4.0, 5)))))["history.html"].decode()
    (day,) = re.findall(r"<li[^>]*><a[^>]*>17<.*?</li>", content)

    assert 'data-state="down"' in day
    assert '<use href="#down"/>' in day
    assert Document(day.encode()).text == "17: down, 1 incident"


# Parts


PARTS = [
    Component(name=f"{CANARY}-db", state=State.UP, latency=77_123),
    Component(name=f"{CANARY}-mq", state=State.DOWN),
]


def test_parts_of_a_service_are_counted_and_not_named() -> None:
    files = built(a_history(told(UP, components=PARTS)))

    assert "Of its 2 parts 1 is up, 1 is down" in Document(files["service/web.html"]).text
    assert [name for name, content in files.items() if CANARY.encode() in content or b"77123" in content] == []


# Behind a number


def links(files: dict[str, bytes]) -> set[str]:
    found = {link for name in files if name.endswith(".html") for link in Document(files[name]).values("href")}
    return {link for link in found if link.startswith(DATASETTE)}


def test_nothing_leads_to_rows_unless_there_is_somebody_to_ask() -> None:
    assert links(built(small_fleet(), audience="internal")) == set()
    assert b"SQL" not in b"".join(content for name, content in built(small_fleet()).items() if name != "index.html")


def test_a_number_leads_to_its_rows_by_key_inside_and_by_name_outside() -> None:
    service = a_service("web", name="Web & <co>")
    fleet = a_history(told((*UP, *dip(4.0, 5)), service, latency=latencies(3)))
    public, internal = (built(fleet, audience=audience, query_url=DATASETTE) for audience in ("public", "internal"))

    for files, whose in (
        (public, "service_name__exact=Web+%26+%3Cco%3E"),
        (internal, "service__exact=config%2F%2Fweb"),
    ):
        (day,) = [one.day for one in shown(fleet).services[0].days if one.text]
        assert links(files) >= {
            f"{DATASETTE}/uptime?{whose}&period__exact=24h",
            f"{DATASETTE}/uptime_monthly?{whose}&month__exact=2026-11",
            f"{DATASETTE}/uptime_daily?{whose}&day__exact={day}",
            f"{DATASETTE}/latency_daily?{whose}",
            f"{DATASETTE}/observations?{whose}",
            f"{DATASETTE}/incidents?id__exact={shown(fleet).services[0].outages[0].incident.id}",
            f"{DATASETTE}/uptime_as_of?now=2026-11-21T10%3A00%3A00Z&service=",
        }


def test_what_leads_to_rows_gives_nothing_private_away() -> None:
    history = sown()
    files = built(
        replace(history, services=[replace(one, components=PARTS) for one in history.services]), query_url=DATASETTE
    )

    assert links(files)
    assert [name for name, content in files.items() if CANARY.encode() in content] == []


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_every_link_to_rows_finds_some(tmp_path: Path, audience: str) -> None:
    begins = datetime.now(UTC) - timedelta(minutes=184)  # the views are live
    with Store(tmp_path / "uplog.db") as store:
        newest = stored(store, [(a_check(), saw("+" * 60 + "---" + "+" * 120, a_check(), begins))])
        with store.reading() as db:
            files = built(history_at(db, newest), audience=audience, query_url=DATASETTE)
            asked = {urlsplit(link) for link in links(files)} - {urlsplit(DATASETTE)}
            for one in asked:
                view, filters = one.path.rpartition("/")[2], dict(parse_qsl(one.query))
                if view not in ("uptime_as_of", "latency_daily"):  # a query of its own; no day is closed yet
                    where = " and ".join(f"{name.removesuffix('__exact')} = ?" for name in filters)
                    sql = f"select count(*) from {view} where {where}"
                    assert db.execute(sql, [*filters.values()]).fetchone() > (0,)
    assert {one.path.rpartition("/")[2] for one in asked} >= {"uptime", "uptime_daily", "uptime_monthly", "incidents"}


# Empty


def test_a_service_of_which_nothing_is_known_has_a_row_everywhere() -> None:
    files = built(a_history(entry(a_service(), [], now=NOW, last=None), newest=None, every=None))

    assert "not watched" in files["index.html"].decode()
    assert re.findall(r"<td>(.*?)</td>", files["table.html"].decode())[1:] == ["–"] * 5 + ["0"] + ["–"] * 2  # noqa: RUF001
