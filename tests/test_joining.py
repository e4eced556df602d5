"""Which targets are one service: by id, stack, container, URL, port, name; and what is ambiguous stays apart."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pytest
from helpers import T0, at
from hypothesis import given
from hypothesis import strategies as st

from uplog.collector.catalog import Entry, merge
from uplog.collector.model import Check, Expect, Port, Target

pytestmark = pytest.mark.unit


def target(source: str, name: str, **changes: object) -> Target:
    layer = "running" if source in ("systemd", "docker", "listeners") else "declared"
    return Target(**{"source": source, "name": name, "ref": f"{source}:{name}", "layer": layer, **changes})  # type: ignore[arg-type]


def asks(url: str, kind: str = "http", *, suspect: bool = False) -> tuple[Check, ...]:
    return (Check(key="", service="", kind=kind, target=url, expect=Expect(suspect=suspect)),)


def unit(name: str, *numbers: int, **changes: object) -> Target:
    return target("systemd", name, names=(name,), ports=tuple(Port(port=one) for one in numbers), **changes)


def composed(name: str, *numbers: int, project: str = "shop", **details: object) -> Target:
    ports = tuple(Port(port=one, container_port=80) for one in numbers)
    return target("compose", name, project=project, names=(name,), ports=ports, details=details)


def listener(name: str) -> Target:
    return target("listeners", name, ports=(Port(port=int(name.rpartition(":")[2])),))


def hand_written(name: str, url: str, **changes: object) -> Target:
    return target("config", name, checks=asks(url), **changes)


def joined(*targets: Target, known: Mapping[str, tuple[str, datetime]] | None = None) -> list[list[str]]:
    return [[one.key for one in entry.targets] for entry in merge(targets, known or {})]


# Marks


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (composed("web"), target("docker", "web", project="shop")),
        (composed("web", container_name="frontend"), target("docker", "frontend", details={"container_name": "frontend"})),
        (
            target("docker", "myapp", details={"container_name": "myapp"}, ports=(Port(port=8080, container_port=80),)),
            target("systemd", "app.service", names=("app.service", "myapp"), ports=(Port(port=8080, container_port=80),)),
        ),
        (composed("web", id="x"), target("kubernetes", "web-v2", project="prod", details={"id": "x"})),
        (composed("web", 8080), listener("port:8080")),  # who listens is not to be seen
        (composed("web", 8080), unit("shop-web.service", 8080)),
        (hand_written("Site", "http://localhost/"), unit("nginx.service", 80)),
        (hand_written("Site", "https://localhost/x"), listener("caddy:443")),
        (hand_written("Far", "http://10.0.0.5:9100/"), target("prometheus", "far", checks=asks("http://10.0.0.5:9100/metrics"))),
        (unit("a.service", 80), target("pm2", "a", ports=(Port(port=80, host_ip="127.0.0.1"),))),
    ],
)  # fmt: skip
def test_these_are_one_service(one: Target, other: Target) -> None:
    assert len(joined(one, other)) == len(joined(other, one)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (composed("web"), target("docker", "web", project="blog")),
        (composed("web"), target("kubernetes", "web", project="shop")),  # a namespace is no stack
        (composed("web", id="x"), target("docker", "web", project="shop", details={"id": "y"})),
        (composed("web", 8080), listener("node:8080")),  # a process of the host is no container
        (composed("web", 80), unit("apache2.service", 80)),
        (unit("a.service", 80), target("pm2", "a", ports=(Port(port=80, protocol="udp"),))),
        (
            target("pm2", "a", ports=(Port(port=80, host_ip="127.0.0.1"),)),
            target("systemd", "b.service", ports=(Port(port=80, host_ip="192.0.2.7"),)),
        ),
        (hand_written("Far", "http://example.org/"), unit("nginx.service", 80)),
        (hand_written("Here", "http://localhost:8080/"), target("kubernetes", "web", ports=(Port(port=8080),))),
        (
            hand_written("Here", "http://localhost:8080/"),
            target("docker", "web", ref="tcp-10.0.0.5/web", ports=(Port(port=8080, host_ip="10.0.0.5"),)),
        ),
    ],
)  # fmt: skip
def test_these_are_two_services(one: Target, other: Target) -> None:
    assert len(joined(one, other)) == len(joined(other, one)) == 2


def test_several_services_behind_one_port_leave_it_open_whose_it_is() -> None:
    shop, blog = hand_written("Shop", "http://localhost/shop"), hand_written("Blog", "http://localhost/blog")

    assert joined(unit("nginx.service", 80), shop, blog) == [
        ["config//Blog"], ["config//Shop"], ["systemd//nginx.service"],
    ]  # fmt: skip


def test_what_runs_at_a_port_goes_before_what_would_run_there() -> None:
    development, production = composed("web", 8080, project="dev"), composed("web", 8080, project="prod")
    running = target("docker", "web", project="prod", ports=(Port(port=8080, container_port=80),))

    assert joined(hand_written("Site", "http://localhost:8080/"), development, production, running) == [
        ["config//Site", "compose/prod/web", "docker/prod/web"],
        ["compose/dev/web"],
    ]


def test_a_manager_that_holds_the_ports_of_many_is_none_of_them() -> None:
    apps = [target("pm2", name, ports=(Port(port=number),)) for name, number in (("a", 3000), ("b", 3001))]

    assert joined(unit("pm2-root.service", 3000, 3001), *apps) == [
        ["systemd//pm2-root.service"], ["pm2//a"], ["pm2//b"],
    ]  # fmt: skip


def test_what_one_source_declares_in_two_files_is_one_service() -> None:
    files = [replace(composed("db", 1433), ref=f"{folder}/compose.yml:3") for folder in ("b", "a")]

    (entry,) = merge(files, {})

    assert [one.ref for one in entry.targets] == ["a/compose.yml:3", "b/compose.yml:3"]


# Claims


def test_what_is_only_claimed_joins_the_service_of_its_name_and_makes_none() -> None:
    claims = [
        target("readme", "PostgreSQL Database", layer="claimed"),
        target("readme", "Mailer", layer="claimed"),
        target("gateway", "web", project="shop", layer="claimed"),
    ]

    assert joined(*claims, composed("postgres"), composed("web"), composed("web", project="blog")) == [
        ["compose/blog/web"],
        ["compose/shop/postgres", "readme//PostgreSQL Database"],
        ["compose/shop/web", "gateway/shop/web"],
    ]


def test_a_claim_that_may_mean_two_services_is_neither_of_them() -> None:
    claim = target("readme", "Web", layer="claimed")

    assert joined(claim, composed("web"), composed("web", project="blog")) == [
        ["compose/blog/web"],
        ["compose/shop/web"],
    ]


# Whose word counts


def the_check(*targets: Target) -> str:
    (entry,) = merge(targets, {})
    return ", ".join(check.target for check in entry.checks)


def test_the_better_check_is_asked_whoever_tells_of_it() -> None:
    port = replace(composed("web", 8080), checks=asks("http://127.0.0.1:8080/", suspect=True))
    state = target("docker", "web", project="shop", checks=asks("docker:shop-web-1", "docker"))
    declared = replace(state, checks=asks("http://127.0.0.1:8080/health"))
    by_hand = hand_written("Web", "http://localhost:8080/")

    assert the_check(composed("web", 8080), state) == "docker:shop-web-1"
    assert the_check(port, state) == "http://127.0.0.1:8080/"
    assert the_check(port, declared) == "http://127.0.0.1:8080/health"
    assert the_check(port, declared, by_hand) == "http://localhost:8080/"


# Instances


def test_numbered_services_of_one_declaration_are_one_that_runs_several_times() -> None:
    shared = {"image": "shop/backend", "networks": ["default"], "depends_on": {}, "healthcheck": None}
    first, second = (
        replace(composed(f"backend-{number}", 8000 + number, **shared), checks=asks(f"http://127.0.0.1:800{number}/"))
        for number in (1, 2)
    )

    (entry,) = merge([second, first], {})

    assert (entry.key, entry.name) == ("compose/shop/backend-1", "backend")
    assert [check.instances for check in entry.checks] == [("http://127.0.0.1:8001/", "http://127.0.0.1:8002/")]


def test_one_instance_less_is_the_same_service() -> None:
    shared = {"image": "shop/backend"}
    known = {f"compose/shop/backend-{number}": ("compose/shop/backend-1", T0) for number in (1, 2)}

    assert [entry.key for entry in merge([composed("backend-2", **shared)], known)] == ["compose/shop/backend-1"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (composed("redis6", image="redis:6"), composed("redis7", image="redis:7")),
        (composed("backend-1"), composed("backend-2")),  # nobody knows what they are made of
        (composed("app-1", image="a", networks=["x"]), composed("app-2", image="a", networks=["y"])),
        (composed("app-1", image="a"), composed("app-2", image="a", project="blog")),
        (composed("1", image="a"), composed("2", image="a")),
        (unit("worker@1.service"), unit("worker@2.service")),
    ],
)
def test_a_number_alone_makes_no_instance(one: Target, other: Target) -> None:
    assert len(joined(one, other)) == 2


# Identity


def test_what_was_one_stays_one_while_it_is_stopped() -> None:
    known = dict.fromkeys(("config//Web", "systemd//web.service"), ("config//Web", T0))
    written = hand_written("Web", "http://localhost:8080/")

    assert joined(written, unit("web.service"), known=known) == [["config//Web", "systemd//web.service"]]
    assert joined(written, unit("web.service", 9090), known=known) == [["config//Web"], ["systemd//web.service"]]


def test_of_two_that_part_one_keeps_the_history() -> None:
    known = dict.fromkeys(("config//Web", "systemd//web.service"), ("systemd//web.service", T0))
    found = merge([hand_written("Web", "http://localhost:8080/"), unit("web.service", 9090)], known)

    assert [(one.key, one.targets[0].key) for one in found] == [
        ("config//Web", "config//Web"), ("systemd//web.service", "systemd//web.service"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("now", "mark"),
    [
        (target("kubernetes", "web", project="prod", details={"id": "x"}), "id//x"),
        (target("kubernetes", "web", project="prod", checks=asks("https://shop.example/health")), "url https://shop.example/health"),
        (composed("web", 8080, project="store"), "port 8080 compose web"),
    ],
    ids=["by its id", "by its URL", "by its name and port"],
)  # fmt: skip
def test_a_service_that_moved_keeps_its_history(now: Target, mark: str) -> None:
    known = {"compose/shop/web": ("compose/shop/web", T0), mark: ("compose/shop/web", T0)}

    assert [entry.key for entry in merge([now], known)] == ["compose/shop/web"]
    old_and_new = [entry.key for entry in merge([now, composed("web", 8081)], known)]
    assert sorted(old_and_new) == sorted(["compose/shop/web", now.key])  # the old one is still there


def test_what_only_claims_a_service_that_its_source_knows_joins_that_and_nobody_of_its_other_names() -> None:
    api = target("gateway", "api", checks=asks("http://localhost:8080/"))
    web = target("gateway", "web", names=("db",), checks=asks("http://localhost:8081/"))
    other = hand_written("api", "http://localhost:9090/")
    claim = target("gateway", "api", ref="gateway:others", names=("db",))

    found = merge([other, api, web, claim], {})

    assert [(one.key, list(one.targets)) for one in found] == [
        ("config//api", [other]), ("gateway//api", [api, claim]), ("gateway//web", [web]),
    ]  # fmt: skip


# Properties

NAMES = st.sampled_from(["web", "api", "db", "worker-1", "worker-2"])
PORTS = st.builds(
    Port,
    port=st.sampled_from([None, 80, 8080, 8081]),
    host_ip=st.sampled_from(["", "127.0.0.1", "192.0.2.7"]),
    container_port=st.sampled_from([None, 80]),
)
URLS = [
    "http://localhost:8080/",
    "http://localhost:8080/health",
    "https://example.org/x",
    "docker:web",
    "tcp://127.0.0.1:80",
]
TARGETS = st.builds(
    Target,
    source=st.sampled_from(["config", "compose", "docker", "systemd", "listeners", "kubernetes", "readme"]),
    ref=st.sampled_from(["a:1", "b:2"]),
    name=NAMES,
    project=st.sampled_from(["", "shop", "blog"]),
    layer=st.sampled_from(["declared", "running", "claimed"]),
    names=st.lists(NAMES, max_size=2).map(tuple),
    ports=st.lists(PORTS, max_size=2).map(tuple),
    checks=st.sampled_from(URLS).map(asks) | st.just(()),
    skipped=st.sampled_from([None, None, None, "not now"]),
    details=st.fixed_dictionaries({}, optional={"id": st.sampled_from(["x", "y"]), "image": st.just("i")}),
)

LOOK = st.lists(TARGETS, max_size=8, unique_by=lambda one: (one.key, one.ref))


def facts(entries: Sequence[Entry]) -> list[object]:
    return [(one.key, one.name, one.aliases, one.checks, list(one.targets)) for one in entries]


def remembered(entries: Sequence[Entry], before: Mapping[str, tuple[str, datetime]]) -> dict[str, tuple[str, datetime]]:
    first = dict(before.values())
    known = dict(before)
    for entry in entries:
        known |= {one.key: (entry.key, first.get(entry.key, at(60))) for one in entry.targets}
    return known


@given(LOOK, st.randoms(use_true_random=False))
def test_the_order_of_sources_makes_no_difference(targets: list[Target], shuffler: random.Random) -> None:
    mixed = list(targets)
    shuffler.shuffle(mixed)

    assert facts(merge(mixed, {})) == facts(merge(targets, {}))


@given(LOOK, LOOK)
def test_looking_again_changes_nothing_and_no_two_services_have_one_key(
    before: list[Target], now: list[Target]
) -> None:
    known = remembered(merge(before, {}), {})
    once = merge(now, known)
    twice = merge(now, remembered(once, known))

    assert [(one.key, list(one.targets)) for one in twice] == [(one.key, list(one.targets)) for one in once]
    assert len({one.key for one in once}) == len(once)
    assert len({check.key for one in once for check in one.checks}) == sum(len(one.checks) for one in once)


@given(LOOK)
def test_nothing_that_is_watched_is_lost_and_nothing_is_in_two_services(targets: list[Target]) -> None:
    wanted = [one for one in targets if not one.skipped and (one.layer != "claimed" or one.checks)]
    found = [one for entry in merge(targets, {}) for one in entry.targets]

    assert sorted(map(repr, (one for one in found if one.layer != "claimed" or one.checks))) == sorted(
        map(repr, wanted)
    )


def test_ten_thousand_services_are_joined_in_no_time() -> None:
    many = [composed(f"web{n}x", 8080, project=f"p{n}") for n in range(5_000)]
    many += [target("docker", f"web{n}x", project=f"p{n}") for n in range(5_000)]
    known = {one.key: (f"compose/{one.project}/{one.name}", T0) for one in many}

    assert len(merge(many, known)) == 5_000
