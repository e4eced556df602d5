"""The command that shows the plan of ports."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .changes import file_of
from .command import Options, configured, opened, sentences
from .ports_plan import Claim, claims, free
from .show import as_json, table

if TYPE_CHECKING:
    from .catalog import Entry
    from .config import Config
    from .model import Target

FREE_SHOWN = 5
HIGHEST = 65_535


class Range(click.ParamType[tuple[int, int]]):
    """Ports like 6100-6900, both included."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Read two ports."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d{1,5})-(\d{1,5})", value)
        first, last = (int(found[1]), int(found[2])) if found else (0, 0)
        if not 1 <= first <= last <= HIGHEST:
            self.fail(f'expected two ports like 6100-6900, got "{value}"', param, ctx)
        return first, last


@click.command()
@click.option("--range", "wanted", type=Range(), help="Only these, and which of them are free: 6100-6900.")
@click.option("--step", type=click.IntRange(1, HIGHEST), help="Of free ports, every so many.  [as the others are]")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
@click.pass_obj
@sentences
def ports(options: Options, wanted: tuple[int, int] | None, step: int | None, as_json_: bool) -> None:
    """Show who has which port, who wants it, and which is free.

    From the record, or without one by asking the configured sources now.
    """
    config = configured(options)
    first, last = wanted or (1, HIGHEST)
    found = [one for one in claims(*seen(config), repositories(config.folder)) if first <= one.port <= last]
    ahead = free([one.port for one in found], first, last, step) if wanted else []
    found += [Claim(service=None, port=port, status="available") for port in ahead[:FREE_SHOWN]]
    found.sort(key=lambda one: one.port)
    if as_json_:
        click.echo(as_json({"ports": [asdict(one) for one in found], "next": next(iter(ahead), None), "free": ahead}))
    else:
        click.echo(plan_text(found, ahead if wanted else None))


def plan_text(found: Sequence[Claim], ahead: Sequence[int] | None) -> str:
    """Write the plan for people; *ahead* are the free ports, none when nobody asked for them."""
    rows = [
        (
            one.service or "",
            f"{one.port}" + ("/udp" if one.protocol == "udp" else ""),
            one.repository,
            one.status,
            one.location,
        )
        for one in found
    ]
    text = table([("SERVICE", "PORT", "REPOSITORY", "STATUS", "WHERE"), *rows]) if rows else "no ports are known"
    if ahead is None:
        return text
    following = ", then ".join(map(str, ahead[:2])) or "none in this range"
    return f"{text}\n\nnext free: {following}"


def seen(config: "Config") -> "tuple[list[Entry], list[Target]]":
    """Return the services as sources told them last, or now where nothing is recorded, and what is not watched."""
    from .catalog import merge
    from .cycle import context_of, find_now
    from .discover import SOURCES
    from .store import catalog, sightings

    known = {}
    if config.database.exists():
        with opened(config, readonly=True) as store, store.reading() as db:
            found = [
                one for name, (_, those) in catalog.sources(db).items() if name in config.discover for one in those
            ]
            known = sightings.known_sightings(db)
    else:
        wanted = config.discover or {name: {} for name in SOURCES}
        found = [target for one in find_now(wanted, context_of(config))[0] for target in one.targets]
    everything = [*config.targets, *found]
    return merge(everything, known), [one for one in everything if one.skipped]


def repositories(folder: Path) -> "Callable[[Target], str]":
    """Return what names the repository, or else the folder, that the file of a target lies in, seen from *folder*."""

    @cache
    def name_of(place: Path) -> str:
        top = next((one for one in (place, *place.parents) if (one / ".git").exists()), place)
        return top.name

    @cache
    def kept_in(file: str) -> str:
        return name_of(Path(os.path.abspath(folder / file)).parent)

    def repository(target: "Target") -> str:
        file = file_of(target) if target.source != "config" and target.layer == "declared" else None
        return kept_in(file) if file else ""

    return repository
