"""Pings: of this machine, and of hosts in a network of our own that answer, are missing, or lose packets."""

import asyncio
import json
import os
import socket
import subprocess
import sys

import pytest
from helpers import a_check
from helpers_real import needs

from uplog.collector.model import Answer, Reason
from uplog.collector.observe import observe
from uplog.collector.probes.icmp import checksum, replied, request

pytestmark = pytest.mark.unit


def may_ping() -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except PermissionError:
            continue
        return True
    return False


def ping(target: str, timeout: int = 20_000, **options: object) -> Answer:
    return asyncio.run(observe([a_check(kind="icmp", target=target, timeout=timeout, options=options)]))[0]


pinging = pytest.mark.skipif(not may_ping(), reason="needs root, or net.ipv4.ping_group_range")


@pinging
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_host_that_answers_passes(host):
    found = ping(f"icmp://{host}")

    assert found.reading is not None, found
    facts = dict(found.reading.facts)
    assert 0 < facts.pop("rtt_min_ms") <= facts.pop("rtt_avg_ms") <= facts.pop("rtt_max_ms")
    assert facts == {"sent": 3, "received": 3, "loss_percent": 0.0}


@pinging
def test_many_pings_at_once_do_not_hear_each_others_answers():
    checks = [a_check(kind="icmp", target="icmp://127.0.0.1", options={"count": 20})] * 50
    found = asyncio.run(observe(checks))

    assert {answer.reading.facts["received"] for answer in found if answer.reading} == {20}
    assert all(answer.reading for answer in found)


def test_a_target_without_a_host_is_our_error():
    assert [ping(target).reason for target in ("icmp://", "icmp:", "icmp://[::1")] == [Reason.LOCAL_ERROR] * 3


def test_a_request_is_what_the_kernel_takes_for_one():
    packet = request(socket.AF_INET, b"0123456789abcdef", 7)

    assert checksum(packet) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x45",
        b"\x4f" + bytes(100),
        bytes(8),
        request(socket.AF_INET, b"abcd", 1),
        b"\x00\x00\x00\x00\x00\x00\x00\x01abcX",
        os.urandom(1000),
    ],
)
def test_other_packets_are_no_replies(data):
    assert replied(socket.AF_INET, b"abcd", data) == -1


# A network of our own

NETWORK = """
set -e
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 10.88.0.1/24 dev v0
ip link set v0 up
ip link set v1 up
sysctl -qw net.ipv4.ping_group_range="$1"
BEFORE
exec "$2" -c "$3" "$4"
"""

# prints (reason, no_route, text) of each ping, given in JSON as [target, timeout, options, ...]
PING = """
import json, os, sys
from uplog.collector import observe
from uplog.collector.observe import Local
from uplog.collector.model import Check
observe.STILL_S = 60
what = json.loads(sys.argv[1])
if what["user"]:
    os.setuid(what["user"])
checks = [
    Check(key="k", service="s", kind="icmp", target=target, timeout=timeout, options=options)
    for target, timeout, options in what["pings"]
]
print(json.dumps([[a.reason, a.no_route, a.text] for a in Local()(checks)]))
"""

NOBODY = 65534
ALL, NONE = "0 2147483647", "1 0"


def in_a_network(
    *pings: tuple[str, int, dict[str, object]], user: int = 0, group: str = NONE, before: str = ""
) -> list[list[object]]:
    """Ping as *user* in a network of only 10.88.0.0/24, with nobody in it, where *group* may ping; first do *before*."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    needs("ip", "iproute2")
    arguments = [
        NETWORK.replace("BEFORE", before),
        "sh",
        group,
        sys.executable,
        PING,
        json.dumps({"user": user, "pings": pings}),
    ]
    done = subprocess.run(["unshare", "--net", "sh", "-c", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


@pytest.mark.integration
@pytest.mark.parametrize(("user", "group"), [(0, NONE), (0, ALL), (NOBODY, ALL)])
def test_each_way_to_ping_tells_who_answers_and_who_does_not(user, group):
    found = in_a_network(
        ("icmp://127.0.0.1", 20_000, {}),
        ("icmp://[::1]", 20_000, {}),
        ("icmp://192.0.2.1", 20_000, {}),
        ("icmp://10.88.0.2", 300, {}),
        user=user,
        group=group,
    )

    assert found == [
        [None, False, ""],
        [None, False, ""],
        ["unreachable", True, "network is unreachable"],
        ["timeout", False, "no answer within 0.3 s"],
    ]


@pytest.mark.integration
@pytest.mark.parametrize(("user", "group"), [(0, NONE), (NOBODY, ALL)])
def test_a_host_that_is_not_there_is_unreachable(user, group):
    sooner = "sysctl -qw net.ipv4.neigh.v0.retrans_time_ms=100"  # else the kernel looks for it for three seconds
    assert in_a_network(("icmp://10.88.0.2", 8000, {}), user=user, group=group, before=sooner) == [
        ["unreachable", False, "no route to host"]
    ]


# what the hosts of this network do with a ping: they are all one machine; each counts for itself what it loses
FILTER = """
nft -f - <<'RULES'
table ip filter {
  chain input {
    type filter hook input priority 0;
    ip daddr 127.0.0.2 icmp type echo-request numgen inc mod 3 0 drop
    ip daddr 127.0.0.3 icmp type echo-request numgen inc mod 3 0 drop
    ip daddr 127.0.0.4 icmp type echo-request numgen inc mod 3 0 drop
    ip daddr 127.0.0.5 icmp type echo-request reject with icmp type host-unreachable
    ip daddr 127.0.0.6 icmp type echo-request reject with icmp type admin-prohibited
  }
}
RULES
"""


@pytest.mark.integration
@pytest.mark.parametrize("group", [NONE, ALL])
def test_a_loss_is_judged_by_its_limit_and_an_icmp_error_is_unreachable(group):
    needs("nft", "nftables")
    found = in_a_network(
        ("icmp://127.0.0.2", 1000, {}),
        ("icmp://127.0.0.3", 1000, {"loss_below": 34}),
        ("icmp://127.0.0.4", 1000, {"loss_below": 33}),
        ("icmp://127.0.0.5", 20_000, {}),
        ("icmp://127.0.0.6", 20_000, {}),
        group=group,
        before=FILTER,
    )

    assert found == [
        [None, False, ""],
        [None, False, ""],
        ["timeout", False, "expected a loss below 33%, saw 33.3%"],
        ["unreachable", False, "no route to host"],
        ["unreachable", False, "no route to host"],
    ]


@pytest.mark.integration
def test_who_may_not_ping_is_told_what_to_set():
    [[reason, _, text]] = in_a_network(("icmp://127.0.0.1", 1000, {}), user=NOBODY)

    assert reason == "local_error"
    assert "net.ipv4.ping_group_range" in str(text)
    assert "CAP_NET_RAW" in str(text)
