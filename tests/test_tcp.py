"""Ports that accept connections, and ports that do not."""

import asyncio
import socket

import pytest
from helpers import a_check, free_port
from helpers_faults import PATIENCE_MS, FaultProxy, saying, serving

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe
from uplog.collector.probes import lookup
from uplog.collector.probes.greeting import endpoint

pytestmark = pytest.mark.unit


async def ask(target: str, timeout: int = PATIENCE_MS) -> Answer:
    [answer] = await observe([a_check(kind="tcp", target=target, timeout=timeout)])
    return answer


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "tcp://127.0.0.1:{}", "localhost:{}"])
def test_a_port_that_accepts_passes(form):
    async def scenario() -> None:
        async with FaultProxy(0) as proxy:
            proxy.hang = True
            answer = await ask(form.format(proxy.port))
            await asyncio.sleep(0.05)

            assert verdict(answer).outcome is Outcome.PASS
            assert proxy.connections == 1

    asyncio.run(scenario())


def test_a_closed_port_is_refused():
    answer = asyncio.run(ask(f"127.0.0.1:{free_port()}"))

    assert (answer.reason, answer.text) == (Reason.REFUSED, "connection refused")


def test_a_full_queue_is_a_timeout():
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for client in (first, second):
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        answer = asyncio.run(ask(f"127.0.0.1:{full.getsockname()[1]}", timeout=200))

    assert (answer.reason, answer.text) == (Reason.TIMEOUT, "no answer within 0.2 s")
    assert 190 <= answer.took < 15_000


@pytest.mark.parametrize("target", ["", "web", "web:", ":80", "web:http", "web:70000", "web:-1"])
def test_a_target_that_is_no_host_and_port_is_our_error(target):
    answer = asyncio.run(ask(target))

    assert (verdict(answer).outcome, answer.reason) == (Outcome.UNKNOWN, Reason.LOCAL_ERROR)


def test_the_next_address_of_a_name_is_tried(monkeypatch):
    monkeypatch.setattr(lookup, "look_up", lambda name: ["127.0.0.2", "127.0.0.1"])

    async def scenario() -> Answer:
        async with FaultProxy(0) as proxy:
            return await ask(f"two.example:{proxy.port}")

    assert verdict(asyncio.run(scenario())).outcome is Outcome.PASS


def test_of_two_failures_the_one_that_came_back_is_told(monkeypatch):
    # nothing leaves this machine: class E addresses are refused by its own kernel
    monkeypatch.setattr(lookup, "look_up", lambda name: ["127.0.0.1", "255.255.255.255"])

    assert asyncio.run(ask(f"two.example:{free_port()}")).reason is Reason.REFUSED


@pytest.mark.parametrize("target", ["[::1]:80", "tcp://[::1]:80/"])
def test_brackets_of_an_ipv6_address_are_taken_off(target):
    assert endpoint(target) == ("::1", 80)


# What is said and what must come back


def talk(*says: bytes, stay: bool = False, timeout: int = PATIENCE_MS, **options: str) -> Answer:
    """Ask a server that waits for an empty line and then *says* something, whatever it was asked."""

    async def scenario() -> Answer:
        async with serving(saying(*says, stay=stay)) as port:
            check = a_check(kind="tcp", target=f"tcp://127.0.0.1:{port}", timeout=timeout, options=options)
            [answer] = await observe([check])
            return answer

    return asyncio.run(scenario())


@pytest.mark.parametrize("says", [(b"+OK ready\r\n",), (b"hello +O", b"K ready\r\n")])
def test_an_expected_answer_passes_before_the_server_hangs_up(says):
    assert verdict(talk(*says, stay=True, send="?\r\n\r\n", expect="+OK")).outcome is Outcome.PASS


def test_another_answer_fails_with_what_was_heard():
    answer = talk(b"-ERR \x1b[2Jlater\r\n", send="?\r\n\r\n", expect="+OK")

    assert (answer.reason, answer.text) == (Reason.ANSWER, "expected +OK, heard -ERR ?[2Jlater??")


def test_no_answer_is_told_from_another_one():
    assert talk(send="?\r\n\r\n", expect="+OK").reason is Reason.RESET


def test_an_answer_that_does_not_come_is_a_timeout():
    answer = talk(b"-ERR", stay=True, timeout=500, send="?\r\n\r\n", expect="+OK")

    assert (answer.reason, answer.received) == (Reason.TIMEOUT, True)


def test_no_more_than_64_kib_are_searched():
    answer = talk(b"x" * 100_000, b"+OK", stay=True, send="?\r\n\r\n", expect="+OK")

    assert answer.reason is Reason.ANSWER
