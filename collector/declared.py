"""From what is declared by hand, the tables [[service]] and [[control]], to targets and checks."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from .decode import Decoder, Origins, nearest, shown
from .lines import KeyPath
from .model import Check, Expect, Role, Target
from .probes import PROBES
from .settings import CheckTable, ExpectTable, ServiceTable, Timings, ms

SCHEMES = {"http": "http", "https": "http", "tcp": "tcp"}  # and the kind of check that asks there
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
        """Yield the check that the url of a service is, and the further ones."""
        kind = self.url(service.url, (*path, "url"), SCHEMES)
        plain = Check(
            key="",
            service="",
            kind=kind or "http",
            target=service.url if service.url and kind else "",
            expect=self.expect(service.expect, (*path, "expect")),
            headers=self.headers(service.headers, (*path, "headers")),
            **{**defaults, **timings(service)},
        )
        plain = replace(plain, declared_every=plain.every)
        if service.url is not None:
            yield plain
        elif not service.check and not self.bad & {path, (*path, "url"), (*path, "check")}:
            self.wrong(path, "expected a url or a [[service.check]], got neither")
        seen = {(plain.kind, plain.name)} if service.url is not None else set()
        for place, table in enumerate(service.check):
            check = self.check(table, plain, (*path, "check", place))
            if (check.kind, check.name) in seen:
                self.wrong((*path, "check", place), nameless(check))
            seen.add((check.kind, check.name))
            yield check

    def check(self, table: CheckTable, plain: Check, path: KeyPath) -> Check:
        """Make a further check, which takes what it leaves out from the *plain* one of its service."""
        kind, target = self.question(table, plain.target, path)
        if table.headers is not None:
            headers = self.headers(table.headers, (*path, "headers"))
        else:  # what one host may know is no other host's business
            headers = plain.headers if kind == "http" and urlsplit(target)[:2] == urlsplit(plain.target)[:2] else ()
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
        if not target or target.startswith("/"):
            if not plain:
                if (*path[:2], "url") not in self.bad:
                    got = shown(target) if target else "nothing"
                    self.wrong(where, f"expected a whole URL, since its service has none, got {got}")
                return kind or "http", ""
            target = urljoin(plain, target)
        if kind == "tcp" and "://" not in target:
            target = f"tcp://{target}"
        said = self.url(target, where, SCHEMES)
        if kind and said and kind != said:
            self.wrong((*path, "kind"), f"expected {shown(said)}, as its URL says, got {shown(kind)}")
        return said or kind or "http", target if said else ""

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


def nameless(check: Check) -> str:
    """Say what is missing where *check* could not be told from another one of its service."""
    got = f"{shown(check.name)} again" if check.name else "a second one without"
    return f"expected a name that tells this check from the other of kind {check.kind}, got {got}"


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
