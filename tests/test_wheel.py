"""What is released: the wheel's files, and unit tests over the installed wheel instead of the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "collector", "site")
ROOMS = {"collector": "uplog/collector", "site": "uplog/site"}
pytestmark = [pytest.mark.integration, pytest.mark.slow]


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist, and the wheel from it, out of a copy: the checkout's build/lib must not have a say."""
    copy = tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, copy / name)
    # a file name, so that `build` is not taken from a build/ folder in the current one
    run(sys.executable, "-m", "build", "--no-isolation", copy, cwd=copy.parent)
    return copy / "dist"


def names_below(folder: Path) -> list[str]:
    """Return the files of *folder*, without what Python compiled."""
    return sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    )


def wheel_of(dist: Path) -> Path:
    (wheel,) = dist.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_file_of_both_houses_and_nothing_else(dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as archive:
        shipped = sorted(name for name in archive.namelist() if ".dist-info/" not in name)
    expected = sorted(f"{inside}/{name}" for folder, inside in ROOMS.items() for name in names_below(ROOT / folder))

    assert shipped == expected


def test_the_wheel_carries_licence_commands_and_plugin(dist: Path) -> None:
    with zipfile.ZipFile(wheel_of(dist)) as archive:
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        said = archive.read(entry_points).decode()
        licence = [name for name in archive.namelist() if name.endswith("/LICENSE")]

    assert "uplog = uplog.collector.cli:main" in said
    assert "uplog = uplog.collector.hosts" in said
    assert len(licence) == 1


def test_the_sdist_can_be_built_from(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "collector/model.py", "site/view.py"} <= names


# what loads every template, asset and table, and writes both sites; all unit tests again would take a minute
WHOLE = ("cli", "discover", "hints", "render", "stock", "store", "told")
IMPORT_ALL = """
import importlib, pkgutil, uplog.collector, uplog.site
for house in (uplog.collector, uplog.site):
    for module in pkgutil.walk_packages(house.__path__, house.__name__ + "."):
        if not module.name.endswith("__main__"):
            print(importlib.import_module(module.name).__file__)
"""
DEMO = """
import sys, pathlib
from uplog.collector import demo
folder = pathlib.Path(sys.argv[1])
demo.write_files(folder, demo.free_ports())
print(*sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()), sep="\\n")
"""


def test_every_package_of_the_installed_wheel_works(dist: Path, tmp_path: Path) -> None:
    venv, tests = tmp_path / "venv", tmp_path / "checkout" / "tests"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin" / "python"
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", packages, wheel_of(dist))
    # the other packages are those of this environment; its .pth files, which lead to the checkout, are not read
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    # beside the tests lies what they read of the repository, but neither house
    shutil.copytree(ROOT, tests.parent, ignore=ignored, symlinks=True)

    found = run(python, "-c", IMPORT_ALL).splitlines()
    assert len(found) > 200
    assert [path for path in found if not path.startswith(str(packages))] == []
    run(python, "-m", "compileall", "-q", packages / "uplog")  # as installers do, unless they are told not to
    demo = names_below(ROOT / "collector" / "demo" / "files")
    assert run(python, "-c", DEMO, tmp_path / "demo").splitlines() == demo
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    files = [f"tests/test_{name}.py" for name in WHOLE]
    pytest_ = ["-m", "pytest", "-q", "-p", "no:xdist", "-m", "unit", "-p", "no:cacheprovider", *files]
    assert " passed" in run(python, *pytest_, cwd=tests.parent, env={**outer, "PYTHONSAFEPATH": "1"})


def ignored(folder: str, names: list[str]) -> set[str]:
    """Leave out what the checkout has beside tests and documents."""
    heavy = {"collector", "site", "data", "build", "dist", "public", "__pycache__", "node_modules", "uplog.toml"}
    if Path(folder) != ROOT:
        return {"__pycache__"} & {*names}
    return {name for name in names if name in heavy or name.startswith((".", "uplog.egg-info"))}
