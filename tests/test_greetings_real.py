"""The probes that pass on a server's first words, against the servers of Debian, well and not well."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from helpers import a_check, free_port
from helpers_machine import needs_real

from uplog.collector.model import Answer, Reason
from uplog.collector.observe import observe

pytestmark = pytest.mark.integration

START_S = 120  # RabbitMQ takes ten, on a busy machine forty
STOP_S = 20

KINDS = ["redis", "memcached", "zookeeper", "kafka", "mssql", "mysql", "postgres", "amqp", "smtp"]

Command = list[str | Path]


def ask(kind: str, port: int, timeout: int = 20_000) -> Answer:
    [answer] = asyncio.run(observe([a_check(kind=kind, target=f"{kind}://127.0.0.1:{port}", timeout=timeout)]))
    return answer


def asked_until(kind: str, port: int, wanted: Callable[[Answer], object] = lambda answer: answer.reading) -> Answer:
    """Ask again and again, until the answer is the *wanted* one or the time of a start is over."""
    deadline = time.monotonic() + START_S
    while not wanted(answer := ask(kind, port, timeout=2_000)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


@contextmanager
def running(command: Command, log: Path, **options: Any) -> Iterator[None]:
    """Run a server, whose words go to *log*."""
    with log.open("ab") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, **options)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def holding(port: int, count: int) -> Iterator[None]:
    """Hold connections without a word."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        yield


def binary(name: str, package: str, path: str = "/usr/sbin:/usr/local/bin") -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:{path}")
    needs_real(found, f"{name}: apt install {package}")
    return str(found)


# Redis


@contextmanager
def redis(folder: Path, *options: str) -> Iterator[int]:
    port = free_port()
    command: Command = [binary("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    with running([*command, "--dir", folder, "--save", "", *options], folder / "log"):
        yield port


def say(port: int, *commands: str, answers: int | None = None) -> bytes:
    """Say *commands* to a Redis, and return what it says to them in so many lines."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock, sock.makefile("rb") as file:
        sock.sendall("".join(f"{command}\r\n" for command in commands).encode())
        return b"".join(file.readline() for _ in range(len(commands) if answers is None else answers))


@contextmanager
def listened_to(port: int) -> Iterator[None]:
    """Hold a connection to a Redis that lets in one at a time: it takes its time to let the one before go."""
    for _ in range(1_000):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"PING\r\n")
            if sock.recv(100) == b"+PONG\r\n":
                yield
                return
    raise AssertionError("nobody is let in")


def test_redis_answers_ping(tmp_path):
    with redis(tmp_path) as port:
        answer = asked_until("redis", port)

        assert (answer.reading is not None, answer.reason) == (True, None)


def test_redis_with_a_password_passes(tmp_path):
    with redis(tmp_path, "--requirepass", "secret") as port:
        answer = asked_until("redis", port)

        assert answer.reading is not None
        assert answer.reading.facts == {"guarded": "authentication is required"}


def test_redis_with_its_connections_used_up_fails(tmp_path):
    with redis(tmp_path, "--maxclients", "1") as port:
        asked_until("redis", port)
        with listened_to(port):
            answer = ask("redis", port)

    assert (answer.reason, answer.text) == (Reason.ANSWER, "ERR max number of clients reached")


def test_redis_that_reads_its_data_is_not_ready(tmp_path):
    with redis(tmp_path, "--enable-debug-command", "yes") as port:
        asked_until("redis", port)
        assert say(port, "DEBUG POPULATE 2000", "SAVE") == b"+OK\r\n+OK\r\n"
    slowly = ("--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024")
    with redis(tmp_path, *slowly) as port:
        answer = asked_until("redis", port, lambda answer: answer.reason is not Reason.REFUSED)

    assert (answer.reason, answer.text) == (Reason.NOT_READY, "LOADING Redis is loading the dataset in memory")


def test_redis_that_a_script_blocks_is_not_ready(tmp_path):
    with redis(tmp_path, "--busy-reply-threshold", "10") as port:
        asked_until("redis", port)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b'EVAL "while true do end" 0\r\n')
            answer = asked_until("redis", port, lambda answer: answer.reason is Reason.NOT_READY)
            say(port, "SCRIPT KILL")

    assert (answer.reason, answer.text[:4]) == (Reason.NOT_READY, "BUSY")


# memcached


@contextmanager
def memcached(folder: Path, *options: str) -> Iterator[int]:
    port = free_port()
    command: Command = [binary("memcached", "memcached"), "-u", "root", "-l", "127.0.0.1", "-p", str(port), *options]
    with running(command, folder / "log"):
        yield port


def test_memcached_tells_its_version(tmp_path):
    with memcached(tmp_path) as port:
        answer = asked_until("memcached", port)
    said = subprocess.run([binary("memcached", "memcached"), "-V"], capture_output=True, text=True, check=True).stdout

    assert answer.reading is not None
    assert said == f"memcached {answer.reading.facts['version']}\n"


def test_memcached_with_a_password_passes(tmp_path):
    (tmp_path / "passwords").write_text("user:secret\n")
    with memcached(tmp_path, "--auth-file", str(tmp_path / "passwords")) as port:
        answer = asked_until("memcached", port)

    assert answer.reading is not None
    assert answer.reading.facts == {"guarded": "authentication is required"}


# MariaDB


class MariaDB:
    """A server with an empty database."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self._socket = folder / "socket"

    def query(self, sql: str) -> str:
        """Return the last word of the result."""
        command: Command = [binary("mariadb", "mariadb-server"), "--no-defaults", "-N", "-u", "root"]
        done = subprocess.run(
            [*command, "-S", self._socket, "-e", sql], capture_output=True, text=True, check=True, timeout=10
        )
        return (done.stdout.split() or [""])[-1]


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDB]:
    server, install = binary("mariadbd", "mariadb-server"), binary("mariadb-install-db", "mariadb-server")
    with tempfile.TemporaryDirectory(prefix="uplog-mariadb-") as name:  # a socket's path may have 107 signs
        folder, port = Path(name), free_port()
        common = ["--no-defaults", f"--datadir={folder}/data", f"--tmpdir={folder}", "--user=root"]
        subprocess.run(
            [install, *common, "--skip-test-db"], cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60
        )
        options = [f"--socket={folder}/socket", f"--port={port}", "--bind-address=127.0.0.1", "--max-connections=10"]
        with running([server, *common, *options], folder / "log"):
            asked_until("mysql", port)
            yield MariaDB(folder, port)


def test_mariadb_tells_its_version(mariadb):
    answer = ask("mysql", mariadb.port)

    assert answer.reading is not None
    assert answer.reading.facts == {"version": mariadb.query("select version()")}


def test_mariadb_never_sees_us_hang_up_on_its_greeting(mariadb):
    """Else it would count up to max_connect_errors, and block the host that asks."""
    count = "show global status like 'Aborted_connects{}'"
    broken, all_together = mariadb.query(count.format("_preauth")), mariadb.query(count.format(""))
    ask("mysql", mariadb.port)
    deadline = time.monotonic() + START_S
    while mariadb.query(count.format("")) == all_together and time.monotonic() < deadline:
        time.sleep(0.02)

    assert int(mariadb.query(count.format(""))) == int(all_together) + 1  # denied
    assert mariadb.query(count.format("_preauth")) == broken


def test_mariadb_with_its_connections_used_up_fails(mariadb):
    with holding(mariadb.port, 11):  # max_connections, and one that is kept for an administrator
        answer = ask("mysql", mariadb.port)

    assert (answer.reason, answer.text) == (Reason.ANSWER, "error 1040: Too many connections")
    assert asked_until("mysql", mariadb.port).reading is not None


# PostgreSQL


class Postgres:
    """A folder with an empty cluster, of the user that may run it."""

    def __init__(self, folder: Path) -> None:
        bins = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        needs_real(bins, "a PostgreSQL: apt install postgresql")
        self._bin = bins[-1].parent
        self._folder = folder
        self._data, self.log = folder / "data", folder / "log"
        # it refuses to run as root
        self._as: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []}
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
        else:
            self._as = {}
        self._run("initdb", "-D", str(self._data), "-A", "scram-sha-256", "--pwfile=/etc/hostname", "-N")

    def _run(self, name: str, *options: str) -> None:
        command: Command = [self._bin / name, *options]
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, timeout=60, **self._as)

    def certify(self) -> None:
        """Give it a certificate of its own making, as Debian does."""
        names = ["-keyout", str(self._data / "server.key"), "-out", str(self._data / "server.crt")]
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=snakeoil"]
        subprocess.run([*command, *names], check=True, stderr=subprocess.DEVNULL, timeout=30, **self._as)

    def allow(self, *lines: str) -> None:
        """Replace the rules of who may connect how."""
        (self._data / "pg_hba.conf").write_text("".join(f"{line}\n" for line in lines))

    @contextmanager
    def standing_by(self) -> Iterator[int]:
        """Start it as one that waits for another one, and lets nobody in; gives the port."""
        signal = self._data / "standby.signal"
        signal.touch()
        try:
            with self.serving(hot_standby="off") as port:
                yield port
        finally:
            signal.unlink()

    @contextmanager
    def serving(self, **settings: object) -> Iterator[int]:
        """Start it; gives the port."""
        port = free_port()
        every = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder, **settings}
        options = [word for name, value in every.items() for word in ("-c", f"{name}={value}")]
        with running([self._bin / "postgres", "-D", self._data, *options], self.log, cwd="/", **self._as):
            yield port


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="uplog-postgres-") as name:  # a folder that its user can reach
        yield Postgres(Path(name))


@pytest.mark.parametrize("tls", [False, True])
def test_postgres_passes_when_it_asks_for_a_proof_and_logs_nothing_of_it(postgres, tls):
    if tls:
        postgres.certify()
    with postgres.serving(ssl="on" if tls else "off") as port:
        answer = asked_until(
            "postgres", port, lambda answer: answer.reading and not answer.reading.facts.get("guarded")
        )
        before = postgres.log.read_text()
        for _ in range(3):
            answer = ask("postgres", port)
        time.sleep(0.2)
        after = postgres.log.read_text()

    assert answer.reading is not None
    assert answer.reading.facts == {"tls": tls}
    assert after == before


def test_postgres_that_does_not_know_our_host_passes(postgres):
    postgres.allow("local all all trust")
    with postgres.serving() as port:
        answer = asked_until("postgres", port)
    postgres.allow("host all all 127.0.0.1/32 scram-sha-256")

    assert answer.reading is not None
    assert answer.reading.facts["guarded"].startswith("28000 no pg_hba.conf entry for host")


def test_postgres_with_its_connections_used_up_fails(postgres):
    few = {
        "max_connections": 1,
        "superuser_reserved_connections": 0,
        "autovacuum_max_workers": 1,
        "max_wal_senders": 0,
        "max_worker_processes": 0,
    }
    with postgres.serving(**few) as port:
        asked_until("postgres", port)
        with holding(port, 10):
            answer = ask("postgres", port)

    assert (answer.reason, answer.text) == (Reason.ANSWER, "53300 sorry, too many clients already")


def test_postgres_that_does_not_let_clients_in_yet_is_not_ready(postgres):
    with postgres.standing_by() as port:
        answer = asked_until("postgres", port, lambda answer: answer.reason is not Reason.REFUSED)

    assert answer.reason is Reason.NOT_READY
    assert answer.text.startswith("the database system is ")


# ZooKeeper


@contextmanager
def zookeeper(folder: Path, *lines: str) -> Iterator[int]:
    jar = Path("/usr/share/java/zookeeper.jar")
    needs_real(jar.exists() and shutil.which("java"), "a ZooKeeper: apt install zookeeper")
    port = free_port()
    (folder / "data").mkdir()
    (folder / "data/myid").write_text("1\n")
    every = [f"dataDir={folder}/data", f"clientPort={port}", "clientPortAddress=127.0.0.1", "admin.enableServer=false"]
    (folder / "zoo.cfg").write_text("".join(f"{line}\n" for line in ("tickTime=2000", *every, *lines)))
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    command: Command = ["java", "-Xmx64m", "-cp", f"{jar}:{jar.parent}/*", main, folder / "zoo.cfg"]
    with running(command, folder / "log", cwd=folder):
        yield port


def test_zookeeper_tells_its_version_and_mode(tmp_path):
    with zookeeper(tmp_path) as port:
        answer = asked_until("zookeeper", port)

    assert answer.reading is not None
    assert answer.reading.facts["mode"] == "standalone"
    assert answer.reading.facts["version"].startswith("3.")


def test_zookeeper_without_its_quorum_is_not_ready(tmp_path):
    peers = [f"server.{place}=127.0.0.1:{free_port()}:{free_port()}" for place in (1, 2, 3)]
    with zookeeper(tmp_path, "initLimit=5", "syncLimit=2", *peers) as port:
        answer = asked_until("zookeeper", port, lambda answer: answer.reason is Reason.NOT_READY)

    assert answer.text == "This ZooKeeper instance is not currently serving requests"


# RabbitMQ


RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one on the path is for root, and becomes another user


@pytest.fixture(scope="module", autouse=True)
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start one where there is any, long before it is asked: it takes ten seconds until it listens; gives the port."""
    epmd = shutil.which("epmd")
    if epmd is None or not RABBITMQ.exists():
        yield 0
        return
    folder = tmp_path_factory.mktemp("rabbitmq")
    port, names = free_port(), free_port()
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"uplog{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +SDcpu 1:1 +SDio 1 +A 1",  # threads that others could use
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    with running([epmd], folder / "log", env=environment), running([RABBITMQ], folder / "log", env=environment):
        yield port


@pytest.mark.slow
def test_rabbitmq_tells_its_version(rabbitmq):
    needs_real(rabbitmq, "a RabbitMQ: apt install rabbitmq-server")
    answer = asked_until("amqp", rabbitmq)

    assert answer.reading is not None, answer.text
    assert answer.reading.facts["product"] == "RabbitMQ"
    assert answer.reading.facts["version"][0].isdecimal()


# Mail


@contextmanager
def mail() -> Iterator[int]:
    port = free_port()
    controller = Controller(Sink(), hostname="127.0.0.1", port=port, server_hostname="mx.example", ident="hello")
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def test_a_mail_server_passes():
    with mail() as port:
        answer = ask("smtp", port)

    assert answer.reading is not None, answer.text
    assert answer.reading.facts == {"greeting": "mx.example hello", "starttls": False}


# One for another


def test_no_server_passes_for_one_of_another_kind(tmp_path, mariadb, postgres):
    (tmp_path / "memcached").mkdir()
    with redis(tmp_path) as a, memcached(tmp_path / "memcached") as b, postgres.serving() as c, mail() as d:
        ports = {"redis": a, "memcached": b, "postgres": c, "smtp": d, "mysql": mariadb.port}
        for kind, port in ports.items():
            asked_until(kind, port)
        asked = [
            a_check(kind=kind, target=f"{kind}://127.0.0.1:{port}", timeout=20_000 if kind == name else 500, name=name)
            for name, port in ports.items()
            for kind in KINDS
        ]
        passed = [(answer.check.name, answer.check.kind) for answer in asyncio.run(observe(asked)) if answer.reading]

    assert passed == [(kind, kind) for kind in ports]
