"""Ping a host: some echo requests at once, and how many of them come back."""

import asyncio
import os
import socket
import struct
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta

from ..judge import host
from ..model import Check, ProbeFailed, Reading, Reason
from ..settings import Table
from .shared import PROGRESS, addresses, not_connected

SCHEMES = ("icmp",)
PORT = None
MAY_NOT = (
    "this machine lets only root ping: set the sysctl net.ipv4.ping_group_range to '0 2147483647', "
    "or give uplog the capability CAP_NET_RAW"
)
RECVERR: Mapping[int, tuple[int, int]] = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}  # linux/in.h, in6.h
PROTOCOL: Mapping[int, int] = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
REQUEST: Mapping[int, int] = {socket.AF_INET: 8, socket.AF_INET6: 128}
REPLY: Mapping[int, int] = {socket.AF_INET: 0, socket.AF_INET6: 129}
MOST_DATAGRAM = 65535
STRAGGLERS = 0.9  # of the time is theirs
ECHO = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence


class Settings(Table, kw_only=True, frozen=True):
    """How often to ask, and how much may be lost."""

    count: Annotated[
        int, Meta(ge=1, le=20, title="a whole number from 1 to 20", description="So many packets are sent at once.")
    ] = 3
    loss_below: Annotated[
        float,
        Meta(gt=0, le=100, title="a number up to 100", description="Fail when this many percent are lost, or more."),
    ] = 100


async def probe_icmp(check: Check) -> Reading:
    """Ping *check*'s target, `icmp://host`; one answer is enough, unless the settings say otherwise."""
    settings = msgspec.convert(check.options, Settings)
    if not (name := host(check.target)):
        raise ProbeFailed(Reason.LOCAL_ERROR, "the target is not icmp://host")
    [address, *_] = await addresses(name)
    try:
        with opened(address) as sock:
            took = await ping(sock, settings.count, check.timeout / 1000)
    except OSError as error:
        raise not_connected(error, address) from error
    loss = 100 * (settings.count - len(took)) / settings.count
    if loss >= settings.loss_below:
        raise ProbeFailed(Reason.TIMEOUT, f"expected a loss below {settings.loss_below:g}%, saw {loss:.3g}%")
    facts = {"sent": settings.count, "received": len(took), "loss_percent": round(loss, 1)}
    rtt = {"min": min(took), "avg": sum(took) / len(took), "max": max(took)}
    return Reading(facts={**facts, **{f"rtt_{name}_ms": round(seconds * 1000, 3) for name, seconds in rtt.items()}})


def opened(address: str) -> socket.socket:
    """Open a socket that sends echo requests to *address*, in the way that this machine allows."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            sock = socket.socket(family, kind, PROTOCOL[family])
        except PermissionError:
            continue
        sock.setblocking(False)
        if sys.platform == "linux":  # else the kernel keeps to itself that a host is unreachable
            sock.setsockopt(*RECVERR[family], 1)
        try:
            sock.connect((address, 0))
        except OSError:
            sock.close()
            raise
        return sock
    raise ProbeFailed(Reason.LOCAL_ERROR, MAY_NOT)


async def ping(sock: socket.socket, count: int, patience: float) -> list[float]:
    """Send *count* echo requests, and return how many seconds each took that was answered; at least one.

    When some are missing they are given up shortly before the deadline, which is *patience* from now.
    """
    token = os.urandom(16)  # a raw socket hears what others asked, too
    sent = []
    for sequence in range(count):
        sent.append(time.perf_counter())
        await asyncio.get_running_loop().sock_sendall(sock, request(sock.family, token, sequence))
    took: dict[int, float] = {}

    async def hear() -> None:
        try:
            data = await asyncio.get_running_loop().sock_recv(sock, MOST_DATAGRAM)
        except OSError:
            if not took:  # the others were answered, perhaps on another way
                raise
            return
        sequence = replied(sock.family, token, data)
        if sequence in range(count):
            took.setdefault(sequence, time.perf_counter() - sent[sequence])
            PROGRESS.get().received = True
        await asyncio.sleep(0)  # a flood must not keep the others waiting

    with suppress(TimeoutError):
        async with asyncio.timeout(patience * STRAGGLERS):
            while len(took) < count:
                await hear()
    while not took:
        await hear()
    return list(took.values())


# The packets


def request(family: int, token: bytes, sequence: int) -> bytes:
    """Make an echo request; the kernel fills in the identifier of a datagram, and the checksum of IPv6.

    >>> request(socket.AF_INET, b"abcd", 1).hex()
    '080033380000000161626364'
    """
    plain = ECHO.pack(REQUEST[family], 0, 0, 0, sequence) + token
    return ECHO.pack(REQUEST[family], 0, checksum(plain), 0, sequence) + token


def replied(family: int, token: bytes, data: bytes) -> int:
    """Return which request *data* is the reply to, or -1 when it is to none of those with our *token*.

    >>> replied(socket.AF_INET, b"abcd", bytes.fromhex("00003c0a0000000161626364"))
    1
    """
    if family == socket.AF_INET and data[:1] >= b"\x40":  # a raw socket shows the header of IP, too
        data = data[(data[0] & 15) * 4 :]
    if len(data) < ECHO.size or data[ECHO.size :] != token:
        return -1
    return int.from_bytes(data[6:8]) if data[0] == REPLY[family] else -1


def checksum(data: bytes) -> int:
    """Sum up *data*, of even length, as RFC 1071 has it."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF
