"""From what is declared by hand, the tables [[service]] and [[control]], to targets and checks."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from .decode import Decoder, Origins, nearest, shown
from .expectations import pattern_flaw
from .lines import KeyPath
from .model import Check, Expect, Role, Target
from .paths import is_path, is_wanted
from .probes import BY_OPTIONS, NEED_PORT, PROBES, SCHEMES
from .settings import CheckTable, DegradedTable, ExpectTable, ServiceTable, Timings, WantedTable, module_of, ms

# what a URL alone asks for
KINDS = {scheme: kind for kind in reversed(SCHEMES) for scheme in SCHEMES[kind]}
SECRET_HEADER = re.compile("authorization|cookie|token|secret|password|key", re.IGNORECASE)
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\x00-\x1f]+")
UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


class Declared(Decoder):
    """Makes targets and checks, and notes what the types of the tables alone do not tell."""

    def __init__(self, origins: Origins, folder: Path) -> None:
        super().__init__(origins)
        self.folder = folder  # where relative paths begin

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
        """Yield the check that the url of a service is, or that of all its instances, and the further ones."""
        instances = self.instances(service, path)
        url = service.url or next(iter(instances), None)
        kind = self.url(url, (*path, "url"), KINDS)
        plain = Check(
            key="",
            service="",
            kind=kind or "http",
            target=url if url and kind else "",
            instances=instances,
            expect=self.expect(service.expect, (*path, "expect")),
            headers=self.headers(service.headers, (*path, "headers")),
            options=self.options(service, kind or "http", path) or {},
            **{**defaults, **timings(service)},
        )
        plain = replace(plain, declared_every=plain.every)
        if url is not None:
            yield plain
        elif not service.check and not self.bad & {path, (*path, "url"), (*path, "instances"), (*path, "check")}:
            self.wrong(path, "expected a url or a [[service.check]], got neither")
        seen = {(plain.kind, plain.name)} if url is not None else set()
        for place, table in enumerate(service.check):
            check = self.check(table, plain, (*path, "check", place))
            if (check.kind, check.name) in seen:
                self.wrong((*path, "check", place), nameless(check))
            seen.add((check.kind, check.name))
            yield check

    def instances(self, service: ServiceTable, path: KeyPath) -> tuple[str, ...]:
        """Return the URLs of all instances of a service, none where it names none."""
        urls, where = service.instances, (*path, "instances")
        kinds = {self.url(url, (*where, place), KINDS) for place, url in enumerate(urls)}
        if None in kinds:
            self.bad.add(where)
        elif urls and (len(urls) == 1 or len(set(urls)) < len(urls) or len(kinds) > 1):
            self.wrong(where, f"expected two URLs or more, all of one kind and all different, got {shown(urls)}")
        elif urls and service.url not in (None, urls[0]):
            self.wrong((*path, "url"), f"expected the first of the instances or nothing, got {shown(service.url)}")
        return () if where in self.bad else tuple(urls)

    def check(self, table: CheckTable, plain: Check, path: KeyPath) -> Check:
        """Make a further check, which takes what it leaves out from the *plain* one of its service."""
        kind, target = self.question(table, plain.target, path)
        if table.headers is not None:
            headers = self.headers(table.headers, (*path, "headers"))
        else:  # what one host may know is no other host's business
            headers = plain.headers if plain.target and urlsplit(target)[:2] == urlsplit(plain.target)[:2] else ()
        said = self.options(table, kind, path)
        check = replace(
            plain,
            kind=kind,
            target=target,
            # a role names its check, and so the history of the plain one stays where it is when others join it
            name=table.name or ("" if table.role is Role.LIVENESS else table.role.value),
            role=table.role,
            expect=self.expect(table.expect, (*path, "expect")) if table.expect else plain.expect,
            headers=headers,
            options=said if said is not None else plain.options if kind == plain.kind else {},
            **timings(table),
        )
        return replace(check, declared_every=check.every, instances=everywhere(table, check, plain))

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
        if kind in BY_OPTIONS:
            return kind, target or kind
        if kind is not None and not target and plain_cannot(kind, plain):
            self.wrong(where, f"expected what a check of kind {kind} asks, got nothing")
            return kind, ""
        if kind is not None and kind not in SCHEMES:
            return kind, target or ""
        return self.network(kind, target, plain, path, where)

    def network(
        self, kind: str | None, target: str | None, plain: str, path: KeyPath, where: KeyPath
    ) -> tuple[str, str]:
        """Return the kind and the URL that *target* means beside *plain*, the url of its service."""
        if not target or target.startswith("/"):
            if not plain:
                if not self.bad & {(*path[:2], "url"), (*path[:2], "instances")}:
                    got = shown(target) if target else "nothing"
                    self.wrong(where, f"expected a whole URL, since its service has none, got {got}")
                return kind or "http", ""
            target = joined(plain, target)
        schemes = SCHEMES[kind] if kind else ()
        if schemes and "http" not in schemes and "://" not in target:
            target = f"{schemes[0]}://{target}"
        said = self.url(target, where, KINDS)
        if said and kind and urlsplit(target).scheme not in schemes:
            self.wrong((*path, "kind"), f"expected {shown(said)}, as its URL says, got {shown(kind)}")
        return kind or said or "http", target if said else ""

    def url(self, text: str | None, path: KeyPath, schemes: Iterable[str]) -> str | None:
        """Return the kind of check that a URL asks for; note what is wrong with it."""
        if text is None or path in self.bad:
            return None
        if flaw := url_flaw(text, schemes):
            self.wrong(path, f"expected {flaw}, got {shown(text)}")
            return None
        return KINDS.get(urlsplit(text).scheme)

    def options(self, table: CheckTable | ServiceTable, kind: str, path: KeyPath) -> dict[str, Any] | None:
        """Return what a check of *kind* is to know beyond its target, none where that is not written."""
        written = {one: settings for one in PROBES if (settings := getattr(table, one, None)) is not None}
        for other in written.keys() - {kind}:
            self.wrong((*path, other), f"expected a check of kind {other} around it, got one of kind {kind}")
        if kind not in written:
            if kind in BY_OPTIONS and (*path, kind) not in self.bad:
                self.wrong((*path, kind), f"expected a table that says what a check of kind {kind} does, got nothing")
            return None
        if not any(bad[: len(path) + 1] == (*path, kind) for bad in self.bad):
            for key, flaw in getattr(module_of(kind), "flaws", no_flaws)(written[kind]):
                self.wrong((*path, kind, key), flaw)
        options: dict[str, Any] = msgspec.to_builtins(written[kind])
        return {key: str(self.folder / value) if key.endswith("_file") else value for key, value in options.items()}

    def control(self, url: str, path: KeyPath, timeout: int) -> Check:
        """Make a check of something outside; whatever it answers proves that the network works."""
        kind = self.url(url, path, KINDS) or "http"
        anything = Expect(status=((100, 599),), follow=False, trust="code")
        return Check(key=f"control//{url}", service="", kind=kind, target=url, timeout=timeout, expect=anything)

    def expect(self, table: ExpectTable | None, path: KeyPath) -> Expect:
        """Make the expectation that a table is."""
        if table is None:
            return Expect()
        degraded = self.wanted(table.degraded, (*path, "degraded")) if table.degraded else None
        return replace(
            self.wanted(table, path),
            follow=table.follow,
            redirect_hosts=tuple(table.redirect_hosts),
            trust=table.trust,
            degraded=degraded,
        )

    def wanted(self, table: ExpectTable | DegradedTable, path: KeyPath) -> Expect:
        """Make an expectation of what both tables have."""
        for where, text, flaw in wanted_flaws(table):
            self.wrong((*path, *where), f"expected {flaw}, got {shown(text)}")
        return Expect(
            status=tuple(self.span(code, (*path, "status", place)) for place, code in enumerate(table.status)),
            body_contains=several(table.body_contains),
            body_matches=several(table.body_matches),
            json=tuple(table.json.items()),
            headers=tuple((name.lower(), pattern) for name, pattern in table.headers.items()),
            latency_below=ms(table.latency_below) if table.latency_below else None,
            certificate_days_above=table.certificate_days_above,
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


def everywhere(table: CheckTable, check: Check, plain: Check) -> tuple[str, ...]:
    """Return what every instance of a service is asked, when a further check names a path or nothing."""
    target = table.url or table.target or ""
    if check.kind not in SCHEMES or (target and not target.startswith("/")):
        return ()
    found = dict.fromkeys(joined(one, target) for one in plain.instances)
    return tuple(found) if len(found) > 1 else ()  # with a path of their own, several may be on one host


def plain_cannot(kind: str, plain: str) -> bool:
    """Say whether the url of a service, *plain*, is nothing that a check of *kind* could ask."""
    return kind not in SCHEMES or (plain != "" and urlsplit(plain).scheme not in SCHEMES[kind])


def joined(url: str, path: str | None) -> str:
    """Return the URL of another *path* on the host of *url*, or *url* where none is named.

    >>> joined("grpc://[::1]:50051/users", "/orders")
    'grpc://[::1]:50051/orders'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{path}" if path else url


def no_flaws(settings: object) -> Iterator[tuple[str, str]]:
    """Find nothing wrong."""
    yield from ()


def nameless(check: Check) -> str:
    """Say what is missing where *check* could not be told from another one of its service."""
    got = f"{shown(check.name)} again" if check.name else "a second one without"
    return f"expected a name that tells this check from the other of kind {check.kind}, got {got}"


def several(texts: str | list[str]) -> tuple[str, ...]:
    """Return one text or a list of them as a tuple."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def wanted_flaws(table: WantedTable) -> Iterator[tuple[KeyPath, object, str]]:
    """Say where a pattern, a path or a comparison is none: its key below the table, what was written, what was expected."""
    patterns = [(("body_matches",), pattern) for pattern in several(table.body_matches)]
    for where, pattern in [*patterns, *((("headers", name), pattern) for name, pattern in table.headers.items())]:
        if flaw := pattern_flaw(pattern):
            yield where, pattern, flaw
    for name, value in table.json.items():
        if not is_path(name):
            yield ("json", name), name, 'a path such as "$.components[*].status"'
        if not is_wanted(value):
            yield ("json", name), value, 'a value or a comparison such as "<= 5" or "10..20"'


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
    if parts.scheme not in schemes:
        *others, last = (f"{scheme}://" for scheme in sorted(schemes))
        return f"a URL that begins with {', '.join(others)} or {last}"
    if not parts.hostname or UNPRINTABLE.search(url):
        return "a URL with a host and without space"
    if "@" in parts.netloc:
        return "a URL without user and password, which belong into a header as env:NAME or file:PATH"
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return "a port from 1 to 65535"
    if (parts.scheme in NEED_PORT and port is None) or (parts.scheme == "tcp" and parts.path.strip("/")):
        return f"{parts.scheme}://host:port"
    return None


def address_flaw(url: str) -> str | None:
    """Say what a URL should have been behind which the names of pages are put; none when it is one.

    >>> address_flaw("https://example.org/status")
    >>> address_flaw("https://example.org/?page=status")
    'a URL without ? and #'
    """
    return url_flaw(url, ("http", "https")) or ("a URL without ? and #" if {"?", "#"} & set(url) else None)


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
