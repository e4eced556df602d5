"""What Prometheus scrapes, read from its files; test_prometheus_reference.py compares with Prometheus itself."""

import asyncio
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from uplog.collector.discover import Context, Incomplete, SourceFailed, prometheus
from uplog.collector.discover.prometheus import tree
from uplog.collector.discover.prometheus.live import decoded, jobs_by_name
from uplog.collector.discover.prometheus.relabel import Budget, CannotRelabel, Rule, relabelled
from uplog.collector.model import Check, Expect, Finding, Target

pytestmark = pytest.mark.unit

CAPTURED = Path(__file__).parent / "captured" / "prometheus"


def find(folder: Path, *paths: str, ask_from: str = "host", **settings: Any) -> tuple[list[Target], list[Finding]]:
    """Look for targets, and return those of an incomplete answer too."""
    try:
        return asyncio.run(
            prometheus.find(
                prometheus.Settings(paths=paths or (".",), **settings), Context(folder=folder, ask_from=ask_from)
            )
        )
    except Incomplete as part:
        return list(part.targets), list(part.findings)


def read(folder: Path, text: str, **more: Any) -> tuple[list[Target], list[Finding]]:
    (folder / "prometheus.yml").write_text(text)
    return find(folder, **more)


def one_job(folder: Path, *lines: str, targets: str = "[web:80]", **more: Any) -> Target:
    """Read a configuration of one job with one target; *lines* are its other settings."""
    settings = "".join(f"    {line}\n" for line in lines)
    (target,), findings = read(
        folder, f"scrape_configs:\n  - job_name: j\n    static_configs: [{{targets: {targets}}}]\n{settings}", **more
    )
    assert findings == []
    return target


def asked(targets: list[Target]) -> dict[str, str]:
    """Tell for each name what is asked, or why nothing is."""
    return {one.name: one.skipped or " ".join(check.target for check in one.checks) or one.note for one in targets}


# Files


def test_a_scrape_is_asked_for_its_metrics_at_the_pace_of_the_scrape(tmp_path: Path) -> None:
    target = one_job(tmp_path, "scrape_interval: 1m30s", "scrape_timeout: 5s", targets="['localhost:9090']")

    assert target == Target(
        source="prometheus",
        ref="prometheus.yml:3",
        name="localhost:9090",
        project="j",
        names=("localhost:9090",),
        ports=target.ports,
        checks=(
            Check(
                key="",
                service="",
                kind="http",
                target="http://localhost:9090/metrics",
                every=90_000,
                declared_every=90_000,
                timeout=5_000,
                expect=Expect(trust="code"),
            ),
        ),
        note="scraped by the job j",
        details={"job": "j", "instance": "localhost:9090", "labels": {}},
    )
    assert [(port.port, port.container_port) for port in target.ports] == [(None, 9090)]


@pytest.mark.parametrize(
    ("settings", "every", "timeout"),
    [
        ("", 60_000, 10_000),
        ("global: {scrape_interval: 5s}", 5_000, 5_000),
        ("global: {scrape_interval: 2m, scrape_timeout: 15s}", 120_000, 15_000),
        ("global: {scrape_interval: soon}", 60_000, 10_000),
    ],
)
def test_timings_that_a_job_leaves_out_are_those_of_prometheus(
    tmp_path: Path, settings: str, every: int, timeout: int
) -> None:
    (target,), _ = read(
        tmp_path, f"{settings}\nscrape_configs:\n- job_name: j\n  static_configs: [{{targets: ['a.b:1']}}]\n"
    )

    assert [(check.declared_every, check.timeout) for check in target.checks] == [(every, timeout)]


def test_jobs_on_both_sides_of_a_fault_are_read() -> None:
    targets, findings = find(CAPTURED, "fleet3")

    assert [one.project for one in targets] == [
        "prometheus",
        "neuroweaver-backend",
        "relaycore",
        "kafka",
        "alertmanager",
        "puppeteer",
    ]
    assert (targets[-1].ref, targets[-1].names) == ("fleet3/prometheus.yml:39", ("puppeteer:3000", "puppeteer"))
    assert [(one.kind, one.where) for one in findings] == [("file_broken", "fleet3/prometheus.yml:32")]


def test_a_collector_of_logs_has_no_targets() -> None:
    assert find(CAPTURED, "promtail.yml") == ([], [])


def test_included_files_are_read_once_with_the_defaults_of_the_including_one() -> None:
    targets, findings = find(CAPTURED / "newer", ask_from="network")

    assert findings == []
    assert asked(targets) == {
        "kubernetes_sd": "its targets come from kubernetes_sd_configs, which is not resolved",
        "envoy:9901": "http://envoy:9901/stats/prometheus",
    }
    assert [check.declared_every for target in targets for check in target.checks] == [30_000]


def test_nothing_there_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("services: {web: {image: nginx}}\n")
    (tmp_path / "broken.yml").write_text("a: [\n")
    (tmp_path / "empty.yaml").write_text("scrape_configs:\n")

    assert find(tmp_path) == ([], [])


def test_a_path_that_is_not_there_fails_the_source_where_nothing_else_is_found(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"^nowhere: no such file or folder$"):
        find(tmp_path, "nowhere")


def test_what_two_files_declare_alike_is_one_target_and_what_differs_has_names_of_its_own(tmp_path: Path) -> None:
    job = "scrape_configs:\n- job_name: j\n  metrics_path: {}\n  static_configs: [{{targets: ['a.b:1']}}]\n"
    for name, path in {"one.yml": "/metrics", "same.yml": "/metrics", "third.yml": "/other"}.items():
        (tmp_path / name).write_text(job.format(path))
    targets, findings = find(tmp_path)

    assert [(one.name, one.ref) for one in targets] == [
        ("a.b:1", "one.yml:4"),
        ("a.b:1 (http://a.b:1/other)", "third.yml:4"),
    ]
    assert findings == []


@pytest.mark.parametrize(
    ("job", "text", "line"),
    [
        ("static_configs: []", "a job has no job_name", 2),
        ("job_name: a\n  scrape_interval: 5s\n  scrape_timeout: 10s", "scrape_timeout is longer than", 4),
        ("job_name: a\n  scrape_interval: 5", "scrape_interval is no duration", 3),
        ("job_name: a\n  metric_path: /x", "a job has an unknown field", 3),
        ("job_name: a\n- job_name: a", "the job a is also at prometheus.yml:2", 3),
        ("job_name: a\n  static_configs: [a:1]", "has an entry that is no group of targets", 3),
        ("job_name: a\n  static_configs: {targets: [a:1]}", "has one group of targets where a list", 3),
        ("job_name: a\n  relabel_configs: [{action: hashmod, target_label: x}]", "hashmod has no modulus", 3),
        ("job_name: a\n  relabel_configs: [{action: keeep}]", "a relabelling has an unknown action", 3),
        ("job_name: a\n  relabel_configs: [{source_labels: [a]}]", "replace has no target_label", 3),
    ],
)
def test_what_prometheus_refuses_is_a_finding_with_its_line(tmp_path: Path, job: str, text: str, line: int) -> None:
    _, (finding,) = read(tmp_path, f"scrape_configs:\n- {job}\n")

    assert (finding.kind, finding.where) == ("file_refused", f"prometheus.yml:{line}")
    assert text in finding.text
    assert finding.text.endswith("Prometheus refuses the file")


def test_a_group_that_lacks_its_dash_is_read_all_the_same(tmp_path: Path) -> None:
    targets, _ = read(tmp_path, "scrape_configs:\n- job_name: a\n  static_configs:\n    targets: ['a.b:1', 'c.d:1']\n")

    assert [one.ref for one in targets if one.name in ("a.b:1", "c.d:1")] == ["prometheus.yml:4"] * 2


# Lists of targets in other files


def test_a_broken_list_of_targets_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text('[\n\t{"targets": ["a.b:1"]}\n]')
    (tmp_path / "broken.json").write_text('[{"targets": ["c.d:1"]},\n {"targets": ["e.f:1" "g.h:1"]}]')
    (tmp_path / "other.json").write_text('{"targets": ["i.j:1"]}')
    targets, findings = read(
        tmp_path, "scrape_configs:\n- job_name: j\n  file_sd_configs: [{files: ['*.json', gone.yml]}]\n"
    )

    assert {"a.b:1", "c.d:1"} <= set(asked(targets))
    assert sorted((one.kind, one.where) for one in findings) == [
        ("file_broken", "broken.json:2"),
        ("file_broken", "other.json:1"),
        ("file_part_unread", "prometheus.yml:3"),
    ]


def test_the_folder_of_the_configuration_is_found_under_its_name_in_containers(tmp_path: Path) -> None:
    (tmp_path / "deploy" / "targets").mkdir(parents=True)
    (tmp_path / "deploy" / "targets" / "a.yml").write_text("- targets: ['a.b:1']\n")
    (tmp_path / "deploy" / "prometheus.yml").write_text(
        "scrape_configs:\n- job_name: j\n  file_sd_configs: [{files: [/etc/prometheus/targets/*.yml]}]\n"
    )
    targets, _ = find(tmp_path)

    assert [(one.name, one.ref) for one in targets] == [("a.b:1", "deploy/targets/a.yml:1")]


def listing(answer: str, status: int = 200) -> web.Application:
    async def targets(request: web.Request) -> web.Response:
        return web.Response(text=answer, status=status, content_type="application/json")

    app = web.Application()
    app.router.add_get("/targets", targets)
    return app


async def with_http_sd(folder: Path, url: str, http_sd: bool = True) -> tuple[list[Target], list[Finding]]:
    (folder / "prometheus.yml").write_text(
        f"scrape_configs:\n- job_name: j\n  http_sd_configs: [{{url: '{url}'}}]\n"
        "  static_configs: [{targets: ['a.b:1']}]\n"
    )
    try:
        return await prometheus.find(prometheus.Settings(http_sd=http_sd), Context(folder=folder))
    except Incomplete as part:
        return list(part.targets), list(part.findings)


def test_a_url_that_lists_targets_is_asked_only_when_the_settings_say_so(tmp_path: Path) -> None:
    async def both() -> None:
        async with TestServer(listing('[{"targets": ["c.d:2"], "labels": {"env": "x"}}]')) as server:
            url = str(server.make_url("/targets?token=hush"))
            quiet, _ = await with_http_sd(tmp_path, url, http_sd=False)
            told, findings = await with_http_sd(tmp_path, url)

        assert asked(quiet)["http_sd"] == "its targets come from http_sd_configs, which is not resolved"
        assert asked(told) == {"a.b:1": "http://a.b:1/metrics", "c.d:2": "http://c.d:2/metrics"}
        assert findings == []
        assert "hush" not in repr(told)

    asyncio.run(both())


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://169.254.169.254/latest/meta-data", "discovery may not lead to a link-local address"),
        ("http://metadata.google.internal/", "discovery may not lead to a link-local address"),
        ("ftp://localhost/", "it is not an http or https URL"),
        ("http://user:hush@127.0.0.1:1/", "connection refused"),
    ],
)
def test_a_url_that_may_not_be_asked_or_does_not_answer_leaves_the_other_targets(
    tmp_path: Path, url: str, text: str
) -> None:
    targets, (finding,) = asyncio.run(with_http_sd(tmp_path, url))

    assert list(asked(targets)) == ["a.b:1"]
    assert (finding.kind, finding.where) == ("source_unanswered", "prometheus.yml:2")
    assert finding.text.endswith(text)
    assert "hush" not in finding.text


# What is asked


@pytest.mark.parametrize(
    ("host", "ask_from", "expected"),
    [
        ("redis-exporter:9121", "host", "redis-exporter is a name inside a network, and uplog runs on the host"),
        ("redis-exporter:9121", "network", "http://redis-exporter:9121/metrics"),
        ("localhost:9121", "host", "http://localhost:9121/metrics"),
        ("localhost:9121", "network", "localhost is another machine's own address"),
        ("host.docker.internal:9121", "host", "http://localhost:9121/metrics"),
        ("redis.prod.svc.cluster.local:9121", "host", "redis.prod.svc.cluster.local is a name inside a cluster"),
        ("redis.prod.svc:9121", "cluster", "http://redis.prod.svc:9121/metrics"),
        ("10.0.0.7:9121", "host", "http://10.0.0.7:9121/metrics"),
        ("10.0.0.7:9121", "outside", "10.0.0.7 is a private address, and uplog runs outside"),
        ("web.example.com", "outside", "http://web.example.com/metrics"),
    ],
)
def test_only_what_can_be_reached_from_here_is_asked(tmp_path: Path, host: str, ask_from: str, expected: str) -> None:
    target = one_job(tmp_path, targets=f"['{host}']", ask_from=ask_from)

    assert target.skipped is None
    assert asked([target]) == {host: expected}


def test_a_target_goes_by_its_address_and_its_host(tmp_path: Path) -> None:
    relabel = "relabel_configs: [{target_label: instance, replacement: cache}]"

    assert one_job(tmp_path, relabel, targets="['redis:9121']").names == ("cache", "redis:9121", "redis")
    assert one_job(tmp_path, targets="['127.0.0.1:9121']").names == ("127.0.0.1:9121",)


@pytest.mark.parametrize(
    "target", ["${HOST}:9100", "$HOST:9100", "{{ host }}:9100", "<your-host>:9100", "%{HOST}:9100", "@HOST@:9100"]
)
def test_what_nobody_has_filled_in_is_skipped_with_a_reason(tmp_path: Path, target: str) -> None:
    found = one_job(tmp_path, targets=f"['{target}']")

    assert found.checks == ()
    assert found.skipped == f"is a template, {target}, which nothing here fills in"


@pytest.mark.parametrize("target", ["http://web:80", "web:80/metrics", "web:http", "web:0", "web:99999", "[::1", "a b"])
def test_what_is_no_address_is_skipped(tmp_path: Path, target: str) -> None:
    assert one_job(tmp_path, targets=f"['{target}']").skipped == "it has no address of the form host:port"


@pytest.mark.parametrize(
    ("setting", "kind", "target", "status"),
    [
        ("scheme: https", "http", "https://a.b:443/metrics", (200, 299)),
        ("basic_auth: {username: u, password: hush}", "http", "http://a.b:443/metrics", (100, 499)),
        ("bearer_token: hush", "http", "http://a.b:443/metrics", (100, 499)),
        (
            "params: {token: [hush], format: [prometheus]}",
            "http",
            "http://a.b:443/metrics?format=prometheus",
            (100, 499),
        ),
        ("scheme: https\ntls_config: {insecure_skip_verify: true}", "tcp", "tcp://a.b:443", (200, 299)),
        ("scheme: https\ntls_config: {insecure_skip_verify: false}", "http", "https://a.b:443/metrics", (200, 299)),
        ("scheme: https\ntls_config: {ca_file: ca.pem}", "tcp", "tcp://a.b:443", (200, 299)),
    ],
)
def test_a_scrape_that_shows_what_uplog_does_not_have_is_asked_for_less(
    tmp_path: Path, setting: str, kind: str, target: str, status: tuple[int, int]
) -> None:
    found = one_job(tmp_path, *setting.split("\n"), targets="['a.b:443']")

    assert [(one.kind, one.target, one.expect.status) for one in found.checks] == [(kind, target, (status,))]
    assert "hush" not in repr(found)


def test_a_scrape_through_a_proxy_is_not_asked(tmp_path: Path) -> None:
    target = one_job(tmp_path, "proxy_url: http://u:hush@proxy:3128", targets="['a.b:1']")

    assert (target.checks, target.note) == ((), "scraped through a proxy, which uplog does not have")


BLACKBOX = """relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {source_labels: [__param_target], target_label: instance}
      - {target_label: __address__, replacement: "exporter:9115"}"""


@pytest.mark.parametrize(
    ("module", "path", "target", "expected"),
    [
        ("http_2xx", "/probe", "https://a.b/health?deep=1", ("http", "https://a.b/health?deep=1", (200, 299))),
        ("http_2xx", "/probe", "a.b:8080/health", ("http", "http://a.b:8080/health", (200, 299))),
        ("", "/probe", "a.b", ("http", "http://a.b/", (200, 299))),
        ("https_2xx", "/probe", "a.b", ("http", "https://a.b/", (200, 299))),
        ("http_401", "/probe", "http://a.b/", ("http", "http://a.b/", (401, 401))),
        ("http_3xx", "/probe", "http://a.b/", ("http", "http://a.b/", (300, 399))),
        ("http_post_2xx", "/probe", "http://a.b/", ("http", "http://a.b/", (100, 499))),
        ("http_2xx", "/probe", "http://u:hush@a.b/", ("http", "http://a.b/", (100, 499))),
        ("http_2xx", "/probe", "http://a.b/?api_key=hush&x=1", ("http", "http://a.b/?x=1", (100, 499))),
        ("http_2xx_insecure", "/probe", "https://a.b/", ("tcp", "tcp://a.b:443", (200, 299))),
        ("http_2xx", "/probe", "http://host.docker.internal:80/x", ("http", "http://localhost:80/x", (200, 299))),
        ("tcp_connect", "/probe", "a.b:5432", ("tcp", "tcp://a.b:5432", (200, 299))),
        ("tcp_connect_tls", "/probe", "a.b:443", ("tls", "tls://a.b:443", (200, 299))),
        ("ssh_banner", "/probe", "a.b:22", ("tcp", "tcp://a.b:22", (200, 299))),
        ("smtp_starttls", "/probe", "a.b:25", ("tcp", "tcp://a.b:25", (200, 299))),
        ("grpc", "/probe", "a.b:50051", ("grpc", "grpc://a.b:50051", (200, 299))),
        ("icmp", "/probe", "a.b", ("icmp", "icmp://a.b", (200, 299))),
        ("icmp_ipv6", "/probe", "[fd00::7]", ("icmp", "icmp://[fd00::7]", (200, 299))),
        ("", "/scrape", "redis://:hush@a.b:6379", ("tcp", "tcp://a.b:6379", (200, 299))),
    ],
)
def test_what_an_exporter_probes_is_asked_and_not_the_exporter(
    tmp_path: Path, module: str, path: str, target: str, expected: tuple[str, str, tuple[int, int]]
) -> None:
    params = f"params: {{module: [{module}]}}" if module else "params: {}"
    found = one_job(tmp_path, f"metrics_path: {path}", params, BLACKBOX, targets=f"['{target}']")

    assert [(one.kind, one.target, one.expect.status[0]) for one in found.checks] == [expected]
    assert found.details["exporter"] == "exporter:9115"
    assert "exporter" not in found.names
    assert "hush" not in repr(found)


def test_what_is_probed_without_a_label_for_it_goes_by_its_own_name(tmp_path: Path) -> None:
    """Its instance is the exporter's address then, in Prometheus too, for each of them."""
    blackbox = BLACKBOX.replace("      - {source_labels: [__param_target], target_label: instance}\n", "")
    settings = f"    metrics_path: /probe\n    {blackbox}\n"
    targets, _ = read(
        tmp_path,
        f"scrape_configs:\n  - job_name: j\n    static_configs: [{{targets: ['http://a.b', 'http://c.d']}}]\n{settings}",
    )

    assert [one.name for one in targets] == ["http://a.b", "http://c.d"]


@pytest.mark.parametrize(("module", "path"), [("if_mib", "/snmp"), ("dns_udp", "/probe"), ("tcp_connect", "/probe")])
def test_what_uplog_cannot_probe_is_told(tmp_path: Path, module: str, path: str) -> None:
    found = one_job(
        tmp_path, f"metrics_path: {path}", f"params: {{module: [{module}]}}", BLACKBOX, targets="[192.0.2.1]"
    )

    assert (found.checks, found.skipped) == ((), None)
    assert found.note.endswith("through exporter:9115: not something that uplog can ask")


def test_labels_are_kept_without_what_may_be_a_secret(tmp_path: Path) -> None:
    (target,), _ = read(
        tmp_path,
        "scrape_configs:\n- job_name: j\n  static_configs:\n  - targets: ['a.b:1']\n"
        "    labels: {env: prod, api_token: hush, dsn: 'redis://u:hush@c:1'}\n",
    )

    assert target.details["labels"] == {"dsn": "redis://c:1", "env": "prod"}


# What other people write


@pytest.mark.parametrize(
    "rule",
    [
        Rule(source=("__address__",), pattern="(a+)+b", target="x"),
        Rule(source=("__address__",), pattern="(a|aa)+$b", target="x"),
        Rule(source=("__address__",), pattern="(", target="x"),
    ],
)
def test_a_pattern_that_cannot_be_followed_ends_soon(rule: Rule) -> None:
    begun = time.process_time()
    with pytest.raises(CannotRelabel):
        relabelled({"__address__": "a" * 5_000}, [rule], Budget(time.monotonic))
    assert time.process_time() - begun < 5  # without the bound it would be hours


def test_values_and_labels_that_double_are_stopped() -> None:
    doubling = Rule(source=("x",), target="x", replacement="$1$1")
    mapping = Rule(action="labelmap", pattern="(.*)", replacement="${1}_$1")
    with pytest.raises(CannotRelabel, match="longer than"):
        relabelled({"x": "ab"}, [doubling] * 60, Budget(time.monotonic))
    with pytest.raises(CannotRelabel):
        relabelled({"x": "ab"}, [mapping] * 60, Budget(time.monotonic))


def test_reading_and_relabelling_have_an_end_in_all(tmp_path: Path) -> None:
    with pytest.raises(CannotRelabel, match="more to read and relabel"):
        relabelled({"x": "y"}, [Rule(source=("x",), target="z")] * 20, Budget(count().__next__, 10))

    (tmp_path / "prometheus.yml").write_text("scrape_configs:\n- job_name: j\n  file_sd_configs: [{files: [a.yml]}]\n")
    jobs, findings = tree.survey((".",), tmp_path, Budget(count().__next__, 1))
    assert (jobs, [(one.kind, one.where) for one in findings]) == ([], [("discovery_cut_short", ".")])


def test_relabelling_that_cannot_be_followed_skips_the_targets_of_its_job_only(tmp_path: Path) -> None:
    targets, _ = read(
        tmp_path,
        "scrape_configs:\n- job_name: j\n  static_configs: [{targets: ['a.b:1', 'c.d:1']}]\n"
        "  relabel_configs: [{source_labels: [__address__], regex: '(', target_label: x}]\n"
        "- job_name: k\n  static_configs: [{targets: ['e.f:1']}]\n",
    )

    unread = "its relabelling has a regular expression that cannot be read"
    assert asked(targets) == {"a.b:1": unread, "c.d:1": unread, "e.f:1": "http://e.f:1/metrics"}


@pytest.mark.parametrize(
    "text",
    [
        "scrape_configs: {a: b}",
        "scrape_configs: text",
        "scrape_configs: [1, [2], null, {}]",
        "scrape_configs:\n- job_name: [a]\n  static_configs: {}\n  params: [1]\n  relabel_configs: {a: b}",
        "scrape_configs:\n- job_name: a\n  static_configs: [{targets: {a: b}}, {targets: text, labels: [1]}, null]",
        "scrape_configs:\n- job_name: a\n  file_sd_configs: [{files: [[1]]}, text]\n  http_sd_configs: [{url: {}}]",
        "scrape_configs:\n- job_name: a\n  relabel_configs: [null]\n  scrape_interval: {a: b}\n  scheme: [x]",
        "scrape_configs:\n- &a {job_name: a, static_configs: [{targets: [x.y:1]}], params: {x: *a}}",
        "global: text\nscrape_config_files: {a: b}\nscrape_configs:\n- job_name: a\n  dns_sd_configs: [names]",
        "scrape_config_files: ['**/*/*.yml', '/', '']\nscrape_configs: null",
        "scrape_configs:\n{{- range .Values.jobs }}\n- job_name: {{ .name }}\n{{- end }}",
        "scrape_configs: " + "[" * 500,
    ],
)
def test_no_shape_of_a_file_is_a_bug(tmp_path: Path, text: str) -> None:
    (tmp_path / "prometheus.yml").write_text(text)
    try:
        _, findings = find(tmp_path)
    except SourceFailed:
        return
    assert all(one.where.startswith("prometheus.yml:") for one in findings)


def test_more_targets_than_one_discovery_takes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "TARGETS_AT_MOST", 3)
    jobs = "".join(f"- job_name: j{n}\n  static_configs: [{{targets: ['a.b:{n}1', 'a.b:{n}2']}}]\n" for n in (1, 2))
    targets, findings = read(tmp_path, f"scrape_configs:\n{jobs}")

    assert len(targets) == 2
    assert [(one.kind, one.where) for one in findings] == [("discovery_cut_short", "prometheus.yml:4")]


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'{"data": []}', b'{"data": {"activeTargets": [1]}}', b"<html>"])
def test_an_answer_that_is_none_is_an_error_of_value(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the type is what callers rely on
        decoded(body)
    assert jobs_by_name(body) == {}


def test_servers_that_leave_fields_out_are_read() -> None:
    found = decoded(b'{"data": {"activeTargets": [{"scrapeUrl": "http://a:1/metrics", "labels": {"job": "j"}}]}}')

    assert [(one.labels["job"], one.health) for one in found.active_targets] == [("j", "unknown")]
