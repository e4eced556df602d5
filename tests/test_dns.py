"""Questions to a real name server, NSD, and to what only looks like one."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import pytest
from helpers import a_check, free_port
from helpers_faults import PATIENCE_MS, patience, serving
from helpers_real import needs

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe

pytestmark = pytest.mark.unit

ZONE = """\
$TTL 300
@       IN SOA  ns admin 1 3600 600 86400 60
        IN NS   ns
        IN MX   10 Mail
ns      IN A    127.0.0.1
mail    IN A    192.0.2.25
www     60 IN A 192.0.2.1
www     60 IN A 192.0.2.2
www     IN AAAA 2001:db8::1
shop    IN CNAME www
note    IN TXT  "v=spf1 " "include:example.net -all"
""" + "\n".join(f'long IN TXT "{n:0>200}"' for n in range(9))

NSD = """\
server:
  ip-address: 127.0.0.1@{port}
  ip-address: ::1@{port}
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  cookie-secret-file: "{folder}/cookie"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: example.org
  zonefile: "zone"
"""


@pytest.fixture(scope="module")
def nsd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve example.org; gives the port."""
    program = needs("nsd", "nsd")
    folder, port = tmp_path_factory.mktemp("nsd"), free_port()
    (folder / "zone").write_text("$ORIGIN example.org.\n" + ZONE + "\n")
    (folder / "nsd.conf").write_text(NSD.format(port=port, folder=folder))
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "-d", "-c", str(folder / "nsd.conf")], stderr=log)
    try:
        for _ in range(1_200):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def ask(port: int, name: str, host: str = "127.0.0.1", timeout: int = PATIENCE_MS, **options: object) -> Answer:
    check = a_check(kind="dns", target=f"dns://{host}:{port}/{name}", timeout=timeout, options=options)
    return asyncio.run(observe([check]))[0]


# Good answers


def test_an_answer_is_told_of(nsd):
    found = ask(nsd, "www.example.org")

    assert found.reading is not None, found
    assert found.reading.facts == {
        "server": "127.0.0.1",
        "rcode": "NOERROR",
        "answers": ["192.0.2.1", "192.0.2.2"],
        "ttl": 60,
        "authoritative": True,
    }


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("www.example.org", {"answer": ["192.0.2.2"]}),
        ("www.example.org.", {"answer": ["192.0.2.2", "192.0.2.1"], "exactly": True}),
        ("WWW.Example.ORG", {"record": "aaaa", "answer": ["2001:DB8:0::1"]}),
        ("shop.example.org", {"answer": ["192.0.2.1"]}),
        ("shop.example.org", {"record": "CNAME", "answer": ["www.example.org"]}),
        ("example.org", {"record": "MX", "answer": ["10 mail.example.ORG"]}),
        ("note.example.org", {"record": "TXT", "answer": ["v=spf1 include:example.net -all"]}),
        ("www.example.org", {"transport": "tcp"}),
        ("none.example.org", {"rcode": "NXDOMAIN"}),
        ("mail.example.org", {"record": "AAAA", "answer": [], "exactly": True}),
        ("www.example.net", {"rcode": "REFUSED"}),
    ],
)
def test_what_is_expected_passes(nsd, name, options):
    found = ask(nsd, name, **options)

    assert (found.text, verdict(found).outcome) == ("", Outcome.PASS)


def test_an_answer_that_is_cut_off_is_asked_for_over_tcp(nsd):
    found = ask(nsd, "long.example.org", record="TXT")

    assert found.reading is not None, found
    assert len(found.reading.facts["answers"]) == 9


def test_a_server_is_asked_over_ipv6(nsd):
    assert ask(nsd, "www.example.org", host="[::1]").reason is None


# Wrong answers


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("none.example.org", {}, "expected the response code NOERROR, saw NXDOMAIN"),
        ("www.example.org", {"rcode": "NXDOMAIN"}, "expected the response code NXDOMAIN, saw NOERROR"),
        ("www.example.net", {}, "expected the response code NOERROR, saw REFUSED"),
        ("mail.example.org", {"record": "AAAA"}, "the name has no AAAA record"),
        (
            "www.example.org",
            {"answer": ["192.0.2.3"]},
            "expected 192.0.2.3 among the answers, saw 192.0.2.1, 192.0.2.2",
        ),
        (
            "www.example.org",
            {"answer": ["192.0.2.1"], "exactly": True},
            "expected no other answer than 192.0.2.1, saw 192.0.2.1, 192.0.2.2",
        ),
        ("mail.example.org", {"record": "AAAA", "answer": ["::1"]}, "expected ::1 among the answers, saw none"),
    ],
)
def test_a_wrong_answer_says_what_is_wrong(nsd, name, options, text):
    found = ask(nsd, name, **options)

    assert (found.reason, found.text, verdict(found).outcome) == (Reason.ANSWER, text, Outcome.FAIL)


def test_a_port_nobody_listens_on_is_refused():
    assert [ask(free_port(), "a", transport=transport).reason for transport in ("udp", "tcp")] == [Reason.REFUSED] * 2


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("dns:///www.example.org", {}),
        ("dns://127.0.0.1:99999/x", {}),
        ("dns://127.0.0.1/" + "x" * 70, {}),
        ("dns://127.0.0.1/a..b", {}),
        ("dns://127.0.0.1/x", {"record": "NOTHING"}),
        ("dns://127.0.0.1/x", {"answer": ["not an address"]}),
    ],
)
def test_a_question_that_cannot_be_asked_is_our_error(target, options):
    [found] = asyncio.run(observe([a_check(kind="dns", target=target, options=options)]))

    assert (found.reason, "broke" in found.text) == (Reason.LOCAL_ERROR, False)


WITHOUT = """
import sys
for name in [name for name in sys.modules if name == "dns" or name.startswith("dns.")]:
    del sys.modules[name]
sys.modules["dns"] = None
from uplog.collector.observe import Local
from uplog.collector.model import Check
[answer] = Local()([Check(key="k", service="s", kind="dns", target="dns://127.0.0.1/x")])
print(answer.reason, answer.text)
"""


def test_without_the_extra_it_is_named():
    said = subprocess.run([sys.executable, "-c", WITHOUT], check=True, capture_output=True, text=True).stdout

    assert said == "local_error kind dns needs the extra: pip install 'uplog[dns]'\n"


# What only looks like a name server

Reply = Callable[[bytes], list[bytes]]


class Lying(asyncio.DatagramProtocol):
    """Answer each question with the datagrams that *reply* makes of it."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        for answer in self._reply(data):
            self._transport.sendto(answer, address)


def answered(reply: Reply, timeout: int = PATIENCE_MS, **options: object) -> Answer:
    async def scenario() -> Answer:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Lying(reply), ("127.0.0.1", 0))
        try:
            port = transport.get_extra_info("sockname")[1]
            target = f"dns://127.0.0.1:{port}/www.example.org"
            return (await observe([a_check(kind="dns", target=target, timeout=timeout, options=options)]))[0]
        finally:
            transport.close()

    return asyncio.run(scenario())


def response(question: bytes, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, flags: int = 0) -> bytes:
    made = dns.message.make_response(dns.message.from_wire(question))
    made.set_rcode(rcode)
    made.flags |= flags
    return made.to_wire()


def other_id(question: bytes) -> bytes:
    made = response(question)
    return bytes([made[0] ^ 1]) + made[1:]


def looping(question: bytes) -> bytes:
    """Make an answer whose name points to itself."""
    return question[:2] + bytes.fromhex("8180 0000 0001 0000 0000 c00c 0001 0001 0000 0001 0004 7f000001")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda question: [], Reason.TIMEOUT),
        (lambda question: [b"x"], Reason.PROTOCOL),
        (lambda question: [b"HTTP/1.1 400 Bad Request\r\n"], Reason.PROTOCOL),
        (lambda question: [os.urandom(512)], Reason.PROTOCOL),
        (lambda question: [response(question)[:-3]], Reason.PROTOCOL),
        (lambda question: [looping(question)], Reason.PROTOCOL),
        (lambda question: [question], Reason.TIMEOUT),
        (lambda question: [other_id(question)] * 100, Reason.TIMEOUT),
        (lambda question: [response(question, dns.rcode.SERVFAIL)], Reason.ANSWER),
        (lambda question: [response(question, flags=dns.flags.TC)], Reason.REFUSED),
    ],
)
def test_a_lying_server_is_seen_through(reply, reason):
    found = answered(reply, timeout=patience(reason, 300))

    assert (found.reason, verdict(found).outcome) == (reason, Outcome.FAIL)
    assert found.text
    assert found.took < 15_000


def test_an_answer_to_another_question_is_passed_over():
    found = answered(lambda question: [other_id(question), response(question)], answer=[])

    assert found.reason is None


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        (b"", Reason.RESET),
        (b"\x00", Reason.RESET),
        (b"\x00\x64abc", Reason.RESET),
        (b"\x00\x03abc", Reason.PROTOCOL),
        (b"HTTP/1.1 400 Bad Request\r\n" + bytes(20_000), Reason.PROTOCOL),
        (b"\x00\x0c\x12\x34\x81\x80" + bytes(8), Reason.PROTOCOL),
    ],
)
def test_a_lying_server_is_seen_through_over_tcp(says, reason):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        writer.write(says)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    async def scenario() -> Answer:
        async with serving(serve) as port:
            check = a_check(kind="dns", target=f"dns://127.0.0.1:{port}/x", options={"transport": "tcp"})
            return (await observe([check]))[0]

    assert asyncio.run(scenario()).reason is reason
