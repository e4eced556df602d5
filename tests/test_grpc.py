"""The health of gRPC services: a real server of grpcio, and servers that only speak HTTP/2, or not even that."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from helpers import a_check
from helpers_faults import PATIENCE_MS, FaultProxy, Serve, patience, serving

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe

pytestmark = pytest.mark.unit

State = health_pb2.HealthCheckResponse


def ask(target: str, timeout: int = PATIENCE_MS, **check: object) -> Answer:
    return asyncio.run(observe([a_check(kind="grpc", target=target, timeout=timeout, **check)]))[0]


class Server:
    """A server of grpcio with the health service, or without any."""

    def __init__(self, *, with_health: bool = True, credentials: grpc.ServerCredentials | None = None) -> None:
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self.health = health.HealthServicer()
        self.health.set("", State.SERVING)
        if with_health:
            health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        if credentials:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        else:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    running.health.set("shop.Cart", State.NOT_SERVING)
    running.health.set("shop.Stock", State.SERVING)
    running.health.set("shop.New", State.UNKNOWN)
    running.health.set("shop.Old", State.SERVICE_UNKNOWN)
    yield running
    running.stop()


# A real server


@pytest.mark.parametrize(("path", "service"), [("", ""), ("/", ""), ("/shop.Stock", "shop.Stock")])
def test_a_service_that_serves_passes(server, path, service):
    found = ask(f"grpc://127.0.0.1:{server.port}{path}")

    assert found.reading is not None, found
    assert found.reading.facts == {"service": service, "state": "SERVING"}
    assert verdict(found).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("path", "reason", "text"),
    [
        ("shop.Cart", Reason.NOT_READY, "expected the state SERVING, saw NOT_SERVING"),
        ("shop.New", Reason.NOT_READY, "expected the state SERVING, saw UNKNOWN"),
        ("shop.Old", Reason.ANSWER, "expected the state SERVING, saw SERVICE_UNKNOWN"),
        ("shop.None", Reason.ANSWER, "the call ended with the code 5 (NOT_FOUND)"),
    ],
)
def test_a_service_that_does_not_serve_says_so(server, path, reason, text):
    found = ask(f"grpc://127.0.0.1:{server.port}/{path}")

    assert (found.reason, found.text, verdict(found).outcome) == (reason, text, Outcome.FAIL)


def test_a_server_without_the_health_service_says_so():
    running = Server(with_health=False)
    found = ask(f"grpc://127.0.0.1:{running.port}")
    running.stop()

    assert (found.reason, found.text) == (
        Reason.ANSWER,
        "the call ended with the code 12 (UNIMPLEMENTED): Method not found!",
    )


def test_a_state_that_changes_is_seen_the_next_time():
    running = Server()
    before = ask(f"grpc://127.0.0.1:{running.port}").reason
    running.health.enter_graceful_shutdown()
    after = ask(f"grpc://127.0.0.1:{running.port}").reason
    running.stop()

    assert (before, after) == (None, Reason.NOT_READY)


@pytest.mark.parametrize("target", ["grpc://", "grpc://127.0.0.1", "grpc://127.0.0.1:99999"])
def test_a_target_without_host_and_port_is_our_error(target):
    found = ask(target)

    assert (found.reason, "broke" in found.text) == (Reason.LOCAL_ERROR, False)


def test_a_port_nobody_listens_on_is_refused():
    assert ask("grpc://127.0.0.1:1").reason is Reason.REFUSED


# TLS


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(ca: trustme.CA) -> Iterator[Server]:
    certificate = ca.issue_cert("localhost")
    key, chain = certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()
    running = Server(credentials=grpc.ssl_server_credentials([(key, chain)]))
    yield running
    running.stop()


def test_a_call_over_tls_brings_the_certificate(secure, ca, tmp_path):
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    found = ask(f"grpcs://localhost:{secure.port}", options={"ca_file": str(tmp_path / "ca.pem")})

    assert found.reading is not None, found
    assert found.reading.certificate is not None
    assert found.reading.certificate["names"] == ["localhost"]


def test_whom_we_do_not_trust_is_not_asked(secure):
    assert ask(f"grpcs://localhost:{secure.port}").reason is Reason.CERTIFICATE
    assert ask(f"grpcs://localhost:{secure.port}", options={"verify": False}).reason is None


def test_tls_where_there_is_none_and_none_where_there_is(server, secure):
    assert ask(f"grpcs://localhost:{server.port}").reason in (Reason.TLS, Reason.RESET)
    assert ask(f"grpc://localhost:{secure.port}").reason in (Reason.PROTOCOL, Reason.RESET)


# Servers that say just what a test wants


def answering(headers: dict[str, str], body: bytes = b"", trailers: dict[str, str] | None = None) -> Serve:
    """Answer a call with *headers*, *body* and *trailers*."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        http2.initiate_connection()
        while data := await reader.read(65536):
            for event in http2.receive_data(data):
                if isinstance(event, h2.events.StreamEnded):
                    http2.send_headers(1, headers.items(), end_stream=not body and trailers is None)
                    if body:
                        http2.send_data(1, body, end_stream=trailers is None)
                    if trailers is not None:
                        http2.send_headers(1, trailers.items(), end_stream=True)
            writer.write(http2.data_to_send())

    return serve


def told(serve: Serve, timeout: int = PATIENCE_MS, **check: object) -> Answer:
    async def scenario() -> Answer:
        async with serving(serve) as port:
            target = f"grpc://127.0.0.1:{port}/shop"
            return (await observe([a_check(kind="grpc", target=target, timeout=timeout, **check)]))[0]

    return asyncio.run(scenario())


GRPC = {":status": "200", "content-type": "application/grpc"}
SERVING = bytes.fromhex("00000000020801")
OK = {"grpc-status": "0"}


def test_a_small_server_of_ours_is_understood():
    assert told(answering(GRPC, SERVING, OK)).reason is None


@pytest.mark.parametrize(
    ("headers", "body", "trailers", "reason"),
    [
        ({":status": "404"}, b"no", None, Reason.HTTP_4XX),
        ({":status": "403"}, b"", None, Reason.BLOCKED),
        ({":status": "503"}, b"", None, Reason.HTTP_5XX),
        ({":status": "204"}, b"", None, Reason.PROTOCOL),
        ({":status": "200", "content-type": "text/html"}, b"<html>", None, Reason.PROTOCOL),
        (GRPC, SERVING, None, Reason.PROTOCOL),
        (GRPC, SERVING, {"grpc-status": "-1"}, Reason.PROTOCOL),
        (GRPC, SERVING, {"grpc-status": "9" * 5000}, Reason.PROTOCOL),
        (GRPC, b"", OK, Reason.PROTOCOL),
        (GRPC, SERVING[:-1], OK, Reason.PROTOCOL),
        (GRPC, b"\x01" + SERVING[1:], OK, Reason.PROTOCOL),
        (GRPC, SERVING * 2, OK, Reason.PROTOCOL),
        (GRPC, bytes.fromhex("00000000021201"), OK, Reason.PROTOCOL),
        (GRPC, bytes.fromhex("00000000020809"), OK, Reason.NOT_READY),
        (GRPC, bytes(5), OK, Reason.NOT_READY),
        (GRPC | {"grpc-status": "14"}, b"", None, Reason.NOT_READY),
        (GRPC | {"grpc-status": "16"}, b"", None, Reason.BLOCKED),
        (GRPC | {"grpc-status": "7", "grpc-message": "%F0%9F%92%A9%ff%0a"}, b"", None, Reason.BLOCKED),
        (GRPC | {"grpc-status": "4"}, b"", None, Reason.TIMEOUT),
        (GRPC | {"grpc-status": "99"}, b"", None, Reason.ANSWER),
        (GRPC | {f"x-{n}": "y" * 100 for n in range(700)} | OK, b"", None, Reason.TOO_LARGE),
    ],
)
def test_an_answer_that_is_not_as_it_should_be_says_so(headers, body, trailers, reason):
    found = told(answering(headers, body, trailers))

    assert (found.reason, verdict(found).outcome) == (reason, Outcome.FAIL)
    assert found.text.isprintable()


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


SETTINGS = frame(4, 0, 0)


def saying(*parts: bytes, stay: bool = True) -> Serve:
    """Say *parts* once something was asked, and then no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"".join(parts))
        await writer.drain()
        if stay:
            await reader.read()

    return serve


def again(part: bytes) -> Serve:
    """Say *part* without end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SETTINGS)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.001)

    return serve


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (saying(stay=False), Reason.RESET),
        (saying(SETTINGS, stay=False), Reason.RESET),
        (saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.PROTOCOL),
        (saying(bytes(range(255, -1, -1)) * 100), Reason.PROTOCOL),
        (saying(SETTINGS, frame(3, 0, 1, bytes([0, 0, 0, 7]))), Reason.RESET),
        (saying(SETTINGS, frame(7, 0, 0, bytes(8))), Reason.RESET),
        (saying(SETTINGS, frame(0, 0, 1, b"data before headers")), Reason.PROTOCOL),
        (saying(SETTINGS, frame(1, 4, 1, b"\xff\xff\xff\xff\xff")), Reason.PROTOCOL),
        (saying(SETTINGS, frame(1, 4, 1, b"\x88\x00\x00\x01\xff")), Reason.PROTOCOL),
        (again(frame(6, 0, 0, bytes(8)) * 1000), Reason.TOO_LARGE),
        (again(frame(4, 0, 0) * 1000), Reason.TOO_LARGE),
        (again(frame(1, 0, 1, b"\x88") + frame(9, 0, 1, bytes(100)) * 1000), Reason.PROTOCOL),
    ],
)
def test_a_hostile_server_is_given_up(serve, reason):
    found = told(serve)

    assert (found.reason, verdict(found).outcome) == (reason, Outcome.FAIL)
    assert found.text


@pytest.mark.parametrize("serve", [saying(), saying(SETTINGS), again(SETTINGS)])
def test_a_server_that_never_comes_to_the_point_is_cut_off_by_the_deadline(serve):
    found = told(serve, timeout=300)

    assert found.reason is Reason.TIMEOUT
    assert found.took < 15_000


@pytest.mark.parametrize(
    ("fault", "value", "reason"),
    [
        ("reset", True, Reason.RESET),
        ("close", True, Reason.RESET),
        ("hang", True, Reason.TIMEOUT),
        ("drip", 0.05, Reason.TIMEOUT),
        ("cut_after", 30, Reason.RESET),
    ],
)
def test_a_fault_on_the_way_is_one_attempt_with_its_reason(server, fault, value, reason):
    async def scenario() -> tuple[Answer, int]:
        async with FaultProxy(server.port) as proxy:
            setattr(proxy, fault, value)
            check = a_check(kind="grpc", target=f"grpc://127.0.0.1:{proxy.port}", timeout=patience(reason, 400))
            return (await observe([check]))[0], proxy.connections

    found, connections = asyncio.run(scenario())

    assert (found.reason, connections) == (reason, 1)


# What is said, and what is left behind


def test_headers_are_sent_with_their_secrets_and_the_deadline_too(monkeypatch):
    monkeypatch.setenv("UPLOG_TEST_TOKEN", "Bearer secret")
    heard: dict[str, str] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        for event in http2.receive_data(await reader.read(65536)):
            if isinstance(event, h2.events.RequestReceived):
                heard.update(event.headers)

    told(serve, headers=(("Authorization", "env:UPLOG_TEST_TOKEN"),))

    assert heard.pop(":authority").startswith("127.0.0.1:")
    assert heard.pop("user-agent").startswith("Mozilla/5.0 (compatible; uplog/")
    assert heard == {
        ":method": "POST",
        ":scheme": "http",
        ":path": "/grpc.health.v1.Health/Check",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-timeout": f"{PATIENCE_MS}m",
        "authorization": "Bearer secret",
    }


MANY = """
import json, os, sys
from uplog.collector.observe import Local
from uplog.collector.model import Check
check = Check(key="k", service="s", kind="grpc", target=sys.argv[1], timeout=int(sys.argv[2]))
ask = Local()
ask([check] * 20)
def left():
    return [len(os.listdir(f"/proc/self/{what}")) for what in ("fd", "task")]
before = left()
for _ in range(10):
    found = ask([check] * 20)
print(json.dumps([before, left(), sorted({str(answer.reason) for answer in found})]))
"""


@pytest.mark.parametrize("hangs", [False, True])
def test_two_hundred_calls_leave_no_files_and_no_threads_and_the_process_ends(server, hangs):
    async def scenario() -> tuple[bytes, float]:
        async with FaultProxy(server.port) as proxy:
            proxy.hang = hangs
            arguments = [f"grpc://127.0.0.1:{proxy.port}", "100" if hangs else "2000"]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", MANY, *arguments, stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            line, said = await process.stdout.readline(), time.monotonic()
            await process.wait()
            return line, time.monotonic() - said

    line, ending = asyncio.run(scenario())
    before, after, reasons = json.loads(line)

    assert reasons == (["timeout"] if hangs else ["None"])
    assert after == before
    assert ending < 30


WITHOUT = """
import sys
sys.modules["h2"] = sys.modules["h2.config"] = None
from uplog.collector.observe import Local
from uplog.collector.model import Check
[answer] = Local()([Check(key="k", service="s", kind="grpc", target=f"grpc://127.0.0.1:{sys.argv[1]}")])
print(answer.reason, answer.text)
"""


def test_without_the_extra_it_is_named(server):
    command = [sys.executable, "-c", WITHOUT, str(server.port)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert said == "local_error HTTP/2 needs the extra: pip install 'uplog[grpc]'\n"
