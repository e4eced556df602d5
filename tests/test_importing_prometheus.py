"""The history that Prometheus answers with."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from test_kuma import spans

from uplog.collector.importing import FORMATS
from uplog.collector.importing.past import Named, Skipped

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
T0 = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())


def answer(path: Path, **series: list[str | None]) -> Path:
    """Write what query_range answers with a step of 30 s; a sample of none is stale."""
    result = [
        {
            "metric": {"__name__": name.partition("__")[0], "job": "blackbox", "instance": "https://me:pw@shop.example/?k=1"},
            "values": [[T0 + 30 * place, value] for place, value in enumerate(values) if value is not None],
        }
        for name, values in series.items()
    ]  # fmt: skip
    (path / "up.json").write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}))
    return path / "up.json"


def test_samples_are_judged_by_the_thresholds_here_and_the_step_is_the_interval(tmp_path: Path) -> None:
    found = spans(tmp_path, answer(tmp_path, probe_success=[*"110111000011", None, None, None, None, "1"]))

    assert found == [
        ("up", 180, None, 0),
        ("down", 120, "answer", 0),
        ("up", 60, None, 0),
        ("unknown", 120, "no_sample", 0),
        ("up", 30, None, 0),
    ]


def test_a_service_that_is_called_by_its_address_is_not_public_and_has_no_password(tmp_path: Path) -> None:
    found = FORMATS["prometheus"].read(answer(tmp_path, up=["1"]), NOW)

    assert [row for row in found if isinstance(row, Named)] == [
        Named(service="shop.example", group="blackbox", public=False)
    ]


def test_averages_and_other_metrics_are_skipped(tmp_path: Path) -> None:
    source = answer(tmp_path, probe_success=["1", "0.25", "NaN"], probe_duration_seconds=["0.2", "0.3"])
    found = [row for row in FORMATS["prometheus"].read(source, NOW) if isinstance(row, Skipped)]

    assert [(row.where, row.rows, row.why) for row in found] == [
        ("result 1, value 2", 1, "is neither 0 nor 1"),
        ("result 1, value 3", 1, "is neither 0 nor 1"),
        ("result 2", 2, "expected probe_success or up of an instance, got 'probe_duration_seconds'"),
    ]
