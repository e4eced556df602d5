"""The engine: slots, deadlines, and every exception made an answer."""

import asyncio
import logging
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from helpers import a_check
from helpers_faults import FaultProxy, saying

from uplog.collector import observe as engine
from uplog.collector.judge import verdict
from uplog.collector.model import UNMEASURED, Answer, Check, Outcome, ProbeFailed, Reading, Reason
from uplog.collector.observe import Beat, Local, Stopped, observe
from uplog.collector.probes import PROBES, lookup
from uplog.collector.probes.shared import addresses

pytestmark = pytest.mark.unit

T = datetime(2026, 11, 21, 12, tzinfo=UTC)
OK = saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def checks(count: int, **changes: object) -> list[Check]:
    return [a_check(key=str(n), **{"timeout": 500, **changes}) for n in range(count)]


def asking(probe: object, *asked: Check, **options: object) -> list[Answer]:
    return Local(probes={"http": probe}, clock=lambda: T, **options)(asked or [a_check(timeout=500)])  # type: ignore[arg-type]


async def sleep(check: Check) -> Reading:
    await asyncio.sleep(0.1)
    return Reading(code=200)


async def stuck(check: Check) -> Reading:
    await asyncio.Event().wait()
    raise AssertionError


def raising(error: Exception) -> object:
    async def probe(check: Check) -> Reading:
        raise error

    return probe


# What becomes of an attempt


def test_a_reading_is_an_answer_with_its_moment_and_its_time():
    [answer] = asking(sleep, a_check(timeout=5000))

    assert 99 <= answer.took < 5000  # uvloop's clock knows no parts of a millisecond
    assert answer == Answer(check=a_check(timeout=5000), at=T, took=answer.took, reading=Reading(code=200))


def test_a_failure_keeps_its_reason_and_a_short_text():
    [answer] = asking(raising(ProbeFailed(Reason.RESET, "y" * 900, no_route=True)))

    assert (answer.reason, answer.text, answer.no_route, answer.reading) == (Reason.RESET, "y" * 500, True, None)


def test_the_deadline_is_the_checks_own():
    first, second = asking(stuck, a_check(timeout=100), a_check(timeout=300))

    assert (first.reason, first.text) == (Reason.TIMEOUT, "no answer within 0.1 s")
    assert 99 <= first.took < second.took


def test_a_bug_in_a_probe_is_unknown_for_its_check_only_and_is_logged(caplog):
    async def probe(check: Check) -> Reading:
        return Reading(code={"0": 200}[check.key])

    good, bad = asking(probe, *checks(2))

    assert verdict(good).outcome is Outcome.PASS
    assert (verdict(bad).outcome, bad.reason, bad.text) == (
        Outcome.UNKNOWN,
        Reason.LOCAL_ERROR,
        "the http probe broke: KeyError",
    )
    assert [(r.levelno, r.exc_info is not None) for r in caplog.records] == [(logging.ERROR, True)]


def test_a_kind_nobody_knows_is_unknown_for_its_check_only():
    [bad, good] = asking(sleep, a_check(kind="telepathy"), a_check())

    assert (bad.reason, bad.text) == (Reason.LOCAL_ERROR, "there is no probe of kind telepathy")
    assert good.reason is None


def test_a_probe_that_cannot_be_loaded_is_unknown_for_its_check_only(caplog):
    [answer] = asking("no.such.module:probe")

    assert (answer.reason, answer.text) == (
        Reason.LOCAL_ERROR,
        "the http probe cannot be loaded: ModuleNotFoundError",
    )


@pytest.mark.parametrize("kind", PROBES)
def test_every_probe_of_the_table_can_be_loaded(kind):
    assert "cannot be loaded" not in Local()([a_check(kind=kind, target="")])[0].text


# Slots


@dataclass(slots=True)
class Counting:
    """A probe that takes some *seconds*, and knows how many questions were open at the same time."""

    seconds: float
    now: int = 0
    most: int = 0

    async def __call__(self, check: Check) -> Reading:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.now -= 1
        return Reading()


def test_answers_come_in_the_order_of_the_checks():
    async def probe(check: Check) -> Reading:
        await asyncio.sleep(0.05 if int(check.key) % 2 else 0)
        return Reading(code=int(check.key))

    answers = asking(probe, *checks(20), concurrency=7)

    assert [answer.reading and answer.reading.code for answer in answers] == list(range(20))


def test_no_more_than_the_concurrency_are_in_flight():
    probe = Counting(seconds=0.01)

    asking(probe, *checks(40, timeout=20_000), concurrency=5)

    assert probe.most == 5


def test_the_clock_starts_at_the_slot_not_in_the_queue():
    answers = asking(sleep, *checks(42, timeout=1900), concurrency=2)  # the last waits two seconds for its turn

    assert {answer.reason for answer in answers} == {None}
    assert max(answer.took for answer in answers) < 1900


def test_one_black_hole_among_a_hundred_delays_nobody():
    passed: list[str] = []
    before_the_hole: list[str] = []

    async def probe(check: Check) -> Reading:
        if check.key == "7":
            try:
                return await stuck(check)
            finally:
                before_the_hole.extend(passed)
        await asyncio.sleep(0.01)
        passed.append(check.key)
        return Reading(code=200)

    answers = asking(probe, *checks(100, timeout=1000), concurrency=10)

    assert len(before_the_hole) == 99
    assert [answer.check.key for answer in answers if answer.reason] == ["7"]


def test_nothing_to_ask_is_no_answers():
    assert Local()([]) == []


# Stopping


def test_stop_ends_what_is_in_flight_in_every_thread():
    ask = Local(probes={"http": stuck})  # type: ignore[dict-item]
    ended: list[BaseException] = []

    def call() -> None:
        try:
            ask([a_check(timeout=60_000)])
        except Stopped as stopped:
            ended.append(stopped)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    ask.stop()
    for thread in threads:
        thread.join(30)

    assert len(ended) == 3


def test_a_stopped_engine_asks_nobody():
    ask = Local(probes={"http": sleep})  # type: ignore[dict-item]
    ask.stop()

    with pytest.raises(Stopped):
        ask([a_check()])


def test_several_threads_may_ask_at_once():
    probe = Counting(seconds=0.1)
    ask = Local(probes={"http": probe})  # type: ignore[dict-item]
    found: list[list[Answer]] = []
    threads = [threading.Thread(target=lambda: found.append(ask(checks(10, timeout=5000)))) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [len(answers) for answers in found] == [10] * 30
    assert probe.most > 10, "one after the other they would be ten at a time"


# Names


def slow_lookup(seconds: float) -> object:
    def look_up(host: str) -> list[str]:
        time.sleep(seconds)
        return ["127.0.0.1"]

    return look_up


def test_a_deadline_that_falls_in_the_lookup_is_a_dns_failure(monkeypatch):
    monkeypatch.setattr(lookup, "look_up", slow_lookup(0.4))

    [answer] = Local()([a_check(target="http://web.example/", timeout=100)])

    assert (answer.reason, answer.text) == (Reason.DNS, "the name was not resolved within 0.1 s")


def test_a_deadline_after_the_lookup_is_a_timeout(monkeypatch):
    monkeypatch.setattr(lookup, "look_up", slow_lookup(0))

    async def scenario() -> Answer:
        async with FaultProxy(0) as proxy:
            proxy.hang = True
            [answer] = await observe([a_check(target=f"http://web.example:{proxy.port}/", timeout=1000)])
            return answer

    assert asyncio.run(scenario()).reason is Reason.TIMEOUT


def test_a_name_is_looked_up_once_a_cycle(monkeypatch):
    asked: list[str] = []

    def look_up(host: str) -> list[str]:
        asked.append(host)
        time.sleep(0.02)
        return ["127.0.0.1"]

    async def probe(check: Check) -> Reading:
        return Reading(facts={"found": await addresses(check.target)})

    monkeypatch.setattr(lookup, "look_up", look_up)
    ask = Local(probes={"http": probe}, concurrency=4)  # type: ignore[dict-item]
    targets = [a_check(target=name) for name in ["a.example", "b.example", "127.0.0.9"] * 5]

    assert {a.reading.facts["found"][0] for a in ask(targets) if a.reading} == {"127.0.0.1", "127.0.0.9"}
    assert sorted(asked) == ["a.example", "b.example"]
    ask(targets)
    assert len(asked) == 4


def test_one_who_gives_up_on_a_name_does_not_end_it_for_the_others(monkeypatch):
    monkeypatch.setattr(lookup, "look_up", slow_lookup(0.3))

    async def probe(check: Check) -> Reading:
        return Reading(facts={"found": await addresses("web.example")})

    first, second = asking(probe, a_check(timeout=100), a_check(timeout=20_000))

    assert (first.reason, second.reason) == (Reason.DNS, None)


def test_names_that_do_not_exist_are_a_dns_failure():
    [answer] = Local()([a_check(target=f"http://{'x' * 70}.example/", timeout=5000)])

    assert answer.reason is Reason.DNS


BLACK_HOLE = """
import socket, sys, threading, time
from uplog.collector import observe
from uplog.collector.observe import Local
from uplog.collector.model import Check
observe.STILL_S = 60
socket.getaddrinfo = lambda *a, **k: threading.Event().wait()
checks = [Check(key=str(n), service="s", kind="http", target=f"http://h{n}.example/", timeout=300) for n in range(100)]
ask = Local(concurrency=50)
start = time.monotonic()
answers = ask(checks) + ask(checks)
print({str(a.reason) for a in answers}, threading.active_count() <= 66, time.monotonic() - start < 30)
"""


def test_a_black_holed_resolver_holds_up_neither_the_cycle_nor_the_exit():
    done = subprocess.run([sys.executable, "-c", BLACK_HOLE], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.stderr, done.returncode) == ("{'dns'} True True\n", "", 0)


# When nobody listened


STILL_S = engine.STILL_S


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a second without a beat for what it is to an operator, and not for that of a busy machine."""
    monkeypatch.setattr(engine, "STILL_S", STILL_S)


async def block_the_loop(check: Check) -> Reading:
    await asyncio.sleep(0.05)  # so that the others are asked
    time.sleep(STILL_S + 0.3)  # noqa: ASYNC251  that is what this is about
    return Reading(code=200)


@pytest.mark.usefixtures("impatient")
def test_a_failure_while_the_loop_was_blocked_is_ours():
    async def probe(check: Check) -> Reading:
        return await (block_the_loop if check.key == "0" else stuck)(check)

    _, failed, alone = asking(probe, *checks(2), a_check(key="later", timeout=1700))

    assert (failed.reason, failed.took) == (Reason.MONITOR_ASLEEP, UNMEASURED)
    assert failed.text.endswith("uplog stood still (no answer within 0.5 s)")
    assert verdict(failed).outcome is Outcome.UNKNOWN
    assert alone.reason is Reason.MONITOR_ASLEEP, "it was open while nobody listened, and ended long after"


@pytest.mark.usefixtures("impatient")
def test_what_passed_while_the_loop_was_blocked_was_not_measured():
    async def probe(check: Check) -> Reading:
        if check.key == "0":
            return await block_the_loop(check)
        await asyncio.sleep(0.1)
        return Reading(code=200)

    assert [(a.reading and a.reading.code, a.took) for a in asking(probe, *checks(2, timeout=5000))] == [
        (200, UNMEASURED),
        (200, UNMEASURED),
    ]


@pytest.mark.usefixtures("impatient")
def test_a_question_that_begins_after_a_pause_is_judged_as_ever():
    async def probe(check: Check) -> Reading:
        return await (block_the_loop if check.key == "0" else stuck)(check)

    _, after = asking(probe, *checks(2), concurrency=1)

    assert after.reason is Reason.TIMEOUT
    assert after.took < 15_000


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ([(0, 0), (0.9, 0.9), (1.8, 1.8)], [0, 0]),
        ([(0, 0), (60, 60), (60.1, 60.1)], [1, 1]),  # stopped, or asleep
        ([(0, 0), (0.1, 60), (0.2, 60.1)], [1, 1]),  # the host of this virtual machine was asleep
        ([(0, 0), (0.1, -3600), (0.2, -3599.9)], [0, 0]),  # a clock that was set back
    ],
)
def test_a_beat_that_comes_late_is_a_pause(readings, expected):
    left = iter(readings)
    beat = Beat(lambda: next(left))

    assert [beat.pauses(), beat.pauses()] == expected


SLOW = """
import asyncio
from datetime import UTC, datetime
from uplog.collector.observe import Local
from uplog.collector.model import Check
print("ready", flush=True)
[answer] = Local()([Check(key="c", service="s", kind="http", target="http://127.0.0.1:{port}/", timeout=1000)])
print(answer.reason, answer.took)
"""


@pytest.mark.integration
def test_a_process_that_was_stopped_blames_nobody_for_its_expired_deadline():
    async def scenario() -> str:
        async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            child.send_signal(signal.SIGSTOP)  # the question is open now
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await asyncio.sleep(2.5)
            child.send_signal(signal.SIGCONT)
            writer.close()

        server = await asyncio.start_server(late, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SLOW.format(port=port), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(child.communicate(), 120)
        server.close()
        return out.decode()

    assert asyncio.run(scenario()) in ("ready\nmonitor_asleep -1\n", "ready\nNone -1\n")
