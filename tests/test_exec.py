"""Commands: what their exit codes and first lines mean, and that nothing of them is left."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest
from helpers import a_check, open_files

from uplog.collector.judge import verdict
from uplog.collector.model import Answer, Outcome, Reason
from uplog.collector.observe import observe
from uplog.collector.probes.exec import said

pytestmark = pytest.mark.unit


def run(*argv: str, timeout: int = 5000, **options: object) -> Answer:
    [answer] = asyncio.run(
        observe([a_check(kind="exec", target="exec", timeout=timeout, options={"argv": argv, **options})])
    )
    return answer


def shell(script: str, **options: object) -> Answer:
    return run("/bin/sh", "-c", script, **options)


def python(code: str, **options: object) -> Answer:
    return run(sys.executable, "-c", code, **options)


def gone(pid: int) -> bool:
    """Say whether a process runs no more, or will not in a moment; who was left behind is for init to bury."""
    for _ in range(3_000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("code", "outcome", "reason", "text"),
    [
        (0, Outcome.PASS, None, ""),
        (1, Outcome.WARN, Reason.REPORTED_DEGRADED, "DISK is so"),
        (2, Outcome.FAIL, Reason.EXEC, "DISK is so"),
        (3, Outcome.UNKNOWN, Reason.LOCAL_ERROR, "exit code 3: DISK is so"),
        (77, Outcome.UNKNOWN, Reason.LOCAL_ERROR, "exit code 77: DISK is so"),
    ],
)
def test_the_exit_code_is_judged_as_nagios_does(code, outcome, reason, text):
    judged = verdict(shell(f"echo 'DISK is so | /=5%;80;90'; echo more; exit {code}"))

    assert (judged.outcome, judged.reason, judged.text) == (outcome, reason, text)


def test_a_command_that_is_killed_by_a_signal_says_nothing_of_the_service():
    answer = shell("kill -SEGV $$")

    assert (answer.reason, answer.text) == (Reason.LOCAL_ERROR, "killed by signal 11: no output")


def test_figures_become_facts():
    answer = shell("printf 'OK - 3 users | users=3;5;10;0 load=0.5\\nlong text | more\\n'; printf \"'disk /'=12.5GB \"")

    assert answer.reading is not None
    assert answer.reading.facts == {
        "exit_code": 0,
        "text": "OK - 3 users",
        "figures": {
            "users": {"value": 3.0, "unit": ""},
            "load": {"value": 0.5, "unit": ""},
            "disk /": {"value": 12.5, "unit": "GB"},
        },
    }


@pytest.mark.parametrize(
    ("output", "figures"),
    [
        (b"", {}),
        (b"OK", {}),
        (b"OK | time=0.012s;;;0.000;10.000 size=512B;;;0", {"time": (0.012, "s"), "size": (512.0, "B")}),
        (b"OK | 'it''s'=-1c", {"it's": (-1.0, "c")}),
        (b"OK | a=U b=1", {"b": (1.0, "")}),
        (b"OK | a==1 =2 c= d=x e=1;2;3;4;5 f=~:5", {"e": (1.0, "")}),
        ("OK | größe=7µs".encode(), {"größe": (7.0, "µs")}),
        (b"OK | \xff=1 " + b"x" * 70_000, {"\ufffd": (1.0, "")}),
        (b"OK | " + b"'x" * 35_000, {}),
        (b"OK | " + b"'x' " * 18_000, {}),
        (b"OK | " + b"1=" * 35_000, {}),
        (b"OK | " + b" ".join(b"n%d=1" % n for n in range(5_000)), {f"n{n}": (1.0, "") for n in range(100)}),
    ],
)
def test_figures_are_read_whatever_stands_around_them(output, figures):
    start = time.process_time()
    _, found = said(output)

    assert {name: (one["value"], one["unit"]) for name, one in found.items()} == figures
    assert time.process_time() - start < 2


def test_what_is_printed_without_order_does_no_harm():
    assert shell("printf '\\033[2J\\000\\377bad'; exit 2").text == "?[2J??bad".replace("??", "?\ufffd")
    assert shell("echo only an error >&2; exit 2").text == "only an error"


def test_words_reach_the_command_as_they_are_and_no_shell_reads_them():
    answer = run("/bin/echo", "$HOME; `id` *", "a b")

    assert answer.reading is not None
    assert answer.reading.facts["text"] == "$HOME; `id` * a b"


def test_a_program_is_found_by_name_and_one_that_is_not_there_is_our_trouble():
    assert run("true").reading is not None
    answer = run("no-such-plugin")

    assert (answer.reason, answer.text) == (Reason.LOCAL_ERROR, "no-such-plugin is not installed, or may not be run")


def test_a_file_that_is_no_program_is_our_trouble(tmp_path):
    plugin = tmp_path / "check_it"
    plugin.write_text("not a program")
    plugin.chmod(0o755)

    answer = run(str(plugin))

    assert (answer.reason, answer.text) == (Reason.LOCAL_ERROR, f"{plugin} could not be run: Exec format error")


def test_only_the_variables_that_are_named_are_passed_on(monkeypatch):
    monkeypatch.setenv("UPLOG_TEST_SECRET", "hidden")
    monkeypatch.setenv("UPLOG_TEST_NAMED", "shown")

    answer = shell('echo "${UPLOG_TEST_SECRET-unset} $UPLOG_TEST_NAMED"', env=["UPLOG_TEST_NAMED"])
    missing = shell("true", env=["UPLOG_TEST_ABSENT"])

    assert answer.reading is not None
    assert answer.reading.facts["text"] == "unset shown"
    assert (missing.reason, missing.text) == (
        Reason.LOCAL_ERROR,
        "the environment variable UPLOG_TEST_ABSENT is not set",
    )


def test_at_the_deadline_the_whole_group_is_killed(tmp_path):
    pids = tmp_path / "pids"
    start = time.perf_counter()
    answer = shell(
        f"trap '' TERM INT; echo $$ >> {pids}; (trap '' TERM; echo; sleep 60) & echo $! >> {pids}; wait", timeout=400
    )

    assert (answer.reason, answer.text) == (Reason.TIMEOUT, "no answer within 0.4 s")
    assert time.perf_counter() - start < 30
    first, second = map(int, pids.read_text().split())
    assert gone(first)
    assert gone(second)


def test_who_was_killed_is_buried_by_the_one_who_waits_for_it(caplog):
    async def scenario() -> list[Answer]:
        checks = [a_check(kind="exec", target="exec", timeout=100, options={"argv": ["sleep", "60"]})] * 30
        return await observe(checks)

    assert {one.reason for one in asyncio.run(scenario())} == {Reason.TIMEOUT}
    assert caplog.messages == []


def test_who_is_left_behind_with_the_pipes_open_delays_nobody(tmp_path):
    pids = tmp_path / "pids"
    start = time.perf_counter()
    answer = shell(f"sleep 60 & echo $! > {pids}; echo fine")

    assert answer.reading is not None
    assert answer.reading.facts["text"] == "fine"
    assert time.perf_counter() - start < 30
    assert gone(int(pids.read_text()))


def test_who_leaves_the_group_with_the_pipes_open_delays_nobody_for_long(tmp_path):
    pids = tmp_path / "pids"
    code = f"""if True:
        import os, time
        print("fine", flush=True)
        heard, say = os.pipe()
        if os.fork():
            os._exit(0 if os.read(heard, 1) else 2)
        os.setsid()
        open({str(pids)!r}, "w").write(str(os.getpid()))
        os.write(say, b"x")
        time.sleep(30)
        """
    start = time.perf_counter()
    answer = python(code)

    assert answer.reading is not None
    assert time.perf_counter() - start < 20
    os.kill(int(pids.read_text()), 9)


def test_endless_output_is_cut_and_costs_no_memory():
    flood = python("import sys\nfor _ in range(200): sys.stdout.write('x' * 1_000_000)\nsys.exit(2)", timeout=20_000)

    assert (flood.reason, flood.text) == (Reason.EXEC, "x" * 500)
    assert shell("yes", timeout=300).reason is Reason.TIMEOUT


def test_many_commands_leave_no_file_and_no_process_behind():
    async def scenario() -> None:
        checks = [a_check(kind="exec", target="exec", options={"argv": ["true"]}) for _ in range(100)]
        await observe(checks[:1])  # what the loop itself opens
        before, children = open_files(), children_of_ours()
        answers = await observe(checks)

        assert all(one.reading is not None for one in answers)
        assert open_files() <= before
        assert children_of_ours() <= children

    asyncio.run(scenario())


def children_of_ours() -> set[str]:
    """Return the processes that this one has started, also those that ended and nobody waited for."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}
