"""Choosing which port becomes the check, and asking once whether it speaks HTTP."""

import asyncio
import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from uplog.collector.discover import ports
from uplog.collector.discover.ports import ask_http, learn, needs_asking, settle
from uplog.collector.model import Check, Expect, Port, Target

pytestmark = pytest.mark.unit

KEY = "systemd//app.service"


def a_target(*found: Port, **changes: Any) -> Target:
    return Target(**{"source": "systemd", "ref": "app.service", "name": "app.service", "ports": found, **changes})


def speaking(*numbers: int) -> dict[str, bool]:
    return {f"{KEY}:{number}": True for number in numbers}


# Which port becomes the check


@pytest.mark.parametrize(
    ("found", "http", "target"),
    [
        ([Port(port=80, host_ip="0.0.0.0")], [80], "http://127.0.0.1:80/"),
        ([Port(port=80)], [], "tcp://127.0.0.1:80"),
        ([Port(port=80, host_ip="0.0.0.0"), Port(port=80, host_ip="::")], [80], "http://127.0.0.1:80/"),
        ([Port(port=80, host_ip="::")], [80], "http://[::1]:80/"),
        ([Port(port=80, host_ip="192.0.2.7")], [80], "http://192.0.2.7:80/"),
        ([Port(port=80, host_ip="2001:db8::7")], [], "tcp://[2001:db8::7]:80"),
        ([Port(port=80, host_ip="192.0.2.7"), Port(port=80, host_ip="127.0.0.1")], [80], "http://127.0.0.1:80/"),
        # HTTP says more than a connection does
        ([Port(port=5672), Port(port=15672)], [15672], "http://127.0.0.1:15672/"),
        # what others reach comes before what only this machine does
        ([Port(port=8000, host_ip="127.0.0.1"), Port(port=9000)], [8000, 9000], "http://127.0.0.1:9000/"),
        ([Port(port=9001), Port(port=9000)], [9000, 9001], "http://127.0.0.1:9000/"),
        # a random port is another one tomorrow
        ([Port(port=40000), Port(port=50051)], [40000], "http://127.0.0.1:40000/"),
        ([Port(port=40000), Port(port=61616)], [40000], "tcp://127.0.0.1:61616"),
        ([Port(port=53, protocol="udp"), Port(port=8080)], [], "tcp://127.0.0.1:8080"),
    ],
)
def test_of_several_ports_this_one_becomes_the_check(found: list[Port], http: list[int], target: str) -> None:
    (check,) = settle(a_target(*found), speaking(*http)).checks

    assert check.target == target
    assert check.kind == target.partition(":")[0]


def test_a_discovered_http_port_passes_on_any_answer_below_500() -> None:
    (check,) = settle(a_target(Port(port=80)), speaking(80)).checks

    assert check.expect == Expect(status=((100, 499),), follow=False, suspect=True)


def test_the_note_says_why_this_port() -> None:
    many = a_target(Port(port=8080), Port(port=9090, host_ip="127.0.0.1"))

    assert settle(many, speaking(8080)).note == "port 8080 of 8080, 9090: speaks HTTP"
    assert settle(many, speaking(9090)).note == (
        "port 9090 of 8080, 9090: speaks HTTP; reachable from this machine only"
    )


@pytest.mark.parametrize(
    "target",
    [
        a_target(),
        a_target(Port(container_port=80)),
        a_target(Port(port=70000)),
        a_target(Port(port=53, protocol="udp")),
        a_target(Port(port=80), skipped="masked"),
        a_target(Port(port=80), checks=(Check(key="", service="", kind="http", target="http://declared/"),)),
    ],
)
def test_what_is_declared_skipped_or_has_no_port_is_left_alone(target: Target) -> None:
    assert settle(target, {}) == target
    assert needs_asking(target, {}) == ()


# Whether a port speaks HTTP

Handler = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(handler: Handler) -> Iterator[int]:
    """Serve *handler* on a free port of loopback, in threads, and yield that port."""

    class Request(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the asker may hang up at any moment
                handler(self.request)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Request) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def answering(said: bytes, *, first: bool = False, hang: bool = False) -> Handler:
    """Answer the question by *said*, or speak first; then hang up, or hang."""

    def handle(connection: socket.socket) -> None:
        if not first:
            connection.recv(4096)
        connection.sendall(said)
        if hang:
            while connection.recv(4096):
                pass

    return handle


def asked(handler: Handler) -> bool | None:
    with serving(handler) as port:
        return asyncio.run(ask_http("127.0.0.1", port))


@pytest.mark.parametrize(
    ("handler", "speaks"),
    [
        (answering(b"HTTP/1.1 200 OK\r\n\r\n"), True),
        (answering(b"HTTP/1.0 404 Not Found\r\n\r\n"), True),
        (answering(b"HTTP/1.1 503 Busy\r\n\r\n", hang=True), True),
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\nno host"), True),
        (answering(b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port"), False),
        (
            answering(b"HTTP/1.1 400 Bad Request\r\n\r\nYou're speaking plain HTTP to an SSL-enabled server port."),
            False,
        ),
        (answering(b"-ERR unknown command 'GET'\r\n"), False),
        (answering(b"SSH-2.0-OpenSSH_9.2\r\n", first=True, hang=True), False),
        (answering(b""), False),  # it understood enough to hang up
    ],
)
def test_an_answer_like_this_is_or_is_not_http(handler: Handler, speaks: bool) -> None:
    assert asked(handler) is speaks


def test_a_port_that_wants_tls_is_not_http() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)

    assert asked(lambda connection: context.wrap_socket(connection, server_side=True).close()) is False


def test_who_says_nothing_is_asked_again_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "ASK_S", 0.1)

    assert asked(answering(b"", hang=True)) is None


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    def flood(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"HTTP/1.1 400 Bad\r\n" + b"x" * 65536)

    assert asked(flood) is True, "none would be said at the deadline"


def test_each_port_is_asked_once_and_well_known_ones_never() -> None:
    target = a_target(Port(port=22), Port(port=3306), Port(port=8080), Port(port=9090))

    assert needs_asking(target, {f"{KEY}:9090": False}) == (Port(port=8080),)


def test_only_answers_are_learned() -> None:
    with serving(answering(b"")) as closed:
        pass
    with serving(answering(b"HTTP/1.1 200 OK\r\n\r\n")) as web:
        found = a_target(*(Port(port=port, host_ip="127.0.0.1") for port in (web, closed)))
        learned = asyncio.run(learn([found], {}))

    assert learned == {f"{KEY}:{web}": True}
