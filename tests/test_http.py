"""HTTP against real servers: good ones, broken ones, hostile ones."""

import asyncio
import datetime
import gzip
import json
import logging
import os
import ssl
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from helpers import a_check
from helpers_faults import PATIENCE_MS, FaultProxy, Serve, abort, patience, saying, serving

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Expect, Outcome, Reading, Reason
from uplog.collector.observe import observe
from uplog.collector.probes import lookup

pytestmark = pytest.mark.unit

HEAD = b"HTTP/1.1 200 OK\r\n"
OK = saying(HEAD + b"Content-Length: 2\r\nContent-Type: text/plain\r\n\r\nok")


def answer(serve: Serve, path: str = "/", host: str = "127.0.0.1", **check: object) -> Answer:
    """Ask a server that behaves as *serve* once."""

    async def scenario() -> Answer:
        async with serving(serve) as port:
            target = f"http://{host}:{port}{path}"
            [found] = await observe([a_check(**{"target": target, "timeout": PATIENCE_MS, **check})])
            return found

    return asyncio.run(scenario())


def reading(serve: Serve, path: str = "/", **check: object) -> Reading:
    """Ask, and expect a reading."""
    found = answer(serve, path, **check)
    assert found.reading is not None, found
    return found.reading


def recording(requests: list[str], *parts: bytes) -> Serve:
    """Serve *parts*, and keep the head of each request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"".join(parts))
        await writer.drain()

    return serve


def sent(requests: list[str]) -> dict[str, str]:
    """Return the headers of the newest request, names in lower case."""
    lines = requests[-1].strip().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


# A good answer


def test_an_answer_becomes_a_reading():
    found = reading(OK)

    assert (found.code, found.body, found.facts) == (200, b"ok", {})
    assert found.headers == {"content-length": "2", "content-type": "text/plain"}


def test_the_request_says_who_asks_and_wants_no_compression():
    requests: list[str] = []
    reading(recording(requests, HEAD, b"Content-Length: 0\r\n\r\n"), "/health?deep=1")

    headers = sent(requests)
    assert requests[0].startswith("GET /health?deep=1 HTTP/1.1\r\n")
    assert headers["user-agent"].startswith("Mozilla/5.0 (compatible; uplog/")
    assert headers["accept-encoding"] == "identity"


def test_each_check_has_a_connection_of_its_own_and_no_cookies():
    requests: list[str] = []
    serve = recording(requests, HEAD, b"Set-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")

    async def scenario() -> int:
        async with serving(serve) as upstream, FaultProxy(upstream) as proxy:
            target = f"http://localhost:{proxy.port}/"
            await observe([a_check(target=target)] * 3, concurrency=1)
            return proxy.connections

    assert asyncio.run(scenario()) == 3
    assert "cookie" not in sent(requests)


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    assert reading(OK).code == 200


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello", mtime=0)),
        ("x-gzip", gzip.compress(b"hello", mtime=0)),
        ("deflate", zlib.compress(b"hello")),
        ("deflate", zlib.compress(b"hello", wbits=-15)),
        ("GZIP ", gzip.compress(b"hello", mtime=0)),
        ("identity", b"hello"),
    ],
)
def test_a_compressed_body_is_unpacked(coding, body):
    head = b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body))

    assert reading(saying(HEAD + head + body)).body == b"hello"


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\n\r\n"])
def test_an_answer_without_a_body_does_not_wait_for_one(head):
    assert answer(saying(head, stay=True)).reason is None


# Broken and hostile answers


def test_a_body_is_cut_at_256_kib():
    found = reading(saying(HEAD + b"\r\n" + b"x" * 300_000))

    assert (len(found.body), found.facts) == (262_144, {"truncated": True})


@pytest.mark.parametrize(("size", "facts"), [(262_144, {}), (262_145, {"truncated": True})])
def test_a_body_is_truncated_only_beyond_the_cap(size, facts):
    assert reading(saying(HEAD + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)).facts == facts


def bomb() -> bytes:
    """Compress 256 MiB of zeros to 256 KiB, without ever holding them."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(256)] + [packer.flush()])


MEMORY = """
import json, resource, sys
from uplog.collector.observe import Local
from uplog.collector.model import Check
ask = Local()
checks = [Check(key="k", service="s", kind="http", target=f"http://127.0.0.1:{sys.argv[1]}/", timeout=5000)] * 8
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = ask(checks)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([sorted({len(a.reading.body) for a in found}), after - before]))
"""


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 10000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


@pytest.mark.parametrize("what", ["endless", "bomb"])
def test_memory_stays_flat_whatever_comes(what):
    packed = bomb() if what == "bomb" else b""
    serve = endless if what == "endless" else saying(HEAD + b"Content-Encoding: gzip\r\n\r\n" + packed)

    async def scenario() -> bytes:
        async with serving(serve) as port:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", MEMORY, str(port), stdout=subprocess.PIPE
            )
            return (await asyncio.wait_for(process.communicate(), 60))[0]

    sizes, grown_kib = json.loads(asyncio.run(scenario()))

    assert sizes == [262_144]
    assert grown_kib < 40_000  # 8 bodies of 256 KiB, aiohttp itself, and the buffers of 8 sockets


async def endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"X-Long: ")
    for _ in range(128):
        writer.write(b"x" * 65536)
        await writer.drain()


async def late_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 10\r\n\r\nok")
    await asyncio.sleep(0.05)
    abort(writer)


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def endless_100(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        await writer.drain()


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (saying(), Reason.RESET),
        (saying(b"HTTP/1.1 200 O"), Reason.RESET),
        (saying(HEAD + b"X: y\r\n"), Reason.RESET),
        (saying(HEAD + b"Content-Length: 10\r\n\r\nok"), Reason.RESET),
        (saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nok"), Reason.RESET),
        (late_reset, Reason.RESET),
        (saying(HEAD + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\nok"), Reason.PROTOCOL),
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), Reason.PROTOCOL),
        (saying(b"220 mail.example ESMTP\r\n", stay=True), Reason.PROTOCOL),
        (saying(bytes(range(256)) * 10), Reason.PROTOCOL),
        (saying(b"ok"), Reason.PROTOCOL),
        (saying(HEAD + b"Set-Cookie: secret\0x\r\n\r\n"), Reason.PROTOCOL),
        (saying(HEAD + b"Content-Length: -5\r\n\r\n"), Reason.PROTOCOL),
        (saying(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nok"), Reason.PROTOCOL),
        (saying(HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"), Reason.PROTOCOL),
        (endless_header, Reason.TOO_LARGE),
        (saying(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(100_000))), Reason.TOO_LARGE),
        (drip, Reason.TIMEOUT),
        (endless_100, Reason.TIMEOUT),
        (saying(stay=True), Reason.TIMEOUT),
        (saying(HEAD + b"Content-Length: 99999999999\r\n\r\nok", stay=True), Reason.TIMEOUT),
    ],
)
def test_a_broken_answer_says_how_it_is_broken(serve, reason):
    found = answer(serve, timeout=patience(reason, 300))

    assert (found.reason, verdict(found).outcome) == (reason, Outcome.FAIL)
    assert found.text
    assert "secret" not in found.text
    assert found.took < 15_000  # a flood keeps a busy machine from looking at its clock


def test_a_timeout_within_the_body_is_told_from_silence():
    within, silent = answer(drip, timeout=500), answer(saying(stay=True), timeout=200)

    assert (within.received, within.text) == (True, "no complete answer within 0.5 s")
    assert (silent.received, silent.text) == (False, "no answer within 0.2 s")


@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [
        ("reset", True, Reason.RESET),
        ("close", True, Reason.RESET),
        ("hang", True, Reason.TIMEOUT),
        ("drip", 0.1, Reason.TIMEOUT),
        ("cut_after", 20, Reason.RESET),
        ("cut_after", 0, Reason.RESET),
    ],
)
def test_a_fault_on_the_way_is_one_attempt_with_its_reason(fault, value, reason):
    async def scenario() -> tuple[Answer, int]:
        async with serving(OK) as upstream, FaultProxy(upstream) as proxy:
            setattr(proxy, fault, value)
            target, timeout = f"http://127.0.0.1:{proxy.port}/", patience(reason, 300)
            [found] = await observe([a_check(target=target, timeout=timeout)])
            return found, proxy.connections

    found, connections = asyncio.run(scenario())

    assert found.reason == reason
    assert connections == 1  # aiohttp would try a second time


def test_a_port_nobody_listens_on_is_refused():
    found = asyncio.run(observe([a_check(target="http://user:secret@127.0.0.1:1/?key=secret")]))[0]

    assert (found.reason, found.text, found.received) == (Reason.REFUSED, "connection refused", False)


@pytest.mark.parametrize(
    "target", ["", "web", "ftp://127.0.0.1/", "http://", "http://[::1", "http://127.1/", "http://a:b/", "http:///x"]
)
def test_a_target_that_cannot_be_asked_is_our_error(target):
    [found] = asyncio.run(observe([a_check(target=target)]))

    assert (found.reason, verdict(found).outcome) == (Reason.LOCAL_ERROR, Outcome.UNKNOWN)
    assert "broke" not in found.text


# Redirects


def to(location: str, code: int = 302) -> bytes:
    return f"HTTP/1.1 {code} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


def routes(pages: dict[str, bytes], requests: list[str] | None = None) -> Serve:
    """Serve a page by its path; `{port}` in it is the server's own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        if requests is not None:
            requests.append(request)
        port = str(writer.get_extra_info("sockname")[1]).encode()
        writer.write(pages[request.split()[1]].replace(b"{port}", port))

    return serve


DONE = HEAD + b"Content-Length: 4\r\n\r\ndone"


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/b", "b", "http://127.0.0.1:{port}/b", "//127.0.0.1:{port}/b#part", "?/../b"])
def test_a_redirect_on_the_same_host_is_followed(code, location):
    pages = {"/": to(location, code), "/b": DONE, "/?/../b": DONE}

    assert reading(routes(pages)).body == b"done"


def test_a_redirect_is_the_answer_when_it_is_not_to_be_followed():
    assert reading(saying(to("/b")), expect=Expect(follow=False)).code == 302


@pytest.mark.parametrize("code", [300, 304, 305, 306])
def test_other_3xx_are_answers(code):
    assert reading(saying(to("/b", code))).code == code


def test_a_redirect_to_nowhere_is_an_answer():
    assert reading(saying(b"HTTP/1.1 302 Go\r\nContent-Length: 0\r\n\r\n")).code == 302


def test_five_redirects_are_followed_and_six_are_not():
    pages = {f"/{n}": to(f"/{n + 1}") for n in range(6)} | {"/6": DONE}

    assert answer(routes(pages), "/1").reason is None
    assert answer(routes(pages), "/0").reason is Reason.REDIRECTS


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("/", Reason.REDIRECTS),
        ("", Reason.REDIRECTS),
        ("ftp://127.0.0.1/", Reason.REDIRECTS),
        ("file:///etc/passwd", Reason.REDIRECTS),
        ("javascript:alert(1)", Reason.REDIRECTS),
        ("http://[::1/", Reason.REDIRECTS),
        ("http://127.0.0.1:99999/", Reason.REDIRECTS),
        ("http://", Reason.REDIRECTS),
        ("http://localhost/", Reason.REDIRECT_OFFSITE),
        ("//other.example/", Reason.REDIRECT_OFFSITE),
        ("https://127.0.0.1.nip.example/", Reason.REDIRECT_OFFSITE),
        ("http://127.0.0.1@other.example/", Reason.REDIRECT_OFFSITE),
        ("http://169.254.169.254/latest/meta-data/", Reason.REDIRECT_OFFSITE),
    ],
)
def test_a_redirect_that_leads_nowhere_or_away_is_not_followed(location, reason):
    found = answer(saying(to(location)))

    assert (found.reason, found.received) == (reason, True)


METADATA = ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]"]
# Python 3.13 writes the last one in its mixed form
ALLOWED = (*(address.strip("[]") for address in METADATA), "::ffff:169.254.169.254")


@pytest.mark.parametrize("address", METADATA)
def test_no_redirect_leads_to_a_metadata_address_even_when_its_host_is_allowed(address):
    found = answer(saying(to(f"http://{address}/")), expect=Expect(redirect_hosts=ALLOWED))

    assert (found.reason, verdict(found).outcome) == (Reason.FORBIDDEN, Outcome.UNKNOWN)


@pytest.mark.parametrize("address", METADATA)
def test_no_allowed_name_leads_to_a_metadata_address(monkeypatch, address):
    monkeypatch.setattr(lookup, "look_up", lambda host: ["127.0.0.1", address.strip("[]")])

    found = answer(saying(to("http://sso.example/")), expect=Expect(redirect_hosts=("sso.example",)))

    assert found.reason is Reason.FORBIDDEN


def test_what_was_meant_for_one_host_is_not_told_to_another():
    here: list[str] = []
    there: list[str] = []

    async def scenario() -> Answer:
        async with serving(routes({"/there": DONE}, there)) as other:
            pages = {"/": to("/again"), "/again": to(f"http://localhost:{other}/there")}
            async with serving(routes(pages, here)) as port:
                check = a_check(
                    target=f"http://user:pass@127.0.0.1:{port}/",
                    headers=(("X-Api-Key", "secret"),),
                    expect=Expect(redirect_hosts=("localhost",)),
                )
                return (await observe([check]))[0]

    assert asyncio.run(scenario()).reason is None
    assert [(sent([r]).get("x-api-key"), sent([r]).get("authorization")) for r in here] == [
        ("secret", "Basic dXNlcjpwYXNz")
    ] * 2
    assert "secret" not in there[0]
    assert "authorization" not in sent(there)


def test_a_redirect_cannot_log_us_in_as_somebody_else():
    requests: list[str] = []
    pages = {"/": to("http://evil:login@127.0.0.1:{port}/b"), "/b": DONE}
    found = answer(routes(pages, requests), headers=(("Authorization", "Bearer ours"),))

    assert found.reason is None
    assert sent(requests)["authorization"] == "Bearer ours"


# Secrets


def test_header_values_come_from_the_environment_and_from_files(monkeypatch, tmp_path):
    monkeypatch.setenv("UPLOG_TEST_TOKEN", "from-env\n")
    (tmp_path / "token").write_text("from-file\n")
    requests: list[str] = []
    headers = (("X-A", "env:UPLOG_TEST_TOKEN"), ("X-B", f"file:{tmp_path}/token"), ("X-C", "a:b"))
    reading(recording(requests, HEAD, b"Content-Length: 0\r\n\r\n"), headers=headers)

    assert {name: sent(requests)[name] for name in ("x-a", "x-b", "x-c")} == {
        "x-a": "from-env",
        "x-b": "from-file",
        "x-c": "a:b",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("env:UPLOG_TEST_NONE", "the environment variable UPLOG_TEST_NONE is not set"),
        ("file:/no/such/file", "cannot read /no/such/file: No such file or directory"),
        ("env:UPLOG_TEST_LINES", "what env:UPLOG_TEST_LINES holds does not fit into one header"),
    ],
)
def test_a_missing_secret_is_our_error_and_names_where_it_should_be(monkeypatch, value, text):
    monkeypatch.setenv("UPLOG_TEST_LINES", "secret\r\nX-Other: secret")
    found = answer(OK, headers=(("X-Api-Key", value),))

    assert (found.reason, found.text, verdict(found).outcome) == (Reason.LOCAL_ERROR, text, Outcome.UNKNOWN)


def test_no_failure_tells_a_secret(monkeypatch, caplog):
    monkeypatch.setenv("UPLOG_TEST_TOKEN", "s3cr3t")
    caplog.set_level(logging.DEBUG)
    servers = [saying(), saying(stay=True), saying(b"SSH-2\r\n"), saying(to("/?s3cr3t")), endless_header]
    servers += [saying(to("ftp://s3cr3t/")), saying(HEAD + b"Set-Cookie: s3cr3t\0\r\n\r\n")]
    check = {"headers": (("X-Api-Key", "env:UPLOG_TEST_TOKEN"),), "timeout": 200}
    texts = [answer(serve, "/?key=s3cr3t", host="me:s3cr3t@127.0.0.1", **check).text for serve in servers]

    assert all(texts)
    assert "s3cr3t" not in " ".join(texts) + caplog.text


# TLS


ASK_TLS = """
import json, sys
from uplog.collector.observe import Local
from uplog.collector.model import Check
checks = [Check(key="k", service="s", kind="http", target=target) for target in sys.argv[1:]]
print(json.dumps([[a.reason, a.text, a.reading and a.reading.code] for a in Local()(checks)]))
"""


def over_tls(
    make: Callable[[trustme.CA], trustme.LeafCert], tmp_path: Path, host: str, trusted: bool = True
) -> list[object]:
    """Ask a TLS server over https, from a process that trusts its CA as an operator would have it."""
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    make(ours if trusted else theirs).configure_cert(context)

    async def scenario() -> list[object]:
        async with serving(OK, ssl=context) as port:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", ASK_TLS, f"https://{host}:{port}/"),
                stdout=subprocess.PIPE,
                env={**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")},
            )
            [found] = json.loads((await process.communicate())[0])
            return found

    return asyncio.run(scenario())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_a_trusted_authority_passes(tmp_path, host):
    assert over_tls(lambda ca: ca.issue_cert("localhost", "127.0.0.1"), tmp_path, host) == [None, "", 200]


def test_an_expired_certificate_says_so(tmp_path):
    past = datetime.datetime(2020, 1, 1)
    found = over_tls(lambda ca: ca.issue_cert("localhost", not_after=past), tmp_path, "localhost")

    assert found == ["certificate", "certificate has expired", None]


def test_a_certificate_for_another_name_says_so(tmp_path):
    reason, text, _ = over_tls(lambda ca: ca.issue_cert("other.example"), tmp_path, "localhost")

    assert (reason, str(text).startswith("Hostname mismatch")) == ("certificate", True)


def test_a_certificate_of_nobody_we_trust_says_so(tmp_path):
    reason, text, _ = over_tls(lambda ca: ca.issue_cert("localhost"), tmp_path, "localhost", trusted=False)

    assert (reason, text) == ("certificate", "unable to get local issuer certificate")


@pytest.mark.parametrize(("says", "reason"), [(DONE, Reason.TLS), (bytes(200), Reason.TLS), (b"", Reason.RESET)])
def test_a_server_without_tls_says_so(says, reason):
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(says)

    async def scenario() -> Answer:
        async with serving(plain) as port:
            return (await observe([a_check(target=f"https://127.0.0.1:{port}/")]))[0]

    assert asyncio.run(scenario()).reason is reason
