"""The files for service managers and containers."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
UNITS = ["uplog.service", "uplog-run.service", "uplog-run.timer"]
pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the units, with /srv/uplog somewhere where there is a command to find."""
    if shutil.which("systemd-analyze") is None:
        assert os.environ.get("CI") != "true", "needs systemd-analyze"
        pytest.skip("needs systemd-analyze: apt-get install systemd")
    folder = tmp_path_factory.mktemp("units")
    command = folder / ".venv" / "bin" / "uplog"
    command.parent.mkdir(parents=True)
    command.touch(mode=0o755)
    for name in UNITS:
        (folder / name).write_text((DEPLOY / name).read_text().replace("/srv/uplog", str(folder)))
    return folder


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say_against_a_unit(units: Path, name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", f"./{name}"], cwd=units, check=False, capture_output=True, text=True
    )
    # an unknown key is printed, but ends with 0
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["uplog.service", "uplog-run.service"])
def test_a_unit_is_hardened(units: Path, name: str) -> None:
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", f"./{name}"]
    done = subprocess.run(security, cwd=units, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_units_are_hardened_alike() -> None:
    daemon, once = (set((DEPLOY / name).read_text().splitlines()) for name in ("uplog.service", "uplog-run.service"))
    section = (DEPLOY / "uplog.service").read_text().partition("ReadWritePaths")[2].partition("\n\n[Install]")[0]
    assert set(section.splitlines()[1:]) <= daemon & once


def test_the_image_is_made_of_what_the_package_needs() -> None:
    copied = re.findall(r"^COPY (.*) /src", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "collector",
        "site",
    }


def test_compose_gives_the_record_a_volume_and_no_privilege() -> None:
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    assert (ROOT / "deploy" / service["build"]["context"] / service["build"]["dockerfile"]).resolve().is_file()
    assert service["volumes"] == ["data:/data"]
    assert service["cap_drop"] == ["ALL"]
    assert not {"privileged", "ports"} & {*service}
