"""Which ports are taken, and which is the next free one: the plan, the command, the view, and who took a port."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from test_cycle import configured, opened, rows
from test_discoveries import World
from test_joining import composed, listener, target, unit

from uplog.collector.catalog import merge
from uplog.collector.cli import cli
from uplog.collector.model import Port, Target
from uplog.collector.ports_plan import claims, free, taken_by_others

pytestmark = pytest.mark.unit

# the guide of fleet 1: a repository a service, all of one stack
REPOSITORIES = {
    "defectdetect-database": ("defectdetect-database", {"mssql": 1433}),
    "database-python-handler": ("defect-detector-services", {"database-python-handler": 6100}),
    "defect-detect-fe": ("defect-detector-services", {"defect-detect-fe": 6200}),
    "clf-analysis": ("defect-detector-services", {"clf-abp-path-analysis": 6300}),
}


def plan(*targets: Target) -> list[tuple[str | None, int, str]]:
    watched = merge(targets, {})
    return [(one.service, one.port, one.status) for one in claims(watched, [t for t in targets if t.skipped], str)]


@pytest.mark.parametrize(
    ("taken", "first", "last", "step", "expected"),
    [
        ([6100, 6200, 6300], 6100, 6900, None, [6400, 6500]),
        ([6100, 6200, 6300], 6100, 6900, 100, [6400, 6500]),
        ([6100, 6200, 6300, 6501], 6100, 6900, None, [6101, 6102]),
        ([6110, 6120], 6100, 6900, None, [6100, 6130]),
        ([6100, 6300], 6100, 6900, None, [6200, 6400]),
        ([], 6100, 6900, None, [6100, 6101]),
        ([80, 443], 6100, 6900, 100, [6100, 6200]),
        ([7000], 7000, 7000, None, []),
    ],
)
def test_the_next_free_port_lies_in_the_steps_of_the_others(
    taken: list[int], first: int, last: int, step: int | None, expected: list[int]
) -> None:
    assert free(taken, first, last, step)[:2] == expected


def test_a_port_is_in_use_declared_or_wanted_by_two() -> None:
    assert plan(
        composed("web", 8080),
        target("docker", "web", project="shop", ports=(Port(port=8080, container_port=80),)),
        composed("api", 8081),
        composed("one", 8082),
        composed("two", 8082, project="blog"),
        replace(composed("debug", 8081), skipped="only the profile debug starts it"),
        unit("ssh.service", 22),
        replace(listener("docker-proxy:8081"), skipped="published by a container"),
    ) == [
        ("ssh", 22, "in use"),
        ("web", 8080, "in use"),
        ("api", 8081, "in use"),
        ("debug", 8081, "in use"),
        ("two", 8082, "conflict"),
        ("one", 8082, "conflict"),
    ]


def test_two_addresses_of_one_port_are_no_conflict() -> None:
    inside, outside = (
        target("compose", name, project="shop", ports=(Port(port=53, host_ip=ip, container_port=53),))
        for name, ip in (("a", "127.0.0.1"), ("b", "192.0.2.7"))
    )

    assert [status for *_, status in plan(inside, outside)] == ["declared", "declared"]


# Somebody else has it


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (listener("node:8080"), "host port 8080 is in use by node"),
        (unit("apache2.service", 8080), "host port 8080 is in use by apache2.service"),
        (
            replace(unit("apache2.service", 8080), layer="declared"),
            "host port 8080 is also that of apache2.service",
        ),
        (listener("docker-proxy:8080"), None),
        (listener("port:8080"), None),
        (unit("shop-web.service", 8080), None),
        (target("docker", "web", project="shop", ports=(Port(port=8080, container_port=80),)), None),
        (target("listeners", "node:8080", ports=(Port(port=8080, protocol="udp"),)), None),
    ],
)
def test_who_has_a_port_that_a_container_should_publish_is_named(other: Target, expected: str | None) -> None:
    found = list(taken_by_others(merge([composed("web", 8080), other], {})))

    assert [one.text for one in found] == ([expected] if expected else [])
    assert all((one.kind, one.service) == ("port_taken_by_other", "compose/shop/web") for one in found)


def test_the_record_has_it_as_a_finding_and_a_conflict(tmp_path: Path) -> None:
    table = {"discover": {"compose": {}, "listeners": {}}}
    with opened(configured(tmp_path, table)) as store:
        World(store, tmp_path, table).looks(composed("web", 8080), composed("api", 8081), listener("node:8080"))

        assert rows(store, "select kind, service, text from findings") == [
            ("port_taken_by_other", "compose/shop/web", "host port 8080 is in use by node")
        ]
        assert rows(store, "select service, port, status from ports order by port, service") == [
            ("compose/shop/web", 8080, "conflict"),
            ("listeners//node:8080", 8080, "conflict"),
            ("compose/shop/api", 8081, "declared"),
        ]


def test_a_declared_port_is_in_use_when_its_container_runs(tmp_path: Path) -> None:
    table = {"discover": {"compose": {}, "docker": {}}}
    running = target("docker", "web", project="shop", ports=(Port(port=8080, container_port=80),))
    with opened(configured(tmp_path, table)) as store:
        World(store, tmp_path, table).looks(composed("web", 8080), running)

        assert rows(store, "select distinct layer, status from ports order by 1") == [
            ("declared", "in use"), ("running", "in use"),
        ]  # fmt: skip


# The command


@pytest.fixture
def uplog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command beside the repositories of fleet 1."""
    for folder, (stack, services) in REPOSITORIES.items():
        (tmp_path / folder / ".git").mkdir(parents=True)
        lines = [f"name: {stack}", "services:"]
        for name, port in services.items():
            lines += [f"  {name}:", "    image: x", f'    ports: ["{port}:{port}"]']
        (tmp_path / folder / "docker-compose.yml").write_text("\n".join(lines))
    once = "[defaults]\nfailure_threshold = 1\n"  # nobody is asked again, for nobody answers
    (tmp_path / "uplog.toml").write_text(f'{once}[discover.compose]\npaths = ["*/docker-compose.yml"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("uplog.collector.discover.ports.learn", nobody_answers)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == code, result.output
        return result

    return run


async def nobody_answers(*_: object) -> dict[str, bool]:
    return {}


def test_the_plan_of_fleet_1_is_shown_with_its_repositories_and_the_next_free_ports(
    uplog: Callable[..., Result],
) -> None:
    lines = uplog("ports", "--range", "6100-6900").output.splitlines()

    assert [line.split()[:4] for line in lines[1:4]] == [
        ["database-python-handler", "6100", "database-python-handler", "declared"],
        ["defect-detect-fe", "6200", "defect-detect-fe", "declared"],
        ["clf-abp-path-analysis", "6300", "clf-analysis", "declared"],
    ]
    assert [line.split() for line in lines[4:6]] == [["6400", "available"], ["6500", "available"]]
    assert lines[-1] == "next free: 6400, then 6500"


def test_the_plan_is_the_same_with_a_record_and_without(uplog: Callable[..., Result], tmp_path: Path) -> None:
    without = json.loads(uplog("ports", "--json").output)
    uplog("run", "--no-build")

    assert (tmp_path / "data" / "uplog.db").exists()
    assert json.loads(uplog("ports", "--json").output) == without
    assert without["ports"][0]["service"] == "mssql"


@pytest.mark.parametrize("wrong", ["6900-6100", "0-9", "x", "1-70000"])
def test_what_is_no_range_is_said(uplog: Callable[..., Result], wrong: str) -> None:
    assert "expected two ports like 6100-6900" in uplog("ports", "--range", wrong, code=2).output
