"""A whole run, from files and engines to pages: nothing that is not for everybody is in any published byte.

Each secret stands in one place: in a URL, a header, an environment, a label, an annotation, a description, a certificate,
in what a server answers. Every file of the public site is searched for it in whatever form, and for each host, port and
address. The internal site has most of them, which shows that they were there to be published.
"""

import asyncio
import base64
import gzip
import hashlib
import html
import json
import os
import re
import ssl
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
import trustme
from helpers_faults import saying, serving
from helpers_fleets import engine

pytestmark = pytest.mark.integration

CANARIES: dict[str, str] = {}  # by what it stands in


def canary(place: str) -> str:
    """Return the secret that stands in *place* and nowhere else."""
    return CANARIES.setdefault(place, f"zq{hashlib.sha256(place.encode()).hexdigest()[:12]}")


def said(status: str, body: str = "", header: str = "") -> bytes:
    lines = [f"HTTP/1.1 {status}", *([header] if header else []), f"Content-Length: {len(body)}", "", body]
    return "\r\n".join(lines).encode()


HEALTH = json.dumps({
    "status": "DOWN",
    "components": {canary("component"): {"status": "DOWN", "details": {"error": canary("component error")}}},
})  # fmt: skip
SERVERS = {
    "status line": said(f"500 {canary('status line')}"),
    "header": said("401 No", header=f"WWW-Authenticate: {canary('answer header')}"),
    "body": said("503 No", body=canary("answer body")),
    "health": said("503 No", body=HEALTH, header="Content-Type: application/json"),
    "redirect": said("302 Found", header=f"Location: http://{canary('user')}:{canary('password')}@{canary('location host')}.invalid/{canary('location path')}"),
    "garbage": canary("garbage").encode() * 9,
    "version": said("200 OK", body=json.dumps({"status": "ok", "version": canary("version")}), header="Content-Type: application/json"),
    "well": said("200 OK", body="ok", header=f"Server: {canary('server header')}"),
}  # fmt: skip


def uplog_toml(ports: Mapping[str, int]) -> str:
    """Write services down that are asked with secrets, in every way; discovered ones are public by a rule."""
    services = [
        f'name = "{name}"\nurl = "http://127.0.0.1:{ports[name]}/{canary(f"path {name}")}?t={canary(f"query {name}")}"\n'
        f'headers = {{ X-Key = "env:UPLOG_CANARY", Authorization = "file:token.txt" }}\n'
        for name in SERVERS
    ]
    services += [
        f'name = "Unresolved"\nurl = "http://{canary("host")}.invalid:8999/"\n',
        f'name = "Certificate"\nurl = "https://127.0.0.1:{ports["tls"]}/"\n',
        'name = "Refused"\nurl = "tcp://[::1]:1"\ngroup = "Group"\n',
        f'name = "{canary("private name")}"\nurl = "http://127.0.0.1:1/"\npublic = false\ngroup = "{canary("private group")}"\n',
    ]
    return f"""
[uplog]
title = "Status"
public_url = "https://status.example/"
[defaults]
timeout = "1s"
failure_threshold = 1
[discover.compose]
paths = ["{canary("folder")}/compose.yml"]
[discover.kubernetes]
paths = ["k8s.yml"]
[discover.systemd]
paths = ["units"]
[discover.prometheus]
paths = ["prometheus.yml"]
[discover.docker]
hosts = ["tcp://127.0.0.1:{ports["engine"]}"]
[[rule]]
match = {{ source = "prometheus", port = 8975 }}
name = "exporter"
public = true
[[rule]]
match = {{ source = ["kubernetes", "systemd", "prometheus", "docker"] }}
public = true
[[maintenance]]
services = ["{canary("private name")}"]
text = "{canary("private maintenance")}"
start = 2099-01-01T00:00:00Z
end = 2099-01-02T00:00:00Z
""" + "".join(f"[[service]]\n{one}" for one in services)


def compose(port: int) -> str:
    return f"""
name: shop
services:
  basket:
    image: registry.{canary("image host")}.invalid/{canary("image")}:1.2
    container_name: {canary("container name")}
    hostname: {canary("compose host")}
    command: [serve, --token, {canary("command")}]
    environment: {{ PASSWORD: {canary("compose environment")} }}
    volumes: ["/{canary("volume")}:/data"]
    labels:
      uplog.public: "true"
      uplog.name: Basket
      uplog.path: /{canary("label path")}
      com.example.note: {canary("foreign label")}
    healthcheck: {{ test: [CMD, curl, "http://localhost/{canary("healthcheck")}"] }}
    ports: ["127.0.0.1:{port}:80"]
  wishes:
    image: wishes
    environment: {{ DATABASE: "postgres://{canary("database user")}:{canary("database password")}@db:5432/x" }}
    labels: {{ uplog.public: "true", uplog.url: "http://{canary("label user")}:{canary("label password")}@127.0.0.1:{port}/" }}
"""


def kubernetes() -> str:
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: orders
  namespace: prod
  annotations: {{ note: {canary("annotation")}, uplog.public: "true", uplog.path: /{canary("annotation path")} }}
  labels: {{ team: {canary("kubernetes label")} }}
spec:
  replicas: 2
  selector: {{ matchLabels: {{ app: orders }} }}
  template:
    metadata: {{ labels: {{ app: orders }}, annotations: {{ x: {canary("pod annotation")} }} }}
    spec:
      containers:
        - name: {canary("kubernetes container")}
          image: {canary("kubernetes image")}:1
          args: [--secret={canary("kubernetes argument")}]
          env: [{{ name: TOKEN, value: {canary("kubernetes environment")} }}]
          ports: [{{ containerPort: 8977 }}]
          livenessProbe:
            httpGet: {{ path: /{canary("probe path")}, port: 8977, httpHeaders: [{{ name: X, value: {canary("probe header")} }}] }}
---
apiVersion: v1
kind: Service
metadata: {{ name: orders, namespace: prod, annotations: {{ y: {canary("service annotation")} }} }}
spec: {{ selector: {{ app: orders }}, ports: [{{ port: 8978, targetPort: 8977 }}] }}
"""


def unit() -> str:
    return f"""
[Unit]
Description={canary("unit description")}
Documentation=https://{canary("documentation")}.invalid/
[Service]
Environment=TOKEN={canary("unit environment")}
ExecStart=/usr/bin/{canary("program")} --listen 10.11.12.13:8976 --key {canary("unit argument")}
[Install]
WantedBy=multi-user.target
"""


def prometheus(port: int) -> str:
    return f"""
scrape_configs:
  - job_name: exporter
    metrics_path: /{canary("metrics path")}
    params: {{ token: [{canary("parameter")}] }}
    basic_auth: {{ username: {canary("scrape user")}, password: {canary("scrape password")} }}
    static_configs:
      - targets: ["127.0.0.1:{port}", "127.0.0.1:8975"]
        labels: {{ env: {canary("target label")} }}
"""


def docker(port: int) -> bytes:
    """Tell of one container, as an engine does."""
    answers = engine(
        [{"project": "stack", "service": "cache", "image": f"{canary('docker image')}:1", "ports": [f"{port}:80"]}]
    )
    for _, _, body in answers.values():
        for one in body if isinstance(body, list) else [body]:
            config = one.get("Config", {})
            config.update(Env=[f"TOKEN={canary('docker environment')}"], Cmd=["run", canary("docker command")])
            (config.get("Labels") or one["Labels"])["note"] = canary("docker label")
    return json.dumps([[method, path, body] for (method, path), (_, _, body) in answers.items()]).encode()


WORDS = f"""---
title: Delays
services: [Refused, "{canary("private name")}"]
started: 2026-11-21 09:40
---
{canary("words about a private service")}
"""


async def engine_of(port: int, stack: AsyncExitStack) -> int:
    """Serve what an engine tells; return its port."""
    told = {(method, path): body for method, path, body in json.loads(docker(port))}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split()
        path = re.sub(r"^/v[\d.]+", "", head[1].partition("?")[0])
        body = told.get((head[0], path))
        text = json.dumps({} if body is None else body)
        kind = "200 OK" if body is not None else "404 Not Found"
        writer.write(said(kind, text, "Content-Type: application/json\r\nConnection: close"))
        await writer.drain()

    return await stack.enter_async_context(serving(answer))


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[dict[str, int]]:
    """Serve all that is asked, and write all that is read; gives the ports."""
    async with AsyncExitStack() as stack:
        ports = {name: await stack.enter_async_context(serving(saying(text))) for name, text in SERVERS.items()}
        for name in ("compose", "docker", "prometheus"):
            ports[name] = await stack.enter_async_context(serving(saying(said(f"500 {canary('of ' + name)}"))))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("wrong.invalid", common_name=canary("certificate subject")).configure_cert(context)
        ports["tls"] = await stack.enter_async_context(serving(saying(SERVERS["well"]), context))
        ports["engine"] = await engine_of(ports["docker"], stack)
        files = {
            "uplog.toml": uplog_toml(ports),
            "token.txt": canary("file"),
            f"{canary('folder')}/compose.yml": compose(ports["compose"]),
            "k8s.yml": kubernetes(),
            "units/worker.service": unit(),
            "prometheus.yml": prometheus(ports["prometheus"]),
            "incidents/delays.md": WORDS,
        }
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        yield ports


async def uplog(folder: Path, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uplog.collector", *words),
        cwd=folder, env={**os.environ, "UPLOG_CANARY": canary("environment")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 90)
    assert b"Traceback" not in output
    assert b"internal error" not in output, output.decode()
    return output.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a whole run left."""

    public: Mapping[str, bytes]
    internal: Mapping[str, bytes]
    ports: Mapping[str, int]
    folder: Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("canary")

    async def scenario() -> dict[str, int]:
        async with a_world(folder) as ports:
            for words in (["discover"], ["run", "--every", "1s"], ["build"]):
                await uplog(folder, *words)
            return ports

    ports = asyncio.run(scenario())

    def there(name: str) -> dict[str, bytes]:
        root = folder / name
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    return Ran(public=there("public"), internal=there("data/internal"), ports=ports, folder=folder)


# In whatever form


@cache
def readable(content: bytes) -> bytes:
    """Return all that *content* may be read as, in small letters."""
    return b"\0".join(decoded(content)).lower()


def decoded(content: bytes) -> Iterator[bytes]:
    """Yield *content* as it is, and as those read it who unpack and decode it."""
    yield content
    text = content.decode("utf-8", "replace")
    yield html.unescape(text).encode()
    yield unquote_to_bytes(text)
    yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text).encode("utf-8", "replace")
    for start in (place.start() for place in re.finditer(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08", content)):
        try:
            yield zlib.decompressobj(wbits=47).decompress(content[start:])
        except zlib.error:
            continue


def forms(secret: str) -> Iterator[bytes]:
    """Yield what *secret* looks like in other alphabets; in base64 wherever in a longer text it stands."""
    plain = secret.encode()
    yield plain
    yield plain[::-1]
    yield plain.hex().encode()
    yield secret.encode("utf-16-le")
    yield secret.encode("utf-16-be")
    for before in range(3):
        whole = base64.b64encode(bytes(before) + plain)
        sure = whole[-(-before * 8 // 6) : len(whole) // 4 * 4 - 4]
        if len(sure) >= 4:  # two letters stand in any hash of a style
            yield sure


def holding(files: Mapping[str, bytes], secret: str) -> list[str]:
    """Return the files that hold *secret* in any form, or are called so."""
    wanted = {form.lower() for form in forms(secret)}
    return [
        name for name, content in files.items() if secret in name or any(form in readable(content) for form in wanted)
    ]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda text: b"<p>" + "".join(f"&#{ord(sign)};" for sign in text).encode(),
        lambda text: b"http://x/" + "".join(f"%{ord(sign):02x}" for sign in text).encode(),
        lambda text: b'{"x": "' + "".join(f"\\u{ord(sign):04x}" for sign in text).encode(),
        lambda text: b"data:," + base64.b64encode(b"ab" + text.encode() + b"c"),
        lambda text: b"\x89PNG" + zlib.compress(b"tEXt" + text.encode()),
        lambda text: gzip.compress(text.encode()),
        lambda text: text.upper().encode("utf-16"),
    ],
)
def test_the_search_finds_what_is_hidden(wrapped: Callable[[str], bytes]) -> None:
    assert holding({"x": wrapped("zq0123456789")}, "zq0123456789") == ["x"]


# What is published


def test_services_of_every_source_are_published_and_fail_in_every_way(ran: Ran) -> None:
    services = {one["name"]: one for one in json.loads(ran.public["status.json"])["services"]}

    assert {
        *SERVERS,
        "Unresolved",
        "Certificate",
        "Refused",
        "Basket",
        "orders",
        "worker",
        "exporter",
        "cache",
    } <= services.keys()
    assert {"http_5xx", "blocked", "redirect_offsite", "protocol", "dns", "certificate", "refused"} <= {
        one["reason"] for one in services.values()
    }


def test_what_only_has_an_address_for_a_name_is_not_published_even_if_a_rule_says_so(ran: Ran) -> None:
    def named(files: Mapping[str, bytes]) -> dict[str, str]:
        return {one["name"]: one["key"] for one in json.loads(files["status.json"])["services"]}

    address = f"127.0.0.1:{ran.ports['prometheus']}"
    assert named(ran.internal)[address] == "exporter"  # the name of its job
    assert address not in named(ran.public)
    assert named(ran.public)["exporter"] == "exporter-2"


def test_no_secret_is_in_any_published_byte(ran: Ran) -> None:
    assert len(CANARIES) > 55
    assert {place: found for place, secret in CANARIES.items() if (found := holding(ran.public, secret))} == {}


def test_what_is_not_published_was_there_to_be(ran: Ran) -> None:
    shown = {place for place, secret in CANARIES.items() if holding(ran.internal, secret)}

    assert {"host", "path body", "private name", "unit description", "folder", "words about a private service"} <= shown
    assert not {"environment", "file", "compose environment", "kubernetes environment", "docker environment"} & shown


def test_no_host_port_or_address_is_in_any_published_byte(ran: Ran) -> None:
    hosts = ["localhost", "127.0.0.1", "[::1]", "10.11.12.13", ".invalid", "cluster.local"]
    hosts += [f":{port}" for port in (*ran.ports.values(), 8975, 8976, 8977, 8978, 8999)] + [str(ran.folder)]

    assert {host: found for host in hosts if (found := holding(ran.public, host))} == {}


def test_no_address_but_that_of_the_site_and_those_of_formats_is_published(ran: Ran) -> None:
    known = rb"https?://(?:status\.example/|www\.w3\.org/|json-schema\.org/|www\.sitemaps\.org/)"
    for name, content in ran.public.items():
        assert not re.search(rb"[a-z]+://[^\s/]", re.sub(known, b"", content)), name
        assert not re.search(rb"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])", content), name
