"""Servers that mean harm: each has its reason, together they cost no memory, and no cycle ends late."""

import asyncio
import base64
import gzip
import hashlib
import json
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from helpers_faults import Serve, abort, serving

pytestmark = [pytest.mark.unit, pytest.mark.slow]

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter

TIMEOUT_MS = 2_000  # of those that use it up
PATIENCE_MS = 30_000  # with all others, who come to an end themselves: a busy machine may take long over it
ROUNDS = 3  # over all of them, and as many answers of each
MOST_AGAIN = 12  # over those that still lack answers, since nobody listened to some
HELD_UP_S = 40  # which no busy machine is late by; those that never hang up are silent for a minute
GROWN_KIB = 65_536  # at most, by all at once: 256 KiB of body or 64 KiB of header each, and what the parsers hold
FLAT_KIB = 8_192  # from round to round
FLOOD_S = 0.005  # after each piece: with 64 KiB of them, 100 Mbit/s


# What they do


def says(*parts: bytes, hears: bool = True) -> Serve:
    """Hear a request, say *parts*, and hang up."""

    async def serve(reader: Reader, writer: Writer) -> None:
        if hears:
            await reader.read(1)
        for part in parts:
            writer.write(part)
            await writer.drain()
        if hears:
            await asyncio.sleep(0.05)  # hanging up on what was not read would be a reset

    return serve


def then_silent(*parts: bytes, hears: bool = True) -> Serve:
    """Hear a request, say *parts*, and never hang up."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await says(*parts, hears=hears)(reader, writer)
        await asyncio.sleep(60)

    return serve


def for_ever(first: bytes, again: bytes, pause: float = FLOOD_S, *, hears: bool = True) -> Serve:
    """Hear a request, say *first*, and then *again* and again, as a flood or, with a longer *pause*, as a drip."""

    async def serve(reader: Reader, writer: Writer) -> None:
        if hears:
            await reader.read(1)
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return serve


def resets(*parts: bytes) -> Serve:
    """Hear a request, say *parts*, and hang up with RST."""

    async def serve(reader: Reader, writer: Writer) -> None:
        await reader.read(1)
        for part in parts:
            writer.write(part)
        await asyncio.sleep(0.05)
        abort(writer)

    return serve


def upgrades(*parts: bytes, again: bytes = b"", accept: bytes = b"") -> Serve:
    """Open a WebSocket, say *parts*, and then *again* and again."""

    async def serve(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")).split()[1]
        proof = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        writer.write(b"Sec-WebSocket-Accept: " + (accept or proof) + b"\r\n\r\n" + b"".join(parts))
        while again:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(FLOOD_S)
        await asyncio.sleep(60)

    return serve


HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: %d\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REDIRECT = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n"
ZIPPED = HEAD + b"Content-Encoding: gzip\r\n\r\n"
KIB64 = b"x" * 65_536
HTTP2 = bytes.fromhex("000000 04 00 00000000")  # an empty SETTINGS frame
TCP = {"expect": "ready"}


def bomb() -> bytes:
    return gzip.compress(bytes(64 << 20), 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A server that means harm, how it is asked, and what is said of it."""

    what: str
    serve: Serve
    reason: str | None  # none: it passes, cut to size
    url: str = "http://127.0.0.1:{port}/"
    kind: str = "http"
    options: dict[str, Any] = field(default_factory=dict)
    trusted: bool = True


def http(what: str, serve: Serve, reason: str | None, **more: Any) -> Hostile:
    return Hostile(what=what, serve=serve, reason=reason, **more)


def other(kind: str, what: str, serve: Serve, reason: str | None, scheme: str = "", **options: Any) -> Hostile:
    path = "/x.example" if kind == "dns" else ""
    url = f"{scheme or kind}://127.0.0.1:{{port}}{path}"
    return Hostile(what=f"{kind}: {what}", serve=serve, reason=reason, kind=kind, url=url, options=options)


TABLE = [
    # HTTP: the connection
    http("accepts and never answers", then_silent(hears=False), "timeout"),
    http("hangs up at once", says(hears=False), "reset"),
    http("hangs up after the request", says(), "reset"),
    http("resets", resets(), "reset"),
    http("resets within the body", resets(LENGTH % 100 + b"ok"), "reset"),
    http("hangs up within the status", says(b"HTTP/1.1 20"), "reset"),
    http("hangs up within the headers", says(HEAD + b"X: y\r\n"), "reset"),
    http("hangs up within the body", says(LENGTH % 100 + b"ok"), "reset"),
    http("answers in full and never closes", then_silent(LENGTH % 2 + b"ok"), None),
    # HTTP: the head
    http("speaks SSH", says(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol"),
    http("speaks garbage", says(bytes(range(256)) * 64), "protocol"),
    http("floods with garbage", for_ever(b"", bytes(range(128, 256)) * 512), "protocol"),
    http("has a status of six digits", says(b"HTTP/1.1 200200 OK\r\n\r\n"), "protocol"),
    http("has a negative length", says(HEAD + b"Content-Length: -1\r\n\r\n"), "protocol"),
    http("has two lengths", says(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nok"), "protocol"),
    http("has a length that is no number", says(HEAD + b"Content-Length: 0x10\r\n\r\n"), "protocol"),
    http("has a header with a NUL", says(HEAD + b"X: a\0b\r\n\r\n"), "protocol"),
    http("has a header without a name", says(HEAD + b": x\r\n\r\n"), "protocol"),
    http("has 100,000 headers", says(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(100_000))), "too_large"),
    http("has an endless header", for_ever(HEAD + b"X: ", KIB64), "too_large"),
    http("has an endless status", for_ever(b"HTTP/1.1 200 ", KIB64), "too_large"),
    http("drips its headers", for_ever(HEAD, b"X: y\r\n", 0.05), "timeout"),
    http("says 100 Continue for ever", for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10), "timeout"),
    # HTTP: the body
    http("has an endless body", for_ever(LENGTH % 10**12, KIB64), None),
    http("has an endless body without a length", for_ever(HEAD + b"\r\n", KIB64), None),
    http("has endless chunks", for_ever(CHUNKED, b"10000\r\n" + KIB64 + b"\r\n"), None),
    http("has endless chunks of a byte", for_ever(CHUNKED, b"1\r\nx\r\n" * 10_000), None),
    http("drips its body", for_ever(LENGTH % 10**6, b"x", 0.05), "timeout"),
    http("drips chunks", for_ever(CHUNKED, b"1\r\nx\r\n", 0.05), "timeout"),
    http("has a chunk without a size", says(CHUNKED + b"ZZ\r\nok\r\n"), "protocol"),
    http("has a chunk with a size of 100 digits", says(CHUNKED + b"F" * 100 + b"\r\nok"), "protocol"),
    http("has an endless chunk size", for_ever(CHUNKED, b"0" * 4_096), "timeout"),
    http("has an endless chunk extension", for_ever(CHUNKED + b"5;", b"x" * 4_096), "timeout"),
    http("has endless trailers", for_ever(CHUNKED + b"0\r\n", b"X: y\r\n" * 1_000), "too_large"),
    http("has a compressed bomb", says(ZIPPED + bomb()), None),
    http("has a body that is not gzip", says(ZIPPED + b"not gzip"), "protocol"),
    http("has JSON a quarter of a million deep", says(HEAD + b"\r\n" + b"[" * 262_144), None),
    http("has a health body of 20,000 parts", says(HEAD + b"\r\n" + json.dumps({"status": "ok", "components": {str(n): "up" for n in range(20_000)}}).encode()), None),
    # HTTP: redirects
    http("redirects to itself for ever", says(REDIRECT % b"/"), "redirects"),
    http("redirects to nowhere", says(REDIRECT % b"http://["), "redirects"),
    http("redirects to a file", says(REDIRECT % b"file:///etc/passwd"), "redirects"),
    http("redirects to a script", says(REDIRECT % b"javascript:alert(1)"), "redirects"),
    http("redirects to another host", says(REDIRECT % b"http://elsewhere.example/"), "redirect_offsite"),
    http("redirects to metadata", says(REDIRECT % b"http://169.254.169.254/"), "forbidden", trusted=False),
    http("redirects with an endless Location", for_ever(b"HTTP/1.1 302 Found\r\nLocation: /", KIB64), "too_large"),
    # TLS
    http("speaks no TLS where it should", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "tls", url="https://127.0.0.1:{port}/"),
    http("never begins with TLS", then_silent(), "timeout", url="https://127.0.0.1:{port}/"),
    other("tls", "garbage", says(bytes(range(256)) * 64), "tls"),
    other("tls", "hangs up within the handshake", says(bytes.fromhex("16030300")), "reset"),
    other("tls", "a record that drips", for_ever(bytes.fromhex("1603034000"), b"\0", 0.05), "timeout"),
    other("tls", "never answers", then_silent(), "timeout"),
    other("tls", "a flood of alerts", for_ever(b"", bytes.fromhex("15030300020164") * 1000), "tls"),
    # TCP, with something to be heard
    other("tcp", "silence", then_silent(hears=False), "timeout", **TCP),
    other("tcp", "a flood", for_ever(b"", KIB64, hears=False), "answer", **TCP),
    other("tcp", "a drip", for_ever(b"", b"x", 0.05, hears=False), "timeout", **TCP),
    other("tcp", "hangs up", says(hears=False), "reset", **TCP),
    # WebSocket
    other("websocket", "a page instead", says(LENGTH % 2 + b"ok"), "protocol", "ws"),
    other("websocket", "a wrong proof", upgrades(accept=b"bm90aGluZw=="), "protocol", "ws"),
    other("websocket", "never answers a ping", upgrades(), "timeout", "ws"),
    other("websocket", "a frame of 2^62 bytes", upgrades(b"\x82\x7f" + (1 << 62).to_bytes(8)), "too_large", "ws"),
    other("websocket", "an unknown opcode", upgrades(b"\x83\x01x"), "protocol", "ws"),
    other("websocket", "a flood of empty frames", upgrades(again=b"\x82\x00" * 1_000), "answer", "ws"),
    other("websocket", "a flood of pings", upgrades(again=b"\x89\x00" * 1_000), "answer", "ws"),
    other("websocket", "an endless message", upgrades(b"\x02\x01x", again=b"\x00\x7e\xff\xff" + b"x" * 65_535), "too_large", "ws"),
    # gRPC
    other("grpc", "HTTP/1.1", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol"),
    other("grpc", "silence", then_silent(), "timeout"),
    other("grpc", "a frame of 16 MiB", for_ever(HTTP2 + bytes.fromhex("ffffff 00 00 00000001"), KIB64), "too_large"),
    other("grpc", "a flood of settings", for_ever(HTTP2, HTTP2 * 1_000), "too_large"),
    other("grpc", "a flood of pings", for_ever(HTTP2, (bytes.fromhex("000008 06 00 00000000") + bytes(8)) * 1_000), "too_large"),
    # first words of databases and brokers
    other("redis", "an endless line", for_ever(b"+", KIB64), "too_large"),
    other("postgres", "garbage", says(b"\xff" * 100), "protocol"),
    other("mysql", "a greeting of 16 MiB", then_silent(b"\xff\xff\xff\x00", hears=False), "protocol"),
    other("mssql", "garbage", says(b"\xff" * 100), "protocol"),
    other("amqp", "an endless frame", for_ever(b"\x01\x00\x00\x7f\xff\xff\xff", KIB64), "protocol"),
    other("kafka", "an answer of 2 GiB", for_ever(b"\x7f\xff\xff\xff", KIB64), "protocol"),
    other("zookeeper", "an endless answer", for_ever(b"", KIB64), "too_large"),
    other("memcached", "an endless line", for_ever(b"VERSION ", KIB64), "too_large"),
    other("smtp", "an endless greeting", for_ever(b"", b"220-hello\r\n" * 1000, hears=False), "too_large"),
    other("smtp", "a greeting that drips", for_ever(b"220", b"-", 0.05, hears=False), "timeout"),
    other("dns", "a message of nothing over TCP", says(b"\xff\xff" + b"\xff" * 100), "reset", transport="tcp"),
]  # fmt: skip


ASK = """
import json, resource, sys, time
from uplog.collector.judge import verdict
from uplog.collector.model import Check
from uplog.collector.observe import Local
rounds, again, table = json.loads(sys.stdin.read())
checks = [
    Check(key=what, service="s", kind=kind, target=url, timeout=timeout, options=options, trusted=trusted)
    for what, kind, url, options, trusted, timeout in table
]
ask = Local(concurrency=len(checks))
ask([Check(key="", service="s", kind=kind, target="http://127.0.0.1:1/") for kind in {check.kind for check in checks}])
told = {check.key: [] for check in checks}

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024

def note(answers):
    for a in answers:
        if a.reason != "monitor_asleep":
            size = len(a.reading.body) if a.reading else 0
            told[a.check.key].append([a.reason, verdict(a).outcome, size, a.text, a.took])

def cycle():
    begun, used = time.monotonic(), time.process_time()
    note(ask(checks))
    return time.monotonic() - begun, time.process_time() - used, held() - before

before = held()
wall, used, memory = zip(*[cycle() for _ in range(rounds)])
with open("/proc/self/status") as file:  # ru_maxrss would begin with what the process before exec had
    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) - before
for _ in range(again):
    if not (lacking := [check for check in checks if len(told[check.key]) < rounds]):
        break
    note(ask(lacking))
print(json.dumps([told, wall, used, memory, peak]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycles:
    """What became of whole cycles over all of them at once, and of each: seconds on the clock and of the processor.

    *told* has what each was found to do whenever somebody listened: reason, outcome, bytes, text and ms.
    """

    told: dict[str, list[tuple[str | None, str, int, str, int]]]
    seconds: list[float]
    processor_s: list[float]
    left_kib: list[int]
    most_kib: int


@pytest.fixture(scope="module")
def cycles() -> Cycles:
    """Ask all of the table at once, some times over, from a process of its own."""

    async def scenario() -> bytes:
        async with AsyncExitStack() as stack:
            asked = []
            for one in TABLE:
                port = await stack.enter_async_context(serving(one.serve))
                timeout = TIMEOUT_MS if one.reason == "timeout" else PATIENCE_MS
                asked.append((one.what, one.kind, one.url.format(port=port), one.options, one.trusted, timeout))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", ASK), stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            given = json.dumps([ROUNDS, MOST_AGAIN, asked]).encode()
            return (await asyncio.wait_for(process.communicate(given), 300))[0]

    told, seconds, processor_s, left_kib, most_kib = json.loads(asyncio.run(scenario()))
    return Cycles(
        told={what: [tuple(one) for one in found] for what, found in told.items()},
        seconds=seconds,
        processor_s=processor_s,
        left_kib=left_kib,
        most_kib=most_kib,
    )


@pytest.mark.parametrize("hostile", TABLE, ids=lambda one: one.what)
def test_each_has_its_reason_in_every_cycle(cycles: Cycles, hostile: Hostile) -> None:
    reasons = [reason for reason, *_ in cycles.told[hostile.what]]

    assert len(reasons) >= ROUNDS
    assert set(reasons) == {hostile.reason}


def test_none_passes_but_what_could_be_cut_to_size(cycles: Cycles) -> None:
    passed = {what for what, found in cycles.told.items() if {one[1] for one in found} & {"pass", "warn"}}

    assert passed == {one.what for one in TABLE if one.reason is None}
    assert max(size for found in cycles.told.values() for _, _, size, *_ in found) == 256 * 1024


def test_every_failure_says_why_in_a_short_printable_sentence(cycles: Cycles) -> None:
    texts = [text for found in cycles.told.values() for reason, _, _, text, _ in found if reason]

    assert all(0 < len(text) <= 500 and text.isprintable() for text in texts)


def test_a_cycle_over_all_of_them_ends_on_time(cycles: Cycles) -> None:
    """A busy machine may be late; who is held up by another is so for long, by work, or though somebody listened."""
    cut_off = [took for found in cycles.told.values() for reason, *_, took in found if reason == "timeout"]

    assert 0.9 * TIMEOUT_MS < min(cut_off) <= max(cut_off) < 2 * TIMEOUT_MS
    assert max(cycles.seconds) < TIMEOUT_MS / 1000 + HELD_UP_S
    assert min(cycles.processor_s) < TIMEOUT_MS / 1000


def test_memory_stays_flat(cycles: Cycles) -> None:
    """The first cycle fills what is kept, such as certificates and modules; what leaks is lost in each one after it."""
    grown = [after - before for before, after in pairwise(cycles.left_kib)]

    assert cycles.most_kib < GROWN_KIB
    assert min(grown) < FLAT_KIB
