"""`uplog demo`: the whole product over five small fleets that are made up, faults and history included."""

import asyncio
import errno
import json
import os
import signal
import string
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import as_file, files
from pathlib import Path
from urllib.parse import urlsplit

from ..config import PREFIX, Config, load
from ..cycle import context_of, discover
from ..discover import find_all
from ..model import Check, Target
from ..planning import Pace
from ..store import Store, record
from ..store.old import keep_past
from ..together import run_all
from ..up import Child, cannot_bind
from .fleets import FLEETS, Made
from .past import ROUND, made_up

NOTICE = "this is a demo: the services, their faults and 90 days of history are made up"
# from the ports of the real fleets to those here, which stay below those that systems hand out
SHIFTS = range(10_000, 16_000, 100)
QUESTION = "select service_name, count(*) as outages, sum(seconds) as down_s from incidents group by 1 order by 3 desc"
Ports = Mapping[str, Mapping[str, int]]  # by fleet and name


def run_demo(folder: Path | None, clock: Callable[[], datetime]) -> int:
    """Show everything in *folder*, or in a temporary one that is removed at the end; return the exit code."""
    if folder is not None and folder.exists() and any(folder.iterdir()):
        print(f"uplog: {folder}: is not empty; the demo wants a new folder", file=sys.stderr)
        return 1
    for name in [name for name in os.environ if name.startswith((f"{PREFIX}__", "COMPOSE_"))]:
        del os.environ[
            name
        ]  # they speak of the real record, which must not be filled with inventions, and of real stacks
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))  # while we prepare; the temporary folder goes
    with tempfile.TemporaryDirectory(prefix="uplog-demo-") if folder is None else nullcontext(folder) as place:
        return show(Path(place).absolute(), clock)


def show(folder: Path, clock: Callable[[], datetime]) -> int:
    """Make up the past in *folder*, and then let the fleets live."""
    print(f"uplog: {NOTICE} (in {folder})", flush=True)
    ports = free_ports()
    config = prepare(folder, ports, clock())
    print("uplog: in that folder `uplog discover` and `uplog drift` tell what the files of the fleets say", flush=True)
    print(f"uplog: a question for Datasette: {QUESTION}", flush=True)
    fleets = [sys.executable, "-m", "uplog.collector.demo.server", json.dumps(ports)]
    return run_all(config, config.path, None, clock, also=[Child(name="demo fleets", argv=fleets)])


# Ports


def free_ports() -> dict[str, dict[str, int]]:
    """Choose for each fleet the first shift with which all of its ports are free; return the port of each service."""
    taken: set[int] = set()
    found: dict[str, dict[str, int]] = {}
    for fleet, services in FLEETS.items():
        candidates = ({made.name: made.port + shift for made in services} for shift in SHIFTS)
        ports = next((ports for ports in candidates if is_free(ports.values(), taken)), None)
        if ports is None:
            raise OSError(errno.EADDRINUSE, f"no free ports for the fleet {fleet} from {SHIFTS.start} on")
        found[fleet] = ports
        taken |= set(ports.values())
    return found


def is_free(ports: Collection[int], taken: set[int]) -> bool:
    """Say whether all of *ports* can be had."""
    return taken.isdisjoint(ports) and not any(map(cannot_bind, ports))


# Files


class Declared(string.Template):
    """A file in which `@NAME`, or `@FLEET.NAME`, stands for the port of a service."""

    delimiter = "@"
    idpattern = "[a-z][a-z0-9.-]*"


def write_files(folder: Path, ports: Ports) -> None:
    """Write the files of the fleets and the configuration, with *ports* in them."""
    everywhere = {f"{fleet}.{name}": port for fleet, those in ports.items() for name, port in those.items()}
    with as_file(files(__package__) / "files") as source:
        for file in sorted(file for file in source.rglob("*") if file.is_file()):
            path = file.relative_to(source)
            if "__pycache__" in path.parts:  # of the programs there, by who installed
                continue
            here = ports.get(path.parts[1], {}) if len(path.parts) > 1 else {}
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            text = Declared(file.read_text(encoding="utf-8")).substitute(everywhere, **here)
            (folder / path).write_text(text, encoding="utf-8")


# The past


def prepare(folder: Path, ports: Ports, now: datetime) -> Config:
    """Fill *folder* with the files of the fleets, and with a record of them that ends at *now*."""
    write_files(folder, ports)
    config = load(folder / "uplog.toml", {})
    made = {ports[fleet][one.name]: one for fleet, services in FLEETS.items() for one in services}
    with Store(config.database, zone=config.timezone) as store:
        appear(config, store, made, now)
        asked = asked_at(store)
        history = {asked[port]: list(made_up(asked[port], one, now)) for port, one in made.items()}
        template = Check(key="", service="", kind="", target="")  # every service is known, none takes its thresholds
        with store.writing() as db:
            keep_past(db, history, template, now, config.timezone, ROUND // timedelta(milliseconds=1))
            record.event(db, now, "demo", NOTICE)
    return config


def appear(config: Config, store: Store, made: Mapping[int, Made], now: datetime) -> None:
    """Find what the files declare, at the moments from which on the services, given by port, are there."""
    # nobody listens yet who could be asked what a port speaks: the files, the rules and the stock tell it
    found, _ = asyncio.run(find_all(config.discover, replace(context_of(config), connects=False)))
    for days in sorted({one.days for one in made.values()}, reverse=True):
        later = {port for port, one in made.items() if one.days < days}
        there = [replace(one, targets=tuple(without(one.targets, later))) for one in found]
        discover(config, store, now - timedelta(days=days), lambda *_, there=there: (there, {}), Pace())


def without(targets: Iterable[Target], later: Collection[int]) -> Iterator[Target]:
    """Yield those of *targets* whose ports are not among those that come *later*."""
    return (one for one in targets if not any(port.port in later for port in one.ports))


def asked_at(store: Store) -> dict[int, str]:
    """Return the key of the service that is asked at each port."""
    with store.reading() as db:
        checks = db.execute("select target, service from checks").fetchall()
    return {port: service for target, service in checks if (port := urlsplit(target).port)}
