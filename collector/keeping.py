"""Commands that look after the record: making it small and right, keeping it safe."""

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .command import Duration, Failed, Options, clock, configured, counted, must_exist, opened, sentences
from .show import as_json, table

if TYPE_CHECKING:
    from .store.backup import Contents
    from .store.prune import Pruned


@click.command()
@click.option("--keep", type=Duration(), help="How long raw rows are kept, if not as long as [uplog] keep says.")
@click.option("--quiet", is_flag=True, help="Say nothing when all went well.")
@click.pass_obj
@sentences
def prune(options: Options, keep: int | None, quiet: bool) -> None:
    """Delete raw rows that are older than they are to be kept.

    Whole days go: observations, raw texts, runs and events. Flips, spans, incidents and the figures of each day stay
    for ever. Probes go on meanwhile; the space is given back to the disk, and a full disk is no obstacle.
    """
    from .lock import Tidied, tidying
    from .store import prune as pruning
    from .store import reserve

    config = must_exist(configured(options))
    try:
        with reserve.at_hand(config.database), tidying(config.database), opened(config) as store:
            done = pruning.prune(store, clock(), keep or config.keep, max_size=config.max_size)
    except Tidied as other:
        click.echo(f"uplog: {other}", err=True)
        return
    if not quiet:
        click.echo(f"{config.database}: {pruned(done)}")
    if done.too_large:
        click.echo(f"uplog: {config.database}: larger than max_size; the newest two days are never pruned", err=True)


def pruned(done: "Pruned") -> str:
    """Say what a prune did."""
    if done.rows == 0:
        return "nothing to prune"
    assert done.horizon is not None
    freed = f"{done.freed / (1 << 20):.1f} MiB given back to the disk"
    return f"{counted(done.rows, 'row')} from before {done.horizon:%Y-%m-%d %H:%M} UTC pruned, {freed}"


@click.command()
@click.pass_obj
@sentences
def rebuild(options: Options) -> None:
    """Derive everything again.

    Flips are made anew from the rows that are kept, spans, incidents and days from the flips; no row is touched.
    """
    from .store import upkeep

    config = configured(options)
    with opened(config, existing=True) as store, store.writing() as db:
        upkeep.rebuild(db, store.zone, clock())
    click.echo(f"{config.database}: rebuilt")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
@sentences
def backup(options: Options, file: Path, force: bool) -> None:
    """Copy the record to FILE, while everything goes on.

    The copy is one whole file. It is read back before it counts.
    """
    from .store.backup import backup as copy
    from .store.backup import mebibytes

    begun = time.monotonic()
    contents = copy(configured(options).database, file, force=force)
    size = mebibytes(file.stat().st_size)
    click.echo(f"{file}: {told(contents)}; {size}, {time.monotonic() - begun:.1f} s")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
@sentences
def restore(options: Options, file: Path) -> None:
    """Put the copy FILE in the place of the record.

    The database that was there is kept beside it. Nobody may be asking meanwhile.
    """
    from .lock import Asked, asking
    from .store.backup import restore as put_back

    database = configured(options).database
    try:
        with asking(database):
            restored = put_back(database, file, clock())
    except Asked as other:
        raise Failed(f"{other}: stop it, then restore again") from None
    click.echo(f"{database}: restored from {file}: {told(restored.contents)}")
    if restored.kept is not None:
        click.echo(f"the database before it is kept as {restored.kept}")


def told(contents: "Contents") -> str:
    """Say what is in a database."""
    services, rows = counted(contents.services, "service"), counted(contents.observations, "observation")
    if contents.first is None or contents.last is None:
        return f"{services}, {rows}"
    return f"{services}, {rows} from {contents.first:%Y-%m-%d %H:%M:%S} to {contents.last:%Y-%m-%d %H:%M:%S} UTC"


@click.command()
@click.option("--full", is_flag=True, help="Compare the indexes with the rows, too; reads everything more than once.")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
@click.pass_obj
@sentences
def doctor(options: Options, full: bool, as_json_: bool) -> None:
    """Look whether all is well, and say what to do.

    Nothing is written. The exit code is 1 if anything is bad.
    """
    from .doctor import Level
    from .examine import configuration, examine

    config, lines = configuration(options)
    lines += examine(config, clock(), full=full)
    if as_json_:
        click.echo(as_json({"database": config.database, "lines": [asdict(line) for line in lines]}))
    else:
        click.echo(table([(line.level, line.subject, line.text) for line in lines]))
    sys.exit(any(line.level is Level.BAD for line in lines))
