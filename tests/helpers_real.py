"""Real programs that a test needs."""

import os
import shutil
from pathlib import Path

import pytest


def needs(program: str, package: str) -> str:
    """Return the path of *program*; skip the test without it, but not in CI."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is not None:
        return path
    text = f"needs {program}: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


def libfaketime() -> str:
    """Return the library that pretends another time to whom it is loaded into; skip the test without, but not in CI."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    text = "libfaketime is not installed: apt-get install libfaketime"
    if not found and os.environ.get("CI") != "true":
        pytest.skip(text)
    assert found, text
    return str(found[0])
