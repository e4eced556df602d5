"""Handshakes: with servers one can trust, with those one cannot, and with what is no TLS at all."""

import asyncio
import datetime
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from helpers import a_check, free_port
from helpers_faults import PATIENCE_MS, FaultProxy, Serve, patience, serving
from helpers_real import needs

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe
from uplog.collector.probes.certificates import context

pytestmark = pytest.mark.unit

NOW = datetime.datetime.now(datetime.UTC)
DAYS = datetime.timedelta(days=1)


async def ask(port: int, host: str = "localhost", timeout: int = PATIENCE_MS, **options: object) -> Answer:
    [answer] = await observe([a_check(kind="tls", target=f"tls://{host}:{port}", timeout=timeout, options=options)])
    return answer


async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve: wait until the client hangs up."""
    await reader.read()


def server_context(certificate: trustme.LeafCert, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(made)
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA(organization_name="Example Trust")


@pytest.fixture(scope="module")
def ca_file(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return str(path)


def handshake(certificate: trustme.LeafCert, host: str = "localhost", **options: object) -> Answer:
    """Ask a server that shows *certificate*."""

    async def scenario() -> Answer:
        async with serving(quiet, ssl=server_context(certificate, ("h2", "http/1.1"))) as port:
            return await ask(port, host, **options)

    return asyncio.run(scenario())


# What is told


def test_a_certificate_is_told_of(ca, ca_file):
    ends = NOW + 40 * DAYS + datetime.timedelta(hours=1)
    found = handshake(ca.issue_cert("localhost", "127.0.0.1", "*.example.org", not_after=ends), ca_file=ca_file)

    assert found.reading is not None, found
    told = dict(found.reading.certificate or {})
    assert int(told.pop("serial"), 16) > 0
    assert "Example Trust" in told.pop("issuer")
    assert "trustme" in told.pop("subject")
    assert told == {
        "not_after": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": 40,
        "chain_days_left": 40,
        "names": ["localhost", "127.0.0.1", "*.example.org"],
    }
    assert verdict(found).outcome is Outcome.PASS


def test_the_first_certificate_of_the_chain_to_end_is_told_of(ca, ca_file, tmp_path):
    # trustme dates no authorities, so the server shows another certificate that ends sooner than its own
    own = ca.issue_cert("localhost", not_after=NOW + 40 * DAYS + DAYS / 2)
    other = ca.issue_cert("other.example", not_after=NOW + 5 * DAYS + DAYS / 2)
    path = tmp_path / "chain.pem"
    path.write_bytes(own.private_key_and_cert_chain_pem.bytes() + other.cert_chain_pems[0].bytes())
    shown = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    shown.load_cert_chain(path)

    async def scenario() -> Answer:
        async with serving(quiet, ssl=shown) as port:
            return await ask(port, ca_file=ca_file)

    found = asyncio.run(scenario())

    assert found.reading is not None, found
    assert found.reading.certificate is not None
    assert (found.reading.certificate["days_left"], found.reading.certificate["chain_days_left"]) == (40, 5)


def test_facts_tell_what_was_agreed_on(ca, ca_file):
    found = handshake(ca.issue_cert("localhost"), ca_file=ca_file, alpn=["h2"])

    assert found.reading is not None, found
    assert (found.reading.facts["version"], found.reading.facts["alpn"]) == ("TLSv1.3", "h2")
    assert str(found.reading.facts["cipher"]).startswith("TLS_")


def test_a_certificate_with_ten_thousand_names_is_told_of_in_short(ca, ca_file):
    names = [f"host-{n}.example.org" for n in range(1000)]
    found = handshake(ca.issue_cert("localhost", *names), ca_file=ca_file)

    assert found.reading is not None, found
    assert found.reading.certificate is not None
    assert len(found.reading.certificate["names"]) == 100


# Certificates that prove nothing


def expired(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("localhost", not_before=NOW - 40 * DAYS, not_after=NOW - 2 * DAYS - DAYS / 2)


def not_yet(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("localhost", not_before=NOW + DAYS, not_after=NOW + 9 * DAYS)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (expired, "certificate has expired"),
        (not_yet, "certificate is not yet valid"),
        (lambda ca: ca.issue_cert("other.example"), "Hostname mismatch, certificate is not valid for 'localhost'."),
        (lambda ca: trustme.CA().issue_cert("localhost"), "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_that_proves_nothing_says_why(ca, ca_file, make, text):
    found = handshake(make(ca), ca_file=ca_file)

    assert (found.reason, found.text, verdict(found).outcome) == (Reason.CERTIFICATE, text, Outcome.FAIL)


def test_the_systems_authorities_are_trusted_without_a_file(ca, ca_file, monkeypatch):
    certificate = ca.issue_cert("localhost")

    assert handshake(certificate).text == "unable to get local issuer certificate"
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    assert handshake(certificate).reason is None


def test_an_expired_certificate_passes_unverified_and_shows_its_age(ca):
    found = handshake(expired(ca), verify=False)

    assert found.reading is not None, found
    assert found.reading.certificate is not None
    assert found.reading.certificate["days_left"] == -3
    assert found.reading.certificate["names"] == ["localhost"]


def test_the_name_to_prove_may_be_another_than_the_hosts(ca, ca_file):
    certificate = ca.issue_cert("shop.example")

    assert handshake(certificate, "127.0.0.1", ca_file=ca_file, server_name="shop.example").reason is None
    assert handshake(certificate, "127.0.0.1", ca_file=ca_file).reason is Reason.CERTIFICATE


def test_a_certificate_may_itself_be_what_is_trusted(ca, tmp_path):
    certificate = ca.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "leaf.pem"))

    assert handshake(certificate, ca_file=str(tmp_path / "leaf.pem")).reason is None


def test_a_renewed_file_of_authorities_is_read_again(ca, tmp_path):
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    certificate = ca.issue_cert("localhost")

    assert handshake(certificate, ca_file=str(path)).reason is Reason.CERTIFICATE
    ca.cert_pem.write_to_path(str(path))
    assert handshake(certificate, ca_file=str(path)).reason is None


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "cannot read {}: No such file or directory"), ("nothing", "{} has no certificates in PEM")],
)
def test_a_file_of_authorities_that_cannot_be_used_is_our_error(tmp_path, content, text):
    path = tmp_path / "ca.pem"
    if content:
        path.write_text(content)
    found = asyncio.run(ask(1, ca_file=str(path)))

    assert (found.reason, found.text) == (Reason.LOCAL_ERROR, text.format(path))


def test_the_authorities_of_the_system_are_read_once():
    from uplog.collector.probes.tls import Settings

    assert context(Settings()) is context(Settings(server_name="x"))


# What is no TLS


def says(*parts: bytes, stay: bool = True) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        for part in parts:
            writer.write(part)
        await writer.drain()
        if stay:
            await reader.read()

    return serve


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:  # records of a handshake that never gets anywhere
        writer.write(b"\x16\x03\x03\x40\x00" + bytes(16384))
        await writer.drain()
        await asyncio.sleep(0.001)


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\x16")
        await asyncio.sleep(0.05)


async def warnings_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(bytes.fromhex("15 0303 0002 0170") * 100)
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.TLS),
        (says(b"220 mail.example ESMTP\r\n"), Reason.TLS),
        (says(bytes(range(256)) * 40), Reason.TLS),
        (says(bytes.fromhex("15 0303 0002 0228")), Reason.TLS),
        (endless, Reason.TOO_LARGE),
        (warnings_without_end, Reason.TLS),
        (says(stay=False), Reason.RESET),
        (says(bytes.fromhex("16 0303 0100 02"), stay=False), Reason.RESET),
        (says(), Reason.TIMEOUT),
        (dripping, Reason.TLS),
    ],
)
def test_what_is_no_tls_says_so(serve, reason):
    async def scenario() -> Answer:
        async with serving(serve) as port:
            return await ask(port, timeout=patience(reason, 400))

    found = asyncio.run(scenario())

    assert (found.reason, verdict(found).outcome) == (reason, Outcome.FAIL)
    assert found.text
    assert found.took < 15_000


@pytest.fixture
def openssl(ca: trustme.CA, tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Start `openssl s_server` with further arguments on a free port."""
    program = needs("openssl", "openssl")
    (tmp_path / "server.pem").write_bytes(ca.issue_cert("localhost").private_key_and_cert_chain_pem.bytes())
    started = []

    def start(*arguments: str) -> int:
        command = [program, "s_server", "-accept", "127.0.0.1:0", "-cert", str(tmp_path / "server.pem"), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(b"ACCEPT"):
                return int(line.rpartition(b":")[2])
        raise AssertionError("openssl did not start")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_server_with_no_cipher_in_common_is_told_from_a_bad_certificate(openssl, ca_file):
    found = asyncio.run(ask(openssl("-tls1_2", "-cipher", "AES128-SHA"), "127.0.0.1", ca_file=ca_file))

    assert (found.reason, found.text) == (Reason.TLS, "no TLS connection: SSLV3_ALERT_HANDSHAKE_FAILURE")


def test_tls_1_2_will_do(openssl, ca_file):
    found = asyncio.run(ask(openssl("-tls1_2"), "127.0.0.1", ca_file=ca_file, server_name="localhost"))

    assert found.reading is not None, found
    assert found.reading.facts["version"] == "TLSv1.2"


def test_a_server_that_wants_a_certificate_of_ours_is_seen_all_the_same(openssl, ca_file):
    found = asyncio.run(ask(openssl("-Verify", "1"), "127.0.0.1", ca_file=ca_file, server_name="localhost"))

    assert found.reading is not None, found


@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [
        ("reset", True, Reason.RESET),
        ("close", True, Reason.RESET),
        ("hang", True, Reason.TIMEOUT),
        ("cut_after", 100, Reason.RESET),
    ],
)
def test_a_fault_on_the_way_has_its_reason(ca, ca_file, fault, value, reason):
    async def scenario() -> Answer:
        async with serving(quiet, ssl=server_context(ca.issue_cert("localhost"))) as port, FaultProxy(port) as proxy:
            setattr(proxy, fault, value)
            return await ask(proxy.port, timeout=patience(reason, 400), ca_file=ca_file)

    assert asyncio.run(scenario()).reason is reason


def test_a_port_nobody_listens_on_is_refused():
    assert asyncio.run(ask(1)).reason is Reason.REFUSED


@pytest.mark.parametrize("target", ["tls://", "tls://:443", "tls://host:99999", "tls://[::1"])
def test_a_target_that_cannot_be_asked_is_our_error(target):
    [found] = asyncio.run(observe([a_check(kind="tls", target=target)]))

    assert (found.reason, "broke" in found.text) == (Reason.LOCAL_ERROR, False)


# STARTTLS


def plainly(answers: bytes) -> Serve:
    """Serve *answers* before anything is asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answers)
        await writer.drain()
        writer.write_eof()
        await reader.read()

    return serve


def agreeing(*lines: tuple[bytes, bytes]) -> Callable[[ssl.SSLContext], Serve]:
    """Make servers that answer each thing said with another, and then speak TLS."""

    def make(shown: ssl.SSLContext) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for said, answer in lines:
                assert await reader.readexactly(len(said)) == said
                writer.write(answer)
            await writer.start_tls(shown)
            await reader.read()

        return serve

    return make


LDAP_ASKS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
POSTGRES_ASKS = bytes.fromhex("0000000804d2162f")
LDAP_AGREES = bytes.fromhex("300c02010178070a010004000400")  # OpenLDAP's
AD_AGREES = bytes.fromhex("3084000000280201017884000000 1f0a010004000400 8a16") + b"1.3.6.1.4.1.1466.20037"


@pytest.mark.parametrize(
    ("protocol", "make"),
    [
        (
            "smtp",
            agreeing(
                (b"", b"220-mail.example\r\n220 ESMTP\r\n"),
                (b"EHLO localhost\r\n", b"250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"),
                (b"STARTTLS\r\n", b"220 go ahead\r\n"),
            ),
        ),
        (
            "imap",
            agreeing(
                (b"", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n"),
                (b"a STARTTLS\r\n", b"* CAPABILITY IMAP4rev1\r\na OK begin\r\n"),
            ),
        ),
        ("pop3", agreeing((b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK begin\r\n"))),
        ("postgres", agreeing((POSTGRES_ASKS, b"S"))),
        ("ldap", agreeing((LDAP_ASKS, LDAP_AGREES))),
        ("ldap", agreeing((LDAP_ASKS, AD_AGREES))),
    ],
)
def test_tls_begins_after_starttls(ca, ca_file, protocol, make):
    async def scenario() -> Answer:
        async with serving(make(server_context(ca.issue_cert("localhost")))) as port:
            return await ask(port, ca_file=ca_file, starttls=protocol)

    found = asyncio.run(scenario())

    assert found.reading is not None, found
    assert found.reading.certificate is not None


def test_a_real_mail_server_starts_tls(ca, ca_file):
    port = free_port()
    server = Controller(Sink(), "127.0.0.1", port, tls_context=server_context(ca.issue_cert("localhost")))
    server.start()
    try:
        found = asyncio.run(ask(port, ca_file=ca_file, starttls="smtp"))
    finally:
        server.stop()

    assert found.reading is not None, found
    assert found.reading.certificate is not None


async def babbling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"220-and another thing\r\n" * 1000)
        await writer.drain()
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("protocol", "serve", "reason"),
    [
        ("smtp", plainly(b"554 no\r\n"), Reason.ANSWER),
        ("smtp", plainly(b"220 hello\r\n250 mail.example\r\n502 what\r\n"), Reason.ANSWER),
        ("smtp", plainly(b"HTTP/1.1 400 Bad Request\r\n"), Reason.PROTOCOL),
        ("smtp", plainly(b"220 hello\r\n250 mail.example\r\n220 go\r\n250 injected\r\n"), Reason.PROTOCOL),
        ("smtp", babbling, Reason.TOO_LARGE),
        ("imap", plainly(b"* BYE too many\r\n"), Reason.ANSWER),
        ("imap", plainly(b"* OK ready\r\na NO not here\r\n"), Reason.ANSWER),
        ("imap", plainly(b"+OK ready\r\n"), Reason.PROTOCOL),
        ("pop3", plainly(b"-ERR busy\r\n"), Reason.ANSWER),
        ("pop3", plainly(b""), Reason.RESET),
        ("postgres", plainly(b"N"), Reason.ANSWER),
        ("postgres", plainly(b"HTTP/1.1 400"), Reason.PROTOCOL),
        ("ldap", plainly(bytes.fromhex("300c02010178070a010204000400")), Reason.ANSWER),
        ("ldap", plainly(b"\xff\xff"), Reason.PROTOCOL),
        ("ldap", plainly(b"\x30\x84\xff\xff\xff\xff" + bytes(1000)), Reason.RESET),
    ],
)
def test_a_server_that_does_not_start_tls_says_so(protocol, serve, reason):
    async def scenario() -> Answer:
        async with serving(serve) as port:
            return await ask(port, starttls=protocol)

    assert asyncio.run(scenario()).reason is reason


# HTTP tells of a certificate in the same way

ASK_HTTPS = """
import json, sys
from uplog.collector.observe import Local
from uplog.collector.model import Check
[answer] = Local()([Check(key="k", service="s", kind="http", target=sys.argv[1])])
print(json.dumps([answer.text, answer.reading and answer.reading.certificate]))
"""


@pytest.mark.parametrize("body", [b"", b"hello"])
def test_an_answer_over_https_brings_the_certificate(ca, ca_file, body):
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async def scenario() -> tuple[str, dict[str, object]]:
        certificate = ca.issue_cert("localhost", not_after=NOW + 40 * DAYS + DAYS / 2)
        async with serving(serve, ssl=server_context(certificate)) as port:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", ASK_HTTPS, f"https://localhost:{port}/"),
                stdout=subprocess.PIPE,
                env={**os.environ, "SSL_CERT_FILE": ca_file},  # aiohttp reads it when it is imported
            )
            text, certificate = json.loads((await process.communicate())[0])
            return text, certificate

    text, told = asyncio.run(scenario())

    assert text == ""
    assert (told["days_left"], told["names"]) == (40, ["localhost"])
