"""The probes that pass on a server's first words, against small servers that say just these words, or others."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from helpers import a_check
from helpers_faults import PATIENCE_MS, Serve, abort, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe

pytestmark = pytest.mark.unit

Steps = Sequence[tuple[bytes, bytes]]  # what a server waits for, and what it says to that

SRVR = b"""\
Zookeeper version: 3.8.0-5a02a05eddb59aee6ac762f7ea82e92a68eb9c0f, built on 2022-02-25 08:49 UTC
Latency min/avg/max: 0/0.0/0
Received: 1
Sent: 0
Connections: 1
Outstanding: 0
Zxid: 0x0
Mode: standalone
Node count: 5
"""
NOT_ALLOWED = b"%s is not executed because it is not in the whitelist.\n"

# what MariaDB 10.11.19 says
GREETING = (
    b'd\0\0\0\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x11\0\0\0y0"WoLkX\0\xfe\xf7\x08\x02\0\xff\x81\x15\0\0\0\0\0\0'
    b"\x1d\0\0\0TLK?lk]*|M*n\0mysql_native_password\0"
)
LOGIN = bytes.fromhex(
    "3d000001 00820800 00000001 21"
    + "00" * 23
    + "75706c6f6700 00 6d7973716c5f6e61746976655f70617373776f726400 00000003"
)
NOT_ALLOWED_HOST = b"G\0\0\0\xffj\x04Host 'monitor.test' is not allowed to connect to this MariaDB server"
BLOCKED_HOST = (
    b"j\0\0\0\xffi\x04Host '10.99.0.1' is blocked because of many connection errors; "
    b"unblock with 'mariadb-admin flush-hosts'"
)
TOO_MANY = b"\x17\0\0\0\xff\x10\x04Too many connections"

# the example of [MS-TDS] 4.1, and what a SQL Server 2012 SP1 answered to it, as the documentation of the tool
# SQL Fingerprint NG has it
PRE_LOGIN = bytes.fromhex(
    "12 01 00 2F 00 00 01 00 00 00 1A 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 04 04 00 26 00"
    "01 FF 09 00 00 00 00 00 01 00 B8 0D 00 00 01"
)
PRE_LOGIN_RESPONSE = bytes.fromhex(
    "04 01 00 2b 00 00 01 00 00 00 1a 00 06 01 00 20 00 01 02 00 21 00 01 03 00 22 00 00 04 00 22 00"
    "01 ff 0b 00 0b b8 00 00 01 00 01"
)

# ApiVersions (18), version 0, a correlation id, and the client's name: kafka.apache.org/protocol, "Request Header v1".
# The body of the answer is that of Sarama's test of its decoder: no error, one request, versions 2 to 1 of request 3.
API_VERSIONS = bytes.fromhex("0000000f 0012 0000 75706c67 0005") + b"uplog"
API_VERSIONS_RESPONSE = bytes.fromhex("00000010 75706c67 0000 00000001 0003 0002 0001")

# AMQP 0-9-1, 4.2.2 and 1.4.2.1; the properties are the first and the last three of RabbitMQ 3.10.8
AMQP = b"AMQP\x00\x00\x09\x01"
PROPERTIES = (
    b"\x0ccapabilitiesF\0\0\0\x15\x12publisher_confirmst\x01"
    b"\x08platformS\0\0\0\x11Erlang/OTP 25.2.3"
    b"\x07productS\0\0\0\x08RabbitMQ"
    b"\x07versionS\0\0\0\x063.10.8"
)


def start(properties: bytes) -> bytes:
    payload = b"\0\x0a\0\x0a\0\x09" + len(properties).to_bytes(4) + properties + b"\0\0\0\x05PLAIN\0\0\0\x05en_US"
    return b"\x01\0\0" + len(payload).to_bytes(4) + payload + b"\xce"


SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
STARTUP = bytes.fromhex("0000003d 00030000") + b"user\0uplog\0database\0postgres\0application_name\0uplog\0\0"
SASL = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"


def error(code: str, text: str) -> bytes:
    """Write an ErrorResponse as PostgreSQL does."""
    fields = f"SFATAL\0VFATAL\0C{code}\0M{text}\0Fpostmaster.c\0L2405\0RProcessStartupPacket\0\0".encode()
    return b"E" + (4 + len(fields)).to_bytes(4) + fields


def postgres(answer: bytes) -> Steps:
    return (SSL_REQUEST, b"N"), (STARTUP, answer)


def smtp(greeting: bytes, *more: tuple[bytes, bytes]) -> Steps:
    return (b"", greeting), *more


PING = b"*1\r\n$4\r\nPING\r\n"
EHLO = b"EHLO [127.0.0.1]\r\n"
CAN = b"250-mx.example\r\n250-SIZE 10240000\r\n250-StartTLS\r\n250 SMTPUTF8\r\n"

HEALTHY: Mapping[str, tuple[Steps, Mapping[str, object]]] = {
    "redis": ([(PING, b"+PONG\r\n")], {}),
    "memcached": ([(b"version\r\n", b"VERSION 1.6.18\r\n")], {"version": "1.6.18"}),
    "zookeeper": ([(b"srvr", SRVR)], {"version": "3.8.0", "mode": "standalone"}),
    "kafka": ([(API_VERSIONS, API_VERSIONS_RESPONSE)], {"requests": 1}),
    "mssql": ([(PRE_LOGIN, PRE_LOGIN_RESPONSE)], {"version": "11.0.3000"}),
    "mysql": ([(b"", GREETING), (LOGIN, b"")], {"version": "10.11.19-MariaDB-0+deb12u1"}),
    "postgres": (postgres(SASL), {"tls": False}),
    "amqp": ([(AMQP, start(PROPERTIES))], {"product": "RabbitMQ", "version": "3.10.8"}),
    "smtp": (
        smtp(b"220-mx.example ESMTP\r\n220 hello\r\n", (EHLO, CAN), (b"QUIT\r\n", b"")),
        {"greeting": "mx.example ESMTP", "starttls": True},
    ),
}
KINDS = sorted(HEALTHY)


def conversing(steps: Steps, *, stay: bool = True, endless: bytes = b"", through: asyncio.Event | None = None) -> Serve:
    """Serve: go through *steps*, say *endless* things after the last, and *stay* until the client goes, or end first."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for wanted, says in steps:
            assert await reader.readexactly(len(wanted)) == wanted
            writer.write(says)
        if through:
            through.set()
        while endless:
            writer.write(endless)
            await writer.drain()
        if not stay:
            writer.write_eof()
        await reader.read()

    return serve


def ask(kind: str, serve: Serve, timeout: int = PATIENCE_MS) -> Answer:
    async def scenario() -> Answer:
        async with serving(serve) as port:
            [answer] = await observe([a_check(kind=kind, target=f"{kind}://127.0.0.1:{port}", timeout=timeout)])
            return answer

    return asyncio.run(scenario())


def answered(kind: str, steps: Steps) -> Answer:
    return ask(kind, conversing(steps, stay=kind != "zookeeper"))


async def to_the_end(kind: str, steps: Steps) -> Answer:
    """Ask a server that must hear all that it waits for, also what it says nothing to."""
    through = asyncio.Event()
    async with serving(conversing(steps, stay=kind != "zookeeper", through=through)) as port:
        [answer] = await observe([a_check(kind=kind, target=f"{kind}://127.0.0.1:{port}", timeout=PATIENCE_MS)])
        async with asyncio.timeout(PATIENCE_MS / 1000):
            await through.wait()
    return answer


# Well


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_well_passes_and_tells_about_itself(kind):
    steps, facts = HEALTHY[kind]
    answer = asyncio.run(to_the_end(kind, steps))

    assert answer.reading is not None, answer.text
    assert answer.reading.facts == facts
    assert verdict(answer).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("kind", "steps", "guarded"),
    [
        ("redis", [(PING, b"-NOAUTH Authentication required.\r\n")], "authentication is required"),
        (
            "redis",
            [(PING, b"-DENIED Redis is running in protected mode because protected mode is enabled ...\r\n")],
            "protected mode",
        ),
        ("memcached", [(b"version\r\n", b"CLIENT_ERROR unauthenticated\r\n")], "authentication is required"),
        ("mysql", [(b"", NOT_ALLOWED_HOST)], "this host is not allowed to connect"),
        (
            "postgres",
            postgres(error("28P01", 'password authentication failed for user "uplog"')),
            '28P01 password authentication failed for user "uplog"',
        ),
        (
            "postgres",
            postgres(error("3D000", 'database "postgres" does not exist')),
            '3D000 database "postgres" does not exist',
        ),
    ],
)
def test_a_server_that_lets_no_stranger_in_passes(kind, steps, guarded):
    answer = answered(kind, steps)

    assert answer.reading is not None, answer.text
    assert answer.reading.facts["guarded"] == guarded


def zookeepers(*answers: bytes) -> Serve:
    """Serve: one answer a connection, as ZooKeeper does, srvr first and then ruok."""
    left = iter(zip((b"srvr", b"ruok"), answers, strict=False))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await conversing([next(left)], stay=False)(reader, writer)

    return serve


@pytest.mark.parametrize(
    ("ruok", "facts"), [(b"imok", {}), (NOT_ALLOWED % b"ruok", {"guarded": "four letter words are not allowed"})]
)
def test_a_zookeeper_that_does_not_allow_srvr_is_asked_ruok(ruok, facts):
    answer = ask("zookeeper", zookeepers(NOT_ALLOWED % b"srvr", ruok))

    assert answer.reading is not None, answer.text
    assert answer.reading.facts == facts


def test_properties_that_cannot_be_read_are_left_out():
    strange = b"\x07productS\0\0\0\x04Qpid\x05boundd" + bytes(8) + b"\x07versionS\0\0\0\x011"
    answer = answered("amqp", [(AMQP, start(strange))])

    assert answer.reading is not None, answer.text
    assert answer.reading.facts == {"product": "Qpid"}


# Not well


@pytest.mark.parametrize(
    ("kind", "steps", "reason", "text"),
    [
        ("redis", [(PING, b"-LOADING Redis is loading the dataset in memory\r\n")], Reason.NOT_READY, "LOADING"),
        ("redis", [(PING, b"-MASTERDOWN Link with MASTER is down\r\n")], Reason.NOT_READY, "MASTERDOWN"),
        ("redis", [(PING, b"-BUSY Redis is busy running a script.\r\n")], Reason.NOT_READY, "BUSY"),
        ("redis", [(b"", b"-ERR max number of clients reached\r\n")], Reason.ANSWER, "max number of clients"),
        ("redis", [(PING, b"-MISCONF Redis is configured to save RDB snapshots\r\n")], Reason.ANSWER, "MISCONF"),
        ("memcached", [(b"", b"ERROR Too many open connections\r\n")], Reason.ANSWER, "Too many open connections"),
        (
            "zookeeper",
            [(b"srvr", b"This ZooKeeper instance is not currently serving requests\n")],
            Reason.NOT_READY,
            "not currently serving",
        ),
        ("kafka", [(API_VERSIONS, b"\0\0\0\x0auplg\0\x23\0\0\0\0")], Reason.ANSWER, "error code 35"),
        (
            "kafka",
            [(API_VERSIONS, API_VERSIONS_RESPONSE.replace(b"uplg", b"else"))],
            Reason.PROTOCOL,
            "not an answer of Kafka",
        ),
        ("mysql", [(b"", TOO_MANY)], Reason.ANSWER, "error 1040: Too many connections"),
        ("mysql", [(b"", b"\x1d\0\0\0\xff\x10\x04#08004Too many connections")], Reason.ANSWER, "error 1040: Too many"),
        ("mysql", [(b"", BLOCKED_HOST)], Reason.ANSWER, "error 1129: Host '10.99.0.1' is blocked"),
        (
            "postgres",
            postgres(error("57P03", "the database system is starting up")),
            Reason.NOT_READY,
            "the database system is starting up",
        ),
        (
            "postgres",
            postgres(error("53300", "sorry, too many clients already")),
            Reason.ANSWER,
            "53300 sorry, too many clients already",
        ),
        (
            "postgres",
            [(SSL_REQUEST, error("53300", "no more connections allowed"))],
            Reason.ANSWER,
            "53300 no more connections allowed",
        ),
        ("postgres", [(SSL_REQUEST, b"Sand on in clear text")], Reason.PROTOCOL, "where TLS had to begin"),
        ("amqp", [(AMQP, b"AMQP\x00\x01\x00\x00")], Reason.ANSWER, "the broker speaks AMQP 1.0.0, not 0-9-1"),
        ("smtp", smtp(b"554 No SMTP service here\r\n"), Reason.ANSWER, "554 No SMTP service here"),
        ("smtp", smtp(b"421 mx.example Service not available\r\n"), Reason.ANSWER, "421 mx.example"),
        (
            "smtp",
            smtp(b"220 mx.example\r\n", (EHLO, b"550-Go away\r\n550 now\r\n")),
            Reason.ANSWER,
            "550-Go away",
        ),
    ],
)
def test_an_answer_that_is_no_sign_of_health_says_why(kind, steps, reason, text):
    answer = answered(kind, steps)

    assert (answer.reason, text in answer.text) == (reason, True), answer.text


# No server of its kind


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "says",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", bytes(99) + b"\n"],
    ids=["http", "ssh", "zeros"],
)
def test_the_words_of_another_protocol_are_no_answer(kind, says):
    answer = ask(kind, conversing([(b"", says)], stay=False))

    assert (answer.reading, answer.reason, answer.received) == (None, Reason.PROTOCOL, True), answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_port_that_nobody_has_is_refused(kind):
    async def scenario() -> Answer:
        async with serving(conversing([])) as port:
            pass
        [answer] = await observe([a_check(kind=kind, target=f"{kind}://127.0.0.1:{port}", timeout=PATIENCE_MS)])
        return answer

    assert asyncio.run(scenario()).reason is Reason.REFUSED


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    abort(writer)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("serve", [conversing([], stay=False), reset], ids=["closed", "reset"])
def test_a_server_that_hangs_up_at_once_is_a_reset(kind, serve):
    answer = ask(kind, serve)

    assert (answer.reading, answer.reason, answer.received) == (None, Reason.RESET, False), answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_of_an_answer_passes(kind):
    steps, _ = HEALTHY[kind]
    last = max(place for place, (_, says) in enumerate(steps) if says)
    wanted, says = steps[last]
    # nothing tells the end of ZooKeeper's answer but that the server hangs up
    for end in range(SRVR.index(b"Mode: ") if kind == "zookeeper" else len(says)):
        answer = ask(kind, conversing([*steps[:last], (wanted, says[:end])], stay=False))

        assert (end, answer.reading) == (end, None)
        assert answer.reason in (Reason.RESET, Reason.PROTOCOL), answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_stops_halfway_is_a_timeout_of_a_network_that_works(kind):
    steps, _ = HEALTHY[kind]
    wanted, says = steps[0]
    answer = ask(kind, conversing([(wanted, says[: (len(says) + 1) // 2])]), timeout=300)

    assert (answer.reason, answer.received) == (Reason.TIMEOUT, True)


@pytest.mark.parametrize(
    ("kind", "steps", "endless"),
    [
        ("redis", [(PING, b"+")], b"PONG" * 1000),
        ("memcached", [(b"version\r\n", b"VERSION ")], b"1" * 1000),
        ("zookeeper", [(b"srvr", SRVR)], b"Node count: 5\n" * 100),
        ("kafka", [(API_VERSIONS, b"\x60\0\0\x0auplg\0\0\x10\0\0\0")], bytes(1000)),
        ("mysql", [(b"", b"\xff\xff\xff\0\x0a")], b"8" * 1000),
        ("postgres", postgres(b"E\x7f\xff\xff\xffC28000\0M"), b"m" * 1000),
        ("amqp", [(AMQP, b"\x01\0\0\x7f\xff\xff\xff")], bytes(1000)),
        ("smtp", [], b"220-still there\r\n" * 100),
    ],
)
def test_an_answer_without_end_ends_the_attempt(kind, steps, endless):
    answer = ask(kind, conversing(steps, endless=endless))

    assert answer.reading is None
    assert answer.reason in (Reason.PROTOCOL, Reason.TOO_LARGE), answer.text


ANSWERS = [says for steps, _ in HEALTHY.values() for _, says in steps if says]
garbled = st.builds(
    lambda says, at, junk, length: says[: at % (len(says) + 1)] + junk + says[at % (len(says) + 1) + length :],
    st.sampled_from(ANSWERS),
    st.integers(0, 500),
    st.binary(max_size=40),
    st.integers(0, 40),
)


@settings(max_examples=60)
@given(st.one_of(st.binary(max_size=200), garbled), st.sampled_from([b"", b"N", b"220 mx.example\r\n"]))
def test_whatever_bytes_come_back_are_an_answer_and_no_accident(junk, before):
    async def scenario() -> list[Answer]:
        async with serving(conversing([(b"", before), (b"", junk)], stay=False)) as port:
            target = f"127.0.0.1:{port}"
            return await observe(
                [a_check(kind=kind, target=f"{kind}://{target}", timeout=PATIENCE_MS) for kind in KINDS]
            )

    reasons = {answer.check.kind: answer.reason for answer in asyncio.run(scenario())}
    words = {None, Reason.RESET, Reason.PROTOCOL, Reason.ANSWER, Reason.NOT_READY, Reason.TOO_LARGE, Reason.TLS}
    assert {kind: reason for kind, reason in reasons.items() if reason not in words} == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rest", ["", ":", ":0x50", ":70000", "[::1"])
def test_a_target_without_a_host_or_with_no_port_is_our_error(kind, rest):
    [answer] = asyncio.run(observe([a_check(kind=kind, target=f"{kind}://{rest}", timeout=PATIENCE_MS)]))

    assert (verdict(answer).outcome, answer.reason) == (Outcome.UNKNOWN, Reason.LOCAL_ERROR)
