"""Dockerfiles: what the final stage has, its own and inherited, and what is wrong with it."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from uplog.collector.discover import Context, SourceFailed, dockerfile
from uplog.collector.discover.dockerfile.image import Image, read
from uplog.collector.model import Finding, Port, Target

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent


def survey(folder: Path, *paths: str) -> tuple[list[Target], list[Finding]]:
    return asyncio.run(dockerfile.find(dockerfile.Settings(paths=paths or (".",)), Context(folder=folder)))


def image(text: str, **more: Any) -> Image:
    found, findings = read(text, "Dockerfile", **more)
    assert found is not None
    assert findings == []
    return found


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.kind, found.where) for found in read(text, "f")[1]]


# Stages


def test_the_final_stage_has_what_the_stages_below_it_declare() -> None:
    text = (HERE / "captured/dockerfile/heredocs.Dockerfile").read_text()
    found = image(text)

    assert (found.ref, found.base, found.stages) == ("Dockerfile:22", "debian:12-slim", ("tools", "base"))
    assert [(port.container_port, port.protocol) for port in found.expose] == [
        (8000, "tcp"),
        (9000, "tcp"),
        (5000, "udp"),
        (5001, "udp"),
    ]
    assert found.health
    assert found.health.facts() == {
        "interval_s": 15,
        "timeout_s": 3,
        "retries": 2,
        "start_period_s": 60,
        "url": "http://localhost:8000/health",
    }
    assert (found.health_where, found.user, found.stop_signal) == ("Dockerfile:19", "app:app", "SIGINT")
    assert found.labels == {"uplog.name": "The app"}
    assert found.lacks(found.health) is None  # a here-document installs curl


@pytest.mark.parametrize(
    ("target", "ports"), [(None, [80, 81]), ("base", [80]), ("BASE", [80]), ("0", [80]), ("other", [82])]
)
def test_a_stage_can_be_asked_for(target: str | None, ports: list[int]) -> None:
    text = "FROM x AS base\nEXPOSE 80\nFROM y AS other\nEXPOSE 82\nFROM base\nEXPOSE 81\n"

    assert [port.container_port for port in image(text, target=target).expose] == ports


def test_what_only_another_stage_declares_is_not_the_images() -> None:
    found = image("FROM x AS build\nEXPOSE 1\nHEALTHCHECK CMD x\nUSER me\nFROM y\nCOPY --from=build /a /b\n")

    assert (found.expose, found.health, found.user) == ((), None, "")


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("ARG V=3.12\nFROM python:${V}-slim", "python:3.12-slim"),
        ("ARG V\nFROM python:${V:-3}", "python:3"),
        ("ARG V=1\nARG W=$V.2\nFROM x:$W", "x:1.2"),
        ("FROM --platform=linux/amd64 x:1 as a", "x:1"),
        ("ARG V\nFROM x:$V", "x:$V"),
        ("from x:1", "x:1"),
    ],
)
def test_base_image(text: str, base: str) -> None:
    assert image(text).base == base


def test_build_arguments_count_over_defaults() -> None:
    text = "ARG V=1\nFROM x:$V\nARG PORT=80\nARG V\nEXPOSE $PORT 900$V\n"
    found = image(text, args={"V": "2", "PORT": "81"})

    assert (found.base, [port.container_port for port in found.expose]) == ("x:2", [81, 9002])


@pytest.mark.parametrize("line", ["HEALTHCHECK NONE", "HEALTHCHECK none"])
def test_a_healthcheck_can_be_switched_off(line: str) -> None:
    found = image(f"FROM x AS a\nHEALTHCHECK CMD curl localhost\nFROM a\n{line}\n")

    assert found.health
    assert found.health.disabled


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("HEALTHCHECK CMD curl -f http://localhost:8501/up || exit 1", "http://localhost:8501/up"),
        ('HEALTHCHECK CMD ["wget", "-qO-", "localhost:80/up"]', "http://localhost:80/up"),
        ("ENV PORT 8080\nHEALTHCHECK CMD curl -f http://localhost:${PORT}/up", "http://localhost:8080/up"),
        ("ENV A=1 PORT=8080\nHEALTHCHECK CMD curl localhost:$PORT", "http://localhost:8080"),
        ("ARG PORT=8080\nHEALTHCHECK CMD curl -f http://localhost:$PORT/up", None),  # gone when the container runs
        ('ENV PORT=80\nHEALTHCHECK CMD ["curl", "localhost:$PORT"]', None),  # no shell fills it in
        ("HEALTHCHECK --interval=5s \\\n  --timeout=3s \\\n\n  # why\n  CMD curl localhost/up", "http://localhost/up"),
        (
            'HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen(\'http://127.0.0.1/up\')"]',
            "http://127.0.0.1/up",
        ),
        ("HEALTHCHECK CMD /healthcheck.sh", None),
        ('HEALTHCHECK CMD ["broken', None),
    ],
)
def test_url_of_a_healthcheck(text: str, url: str | None) -> None:
    found = image(f"FROM x\n{text}\n")

    assert found.health
    assert found.health.url == url


# What the image has


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("FROM python:3.12-slim", "curl"),
        ("FROM python:3.12", None),
        ("FROM node:22-alpine", "curl"),
        ("FROM nginx:alpine", None),
        ("FROM acme/base:1", None),
        (
            "FROM ubuntu:24.04\nRUN apt-get update && apt-get install -y --no-install-recommends \\\n gcc curl=7.* \\\n && rm x",
            None,
        ),
        ("FROM ubuntu\nRUN apt-get install -y curl && curl x && apt-get purge -y --auto-remove curl", "curl"),
        ("FROM alpine\nRUN apk add --no-cache --virtual .tools curl", None),
        ("FROM alpine\nRUN apk add libcurl", "curl"),
        ("FROM debian\nARG PACKAGES\nRUN apt-get install -y $PACKAGES", None),
        ("FROM debian AS a\nRUN apt-get install -y curl\nFROM debian", "curl"),
        ("FROM debian AS a\nRUN apt-get install -y curl\nFROM a", None),
        ("FROM debian\nCOPY --from=tools /usr/bin/curl /usr/local/bin/curl", None),
        ("FROM gcr.io/distroless/static:nonroot", "a shell"),
        ("FROM scratch", "a shell"),
    ],
)
def test_the_tool_that_a_healthcheck_needs(text: str, lacks: str | None) -> None:
    found = image(f"{text}\nHEALTHCHECK CMD curl -f localhost || exit 1\n")

    assert found.health
    assert found.lacks(found.health) == lacks


# Broken and hostile files


def test_a_comment_after_a_backslash_breaks_the_build_and_the_rest_still_counts() -> None:
    found, findings = survey(HERE / "fleets/4/guide/backend/services", "auth-service")

    assert [(f.kind, f.where) for f in findings] == [
        ("dockerfile_comment_after_backslash", f"auth-service/Dockerfile:{line}") for line in (12, 13, 16)
    ]
    assert [port.container_port for port in found[0].ports] == [8000]
    assert found[0].details["healthcheck"]["url"] == "http://localhost:8000/health"


@pytest.mark.parametrize(
    "text",
    [
        "FROM x\nRUN a \\\n  # a comment of its own\n  b",
        "FROM x\nRUN sed 's/a\\ #b/c/'\nEXPOSE 80",
        "FROM x\nRUN a \\   \n  b",
        "FROM x\nRUN <<EOF\na \\ # b\nEOF\nEXPOSE 80",
        "# escape=`\nFROM x\nRUN dir c:\\ # all\nEXPOSE 80",
        "FROM x\r\nRUN a \\\r\n  b\r\n",
        "# check=skip=all\n# syntax=docker/dockerfile:1\n\nFROM x",
        "FROM x\nRUN test $((1<<EOF)) = 2",
        'FROM x\nONBUILD HEALTHCHECK CMD x\nVOLUME /a\nSHELL ["bash"]\nMAINTAINER me\nADD a b\nENTRYPOINT a\nCMD b\nWORKDIR /',
    ],
)
def test_a_file_that_builds_is_no_finding(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("file_refused", "f:1")]),
        ("# nothing\nRUN x", [("file_refused", "f:1")]),
        ("FROM x\nEXPSE 80\nFOO bar", [("file_refused", "f:2")]),
        ("FROM x\nEXPOSE http", [("port_unread", "f:2")]),
        ("FROM x\nEXPOSE $PORT", [("port_unread", "f:2")]),
        ("FROM x\nEXPOSE 90000 80", [("port_unread", "f:2")]),
        ("FROM x\nRUN <<EOF\na\nEXPOSE 80", [("file_broken", "f:2"), ("file_refused", "f:3")]),
        ("FROM", []),
        ("FROM x\nRUN a \\", []),
        ("FROM x\nENV 'a", []),
        ("FROM x\nHEALTHCHECK", []),
    ],
)
def test_what_is_wrong_is_a_finding_and_never_an_error(text: str, expected: list[tuple[str, str]]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "FROM x\n" + "RUN a \\\n" * 200_000,
        "FROM x\n" + "EXPOSE 1-65535\n" * 5_000,
        "FROM x\nRUN " + "<<A " * 50_000,
        "FROM x\nENV " + "A=${B:-" * 50_000,
        "FROM x\nHEALTHCHECK CMD " + "[" * 500_000,
        "FROM x\nRUN " + "apt-get install " * 50_000,
        "FROM x\nRUN a" + " " * 500_000 + "b \\ #",
        "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(10_000)),
    ],
    ids=["lines", "ports", "documents", "variables", "json", "installs", "blanks", "stages"],
)
def test_a_hostile_file_ends(text: str) -> None:
    began = time.process_time()
    read(text, "f")

    assert time.process_time() - began < 2


# Trees


def test_the_dockerfiles_of_a_tree_and_no_templates_of_them(tmp_path: Path) -> None:
    names = ("a/Dockerfile", "b/Dockerfile.dev", "c/app.Dockerfile", "d/Containerfile", "e/Dockerfile.j2")
    for name in (*names, "f/Dockerfile.dockerignore", "node_modules/g/Dockerfile", "h/dockerfile.py.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("FROM x\nEXPOSE 80\n")
    for mark in (".uplog-ignore", ".uplog-files"):  # samples; a site that uplog built
        (tmp_path / mark / "below").mkdir(parents=True)
        (tmp_path / mark / mark).touch()
        (tmp_path / mark / "below" / "Dockerfile").write_text("FROM x\nEXPOSE 80\n")
    found, findings = survey(tmp_path)

    assert [target.ref for target in found] == [f"{name}:1" for name in names[:4]]
    assert findings == []
    assert len(survey(tmp_path / ".uplog-ignore")[0]) == 1, "it was asked for"


def test_a_dockerfile_is_a_target_that_nothing_runs(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3.12-slim\nEXPOSE 80\nHEALTHCHECK CMD curl localhost\n")
    (target,), findings = survey(tmp_path, "Dockerfile")

    assert (target.name, target.skipped, target.checks) == (tmp_path.name, "a Dockerfile alone runs nothing", ())
    assert target.ports == (Port(container_port=80),)
    assert [(f.kind, f.where) for f in findings] == [("healthcheck_tool_missing", "Dockerfile:3")]


def test_paths_that_do_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="nowhere: no such file or folder"):
        survey(tmp_path, "nowhere")

    (tmp_path / "Dockerfile").write_text("FROM x")

    assert [f.kind for f in survey(tmp_path, "nowhere", ".")[1]] == ["path_missing"]


def test_fleet_5_has_twelve_dockerfiles_and_compose_builds_six() -> None:
    found, _ = survey(HERE / "fleets/5/deployed")

    assert len(found) == 12
    assert {port.container_port for target in found for port in target.ports} == {80, *range(8000, 8007)}


def test_a_file_that_is_no_dockerfile_but_for_its_name_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "dockerfile.go").write_text("package dockerfile\n")
    (tmp_path / "Dockerfile.go").write_text("FROM golang\n")
    (tmp_path / "Dockerfile").write_text("package dockerfile\n")
    found, findings = survey(tmp_path)

    assert [target.ref for target in found] == ["Dockerfile.go:1"]
    assert {finding.where for finding in findings} == {"Dockerfile:1"}
