"""Ask over HTTP: one request on a new connection, redirects followed by our own rules, a body of bounded size."""

import ipaddress
import os
import socket
import ssl
import zlib
from base64 import b64encode
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import LineTooLong
from yarl import URL

from ..model import Check, Expect, ProbeFailed, Reading, Reason
from .shared import CYCLE, PROGRESS, Cycle, addresses, not_connected

MOST_BODY = 256 * 1024
MOST_HEADER = 64 * 1024  # one line of it; a long Content-Security-Policy is no fault
MOST_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
METADATA = {ipaddress.ip_address("fd00:ec2::254")}  # the one that is not link-local


async def probe_http(check: Check) -> Reading:
    """Get *check*'s target and return the last answer, after at most five redirects."""
    session, progress = CYCLE.get().keep(open_session), PROGRESS.get()
    url, headers = request(check)
    for _ in range(MOST_REDIRECTS + 1):
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                progress.received = True
                to = redirected(response, url, check.expect)
                if to is None:
                    return await read(response)
        except (aiohttp.ClientError, OSError) as error:
            raise failed(error, url) from error
        if to.host != url.host:
            await guard_address(to)
        if to.host != url.host or (url.scheme, to.scheme) == ("https", "http"):
            headers = {}  # what was meant for one host, or for TLS, is for nobody else
        url = to
    raise ProbeFailed(Reason.REDIRECTS, f"more than {MOST_REDIRECTS} redirects")


# The request


def request(check: Check) -> tuple[URL, dict[str, str]]:
    """Return the URL to ask, without user info, and the headers of *check* with their secrets filled in."""
    try:
        url = URL(check.target)
    except ValueError as error:
        raise ProbeFailed(Reason.LOCAL_ERROR, "the target is not a URL") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ProbeFailed(Reason.LOCAL_ERROR, "the target is not an http or https URL")
    headers = {name: secret(value) for name, value in check.headers}
    if url.raw_user is None:
        return url, headers
    login = b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
    return url.with_user(None), {"Authorization": f"Basic {login}", **headers}


def secret(value: str) -> str:
    """Fill in a header value that names a variable or a file; messages name those, never what they hold."""
    kind, _, name = value.partition(":")
    if kind == "env":
        found = os.environ.get(name)
        if found is None:
            raise ProbeFailed(Reason.LOCAL_ERROR, f"the environment variable {name} is not set")
    elif kind == "file":
        try:
            found = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise ProbeFailed(Reason.LOCAL_ERROR, f"cannot read {name}: {error.strerror}") from error
        except UnicodeError as error:
            raise ProbeFailed(Reason.LOCAL_ERROR, f"cannot read {name}: it is not text in UTF-8") from error
    else:
        return value
    found = found.strip()
    if not found.isprintable():
        raise ProbeFailed(Reason.LOCAL_ERROR, f"what {value} holds does not fit into one header")
    return found


# The answer


async def read(response: aiohttp.ClientResponse) -> Reading:
    """Read what *response* says, at most 256 KiB of its body."""
    chunks = []
    wanted = MOST_BODY + 1  # one more, to know whether there is more
    while wanted and (chunk := await response.content.read(wanted)):
        chunks.append(chunk)
        wanted -= len(chunk)
    body = b"".join(chunks)
    if encoding := response.headers.get("Content-Encoding"):
        body = unpacked(body, encoding.strip().lower())
    facts = {} if wanted and len(body) <= MOST_BODY else {"truncated": True}
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reading(code=response.status, headers=headers, body=body[:MOST_BODY], facts=facts)


def unpacked(body: bytes, encoding: str) -> bytes:
    """Undo a compression that nobody asked for, as far as the cap and one byte more; leave what is not known."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return body
    # 47: gzip or zlib, told apart by their first bytes; -15: the bare deflate that some servers send
    for wbits in (47, -15):
        try:
            return zlib.decompressobj(wbits).decompress(body, MOST_BODY + 1)
        except zlib.error as error:
            problem = error
    raise ProbeFailed(Reason.PROTOCOL, f"the body is not {encoding}") from problem


# Redirects


def redirected(response: aiohttp.ClientResponse, url: URL, expect: Expect) -> URL | None:
    """Return where *response* leads from *url*, when *expect* lets us go there; none when it is itself the answer."""
    location = response.headers.get("Location")
    if location is None or response.status not in REDIRECTS or not expect.follow:
        return None
    try:
        to = url.join(URL(location)).with_user(None)
    except ValueError as error:
        raise ProbeFailed(Reason.REDIRECTS, "a redirect to something that is not a URL") from error
    if to.scheme not in ("http", "https") or not to.host:
        raise ProbeFailed(Reason.REDIRECTS, f"a redirect to {to.scheme or 'nowhere'}, which is not followed")
    if to.host != url.host and to.host not in expect.redirect_hosts:
        raise ProbeFailed(Reason.REDIRECT_OFFSITE, f"a redirect to another host, {to.host}")
    return to


async def guard_address(url: URL) -> None:
    """Refuse a redirect to an address at which machines keep their secrets, whatever name it goes by."""
    assert url.host is not None
    for found in await addresses(url.host):
        address = ipaddress.ip_address(found)
        address = getattr(address, "ipv4_mapped", None) or address
        if address.is_link_local or address in METADATA:
            raise ProbeFailed(Reason.FORBIDDEN, "a redirect to a link-local or metadata address")


# The session


class Resolver(AbstractResolver):
    """Let aiohttp look names up as we do."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return all addresses of *host*."""
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in await addresses(host)
        ]

    async def close(self) -> None:
        """Have nothing to close."""


async def once(asked: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Translate broken connections before aiohttp sees them: it would ask a second time in secret."""
    try:
        return await send(asked)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise failed(error, asked.url) from error


def open_session(cycle: Cycle) -> aiohttp.ClientSession:
    """Open the session of a cycle: no cookies, no proxies of the environment, no limits but ours."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False, force_close=True, limit=0),
        headers={"User-Agent": cycle.agent, "Accept": "*/*", "Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # its clock would start before the slot
        auto_decompress=False,
        max_line_size=MOST_HEADER,
        max_field_size=MOST_HEADER,
        middlewares=(once,),
    )


# What aiohttp raises, in our words


def failed(error: aiohttp.ClientError | OSError, url: URL) -> ProbeFailed:
    """Say which failure *error* is; aiohttp's own words carry addresses, and header values of the server."""
    match error:
        case aiohttp.InvalidURL():
            return ProbeFailed(Reason.LOCAL_ERROR, "the target is not a URL that can be asked")
        case aiohttp.ServerDisconnectedError():
            return ProbeFailed(Reason.RESET, "the connection was closed before an answer")
        case aiohttp.ClientPayloadError():
            return ProbeFailed(Reason.RESET, "the connection was closed within the body")
    root: BaseException = error
    while root.__cause__ is not None:
        root = root.__cause__
    match root:
        case ssl.SSLCertVerificationError():
            return ProbeFailed(Reason.CERTIFICATE, root.verify_message)
        case ssl.SSLError():  # before OSError: its number is OpenSSL's
            return ProbeFailed(Reason.TLS, f"no TLS connection: {root.reason or type(root).__name__}")
        case OSError():
            return not_connected(root, url.host or "")
    if isinstance(root, LineTooLong) or "Too many headers" in str(root):  # the second has no class of its own
        return ProbeFailed(Reason.TOO_LARGE, "the headers are too large")
    return ProbeFailed(Reason.PROTOCOL, f"the answer is not valid HTTP: {type(root).__name__}")
