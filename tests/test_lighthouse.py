"""The index as Lighthouse judges it, on a phone with a slow network."""

import gzip
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from helpers_audit import SLOWER, lighthouse, slower
from helpers_large import large_fleet
from test_page_in_browser import Quiet

from uplog.site.render import render
from uplog.site.view import page as page_of
from uplog.site.write import write

pytestmark = [pytest.mark.integration, pytest.mark.slow]

TRIES = 6  # a busy machine makes any page slow


class Compressing(Quiet):
    """Files as a web server gives them that compresses what it sends."""

    def send_head(self) -> BytesIO | None:  # type: ignore[override]
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return None
        content = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return BytesIO(content)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of the index of 120 services that were asked just now."""
    history = large_fleet(120, datetime.now(UTC).replace(microsecond=0))
    write(render(page_of(history, zone=UTC, audience="public", title="Acme")), tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressing, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_lighthouse_gives_100_to_an_index_of_120_services(index: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    answers = tmp_path_factory.mktemp("lighthouse") / "answers.json"

    phone: float = SLOWER
    for _ in range(TRIES):
        report = lighthouse(index, answers, phone)
        phone = slower(report)  # the same phone, though this machine is busy
        scores = {name: round(100 * one["score"]) for name, one in report["categories"].items()}
        speed = scores.pop("performance")
        assert scores == {"accessibility": 100, "best-practices": 100, "seo": 100}, failed(report)
        if speed == 100:
            return
    pytest.fail(f"performance is {speed}: {failed(report)}")


def failed(report: dict) -> list[str]:  # type: ignore[type-arg]
    """List the audits that took something from a score."""
    return [
        f"{name}: {one['id']}: {report['audits'][one['id']].get('displayValue')}"
        for name, category in report["categories"].items()
        for one in category["auditRefs"]
        if one["weight"] and (report["audits"][one["id"]]["score"] or 0) < 1
    ]
