"""What may be written into uplog.toml: its tables and keys, their types, and what they mean.

Decoding, the messages, the variables of the environment and the JSON Schema all come from these types.
"""

import functools
import importlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import ModuleType
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct, field

from .model import Role
from .probes import PROBES

UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
SIZES = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
# six digits reach 2,700 years, which a datetime still holds
PARTS = "".join(rf"(\d{{1,6}}{unit})?" for unit in UNITS)

Text = Annotated[str, Meta(title="text")]
Name = Annotated[str, Meta(pattern=r"^\S(.*\S)?$", title="text on one line, without space around it")]
Url = Annotated[str, Meta(title='a URL such as "https://example.org/"')]
Duration = Annotated[str, Meta(pattern=f"^(?=.){PARTS}$", title='a duration like "5s"')]
Positive = Annotated[str, Meta(pattern=f"^(?=.*[1-9]){PARTS}$", title='a duration like "5s"')]
Size = Annotated[str, Meta(pattern=r"^[1-9]\d{0,6}(KB|MB|GB)$", title='a size like "500MB"')]
Count = Annotated[int, Meta(ge=1, le=10_000, title="a whole number from 1 to 10000")]
Colour = Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$", title='a colour such as "#0b5fff"')]
Flag = Annotated[bool, Meta(title="true or false")]
Port = Annotated[int, Meta(ge=1, le=65535, title="a port, 1 to 65535")]
Glob = Annotated[str, Meta(min_length=1)]  # no Name: a pattern beside a list makes msgspec 0.22 crash where it refuses
Globs = Annotated[Glob | list[Glob], Meta(title="a pattern or a list of patterns")]
Code = Annotated[int, Meta(ge=100, le=599)] | Annotated[str, Meta(pattern=r"^[1-5]\d\d(-[1-5]\d\d)?$")]

Language = Literal["en", "de", "es", "fr", "ja", "ar"]  # those of site/locale, and English
SPOKEN = ", ".join(get_args(Language))

Every = Annotated[Positive, Meta(description="How often to ask.")]
Timeout = Annotated[Positive, Meta(description="How long to wait for an answer.")]
Failures = Annotated[Count, Meta(description="So many failures in a row make a check down.")]
Successes = Annotated[Count, Meta(description="So many passes in a row make it up again.")]
Slow = Annotated[Positive, Meta(description="An answer that takes longer counts as degraded.", examples=["1s"])]
Grace = Annotated[Duration, Meta(description="For so long after first sight failures do not count.")]
Headers = Annotated[
    dict[str, str],
    Meta(
        title='a table of texts such as { Accept = "text/html" }',
        description="Headers to send. Secrets are written as env:NAME or file:PATH.",
    ),
]


class Table(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file."""


T = TypeVar("T", bound=Table)
EMPTY: Any = field(default_factory=list)


class Timings(Table, kw_only=True, frozen=True):
    """How often a check asks and what decides; what is left out comes from the table around it."""

    every: Every | None = None
    timeout: Timeout | None = None
    failure_threshold: Failures | None = None
    success_threshold: Successes | None = None
    degraded_above: Slow | None = None
    grace: Grace | None = None


class UplogTable(Table, kw_only=True, frozen=True):
    """The record and the page."""

    database: Annotated[Name, Meta(description="The SQLite file with the history.")] = "data/uplog.db"
    site: Annotated[Name, Meta(description="The folder of the public page.")] = "public"
    title: Annotated[Name, Meta(description="The title of the page.")] = "Status"
    groups: Annotated[
        list[Name],
        Meta(
            title='a list of headings such as ["Shop", "Platform"]',
            description="The headings of the page that come first, in their order; the others follow.",
        ),
    ] = field(default_factory=list)
    timezone: Annotated[Name, Meta(description='The zone whose days are shown, such as "Europe/Berlin".')] = "UTC"
    language: Annotated[
        Language,
        Meta(title=f"one of {SPOKEN}", description=f"The language of the page, one of {SPOKEN}."),
    ] = "en"
    incidents: Annotated[
        Name, Meta(description="The folder of Markdown files in which you tell visitors of incidents.")
    ] = "incidents"
    public_url: Annotated[
        Url | None, Meta(description="Where visitors find the page.", examples=["https://status.example.org/"])
    ] = None
    query_url: Annotated[
        Url | None,
        Meta(description="Where Datasette is, for links from the page.", examples=["http://127.0.0.1:8001/"]),
    ] = None
    concurrency: Annotated[Count, Meta(description="So many checks are asked at once, at most.")] = 64
    workers: Annotated[
        Count, Meta(description="So many processes ask; more than one where a core of the machine is full.")
    ] = 1
    keep: Annotated[
        Positive,
        Meta(description="So long single answers, runs and events are kept; what follows from them is for ever."),
    ] = "90d"
    max_size: Annotated[
        Size | None,
        Meta(description="Keep fewer days of answers where the file would become larger.", examples=["2GB"]),
    ] = None
    allow_network_filesystem: Annotated[
        Flag, Meta(description="Keep the database on a network file system all the same, where locks may not hold.")
    ] = False


class AccentTable(Table, kw_only=True, frozen=True):
    """The colour of the page's own things, on light and on dark."""

    light: Annotated[Colour, Meta(description="On a light ground.")]
    dark: Annotated[Colour | None, Meta(description="On a dark ground; what suits the other when left out.")] = None


class ThemeTable(Table, kw_only=True, frozen=True):
    """The look of the page; files are named as seen from the folder of the configuration."""

    logo: Annotated[
        Name | None,
        Meta(description="A picture before the title: svg, png, webp, jpeg or ico.", examples=["logo.svg"]),
    ] = None
    accent: Annotated[
        Colour | AccentTable | None,
        Meta(
            title='a colour such as "#0b5fff" or a table { light = "#0b5fff", dark = "#8ab4ff" }',
            description="The colour of links, focus and marks; what stands for a state keeps its own.",
            examples=["#0b5fff"],
        ),
    ] = None
    links: Annotated[
        dict[str, str],
        Meta(
            title='a table of titles and URLs such as { Support = "https://example.org/help" }',
            description="Links in the header: title and URL; https:, http: or mailto:.",
        ),
    ] = field(default_factory=dict)
    footer: Annotated[Text, Meta(description="What stands at the foot of each page, as Markdown.")] = ""
    css: Annotated[Name | None, Meta(description="A file with CSS that comes after ours.", examples=["status.css"])] = (
        None
    )
    templates: Annotated[
        Name | None,
        Meta(description="A folder of templates that replace ours of the same name.", examples=["templates"]),
    ] = None


class DefaultsTable(Timings, kw_only=True, frozen=True):
    """What holds for every check that does not say otherwise."""

    every: Every = "60s"
    timeout: Timeout = "2s"
    failure_threshold: Failures = 3
    success_threshold: Successes = 1
    grace: Grace = "0s"
    public: Annotated[Flag, Meta(description="Whether discovered services are on the public page.")] = False
    allow_exec: Annotated[Flag, Meta(description="Whether discovered services may have commands run for them.")] = False
    allow_addresses: Annotated[
        list[str],
        Meta(
            title='a list of networks such as ["169.254.1.0/24"]',
            description="Link-local, metadata and multicast addresses that discovered services may have all the same.",
        ),
    ] = field(default_factory=list)


class WantedTable(Table, kw_only=True, frozen=True):
    """What an answer must look like, beside its status."""

    body_contains: Annotated[
        str | list[str],
        Meta(title="text or a list of texts", description="Text that the body must contain."),
    ] = field(default_factory=list)
    body_matches: Annotated[
        str | list[str],
        Meta(title="a pattern or a list of patterns", description="Patterns to be found in the body's first 64 KiB."),
    ] = field(default_factory=list)
    json: Annotated[
        dict[str, str | int | float | bool],
        Meta(
            title='a table of paths and values such as { "$.status" = "ok", "$.queue.length" = "< 100" }',
            description="What a JSON body must say: a value, or <, <=, >, >=, != with one, 10..20, exists, missing.",
        ),
    ] = field(default_factory=dict)
    headers: Annotated[
        dict[str, str],
        Meta(
            title='a table of patterns such as { Content-Type = "json" }',
            description="Patterns to be found in the headers of the answer.",
        ),
    ] = field(default_factory=dict)
    latency_below: Annotated[Positive | None, Meta(description="How long an answer may take.", examples=["800ms"])] = (
        None
    )
    certificate_days_above: Annotated[
        Count | None, Meta(description="For so many days the certificate must still be valid.")
    ] = None


class DegradedTable(WantedTable, kw_only=True, frozen=True):
    """What an answer must look like for the service not to be degraded."""

    status: Annotated[
        list[Code],
        Meta(
            title='a list of codes and ranges such as [200, "300-399"]', description="The codes that are not degraded."
        ),
    ] = field(default_factory=list)


class ExpectTable(WantedTable, kw_only=True, frozen=True):
    """What an answer must look like to pass."""

    status: Annotated[
        list[Code],
        Meta(
            min_length=1,
            title='a list of codes and ranges such as [200, "300-399"]',
            description="The HTTP codes that pass.",
        ),
    ] = field(default_factory=lambda: ["200-299"])
    follow: Annotated[Flag, Meta(description="Whether redirects are followed.")] = True
    redirect_hosts: Annotated[
        list[str],
        Meta(title="a list of host names", description="Other hosts that a redirect may lead to."),
    ] = field(default_factory=list)
    trust: Annotated[
        Literal["body", "code"],
        Meta(title='"body" or "code"', description="Whether a health body speaks before the code, or only the code."),
    ] = "body"
    degraded: Annotated[
        DegradedTable | None, Meta(description="What makes it degraded, and not down, where it is missing.")
    ] = None


class CheckTable(Timings, kw_only=True, frozen=True):
    """A further check of a service; what it leaves out comes from the service."""

    name: Annotated[Name | None, Meta(description="Tells checks of one kind apart; its history hangs on it.")] = None
    kind: Annotated[
        Text | None,
        Meta(description="How to ask; said by the URL when left out.", extra_json_schema={"enum": sorted(PROBES)}),
    ] = None
    role: Annotated[
        Role,
        Meta(title='"liveness", "readiness" or "startup"', description="What the check speaks for."),
    ] = Role.LIVENESS
    url: Annotated[Url | None, Meta(description="What to ask.")] = None
    target: Annotated[
        Name | None,
        Meta(description="What to ask: a URL, a path on the service's host, host:port, or a unit."),
    ] = None
    expect: Annotated[ExpectTable | None, Meta(description="Replaces what the service expects.")] = None
    headers: Headers | None = None


class ServiceTable(Timings, kw_only=True, frozen=True):
    """A service that is written down by hand."""

    name: Annotated[Name, Meta(description="Its name on the page; its history hangs on it.")]
    url: Annotated[
        Url | None, Meta(description="What to ask; its scheme says how: https://, tcp://host:port, redis://.")
    ] = None
    instances: Annotated[
        list[Url],
        Meta(
            title='a list of URLs such as ["http://10.0.0.1/", "http://10.0.0.2/"]',
            description="Where it runs several times, the URLs of all; up when all of them are, down when none is.",
        ),
    ] = field(default_factory=list)
    group: Annotated[Name | None, Meta(description="The heading under which it stands.")] = None
    description: Annotated[Text, Meta(description="A sentence for visitors.")] = ""
    order: Annotated[int, Meta(title="a whole number", description="Lower comes first in its group.")] = 0
    public: Annotated[Flag, Meta(description="Whether it is on the public page.")] = True
    expect: ExpectTable | None = None
    headers: Headers | None = None
    check: Annotated[list[CheckTable], Meta(title="tables [[service.check]]")] = field(default_factory=list)


class ControlTable(Table, kw_only=True, frozen=True):
    """Something outside that is asked when much fails, to tell our own network's failures from theirs."""

    url: Annotated[Url, Meta(description="What to ask, such as https:// or tcp://host:port.")]


class MaintenanceTable(Table, kw_only=True, frozen=True):
    """Planned work: announced, shown, and kept out of the uptime. Once (start and end) or again and again (rrule)."""

    text: Annotated[Text, Meta(description="What visitors are told.")] = ""
    services: Annotated[
        list[Name],
        Meta(
            title="a list of names of services",
            description="Whom it is for, by name or key; for all when no service and no group is named.",
        ),
    ] = field(default_factory=list)
    groups: Annotated[list[Name], Meta(title="a list of names of groups", description="Groups that it is for.")] = (
        field(default_factory=list)
    )
    start: Annotated[
        datetime | None,
        Meta(
            title='a moment like "2026-11-21T22:00:00+01:00"',
            description="When it begins; with rrule the local moment, without an offset, from which the rule counts.",
        ),
    ] = None
    end: Annotated[
        datetime | None,
        Meta(title='a moment like "2026-11-21T23:30:00+01:00"', description="When it is over."),
    ] = None
    rrule: Annotated[
        Name | None, Meta(title='a rule like "FREQ=WEEKLY;BYDAY=SU;BYHOUR=2"', description="When it begins: RFC 5545.")
    ] = None
    duration: Annotated[Positive | None, Meta(description="How long it lasts each time.")] = None
    zone: Annotated[
        Name | None, Meta(description="The zone whose clocks the rule means; [uplog] timezone when left out.")
    ] = None


class MatchTable(Table, kw_only=True, frozen=True):
    """Which services a rule is for: each matcher that is given must hold, of a list one pattern."""

    source: Annotated[Globs, Meta(description="The source that found it, such as compose.")] = EMPTY
    name: Annotated[Globs, Meta(description="Any of its names: service, container, unit.")] = EMPTY
    image: Annotated[Globs, Meta(description="Its image, with registry and tag or without.")] = EMPTY
    unit: Annotated[Globs, Meta(description="The systemd unit that it is.")] = EMPTY
    port: Annotated[
        list[Port | Annotated[str, Meta(pattern=r"^\d{1,5}-\d{1,5}$")]],
        Meta(
            title='a port, a range such as "6100-6900" or a list of these',
            description="A port on the host or in the container.",
        ),
    ] = EMPTY
    labels: Annotated[
        dict[str, Glob | list[Glob]],
        Meta(title='a table of patterns such as { team = "shop*" }', description="Labels with patterns."),
    ] = field(default_factory=dict)


class RuleTable(Table, kw_only=True, frozen=True):
    """What holds for services that are found: rules are read in their order, and the first that says a thing counts.

    What the service's own labels say comes before all of them.
    """

    match: Annotated[MatchTable, Meta(title="a table [rule.match]")] = MatchTable()
    skip: Annotated[
        bool | Name | None, Meta(title="true or a reason", description="Do not watch it; a text says why.")
    ] = None
    name: Annotated[Name | None, Meta(description="Its name on the page.")] = None
    group: Annotated[Name | None, Meta(description="The heading under which it stands.")] = None
    url: Annotated[Url | None, Meta(description="What to ask instead of what it declares.")] = None
    argv: Annotated[
        Annotated[list[str], Meta(min_length=1)] | None,
        Meta(
            title='a list of words such as ["check_disk", "-w", "10%"]',
            description="A command to run instead, as kind exec does; only where [defaults] allow_exec = true.",
        ),
    ] = None
    port: Annotated[
        Port | None, Meta(description="Which of its ports to ask, by its number on the host or inside.")
    ] = None
    path: Annotated[
        Annotated[str, Meta(pattern=r"^/[!-~]*$", title='a path that begins with "/"')] | None,
        Meta(description="Which path to ask; it must answer with 2xx."),
    ] = None
    probe: Annotated[
        Literal["http", "tcp"] | None,
        Meta(title='"http" or "tcp"', description="Whether its port is asked by HTTP or for a connection."),
    ] = None
    role: Annotated[
        Role | None,
        Meta(title='"liveness", "readiness" or "startup"', description="What its check speaks for."),
    ] = None
    every: Every | None = None
    public: Annotated[Flag | None, Meta(description="Whether it is on the public page.")] = None


class File(Table, kw_only=True, frozen=True):
    """The whole file."""

    uplog: UplogTable = UplogTable()
    theme: ThemeTable = ThemeTable()
    defaults: DefaultsTable = DefaultsTable()
    service: Annotated[list[ServiceTable], Meta(title="tables [[service]]")] = field(default_factory=list)
    control: Annotated[list[ControlTable], Meta(title="tables [[control]]")] = field(default_factory=list)
    maintenance: Annotated[list[MaintenanceTable], Meta(title="tables [[maintenance]]")] = field(default_factory=list)
    rule: Annotated[list[RuleTable], Meta(title="tables [[rule]]")] = field(default_factory=list)
    discover: Any = None  # file_type fills it in


DiscoverEvery = Annotated[Positive, Meta(description="How often the sources are looked through.")]
AskFrom = Annotated[
    Literal["host", "network", "cluster", "outside"],
    Meta(
        description="Where uplog runs: on the host that publishes the ports, in the network of the containers, in the "
        "cluster, or outside of all of them."
    ),
]


GroupBy = Annotated[
    Literal["stack", "category"],
    Meta(
        title='"stack" or "category"',
        description="The heading of what says none itself: its stack, namespace or gateway, or what it is for, such as "
        "monitoring.",
    ),
]


def file_type(sources: Mapping[str, str], used: Collection[str], kinds: Collection[str] = ()) -> type[File]:
    """Return the type of a file in which the *used* ones of *sources* (name to module) have their tables.

    So have the *kinds* of check that know options. The other modules are not imported.
    """
    tables = [
        (name, importlib.import_module(module).Settings if name in used else Table) for name, module in sources.items()
    ]
    discover = msgspec.defstruct(
        "DiscoverTable",
        [
            ("every", DiscoverEvery, "5m"),
            ("ask_from", AskFrom, "host"),
            ("group_by", GroupBy, "stack"),
            *((name, table | None, None) for name, table in tables),
        ],
        bases=(Table,),
        kw_only=True,
        frozen=True,
        namespace={"__doc__": "Which sources are looked through; a table, even an empty one, turns its source on."},
    )
    options = [(kind, table | None, None) for kind in kinds if (table := settings_of(kind))]
    check: Any = extended(CheckTable, options)  # Any: a type that is made here is none to mypy
    service: Any = extended(ServiceTable, [*options, ("check", described(ServiceTable, "check", list[check]), EMPTY)])
    services = ("service", described(File, "service", list[service]), EMPTY)
    return extended(File, [services, ("discover", discover, field(default_factory=discover))])


def settings_of(kind: str) -> type[Table] | None:
    """Return the table of what a check of *kind* may say beyond its target, none where there is nothing to say."""
    return getattr(module_of(kind), "Settings", None)


def module_of(kind: str) -> ModuleType:
    """Import the module of the probe of *kind*."""
    return importlib.import_module(PROBES[kind].partition(":")[0])


def extended(base: type[T], fields: Sequence[tuple[str, Any, Any]]) -> type[T]:
    """Return *base* with further *fields*, or with others of the same name."""
    namespace = {"__doc__": base.__doc__}
    made = msgspec.defstruct(base.__name__, fields, bases=(base,), kw_only=True, frozen=True, namespace=namespace)
    assert issubclass(made, base)
    return made


def described(base: type[Struct], name: str, kind: Any) -> Any:
    """Return *kind* with what is annotated to the field *name* of *base*."""
    [hint] = [one.type for one in msgspec.structs.fields(base) if one.name == name]
    return Annotated[kind, *hint.__metadata__]


def file_schema(sources: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON Schema of a file that may use all of *sources* and every kind of check."""
    schema = msgspec.json.schema(file_type(sources, sources, PROBES))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "uplog.toml", **schema}


@functools.cache
def ms(duration: str) -> int:
    """Return a duration in milliseconds.

    >>> ms("1m30s"), ms("500ms")
    (90000, 500)
    """
    return sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)([a-z]+)", duration))


def size_in_bytes(size: str) -> int:
    """Return a size in bytes.

    >>> size_in_bytes("2MB")
    2000000
    """
    return int(size[:-2]) * SIZES[size[-2:]]
