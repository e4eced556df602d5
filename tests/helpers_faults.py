"""Servers that misbehave on purpose: a TCP proxy with faults, and one that says exactly the bytes it was given."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from ssl import SSLContext
from types import TracebackType
from typing import Self

from uplog.collector.model import Reason

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PATIENCE_MS = 20_000  # with what comes to an end by itself: a busy machine may take long over it


def patience(reason: Reason | None, timeout: int) -> int:
    """Return the deadline of a question: *timeout* where that is to fall, and else one that never does."""
    return timeout if reason is Reason.TIMEOUT else PATIENCE_MS


class FaultProxy:
    """Pass TCP on to a port of this machine, with faults that a test sets while it runs.

    *reset* and *close* answer a connection with RST or FIN, *hang* accepts and never answers, *drip* is the pause
    in seconds after each byte, *cut_after* the bytes after which the answer ends in RST.
    """

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.reset = self.close = self.hang = False
        self.drip = 0.0
        self.cut_after: int | None = None
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await closed(self._server, self._tasks)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        begin(self._serve(reader, writer), writer, self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.reset:
                abort(writer)
            elif self.hang:
                await reader.read()  # until the client gives up
            elif not self.close:
                await self._relay(reader, writer)
        except OSError:
            pass  # the other side went away

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_upstream, to_upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
        asking = asyncio.create_task(self._pass_on(reader, to_upstream))
        try:
            await self._answer(from_upstream, writer)
        finally:
            asking.cancel()
            to_upstream.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = 0
        while data := await reader.read(1 if self.drip else 65536):
            if self.cut_after is not None and passed + len(data) > self.cut_after:
                writer.write(data[: self.cut_after - passed])
                await asyncio.sleep(0.05)  # a RST overtakes what was not sent yet
                abort(writer)
                return
            passed += len(data)
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(self.drip)


def begin(work: Coroutine[None, None, None], writer: asyncio.StreamWriter, tasks: set[asyncio.Task[None]]) -> None:
    """Serve a connection as one of *tasks*, and close it at the end."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    task.add_done_callback(lambda _: writer.close())  # also if it is cancelled before it begins


async def closed(server: asyncio.Server, tasks: set[asyncio.Task[None]]) -> None:
    """Close *server* and end the *tasks* that serve its connections.

    One that was accepted a moment ago has none yet, and left alone would be complained of in a test that comes later.
    """
    for _ in range(5):  # turns of the loop: accepted, a transport, a task, begun
        await asyncio.sleep(0)
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def abort(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def serving(serve: Serve, ssl: SSLContext | None = None) -> AsyncIterator[int]:
    """Serve every connection on a free port of this machine with *serve*; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):  # the client went away
            await serve(reader, writer)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begin(handle(reader, writer), writer, tasks)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=ssl)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await closed(server, tasks)


def saying(*parts: bytes, stay: bool = False) -> Serve:
    """Serve: read a request, say *parts* whatever it was, and close, or *stay* and say no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
        if stay:
            await reader.read()

    return serve
