"""The command line. It joins the two houses: it alone imports uplog.site, inside the command that needs it."""

import functools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import click
from msgspec import ValidationError, convert

from . import __version__
from .config import Config, load
from .model import CouldNot
from .settings import Positive, ms
from .show import as_json, shape, table

if TYPE_CHECKING:
    from .observe import Local
    from .store import Store

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
Audience = Literal["public", "internal"]


class Failed(CouldNot):
    """One sentence for the user; the exit code is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is said before the command."""

    config: Path | None
    database: Path | None
    verbose: int


def main() -> None:
    """Run the command line; no traceback reaches a user, but with -v."""
    cli.main(prog_name="uplog", windows_expand_args=False)


def clock() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


class Duration(click.ParamType[int]):
    """A duration like 5s, 2m or 1h; its value is in ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a duration."""
        if isinstance(value, int):
            return value
        try:
            return ms(convert(value, Positive))
        except ValidationError:
            self.fail(f'expected a duration like "5s" or "2m", got "{value}"', param, ctx)


class Moment(click.ParamType[datetime]):
    """An ISO-8601 moment; one without a zone is UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment."""
        from .importing import moment

        try:
            return value if isinstance(value, datetime) else moment(value)
        except ValueError:
            self.fail(f'expected a moment like 2026-11-21T10:00:00Z, got "{value}"', param, ctx)


def sentences(command: Callable[P, R]) -> Callable[P, R]:
    """Turn every expected failure of *command* into a sentence and exit code 1."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except click.exceptions.Exit:
            raise
        except (click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader went away, and that is fine
            sys.exit(0)
        except Exception as error:  # noqa: BLE001  whatever it is, a user sees a sentence
            for line in explained(error):
                click.echo(f"uplog: {line}", err=True)
            sys.exit(1)

    return guarded


def explained(error: Exception) -> Sequence[str]:
    """Return the sentences that tell a user of *error*; one that we did not expect is logged with its traceback."""
    if isinstance(error, CouldNot):
        return str(error).splitlines()
    if isinstance(error, OSError) and error.strerror:
        return [f"{error.filename}: {error.strerror}" if error.filename else error.strerror]
    log.info("internal error", exc_info=error)
    return [f"internal error: {type(error).__name__}: {error} (run with -v to see where)"]


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


def configured(options: Options) -> Config:
    """Load the configuration that *options* name: the given file, uplog.toml here, or none at all."""
    path = options.config
    if path is None and Path("uplog.toml").exists():
        path = Path("uplog.toml")
    config = load(path, os.environ)
    return replace(config, database=options.database) if options.database else config


def to_watch(options: Options) -> Config:
    """Load the configuration of a command that asks; without any, say what is missing."""
    config = configured(options)
    if config.path is None and not config.discover and not config.database.exists():
        raise Failed(f"there is no uplog.toml in {config.folder}; `uplog init` writes one")
    return config


def counted(number: int, what: str) -> str:
    """Write a number of things.

    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def opened(config: Config, *, readonly: bool = False, existing: bool = False) -> "Store":
    """Open the record; one that has to be *existing* is not made."""
    from .store import Store

    if existing and not config.database.exists():
        raise Failed(f"{config.database}: there is no such database; `uplog run` makes one")
    return Store(config.database, zone=config.timezone, readonly=readonly)


def engine(config: Config) -> "Local":
    """Make the engine that asks from this process."""
    from .observe import AGENT, Local

    agent = (
        AGENT if config.public_url is None else f"Mozilla/5.0 (compatible; uplog/{__version__}; +{config.public_url})"
    )
    return Local(concurrency=config.concurrency, agent=agent)


def moment_of_build(now: datetime | None) -> datetime | None:
    """Return the moment that --now or SOURCE_DATE_EPOCH fix, if either does."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if now is None and epoch:
        if not epoch.isdigit():
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
    services = sum(one.skipped is None for source in found for one in source.targets)
    click.echo(f"{path} written; its sources find {counted(services, 'service')} here")


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
    from .cycle import find_now
    from .discover import SOURCES, Context
    from .found import discovery_json, discovery_text, settings_for

    config = configured(options)
    if source is not None and source not in SOURCES:
        raise click.UsageError(f"{source}: there is no such source; there are {', '.join(SOURCES)}")
    wanted = settings_for(config.discover, source, paths)
    folder = Path.cwd() if paths else config.folder
    found, _ = find_now(wanted, Context(folder=folder, environ=dict(os.environ)))
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
    from .cycle import find_now
    from .discover import Context
    from .store import catalog

    config = configured(options)
    recorded = explain.Recorded()
    if config.database.exists():
        with opened(config, readonly=True) as store, store.reading() as db:
            recorded = explain.Recorded(
                targets={name: targets for name, (_, targets) in catalog.sources(db).items()},
                sightings=catalog.known_sightings(db),
                names=catalog.names(db),
            )
    context = Context(folder=config.folder, environ=dict(os.environ))
    known = explain.entries(config, recorded, find_now, context)
    services, unknown = explain.chosen(known, names)
    if unknown:
        raise Failed(explain.nobody(unknown, known))
    ask = engine(config)
    deadline = time.monotonic() + (wait or 0) / 1000
    while True:
        found = explain.explain(services, config, ask)
        good = all(one.state == "up" for one in found)
        if good or time.monotonic() >= deadline:
            break
        time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
    click.echo(as_json(explain.as_json(found)) if as_json_ else check_text(found, services))
    sys.exit(0 if good else 1)


def check_text(found: Sequence[Any], services: Sequence[Any]) -> str:
    """Write what `uplog check` saw for people."""
    blocks = []
    for one in found:
        check, verdict = one.answer.check, one.verdict
        why = "" if verdict.reason is None else f"  {verdict.reason}"
        suspect = "  (suspect: it answered, but not with success)" if verdict.suspect else ""
        role = "" if check.role == "liveness" else f"  {check.role}"
        lines = [f"{shape(one.state)} {one.name}  {one.state}{why}{suspect}"]
        lines.append(f"    {check.kind}{role}  {check.target}  {one.answer.took} ms")
        lines += [f"    {'ok ' if e.ok else 'not'} {e.text}: saw {e.seen}" for e in verdict.expectations]
        if verdict.text and verdict.outcome != "pass":
            lines.append(f"    {verdict.text}")
        blocks.append("\n".join(lines))
    blocks += [f"{shape('unknown')} {one.name}  has nothing to ask" for one in services if not one.checks]
    return "\n".join(blocks) or "nothing to ask: no [[service]] is configured, and no source found any"


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
    from .catalog import Pace
    from .lock import Asked, asking
    from .observe import Stopped
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
                ran = run_cycles(config, store, ask, clock, pace=pace, wait=wait)
                tidy(store)
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


def nothing_asked(store: "Store") -> str:
    """Say why a run had nothing to ask."""
    from .store import catalog

    with store.reading() as db:
        known = catalog.plannable(db, clock())
    return "nothing was due" if known else "nothing to ask: no [[service]] is configured, and no source found any"


def tidy(store: "Store") -> None:
    """Move days that are over; no probe is in flight any more."""
    from .store import upkeep

    with store.writing() as db:
        upkeep.move_days(db)


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
            with asking(config.database):
                daemon = Watch(config, store, ask, clock, every=every or min_every(config))
                daemon.start()
                log.info("watching")
                stopped.wait()
                daemon.stop()
        except Asked as other:
            raise Failed(str(other)) from None


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
@click.option("--query-url", help="Where Datasette is for those who see the internal page.")
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

    for built in build_now(config, store, clock(), now=now, audiences=audiences, out=out, query_url=query_url):
        changed = f"{counted(len(built.written), 'file')} written" if built.written else "nothing changed"
        click.echo(f"{built.audience} page: {built.folder}, {counted(built.services, 'service')}, {changed}")
        if built.audience == "public" and built.services == 0 and now is None:
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
    """Show all of it on a made-up fleet.

    Twelve services with faults on a timetable and 90 days of made-up history, in a temporary folder.
    """
    from .demo import run_demo

    sys.exit(run_demo(folder, clock))


# Operating


@cli.command()
@click.argument("name")
@click.option("--for", "duration", type=Duration(), help="How long; without it, until `uplog resume`.")
@click.pass_obj
@sentences
def pause(options: Options, name: str, duration: int | None) -> None:
    """Stop asking a service: it is unknown/paused."""
    from .store import operate

    now = clock()
    until = None if duration is None else now + timedelta(milliseconds=duration)
    with opened(configured(options), existing=True) as store, store.writing() as db:
        click.echo(operate.pause(db, name, now, until, store.zone))


@cli.command()
@click.argument("name")
@click.pass_obj
@sentences
def resume(options: Options, name: str) -> None:
    """Ask a paused service again."""
    from .store import operate

    with opened(configured(options), existing=True) as store, store.writing() as db:
        click.echo(operate.resume(db, name, clock()))


@cli.command()
@click.argument("name")
@click.pass_obj
@sentences
def retire(options: Options, name: str) -> None:
    """Take a service off the page; its history stays."""
    from .store import operate

    with opened(configured(options), existing=True) as store, store.writing() as db:
        click.echo(operate.retire(db, name, clock()))


@cli.command()
@click.argument("name")
@click.argument("new")
@click.pass_obj
@sentences
def rename(options: Options, name: str, new: str) -> None:
    """Give a service another display name.

    Its history and its address on the page stay.
    """
    from .store import operate

    if not new.strip():
        raise click.UsageError("the new name is empty")
    with opened(configured(options), existing=True) as store, store.writing() as db:
        click.echo(operate.rename(db, name, new.strip(), clock()))


@cli.group(name="import")
def import_() -> None:
    """Bring history along that something else has kept."""


@import_.command(name="csv")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--every", type=Duration(), help="How often was asked then, if not as often as now.")
@click.pass_obj
@sentences
def import_csv(options: Options, file: Any, every: int | None) -> None:
    """Import a CSV file with the columns service, at, state, latency_ms, reason.

    A service that the configuration or the record knows takes the rows; any other name becomes a service of its own.
    """
    from .bring import bring

    config = configured(options)
    with opened(config) as store:
        kept = bring(config, store, file, file.name, clock(), every)
    click.echo(table([(name, counted(rows, "row")) for name, rows in kept.items()]) or "the file has no rows")


@cli.command()
@click.pass_obj
@sentences
def rebuild(options: Options) -> None:
    """Derive everything again from the rows.

    Flips, spans, incidents and days are made anew; no row is touched.
    """
    from .store import upkeep

    config = configured(options)
    with opened(config, existing=True) as store, store.writing() as db:
        upkeep.rebuild(db, store.zone, clock())
    click.echo(f"{config.database}: rebuilt")


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


@config_.command(name="schema")
@sentences
def config_schema() -> None:
    """Print the JSON Schema of uplog.toml."""
    from .config import schema

    click.echo(as_json(schema()))
