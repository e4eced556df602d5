"""What all sources together told, as one value that the rules of a comparison look at."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..catalog import Entry
from ..code import Route, Url
from ..model import Finding, Target

DECLARING = {"compose", "kubernetes", "systemd", "pm2", "procfile"}  # whose files would start something
TELLING = {"readme", "gateway", "prometheus", "dockerfile"}  # who speak of services, and start none
CLAIMING = ("readme", "gateway", "config")  # who says that a service exists; the nearer to people the better
USUAL = re.compile(r"(?:docker-)?compose(?:\.override)?\.ya?ml")  # what Compose takes by itself
ACTIVE = {"active", "activating", "reloading"}  # units that run


def declared_at(target: Target) -> str | None:
    """Return where a file declares a target; none where none is seen."""
    if isinstance(target.details.get("declared"), str):
        return str(target.details["declared"])  # a cluster runs what this file says
    if target.source == "systemd":
        return target.ref if "/" in target.ref or target.layer == "declared" else None
    is_live = target.details.get("run") is not None or "instances" in target.details
    return target.ref if target.source in DECLARING and target.layer == "declared" and not is_live else None


def running_at(target: Target) -> str | None:
    """Return what runs of a target, as who manages it calls it; none where nothing does."""
    runs = target.layer in ("running", "healthy") and target.source not in TELLING
    if target.source == "systemd":
        runs = runs and target.details.get("active") in ACTIVE
    return target.ref if runs else None


def tells_what_runs(source: str, targets: Iterable[Target]) -> bool:
    """Say whether a source was asked for what runs, and did not only read files."""
    return source == "docker" or any(map(running_at, targets))


def claimed_at(target: Target) -> tuple[str, ...]:
    """Return where a person or a list says that a target exists."""
    if target.source not in CLAIMING:
        return ()
    return (target.ref, *target.details.get("also", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One service in all its layers."""

    name: str
    project: str = ""
    targets: tuple[Target, ...]
    state: str | None = None  # as it was observed last, or as who runs it says

    @property
    def claimed(self) -> list[str]:
        """Where it is claimed, by documents first."""
        by_source = (one for source in CLAIMING for one in self.targets if one.source == source)
        return list(dict.fromkeys(ref for one in by_source for ref in claimed_at(one)))

    @property
    def declared(self) -> list[str]:
        """Where it is declared."""
        return list(dict.fromkeys(ref for one in self.targets if (ref := declared_at(one))))

    @property
    def running(self) -> list[str]:
        """As what it runs."""
        return list(dict.fromkeys(ref for one in self.targets if (ref := running_at(one))))

    @property
    def runs(self) -> bool:
        """Whether it is known to run: who manages it says so, or it answers."""
        return bool(self.running) or self.state in ("up", "degraded")

    def declarations(self) -> Iterator[Target]:
        """Yield the targets that are declared in files."""
        return (one for one in self.targets if declared_at(one))


class Set(NamedTuple):
    """The files of Compose that are one project, and what they declare."""

    files: tuple[str, ...]
    targets: tuple[Target, ...]
    is_main: bool  # false: another one in the same folder is what Compose takes by itself

    @property
    def folder(self) -> str:
        """Where they lie."""
        return folder_of(self.files[0])

    @property
    def name(self) -> str:
        """The name of the project."""
        return self.targets[0].project

    @property
    def is_named(self) -> bool:
        """Whether a file says what the project is called; else its folder is."""
        return bool(self.targets[0].details["stack"]["named"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What the source files of one folder say."""

    routes: Sequence[Route] = ()
    urls: Sequence[Url] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What all sources told, joined into services, and what the code in their folders says."""

    targets: tuple[Target, ...] = ()
    findings: tuple[Finding, ...] = ()
    entries: tuple[Entry, ...] = ()  # what is no mere claim, as the catalog joins it
    rows: tuple[Row, ...] = ()
    sets: tuple[Set, ...] = ()
    code: Mapping[str, Code] = field(default_factory=dict)  # by folder
    built: Mapping[str, str] = field(default_factory=dict)  # by the plain name of an image the folder of its code
    bases: Mapping[str, str] = field(default_factory=dict)  # by Dockerfile the image it begins with
    live: frozenset[str] = frozenset()  # sources that said all that runs

    @property
    def aside(self) -> set[str]:
        """Where something is declared that only an alternative set of files declares."""
        main = {one.ref for found in self.sets if found.is_main for one in found.targets}
        return {one.ref for found in self.sets for one in found.targets} - main

    def of(self, *sources: str) -> list[Target]:
        """Return the targets of some sources."""
        return [one for one in self.targets if one.source in sources]


def sets_of(targets: Sequence[Target], started: Mapping[str, str] | None = None) -> tuple[Set, ...]:
    """Sort the services of Compose by the files that are read together, and say which of a folder are its main ones.

    Those are the files whose first one is *started* by the documents of that folder, else those that Compose takes by
    itself, else those that declare most.
    """

    def weight(files: tuple[str, ...]) -> tuple[bool, bool, int, tuple[str, ...]]:
        said = (started or {}).get(folder_of(files[0])) == files[0]
        return said, is_usual(files), len(by_files[files]), files

    by_files: dict[tuple[str, ...], list[Target]] = {}
    for one in targets:
        if one.source == "compose" and "stack" in one.details:
            by_files.setdefault(tuple(one.details["stack"]["files"]), []).append(one)
    main: dict[str, tuple[str, ...]] = {}
    for files in sorted(by_files, key=weight, reverse=True):
        main.setdefault(folder_of(files[0]), files)
    return tuple(
        Set(files=files, targets=tuple(those), is_main=main[folder_of(files[0])] == files)
        for files, those in by_files.items()
    )


def is_usual(files: Sequence[str]) -> bool:
    """Say whether Compose takes *files* by itself: its own names, and an override that it takes with them."""
    return all(USUAL.fullmatch(file.rpartition("/")[2]) for file in files)


def file_of(ref: str) -> str:
    """Return the file of a reference.

    >>> file_of("a/compose.yml:12"), file_of("web.service")
    ('a/compose.yml', 'web.service')
    """
    file, _, line = ref.rpartition(":")
    return file if line.isdecimal() else ref


def folder_of(path: str) -> str:
    """Return the folder of a file, empty for the one where paths begin.

    >>> folder_of("a/b.yml"), folder_of("b.yml")
    ('a', '')
    """
    return path.rpartition("/")[0]


def is_below(path: str, folder: str) -> bool:
    """Say whether *path* lies in *folder*, or deeper.

    >>> is_below("a/b/c.yml", "a"), is_below("ab/c.yml", "a"), is_below("c.yml", "")
    (True, False, True)
    """
    return not folder or path == folder or path.startswith(f"{folder}/")
