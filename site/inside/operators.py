"""Put together what only the operator sees: the record, the configuration, and what this runs on."""

import platform
from collections.abc import Sequence
from sqlite3 import sqlite_version

from uplog.collector import __version__
from uplog.collector.config import Config
from uplog.collector.drift.recorded import drift, notices
from uplog.collector.mapping import repositories
from uplog.collector.store import SCHEMA
from uplog.collector.surroundings import Surroundings

from ..tongue import message
from ..values import Calendar, ServiceView
from .values import Inside
from .whole import inside


def operators(config: Config, seen: Sequence[ServiceView], around: Surroundings, calendar: Calendar) -> Inside:
    """Make what only the operator sees, with the drift that the record shows: no file is read and nobody is asked."""
    states = {one.private.service.key: one.state.value for one in seen if one.private and one.since}
    answered = [one.name for one in around.sources if one.ok]
    return inside(
        seen,
        around,
        calendar,
        drift=drift(around.targets, around.findings, around.known, states, answered),
        notices=notices(around.findings),
        repository=repositories(config.folder),
        keep=config.keep,
        versions=versions(),
    )


def versions() -> list[tuple[str, str]]:
    """Name what this runs on."""
    return [
        ("uplog", __version__),
        ("Python", platform.python_version()),
        ("SQLite", sqlite_version),
        (message("Schema of the record"), str(SCHEMA)),
    ]
