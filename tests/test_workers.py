"""The engine that asks from several processes, with real ones and a real server."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import ClassVar

import pytest

from uplog.collector import workers
from uplog.collector.cli import engine
from uplog.collector.config import ConfigError, parse
from uplog.collector.cycle import cycle
from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Check, Outcome, Reading, Reason
from uplog.collector.observe import Local, Stopped
from uplog.collector.store import Store
from uplog.collector.workers import Workers

pytestmark = pytest.mark.integration


class Handler(BaseHTTPRequestHandler):
    """Says the path; waits as long as it says, or until it is let go."""

    heard: ClassVar[list[str]] = []  # paths of what was asked
    let_go: ClassVar[Event] = Event()

    def do_GET(self) -> None:
        self.heard.append(self.path)
        body = self.path.encode()
        if self.path.startswith("/wait/"):
            time.sleep(float(self.path.removeprefix("/wait/")))
        if self.path == "/held":
            self.let_go.wait(60)
        self.send_response(200)
        self.send_header("X-Seen", self.headers["User-Agent"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # five, as it is else, are fewer than ask at once

    def handle_error(self, *_: object) -> None:
        pass  # who asked was killed


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def ask() -> Iterator[Workers]:
    made = Workers(2, agent="asks")
    yield made
    made.stop()
    assert within(60, lambda: not any(map(alive, pids(made))))


@pytest.fixture
def held() -> Iterator[Event]:
    """Give what lets go of all who ask for /held."""
    Handler.heard.clear()
    Handler.let_go.clear()
    yield Handler.let_go
    Handler.let_go.set()


def heard(path: str, count: int) -> bool:
    """Wait until so many have asked for *path*."""
    return within(60, lambda: Handler.heard.count(path) == count)


def a_check(target: str, **fields: object) -> Check:
    return Check(key=f"{target}/http/", service="s", kind="http", target=target, timeout=5_000, **fields)  # type: ignore[arg-type]


def pids(ask: Workers) -> list[int]:
    return [worker.pid for worker in ask._workers if worker is not None]


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def within(seconds: float, true: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def in_thread(ask: Workers, checks: list[Check]) -> tuple[Thread, list[list[Answer] | Exception]]:
    found: list[list[Answer] | Exception] = []

    def run() -> None:
        try:
            found.append(ask(checks))
        except Exception as error:  # noqa: BLE001
            found.append(error)

    thread = Thread(target=run)
    thread.start()
    return thread, found


def test_each_check_gets_its_own_answer_in_its_place(ask: Workers, base: str) -> None:
    checks = [a_check(f"{base}/{number}") for number in range(51)]

    answers = ask(checks)

    assert [answer.check for answer in answers] == checks
    assert [answer.reading and answer.reading.body for answer in answers] == [b"/%d" % n for n in range(51)]
    assert len(set(pids(ask))) == 2


def test_an_answer_is_the_one_that_the_local_engine_gives(ask: Workers, base: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    late = replace(a_check(f"{base}/wait/1"), timeout=200)
    checks = [a_check(f"{base}/"), a_check(closed), late, Check(key="k", service="s", kind="no", target="")]

    def plain(answer: Answer) -> tuple[object, ...]:
        reading = answer.reading
        headers = {name: value for name, value in reading.headers.items() if name != "date"} if reading else None
        return answer.reason, answer.text, answer.received, headers, reading and (reading.code, reading.body)

    assert list(map(plain, ask(checks))) == list(map(plain, Local(agent="asks")(checks)))


def test_everything_in_an_answer_survives_the_way() -> None:
    moment = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)
    full = Answer(
        check=a_check("http://a/"),
        at=moment,
        took=12,
        reading=Reading(
            code=200,
            headers={"a": "é"},
            body=b"\x00\xff",
            phases={"dns": 1},
            certificate={"not_after": moment.isoformat(), "names": ["a"]},
            facts={"version": "1", "n": 1.5, "none": None},
        ),
        reason=Reason.BODY,
        text="text",
        no_route=True,
        received=True,
    )
    said = [getattr(full, name) for name in workers.SAYS]

    [(number, place, back)] = workers._to_answers(workers.packed([(7, 8, said)])[4:])

    assert (number, place) == (7, 8)
    assert Answer(check=full.check, **{name: getattr(back, name) for name in workers.SAYS}) == full


def test_the_workers_stay_from_one_cycle_to_the_next(ask: Workers, base: str) -> None:
    ask([a_check(f"{base}/")] * 2)
    before = pids(ask)

    ask([a_check(f"{base}/")] * 2)

    assert pids(ask) == before


def test_two_threads_ask_the_same_workers_at_once(ask: Workers, base: str, held: Event) -> None:
    ask([a_check(f"{base}/")] * 2)
    slow, found = in_thread(ask, [replace(a_check(f"{base}/held"), timeout=60_000)] * 2)
    assert heard("/held", 2)

    quick = ask([a_check(f"{base}/quick")] * 2)

    assert found == [], "the slow ones are still asked"
    assert [verdict(one).outcome for one in quick] == [Outcome.PASS] * 2
    held.set()
    slow.join()
    assert isinstance(found[0], list)
    assert [verdict(one).outcome for one in found[0]] == [Outcome.PASS] * 2


def test_what_a_killed_worker_had_open_is_a_local_error_and_another_takes_its_place(
    ask: Workers, base: str, held: Event
) -> None:
    ask([a_check(f"{base}/")] * 2)
    before = pids(ask)
    slow = replace(a_check(f"{base}/held"), timeout=60_000)
    thread, found = in_thread(ask, [slow, slow, a_check(f"{base}/3")])
    assert heard("/held", 2)

    os.kill(before[0], signal.SIGKILL)

    assert within(60, lambda: not alive(before[0]))
    held.set()
    thread.join(60)
    assert isinstance(found[0], list)
    assert sorted(str(one.reason) for one in found[0]) in (
        ["None", "None", "local_error"],
        ["None", "local_error", "local_error"],
    )
    lost = [one for one in found[0] if one.reason]
    assert {verdict(one).outcome for one in lost} == {Outcome.UNKNOWN}
    assert [one.reason for one in ask([a_check(f"{base}/")] * 4)] == [None] * 4
    assert len(set(pids(ask)) - set(before)) == 1


def test_what_a_worker_answered_before_it_was_killed_counts(ask: Workers, base: str, held: Event) -> None:
    ask([a_check(f"{base}/")])  # one of them runs
    [worker] = (one for one in ask._workers if one)
    thread, found = in_thread(
        Only(worker),
        [a_check(f"{base}/early/{n}") for n in range(5)] + [replace(a_check(f"{base}/held"), timeout=60_000)],
    )
    assert within(60, lambda: [len(batch.answers) for batch in worker._batches.values()] == [5])

    os.kill(worker.pid, signal.SIGKILL)

    thread.join(60)
    assert isinstance(found[0], list)
    assert [one.reason for one in found[0]] == [None] * 5 + [Reason.LOCAL_ERROR]


class Only(Workers):
    """Asks one worker of another engine alone."""

    def __init__(self, worker: workers.Worker) -> None:
        super().__init__(1)
        self._workers = [worker]


def test_a_worker_that_stands_still_is_given_up(ask: Workers, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ask([a_check(f"{base}/")] * 2)
    monkeypatch.setattr(workers, "PATIENCE_S", 0.5)
    stopped, _ = pids(ask)
    os.kill(stopped, signal.SIGSTOP)

    answers = ask([Check(key="k", service="s", kind="http", target=f"{base}/", timeout=1_500)] * 2)

    assert sorted(str(one.reason) for one in answers) == ["None", "local_error"]
    assert within(60, lambda: not alive(stopped))


def test_stop_ends_what_is_in_flight(base: str, held: Event) -> None:
    ask = Workers(2)
    ask([a_check(f"{base}/")] * 2)
    thread, found = in_thread(ask, [replace(a_check(f"{base}/held"), timeout=60_000)] * 4)
    assert heard("/held", 4)
    begun = time.monotonic()

    ask.stop()
    thread.join(60)

    assert time.monotonic() - begun < 15
    assert isinstance(found[0], Stopped)
    with pytest.raises(Stopped):
        ask([a_check(f"{base}/")])
    assert within(60, lambda: not any(map(alive, pids(ask))))


PARENT = """
import sys
from uplog.collector.model import Check
from uplog.collector.workers import Workers

ask = Workers(2)
slow = [Check(key=f"{n}", service="s", kind="http", target=sys.argv[1] + "/", timeout=30_000) for n in range(2)]
ask(slow)
print(*(worker.pid for worker in ask._workers), flush=True)
ask([Check(key=f"{n}", service="s", kind="http", target=sys.argv[1] + "/wait/20", timeout=30_000) for n in range(2)])
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_the_process_that_started_it(number: signal.Signals, base: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, base], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        found = [int(word) for word in parent.stdout.readline().split()]
        time.sleep(0.3)
        assert [alive(pid) for pid in found] == [True, True]

        parent.send_signal(number)
        parent.wait(60)

    assert within(60, lambda: not any(map(alive, found)))


def test_a_signal_to_the_whole_group_is_the_business_of_the_one_who_started_them(ask: Workers, base: str) -> None:
    ask([a_check(f"{base}/")] * 2)
    for pid in pids(ask):
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    time.sleep(0.2)

    assert [one.reason for one in ask([a_check(f"{base}/")] * 2)] == [None, None]


def test_a_large_batch_and_large_bodies_get_through(ask: Workers, base: str) -> None:
    path = "x" * 20_000
    checks = [a_check(f"{base}/{number}{path}") for number in range(300)]

    answers = ask(checks)

    assert sum(verdict(one).outcome is Outcome.PASS for one in answers) == 300


def test_nothing_to_ask_starts_nothing(ask: Workers) -> None:
    assert ask([]) == []
    assert pids(ask) == []


def test_a_cycle_records_what_workers_asked(tmp_path: Path, base: str) -> None:
    services = [{"name": f"s{n}", "url": f"{base}/{n}"} for n in range(20)]
    config = parse({"uplog": {"workers": 2}, "service": services}, folder=tmp_path)
    ask = engine(config)
    assert isinstance(ask, Workers)
    with Store(tmp_path / "uplog.db") as store:
        now = datetime.now(UTC)
        report = cycle(config, store, ask, lambda: now)
        later = now + timedelta(minutes=1)
        again = cycle(config, store, ask, lambda: later)
        states = {row[0] for row in store.db.execute("select distinct state from services")}
    ask.stop()

    assert (report.observed, again.observed, states) == (20, 20, {"up"})


def test_one_worker_is_this_process_itself(tmp_path: Path) -> None:
    assert isinstance(engine(parse({}, folder=tmp_path)), Local)
    with pytest.raises(ConfigError, match=r"uplog\.workers: expected a whole number"):
        parse({"uplog": {"workers": 0}}, folder=tmp_path)


def uplog(folder: Path, services: str) -> list[str]:
    (folder / "uplog.toml").write_text(f"[uplog]\nworkers = 2\n{services}")
    return [sys.executable, "-m", "uplog.collector", "--config", str(folder / "uplog.toml"), "run", "--no-build"]


def test_run_with_workers_records_and_ends(tmp_path: Path, base: str) -> None:
    services = "".join(f'[[service]]\nname = "s{n}"\nurl = "{base}/{n}"\n' for n in range(10))

    ran = subprocess.run(uplog(tmp_path, services), capture_output=True, text=True, timeout=120, check=False)

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "10 answers recorded\n", "")


def test_sigterm_ends_a_run_with_workers_before_they_have_answers(tmp_path: Path, base: str, held: Event) -> None:
    services = f'[[service]]\nname = "slow"\nurl = "{base}/held"\ntimeout = "50s"\n'
    with subprocess.Popen(uplog(tmp_path, services), stderr=subprocess.PIPE, text=True) as run:
        children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
        assert heard("/held", 1)
        [child] = map(int, children.read_text().split())
        begun = time.monotonic()

        run.terminate()
        _, said = run.communicate(timeout=60)

    assert time.monotonic() - begun < 15
    assert (run.returncode, said) == (1, "uplog: stopped before all answers were there; nothing of them is recorded\n")
    assert within(60, lambda: not alive(child))
