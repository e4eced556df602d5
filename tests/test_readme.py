"""What the README shows is what happens: its blocks are run, or compared with what they are taken from."""

import re
import shlex
import sqlite3
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields
from datetime import UTC
from pathlib import Path

import click
import pytest
from aiohttp import web
from click.testing import CliRunner, Result
from helpers import free_port
from test_cycle import serving
from test_kuma import V2, kuma

from uplog.collector.cli import cli
from uplog.collector.config import parse
from uplog.collector.discover import Found
from uplog.collector.discover.ruled import Begun
from uplog.collector.discover.sockets import Socket
from uplog.collector.discover.systemd.manager import Unit
from uplog.collector.discover.systemd.snapshot import Snapshot
from uplog.collector.discover.systemd.targets import targets
from uplog.collector.drift.advice import RULES
from uplog.collector.found import discovery_text
from uplog.site import incidents

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PICTURE_WEIGHT = 150_000  # bytes

Uplog = Callable[[str], Result]


@pytest.fixture
def uplog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uplog:
    """Run a command line of the README in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda line: CliRunner().invoke(cli, shlex.split(line)[1:])


def block(language: str) -> str:
    """Return the one block in *language*."""
    (found,) = [str(text) for name, text in BLOCKS if name == language]
    return found


def transcript(command: str) -> tuple[str, str]:
    """Return the line at the prompt that begins with *command*, and what is shown below it."""
    shown = [text.removeprefix("$ ").partition("\n") for name, text in BLOCKS if name == "console"]
    ((line, _, output),) = [one for one in shown if one[0].startswith(command)]
    return line, output


def masked(text: str) -> str:
    """Hide what differs from run to run: ports and times."""
    text = re.sub(r"(grep|at port) \d+", r"\1 N", text)
    return re.sub(r"127\.0\.0\.1(:\d+)?", "127.0.0.1:PORT", re.sub(r"\d+ ms", "N ms", text))


def test_the_first_two_blocks_are_the_two_commands() -> None:
    assert BLOCKS[:2] == [("sh", "bash deploy/quickstart.sh\n"), ("sh", "bash deploy/test.sh\n")]


def test_the_crontab_line_is_the_one_in_deploy() -> None:
    lines = (ROOT / "deploy" / "crontab").read_text().splitlines(keepends=True)
    assert block("crontab") == "".join(line for line in lines if not line.startswith("#"))


def test_files_and_pictures_are_there_and_pictures_are_light_and_described() -> None:
    links = re.findall(r"(!?)\[([^\]]*)\]\((?!https?:)([^)#]+)", README)
    pictures = {path: text for sign, text, path in links if sign}
    kept = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "deploy" / "pictures").iterdir())

    assert [path for _, _, path in links if not (ROOT / path).exists()] == []
    assert sorted(pictures) == kept
    assert [path for path, text in pictures.items() if len(text) < 20] == []
    assert [path for path in pictures if (ROOT / path).stat().st_size > PICTURE_WEIGHT] == []
    assert [path for path in pictures if not (ROOT / path).read_bytes().startswith(b"\x89PNG\r\n")] == []


def command_lines() -> list[str]:
    """Return every command line that the README shows or speaks of."""
    shown = [line.removeprefix("$ ") for _, text in BLOCKS for line in text.splitlines() if line.startswith("$ uplog ")]
    return [*shown, *re.findall(r"`(uplog [a-z][^`]*)`", README)]


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_every_command_line_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.csv").touch()
    words = shlex.split(line)[1:]
    command, context = cli, click.Context(cli)
    while isinstance(command, click.Group):
        _, command, words = command.resolve_command(context, words)
    with command.make_context(command.name, words):
        pass


def test_the_configuration_is_right() -> None:
    text, ruled, kinds, planned, dressed = (str(text) for name, text in BLOCKS if name == "toml")
    config = parse(tomllib.loads(text), text)
    found = parse(tomllib.loads(ruled), ruled).rules
    rules = parse(tomllib.loads(planned), planned).maintenance
    theme = parse(tomllib.loads(dressed), dressed).theme

    assert {field.name for field in fields(theme) if not getattr(theme, field.name)} == set()
    assert [(rule.text, rule.services, rule.duration // 60_000) for rule in rules] == [
        ("The database moves.", ("Database",), 0),
        ("Weekly restart.", (), 90),
    ]

    assert [(target.name, len(target.checks)) for target in config.targets] == [("Website", 1), ("API", 2)]
    targets = parse(tomllib.loads(kinds), kinds).targets
    assert [check.kind for target in targets for check in target.checks] == ["dns", "heartbeat"]
    assert [(one.skip, one.group) for one in found] == [("a developer's own", None), (None, "Operations")]
    assert sorted(config.discover) == ["compose", "systemd"]


def test_the_variable_of_the_example_is_heeded() -> None:
    (name, value) = re.findall(r"`(UPLOG__[A-Z_]+[A-Z])=(\S+)`", README)[0]

    assert parse({}, environ={name: value}).defaults.every == 30_000


def discovered(output: str) -> Iterator[tuple[str, str]]:
    """Yield unit and check of each service that a transcript of `uplog discover` lists."""
    for line in output.splitlines():
        if line.startswith("  ") and "  skipped  " not in line and line.strip() != "...":
            name, asked, _ = line.split(maxsplit=2)
            yield name, asked


def a_unit(name: str) -> Unit:
    """Make what systemctl says of a unit that runs."""
    return {
        "Id": name,
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "Type": "simple",
        "FragmentPath": f"/lib/systemd/system/{name}",
        "ControlGroup": f"/system.slice/{name}",
    }


def test_discover_says_of_such_units_what_is_shown() -> None:
    _, output = transcript("uplog discover")
    shown = dict(discovered(output))
    listening = {name: int(found[1]) for name, asked in shown.items() if (found := re.search(r":(\d+)(?:/|$)", asked))}
    sockets = [
        Socket(
            address="" if shown[name].startswith("http:") else "127.0.0.1", port=port, cgroup=f"/system.slice/{name}"
        )
        for name, port in listening.items()
    ]
    # containerd listens at a port of the random range
    sockets.append(Socket(address="127.0.0.1", port=39947, cgroup="/system.slice/containerd.service"))
    snapshot = Snapshot(units=[a_unit(name) for name in shown], sockets=sockets)
    speaks = {f"systemd//{name}:{port}": shown[name].startswith("http:") for name, port in listening.items()}
    found = tuple(Begun.of(target, (), "stack").ended(speaks) for target in targets(snapshot))
    text = discovery_text([Found(source="systemd", ok=True, targets=found)])

    assert text.splitlines()[1:] == [line for line in output.splitlines() if line.split()[0] in shown]


def test_check_says_what_is_shown(uplog: Uplog, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="Welcome to nginx!")

    line, output = transcript("uplog check")
    with serving(answer) as port:
        (tmp_path / "uplog.toml").write_text(f"""
[[service]]
name = "Website"
url = "http://127.0.0.1:{port}/"
expect = {{ body_contains = "Welcome" }}
[[service]]
name = "redis-server"
url = "tcp://127.0.0.1:{free_port()}"
""")
        result = uplog(line)

    # there it was a unit, of which there is more to look at
    about_units = re.compile(r"    try (systemctl|journalctl|uplog why) ")
    plain = [line for line in output.splitlines(keepends=True) if not about_units.match(line)]
    assert masked(result.output) == masked("".join(plain))
    assert result.exit_code == 1


def test_the_old_history_is_imported_asked_explained_and_corrected_as_shown(uplog: Uplog, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text(block("csv"))
    for command in ("uplog import old.csv", "uplog export"):
        line, output = transcript(command)
        assert uplog(line).output == output

    with closing(sqlite3.connect("data/uplog.db")) as db:
        answer = db.execute(block("sql"))
        columns = [name for name, *_ in answer.description]
        rows = answer.fetchall()
    assert rows == [("Shop", "timeout", 1, 180)]
    assert columns == block("text").splitlines()[1].strip("│ \n").replace("│", " ").split()

    for command in ("uplog why", "uplog correct"):
        line, output = transcript(command)
        assert uplog(line).output == output


def test_the_history_of_another_monitor_is_told_of_as_shown(uplog: Uplog, tmp_path: Path) -> None:
    line, output = transcript("uplog import --dry-run")
    hours = [f"insert into stat_hourly values (null, 1, {hour * 3600}, 30, 60, 0)" for hour in range(24)]
    kuma(tmp_path, V2, *hours, Website="+" * 9 + "---" + "+" * 8)

    assert uplog(line).output == output


SHOP = {
    "README.md": "# Shop\n\n## Services (3)\n\n| Service | Port |\n|---|---|\n| shop | 8080 |\n| mail | 8025 |\n",
    "compose.yaml": """\
services:
  shop:
    image: shop:1
    ports: ["8081:8080"]
    depends_on:
      redis: {condition: service_healthy}
    healthcheck: {test: curl -f http://localhost:8080/health || true}
  redis:
    image: shop-cache:1
""",
}


def test_drift_tells_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in SHOP.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["drift", "."], env={"COLUMNS": "110"})

    assert (result.exit_code, result.output) == (1, transcript("uplog drift")[1])


def test_as_many_practices_are_checked_as_are_counted() -> None:
    assert f"`--advice` adds {len(RULES)} practices" in README


def test_the_words_that_are_shown_can_be_read() -> None:
    words, problems = incidents.parse(block("markdown"), "incidents/payments.md", UTC)

    assert list(problems) == []
    assert words is not None
    assert (words.title, len(words.updates)) == ("Payments are slow", 2)
