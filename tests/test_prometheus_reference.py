"""What Prometheus itself makes of the captured configuration, and what uplog reads from one that runs."""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from helpers import free_port
from helpers_machine import needs_real
from helpers_real import needs

from uplog.collector.discover import Context, Incomplete, SourceFailed, prometheus
from uplog.collector.discover.prometheus.asking import scrape_url
from uplog.collector.discover.prometheus.relabel import Budget
from uplog.collector.discover.prometheus.scrapes import scrapes
from uplog.collector.discover.prometheus.tree import survey
from uplog.collector.model import Target

pytestmark = pytest.mark.integration

CAPTURED = Path(__file__).parent / "captured" / "prometheus"
CONFIG = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:%(port)d"]}]
  - job_name: gone
    metrics_path: /here
    params: {token: [very-secret]}
    static_configs: [{targets: ["127.0.0.1:1"], labels: {env: test}}]
  - job_name: kept
    static_configs: [{targets: ["127.0.0.1:2", "127.0.0.1:3"]}]
    relabel_configs: [{source_labels: [__address__], regex: ".*:2", action: drop}]
  - job_name: locked
    basic_auth: {username: reader, password: hush}
    static_configs: [{targets: ["localhost:%(port)d"]}]
  - job_name: probed
    metrics_path: /probe
    params: {module: [http_2xx]}
    static_configs: [{targets: ["http://127.0.0.1:%(port)d/-/ready"]}]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "127.0.0.1:1"}
"""


@contextmanager
def started(folder: Path, port: int, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a Prometheus with the configuration in *folder*."""
    program = needs("prometheus", "prometheus")
    options = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command = [*before, program, *options, f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answer(url: str, *before: str, ready: Any = lambda data: data["activeTargets"]) -> Any:
    """Ask for targets until there are some: Prometheus looks for them every 5 s."""
    for _ in range(1_200):
        command = [*before, "curl", "-sf", f"{url}/api/v1/targets"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        if done.returncode == 0 and ready(data := json.loads(done.stdout)["data"]):
            return data
        time.sleep(0.1)
    pytest.fail(f"{url} has no targets")


def asked(data: Any) -> bool:
    return bool(data["activeTargets"]) and all(one["health"] != "unknown" for one in data["activeTargets"])


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any, Path, str]]:
    """Start one that reads the captured configuration, where it reaches nobody, and one that scrapes this machine."""
    needs_real(os.geteuid() == 0 and shutil.which("unshare") and shutil.which("curl"), "root, unshare and curl")
    whole, live, port = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("live"), free_port()
    shutil.copytree(CAPTURED / "whole", whole, dirs_exist_ok=True)
    config = whole / "prometheus.yml"
    config.write_text(config.read_text().replace("/etc/prometheus/", ""))
    (live / "prometheus.yml").write_text(CONFIG % {"port": port})
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    url = f"http://127.0.0.1:{port}"
    with started(whole, 9090, *alone) as inside, started(live, port):
        data = answer("http://127.0.0.1:9090", "nsenter", "-t", str(inside.pid), "-n", "--")
        answer(url, ready=asked)
        yield whole, data, live, url


def test_targets_are_those_that_prometheus_makes_of_the_same_files(servers: tuple[Path, Any, Path, str]) -> None:
    whole, data, *_ = servers
    jobs, findings = survey((str(whole),), whole, Budget(time.monotonic))

    ours = [one for job in jobs for one in scrapes(job, Budget(time.monotonic)) if not one.skipped]
    seen = {(one.job, bare(scrape_url(one))): (one.labels, one.interval, one.timeout) for one in ours}
    expected = {(one["labels"]["job"], bare(one["scrapeUrl"])): said(one) for one in data["activeTargets"]}

    assert findings == []
    assert len(expected) > 20
    assert seen == expected
    # 2.42 adds the usual port to an address without one, also where that is shown; 3.0 does not
    instances = {one["labels"]["instance"].removesuffix(":80").removesuffix(":443") for one in data["activeTargets"]}
    assert {one.instance.removesuffix(":80") for one in ours} == instances


def bare(url: str) -> str:
    """Return a URL without a port that its scheme means anyway."""
    parts = urlsplit(url)
    usual = {"http": ":80", "https": ":443"}[parts.scheme]
    return parts._replace(netloc=parts.netloc.removesuffix(usual)).geturl()


def said(one: Any) -> tuple[dict[str, str], int, int]:
    labels = {name: value for name, value in one["labels"].items() if name not in ("job", "instance")}
    return labels, duration(one["scrapeInterval"]), duration(one["scrapeTimeout"])


def duration(text: str) -> int:
    minutes, _, rest = text.rpartition("m")
    return 60_000 * int(minutes or 0) + 1_000 * int(rest.removesuffix("s") or 0)


def test_targets_that_prometheus_dropped_are_skipped(servers: tuple[Path, Any, Path, str]) -> None:
    whole, data, *_ = servers
    jobs, _ = survey((str(whole),), whole, Budget(time.monotonic))

    dropped = {
        one.instance
        for job in jobs
        for one in scrapes(job, Budget(time.monotonic))
        if one.skipped == "dropped by its relabelling"
    }

    assert dropped == {one["discoveredLabels"]["__address__"] for one in data["droppedTargets"]}


def found(folder: Path, *urls: str, paths: tuple[str, ...] = ()) -> dict[tuple[str, str], Target]:
    settings = prometheus.Settings(paths=paths, urls=urls)
    targets, findings = asyncio.run(prometheus.find(settings, Context(folder=folder)))
    assert findings == []
    return {(target.project, target.name): target for target in targets}


def test_a_running_server_tells_how_its_targets_are(servers: tuple[Path, Any, Path, str]) -> None:
    _, _, live, url = servers
    place = url.removeprefix("http://")
    targets = found(live, url)

    itself, gone = targets["prometheus", place], targets["gone", "127.0.0.1:1"]
    assert {target.layer for target in targets.values()} == {"running"}
    assert (itself.details["health"], itself.details["last_error"]) == ("up", None)
    assert itself.details["targets"]["up"] >= 1
    assert [check.target for check in itself.checks] == [f"{url}/metrics"]
    assert (gone.details["health"], gone.details["labels"]) == ("down", {"env": "test"})
    assert gone.details["last_error"].endswith("connect: connection refused")
    assert ("kept", "127.0.0.1:3") in targets
    assert ("kept", "127.0.0.1:2") not in targets


def test_no_parameter_that_may_be_a_secret_is_kept(servers: tuple[Path, Any, Path, str]) -> None:
    _, _, live, url = servers

    assert "very-secret" not in repr(found(live, url))
    assert "very-secret" not in repr(found(live, url, paths=(".",)))


def test_the_configuration_of_a_running_server_tells_which_scrapes_need_a_login(
    servers: tuple[Path, Any, Path, str],
) -> None:
    _, _, live, url = servers
    (check,) = found(live, url)["locked", url.removeprefix("http://").replace("127.0.0.1", "localhost")].checks

    assert (check.expect.status, check.expect.suspect) == (((100, 499),), True)


def test_what_a_file_declares_and_a_server_scrapes_is_one_target(servers: tuple[Path, Any, Path, str]) -> None:
    _, _, live, url = servers
    probed = found(live, url, paths=(".",))["probed", f"{url}/-/ready"]

    assert (probed.layer, probed.ref, probed.details["declared"]) == (
        "running",
        "prometheus.yml:19",
        "prometheus.yml:19",
    )
    assert [check.target for check in probed.checks] == [f"{url}/-/ready"]
    assert probed.details["health"] == "down"  # the exporter is not there


def test_a_server_that_does_not_answer_is_a_failed_source() -> None:
    url = f"http://user:hush@127.0.0.1:{free_port()}"
    with pytest.raises(SourceFailed, match=r"^http://127.0.0.1:[0-9]+: connection refused$"):
        found(Path(), url)


def test_a_server_that_does_not_answer_leaves_what_files_declare(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(CONFIG % {"port": 9090})
    with pytest.raises(Incomplete) as caught:
        found(tmp_path, f"http://127.0.0.1:{free_port()}", paths=(".",))

    assert {target.layer for target in caught.value.targets} == {"declared"}
    assert [finding.kind for finding in caught.value.findings] == ["source_unanswered"]
