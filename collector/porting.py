"""Commands that carry history in and out."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from .command import Duration, Failed, Moment, Options, clock, configured, counted, opened, sentences
from .show import as_json, table

if TYPE_CHECKING:
    from .bring import Brought
    from .config import Config
    from .store import Store
    from .store.staged import Staged

AT_ONCE = 1_000  # lines


class Renaming(click.ParamType[tuple[str, str]]):
    """A name there and the one that it has here, NAME=SERVICE."""

    name = "name=service"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read two names; the first may hold an equals sign."""
        there, _, here = str(value).rpartition("=")
        if not there or not here:
            self.fail(f'expected NAME=SERVICE, got "{value}"', param, ctx)
        return there, here


@click.command(name="import")
@click.argument("words", nargs=-1, metavar="[FORMAT] PATH")
@click.option("--from", "source", metavar="FORMAT", help="What wrote it, if that is not to be seen.")
@click.option("--as", "renamed", type=Renaming(), multiple=True, help="Which service here a name there is.")
@click.option("--every", type=Duration(), help="How often was asked then, if not as often as the source says.")
@click.option("--dry-run", is_flag=True, help="Only say what would come.")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
@click.pass_obj
@sentences
def import_(
    options: Options,
    words: tuple[str, ...],
    source: str | None,
    renamed: tuple[tuple[str, str], ...],
    every: int | None,
    dry_run: bool,
    as_json_: bool,
) -> None:
    """Bring history along that something else has kept.

    FORMAT is csv, json, kuma, gatus, upptime or prometheus; without it, PATH is looked at. A CSV file has the columns
    service, at, state, latency_ms, reason; - is what comes in.

    A service that the configuration or the record knows takes the rows; any other name becomes a service of its own.
    To import the same again changes nothing.
    """
    from .importing import FORMATS, recognised
    from .store.staged import Staged

    if len(words) == 2 and source is None:
        source, *words = words  # type: ignore[assignment]
    if len(words) != 1:
        raise click.UsageError("expected [FORMAT] PATH")
    if source is not None and source not in FORMATS:
        raise click.UsageError(f"{source}: there is no such format; there are {', '.join(FORMATS)}")
    config, now = configured(options), clock()
    with here(words[0]) as path, Staged(now, dict(renamed)) as staged:
        staged.take(FORMATS[source or recognised(path)].read(path, now))
        if staged.not_there:
            raise Failed(f"{words[0]}: has no service that is called {', '.join(sorted(staged.not_there))}")
        opening: AbstractContextManager[Store] = rehearsed(config) if dry_run else opened(config)
        with opening as store:
            found = carried(config, store, staged, now, every)
    click.echo(as_json(brought_json(found, staged, dry_run)) if as_json_ else brought_text(found, staged, dry_run))


def carried(
    config: "Config", store: "Store", staged: "Staged", now: datetime, every: int | None
) -> "Sequence[Brought]":
    """Import what is staged, and tell what became of it."""
    from .bring import bring, brought

    return brought(store, staged, bring(config, store, staged, now, every), now)


@contextmanager
def here(word: str) -> Iterator[Path]:
    """Return the path that *word* is; - is a file of what comes in."""
    if word != "-":
        if not Path(word).exists():
            raise click.UsageError(f"{word}: there is no such file or folder")
        yield Path(word)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "-")
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield path


@contextmanager
def rehearsed(config: "Config") -> "Iterator[Store]":
    """Open a copy of the record, which is gone afterwards: what an import does to it is what it would do."""
    from .store.backup import backup

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "uplog.db")
        if config.database.exists():
            backup(config.database, copy)
        with opened(replace(config, database=copy)) as store:
            yield store


def brought_text(found: "Sequence[Brought]", staged: "Staged", dry_run: bool) -> str:
    """Write what came, for people, a service a line; then what did not, and why."""
    rows = [
        (
            one.kept.name,
            counted(one.kept.rows, "row") + ("" if one.kept.new else ", none of them new"),
            f"{one.first:%Y-%m-%d %H:%M:%S} to {one.last:%Y-%m-%d %H:%M:%S}" if one.first and one.last else "",
            f"uptime {one.uptime}%, {one.observed}% observed" if one.uptime else "",
        )
        for one in found
    ]
    skipped = [
        f"skipped: {one.service}: {counted(one.rows, 'row')}, the first at {one.where}: {one.why}"
        for one in staged.skipped.values()
    ]
    late = [
        f"skipped: {one.kept.name}: {counted(one.kept.left_out, 'row')} from before the horizon of pruning"
        for one in found
        if one.kept.left_out
    ]
    ending = ["nothing was written"] if dry_run else []
    return "\n".join([table(rows) or "there are no rows", *skipped, *late, *ending])


def brought_json(found: "Sequence[Brought]", staged: "Staged", dry_run: bool) -> dict[str, Any]:
    """Write what came, for machines."""
    return {
        "written": not dry_run,
        "services": [
            {
                "name": one.kept.name,
                "service": one.kept.key,
                "rows": one.kept.rows,
                "new": one.kept.new,
                "before_horizon": one.kept.left_out,
                "first": one.first,
                "last": one.last,
                "uptime_pct": one.uptime,
                "observed_pct": one.observed,
            }
            for one in found
        ],
        "skipped": [
            {"service": one.service, "rows": one.rows, "where": one.where, "why": one.why}
            for one in staged.skipped.values()
        ],
    }


@click.command()
@click.argument("names", nargs=-1)
@click.option("--since", type=Moment(), help="The first moment that counts.")
@click.option("--until", type=Moment(), help="The first moment that counts no more.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", help="A table, or all in lines.")
@click.option("--out", type=click.Path(path_type=Path, allow_dash=True), default=Path("-"), help="File, or - .  [-]")
@click.pass_obj
@sentences
def export(
    options: Options, names: tuple[str, ...], since: datetime | None, until: datetime | None, form: str, out: Path
) -> None:
    """Write history that `uplog import` reads back: of all services, or of NAMES.

    A CSV file holds the observations, with what they were judged by. JSON, an object a line, holds the corrections,
    the maintenance and the ends of checks too: what is made of it in an empty record is the same history.
    """
    from . import exporting
    from .store import exported

    with opened(configured(options), readonly=True) as store, store.reading() as db, written(out) as file:
        services = exported.chosen(db, names)
        facts = [fact for one in services for fact in exported.facts(db, one, since, until)]
        behind = exported.left_behind(db, services)
        if form == "json":
            file.writelines(map(exporting.fact, facts))
        else:
            file.write(exporting.CSV_HEAD)
            behind += exporting.not_in_csv(facts)
        frame: exporting.Framing = exporting.json_frame if form == "json" else exporting.csv_frame
        found = exported.rows(db, services, since, until)
        rows = pour(exporting.lines(found, exported.kinds(db, services), frame), file.write)
    for sentence in [f"{counted(len(services), 'service')}, {counted(rows, 'row')}", *behind]:
        click.echo(f"uplog: {sentence}", err=True)


def pour(lines: Iterable[str], write: Callable[[str], object]) -> int:
    """Write *lines*, many at once; return how many there were."""
    ahead, count = iter(lines), 0
    while batch := list(islice(ahead, AT_ONCE)):
        write("".join(batch))
        count += len(batch)
    return count


@contextmanager
def written(out: Path) -> Iterator[IO[str]]:
    """Open the file *out*, which appears when it is whole; - is what the terminal shows."""
    if str(out) == "-":
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # whatever the terminal speaks: a program reads it
        yield sys.stdout
        sys.stdout.flush()  # here, where a reader who went away is no surprise
        return
    handle, name = tempfile.mkstemp(dir=out.absolute().parent, prefix=f".{out.name}.")
    try:
        with open(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, out)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
