"""How a comparison is printed: a table of services by layer, findings by kind, and the sums."""

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from ..model import Finding
from ..show import table
from .survey import Row, Survey, file_of
from .titles import place, title

HEADS = ("SERVICE", "CLAIMED", "DECLARED", "RUNNING", "HEALTHY")
NOT_ASKED = "-"


# Sums


def sums(survey: Survey) -> dict[str, Any]:
    """Count the services in each layer; none for what nobody was asked."""
    aside = survey.aside
    rows = survey.rows
    return {
        "claimed": claimed(survey),
        "declared": sum(any(ref not in aside for ref in one.declared) for one in rows),
        "running": sum(one.runs for one in rows) if is_seen(survey) else None,
        "healthy": sum(one.state == "up" for one in rows) if is_seen(survey) else None,
    }


def claimed(survey: Survey) -> int | str:
    """Count what is claimed; a document that says itself that there are more, or at least as many, has the word."""
    count = len({one.claimed[0] for one in survey.rows if one.claimed})  # one claim may be true of two stacks
    said = {str(one.details["claimed_count"]) for one in survey.of("readme") if one.details.get("claimed_count")}
    most = max(said, key=lambda text: (int(text.rstrip("+")), text), default="0")
    if int(most.rstrip("+")) < count:
        return count
    return most if most.endswith("+") else int(most)


def is_seen(survey: Survey) -> bool:
    """Say whether anybody looked at what runs."""
    return bool(survey.live) or any(one.state for one in survey.rows)


# For machines


def as_json(survey: Survey, findings: Sequence[Finding], advice: Sequence[Finding] | None = None) -> dict[str, Any]:
    """Write a comparison for machines, with *advice* if any was asked for."""
    return {
        "services": [
            {
                "name": one.name,
                "project": one.project or None,
                "claimed": one.claimed,
                "declared": one.declared,
                "running": one.running,
                "healthy": one.state,
            }
            for one in survey.rows
        ],
        "findings": [_finding(one) for one in findings],
        **({} if advice is None else {"advice": [_finding(one) for one in advice]}),
        "sums": sums(survey),
    }


def _finding(one: Finding) -> dict[str, Any]:
    return {"kind": one.kind, "where": one.where, "text": one.text, "service": one.service}


# For people


def as_text(
    survey: Survey,
    findings: Sequence[Finding],
    shape: Callable[[str], str],
    width: int,
    advice: Sequence[Finding] | None = None,
) -> str:
    """Write a comparison for people whose terminal has *width* columns, and *advice* if any was asked for."""
    blocks = [services_text(survey, shape, width)] if survey.rows else []
    blocks += ["\n".join(group) for group in groups(findings, width)]
    if not findings:
        blocks.append("No drift.")
    blocks.append(sums_text(sums(survey)))
    if advice is not None:
        blocks += ["Advice" if advice else "No advice.", *("\n".join(group) for group in groups(advice, width))]
    return "\n\n".join(blocks)


def sums_text(found: dict[str, Any]) -> str:
    """Write the sums.

    >>> sums_text({"claimed": "25+", "declared": 16, "running": None, "healthy": None})
    'claimed 25+, declared 16, running -, healthy -'
    """
    return ", ".join(f"{name} {NOT_ASKED if value is None else value}" for name, value in found.items())


def services_text(survey: Survey, shape: Callable[[str], str], width: int) -> str:
    """Write the table of services, below the name of their stack where there are several."""
    projects = {one.project for one in survey.rows}
    cells: list[tuple[str, ...]] = [HEADS]
    for project, rows in groupby(survey.rows, key=lambda one: one.project):
        inset = "  " if len(projects) > 1 else ""
        if inset:
            cells.append((project or "(no stack)", "", "", "", ""))
        cells += [(f"{inset}{one.name}", *layers(one, survey, shape)) for one in rows]
    return table(fitted(cells, width))


def layers(one: Row, survey: Survey, shape: Callable[[str], str]) -> tuple[str, str, str, str]:
    """Write the four layers of a service."""
    nobody = NOT_ASKED
    running = where(one.running, shape) if survey.live or one.running else nobody
    if one.runs and not one.running:
        running = f"{shape('up')} answers"
    healthy = f"{shape(one.state)} {one.state}" if one.state else nobody
    return where(one.claimed, shape), where(one.declared, shape), running, healthy


def where(refs: Sequence[str], shape: Callable[[str], str]) -> str:
    """Write where something is said, the first place of several.

    >>> where(["a:1", "b:2"], {"up": "+", "down": "x"}.get), where([], {"up": "+", "down": "x"}.get)
    ('+ a:1 (+1)', 'x no')
    """
    if not refs:
        return f"{shape('down')} no"
    more = f" (+{len(refs) - 1})" if refs[1:] else ""
    return f"{shape('up')} {refs[0]}{more}"


def fitted(cells: Sequence[tuple[str, ...]], width: int) -> Iterator[tuple[str, ...]]:
    """Shorten the places in a table until it is no wider than *width*, the widest column first."""
    widths = [max(len(row[at]) for row in cells) for at in range(len(HEADS))]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths[1:4]) > 12:
        at = max(range(1, 4), key=lambda at: widths[at])
        widths[at] -= 1
    return (tuple(shortened(cell, widths[at]) for at, cell in enumerate(row)) for row in cells)


def shortened(cell: str, width: int) -> str:
    """Leave out the middle of a place, whose end says most.

    >>> shortened("+ docker/compose.services.yml:12", 20), shortened("x no", 20)
    ('+ …e.services.yml:12', 'x no')
    """
    return cell if len(cell) <= width else f"{cell[:2]}…{cell[len(cell) - width + 3 :]}"


def groups(findings: Iterable[Finding], width: int) -> Iterator[list[str]]:
    """Yield the lines of each kind of finding: what it is, and then each with its place."""
    for kind, those in groupby(sorted(findings, key=lambda one: place(one.kind)), key=lambda one: one.kind):
        found = list(those)
        said = list(together(found))
        column = max(len(where) for where, _ in said)
        beside = column <= width * 2 // 5
        inset = " " * (column + 4 if beside else 6)
        yield [
            f"{title(kind)} ({len(found)})",
            *(line for one in said for line in lines(*one, inset, width, beside=beside)),
        ]


def together(findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    """Yield where each finding is and what it says; what is said of several services of one file, once.

    >>> list(together([Finding(kind="", where=f"a.yml:{n}", service=f"s{n}", text="no check") for n in (1, 2)]))
    [('a.yml', 'no check: s1 (line 1), s2 (2)')]
    """
    for (file, text), those in groupby(findings, key=lambda one: (file_of(one.where), one.text)):
        found = list(those)
        named = [one for one in found if one.service and ":" in one.where]
        if len(named) == len(found) > 1:
            names = [f"{one.service} ({one.where.rpartition(':')[2]})" for one in found]
            yield file, f"{text}: {', '.join(names).replace(' (', ' (line ', 1)}"
        elif len(found) > 1 and not any(one.service for one in found):
            yield file, f"{text}: lines {', '.join(one.where.rpartition(':')[2] for one in found)}"
        else:
            yield from ((one.where, f"{one.service}: {one.text}" if one.service else one.text) for one in found)


def lines(place: str, text: str, inset: str, width: int, *, beside: bool) -> Iterator[str]:
    """Yield the lines of one finding: its place, and *beside* or below that what it says."""
    wrapped = textwrap.wrap(text, max(20, width - len(inset)), break_on_hyphens=False, break_long_words=False)
    if beside:
        yield f"  {place}".ljust(len(inset)) + wrapped.pop(0)
    else:
        yield f"  {place}"
    yield from (f"{inset}{line}" for line in wrapped)
