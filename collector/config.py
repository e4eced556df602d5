"""What the operator wants, as values: from uplog.toml and the variables UPLOG__TABLE__KEY of the environment.

Everything that is wrong is found in one go, and said with the line and the key where it was written.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from .catalog import slug
from .declared import address_flaw, timings
from .decode import Origins, alternatives, dotted, hints, is_table, nearest, overlay, shown, variables
from .discover import SOURCES
from .lines import KeyPath, lines
from .maintenance import known_names
from .model import Check, CouldNot, Maintenance, Service, Target
from .probes import PROBES
from .probes.allowed import is_network
from .rules import Rule
from .ruling import Ruling
from .scheduled import Scheduled
from .settings import File, file_schema, file_type, ms, size_in_bytes
from .themed import PLAIN, Theme, Themed

PREFIX = "UPLOG"
INTERNAL = "internal"  # folder of the internal page, beside the database


class ConfigError(CouldNot):
    """All that is wrong with a configuration, a sentence each."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = list(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for a check that nobody said otherwise of; durations in ms."""

    every: int = 60_000
    timeout: int = 2_000
    failure_threshold: int = 3
    success_threshold: int = 1
    degraded_above: int | None = None
    grace: int = 0
    public: bool = False  # of discovered services; hand-written ones are unless they say otherwise
    allow_exec: bool = False  # for discovered services
    allow_addresses: tuple[str, ...] = ()  # of discovered services: networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the operator wants; durations in ms."""

    path: Path | None  # none: there is no file, all is default
    folder: Path  # where relative paths begin
    database: Path
    site: Path
    incidents: Path  # folder of what the operator tells of them
    title: str
    timezone: ZoneInfo
    language: str  # of the page
    public_url: str | None
    query_url: str | None  # where Datasette is
    concurrency: int
    workers: int  # processes that ask; 1: none but this one
    defaults: Defaults
    targets: tuple[Target, ...]
    discover: Mapping[str, Any]  # source to its Settings, of those that are turned on
    discover_every: int
    ask_from: str  # host, network, cluster, outside
    rules: tuple[Rule, ...]  # for what is discovered, in their order
    group_by: str  # stack, category
    controls: tuple[Check, ...]
    keep: int = 90 * 86_400_000
    max_size: int | None = None  # bytes
    allow_network_filesystem: bool = False
    maintenance: tuple[Maintenance, ...] = ()
    groups: tuple[str, ...] = ()  # headings that come first
    theme: Theme = PLAIN
    origins: Origins = field(repr=False, compare=False)

    @property
    def internal(self) -> Path:
        """The folder of the internal page, beside the database."""
        return self.database.parent / INTERNAL


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration file *path*, or do without one; raise ConfigError with all that is wrong."""
    if path is None:
        return parse({}, folder=Path.cwd(), environ=environ)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: there is no such file; `uplog init` writes one"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: could not be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            [f"{path}:{line}: expected text in UTF-8, got the byte {error.object[error.start]:#04x}"]
        ) from error
    try:
        mapping = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}:{syntax(str(error), text)}"]) from error
    return parse(mapping, text, path=path, folder=path.absolute().parent, environ=environ)


def syntax(message: str, text: str) -> str:
    """Turn what tomllib says of *text* into `LINE: sentence`.

    >>> syntax("Invalid value (at line 3, column 5)", "")
    '3: not TOML: Invalid value (column 5)'
    """
    message, _, place = message.removesuffix(")").rpartition(" (at ")
    numbers = re.findall(r"\d+", place)
    if len(numbers) != 2:  # "(at end of document)"
        return f"{len(text.splitlines())}: not TOML: {message} ({place})"
    return f"{numbers[0]}: not TOML: {message} (column {numbers[1]})"


def parse(
    mapping: Mapping[str, Any],
    text: str = "",
    *,
    path: Path | None = None,
    folder: Path = Path(),
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Make a configuration of *mapping*, decoded from *text*, which tells the lines; raise ConfigError.

    Relative paths begin in *folder*. Of *environ* only what begins with UPLOG__ counts.
    """
    ours = {name: value for name, value in (environ or {}).items() if name.startswith(f"{PREFIX}__")}
    discover = mapping.get("discover", {})
    # a variable may turn a source on, and a misspelled one is to be told the nearest
    by_variable = any(name.startswith(f"{PREFIX}__DISCOVER") for name in ours)
    used = SOURCES if by_variable else discover if isinstance(discover, dict) else ()
    shape = file_type(SOURCES, used, kinds_written(mapping))
    known = variables(shape, PREFIX)
    written, places = overlay(mapping, ours, known)
    origins = Origins(
        file=str(path) if path else None, written=written, lines=lines(text), variables=places, shape=shape
    )
    reader = _Reader(origins, folder)
    for name in sorted(ours.keys() - known.keys()):
        reader.problems.append((0, f"{name}: expected a variable that stands for a key{nearest(name, known)}"))
    config = reader.config(reader.table(written, shape, ()), path)
    if reader.problems:
        raise ConfigError([problem for _, problem in sorted(reader.problems, key=lambda problem: problem[0])])
    return config


def kinds_written(mapping: Mapping[str, Any]) -> list[str]:
    """Return the kinds of check that the tables of *mapping* write options of: only their modules are wanted."""
    services = tables(mapping.get("service"))
    checks = [check for service in services for check in tables(service.get("check"))]
    return [kind for kind in PROBES if any(kind in table for table in (*services, *checks))]


def tables(written: Any) -> list[dict[str, Any]]:
    """Return the tables in an array of tables, whatever was written in its place."""
    return [one for one in written if isinstance(one, dict)] if isinstance(written, list) else []


class _Reader(Scheduled, Ruling, Themed):
    """Makes the values of one file."""

    def config(self, file: File, path: Path | None) -> Config:
        """Make the whole configuration."""
        defaults = Defaults(
            **timings(file.defaults),
            public=file.defaults.public,
            allow_exec=file.defaults.allow_exec,
            allow_addresses=tuple(file.defaults.allow_addresses),
        )
        for place, network in enumerate(file.defaults.allow_addresses):
            if not is_network(network):
                where = ("defaults", "allow_addresses", place)
                self.wrong(where, f'expected a network such as "169.254.1.0/24", got {shown(network)}')
        self.address(file.uplog.public_url, ("uplog", "public_url"))
        self.address(file.uplog.query_url, ("uplog", "query_url"))
        self.apart(file.uplog.site, self.folder / file.uplog.database, path)
        timezone = self.zone(file.uplog.timezone, ("uplog", "timezone"))
        return Config(
            path=path,
            folder=self.folder,
            database=self.folder / file.uplog.database,
            site=self.folder / file.uplog.site,
            incidents=self.folder / file.uplog.incidents,
            title=file.uplog.title,
            timezone=timezone,
            language=file.uplog.language,
            public_url=file.uplog.public_url,
            query_url=file.uplog.query_url,
            concurrency=file.uplog.concurrency,
            workers=file.uplog.workers,
            defaults=defaults,
            targets=self.targets(file.service, timings(file.defaults)),
            discover={name: table for name in SOURCES if (table := getattr(file.discover, name)) is not None},
            discover_every=ms(file.discover.every),
            ask_from=file.discover.ask_from,
            rules=tuple(
                self.rule(table, ("rule", place), defaults.allow_addresses, allow_exec=defaults.allow_exec)
                for place, table in enumerate(file.rule)
            ),
            group_by=file.discover.group_by,
            controls=tuple(
                self.control(table.url, ("control", place, "url"), defaults.timeout)
                for place, table in enumerate(file.control)
            ),
            keep=ms(file.uplog.keep),
            max_size=size_in_bytes(file.uplog.max_size) if file.uplog.max_size else None,
            allow_network_filesystem=file.uplog.allow_network_filesystem,
            maintenance=tuple(
                self.maintenance(table, ("maintenance", place), timezone)
                for place, table in enumerate(file.maintenance)
            ),
            groups=tuple(file.uplog.groups),
            theme=self.theme(file.theme),
            origins=self.origins,
        )

    def address(self, url: str | None, path: KeyPath) -> None:
        """Note what is wrong with a URL behind which the names of pages are put."""
        if url is not None and path not in self.bad and (flaw := address_flaw(url)):
            self.wrong(path, f"expected {flaw}, got {shown(url)}")

    def apart(self, site: str, database: Path, file: Path | None) -> None:
        """Note it where the public page would lie around what is not for the public."""
        if not is_apart(self.folder / site, database, file):
            self.wrong(("uplog", "site"), f"expected {APART}, got {shown(site)}")


APART = "a folder without the record, the internal page and the configuration"


def is_apart(site: Path, database: Path, file: Path | None) -> bool:
    """Say whether the folder *site*, of which all is published, holds nothing that is not for the public."""
    kept = (database, database.parent / INTERNAL, *([file] if file else ()))
    folder = os.path.realpath(site)
    return not any(Path(os.path.realpath(one)).is_relative_to(folder) for one in kept)


# Showing


def provenance(config: Config) -> list[tuple[str, str, str]]:
    """Return key, value and origin (`file:line`, variable, default) of all that is in force.

    Of services and controls only what was written: the rest is what [defaults] says. Secrets are references.
    """
    origins = config.origins
    rows = [(path, value, origins.where(path)) for path, value in leaves(origins.written)]
    rows += [(path, value, "default") for path, value in unwritten(origins.shape, origins.written)]
    order = list(hints(origins.shape))
    rows.sort(key=lambda row: order.index(str(row[0][0])))
    return [(dotted(path), value if isinstance(value, str) else shown(value), origin) for path, value, origin in rows]


def leaves(written: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every written value with its path."""
    if isinstance(written, dict):
        for key, value in written.items():
            yield from leaves(value, (*path, key))
    elif isinstance(written, list) and written and isinstance(written[0], dict):
        for place, value in enumerate(written):
            yield from leaves(value, (*path, place))
    else:
        yield path, written


def unwritten(shape: type[Struct], written: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the defaults of what the tables that are in force do not say."""
    for one in fields(shape):
        kind = alternatives(one.type)[0]
        if is_table(kind):
            if one.name in written or one.default is not None:
                yield from unwritten(kind, written.get(one.name, {}), (*path, one.name))
        elif path and one.name not in written:
            yield (*path, one.name), default_of(one)


def default_of(field: FieldInfo) -> Any:
    """Return the default of a field, as it would be written."""
    return "none" if field.default is None else field.default_factory() if field.default is NODEFAULT else field.default


def strangers(config: Config, services: Iterable[Service]) -> Iterator[str]:
    """Yield a sentence for each name in [[maintenance]] that no service has: of the configuration, or of *services*.

    Such a service may still be found one day.
    """
    written = [
        Service(key=one.key, slug=slug(one.name, ()), name=one.name, group=one.group or "") for one in config.targets
    ]
    names, groups = known_names([*written, *services])
    for place, rule in enumerate(config.maintenance):
        for key, said, known in (("services", rule.services, names), ("groups", rule.groups, groups)):
            for name in sorted({*said} - known):
                path = ("maintenance", place, key)
                text = f"no {key[:-1]} that is known is called {shown(name)}{nearest(name, known)}"
                yield f"{config.origins.where(path)}: {dotted(path)}: {text}"


def schema() -> dict[str, Any]:
    """Return the JSON Schema of uplog.toml."""
    return file_schema(SOURCES)
