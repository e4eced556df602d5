"""What only the operator sees: read from a record, told in values, and placed on pages that are not published."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

import pytest
from helpers import T0
from helpers_inside import NUMBER, sown_inside, words
from helpers_site import DOWN_NOW, NOW, UP, a_history, a_service, told
from test_beside import STATUS
from test_cycle import Pretended, configured, opened, rows
from test_discoveries import container, web
from test_render import pages
from test_view import CANARY, sown

from uplog.collector.cycle import cycle
from uplog.collector.discover import Context, Found
from uplog.collector.drift import reading
from uplog.collector.drift.recorded import drift
from uplog.collector.drift.rules import findings as all_findings
from uplog.collector.model import (
    Answer,
    Check,
    Component,
    Finding,
    History,
    Instances,
    Port,
    Role,
    ServiceHistory,
    State,
    Target,
)
from uplog.collector.store import Store
from uplog.collector.store.inside import ANSWERS, stretches, surroundings
from uplog.collector.surroundings import Around, Failing, Need, Ran, Restart, Spot, Surroundings
from uplog.collector.why import Sighting
from uplog.site.build import build
from uplog.site.inside.values import Inside, InsideService
from uplog.site.inside.whole import inside
from uplog.site.render import render
from uplog.site.view import calendar_of, page, views

pytestmark = pytest.mark.unit

SOURCES = {"compose": {}, "docker": {}}
EMPTY: Mapping[str, Any] = {"service": [{"name": "web", "url": "http://127.0.0.1:1/", "public": True}]}


def made(history: History, around: Surroundings | None = None, **more: Any) -> Inside:
    """Make the values of *history* with what lies *around* it."""
    return inside(views(history, UTC), around or Surroundings(), calendar_of(history.now, UTC), **more)


def of_one(entry: ServiceHistory, around: Around, *others: ServiceHistory, **more: Any) -> InsideService:
    """Make the values of one service."""
    lies = Surroundings(services={entry.service.key: around})
    return made(a_history(entry, *others), lies, **more).services[entry.service.slug]


def asked_at(*targets: str) -> ServiceHistory:
    checks = [
        Check(key=f"k{place}", service="config//web", kind="http", target=one) for place, one in enumerate(targets)
    ]
    return told(UP, a_service("web", checks=tuple(checks)))


def rendered(value: Inside, history: History, audience: str = "internal") -> dict[str, bytes]:
    return render(page(history, zone=UTC, audience=audience, inside=value))  # type: ignore[arg-type]


# For nobody else


def test_nothing_of_it_is_published() -> None:
    files = rendered(sown_inside(["web"]), sown(), "public")

    assert [name for name, content in files.items() if CANARY.encode() in content or CANARY in name] == []
    assert str(NUMBER).encode() not in b"".join(files.values()).replace(b"77_123", b"")
    assert "inside.html" not in files
    assert CANARY not in repr(page(sown(), zone=UTC, audience="public", inside=sown_inside(["web"])))


def test_every_word_of_it_is_on_an_internal_page() -> None:
    value = sown_inside(["web", CANARY])

    shown = "".join(
        document.text + " ".join(document.values("href")) for document in pages(rendered(value, sown())).values()
    )

    retold = {f"{CANARY}-Findings-kind", f"{CANARY}-Ran-error"}  # as a title, and in a line of its own
    assert sorted({one for one in words(value) if one.lower() not in shown.lower()} - retold) == []


# Addresses that a browser may open


@pytest.mark.parametrize(
    ("target", "visit", "health"),
    [
        ("http://127.0.0.1:8080/health", "http://127.0.0.1:8080/", "http://127.0.0.1:8080/health"),
        ("https://user:pass@shop.example/a?token=x#y", "https://shop.example/", "https://shop.example/a"),
        ("http://[::1]:80/a b", "http://[::1]:80/", "http://[::1]:80/a%20b"),
        ("http://shop.example", "http://shop.example/", "http://shop.example"),
        ("javascript:alert(1)", "", ""),
        ("postgres://db:5432/x", "", ""),
        ("nginx.service", "", ""),
        ("http://", "", ""),
        ("http://[::1", "", ""),
    ],
)
def test_links_lead_to_addresses_of_the_web_without_secrets(target: str, visit: str, health: str) -> None:
    found = of_one(asked_at(target), Around())

    assert (found.visit, found.health) == (visit, health)


def test_links_open_without_telling_where_they_were_clicked() -> None:
    history = a_history(asked_at("http://u:p@shop.example/live?key=1"))
    files = rendered(made(history), history)

    links = [a for tag, a in pages(files)["service/web.html"].elements if tag == "a" and "://" in a["href"]]
    assert {a["href"] for a in links} == {"http://shop.example/", "http://shop.example/live"}
    assert {a["rel"] for a in links} == {"noreferrer noopener"}
    assert b"?key=1" not in files["inside.html"] + files["index.html"]


def test_the_address_of_a_document_is_the_last_resort() -> None:
    claim = Target(source="readme", ref="README.md:3", name="web", details={"url": "http://127.0.0.1:81/ui"})

    assert of_one(asked_at("tcp://127.0.0.1:1"), Around(targets=[claim])).visit == "http://127.0.0.1:81/ui"
    assert of_one(asked_at("http://127.0.0.1:80/up"), Around(targets=[claim])).visit == "http://127.0.0.1:80/"


def test_liveness_is_what_the_link_to_health_asks() -> None:
    checks = tuple(
        Check(key=role, service="s", kind="http", target=f"http://h/{role}", role=role)
        for role in (Role.READINESS, Role.LIVENESS)
    )

    assert of_one(told(UP, a_service("web", checks=checks)), Around()).health == "http://h/liveness"


# One service


def spot(layer: str, status: str, port: int | None, inner: int | None = None, where: str = "x:1") -> Spot:
    return Spot(port=Port(port=port, container_port=inner), layer=layer, location=where, status=status)


def test_ports_are_told_once_with_every_place_that_speaks_of_them() -> None:
    spots = [
        spot("claimed", "declared", None, 80, "nginx.conf:7"),
        spot("claimed", "declared", 8080, None, "README.md:3"),
        spot("declared", "in use", 8080, 80, "compose.yml:5"),
        spot("running", "in use", 8080, 80, "shop-web-1"),
        spot("declared", "conflict", 9000, 9000),
        spot("claimed", "declared", 9100),
        spot("declared", "declared", None, 5432),
    ]

    found = of_one(asked_at("http://h/"), Around(ports=spots)).ports

    assert [(one.text, one.status) for one in found] == [
        ("8080 → 80 tcp", "in use"),
        ("9000 tcp", "conflict"),
        ("9100 tcp", "claimed"),
        ("5432 inside tcp", "declared"),
    ]
    assert [layer for layer, _ in found[0].places] == ["claimed", "claimed", "declared", "running"]


def test_needs_lead_to_the_services_they_mean_with_their_states_and_back() -> None:
    api, db = told(UP, a_service("api")), told(DOWN_NOW, a_service("db"))
    needs = [
        Need(name="db", source="compose", ref="compose.yml:3", service="config//db"),
        Need(name="postgres", source="health", ref="", service="config//db"),
        Need(name="mail", source="compose", ref="compose.yml:4", service=None),
        Need(name="old", source="compose", ref="compose.yml:5", service="config//retired"),
    ]
    history = a_history(api, db)

    found = made(history, Surroundings(services={"config//api": Around(needs=needs)}))

    assert [(one.name, one.slug, one.look, one.said) for one in found.services["api"].needs] == [
        ("db", "db", "down", "compose.yml:3, its own health"),
        ("mail", "", "", "compose.yml:4"),
        ("old", "", "", "compose.yml:5"),
    ]
    assert [(one.name, one.look) for one in found.services["db"].needed_by] == [("api", "up")]
    files = rendered(found, history)
    assert b'href="db.html"' in files["service/api.html"]
    assert b'href="api.html"' in files["service/db.html"]


def test_an_error_that_goes_on_is_told_since_when_and_an_old_one_from_when_to_when() -> None:
    entry = told(DOWN_NOW)
    key, since = entry.checks[0].check.key, entry.checks[0].since
    hour = timedelta(hours=1)
    failing = [
        Failing(check=key, first=None, last=NOW, text="refused"),
        Failing(check=key, first=NOW - 3 * hour, last=NOW - 2 * hour, text="slow"),
        Failing(check="gone", first=NOW - 9 * hour, last=NOW - 9 * hour, text="late"),
    ]

    found = of_one(entry, Around(failing=failing)).failures

    assert [(one.text, one.still, one.when, one.asked) for one in found] == [
        ("refused", True, "since 21 Nov, 09:37", "http liveness"),
        ("slow", False, "21 Nov, 07:00–08:00", "http liveness"),  # noqa: RUF001  an en dash
        ("late", False, "21 Nov, 01:00", ""),
    ]
    assert found[0].at == since


@pytest.mark.parametrize(
    ("ready", "running", "look", "text"),
    [(3, 3, "up", "3 of 3 ready"), (1, 3, "degraded", "1 of 3 ready, 3 running"), (0, 0, "down", "0 of 3 ready")],
)
def test_instances_are_counted(ready: int, running: int, look: str, text: str) -> None:
    counted = Instances(expected=3, running=running, ready=ready)

    found = of_one(asked_at("http://h/"), Around(instances=counted))

    assert (found.instances_look, found.instances) == (look, text)


def test_a_service_is_told_by_what_says_most_of_it() -> None:
    around = Around(
        sightings=[
            Sighting(source="readme", ref="README.md:3", name="Web", layer="claimed"),
            Sighting(source="compose", ref="compose.yml:3", name="web", layer="declared"),
            Sighting(source="compose", ref="compose.yml:3", name="shop-web", layer="declared"),
            Sighting(source="docker", ref="shop-web-1", name="web", layer="running"),
        ],
        targets=[
            web(details={"category": "core"}),
            Target(
                source="readme", ref="README.md:3", name="Web", details={"category": "ai", "repository": "acme/web"}
            ),
        ],
        components=[Component(name="db", state=State.DOWN, latency=4)],
        restarted=Restart(at=NOW, source="docker", detail='{"what": "restarts", "old": 0, "new": 2, "cause": "oom"}'),
    )

    found = of_one(asked_at("http://h/"), around, repository=lambda one: "shop" if one.source == "compose" else "")

    assert (found.category, found.repository, found.restart) == (
        "core",
        "shop",
        "21 Nov, 10:00, 2 restarts counted, oom, docker",
    )
    assert [(one.layer, one.names) for one in found.origins] == [
        ("running", ("web",)),
        ("declared", ("web", "shop-web")),
        ("claimed", ("Web",)),
    ]
    assert [(one.name, one.look, one.took) for one in found.parts] == [("db", "down", "4 ms")]


# The whole


def test_healthy_of_total_is_counted_by_category_and_what_cannot_be_asked_is_not() -> None:
    kinds = {"api": "core", "db": "infrastructure", "cache": "infrastructure", "odd": ""}
    entries = [told(DOWN_NOW if name == "db" else UP, a_service(name)) for name in kinds]
    silent = ServiceHistory(service=a_service("cron", checks=()), spans=[])
    lies = {
        f"config//{name}": Around(targets=[web(details={"category": kind} if kind else {})])
        for name, kind in {**kinds, "cron": "core"}.items()
    }

    found = made(a_history(*entries, silent), Surroundings(services=lies)).categories

    assert [(one.name, one.look, one.healthy, one.total, [each.slug for each in one.wrong]) for one in found] == [
        ("core", "up", 1, 1, []),
        ("infrastructure", "down", 1, 2, ["db"]),
        ("no category", "up", 1, 1, []),
    ]


def ran(late: int, error: str = "", took: int | None = 1_500) -> Ran:
    return Ran(at=NOW, took=took, trigger="cron", planned=4, observed=4, late=late, error=error)


def test_runs_are_told_with_their_lateness_and_what_went_wrong() -> None:
    day = [*(ran(late) for late in range(1, 19)), ran(60_000, "the disk is full"), ran(90_000, took=None)]

    found = made(a_history(), Surroundings(runs=day[-2:], day=day)).runs

    assert (found.count, found.failed) == (20, 2)
    assert found.spread == (("late", "10 ms", "60 s", "90 s"), ("took", "1.5 s", "1.5 s", "1.5 s"))
    assert [(one.well, one.error, one.took) for one in found.newest] == [
        (False, "the disk is full", "1.5 s"),
        (False, "did not end by itself", ""),
    ]


def test_the_plan_names_who_wants_a_port_and_who_has_one_unwatched() -> None:
    lies = {
        "config//a": Around(ports=[spot("declared", "conflict", 80, 80), spot("running", "in use", 81)]),
        "config//b": Around(ports=[spot("declared", "conflict", 80, 8000), spot("claimed", "declared", 82)]),
    }
    others = [
        Target(source="listeners", ref="sshd", name="sshd:22", layer="running", skipped="no", ports=(Port(port=22),)),
        Target(
            source="listeners", ref="docker-proxy", name="p:81", layer="running", skipped="-", ports=(Port(port=81),)
        ),
    ]
    history = a_history(told(UP, a_service("a")), told(UP, a_service("b")))

    found = made(history, Surroundings(services=lies, targets=others))

    assert [(one.port, one.status, [each.name for each in one.holders]) for one in found.ports] == [
        (22, "in use", ["sshd:22"]),
        (80, "conflict", ["a", "b"]),
        (81, "in use", ["a"]),
        (82, "claimed", ["b"]),
    ]
    assert found.conflicts == 1
    assert b"1 port in conflict" in rendered(found, history)["index.html"]


def test_findings_lead_to_the_service_that_they_are_about() -> None:
    seen = {
        name: Sighting(source="compose", ref=f"compose.yml:{line}", name="web", layer="declared")
        for line, name in enumerate("ab")
    }
    lies = Surroundings(services={f"config//{name}": Around(sightings=[one]) for name, one in seen.items()})
    findings = [
        Finding(kind="healthcheck_missing", where="compose.yml:1", text="by place", service="web"),
        Finding(kind="healthcheck_missing", where="other.yml:9", text="by name", service="a"),
        Finding(kind="file_broken", where="nginx.conf:3", text="of none"),
        Finding(kind="odd_kind", where="x:1", text="two are called so", service="web"),
    ]
    history = a_history(told(UP, a_service("a")), told(UP, a_service("b")))

    found = made(history, lies, drift=findings, notices=[Finding(kind="variable_unset", where="c:1", text="n")])

    told_of = [(kind.title, kind.drift, [(one.text, one.slug) for one in kind.those]) for kind in found.findings]
    assert told_of == [
        ("Files that do not parse", True, [("of none", "")]),
        ("Odd kind", True, [("two are called so", "")]),
        ("Without a health check", True, [("by place", "b"), ("by name", "a")]),
        ("Variable unset", False, [("n", "")]),
    ]
    assert found.drift == 4
    assert [one.text for one in found.services["b"].findings] == ["by place"]


def test_links_between_the_pages_of_the_operator_lead_somewhere() -> None:
    needs = [Need(name="db", source="compose", ref="c:1", service="config//db")]
    lies = {"config//api": Around(needs=needs, ports=[spot("declared", "conflict", 80)])}
    history = a_history(told(UP, a_service("api")), told(DOWN_NOW, a_service("db")))
    findings = [Finding(kind="k", where="w", text="t", service="db")]
    files = rendered(made(history, Surroundings(services=lies), drift=findings), history)

    found = pages(files)
    links = {
        (name, normpath(join(dirname(name), path)) if path else name, place)
        for name, document in found.items()
        for path, _, place in (one.partition("#") for one in document.values("href") if "://" not in one)
        if not path.startswith("data:")
    }
    assert [link for link in links if link[1] not in files] == []
    assert [link for link in links if link[2] and link[2] not in found[link[1]].values("id")] == []
    assert {("inside.html", f"service/{slug}.html", "") for slug in ("api", "db")} <= links
    assert ("index.html", "inside.html", "ports") in links


@pytest.mark.parametrize("history", [a_history(), a_history(told(UP))])
def test_where_nothing_is_known_the_page_says_so(history: History) -> None:
    text = pages(rendered(made(history), history))["inside.html"].text

    for said in ("Nothing has run yet", "None is configured", "No port is known", "nothing that differs"):
        assert said in text


# What the record knows


class Looks:
    """A record, sources that tell what they are told to, and services that answer from a script."""

    def __init__(self, store: Store, folder: Path, table: Mapping[str, Any]) -> None:
        self.store, self.config, self.world = store, configured(folder, table), Pretended()
        self.pause = 360  # s

    def at(self, *targets: Target, findings: Sequence[Finding] = (), failing: str = "") -> None:
        """Look if that is due, and ask once."""

        def find(settings: Mapping[str, Any], context: Context) -> tuple[list[Found], dict[str, bool]]:
            return [
                Found(
                    source=name,
                    ok=name != failing,
                    error="no answer" if name == failing else None,
                    targets=tuple(one for one in targets if one.source == name and name != failing),
                    findings=tuple(findings) if name == "compose" != failing else (),
                    took=7,
                )
                for name in settings
            ], {}

        def ask(checks: Sequence[Check]) -> list[Answer]:
            return [replace(one, text="connection refused") if one.reason else one for one in self.world.ask(checks)]

        cycle(self.config, self.store, ask, self.world.clock, find=find)
        self.world.wait(self.pause)

    def known(self, now: datetime | None = None) -> Surroundings:
        with self.store.reading() as db:
            return surroundings(db, now or self.world.now, self.config.targets, self.config.discover)


@pytest.fixture
def looks(tmp_path: Path) -> Iterator[Looks]:
    table = {"discover": SOURCES, "service": [{"name": "grafana", "url": "http://127.0.0.1:3000/"}]}
    with opened(configured(tmp_path, table)) as store:
        yield Looks(store, tmp_path, table)


def test_what_sources_told_is_read_back_for_each_service(looks: Looks) -> None:
    db = web(name="db", ref="shop/compose.yml:9", ports=(), checks=(), details={"category": "infrastructure"})
    looks.at(web(needs=("db",)), db, container())
    looks.at(web(needs=("db",)), db, container(restarts=1, cause="oom"))

    found = looks.known()

    around = found.of("compose/shop/web")
    assert {(one.source, one.layer, one.ref) for one in around.sightings} == {
        ("compose", "declared", "shop/compose.yml:3"),
        ("docker", "running", "shop-web-1"),
    }
    assert {one.source for one in around.targets} == {"compose", "docker"}
    assert [(one.port.port, one.port.container_port, one.layer) for one in around.ports] == [(8080, 80, "declared")]
    assert [(one.name, one.service) for one in around.needs] == [("db", "compose/shop/db")]
    assert around.restarted is not None
    assert json.loads(around.restarted.detail)["cause"] == "oom"
    assert around.restarted.at == T0 + timedelta(minutes=6)
    assert found.of("config//grafana").targets[0].details["category"] == "monitoring"
    assert [(one.name, one.ok, one.found, one.took) for one in found.sources] == [
        ("compose", True, 2, 7),
        ("docker", True, 1, 7),
    ]


def test_runs_and_size_are_those_of_the_moment(looks: Looks) -> None:
    for _ in range(25):
        looks.at(web())

    found, before = looks.known(), looks.known(T0 + timedelta(minutes=7))

    assert (len(found.runs), len(found.day), len(before.runs)) == (20, 25, 2)
    assert found.runs[0].at == T0 + timedelta(minutes=24 * 6)
    assert (found.runs[0].planned, found.runs[0].observed, found.size.answers) == (2, 2, 50)
    looks.store.db.execute("pragma wal_checkpoint(truncate)")
    assert found.size.bytes == looks.config.database.stat().st_size
    assert found.size.oldest == T0
    assert dict(found.size.rows)["runs"] == 25


def test_a_finding_is_forgotten_when_its_source_answers_without_it(looks: Looks) -> None:
    def told_of() -> list[tuple[str, str | None]]:
        return [(one.text, one.service) for one in looks.known().findings]

    finding = Finding(kind="healthcheck_missing", where="shop/compose.yml:3", text="none", service="web")
    looks.at(web(), findings=[finding])
    assert told_of() == [("none", "compose/shop/web")]

    looks.at(failing="compose")
    assert told_of() == [("none", "compose/shop/web")]
    assert next((one.name, one.ok, one.error) for one in looks.known().sources) == ("compose", False, "no answer")

    looks.at(web())
    assert told_of() == []


def test_a_source_that_is_configured_no_more_says_nothing(looks: Looks) -> None:
    looks.at(web(), findings=[Finding(kind="k", where="w", text="t")])
    looks.config = replace(looks.config, discover={"docker": {}})

    found = looks.known()

    assert ([one.name for one in found.sources], found.findings) == (["docker"], [])
    assert [one.source for one in found.targets] == ["config"]


def test_what_a_check_was_answered_is_put_together_as_long_as_it_is_the_same() -> None:
    def minute(number: int) -> datetime:
        return T0 + timedelta(minutes=number)

    answers = [(minute(9), "b"), (minute(8), "a"), (minute(7), "a"), (minute(3), "a")]

    found = stretches(answers, "c", 60_000)

    assert [(one.text, one.first, one.last) for one in found] == [
        ("b", minute(9), minute(9)),
        ("a", minute(7), minute(8)),
        ("a", minute(3), minute(3)),  # four minutes later: something was between
    ]
    many = stretches([(minute(-number), "a") for number in range(ANSWERS)], "c", 60_000)
    assert [(one.first, one.last) for one in many] == [(None, T0)]


def test_the_record_alone_shows_the_drift_that_the_command_shows(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(
        "services:\n  web:\n    image: nginx\n    ports: ['8080:80']\n  db:\n    image: postgres\n"
        "  mail:\n    image: mailhog/mailhog\n    ports: ['8080:8025']\n"
    )
    (tmp_path / "README.md").write_text(
        "# Shop\n\n| Service | Port |\n|---|---|\n| web | 8081 |\n| db | 5432 |\n| search | 9200 |\n"
    )
    context = Context(folder=tmp_path)
    found = reading.read(["."], context)

    shown = drift(
        [one for each in found for one in each.targets], [one for each in found for one in each.findings], {}, {}, ()
    )

    assert shown == all_findings(reading.survey(found, context))
    assert {"claimed_not_declared", "declared_not_claimed", "port_taken_twice", "port_wrong"} <= {
        one.kind for one in shown
    }


# The pages that are built


def test_a_build_shows_it_inside_only_and_writes_nothing_when_nothing_changed(looks: Looks, tmp_path: Path) -> None:
    looks.world.says = lambda check, now: "-" if "web" in check.key else "+"
    looks.at(web(needs=("grafana",)), findings=[Finding(kind="variable_unset", where="compose.yml:1", text="TAG")])
    later = looks.world.now + timedelta(days=1)

    first = build(looks.config, looks.store, looks.world.now)
    again = build(looks.config, looks.store, later, now=looks.world.now)

    public, internal = first
    assert [list(one.written) for one in again] == [[], []]
    assert not (public.folder / "inside.html").exists()
    text = (internal.folder / "service" / "web.html").read_text()
    for said in ("shop/compose.yml:3", "http://127.0.0.1:8080/", "Needs", "Errors", "8080 → 80 tcp"):
        assert said in text
    assert "TAG" in (internal.folder / "inside.html").read_text()
    status = json.loads((internal.folder / "status.json").read_text())
    STATUS.validate(status)
    assert [one["found"] for one in status["inside"]["sources"]] == [1, 0]
    assert "inside" not in json.loads((public.folder / "status.json").read_text())


def test_another_round_leaves_the_pages_of_services_alone(looks: Looks) -> None:
    looks.world.says = lambda check, now: "-" if "web" in check.key else "+"
    looks.pause = 60
    for _ in range(5):
        looks.at(web())
    build(looks.config, looks.store, looks.world.now)

    looks.at(web())
    assert looks.known().sources[0].at == T0 + timedelta(minutes=5)  # they were asked again, too
    internal = build(looks.config, looks.store, looks.world.now)[1]

    assert {name for name in internal.written if name.endswith(".html")} == {"index.html", "inside.html"}


def test_a_fleet_written_by_hand_that_never_ran_has_its_pages(tmp_path: Path) -> None:
    config = configured(tmp_path, EMPTY)
    with opened(config) as store:
        never = build(config, store, T0)[1]
        before = (never.folder / "inside.html").read_text()
        world = Pretended()
        cycle(config, store, world.ask, world.clock)
        built = build(config, store, T0)[1]
        assert rows(store, "select count(*) from sources") == [(0,)]

    assert "Nothing has run yet" in before
    assert "1 of 1" in (built.folder / "inside.html").read_text()
