import re
import tomllib
from dataclasses import replace

import pytest
from click.testing import CliRunner

from uplog.collector import cycle, init
from uplog.collector.cli import cli
from uplog.collector.config import parse, strangers
from uplog.collector.discover import SOURCES, Found
from uplog.collector.model import Check, Target

pytestmark = pytest.mark.unit


def target(source: str, name: str, ref: str = "", **changes: object) -> Target:
    check = Check(key="", service="", kind="http", target="http://127.0.0.1:8080/")
    return replace(Target(source=source, ref=ref or name, name=name, checks=(check,)), **changes)  # type: ignore[arg-type]


NOTHING = [Found(source=name, ok=True) for name in SOURCES]


def parsed(text: str):
    return parse(tomllib.loads(text), text)


def test_a_new_file_says_what_is_the_default_anyway():
    config, without = parsed(init.text(NOTHING)), parse({})

    assert replace(config, discover={}) == without


def test_the_sources_of_this_machine_are_turned_on():
    found = [
        Found(source="systemd", ok=False, error="systemd cannot be asked: no systemctl here"),
        Found(source="listeners", ok=True),
        Found(
            source="compose",
            ok=True,
            targets=(
                target("compose", "web", "/srv/shop/compose.yml:3"),
                target("compose", "db", "/srv/shop/compose.override.yml:9"),
                target("compose", "wiki", "wiki/docker-compose.yml:2"),
            ),
        ),
    ]

    text = init.text(found)

    assert set(parsed(text).discover) == {"listeners", "compose"}
    assert parsed(text).discover["compose"].paths == ("/srv/shop", "wiki")
    assert "# Not on this machine: systemd cannot be asked: no systemctl here" in text


def test_compose_stays_off_where_there_are_no_files():
    assert "compose" not in parsed(init.text(NOTHING)).discover


def test_what_is_found_is_a_comment():
    watched = [target("systemd", f"unit{place}.service") for place in range(init.SHOWN + 5)]
    skipped = target("systemd", "cron.service", skipped="listens nowhere")

    text = init.text([Found(source="systemd", ok=True, targets=(*watched, skipped))])

    assert re.search(r"^#   unit0\.service +http://127\.0\.0\.1:8080/$", text, re.MULTILINE)
    assert "#   and 5 more\n# Skipped: 1; `uplog discover systemd` says why." in text
    assert parsed(text).targets == ()


def test_hostile_names_stay_inside_their_comments():
    name = 'x\n[uplog]\ntitle = "owned"\r\x00\udcff'
    found = [
        Found(source="listeners", ok=True, targets=(target("listeners", name),)),
        Found(source="compose", ok=True, targets=(target("compose", "web", "/srv/\"a\\b'/compose.yml:1"),)),
        Found(source="systemd", ok=False, error=name),
    ]

    text = init.text(found)

    assert text.encode()
    assert parsed(text).title == "Status"
    assert parsed(text).discover["compose"].paths == ("/srv/\"a\\b'",)


def test_every_line_that_can_be_uncommented_is_right():
    text = init.text(NOTHING)

    config = parsed(re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE))

    assert [(one.name, len(one.checks)) for one in config.targets] == [
        ("Website", 1),
        ("API", 2),
        ("Database", 1),
        ("Search", 1),
    ]
    assert len(config.maintenance) == 2
    assert not list(strangers(config, ()))
    assert config.public_url == "https://status.example.org/"
    assert config.defaults.degraded_above == 1_000
    assert set(config.discover) == set(SOURCES)
    assert len(config.controls) == 1


def test_only_services_that_can_be_asked_are_counted(tmp_path, monkeypatch):
    targets = (target("readme", "web"), target("readme", "mail", checks=()), target("readme", "old", skipped="is gone"))
    monkeypatch.setattr(cycle, "find_now", lambda *_: ([Found(source="readme", ok=True, targets=targets)], {}))
    monkeypatch.chdir(tmp_path)

    assert CliRunner().invoke(cli, ["init"]).output == "uplog.toml written; its sources find 1 service to ask here\n"
