"""The command that runs the tests: what fails twice is broken, what fails once is unsteady and is named."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.integration
HEAD = "import pathlib, pytest\npytestmark = pytest.mark.unit\ndef test_right(): pass\n"
BROKEN = "def test_broken(): assert False\n"
ONCE = """
def test_unsteady():
    seen = pathlib.Path("seen")
    again = seen.exists()
    seen.touch()
    assert again
"""
MANY = "@pytest.mark.parametrize('number', range(4))\ndef test_broken(number): assert False\n"


def ran(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    """Run deploy/test.sh in *folder* over these tests alone, in a virtual environment that it takes for complete."""
    (folder / "deploy").mkdir()
    for name in ("test.sh", "python.sh"):
        shutil.copy(ROOT / "deploy" / name, folder / "deploy")
    (folder / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["unit"]\n')
    (folder / "test_them.py").write_text(HEAD + tests)
    python = folder / ".venv-test" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv-test" / "uplog-test.stamp").touch()
    command = ["bash", "deploy/test.sh", "-m", "unit"]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)


def test_what_fails_among_others_only_is_named_as_unsteady(tmp_path: Path) -> None:
    done = ran(tmp_path, ONCE)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 failed, 1 passed" in done.stdout
    assert done.stdout.endswith("unsteady, failed among others and not alone: test_them.py::test_unsteady\n")


def test_what_fails_alone_too_is_broken(tmp_path: Path) -> None:
    done = ran(tmp_path, BROKEN + ONCE)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 2 passed" in done.stdout.splitlines()[-1]


def test_many_failures_are_not_asked_again(tmp_path: Path) -> None:
    done = ran(tmp_path, MANY)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "4 failed, 1 passed" in done.stdout.splitlines()[-1]


def test_what_is_right_is_run_once(tmp_path: Path) -> None:
    done = ran(tmp_path, "")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout.splitlines()[-1]
