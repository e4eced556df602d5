"""The text of a new uplog.toml: what can be set, the sources of this machine, and what they find as comments."""

import importlib
import json
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any, Protocol, get_args

from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from .discover import SOURCES
from .model import Target
from .settings import DefaultsTable, ThemeTable, UplogTable

SHOWN = 30  # targets of one source; `uplog discover` lists them all
MANAGERS = ("systemd", "listeners", "docker")  # who answers here is wanted, also while nothing runs
FILES = {"compose": "paths"}  # sources of which the folders are written down, and the key that names those

HEAD = """\
# What uplog watches on this machine, and how. A line that begins with # is a comment:
# remove the sign to set another value than the default it shows.
# `uplog config check` says what is in force, `uplog config schema` what can be written.
"""

SOURCES_HEAD = """\
# Where services are found; a table turns its source on. `uplog discover` shows what each source finds,
# and why it skips something. What is found is on the internal page, until it is made public.
"""

EXAMPLES = """\
# Services can also be written down by hand. These are public unless they say `public = false`.

# [[service]]
# name = "Website"
# url = "https://www.example.org/"
# group = "For everybody"
# description = "What visitors see."
# expect = { status = [200, "300-399"], body_contains = "Welcome" }
#
# [[service]]
# name = "API"
# url = "http://127.0.0.1:8080/health"
# every = "30s"
# headers = { Authorization = "env:API_AUTHORIZATION" }
#
# [[service.check]]
# role = "readiness"
# target = "/ready"
#
# [[service]]
# name = "Database"
# url = "tcp://127.0.0.1:5432"
# public = false
#
# [[service]]
# name = "Search"
# instances = ["http://10.0.0.1:9200/", "http://10.0.0.2:9200/"]

# Planned work is announced on the page and kept out of the uptime, once or again and again.

# [[maintenance]]
# text = "The database moves to a new machine."
# services = ["Database", "API"]
# start = "2027-01-16T22:00:00+01:00"
# end = "2027-01-16T23:30:00+01:00"
#
# [[maintenance]]
# text = "Updates."
# groups = ["For everybody"]
# rrule = "FREQ=WEEKLY;BYDAY=SU;BYHOUR=2"
# duration = "90m"
# zone = "Europe/Berlin"

# Something outside, asked when much fails at once: if it fails too, the network is ours that failed.

# [[control]]
# url = "https://www.example.com/"
"""


class Found(Protocol):
    """What one source found, or why it found nothing."""

    @property
    def source(self) -> str: ...
    @property
    def ok(self) -> bool: ...
    @property
    def targets(self) -> Sequence[Target]: ...
    @property
    def error(self) -> str | None: ...


def text(found: Sequence[Found]) -> str:
    """Write an uplog.toml for the machine on which *found* was found."""
    return "\n".join(
        [
            HEAD,
            *table("uplog", UplogTable),
            *table("theme", ThemeTable),
            *table("defaults", DefaultsTable),
            SOURCES_HEAD,
            '[discover]\n# every = "5m"  # How often the sources are looked through.\n',
            *(line for one in found for line in source(one)),
            EXAMPLES,
        ]
    )


def table(name: str, shape: type[Struct]) -> Iterator[str]:
    """Yield a table with all its keys as comments."""
    yield f"[{name}]"
    pairs = [(f"# {field.name} = {json.dumps(example(field))}", description(field)) for field in fields(shape)]
    width = max(len(pair) for pair, _ in pairs)
    for pair, words in pairs:
        yield f"{pair:{width}}  # {words}" if words else pair
    yield ""


def example(field: FieldInfo) -> Any:
    """Return the default of a field, or an example where nothing is the default; empty where there is none."""
    if field.default is None:
        return next((example for meta in metas(field.type) for example in meta.examples or ()), "")
    return field.default_factory() if field.default is NODEFAULT else field.default


def description(field: FieldInfo) -> str:
    """Return what a field means."""
    return next((meta.description for meta in metas(field.type) if meta.description), "")


def metas(hint: Any) -> Iterator[Meta]:
    """Yield what is annotated to a type or to its parts."""
    for part in getattr(hint, "__metadata__", ()):
        yield part
    for part in get_args(hint):
        yield from metas(part)


def source(found: Found) -> Iterator[str]:
    """Yield the table of a source, as a comment where it is of no use here, and what it finds."""
    watched = [target for target in found.targets if target.skipped is None]
    if found.error:
        yield f"# Not on this machine: {plain(found.error)}"
    elif not found.targets:
        yield "# Nothing found at present."
    used = found.ok and (bool(found.targets) or found.source in MANAGERS)
    yield f"[discover.{found.source}]" if used else f"# [discover.{found.source}]"
    for field in fields(importlib.import_module(SOURCES[found.source]).Settings):
        folders = folders_of(found.targets) if used and field.name == FILES.get(found.source) else []
        yield f"{'' if folders else '# '}{field.name} = {json.dumps(folders or example(field), ensure_ascii=False)}"
    yield from (f"#   {seen(target)}" for target in watched[:SHOWN])
    if len(watched) > SHOWN:
        yield f"#   and {len(watched) - SHOWN} more"
    if len(watched) < len(found.targets):
        yield f"# Skipped: {len(found.targets) - len(watched)}; `uplog discover {found.source}` says why."
    yield ""


def folders_of(targets: Sequence[Target]) -> list[str]:
    """Return the folders of the files in which *targets* were found, whose refs are `file:line`."""
    folders = {str(PurePath(target.ref.rpartition(":")[0]).parent) for target in targets}
    return sorted(folder for folder in folders if folder.isprintable())


def seen(target: Target) -> str:
    """Write one target in a line: its name, and what would be asked."""
    asked = ", ".join(dict.fromkeys(check.target for check in target.checks))
    return plain(f"{target.title or target.name:30}  {asked or 'nothing to ask'}")


def plain(text: str) -> str:
    """Return *text* as it may stand in a comment, whatever a machine calls its things."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
