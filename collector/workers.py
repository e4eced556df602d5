"""Ask many checks at once from several processes of this machine: the engine for when one core is full.

A worker is this file, run by itself. It is told over a socket what to ask, in batches, and gives the answers back as
they come; when the socket ends, it ends too, whoever was killed at the other side. Only this process writes.
"""

import asyncio
import itertools
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, Any, get_type_hints

import msgspec

from .garbage import seldom_collecting
from .log import start_logging
from .model import UNMEASURED, Answer, Check, Reason
from .observe import AGENT, CONCURRENCY, Stopped, ask_each, loop_factory, utc_now

log = logging.getLogger(__name__)

PATIENCE_S = 10  # beyond the longest deadline of a batch: for a process that starts on a busy machine
GOODBYE_S = 1  # for a worker to end what it has in flight
GATHER_S = 0.02  # to send many answers at once: each message wakes somebody up, which takes as long as asking
SIZE = struct.Struct(">I")  # before each message

SAYS = {name: kind for name, kind in get_type_hints(Answer).items() if name != "check"}
Said: Any = msgspec.defstruct("Said", list(SAYS.items()), array_like=True)  # an answer without its question

_encode = msgspec.msgpack.Encoder().encode
_to_batch = msgspec.msgpack.Decoder(tuple[int, list[Check]]).decode
_to_answers: Any = msgspec.msgpack.Decoder(list[tuple[int, int, Said]]).decode


class Workers:
    """The engine that asks from *count* processes: `ask(checks)` gives an answer for each, in their order."""

    def __init__(self, count: int, *, concurrency: int = CONCURRENCY, agent: str = AGENT) -> None:
        self._concurrency = max(1, concurrency // count)  # of each
        self._agent = agent
        self._workers: list[Worker | None] = [None] * count
        self._turns = itertools.cycle(range(count))
        self._lock = threading.RLock()  # stop() may run in a signal handler, on top of what it stops
        self._stopped = False

    def __call__(self, checks: Sequence[Check]) -> list[Answer]:
        """Ask all *checks*; raise Stopped when stop() came first. What a worker took with it is a local error."""
        count = min(len(self._workers), len(checks))
        given = [(worker, worker.ask(checks[place::count])) for place, worker in enumerate(self._next(count))]
        for worker, batch in given:
            worker.wait_for(batch)
        if self._stopped:
            raise Stopped
        answers = [iter(batch.all()) for _, batch in given]
        return [next(answers[place % count]) for place in range(len(checks))]

    def stop(self) -> None:
        """End every worker, and with it what is in flight, now and for good."""
        with self._lock:
            self._stopped = True
            for worker in self._workers:
                if worker is not None:
                    worker.end()

    def _next(self, count: int) -> "list[Worker]":
        """Return the *count* workers whose turn it is, started when they do not run."""
        with self._lock:
            if self._stopped:
                raise Stopped
            return [self._running(next(self._turns)) for _ in range(count)]

    def _running(self, place: int) -> "Worker":
        worker = self._workers[place]
        if worker is None or worker.ended:
            worker = self._workers[place] = Worker(self._concurrency, self._agent)
        return worker


class Batch:
    """What one worker was given to ask at once, and the answers that have come."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self.checks = checks
        self.answers: dict[int, Answer] = {}
        self.over = threading.Event()  # all have come, or no more will

    def all(self) -> Iterator[Answer]:
        """Give an answer for each check, of our own where the worker gave none."""
        for place, check in enumerate(self.checks):
            yield self.answers.get(place) or Answer(
                check=check,
                at=utc_now(),
                took=UNMEASURED,
                reason=Reason.LOCAL_ERROR,
                text="the process that asked came to an end",
            )


class Worker:
    """A process that asks, and the thread that hears it."""

    def __init__(self, concurrency: int, agent: str) -> None:
        self.ended = False
        self._hung_up = False
        self._socket, theirs = socket.socketpair()
        # who does not even read for so long is stuck
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE_S, 0))
        command = [sys.executable, "-m", __name__, str(theirs.fileno()), str(concurrency), agent]
        with theirs:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
        self._batches: dict[int, Batch] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        threading.Thread(target=self._hear, name=f"worker-{self._process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def ask(self, checks: Sequence[Check]) -> Batch:
        """Have *checks* asked."""
        batch = Batch(checks)
        with self._lock:
            if self.ended:
                batch.over.set()
                return batch
            number = next(self._numbers)
            self._batches[number] = batch
            try:
                self._socket.sendall(packed((number, checks)))
            except OSError:
                self.end()
        return batch

    def wait_for(self, batch: Batch) -> None:
        """Wait until *batch* is over; give the worker up when nothing came for longer than any deadline allows."""
        limit = max(check.timeout for check in batch.checks) / 1000 + PATIENCE_S
        heard = 0
        while not batch.over.wait(limit):
            if len(batch.answers) == heard:
                log.error("a worker process does nothing; another takes its place")
                self.end()
            heard = len(batch.answers)

    def end(self) -> None:
        """Hang up: the worker hears it and ends, and so does the thread that hears the worker."""
        self._hung_up = True
        with suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_RDWR)

    def _hear(self) -> None:
        try:
            with suppress(OSError), self._socket.makefile("rb") as stream:
                for message in messages(stream):
                    for number, place, said in _to_answers(message):
                        self._keep(number, place, said)
        finally:
            with self._lock:
                self.ended = True
            if self._batches and not self._hung_up:
                log.warning("a worker process ended while it asked; another takes its place")
            for batch in self._batches.values():
                batch.over.set()
            self._socket.close()
            self._bury()

    def _keep(self, number: int, place: int, said: Any) -> None:
        batch = self._batches[number]
        batch.answers[place] = Answer(check=batch.checks[place], **{name: getattr(said, name) for name in SAYS})
        if len(batch.answers) == len(batch.checks):
            del self._batches[number]
            batch.over.set()

    def _bury(self) -> None:
        try:
            self._process.wait(GOODBYE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


# What is said


def packed(message: Any) -> bytes:
    """Write *message* with its size before it."""
    data = _encode(message)
    return SIZE.pack(len(data)) + data


def messages(stream: IO[bytes]) -> Iterator[bytes]:
    """Read messages until the other side ends; one that is cut off is none."""
    while len(head := stream.read(SIZE.size)) == SIZE.size:
        (size,) = SIZE.unpack(head)
        data = stream.read(size)
        if len(data) == size:
            yield data


async def received(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Read messages until the other side ends."""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            (size,) = SIZE.unpack(await reader.readexactly(SIZE.size))
            yield await reader.readexactly(size)


# The worker


async def serve(connection: socket.socket, concurrency: int, agent: str) -> None:
    """Ask what comes over *connection*, until it ends; raise CancelledError then."""
    reader, writer = await asyncio.open_connection(sock=connection)
    back = Back(writer)

    async def answer(number: int, checks: Sequence[Check]) -> None:
        await ask_each(checks, partial(back.give, number), concurrency=concurrency, agent=agent)

    async with asyncio.TaskGroup() as asking:
        async for message in received(reader):
            asking.create_task(answer(*_to_batch(message)))
        raise asyncio.CancelledError  # nobody waits for what is in flight: the group cancels it


class Back:
    """The way back: answers are gathered for a moment."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._gathered: list[tuple[int, int, list[Any]]] = []

    def give(self, number: int, place: int, answer: Answer) -> None:
        """Send the *answer* at a *place* of the batch of this *number*."""
        if not self._gathered:
            asyncio.get_running_loop().call_later(GATHER_S, self._send)
        self._gathered.append((number, place, [getattr(answer, name) for name in SAYS]))

    def _send(self) -> None:
        self._writer.write(packed(self._gathered))
        self._gathered = []


def main(descriptor: int, concurrency: int, agent: str) -> None:
    """Be a worker."""
    start_logging(os.environ, 0)
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all of us; who started this one decides what it means
        signal.signal(number, lambda *_: None)
    with (
        suppress(asyncio.CancelledError),
        socket.socket(fileno=descriptor) as connection,
        seldom_collecting(),
        asyncio.Runner(loop_factory=loop_factory()) as runner,
    ):
        connection.setblocking(False)
        runner.run(serve(connection, concurrency, agent))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
