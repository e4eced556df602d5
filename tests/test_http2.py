"""HTTP over its second version: of a real nginx, and of servers that only half speak it."""

import asyncio
import json
import logging
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from helpers import a_check, free_port
from helpers_faults import Serve, patience, saying, serving
from helpers_real import needs

from uplog.collector.model import Answer, Expect, Reason
from uplog.collector.observe import observe

pytestmark = pytest.mark.integration

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{plain} http2;
    listen 127.0.0.1:{tls} ssl http2;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    default_type application/json;
    location = /health {{ return 200 '{{"status": "healthy", "over": "$server_protocol", "host": "$host"}}'; }}
    location = /ill {{ return 503 '{{"status": "unhealthy"}}'; }}
    location = /moved {{ return 302 /health; }}
    location = /away {{ return 302 http://elsewhere.example/; }}
    location = /login {{ return 200 '{{"status": "$http_authorization $http_x_who"}}'; }}
    location = /big {{ root {folder}; }}
  }}
  server {{ listen 127.0.0.1:{old} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; }}
}}
"""


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    program = needs("nginx", "nginx")
    folder = tmp_path_factory.mktemp("nginx")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf = ca.issue_cert("localhost", "127.0.0.1")
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    (folder / "big").write_bytes(b"x" * 400_000)
    ports = {name: free_port() for name in ("plain", "tls", "old")}
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, **ports))
    process = subprocess.Popen([program, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"])
    try:
        wait_for(ports["tls"], folder)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
            yield ports
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(60)


def wait_for(port: int, folder: Path) -> None:
    for _ in range(3_000):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError((folder / "error.log").read_text())


def ask(target: str, *, timeout: int = 5000, expect: Expect | None = None, **options: str) -> Answer:
    check = a_check(target=target, timeout=timeout, options={"version": "2", **options}, expect=expect or Expect())
    [answer] = asyncio.run(observe([check]))
    return answer


def body_of(answer: Answer) -> dict[str, str]:
    assert answer.reading, answer.text
    found: dict[str, str] = json.loads(answer.reading.body)
    return found


def test_a_server_is_asked_over_the_second_version_with_tls_and_without(nginx):
    plain = ask(f"http://127.0.0.1:{nginx['plain']}/health")
    secured = ask(f"https://localhost:{nginx['tls']}/health")

    assert body_of(plain) == {"status": "healthy", "over": "HTTP/2.0", "host": "127.0.0.1"}
    assert body_of(secured) == {"status": "healthy", "over": "HTTP/2.0", "host": "localhost"}
    assert plain.reading
    assert plain.reading.certificate is None
    assert secured.reading
    assert secured.reading.certificate
    assert "localhost" in secured.reading.certificate["names"]


def test_status_redirects_headers_and_long_bodies_are_as_in_the_first_version(nginx):
    place = f"http://127.0.0.1:{nginx['plain']}"
    ill, moved, big = ask(f"{place}/ill"), ask(f"{place}/moved"), ask(f"{place}/big")

    assert ill.reading
    assert (ill.reading.code, ill.reading.headers["content-type"]) == (503, "application/json")
    assert moved.reading
    assert (moved.reading.code, moved.reading.facts) == (200, {"redirected": "/health"})
    assert big.reading
    assert (len(big.reading.body), big.reading.facts) == (256 * 1024, {"truncated": True})
    assert ask(f"{place}/away").reason is Reason.REDIRECT_OFFSITE


def test_a_request_carries_what_is_to_be_sent(nginx):
    url = f"http://bob:pw@127.0.0.1:{nginx['plain']}/login"
    check = a_check(target=url, timeout=5000, options={"version": "2"}, headers=(("X-Who", "me"),))
    [answer] = asyncio.run(observe([check]))

    assert body_of(answer) == {"status": "Basic Ym9iOnB3 me"}
    refused = ask(f"http://127.0.0.1:{nginx['plain']}/health", method="POST", body="x" * 40_000)
    assert refused.reading
    assert refused.reading.code == 200


def test_no_log_of_any_level_holds_what_was_sent(nginx, caplog, monkeypatch):
    monkeypatch.setenv("UPLOG_TEST_TOKEN", "canary-7f3a")
    caplog.set_level(logging.DEBUG)
    url = f"http://127.0.0.1:{nginx['plain']}/login"
    headers = (("Authorization", "env:UPLOG_TEST_TOKEN"),)
    [answer] = asyncio.run(observe([a_check(target=url, options={"version": "2"}, headers=headers)]))

    assert "canary-7f3a" in body_of(answer)["status"]  # it was sent
    assert "canary" not in caplog.text


def test_a_server_that_only_speaks_the_first_version_says_so(nginx):
    secured = ask(f"https://localhost:{nginx['old']}/")

    assert (secured.reason, secured.text) == (Reason.TLS, "no TLS connection: refused by the server")


FRAME = (6).to_bytes(3) + bytes([4, 0, 0, 0, 0, 0])  # SETTINGS, six bytes
NO_SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
STATUS_ABC = b"\0\0\x05\x01\x05\0\0\0\x01" + b"\x08\x03abc"  # HEADERS, and the end
PUSHED = (
    b"\0\0\x0a\x05\x04\0\0\0\x01" + b"\0\0\0\x02\x82\x86\x84\x41\x01a"  # PUSH_PROMISE of a stream 2: GET /
    b"\0\0\x01\x01\x04\0\0\0\x02" + b"\x88"  # its HEADERS, status 200
    b"\0\0\x02\x00\x01\0\0\0\x02" + b"ok"  # its DATA, and the end
)


@pytest.mark.parametrize(
    ("serve", "reason"),
    [
        (saying(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), Reason.PROTOCOL),
        (saying(b""), Reason.RESET),
        (saying(FRAME + b"\0\x03\0\0\0\x64"), Reason.RESET),  # settings, and not a word more
        (saying(NO_SETTINGS + b"\xff" * 600_000, stay=True), Reason.TOO_LARGE),
        (saying(NO_SETTINGS + b"\0\0\x08\x06\0\0\0\0\0" + bytes(8), stay=True), Reason.TIMEOUT),
        (saying(NO_SETTINGS + STATUS_ABC, stay=True), Reason.PROTOCOL),
        (saying(NO_SETTINGS + PUSHED, stay=True), Reason.PROTOCOL),
    ],
)
def test_a_server_that_speaks_it_badly_has_its_reason(serve: Serve, reason: Reason):
    async def scenario() -> Answer:
        async with serving(serve) as port:
            check = a_check(target=f"http://127.0.0.1:{port}/", timeout=patience(reason, 500), options={"version": "2"})
            [answer] = await observe([check])
            return answer

    assert asyncio.run(scenario()).reason is reason


WITHOUT = """
import sys
sys.modules["h2"] = sys.modules["h2.config"] = None
from uplog.collector.observe import Local
from uplog.collector.model import Check
[answer] = Local()([Check(key="k", service="s", kind="http", target=sys.argv[1], options={"version": "2"})])
print(answer.reason, answer.text)
"""


def test_without_the_extra_it_is_named(nginx):
    command = [sys.executable, "-c", WITHOUT, f"http://127.0.0.1:{nginx['plain']}/health"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert said == "local_error HTTP/2 needs the extra: pip install 'uplog[http2]'\n"
