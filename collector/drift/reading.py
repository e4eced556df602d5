"""Ask the sources and read the code: everything that a comparison needs of the world."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..code import routes, sources, urls
from ..discover import SOURCES, Context, Found, find_all
from ..discover.compose import together
from ..discover.files import text_of
from ..joining import Known
from ..model import Target
from .places import bases, built_folders, code_folders
from .rows import entries_of, rows_of
from .started import started
from .survey import Code, Survey, file_of, sets_of, tells_what_runs
from .trees import composed, sorted_out

CHARACTERS_AT_MOST = 8 * 1024 * 1024  # of code, in all folders


def read(paths: Sequence[str], context: Context) -> list[Found]:
    """Read every file below *paths* that a source can read, and ask nobody."""
    wanted = sorted_out(paths, context.folder)
    settings: dict[str, Any] = {}
    for source, those in wanted.items():
        if source != "compose":
            kind = import_module(SOURCES[source]).Settings
            quiet = {"running": False} if source == "pm2" else {}
            settings[source] = kind(paths=those, **quiet)
    found, _ = asyncio.run(find_all(settings, replace(context, connects=False)))
    return [*found, *compose(wanted.get("compose", ()), context)]


def compose(paths: Sequence[str], context: Context) -> list[Found]:
    """Read every Compose file below *paths*."""
    if not paths:
        return []
    targets, findings = together(composed(paths, context), (), context)
    return [Found(source="compose", ok=True, targets=tuple(targets), findings=tuple(findings))]


def ask(settings: Mapping[str, Any], context: Context) -> list[Found]:
    """Ask the configured sources what there is; no service is asked anything."""
    return asyncio.run(find_all(settings, replace(context, connects=False)))[0]


def survey(
    found: Iterable[Found],
    context: Context,
    *,
    configured: Sequence[Target] = (),
    known: Known | None = None,
    states: Mapping[str, str] | None = None,
) -> Survey:
    """Bring together what sources *found*; *known* and *states* are what the record has of it."""
    found = list(found)
    targets = [*configured, *(target for one in found for target in one.targets)]
    entries, built = entries_of(targets, known or {}), built_folders(targets)
    return Survey(
        targets=tuple(targets),
        findings=tuple(dict.fromkeys(finding for one in found for finding in one.findings)),
        entries=tuple(entries),
        rows=tuple(rows_of(entries, targets, states or {})),
        sets=sets_of(targets, started(documents(targets, context.folder))),
        code=code(sorted(code_folders(targets, built)), context.folder),
        built=built,
        bases=bases(targets),
        live=frozenset(
            one.source for one in found if one.ok and one.complete and tells_what_runs(one.source, one.targets)
        ),
    )


def documents(targets: Iterable[Target], base: Path) -> dict[str, str]:
    """Read the documents that claim some of *targets* once more: for what they tell people to start."""
    files = sorted({file_of(one.ref) for one in targets if one.source == "readme"})
    found = {}
    for file in files:
        with suppress(OSError):
            found[file] = text_of(base / file)
    return found


def code(folders: Iterable[str], base: Path) -> dict[str, Code]:
    """Read the source files in each of *folders*, as far as there are not too many."""
    found: dict[str, Code] = {}
    left = CHARACTERS_AT_MOST
    for folder in folders:
        files = sources(base / folder)
        left -= sum(map(len, files.values()))
        if left < 0:
            break
        found[folder] = Code(routes=routes(files), urls=urls(files))
    return found
