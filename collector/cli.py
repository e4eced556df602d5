"""The command line. It joins the two houses: it alone imports uplog.site, inside the command that needs it."""

import atexit
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Literal

import click

from . import __version__, drifting, keeping, mapping, operating, porting
from .command import Address, Duration, Failed, Moment, Options, clock, configured, counted, opened, sentences, to_watch
from .config import Config
from .show import as_json, shape, table

if TYPE_CHECKING:
    from .catalog import Entry
    from .cycle import Ask
    from .explain import Explained
    from .hints import Hint
    from .model import Service
    from .observe import Local
    from .store import Store
    from .watch import Tidying
    from .workers import Workers

log = logging.getLogger(__name__)

EPOCH_DIGITS = 10  # of SOURCE_DATE_EPOCH: until the year 2286
GATE_SLACK_S = 0.5  # by which the end of `check --wait` may be late
Audience = Literal["public", "internal"]
COMMANDS = (
    operating.pause,
    operating.resume,
    operating.retire,
    operating.rename,
    operating.correct,
    operating.ping,
    operating.why,
    operating.purge,
    mapping.ports,
    drifting.drift,
    porting.import_,
    porting.export,
    keeping.prune,
    keeping.rebuild,
    keeping.backup,
    keeping.restore,
    keeping.doctor,
)  # that are written elsewhere


def main() -> None:
    """Run the command line; no traceback reaches a user, but with -v."""
    # at the end nothing is looked through again: msgspec may crash there, github.com/msgspec/msgspec/issues/717
    atexit.register(gc.freeze)
    cli.main(prog_name="uplog", windows_expand_args=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="Configuration file.  [uplog.toml]")
@click.option("--db", "database", type=click.Path(path_type=Path), help="Database, instead of the configured one.")
@click.option("-v", "--verbose", count=True, help="Say more; twice for everything.")
@click.version_option(__version__, prog_name="uplog")
@click.pass_context
def cli(context: click.Context, config_path: Path | None, database: Path | None, verbose: int) -> None:
    """Find services, ask each how it is, keep the history, and build a status page."""
    from .log import start_logging

    try:
        start_logging(os.environ, verbose)
    except ValueError as error:
        click.echo(f"uplog: {error}", err=True)
        sys.exit(1)
    context.obj = Options(config=config_path, database=database, verbose=verbose)


def engine(config: Config) -> "Local | Workers":
    """Make the engine that asks: from this process, or from several of its own."""
    from .observe import AGENT, Local

    agent = (
        AGENT if config.public_url is None else f"Mozilla/5.0 (compatible; uplog/{__version__}; +{config.public_url})"
    )
    if config.workers == 1:
        return Local(concurrency=config.concurrency, agent=agent)
    from .workers import Workers

    return Workers(config.workers, concurrency=config.concurrency, agent=agent)


def moment_of_build(now: datetime | None) -> datetime | None:
    """Return the moment that --now or SOURCE_DATE_EPOCH fix, if either does."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if now is None and epoch:
        if not (epoch.isdecimal() and len(epoch) <= EPOCH_DIGITS):
            raise Failed(f'SOURCE_DATE_EPOCH: expected seconds since 1970, got "{epoch}"')
        return datetime.fromtimestamp(int(epoch), UTC)
    return now


# Beginning


@cli.command()
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
@sentences
def init(options: Options, force: bool) -> None:
    """Write a commented uplog.toml for this machine."""
    from . import init as new
    from .cycle import find_now
    from .discover import SOURCES, Context

    path = options.config or Path("uplog.toml")
    if path.exists() and not force:
        raise Failed(f"{path} exists already; --force replaces it")
    found, _ = find_now(
        {name: {} for name in SOURCES}, Context(folder=path.absolute().parent, environ=dict(os.environ))
    )
    path.write_text(new.text(found), encoding="utf-8")
    services = sum(one.skipped is None and bool(one.checks) for source in found for one in source.targets)
    click.echo(f"{path} written; its sources find {counted(services, 'service')} to ask here")


@cli.command()
@click.argument("source", required=False)
@click.argument("paths", nargs=-1)
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
@click.pass_obj
@sentences
def discover(options: Options, source: str | None, paths: tuple[str, ...], as_json_: bool) -> None:
    """Show what each source finds, and skips.

    Nothing is written.

    Without SOURCE the configured ones are asked, or all when none is configured. With PATHS (of a source that reads
    files) those are read instead of what is configured.
    """
    from .cycle import context_of, find_now
    from .discover import SOURCES
    from .found import discovery_json, discovery_text, settings_for

    config = configured(options)
    if source is not None and source not in SOURCES:
        raise click.UsageError(f"{source}: there is no such source; there are {', '.join(SOURCES)}")
    wanted = settings_for(config.discover, source, paths)
    folder = Path.cwd() if paths else config.folder
    found, _ = find_now(wanted, replace(context_of(config), folder=folder, connects=not paths))
    click.echo(as_json(discovery_json(found)) if as_json_ else discovery_text(found))
    failed = [not one.ok or any(f.kind == "path_missing" for f in one.findings) for one in found]
    if (source is not None and any(failed)) or (failed and all(failed)):
        sys.exit(1)


@cli.command()
@click.argument("names", nargs=-1)
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
@click.option("--wait", type=Duration(), help="Ask again until all is up, or this long: a gate for a pipeline.")
@click.pass_obj
@sentences
def check(options: Options, names: tuple[str, ...], as_json_: bool, wait: int | None) -> None:
    """Ask now and explain; store nothing.

    One failure is enough here. The exit code is 1 if anything is not up.
    """
    from . import explain
    from .cycle import context_of, find_now, is_recorded
    from .heartbeat import answering
    from .store import catalog, sightings

    deadline = time.monotonic() + (wait or 0) / 1000
    config = configured(options)
    recorded = explain.Recorded()
    if config.database.exists():
        with opened(config, readonly=True) as store, store.reading() as db:
            recorded = explain.Recorded(
                targets={name: targets for name, (_, targets) in catalog.sources(db).items()}
                if is_recorded(config, db)
                else {},
                sightings=sightings.known_sightings(db),
                names=catalog.names(db),
            )
    known = explain.entries(config, recorded, find_now, context_of(config))
    services, unknown = explain.chosen(known, names)
    if unknown:
        raise Failed(explain.nobody(unknown, known))
    asking = engine(config)
    with ExitStack() as stack:
        there = config.database.exists()  # it knows what jobs reported of themselves
        ask = answering(stack.enter_context(opened(config, readonly=True)), asking, clock) if there else asking
        if wait is None:
            found = explain.explain(services, config, ask, recorded=there)
            good = all(one.state == "up" for one in found) and not (names and any(not one.checks for one in services))
        else:
            found, good = waited(services, config, ask, asking.stop, deadline)
    click.echo(as_json(explain.as_json(found)) if as_json_ else check_text(found, services))
    sys.exit(0 if good else 1)


def waited(
    services: "Sequence[Entry]", config: Config, ask: "Ask", stop: Callable[[], None], deadline: float
) -> "tuple[list[Explained], bool]":
    """Ask until all is up, *deadline* comes or a signal; *stop* ends what is asked. Tell a terminal what changes."""
    from . import explain, gate
    from .observe import Stopped

    silent = [one.name for one in services if not one.checks]
    if silent or not services:
        raise Failed(f"{', '.join(silent) or 'no service'}: there is nothing to ask, and so nothing to wait for")
    stopped = stop_on_signals(stop)

    def tell(after: float, one: "Explained") -> None:
        if sys.stderr.isatty():
            click.echo(f"{after:5.0f} s  {check_title(one)}", err=True)

    # what still goes on when time is up: more hanging answers than are waited for at once
    backstop = Timer(max(0.0, deadline - time.monotonic()) + GATE_SLACK_S, stop)
    backstop.daemon = True
    backstop.start()
    try:
        found, good = gate.wait(services, config, ask, deadline, rest=stopped.wait, tell=tell)
    except Stopped:
        why = "stopped" if stopped.is_set() else "time was up"
        raise Failed(f"{why} before all of it had answered") from None
    finally:
        backstop.cancel()
    return explain.with_hints(found, services, recorded=config.database.exists(), starting=True), good


def check_text(found: "Sequence[Explained]", services: "Sequence[Entry]") -> str:
    """Write what `uplog check` saw for people."""
    from .explain import hints_without_checks

    blocks = ["\n".join(check_lines(one)) for one in found]
    silent = hints_without_checks(services)
    blocks += [
        "\n".join([f"{shape('unknown')} {one.name}  has nothing to ask", *map(hint_line, silent[one.key])])
        for one in services
        if not one.checks
    ]
    return "\n".join(blocks) or "nothing to ask: no [[service]] is configured, and no source found any"


def check_lines(one: "Explained") -> Iterator[str]:
    """Write one check: its state, what was asked, what was expected and seen, and what to look at."""
    check, verdict = one.answer.check, one.verdict
    role = "" if check.role == "liveness" else f"  {check.role}"
    yield check_title(one)
    yield f"    {check.kind}{role}  {check.target}  {one.answer.took} ms"
    yield from (f"    {'ok ' if e.ok else 'not'} {e.text}: saw {e.seen}" for e in verdict.expectations)
    if verdict.text and verdict.outcome != "pass":
        yield f"    {verdict.text}"
    if one.elsewhere:
        yield f"    but there is {', '.join(f'{path} ({code})' for path, code in one.elsewhere)}"
    yield from map(hint_line, one.hints)


def check_title(one: "Explained") -> str:
    """Write the name of a service and the state that an answer makes."""
    why = "" if one.verdict.reason is None else f"  {one.verdict.reason}"
    suspect = "  (suspect: up by its code only, what it said proves nothing)" if one.verdict.suspect else ""
    return f"{shape(one.state)} {one.name}  {one.state}{why}{suspect}"


def hint_line(hint: "Hint") -> str:
    """Write what to look at."""
    return f"    try {hint}"


# Running


@cli.command()
@click.option("--every", type=Duration(), help="How often this is run, if not as often as [defaults] every says.")
@click.option("--no-build", is_flag=True, help="Do not build the page afterwards.")
@click.pass_obj
@sentences
def run(options: Options, every: int | None, no_build: bool) -> None:
    """Run one cycle, then build the page.

    This is the line for a crontab.
    """
    from .awake import Awake
    from .lock import Asked, asking
    from .observe import Stopped
    from .planning import Pace
    from .run import run as run_cycles
    from .store import record

    config = to_watch(options)
    pace = Pace(every=every or config.defaults.every)
    ask = engine(config)
    stopped = stop_on_signals(ask.stop)

    def wait(seconds: float) -> None:
        if stopped.wait(seconds):
            raise Stopped

    with opened(config) as store:
        try:
            with asking(config.database):
                ran = run_cycles(config, store, ask, clock, pace=pace, wait=wait, told=Awake().told)
        except Asked as other:
            with store.writing() as db:
                record.event(db, clock(), "skipped", f"{other}; this run did nothing")
            click.echo(f"uplog: {other}; this run did nothing", err=True)
            return
        except Stopped:
            raise Failed("stopped before all answers were there; nothing of them is recorded") from None
        if ran.warning:
            click.echo(f"uplog: {ran.warning}", err=True)
        for line in ran.changes:
            log.info("%s", line)
        click.echo(f"{counted(ran.observed, 'answer')} recorded" if ran.planned else nothing_asked(store))
        if not no_build:
            build_pages(config, store)
        tidy(config, store, wait)


def nothing_asked(store: "Store") -> str:
    """Say why a run had nothing to ask."""
    from .store import catalog

    with store.reading() as db:
        known = catalog.plannable(db, clock())
    return "nothing was due" if known else "nothing to ask: no [[service]] is configured, and no source found any"


def tidy(config: Config, store: "Store", wait: Callable[[float], None]) -> None:
    """Move days that are over and prune old ones, if any, until told to stop: the next run goes on.

    The lock for asking is free meanwhile, so that the next run asks on time.
    """
    from .lock import Tidied, tidying
    from .observe import Stopped
    from .store import prune, reserve

    with contextlib.suppress(Tidied, Stopped), tidying(config.database), reserve.at_hand(config.database):
        with store.reading() as db:
            due = prune.due(db, clock(), config.keep, store.zone)
        if due:
            prune.prune(store, clock(), config.keep, max_size=config.max_size, rest=wait)


def stop_on_signals(also: Callable[[], None]) -> Event:
    """Return an event that SIGTERM and SIGINT set; they call *also*, and interrupt no write."""
    stopped = Event()

    def stop(*_: object) -> None:
        stopped.set()
        also()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopped


@cli.command()
@click.option("--every", type=Duration(), help="The shortest interval, if not the one that [defaults] every says.")
@click.pass_obj
@sentences
def watch(options: Options, every: int | None) -> None:
    """Run the same cycle on a schedule, until SIGTERM."""
    from .lock import Asked, asking
    from .watch import Watch

    config = to_watch(options)
    ask = engine(config)
    stopped = stop_on_signals(ask.stop)
    with opened(config) as store:
        try:
            with asking(config.database), tidying(options, config, store) as tidy:
                daemon = Watch(config, store, ask, clock, every=every or min_every(config), tidy=tidy)
                daemon.start()
                log.info("watching")
                stopped.wait()
                daemon.stop()
        except Asked as other:
            raise Failed(str(other)) from None


def tidying(options: Options, config: Config, store: "Store") -> "Tidying":
    """Return what runs `uplog prune` in a process of its own, whenever there is something to move or to prune."""
    from .store import prune
    from .watch import Tidying

    def due() -> bool:
        with store.reading() as db:
            return prune.due(db, clock(), config.keep, config.timezone)

    command = [sys.executable, "-m", "uplog.collector"]
    command += ["--config", str(options.config)] if options.config else []
    command += ["--db", str(options.database)] if options.database else []
    return Tidying([*command, "prune", "--quiet"], due)


def min_every(config: Config) -> int:
    """Return the shortest interval that somebody configured: what a daemon can keep, it keeps."""
    declared = [check.declared_every for target in config.targets for check in target.checks]
    return min([config.defaults.every, *declared])


@cli.command()
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to, with --audience.")
@click.option("--audience", type=click.Choice(["public", "internal"]), help="One page only.  [both]")
@click.option("--now", type=Moment(), help="Build the page as of this moment; whatever is dated later does not exist.")
@click.option("--watch", "watching", is_flag=True, help="Build again whenever the record changes.")
@click.option("--serve", type=int, metavar="PORT", help="With --watch: serve the internal page on 127.0.0.1:PORT.")
@click.option("--query-url", type=Address(), help="Where Datasette is for those who see the internal page.")
@click.pass_obj
@sentences
def build(
    options: Options,
    out: Path | None,
    audience: Audience | None,
    now: datetime | None,
    watching: bool,
    serve: int | None,
    query_url: str | None,
) -> None:
    """Build the page."""
    if serve is not None and not watching:
        raise click.UsageError("--serve needs --watch")
    if out is not None and audience is None:
        audience = "public"
    config = configured(options)
    audiences: Sequence[Audience] = (audience,) if audience else ("public", "internal")
    if not watching:
        with opened(config, readonly=True) as store:
            build_pages(config, store, now=moment_of_build(now), audiences=audiences, out=out, query_url=query_url)
        return
    from uplog.site.keep import keep_building

    stopped = stop_on_signals(lambda: None)
    keep_building(config, stopped, clock, audiences=audiences, out=out, port=serve, query_url=query_url)


def build_pages(
    config: Config,
    store: "Store",
    *,
    now: datetime | None = None,
    audiences: Sequence[Audience] = ("public", "internal"),
    out: Path | None = None,
    query_url: str | None = None,
) -> None:
    """Build pages and say what was written."""
    from uplog.site.build import build as build_now

    pages = build_now(config, store, clock(), now=now, audiences=audiences, out=out, query_url=query_url)
    for problem in dict.fromkeys(problem for built in pages for problem in built.problems):
        click.echo(f"warning: {problem}", err=True)
    nothing_known = any(built.audience == "internal" and built.services == 0 for built in pages)
    for built in pages:
        changed = f"{counted(len(built.written), 'file')} written" if built.written else "nothing changed"
        click.echo(f"{built.audience} page: {built.folder}, {counted(built.services, 'service')}, {changed}")
        if built.audience == "public" and built.services == 0 and now is None and not nothing_known:
            click.echo("nothing is public yet: set `public = true` for a [[service]] or in [defaults]")


@cli.command()
@click.pass_obj
@sentences
def up(options: Options) -> None:
    """Run all of it: watch, page and Datasette.

    The page is on http://127.0.0.1:8000/ (UPLOG_PORT moves it), Datasette on http://127.0.0.1:8001/ (UPLOG_QUERY_PORT).
    """
    from .together import run_all

    sys.exit(run_all(to_watch(options), options.config, options.database, clock))


@cli.command()
@click.option("--folder", type=click.Path(path_type=Path), help="Keep the demo here, instead of a temporary folder.")
@sentences
def demo(folder: Path | None) -> None:
    """Show all of it on five made-up fleets.

    Twelve services with faults on a timetable and 90 days of made-up history, in a temporary folder.
    """
    from .demo import run_demo

    sys.exit(run_demo(folder, clock))


@cli.group(name="config")
def config_() -> None:
    """Look at the configuration."""


@config_.command(name="check")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
@click.pass_obj
@sentences
def config_check(options: Options, as_json_: bool) -> None:
    """Check the configuration, and say where each value comes from."""
    from .config import provenance

    config = configured(options)
    rows = provenance(config)
    if as_json_:
        click.echo(as_json([{"key": key, "value": value, "origin": origin} for key, value, origin in rows]))
        return
    click.echo(table(rows))
    sources = f"sources: {', '.join(config.discover)}" if config.discover else "no source"
    click.echo(f"\n{config.path or 'no file'}: valid; {counted(len(config.targets), 'service')} by hand, {sources}")
    warn_of_strangers(config)
    warn_of_theme(config)


def warn_of_strangers(config: Config) -> None:
    """Say which names in [[maintenance]] nothing has, neither in the configuration nor in the record."""
    from .config import strangers
    from .store import StoreError
    from .store.maintenance import services

    known: Sequence[tuple[int, Service]] = ()
    if config.maintenance and config.database.exists():
        try:
            with opened(config, readonly=True) as store, store.reading() as db:
                known = services(db)
        except StoreError as error:
            click.echo(f"warning: the names in [[maintenance]] were not looked up: {error}", err=True)
            return
    for line in strangers(config, [service for _, service in known]):
        click.echo(f"warning: {line}", err=True)


def warn_of_theme(config: Config) -> None:
    """Say what of [theme] the page cannot wear."""
    from uplog.site.theme.read import read

    for problem in read(config.theme, config.origins)[1]:
        click.echo(f"warning: {problem}", err=True)


@config_.command(name="schema")
@sentences
def config_schema() -> None:
    """Print the JSON Schema of uplog.toml."""
    from .config import schema

    click.echo(as_json(schema()))


for command in COMMANDS:
    cli.add_command(command)
