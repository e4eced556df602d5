"""Joining what sources saw, counting absence, and planning."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from helpers import T0, a_check, at, saw
from hypothesis import given
from hypothesis import strategies as st

from uplog.collector.catalog import Absent, Entry, judge_absence, merge, slug
from uplog.collector.history import fold
from uplog.collector.model import Check, Port, Role, Standing, Target
from uplog.collector.planning import Pace, confirm_due, plan

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)


def target(source: str, name: str, **changes: object) -> Target:
    return Target(**{"source": source, "name": name, "ref": f"{source}:{name}", **changes})  # type: ignore[arg-type]


def asks(url: str, name: str = "") -> tuple[Check, ...]:
    return (Check(key="", service="", kind="http", target=url, name=name),)


def joined(*targets: Target) -> list[list[str]]:
    return [[one.key for one in entry.targets] for entry in merge(targets, {})]


def test_a_unit_and_a_compose_service_on_one_port_are_one_service() -> None:
    unit = target("systemd", "web.service", ports=(Port(port=8080),))
    compose = target("compose", "web", project="shop", ports=(Port(port=8080, container_port=80),))

    assert joined(unit, compose) == [["compose/shop/web", "systemd//web.service"]]


def test_a_hand_written_url_on_this_host_is_the_service_found_at_its_port() -> None:
    written = target("config", "Web", checks=asks("http://localhost:8080/health"), public=True, title="Web")
    unit = target("systemd", "web.service", ports=(Port(port=8080),), checks=asks("http://127.0.0.1:8080/"))

    (entry,) = merge([unit, written], {})

    assert (entry.key, entry.name, entry.public) == ("config//Web", "Web", True)
    assert [check.target for check in entry.checks] == ["http://localhost:8080/health"]


@pytest.mark.parametrize(
    ("others", "group"),
    [
        ((), ""),
        ((target("systemd", "web.service", ports=(Port(port=8080),)),), "This machine"),
        ((target("compose", "web", project="shop", ports=(Port(port=8080),)),), "shop"),
        ((target("readme", "Web", project="my-repository", layer="claimed"),), ""),
    ],
)
def test_what_is_written_down_by_hand_stays_in_the_group_in_which_it_was_found(
    others: tuple[Target, ...], group: str
) -> None:
    written = target("config", "Web", checks=asks("http://127.0.0.1:8080/"), title="Web")

    (entry,) = merge([written, *others], {})

    assert (entry.group, len(entry.targets)) == (group, 1 + len(others))


@pytest.mark.parametrize(("containers", "expected"), [(1, 3), (2, 3), (3, 0), (4, 0)])
def test_replicas_that_are_declared_and_not_there_are_missed(containers: int, expected: int) -> None:
    skipped = "its host port is another one after each start"
    declared = target("compose", "web", project="shop", instances=3, skipped=skipped)
    running = target("docker", "web", project="shop", instances=containers, checks=asks("http://127.0.0.1:32768/"))

    (entry,) = merge([declared, running], {})

    assert [check.expected for check in entry.checks] == [expected]


def test_two_services_of_one_source_are_never_joined() -> None:
    assert joined(
        target("config", "a", checks=asks("http://127.0.0.1:80/a")),
        target("config", "b", checks=asks("http://127.0.0.1:80/b")),
    ) == [["config//a"], ["config//b"]]


def test_equal_urls_join_only_when_their_path_says_something() -> None:
    here = target("config", "a", checks=asks("https://example.org/health"))
    there = target("compose", "b", checks=asks("https://example.org/health"))
    bare = target("systemd", "c", checks=asks("https://example.org/"))

    assert joined(here, there, bare) == [["config//a", "compose//b"], ["systemd//c"]]


def test_a_skipped_target_is_no_service() -> None:
    assert joined(target("systemd", "x.service", skipped="masked")) == []


def test_a_service_keeps_the_key_it_was_given_first() -> None:
    unit = target("systemd", "web.service", ports=(Port(port=8080),))
    written = target("config", "Web", checks=asks("http://127.0.0.1:8080/"))

    (entry,) = merge([written, unit], {"systemd//web.service": ("systemd//web.service", T0)})

    assert entry.key == "systemd//web.service"
    assert entry.checks[0].key == "systemd//web.service/http/"


def test_of_two_known_services_that_prove_to_be_one_the_older_key_stays() -> None:
    unit = target("systemd", "web.service", ports=(Port(port=8080),))
    written = target("config", "Web", checks=asks("http://127.0.0.1:8080/"))
    known = {"systemd//web.service": ("systemd//web.service", T0 + HOUR), "config//Web": ("config//Web", T0)}

    (entry,) = merge([written, unit], known)

    assert (entry.key, entry.aliases) == ("config//Web", ("systemd//web.service",))


def test_an_edited_url_keeps_the_key_of_its_check() -> None:
    keys = [
        merge([target("config", "a", checks=asks(url))], {})[0].checks[0].key for url in ("http://x/1", "http://x/2")
    ]

    assert keys == ["config//a/http/"] * 2


@pytest.mark.parametrize(
    ("found", "base"),
    [
        (target("listeners", "node:3000"), "node"),
        (target("prometheus", "10.1.2.3:9100", project="exporters"), "exporters"),
        (target("prometheus", "db.internal:9100"), "prometheus"),
        (target("kong", "https://10.1.2.3/"), "kong"),
    ],
)
def test_what_only_has_an_address_for_a_name_is_not_published_and_no_address_is_its_slug(
    found: Target, base: str
) -> None:
    entry = Entry(key="x", targets=[replace(found, public=True)], checks=())
    named = replace(entry, targets=[replace(found, public=True, title="API :80")])

    assert (entry.public, entry.slug) == (False, base)
    assert (named.public, named.slug) == (True, "API :80")
    assert replace(entry, given="API").public


def test_what_is_written_down_by_hand_is_published_whatever_it_is_called() -> None:
    entry = Entry(key="x", targets=[target("config", "10.1.2.3:80", public=True)], checks=())

    assert (entry.public, entry.slug) == (True, "10.1.2.3:80")


@given(st.lists(st.text(max_size=30), max_size=12))
def test_slugs_are_unique_and_plain(names: list[str]) -> None:
    made: list[str] = []
    for name in names:
        made.append(slug(name, made))

    assert len(set(made)) == len(made)
    assert all(one.replace("-", "").isalnum() and one == one.lower() and one.isascii() for one in made)


@pytest.mark.parametrize(
    ("sources", "configured", "succeeded", "misses", "minutes", "expected"),
    [
        ({"systemd"}, {"systemd"}, {"systemd"}, 0, 0, "missing"),
        ({"systemd"}, {"systemd"}, {"systemd"}, 2, 5, "missing"),
        ({"systemd"}, {"systemd"}, {"systemd"}, 1, 60, "missing"),
        ({"systemd"}, {"systemd"}, {"systemd"}, 2, 10, "retired"),
        ({"systemd"}, {"systemd"}, set(), 9, 600, None),  # a source that fails changes nothing
        ({"systemd", "compose"}, {"systemd", "compose"}, {"systemd"}, 9, 600, None),
        ({"systemd", "compose"}, {"systemd"}, {"systemd"}, 9, 600, "retired"),
        ({"systemd"}, {"config"}, {"config"}, 0, 0, "retired"),  # its source was taken out of the configuration
        ({"config"}, {"config"}, {"config"}, 0, 0, "retired"),
        ({"listeners"}, {"listeners"}, {"listeners"}, 9, 600, None),  # a crash is absence, too
        ({"listeners", "systemd"}, {"listeners", "systemd"}, {"listeners", "systemd"}, 2, 10, "retired"),
        ({"listeners", "systemd"}, {"listeners", "systemd"}, {"listeners"}, 9, 600, None),
        ({"listeners", "config"}, {"listeners", "config"}, {"listeners", "config"}, 0, 0, "retired"),
        ({"import"}, {"config"}, {"config"}, 9, 600, None),
    ],
)
def test_absence_means_what_the_sources_say_it_means(
    sources: set[str], configured: set[str], succeeded: set[str], misses: int, minutes: int, expected: str | None
) -> None:
    absent = Absent(key="k", sources=frozenset(sources), misses=misses, missing_since=at(0) if misses else None)

    assert (
        judge_absence(absent, frozenset(configured), frozenset(succeeded), frozenset({"listeners"}), at(minutes))
        == expected
    )


# Planning


def stands(pattern: str, check: Check) -> Standing:
    standing, _ = fold((one, check) for one in saw(pattern, check))
    assert standing is not None
    return standing


def due(check: Check, standing: Standing | None, seconds: float, pace: Pace) -> list[int]:
    now = T0 + timedelta(seconds=seconds)
    return [one.attempt for one in plan([(check, standing)], now, pace).due]


CRON = Pace(every=60_000)


def test_what_was_never_asked_is_due() -> None:
    assert due(a_check(), None, 0, CRON) == [1]


@pytest.mark.parametrize(
    ("pace", "delay", "waits"),
    [
        (CRON, 30, True),
        (CRON, 31, False),  # the next run's
        (Pace(every=10_000), 6, False),
        (Pace(every=600_000), 31, False),
        (Pace(every=60_000, spread=True), 31, True),
    ],
)
def test_a_run_waits_a_little_for_what_is_not_to_be_asked_at_once(pace: Pace, delay: int, waits: bool) -> None:
    until = T0 + timedelta(seconds=delay)

    planned = plan([(a_check(), None)], T0, pace, waiting={a_check().key: until})

    assert (planned.due, planned.next) == ([], until if waits else None)


@pytest.mark.parametrize(("seconds", "expected"), [(20, []), (29, []), (30, [1]), (80, [1])])
def test_jitter_of_a_cron_moment_never_skips_a_slot(seconds: int, expected: list[int]) -> None:
    assert due(a_check(), stands("+", a_check()), seconds, CRON) == expected


def test_a_check_that_declares_less_than_the_run_promises_is_asked_every_run() -> None:
    check = a_check(every=5_000, declared_every=5_000)

    (one,) = plan([(check, None)], T0, CRON).due

    assert one.check.every == 60_000


@pytest.mark.parametrize(("seconds", "expected"), [(239, []), (260, []), (290, [1])])
def test_a_check_that_declares_more_waits_for_its_own_interval(seconds: int, expected: list[int]) -> None:
    check = a_check(every=300_000, declared_every=300_000)

    assert due(check, stands("+", check), seconds, CRON) == expected


def test_a_failure_is_confirmed_2_s_and_then_5_s_after_the_attempt_ended() -> None:
    check = a_check()
    first = stands("-", check)

    assert confirm_due(check, first, T0) == first.last + timedelta(milliseconds=12 + 2_000)
    assert due(check, first, 1.9, CRON) == []
    assert due(check, first, 2.1, CRON) == [2]
    assert plan([(check, first)], T0, CRON).next == confirm_due(check, first, T0)


@pytest.mark.parametrize(
    ("pattern", "changes"),
    [
        ("+", {}),
        ("!", {}),
        ("?", {}),
        ("---", {}),  # down already
        ("-", {"failure_threshold": 1}),  # down at once
        ("-", {"grace": 60_000}),
        ("-", {"role": Role.STARTUP}),
    ],
)
def test_nothing_else_is_confirmed(pattern: str, changes: dict[str, object]) -> None:
    check = a_check(**changes)

    assert confirm_due(check, stands(pattern, check), T0 + timedelta(hours=1)) is None


def test_while_a_startup_check_runs_the_others_are_not_asked() -> None:
    starting = a_check(key="s", role=Role.STARTUP)
    other = a_check(key="l")

    assert [one.check.key for one in plan([(other, None), (starting, None)], T0, CRON).due] == ["s"]


@given(st.integers(0, 10**6), st.sampled_from([10_000, 60_000, 300_000]), st.text(min_size=1, max_size=9))
def test_in_watch_a_check_is_due_once_a_slot(second: int, every: int, key: str) -> None:
    check = a_check(key=key, every=every, declared_every=every)
    pace = Pace(every=10_000, spread=True)
    standing: Standing | None = None
    asked = []
    now = T0 + timedelta(seconds=second)
    for _ in range(3 * every // 1_000):
        if plan([(check, standing)], now, pace).due:
            observation = next(saw("+", check, now))
            standing, _ = fold([(observation, check)], standing)
            asked.append(now)
        now += timedelta(seconds=1)

    gaps = [(after - before) / timedelta(milliseconds=1) for before, after in pairwise(asked[1:])]
    assert all(gap == every for gap in gaps)  # after the first, which comes at once
    assert len(asked) in (3, 4)
