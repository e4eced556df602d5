"""WebSockets: a real server of aiohttp, and servers that break off, break the rules, or are only web pages."""

import asyncio
import base64
import hashlib
import ssl
from collections.abc import Awaitable, Callable

import pytest
import trustme
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from helpers import a_check
from helpers_faults import PATIENCE_MS, FaultProxy, Serve, abort, patience, serving

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe

pytestmark = pytest.mark.unit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def echo(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=["chat", "mqtt"])
    await socket.prepare(request)
    await socket.send_str("welcome")
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(f"you said {message.data}, {request.headers.get('X-Api-Key')}")
    return socket


async def goodbye(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.close(code=1013)
    return socket


def plain(status: int, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text="hello", headers=headers)

    return handler


def ask(handler: Handler, path: str = "/", timeout: int = PATIENCE_MS, **check: object) -> Answer:
    """Ask a real server, all of whose paths go to *handler*."""

    async def scenario() -> Answer:
        app = web.Application()
        app.router.add_get("/{any:.*}", handler)
        async with TestServer(app, host="127.0.0.1") as server:
            target = f"ws://127.0.0.1:{server.port}{path}"
            return (await observe([a_check(kind="websocket", target=target, timeout=timeout, **check)]))[0]

    return asyncio.run(scenario())


# A real server


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"ping": False},
        {"expect": "welcome"},
        {"send": "hi", "expect": "you said hi"},
        {"send": "grün", "expect": "grün"},
        {"subprotocol": "mqtt"},
    ],
)
def test_a_server_that_does_what_is_expected_passes(options):
    found = ask(echo, options=options)

    assert found.reading is not None, found
    assert found.reading.facts == {"subprotocol": options.get("subprotocol")}
    assert verdict(found).outcome is Outcome.PASS


def test_headers_are_sent_with_their_secrets(monkeypatch):
    monkeypatch.setenv("UPLOG_TEST_TOKEN", "secret")
    options = {"send": "hi", "expect": "you said hi, secret"}

    assert ask(echo, options=options, headers=(("X-Api-Key", "env:UPLOG_TEST_TOKEN"),)).reason is None


def test_an_expected_text_that_does_not_come_is_a_timeout():
    found = ask(echo, options={"send": "hi", "expect": "bye"}, timeout=500)

    assert (found.reason, found.text) == (Reason.TIMEOUT, "no complete answer within 0.5 s")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_server_that_does_not_know_the_subprotocol_fails():
    found = ask(echo, options={"subprotocol": "other"})

    assert (found.reason, found.text) == (Reason.ANSWER, "the server does not agree to the subprotocol other")


def test_a_server_that_closes_says_with_which_code():
    found = ask(goodbye)

    assert (found.reason, found.text) == (Reason.ANSWER, "the server closed the WebSocket with the code 1013")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, Reason.PROTOCOL),
        (204, Reason.PROTOCOL),
        (302, Reason.HTTP_3XX),
        (401, Reason.BLOCKED),
        (403, Reason.BLOCKED),
        (404, Reason.HTTP_4XX),
        (426, Reason.HTTP_4XX),
        (502, Reason.HTTP_5XX),
    ],
)
def test_another_status_than_101_says_which(status, reason):
    found = ask(plain(status))

    assert (found.reason, found.text) == (reason, f"expected the status 101, saw {status}")


def test_no_redirect_is_followed():
    paths = []

    async def redirect(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    assert ask(redirect).reason is Reason.HTTP_3XX
    assert paths == ["/"]


@pytest.mark.parametrize("target", ["ws://", "http://127.0.0.1/", "ws://[::1", "ws://127.0.0.1:99999/"])
def test_a_target_that_cannot_be_asked_is_our_error(target):
    [found] = asyncio.run(observe([a_check(kind="websocket", target=target)]))

    assert (found.reason, "broke" in found.text) == (Reason.LOCAL_ERROR, False)


def test_a_port_nobody_listens_on_is_refused():
    [found] = asyncio.run(observe([a_check(kind="websocket", target="ws://127.0.0.1:1/")]))

    assert found.reason is Reason.REFUSED


# TLS


def over_tls(certificate: trustme.LeafCert, **options: object) -> Answer:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    async def scenario() -> Answer:
        app = web.Application()
        app.router.add_get("/", echo)
        server = TestServer(app, scheme="https", host="127.0.0.1")
        await server.start_server(ssl=context)
        try:
            target = f"wss://localhost:{server.port}/"
            return (await observe([a_check(kind="websocket", target=target, options=options)]))[0]
        finally:
            await server.close()

    return asyncio.run(scenario())


def test_a_secure_websocket_brings_its_certificate(tmp_path):
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    found = over_tls(ca.issue_cert("localhost"), ca_file=str(tmp_path / "ca.pem"))

    assert found.reading is not None, found
    assert found.reading.certificate is not None
    assert found.reading.certificate["names"] == ["localhost"]


def test_a_certificate_of_nobody_we_trust_fails_unless_it_may(tmp_path):
    certificate = trustme.CA().issue_cert("localhost")

    assert over_tls(certificate).reason is Reason.CERTIFICATE
    assert over_tls(certificate, verify=False).reason is None


# Servers that say just what a test wants

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


def upgrading(*frames: bytes, accept: bytes | None = None, again: bool = False, ends: str = "stays") -> Serve:
    """Agree to a WebSocket, say *frames*, once or without end, and stay, close or reset."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = head.lower().partition(b"sec-websocket-key: ")[0]
        key = head[len(key) + 19 :].partition(b"\r\n")[0]
        proof = accept or base64.b64encode(hashlib.sha1(key + GUID).digest())
        writer.write(b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n" + b"".join(frames))
        await writer.drain()
        while again:
            writer.write(b"".join(frames))
            await writer.drain()
            await asyncio.sleep(0.001)
        if ends == "resets":
            await asyncio.sleep(0.05)
            abort(writer)
        elif ends == "stays":
            await reader.read()
            await asyncio.sleep(60)  # however politely the client goes

    return serve


def told(serve: Serve, timeout: int = PATIENCE_MS, **options: object) -> Answer:
    async def scenario() -> Answer:
        async with serving(serve) as port:
            target = f"ws://127.0.0.1:{port}/"
            return (await observe([a_check(kind="websocket", target=target, timeout=timeout, options=options)]))[0]

    return asyncio.run(scenario())


def text(data: bytes, first: int = 0x81) -> bytes:
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + len(data).to_bytes(2)
    return bytes([first]) + size + data


def test_a_server_that_does_not_say_goodbye_does_not_hold_us_up():
    found = told(upgrading(text(b"welcome")), expect="welcome")

    assert found.reason is None
    assert found.took < 8_000  # aiohttp would wait 10 s for it


def test_what_is_expected_may_come_in_pieces():
    assert told(upgrading(text(b"wel", 0x01), text(b"come", 0x80)), expect="welcome").reason is None


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (upgrading(accept=b"bm90IHRoZSBrZXk="), Reason.PROTOCOL),
        (upgrading(), Reason.TIMEOUT),
        (upgrading(text(b"pong", 0x8A)), Reason.TIMEOUT),
        (upgrading(ends="closes"), Reason.RESET),
        (upgrading(ends="resets"), Reason.RESET),
        (upgrading(b"\x81\x05he", ends="closes"), Reason.RESET),
        (upgrading(b"\x88\x02\x03\xf3"), Reason.ANSWER),
        (upgrading(b"\x88\x00"), Reason.ANSWER),
        (upgrading(b"\x88\x01\x00"), Reason.PROTOCOL),
        (upgrading(b"\xff" * 100), Reason.PROTOCOL),
        (upgrading(b"\x81\x02\xff\xfe"), Reason.PROTOCOL),
        (upgrading(b"\x80\x01x"), Reason.PROTOCOL),
        (upgrading(b"\x81\x7f\x00\x00\x00\x01\x00\x00\x00\x00"), Reason.TOO_LARGE),
        (upgrading(text(b"x" * 60_000, 0x01), text(b"x" * 60_000, 0x80)), Reason.TOO_LARGE),
        (upgrading(text(b"x" * 1000), again=True), Reason.ANSWER),
        (upgrading(text(b"") * 100, again=True), Reason.ANSWER),
        (upgrading(text(b"", 0x89) * 100, again=True), Reason.ANSWER),
    ],
)
def test_a_server_that_breaks_off_or_the_rules_says_so(serve, reason):
    found = told(serve, timeout=patience(reason, 800))

    assert (found.reason, verdict(found).outcome) == (reason, Outcome.FAIL)
    assert found.text
    assert found.took < 15_000


@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [
        ("reset", True, Reason.RESET),
        ("close", True, Reason.RESET),
        ("hang", True, Reason.TIMEOUT),
        ("drip", 0.05, Reason.TIMEOUT),
        ("cut_after", 20, Reason.RESET),
        ("cut_after", 115, Reason.RESET),
    ],
)
def test_a_fault_on_the_way_is_one_attempt_with_its_reason(fault, value, reason):
    async def scenario() -> tuple[Answer, int]:
        async with serving(upgrading(text(b"hello"))) as port, FaultProxy(port) as proxy:
            setattr(proxy, fault, value)
            target, timeout = f"ws://127.0.0.1:{proxy.port}/", patience(reason, 300)
            check = a_check(kind="websocket", target=target, timeout=timeout, options={"expect": "hello"})
            return (await observe([check]))[0], proxy.connections

    found, connections = asyncio.run(scenario())

    assert (found.reason, connections) == (reason, 1)
