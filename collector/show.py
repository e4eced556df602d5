"""How the commands print: aligned columns for people, JSON for machines."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

SHAPES = {"up": "✓", "degraded": "▲", "down": "✗", "unknown": "○"}
PLAIN_SHAPES = {"up": "+", "degraded": "!", "down": "x", "unknown": "?"}


def table(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Align *rows* in columns; the last one keeps its length.

    >>> print(table([("a", "bb", "c"), ("aaa", "b", "")]))
    a    bb  c
    aaa  b
    """
    rows = [[str(cell) for cell in row] for row in rows]
    if not rows:
        return ""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def as_json(value: Any) -> str:
    """Write *value* as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def shape(state: str) -> str:
    """Return the shape that stands for a state, one that the terminal can show."""
    encoding = (sys.stdout.encoding or "ascii").lower()
    return (SHAPES if encoding.startswith("utf") else PLAIN_SHAPES).get(state, " ")
