"""A server that answers as the API of Kubernetes did when it was recorded, and a kubeconfig that leads there."""

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import Request, urlopen

from helpers import free_port

LISTS = Path(__file__).parent / "captured/kubernetes/lists.json"
KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: u, user: {{token: secret-token}}}}]
contexts:
  - {{name: lab, context: {{cluster: c, user: u}}}}
  - {{name: spare, context: {{cluster: c, user: u}}}}
current-context: lab
"""


class Api:
    """What the server answers: recorded lists by path, and those paths that it forbids or is slow at."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.lists: dict[str, Any] = json.loads(LISTS.read_text())
        self.forbidden: set[str] = set()
        self.page = 500  # a page is never larger than this
        self.asked: list[str] = []  # paths, as they came
        self.tokens: set[str] = set()  # who asked

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment in which the kubeconfig is found."""
        return {"KUBECONFIG": str(self.kubeconfig)}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, Any]:
        """Return status and body, a page of the list at a time."""
        if path.rpartition("/")[2] in self.forbidden:
            return 403, {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403}
        everywhere, namespace = without_namespace(path)
        if everywhere not in self.lists:
            return 404, {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}
        whole = self.lists[everywhere]
        items = [one for one in whole["items"] if namespace in ("", one["metadata"].get("namespace"))]
        size = min(int(query["limit"][0]), self.page)
        begin = int(query.get("continue", ["0"])[0])
        more = {"continue": str(begin + size)} if begin + size < len(items) else {}
        return 200, {**whole, "metadata": more, "items": items[begin : begin + size]}


def without_namespace(path: str) -> tuple[str, str]:
    """Split `/api/v1/namespaces/shop/pods` into the path of all pods and the namespace."""
    before, found, after = path.partition("/namespaces/")
    namespace, _, plural = after.partition("/")
    return (f"{before}/{plural}", namespace) if found else (path, "")


@contextmanager
def replay(folder: Path) -> Iterator[Api]:
    """Serve the recorded lists on loopback, with a kubeconfig in *folder*."""
    api = Api(folder / "kubeconfig")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: the second would wait 40 ms for the first to be acknowledged

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            api.asked.append(url.path)
            api.tokens.add(self.headers.get("authorization", ""))
            status, body = api.answer(url.path, parse_qs(url.query))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    api.kubeconfig.write_text(KUBECONFIG.format(port=server.server_port))
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# A real one

KUBECONFIG_OF_REAL = """apiVersion: v1
kind: Config
clusters: [{{name: t, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {folder}/pki/apiserver.crt}}}}]
users: [{{name: admin, user: {{token: admin-token}}}}, {{name: reader, user: {{token: reader-token}}}}]
contexts: [{{name: t, context: {{cluster: t, user: admin}}}}, {{name: reader, context: {{cluster: t, user: reader}}}}]
current-context: t
"""


@contextmanager
def api_server(binary: Path, folder: Path) -> Iterator[Path]:
    """Start an etcd and a kube-apiserver, 1.20 or newer, on loopback; yield a kubeconfig with an admin and a reader."""
    store, peer, port = free_port(), free_port(), free_port()
    key = folder / "sa.key"
    run = partial(subprocess.run, check=True, capture_output=True, timeout=300)
    run(["openssl", "genrsa", "-out", key, "2048"])
    run(["openssl", "rsa", "-in", key, "-pubout", "-out", folder / "sa.pub"])
    (folder / "tokens.csv").write_text("admin-token,admin,1,system:masters\nreader-token,reader,2,\n")
    urls = {"client": f"http://127.0.0.1:{store}", "peer": f"http://127.0.0.1:{peer}"}
    etcd = [
        *("etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--initial-cluster", f"default={urls['peer']}"),
        *("--listen-client-urls", urls["client"], "--advertise-client-urls", urls["client"]),
        *("--listen-peer-urls", urls["peer"], "--initial-advertise-peer-urls", urls["peer"]),
    ]
    api = [
        *(binary, "--etcd-servers", urls["client"], "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"),
        *(f"--secure-port={port}", f"--cert-dir={folder}/pki", "--service-cluster-ip-range=10.96.0.0/24"),
        *(f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC", "--endpoint-reconciler-type=none"),
        *(f"--service-account-issuer=https://127.0.0.1:{port}", f"--service-account-key-file={folder}/sa.pub"),
        *(f"--service-account-signing-key-file={key}", "--disable-admission-plugins=ServiceAccount"),
    ]
    with ExitStack() as stack:
        for command in (etcd, api):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait, 30)
            stack.callback(process.kill)
        wait_until_ready(port, folder)
        kubeconfig = folder / "kubeconfig-real"
        kubeconfig.write_text(KUBECONFIG_OF_REAL.format(port=port, folder=folder))
        yield kubeconfig


def wait_until_ready(port: int, folder: Path) -> None:
    """Wait, 60 s at most, until the API says that it is ready."""
    certificate = folder / "pki/apiserver.crt"
    request = Request(f"https://127.0.0.1:{port}/readyz", headers={"Authorization": "Bearer admin-token"})
    for _ in range(600):
        try:
            with urlopen(request, context=ssl.create_default_context(cafile=certificate), timeout=2) as answer:
                assert answer.read() == b"ok"
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the kube-apiserver did not become ready")
