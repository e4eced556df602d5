"""The server of `uplog up`: the files of one folder, to browsers of this machine."""

import asyncio
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from helpers import free_port

from uplog.site.serve import app

pytestmark = pytest.mark.unit

FILES = {"index.html": "<h1>page</h1>", "service/web.html": "web", "status.json": "{}", ".uplog-files": "secret"}
Answer = tuple[int, str, dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    site = tmp_path / "site"
    for name, text in FILES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    (tmp_path / "outside.txt").write_text("secret")
    (site / "link.txt").symlink_to(tmp_path / "outside.txt")
    return site


def ask(
    folder: Path, path: str = "/", method: str = "GET", *, host: str = "127.0.0.1:{port}", known: str = ""
) -> Answer:
    """Ask a running server once, and say what came: status, text, headers.

    The request goes out byte by byte as it stands here: HTTP clients tidy up `..` and Host on their own.
    """

    async def run() -> bytes:
        port = free_port()
        async with TestServer(app(folder, port=port, names=["status.lan"]), host="127.0.0.1", port=port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = [f"{method} {path} HTTP/1.1", f"Host: {host.format(port=port)}", "Connection: close"]
            lines += [f"If-None-Match: {known}"] if known else []
            writer.write("\r\n".join([*lines, "", ""]).encode())
            got = await reader.read()
            writer.close()
            await writer.wait_closed()
            return got

    head, _, body = asyncio.run(run()).decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    return int(first.split()[1]), body, dict(line.split(": ", 1) for line in rest)


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("/", "<h1>page</h1>", "text/html; charset=utf-8"),
        ("/index.html", "<h1>page</h1>", "text/html; charset=utf-8"),
        ("/service/web.html", "web", "text/html; charset=utf-8"),
        ("/status.json?x=1", "{}", "application/json"),
    ],
)
def test_files_are_served_with_their_types(folder: Path, path: str, text: str, kind: str) -> None:
    status, body, headers = ask(folder, path)

    assert (status, body, headers["Content-Type"]) == (200, text, kind)
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/service/../../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/..%5coutside.txt",
        "//etc/passwd",
        "/%00",
        "/link.txt",
        "/.uplog-files",
        "/service",
        "/service/",
        "/nothing.html",
    ],
)
def test_nothing_outside_hidden_or_missing_is_served(folder: Path, path: str) -> None:
    status, body, _ = ask(folder, path)

    assert (status, "secret" in body, "root:" in body) == (404, False, False)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:{port}", "127.0.0.1", "[::1]:{port}", "status.lan"])
def test_names_of_this_machine_are_answered(folder: Path, host: str) -> None:
    assert ask(folder, host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1:1", ""])
@pytest.mark.parametrize("path", ["/", "/nothing.html"])
def test_other_names_are_refused(folder: Path, host: str, path: str) -> None:
    status, body, _ = ask(folder, path, host=host)

    assert (status, "page" in body) == (421, False)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_reading_is_possible(folder: Path, method: str) -> None:
    assert ask(folder, method=method)[0] == 405


def test_head_answers_without_a_body(folder: Path) -> None:
    status, body, headers = ask(folder, method="HEAD")

    assert (status, body, headers["Content-Length"]) == (200, "", "13")


def test_what_the_browser_has_is_not_sent_again(folder: Path) -> None:
    tag = ask(folder)[2]["ETag"]

    assert ask(folder, known=f'"other", {tag}')[:2] == (304, "")
    (folder / "index.html").write_text("new")
    assert ask(folder, known=tag)[:2] == (200, "new")


def test_before_the_first_build_a_page_says_so_and_looks_again(tmp_path: Path) -> None:
    status, body, headers = ask(tmp_path / "not there yet")

    assert (status, "Not built yet" in body, 'http-equiv="refresh"' in body) == (503, True, True)
    assert headers["Content-Type"] == "text/html; charset=utf-8"
