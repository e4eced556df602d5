"""What holds for every test."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from uplog.collector import observe

# How fast a machine draws and runs examples says nothing of the code: a busy one must not fail a run. Continuous
# integration runs the same ones each time, since it judges a change; who works on the code is shown others each time.
settings.register_profile(
    "uplog",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("uplog")


@pytest.fixture(autouse=True, scope="session")
def unhurried() -> Iterator[None]:
    """Let no second for which a busy machine kept the tests from running be taken for one that the machine slept."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(observe, "STILL_S", 60.0)
        yield


def pytest_configure(config: pytest.Config) -> None:
    """Let `-m unit` mean what needs no root and little time, also where a whole file is marked as unit."""
    if config.option.markexpr == "unit":
        config.option.markexpr = "unit and not (slow or integration)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long and end with those that take no time, so that no worker ends long after."""
    slow, integration = ({item.path for item in items if item.get_closest_marker(m)} for m in ("slow", "integration"))
    items.sort(key=lambda item: (item.path not in slow, item.path not in integration))
