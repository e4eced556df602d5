"""Names, addresses and routes; the last in a network namespace that has none."""

import errno

import pytest

from uplog.collector.model import ProbeFailed, Reason
from uplog.collector.probes import lookup
from uplog.collector.probes.lookup import look_up, resolvers_routed, routed
from uplog.collector.probes.shared import not_connected

pytestmark = pytest.mark.unit


def test_a_name_of_this_machine_has_loopback_addresses():
    found = look_up("localhost")

    assert isinstance(found, list)
    assert "127.0.0.1" in found
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", ["x" * 64 + ".example", "a\0b", "a..b"])
def test_what_is_no_name_is_a_dns_failure(name):
    found = look_up(name)

    assert isinstance(found, ProbeFailed)
    assert (found.reason, found.no_route) == (Reason.DNS, False)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.200.0.1"])
def test_the_loopback_is_routed(address):
    assert routed(address)


@pytest.mark.parametrize(
    "text",
    [
        "nameserver 127.0.0.53\noptions edns0\n",
        "# nameserver 192.0.2.1\nsearch example\n",
        "nameserver\nnameserver not-an-address\n",
        "",
    ],
)
def test_resolvers_on_this_machine_are_always_routed(monkeypatch, tmp_path, text):
    (tmp_path / "resolv.conf").write_text(text)
    monkeypatch.setattr(lookup, "RESOLV_CONF", str(tmp_path / "resolv.conf"))

    assert resolvers_routed()


def test_no_list_of_resolvers_is_no_proof(monkeypatch, tmp_path):
    monkeypatch.setattr(lookup, "RESOLV_CONF", str(tmp_path / "none"))

    assert resolvers_routed()


@pytest.mark.parametrize("host", ["127.0.0.1", "web.example"])
def test_a_router_that_knows_no_way_is_not_this_machine_without_one(host):
    failed = not_connected(OSError(errno.ENETUNREACH, ""), host)

    assert (failed.reason, failed.no_route) == (Reason.UNREACHABLE, False)
