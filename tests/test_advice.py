"""Advice: every practice of the guides has a rule with a file that neglects it and one that keeps it."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

import pytest

from uplog.collector.discover.files import text_of, wanted
from uplog.collector.drift.advice import PROPERTIES, RULES, advise, advise_units, beside, is_ours
from uplog.collector.drift.advice.secrets import in_clear
from uplog.collector.model import Finding

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent
CAPTURED = HERE / "captured" / "advice"
FLEETS = HERE / "fleets"


class Fixture(NamedTuple):
    """A file that neglects a practice at one place, and one that keeps it."""

    kind: str
    where: str
    neglected: str
    kept_file: str
    beside: str
    kept: str


def fixtures() -> Iterator[Fixture]:
    for file in sorted(CAPTURED.glob("*.txt")):
        blocks = re.split(r"^### ", file.read_text(), flags=re.MULTILINE)[1:]
        for neglected, kept in zip(blocks[::2], blocks[1::2], strict=True):
            head, _, bad = neglected.partition("\n")
            more, _, good = kept.partition("\n")
            kind, where = head.split()
            _, *rest = more.split()
            beside = rest[1] if rest[:1] == ["beside"] else ""
            renamed = rest[0] if rest and not beside else where.rpartition(":")[0]
            yield Fixture(kind, where, bad, renamed, beside, good)


FIXTURES = list(fixtures())


def advice(**texts: str) -> list[Finding]:
    """Advise on files, `__` for a folder and `_` for a dot."""
    paths = {PurePath(name.replace("__", "/").replace("_", ".")): text for name, text in texts.items()}
    return advise(paths, {}, lambda path: path in paths)


def kinds(found: list[Finding], of: str = "") -> list[tuple[str, str]]:
    return [(one.kind, one.where) for one in found if of in one.kind]


def tree(folder: Path) -> dict[PurePath, str]:
    return {path: text_of(folder / path) for path in wanted((".",), folder, is_ours)}


# The table


@pytest.mark.parametrize("fixture", FIXTURES, ids=[fixture.kind for fixture in FIXTURES])
def test_what_neglects_a_practice_is_told_at_its_place_and_what_keeps_it_is_not(fixture: Fixture) -> None:
    file = PurePath(fixture.where.rpartition(":")[0])
    neglected = advise({file: fixture.neglected}, {}, lambda path: False)
    kept = advise({PurePath(fixture.kept_file): fixture.kept}, {}, lambda path: str(path) == fixture.beside)

    assert [one.where for one in neglected if one.kind == fixture.kind] == [fixture.where]
    assert fixture.kind not in {one.kind for one in kept}
    assert all(map(is_ours, (file, PurePath(fixture.kept_file))))
    assert not [one for one in neglected if "Not4You" in one.text or "For#You" in one.text]


def test_every_rule_has_one_fixture_and_every_fixture_a_rule() -> None:
    assert Counter(rule.kind for rule in RULES) == Counter(fixture.kind for fixture in FIXTURES)


def test_every_practice_of_the_guides_has_a_rule_or_a_reason_why_none() -> None:
    lines = [line for line in (CAPTURED / "practices.list").read_text().splitlines() if line and line[0] != "#"]
    told = [line.split(" | ", 2)[2] for line in lines]
    named = {kind for rules in told if not rules.startswith("[") for kind in rules.split(", ")}

    assert named == {rule.kind for rule in RULES}
    assert {line.partition(" | ")[0] for line in lines} == {str(rule.guide) for rule in RULES} == set("12345")


# The fleets


def test_fleet_1_as_deployed_has_a_password_in_clear_that_a_shell_misreads_and_no_advice_repeats_it() -> None:
    folder = FLEETS / "1" / "deployed"
    found = advise(tree(folder), {}, beside(folder))
    file = "database-python-handler/docker-compose.yml"

    assert kinds(found, "secret") == [
        ("compose_secret_in_clear", f"{file}:16"),
        ("compose_secret_misread", f"{file}:16"),
    ]
    assert {one.service for one in found if "secret" in one.kind} == {"database-python-handler"}
    assert not [one for one in found if "Example" in one.text]


def test_fleet_4_keeps_its_own_grace_to_the_second() -> None:
    folder = FLEETS / "4" / "deployed" / "kubernetes" / "services"
    text = text_of(folder / "auth-service.yaml")
    kept, neglected = (
        advise({PurePath("a.yaml"): one}, {})
        for one in (text, text.replace("terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 29"))
    )

    assert [(one.kind, one.where, one.service) for one in kept] == [
        ("manifest_image_latest", "a.yaml:26", "auth-service")
    ]
    assert kinds(neglected) == [("manifest_image_latest", "a.yaml:26"), ("manifest_grace_below_drain", "a.yaml:23")]


# What several files say


def test_an_override_an_extended_service_and_an_anchor_give_what_a_service_lacks() -> None:
    found = advice(
        compose_yaml="""
x-common: &common {restart: always}
services:
  web: {image: "nginx:1.27"}
  api: {extends: {file: common.yaml, service: base}}
  job: {<<: *common, image: "shop:1"}
""",
        compose_override_yaml="services: {web: {restart: always}}\n",
        common_yaml="services: {base: {image: 'shop:1', restart: always}}\n",
    )

    assert kinds(found, "restart") == []


def test_what_is_only_laid_over_another_file_is_not_asked_for_all_of_it() -> None:
    texts = {
        PurePath("docker-compose.yml"): "services:\n  web:\n    image: nginx:1.27\n    restart: always\n",
        PurePath("docker-compose.prod.yml"): "services:\n  web:\n    environment: {DB_PASSWORD: Not4You}\n",
        PurePath("docker-compose.test.yml"): "services:\n  web:\n    image: nginx\n",
    }
    found = advise(texts, {})

    assert kinds(found, "restart") == [("compose_without_restart", "docker-compose.test.yml:2")]
    assert kinds(found, "secret") == [("compose_secret_in_clear", "docker-compose.prod.yml:3")]


def test_what_services_share_is_told_once() -> None:
    text = "x-env: &env\n  TOKEN: Not4You\nservices:\n  a: {environment: *env}\n  b: {environment: *env}\n"

    assert kinds(advice(compose_yaml=text), "secret") == [("compose_secret_in_clear", "compose.yaml:2")]


def test_variables_have_the_values_that_compose_gives_them_and_none_is_printed() -> None:
    texts = {
        PurePath("compose.yaml"): "services:\n  web:\n    image: shop:${TAG:-latest}\n    volumes: ['${DATA}/x:/x']\n",
        PurePath(".env"): "TAG=1.2\nDATA=./private\n",
    }
    alone = {path: text for path, text in texts.items() if path.name != ".env"}

    assert kinds(advise(texts, {}), "latest") == []
    assert kinds(advise(texts, {"TAG": "latest"}), "latest") == [("compose_image_latest", "compose.yaml:3")]
    assert kinds(advise(alone, {}), "latest") == [("compose_image_latest", "compose.yaml:3")]
    missing = [one for one in advise(texts, {}, lambda path: False) if one.kind == "compose_mount_missing"]
    assert [(one.where, "private" in one.text) for one in missing] == [("compose.yaml:4", False)]


def test_a_path_begins_where_the_file_lies_that_names_it() -> None:
    asked = []
    texts = {
        PurePath("a/compose.yaml"): "include: [../b/compose.yaml]\nservices: {}\n",
        PurePath("b/compose.yaml"): "services:\n  web:\n    image: shop:1\n    volumes: [./conf:/conf]\n",
    }
    advise(texts, {}, lambda path: bool(asked.append(str(path))))

    assert set(asked) == {"b/conf"}


def test_a_job_that_others_wait_for_is_not_started_again() -> None:
    text = """
services:
  migrate: {image: shop:1}
  web:
    image: shop:1
    restart: always
    depends_on: {migrate: {condition: service_completed_successfully}}
"""
    assert kinds(advice(compose_yaml=text), "restart") == []


def test_drop_ins_give_what_a_unit_lacks() -> None:
    texts = {
        PurePath("shop.service"): "[Unit]\nDescription=Shop\n[Service]\nExecStart=/bin/shop\n",
        PurePath("shop.service.d/more.conf"): "[Service]\nRestart=always\nRestartSec=5\nUser=shop\n",
    }

    assert kinds(advise(texts, {})) == [
        ("unit_not_enabled", "shop.service:1"),
        ("unit_not_after_network", "shop.service:1"),
    ]


@pytest.mark.parametrize(
    "unit",
    [
        "[Service]\nType=oneshot\nExecStart=/bin/backup\n",
        "[Service]\nType=dbus\nBusName=org.example\nExecStart=/bin/bus\n",
        "After=docker.service\nRequires=docker.service\n[Service]\nExecStart=/usr/bin/docker run shop:1\n"
        + "Restart=always\nRestartSec=1\n[Install]\nWantedBy=multi-user.target\n",
    ],
)
def test_units_that_end_wait_to_be_called_or_run_a_container_are_as_they_should_be(unit: str) -> None:
    assert kinds(advice(shop_service="[Unit]\nDescription=Shop\n" + unit)) == []


def test_a_service_that_a_timer_starts_needs_neither_restart_nor_install() -> None:
    found = advice(
        backup_service="[Unit]\nDescription=Backup\n[Service]\nExecStart=/bin/backup\n",
        backup_timer="[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n",
    )

    assert kinds(found) == []


def test_running_units_are_judged_by_what_their_manager_was_asked_for() -> None:
    unit = {
        "Id": "shop.service",
        "Description": "shop.service",
        "LoadState": "loaded",
        "ActiveState": "active",
        "FragmentPath": "/etc/systemd/system/shop.service",
    }
    asked = {"Type": "simple", "UnitFileState": "disabled", "Restart": "no", "User": "", "After": "basic.target"}
    theirs = {"Id": "cron.service", "FragmentPath": "/usr/lib/systemd/system/cron.service"}

    assert asked.keys() | unit.keys() <= set(PROPERTIES)
    assert [one.kind for one in advise_units([unit])] == ["unit_without_description"]
    assert [one.kind for one in advise_units([{**unit, **asked}, {**unit, **asked, **theirs}])] == [
        "unit_without_description",
        "unit_without_restart",
        "unit_not_enabled",
        "unit_runs_as_root",
        "unit_not_after_network",
    ]
    assert {one.where for one in advise_units([unit])} == {"/etc/systemd/system/shop.service"}


# Secrets


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MYSQL_ROOT_PASSWORD", "root", True),
        ("RABBITMQ_DEFAULT_PASS", "guest", True),
        ("PGPASSWORD", "secret", True),
        ("AWS_SECRET_ACCESS_KEY", "abc/def", True),
        ("spring.datasource.password", "x1", True),
        ("JWT_SECRET", "pa$$word", True),
        ("SECRET_KEY_BASE", "0123", True),
        ("REDIS_URL", "redis://:hunter2@cache:6379", True),
        ("POSTGRES_PASSWORD", "${POSTGRES_PASSWORD:-postgres}", False),
        ("POSTGRES_PASSWORD", "${A:?say ${B}}", False),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db", False),
        ("DB_PASSWORD", "/run/secrets/db", False),
        ("DB_PASSWORD", "", False),
        ("ALLOW_EMPTY_PASSWORD", "yes", False),
        ("TOKEN_EXPIRE_MINUTES", "30", False),
        ("MAX_TOKENS", "4096", False),
        ("COMPASS", "north", False),
        ("PWD", "there", False),
        ("API_TOKEN", "{{ token }}", False),
        ("API_TOKEN", "vault:secret/shop#token", False),
        ("BACKEND_URL", "http://orders:6100/a@b", False),
        ("DATABASE_URL", "postgres://${U:-me}:${P}@db/shop", False),
    ],
)
def test_a_secret_is_told_by_its_name_or_its_place_in_a_url(name: str, value: str, told: bool) -> None:
    assert in_clear(name, value) is told


# Whatever stands in files


def test_broken_and_hostile_files_are_no_error_and_take_no_time() -> None:
    parts = [
        "",
        "{",
        "services:",
        "services: [a]",
        "services: {a: , b: [], c: {image: [], environment: 3}}",
        "\0",
        "a" * 9,
    ]
    parts += [
        "services: {a: {image: {}, build: 1, volumes: {}, ports: 5, deploy: 7, depends_on: 9, networks: [[]]}}",
        "services: {a: {extends: a}, b: {extends: {service: c}}, c: {extends: b}}\ninclude: [compose.yaml, a.yaml]",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {template: {spec: {containers: [1, "
        + "{image: [x]}, {image: x, env: [1, {name: [], value: {}}], securityContext: 1, resources: [], "
        + "lifecycle: {preStop: 3}}], volumes: 1}}}",
        "kind: Secret\nstringData: [a]\ndata: 3\nmetadata: x",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: [], PASSWORD: {}}",
        "[Service\n=\nExecStart=\n[Service]\nExecStart='\nEnvironment='a\nUser=%i",
        "FROM\nFROM a AS\nRUN\nCOPY\nENV\nARG 'x\nCMD\nHEALTHCHECK\nUSER",
        "FROM a\nRUN " + "apt " * 20_000,
        "a" * 100_000 + "#\n" + "b\n" * 1_000,
        "services:\n" + "".join(f"  s{number}: {{image: x, depends_on: [s0, s1]}}\n" for number in range(500)),
    ]
    names = ["compose.yaml", "a.yaml", "a.service", "Dockerfile", "requirements.txt", ".env", "systemd/system/a"]
    begun = time.process_time()
    for part in parts:
        advise({PurePath(name): part for name in names}, {}, lambda path: False)

    assert time.process_time() - begun < 5
    assert not beside(HERE)(PurePath("x" * 10_000))
    assert not beside(HERE)(PurePath("a\0b"))
