"""Fleet 4: seven services behind nginx, in Docker and in Kubernetes, with one health contract for all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import pytest
from helpers_fleets import (
    FLEETS,
    Body,
    Uplog,
    Way,
    answers_of,
    copied,
    expected,
    lines,
    own_network,
    serving,
    whole_way,
)
from helpers_rounds import Clock, names, one_round

pytestmark = pytest.mark.integration

KINDS = ["guide", "deployed"]
SERVICES = [
    "auth-service",
    "project-service",
    "analysis-service",
    "ai-orchestrator",
    "version-control-service",
    "comparison-service",
    "provider-service",
]
COMPOSE = "docker/docker-compose.services.yml"
SOURCES = {
    "compose": [COMPOSE],
    "kubernetes": ["kubernetes"],
    "gateway": ["."],
    "dockerfile": ["backend"],
    "readme": ["docs/dockerization-guide.md"],
}
SETTINGS = f"""
[discover.compose]
paths = ["{COMPOSE}"]
[discover.gateway]
[discover.dockerfile]
[discover.readme]
"""
ENVIRON = {"POSTGRES_PASSWORD": "known", "JWT_SECRET_KEY": "known"}


def through(kind: str, folder: Path) -> Way:
    """Go the whole way with one of the two, on a host with Docker."""
    place = copied(4, kind, folder, "platform")
    return whole_way(place, answers_of(FLEETS / "4" / f"{kind}.json"), SETTINGS, SOURCES, ENVIRON, more=asked)


def asked(uplog: Uplog) -> dict[str, str]:
    parts = uplog.rows("select service, component, state, latency_ms from components order by 1, 2")
    return {"components.json": lines(parts)}


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Way:
    return through("guide", tmp_path_factory.mktemp("guide"))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Way:
    return through("deployed", tmp_path_factory.mktemp("deployed"))


def test_the_whole_way_of_the_guide(guide: Way) -> None:
    assert guide.files == expected(4, "guide")


def test_the_whole_way_of_the_deployment(deployed: Way) -> None:
    assert deployed.files == expected(4, "deployed")


# What files say


def test_compose_refuses_the_file_and_eleven_are_found(deployed: Way) -> None:
    assert list(deployed.targets("compose")) == [*SERVICES, "api-gateway", "postgres", "redis", "ollama"]
    assert deployed.findings("file_refused") == [
        (f"{COMPOSE}:237", "ollama_data stands under services and is no service: Compose refuses the file", None)
    ]


@pytest.mark.parametrize(
    ("file", "count", "by_default", "ports"),
    [
        ("docker-compose.yml", 30, 30, 42),
        ("docker-compose.dev.yml", 9, 9, 9),
        ("docker-compose.test.yml", 7, 7, 2),
        ("docker-compose.offline.yml", 14, 14, 14),
        ("docker/docker-compose.test.yml", 10, 6, 3),
    ],
)
def test_other_files_declare_other_fleets(deployed: Way, file: str, count: int, by_default: int, ports: int) -> None:
    told = json.loads(deployed.uplog("discover", "compose", file, "--json"))["targets"]

    assert len(told) == count
    assert sum(one["default"] for one in told) == by_default
    assert sum(len(one["ports"]) for one in told) == ports


def test_ports_mean_other_services_in_the_offline_file(deployed: Way) -> None:
    patterns = ["docker/docker-compose.serv*.yml", "docker-compose.off*.yml"]  # what patterns match are two projects
    told = json.loads(deployed.uplog("discover", "compose", *patterns, "--json"))
    others = ["code-review-v1", "code-review-v2", "code-review-v3", "lifecycle-controller"]

    wanted = {one["service"]: one["text"] for one in told["findings"] if one["kind"] == "port_taken_twice"}
    assert {name: text[:15] for name, text in wanted.items() if name in others} == {
        name: f"host port {port} " for port, name in enumerate(others, 8001)
    }


def test_the_namespace_is_declared_twice(deployed: Way) -> None:
    assert [(one["kind"], one["where"], one["text"]) for one in deployed.discovered["kubernetes"]["findings"]] == [
        (
            "declared_twice",
            "kubernetes/services/auth-service.yaml:4",
            "Namespace ai-codereview is also declared in kubernetes/config/secrets-configmaps.yaml:4",
        )
    ]


def test_comments_behind_a_backslash_do_not_build(guide: Way) -> None:
    where = [where for where, _, _ in guide.findings("dockerfile_comment_after_backslash")]

    assert where == sorted(f"backend/services/{name}/Dockerfile:{n}" for name in SERVICES for n in (12, 13, 16))


def test_a_gateway_that_answers_health_itself_says_nothing_of_those_behind_it(guide: Way, deployed: Way) -> None:
    assert guide.findings("gateway_fixed_health") == []
    assert [where for where, _, _ in deployed.findings("gateway_fixed_health")] == ["docker/nginx/nginx.conf:36"]
    assert deployed.states()["api-gateway"] == "up"  # while two of those behind it do not run
    assert deployed.uplog.rows("select count(*) from components") == [[0]]


def test_paths_that_no_route_serves_are_named_for_every_probe(deployed: Way) -> None:
    told = drift(deployed.uplog, COMPOSE, "kubernetes", "backend")["probe_not_served"]

    manifest = "kubernetes/services/auth-service.yaml:9"
    unserved = "which no route in its code serves"
    assert {(service, text) for _, service, text in told if service != "auth-service"} == {
        (name, f"its readiness probe asks /ready, {unserved}") for name in SERVICES if name != "auth-service"
    }
    assert [(where, text) for where, service, text in told if service == "auth-service"] == [
        (f"{COMPOSE}:23", f"its healthcheck asks /health, {unserved}"),
        (manifest, f"its liveness probe asks /health, {unserved}"),
        (manifest, f"its readiness probe asks /ready, {unserved}"),
        (manifest, f"its startup probe asks /health/startup, {unserved}"),
    ]


def drift(uplog: Uplog, *paths: str) -> dict[str, list[tuple[Any, ...]]]:
    """Compare what the files at *paths* say; return place, service and text of the findings by kind."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for one in json.loads(uplog("drift", *paths, "--json", code=1))["findings"]:
        found.setdefault(one["kind"], []).append((one["where"], one["service"], one["text"]))
    return found


def test_who_waits_for_what_never_becomes_healthy_never_starts(deployed: Way) -> None:
    told = drift(deployed.uplog, COMPOSE, "backend")["never_starts"]

    end = "auth-service, which never becomes healthy (no route serves /health)"
    assert [(service, text) for _, service, text in told] == [
        ("project-service", f"never starts: it waits for {end}"),
        ("analysis-service", f"never starts: it waits for {end}"),
        ("api-gateway", f"never starts: it waits for project-service, which waits for {end}"),
    ]


def test_urls_in_manifests_are_dependencies(deployed: Way) -> None:
    needs = {name: one["needs"] for name, one in deployed.targets("kubernetes").items() if one["needs"]}

    assert needs == {
        "analysis-service": ["ai-orchestrator"],
        "ai-orchestrator": ["version-control-service", "comparison-service", "provider-service"],
    }


def test_the_page_shows_what_the_record_says(guide: Way) -> None:
    page = json.loads((guide.uplog.folder / "data/internal/status.json").read_text())

    assert page["headline"]["state"] == "up"
    assert {one["name"]: one["state"] for one in page["services"]} == guide.states()


# Behind the grace of the start


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Uplog:
    """Ask the deployment at first sight, within the start period, and a minute later."""
    place = copied(4, "deployed", tmp_path_factory.mktemp("later"), "platform")
    (place / "uplog.toml").write_text(SETTINGS)
    uplog, clock = Uplog(place, ENVIRON), Clock(timedelta(minutes=2))
    with own_network(), serving(answers_of(FLEETS / "4/deployed.json")):
        for _ in range(2):
            one_round(uplog, clock)
        (place / "check.json").write_text(uplog("check", "auth-service", "--json", code=1))
        (place / "check.txt").write_text(uplog("check", "auth-service", code=1))
    return uplog


def test_what_is_starting_is_not_down_before_its_start_period_is_over(later: Uplog) -> None:
    spans = "select state, reason from spans where service = 'compose/docker/{}' order by started_s"

    for service, reason in [("auth-service", "http_4xx"), ("project-service", "refused")]:
        assert later.rows(spans.format(service)) == [["unknown", "starting"], ["down", reason]]


def test_why_names_what_a_service_waits_for(later: Uplog) -> None:
    assert "it waits for auth-service, which never becomes healthy" in later("why", "project-service")
    assert "auth-service is down" in later("why", "analysis-service")


def test_other_paths_are_told_and_never_taken(later: Uplog) -> None:
    [check] = json.loads((later.folder / "check.json").read_text())["checks"]

    assert (check["state"], check["reason"], check["code"]) == ("down", "http_4xx", 404)
    assert "/health/live (200)" in (later.folder / "check.txt").read_text()


# Three probes in a cluster


CLUSTER = """
[discover]
ask_from = "cluster"
[discover.kubernetes]
paths = ["kubernetes"]
"""
INSIDE = {f"{name}.ai-codereview.svc": "127.0.0.1" for name in (*SERVICES, "postgres", "redis")}
AUTH = 8001
SPACE = "kubernetes/ai-codereview"


@dataclass
class Cluster:
    """The fleet inside its cluster, asked once a minute."""

    kind: str
    place: Path
    clock: Clock
    heard: int = 0  # ms since 1970

    def __post_init__(self) -> None:
        copied(4, self.kind, self.place, "platform")
        self.uplog = Uplog(self.place / "platform", ENVIRON)
        (self.uplog.folder / "uplog.toml").write_text(CLUSTER)
        self.answers = answers_of(FLEETS / "4" / f"{self.kind}.json")

    def round(self, said: Mapping[str, tuple[int, Body]] | None = None) -> list[str]:
        """Let auth-service say something else at some paths; return what was heard of it, a line an answer."""
        told = {("GET", path): (status, {}, body) for path, (status, body) in (said or {}).items()}
        answers = {**self.answers, AUTH: {**cast("dict[Any, Any]", self.answers[AUTH]), **told}}
        with own_network(), serving(answers), names(INSIDE):
            one_round(self.uplog, self.clock)
        rows = self.uplog.rows(
            "select role, outcome, o.reason, at_ms from observations o join checks c on c.key = o.check_key"
            f" where o.service = '{SPACE}/auth-service' and at_ms > {self.heard} order by at_ms, c.key"
        )
        self.heard = rows[-1][-1]
        return [" ".join(row[:-1]) if row[2] else f"{row[0]} {row[1]}" for row in rows]

    def spans(self, name: str) -> list[list[str | None]]:
        """Return the states that a service had, one after the other, whatever lies between."""
        rows = self.uplog.rows(f"select state, reason from spans where service = '{SPACE}/{name}' order by started_s")
        return [row for row, _ in groupby(rows)]


PARTS = [
    {"name": "database", "status": "healthy", "latency_ms": 5.2},
    {"name": "redis", "status": "healthy", "latency_ms": 1.1},
]
HEALTH = {"status": "healthy", "service": "auth-service", "version": "1.0.0", "components": PARTS}


def test_three_probes_have_their_own_meaning(tmp_path: Path) -> None:
    cluster = Cluster("guide", tmp_path, Clock(timedelta(minutes=6)))

    def healthy(uptime: int, **more: Any) -> tuple[int, Body]:
        return 200, {**HEALTH, "uptime_seconds": uptime, **more}

    heard = [cluster.round({"/health/startup": (503, {"status": "starting", "service": "auth-service"})})]
    not_ready = {"status": "not_ready", "service": "auth-service"}
    heard.append(cluster.round({"/health": healthy(100), "/ready": (503, not_ready)}))
    heard.append(cluster.round({"/health": healthy(160), "/ready": (503, not_ready)}))
    heard.append(cluster.round({"/health": healthy(220)}))
    stopping = {"status": "unhealthy", "service": "auth-service", "message": "Service is shutting down"}
    heard.append(cluster.round({"/health": (503, stopping), "/ready": (503, not_ready)}))
    slow = [PARTS[0], {"name": "redis", "status": "degraded"}]
    heard.append(cluster.round({"/health": healthy(12, version="1.1.0", status="degraded", components=slow)}))

    heard[4].sort()  # what is confirmed at one moment is asked at once: either may answer first
    assert heard == [
        ["startup fail http_5xx"],  # and nothing else is asked of what has not started
        ["startup pass", "liveness pass", "readiness fail http_5xx"],
        ["liveness pass", "readiness fail http_5xx", "readiness fail http_5xx"],  # two in a row: its failureThreshold
        ["liveness pass", "readiness pass"],
        [
            *["liveness fail http_5xx"] * 3,
            *["readiness fail http_5xx"] * 2,
        ],
        ["liveness warn reported_degraded", "readiness pass"],
    ]
    assert cluster.spans("auth-service") == [
        ["unknown", "starting"],
        ["degraded", "not_ready"],
        ["up", None],
        ["down", "http_5xx"],
        ["degraded", "reported_degraded"],
    ]
    events = f"select event, detail from discoveries where service = '{SPACE}/auth-service' and event <> 'appeared'"
    parts = f"select component, state, latency_ms from components where service = '{SPACE}/auth-service' order by at_ms"
    assert cluster.uplog.rows(f"{events} order by event desc") == [
        ["restarted", "it says that it has been up for 12 s"],  # and 220 s a moment ago
        ["changed", '{"what":"version","old":"1.0.0","new":"1.1.0"}'],
    ]
    assert cluster.uplog.rows(parts) == [
        ["database", "up", 5],
        ["redis", "up", 1],
        ["redis", "degraded", None],  # kept where it changes
    ]


def test_a_probe_that_nobody_serves_keeps_every_pod_out_of_traffic(tmp_path: Path) -> None:
    cluster = Cluster("deployed", tmp_path, Clock(timedelta(minutes=5)))
    heard = [cluster.round() for _ in range(5)]

    missing = ["liveness fail http_4xx", "readiness fail http_4xx"]
    assert heard == [
        ["startup fail http_4xx"],
        ["startup fail http_4xx"],
        ["startup fail http_4xx"],
        ["startup fail http_4xx", *missing],  # 30 failures in 5 s each are over
        [*missing, *missing, missing[0]],
    ]
    assert cluster.spans("auth-service") == [["unknown", "starting"], ["down", "http_4xx"]]
    alive = set(SERVICES) - {"auth-service", "project-service", "analysis-service"}
    assert [cluster.spans(name) for name in alive] == 4 * [[["unknown", "starting"], ["degraded", "not_ready"]]]
