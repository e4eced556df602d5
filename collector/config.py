"""What the operator wants, as values: from uplog.toml and the variables UPLOG__TABLE__KEY of the environment.

Everything that is wrong is found in one go, and said with the line and the key where it was written.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from .decode import Decoder, Origins, alternatives, dotted, hints, is_table, nearest, overlay, shown, variables
from .discover import SOURCES
from .lines import KeyPath, lines
from .model import Check, Expect, Role, Target
from .probes import PROBES
from .settings import CheckTable, ExpectTable, File, ServiceTable, Timings, file_schema, file_type, ms

PREFIX = "UPLOG"
SCHEMES = {"http": "http", "https": "http", "tcp": "tcp"}  # and the kind of check that asks there
SECRET_HEADER = re.compile("authorization|cookie|token|secret|password|key", re.IGNORECASE)
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+")
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


class ConfigError(Exception):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the operator wants; durations in ms."""

    path: Path | None  # none: there is no file, all is default
    folder: Path  # where relative paths begin
    database: Path
    site: Path
    title: str
    timezone: ZoneInfo
    public_url: str | None
    query_url: str | None  # where Datasette is
    concurrency: int
    defaults: Defaults
    targets: tuple[Target, ...]
    discover: Mapping[str, Any]  # source to its Settings, of those that are turned on
    discover_every: int
    controls: tuple[Check, ...]
    origins: Origins = field(repr=False, compare=False)

    @property
    def internal(self) -> Path:
        """The folder of the internal page, beside the database."""
        return self.database.parent / "internal"


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
    shape = file_type(SOURCES, SOURCES if by_variable else discover if isinstance(discover, dict) else ())
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


class _Reader(Decoder):
    """Makes the values of one file, and notes what its types alone do not tell."""

    def __init__(self, origins: Origins, folder: Path) -> None:
        super().__init__(origins)
        self.folder = folder

    def config(self, file: File, path: Path | None) -> Config:
        """Make the whole configuration."""
        defaults = Defaults(**timings(file.defaults), public=file.defaults.public)
        for key in ("public_url", "query_url"):
            self.url(getattr(file.uplog, key), ("uplog", key), ("http", "https"))
        return Config(
            path=path,
            folder=self.folder,
            database=self.folder / file.uplog.database,
            site=self.folder / file.uplog.site,
            title=file.uplog.title,
            timezone=self.zone(file.uplog.timezone, ("uplog", "timezone")),
            public_url=file.uplog.public_url,
            query_url=file.uplog.query_url,
            concurrency=file.uplog.concurrency,
            defaults=defaults,
            targets=self.targets(file.service, timings(file.defaults)),
            discover={name: table for name in SOURCES if (table := getattr(file.discover, name)) is not None},
            discover_every=ms(file.discover.every),
            controls=tuple(
                self.control(table.url, ("control", place, "url"), defaults.timeout)
                for place, table in enumerate(file.control)
            ),
            origins=self.origins,
        )

    def targets(self, services: Sequence[ServiceTable], defaults: Mapping[str, Any]) -> tuple[Target, ...]:
        """Make the targets, and see that each has a name of its own."""
        first: dict[str, int] = {}
        for place, service in enumerate(services):
            path: KeyPath = ("service", place, "name")
            other = first.setdefault(service.name, place)
            if other != place and path not in self.bad:
                line = self.origins.line(("service", other, "name"))
                where = f"service[{other}]{f' in line {line}' if line else ''}"
                self.wrong(path, f"expected a name of its own, got {shown(service.name)}, which {where} has")
        return tuple(self.target(service, ("service", place), defaults) for place, service in enumerate(services))

    def target(self, service: ServiceTable, path: KeyPath, defaults: Mapping[str, Any]) -> Target:
        """Make the target that a table [[service]] is."""
        line = self.origins.line(path)
        name = Path(self.origins.file or "uplog.toml").name
        return Target(
            source="config",
            ref=f"{name}:{line}" if line else name,
            name=service.name,
            names=(service.name,),
            title=service.name,
            group=service.group,
            description=service.description,
            order=service.order,
            public=service.public,
            checks=tuple(self.checks(service, path, defaults)),
        )

    def checks(self, service: ServiceTable, path: KeyPath, defaults: Mapping[str, Any]) -> Iterator[Check]:
        """Yield the check that the url of a service is, and the further ones."""
        kind = self.url(service.url, (*path, "url"), SCHEMES)
        plain = Check(
            key="",
            service="",
            kind=kind or "http",
            target=service.url or "",
            expect=self.expect(service.expect, (*path, "expect")),
            headers=self.headers(service.headers, (*path, "headers")),
            **{**defaults, **timings(service)},
        )
        plain = replace(plain, declared_every=plain.every)
        if service.url is not None:
            yield plain
        elif not service.check and not self.bad & {(*path, "url"), (*path, "check")}:
            self.wrong(path, "expected a url or a [[service.check]], got neither")
        seen = {(plain.kind, plain.name)} if service.url is not None else set()
        for place, table in enumerate(service.check):
            check = self.check(table, plain, (*path, "check", place))
            if (check.kind, check.name) in seen:
                self.wrong((*path, "check", place), self.nameless(check))
            seen.add((check.kind, check.name))
            yield check

    def nameless(self, check: Check) -> str:
        """Say what is missing where two checks of a service could not be told apart."""
        got = f"{shown(check.name)} again" if check.name else "a second one without"
        return f"expected a name that tells this check from the other of kind {check.kind}, got {got}"

    def check(self, table: CheckTable, plain: Check, path: KeyPath) -> Check:
        """Make a further check, which takes what it leaves out from the *plain* one of its service."""
        kind, target = self.question(table, plain.target, path)
        headers = self.headers(table.headers, (*path, "headers")) if table.headers is not None else plain.headers
        if table.headers is None and urlsplit(plain.target).netloc != urlsplit(target).netloc:
            headers = ()  # what one host may know is no other host's business
        check = replace(
            plain,
            kind=kind,
            target=target,
            # a role names its check, and so the history of the plain one stays where it is when others join it
            name=table.name or ("" if table.role is Role.LIVENESS else table.role.value),
            role=table.role,
            expect=self.expect(table.expect, (*path, "expect")) if table.expect else plain.expect,
            headers=headers,
            **timings(table),
        )
        return replace(check, declared_every=check.every)

    def question(self, table: CheckTable, plain: str, path: KeyPath) -> tuple[str, str]:
        """Return the kind and the target of a further check of the service whose url is *plain*."""
        where: KeyPath = (*path, "url" if table.url else "target")
        kind, target = table.kind, table.url or table.target
        if table.url and table.target:
            self.wrong(where, "expected either url or target, got both")
        if kind is not None and kind not in PROBES:
            kinds = ", ".join(sorted(PROBES))
            self.wrong((*path, "kind"), f"expected one of {kinds}, got {shown(kind)}{nearest(kind, PROBES)}")
            return kind, target or plain
        if kind is not None and kind not in SCHEMES.values():
            if not target:
                self.wrong(where, f"expected what a check of kind {kind} asks, got nothing")
            return kind, target or ""
        return self.network(kind, target, plain, path, where)

    def network(
        self, kind: str | None, target: str | None, plain: str, path: KeyPath, where: KeyPath
    ) -> tuple[str, str]:
        """Return the kind and the URL that *target* means beside *plain*, the url of its service."""
        if not plain and (not target or target.startswith("/")):
            self.wrong(where, f"expected a whole URL, since its service has none, got {shown(target or '')}")
            return kind or "http", ""
        target = urljoin(plain, target) if not target or target.startswith("/") else target
        if kind == "tcp" and "://" not in target:
            target = f"tcp://{target}"
        said = self.url(target, where, SCHEMES) if target != plain else SCHEMES.get(urlsplit(plain).scheme)
        if kind and said and kind != said:
            self.wrong((*path, "kind"), f"expected {shown(said)}, as its URL says, got {shown(kind)}")
        return said or kind or "http", target

    def url(self, text: str | None, path: KeyPath, schemes: Iterable[str]) -> str | None:
        """Return the kind of check that a URL asks for; note what is wrong with it."""
        if text is None or path in self.bad:
            return None
        if flaw := url_flaw(text, schemes):
            self.wrong(path, f"expected {flaw}, got {shown(text)}")
            return None
        return SCHEMES[urlsplit(text).scheme]

    def control(self, url: str, path: KeyPath, timeout: int) -> Check:
        """Make a check of something outside; whatever it answers proves that the network works."""
        kind = self.url(url, path, SCHEMES) or "http"
        anything = Expect(status=((100, 599),), follow=False)
        return Check(key=f"control//{url}", service="", kind=kind, target=url, timeout=timeout, expect=anything)

    def zone(self, name: str, path: KeyPath) -> ZoneInfo:
        """Return the time zone *name*."""
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # unknown, outside the database, a folder in it
            zones = available_timezones()
            hint = nearest(name, zones) if zones else "; this machine has no time zones: pip install tzdata"
            self.wrong(path, f'expected a time zone such as "Europe/Berlin", got {shown(name)}{hint}')
            return ZoneInfo("UTC")

    def expect(self, table: ExpectTable | None, path: KeyPath) -> Expect:
        """Make the expectation that a table is."""
        if table is None:
            return Expect()
        body = table.body_contains
        return Expect(
            status=tuple(self.span(code, (*path, "status", place)) for place, code in enumerate(table.status)),
            body_contains=(body,) if isinstance(body, str) else tuple(body),
            follow=table.follow,
            redirect_hosts=tuple(table.redirect_hosts),
        )

    def span(self, code: int | str, path: KeyPath) -> tuple[int, int]:
        """Return the first and the last code of a range."""
        first, _, last = str(code).partition("-")
        if last and last < first:
            self.wrong(path, f'expected the lower code first, such as "200-299", got {shown(code)}')
        return int(first), int(last or first)

    def headers(self, table: Mapping[str, str] | None, path: KeyPath) -> tuple[tuple[str, str], ...]:
        """Return the headers to send; a file that holds a value is named by its whole path."""
        found = []
        for name, value in (table or {}).items():
            if flaw := header_flaw(name, value):
                self.wrong((*path, name), f"expected {flaw}")
            is_file = value.startswith("file:")
            found.append((name, f"file:{self.folder / value[5:]}" if is_file else value))
        return tuple(found)


def timings(table: Timings) -> dict[str, Any]:
    """Return what a table says of timing, durations in ms, without what it leaves open."""
    said = {name: getattr(table, name) for name in Timings.__struct_fields__}
    return {name: ms(value) if isinstance(value, str) else value for name, value in said.items() if value is not None}


def url_flaw(url: str, schemes: Iterable[str]) -> str | None:
    """Say what a URL of one of the *schemes* should have been; none when it is one.

    >>> url_flaw("http://example.org:80/", ["http"])
    >>> url_flaw("http://example.org:99999/", ["http"])
    'a port from 1 to 65535'
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is not closed
        return "a URL"
    if parts.scheme not in schemes or not parts.hostname or UNPRINTABLE.search(url):
        return f"a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)} and a host"
    if "@" in parts.netloc:
        return "a URL without user and password, which belong into a header as env:NAME or file:PATH"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return "a port from 1 to 65535"
    if parts.scheme == "tcp" and (port is None or parts.path.strip("/")):
        return "tcp://host:port"
    return None


def header_flaw(name: str, value: str) -> str | None:
    """Say what a header should have been, without its value; none when nothing is wrong.

    >>> header_flaw("X-Api-Key", "s3cret")
    'env:NAME or file:PATH, got a plain value, which may be a secret'
    """
    if not HEADER_NAME.fullmatch(name):
        return f"the name of a header, got {shown(name)}"
    if REFERENCE.fullmatch(value):
        return None
    if value.startswith(("env:", "file:")):
        return "env:NAME or file:PATH, got a reference without a proper name"
    if SECRET_HEADER.search(name):
        return "env:NAME or file:PATH, got a plain value, which may be a secret"
    if not value.isprintable():
        return "a value on one line, got unprintable signs"
    return None


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


def schema() -> dict[str, Any]:
    """Return the JSON Schema of uplog.toml."""
    return file_schema(SOURCES)
