"""What the commands of the command line share: options, kinds of values, errors as sentences, the open record."""

import functools
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
from msgspec import ValidationError, convert

from .config import Config, load
from .declared import address_flaw
from .model import CouldNot
from .settings import Positive, ms

if TYPE_CHECKING:
    from .store import Store

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

YEARS = range(1970, 3000)  # what may be named: from there no window of ours leads out of the calendar


class Failed(CouldNot):
    """One sentence for the user; the exit code is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is said before the command."""

    config: Path | None
    database: Path | None
    verbose: int


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
        from .importing.past import moment

        found: datetime | None = None
        with suppress(ValueError, OverflowError):
            found = value if isinstance(value, datetime) else moment(value)
        if found is None or found.year not in YEARS:
            self.fail(f'expected a moment like 2026-11-21T10:00:00Z, got "{value}"', param, ctx)
        return found


class Address(click.ParamType[str]):
    """A URL behind which the names of pages are put."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a URL."""
        if flaw := address_flaw(value):
            self.fail(f'expected {flaw}, got "{value}"', param, ctx)
        return str(value)


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


def must_exist(config: Config) -> Config:
    """Return *config*; raise Failed when its record does not exist."""
    if not config.database.exists():
        raise Failed(f"{config.database}: there is no such database; `uplog run` makes one")
    return config


def opened(config: Config, *, readonly: bool = False, existing: bool = False) -> "Store":
    """Open the record; one that has to be *existing* is not made."""
    from .store import Store

    if existing:
        must_exist(config)
    return Store(
        config.database,
        zone=config.timezone,
        readonly=readonly,
        network=config.allow_network_filesystem,
    )
