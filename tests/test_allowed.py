"""Where checks may go: what discovery brought stays away from addresses of no service, whatever leads there."""

import asyncio
import socket
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest
from helpers import a_check
from helpers_faults import PATIENCE_MS, Serve, saying, serving

from uplog.collector import discover
from uplog.collector.config import Config, ConfigError, parse
from uplog.collector.cycle import cycle, with_defaults
from uplog.collector.discover import Context, Found, ports
from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Check, Expect, Finding, Outcome, Port, Reason, Target
from uplog.collector.observe import Local, observe, utc_now
from uplog.collector.probes import PROBES, lookup
from uplog.collector.probes.allowed import DISCOVERED, special
from uplog.collector.store import Store

pytestmark = pytest.mark.unit

OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
FORBIDDEN = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "::ffff:169.254.169.254",
    "::ffff:100.100.100.200",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "2002:a9fe:a9fe::1",
    "224.0.0.1",
    "239.255.255.250",
    "ff02::1",
    "255.255.255.255",
    "0.0.0.0",
    "::",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
]
ORDINARY = ["127.0.0.1", "::1", "10.0.0.1", "192.0.2.1", "fd00::1", "2001:db8::1", "64:ff9b::c000:201", "web.example"]


def discovered(target: str, **changes: object) -> Check:
    """Make a check as discovery brings it."""
    return a_check(kind=KINDS[target.partition("://")[0]], target=target, trusted=False, timeout=500, **changes)


KINDS = {"http": "http", "https": "http", "tcp": "tcp", "tls": "tls", "grpc": "grpc", "ws": "websocket"}


def asked(check: Check) -> Answer:
    [answer] = Local()([check])
    return answer


# What is refused


@pytest.mark.parametrize("host", FORBIDDEN)
def test_an_address_of_no_service_is_refused_in_every_form(host):
    assert special(host) is not None


@pytest.mark.parametrize("host", ORDINARY)
def test_an_ordinary_address_is_not_refused(host):
    assert special(host) is None


@pytest.mark.parametrize("scheme", KINDS)
@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]", "metadata.google.internal"]
)
def test_no_kind_that_discovery_may_bring_asks_there(scheme, host):
    answer = asked(discovered(f"{scheme}://{host}:80"))

    assert (answer.reason, verdict(answer).outcome) == (Reason.FORBIDDEN, Outcome.UNKNOWN)
    assert answer.took < 15_000


@pytest.mark.parametrize("written", ["2852039166", "0xa9fea9fe", "169.254.43518", "0251.0376.0251.0376"])
def test_no_other_way_to_write_an_address_leads_there(written):
    assert asked(discovered(f"tcp://{written}:80")).reason is Reason.FORBIDDEN
    # aiohttp takes some of them for no URL
    assert asked(discovered(f"http://{written}/")).reason in (Reason.FORBIDDEN, Reason.LOCAL_ERROR)


@pytest.mark.parametrize("scheme", KINDS)
def test_no_name_leads_there(monkeypatch, scheme):
    monkeypatch.setattr(lookup, "look_up", lambda host: ["169.254.169.254", "fe80::1"])

    assert asked(discovered(f"{scheme}://web.example:80")).reason is Reason.FORBIDDEN


def test_of_several_addresses_of_a_name_the_ordinary_ones_are_asked(monkeypatch):
    monkeypatch.setattr(lookup, "look_up", lambda host: ["fe80::1", "127.0.0.1", "169.254.169.254"])

    async def scenario() -> list[Answer]:
        async with serving(OK) as port:
            return await observe([discovered(f"{scheme}://web.local:{port}") for scheme in ("http", "tcp")])

    assert [answer.reason for answer in asyncio.run(scenario())] == [None, None]


def test_a_name_that_is_rebound_between_two_questions_is_of_no_use(monkeypatch):
    """The name leads to a good server first, which redirects to itself, and from then on to metadata."""
    asked_for: list[str] = []

    def rebinding(host: str) -> list[str]:
        asked_for.append(host)
        return ["127.0.0.1"] if len(asked_for) == 1 else ["169.254.169.254"]

    monkeypatch.setattr(lookup, "look_up", rebinding)
    pages = [
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]

    async def turns(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(pages.pop(0))
        await writer.drain()

    async def scenario() -> list[Answer]:
        async with serving(turns) as port:
            check = discovered(f"http://web.example:{port}/")
            return [*(await observe([check])), *(await observe([check]))]

    assert [answer.reason for answer in asyncio.run(scenario())] == [None, Reason.FORBIDDEN]
    assert asked_for == ["web.example"] * 2


# Redirects


def redirecting(to: str, code: int = 302) -> Serve:
    return saying(f"HTTP/1.1 {code} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())


def after_redirect(to: str, **changes: Any) -> Answer:
    async def scenario() -> Answer:
        async with serving(redirecting(to)) as port:
            [answer] = await observe([a_check(target=f"http://127.0.0.1:{port}/", timeout=PATIENCE_MS, **changes)])
            return answer

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    "to", ["http://169.254.169.254/latest/", "http://[fd00:ec2::254]/", "//metadata.google.internal/"]
)
def test_no_redirect_of_a_discovered_service_leads_there(to):
    answer = after_redirect(to, trusted=False)

    assert (answer.reason, verdict(answer).outcome) == (Reason.FORBIDDEN, Outcome.UNKNOWN)


def test_no_redirect_of_a_service_that_was_written_by_hand_leads_there_by_name(monkeypatch):
    monkeypatch.setattr(lookup, "look_up", lambda host: ["100.100.100.200"])

    assert (
        after_redirect("http://sso.example/", expect=Expect(redirect_hosts=("sso.example",))).reason is Reason.FORBIDDEN
    )


def test_what_was_meant_for_one_server_is_not_told_to_another_one_on_its_host():
    heard: list[str] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def scenario(**changes: Any) -> Answer:
        async with serving(hear) as other, serving(redirecting(f"http://127.0.0.1:{other}/x", 307)) as port:
            headers = (("X-Api-Key", "secret"),)
            check = a_check(target=f"http://127.0.0.1:{port}/", timeout=PATIENCE_MS, headers=headers, **changes)
            return (await observe([check]))[0]

    assert asyncio.run(scenario()).reason is None
    assert "secret" not in heard[0]
    with_body = asyncio.run(scenario(options={"method": "POST", "body": "secret"}))
    assert (with_body.reason, len(heard)) == (Reason.REDIRECT_OFFSITE, 1)


# What is let through


def test_what_was_written_by_hand_may_go_anywhere():
    # loopback answers for this one: no metadata is asked for
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]

        assert asked(a_check(kind="tcp", target=f"tcp://0.0.0.0:{port}")).reason is None
        assert asked(discovered(f"tcp://0.0.0.0:{port}")).reason is Reason.FORBIDDEN
        assert asked(discovered(f"tcp://0.0.0.0:{port}", allowed=("0.0.0.0/32",))).reason is None


def test_a_network_that_is_allowed_is_named_in_the_configuration():
    config = parse({"defaults": {"allow_addresses": ["169.254.1.0/24", "fd00:ec2::254"]}})
    [check] = with_defaults(a_target("http://169.254.1.7/"), config).checks

    assert special("169.254.1.7", check.allowed) is None
    assert special("fd00:ec2::254", check.allowed) is None
    assert special("169.254.169.254", check.allowed) == "a link-local address"


@pytest.mark.parametrize("network", ["169.254.1.1/24", "metadata", "", "169.254.0.0/33"])
def test_a_network_that_is_none_stops_the_start(network):
    with pytest.raises(ConfigError, match=r"defaults\.allow_addresses\[0\]: expected a network such as"):
        parse({"defaults": {"allow_addresses": [network]}})


# Where trust comes from


def a_target(url: str, kind: str = "http", **changes: Any) -> Target:
    return Target(source="compose", ref="a.yml:1", name="web", checks=(a_check(kind=kind, target=url),), **changes)


def kept(tmp_path: Path, *targets: Target, **table: Any) -> list[Check]:
    """Return the checks that are planned when compose finds *targets*."""
    table = {"uplog": {"database": "uplog.db"}, "discover": {"compose": {}}, **table}
    config: Config = parse(table, folder=tmp_path)
    planned: list[Check] = []

    def ask(checks: Any) -> list[Answer]:
        planned.extend(checks)
        return Local()(checks)

    def find(settings: Any, context: Context) -> tuple[list[Found], dict[str, bool]]:
        return [Found(source="compose", ok=True, targets=targets)], {}

    with Store(config.database, zone=config.timezone) as store:
        cycle(config, store, ask, utc_now, find=find)
        with store.reading() as db:
            said = db.execute(
                "select distinct outcome, reason from observations where service like 'compose%'"
            ).fetchall()
        assert {tuple(one) for one in said} <= {("unknown", "forbidden")}
    return planned


def test_what_discovery_brings_is_not_trusted_and_what_was_written_by_hand_is(tmp_path):
    by_hand = {"service": [{"name": "hand", "url": "http://127.0.0.1:1/"}]}
    checks = kept(tmp_path, a_target("http://169.254.169.254/"), **by_hand)

    assert {check.service: check.trusted for check in checks} == {"compose//web": False, "config//hand": True}


@pytest.mark.parametrize("kind", sorted(set(PROBES) - {*DISCOVERED, "systemd", "docker"}))
def test_a_kind_that_is_for_the_operator_alone_is_skipped_with_a_reason(tmp_path, kind):
    target = a_target("redis://127.0.0.1/", kind)

    assert kept(tmp_path, target) == []
    assert (
        with_defaults(target, parse({})).skipped == f"a check of kind {kind}, which only the configuration may ask for"
    )


@pytest.mark.parametrize(
    ("kind", "target"), [("systemd", "systemd:a.service"), ("docker", "docker:web"), ("tcp", "tcp://a:1")]
)
def test_a_question_to_this_machine_may_come_from_discovery(kind, target):
    assert with_defaults(a_target(target, kind), parse({})).skipped is None


def test_a_command_may_come_from_discovery_only_where_the_configuration_allows_that():
    target = a_target("exec", "exec")

    assert with_defaults(target, parse({"defaults": {"allow_exec": True}})).skipped is None
    assert with_defaults(target, parse({})).skipped is not None


def test_what_is_skipped_is_told_by_discovery(monkeypatch):
    module = types.ModuleType("source_odd")

    async def find(settings: Any, context: Context) -> tuple[list[Target], list[Finding]]:
        return [a_target("redis://127.0.0.1/", "redis")], []

    module.__dict__.update(Settings=msgspec.defstruct("Settings", []), find=find)
    monkeypatch.setitem(sys.modules, "source_odd", module)
    monkeypatch.setattr(discover, "SOURCES", {"odd": "source_odd"})
    [found], _ = asyncio.run(discover.find_all({"odd": {}}, Context(folder=Path())))

    assert [one.skipped for one in found.targets] == ["a check of kind redis, which only the configuration may ask for"]


def test_an_engine_elsewhere_is_not_asked_because_discovery_says_so():
    assert with_defaults(a_target("docker://10.0.0.1/web", "docker"), parse({})).skipped


def test_discovery_itself_does_not_ask_there(monkeypatch):
    async def ask_http(host: str, port: int) -> bool:
        raise AssertionError(f"{host} was asked")

    monkeypatch.setattr(ports, "ask_http", ask_http)
    target = Target(source="compose", ref="a.yml:1", name="web", ports=(Port(port=80, host_ip="169.254.169.254"),))

    assert asyncio.run(ports.learn([target], {})) == {}
