"""What only the operator sees, sown with words of its own in every field."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from helpers_site import NOW
from test_view import CANARY

from uplog.site.inside.values import Inside

NUMBER = 77_123
LOOKS = {"look", "instances_look"}  # of the five that there are


def sown_inside(slugs: Sequence[str]) -> Inside:
    """Make a value that has a word of its own in every field of text, whatever fields there are."""
    found: Inside = sow(Inside, "inside", slugs)
    return found


def sow(kind: Any, name: str, slugs: Sequence[str] = ()) -> Any:
    """Make a value of *kind* for a field called *name*."""
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{one.name: sow(hints[one.name], f"{kind.__name__}-{one.name}", slugs) for one in fields(kind)})
    if origin in (Union, UnionType):
        return sow(inner[0], name, slugs)
    if origin is tuple:
        parts = inner[:1] if inner[1:] == (...,) else inner
        return tuple(sow(part, f"{name}-{place}", slugs) for place, part in enumerate(parts))
    if origin is not None and issubclass(origin, Mapping):
        return {slug: sow(inner[1], name, slugs) for slug in slugs}
    if origin is not None:
        return [sow(inner[0], name, slugs)]
    return {str: word(name), int: NUMBER, bool: False, datetime: NOW}[kind]


def word(name: str) -> str:
    field = name.rpartition("-")[2]
    return "down" if field in LOOKS else "" if field == "slug" else f"{CANARY}-{name}"


def words(value: Any) -> Iterator[str]:
    """Yield every word that was sown in *value*."""
    if is_dataclass(value):
        for one in fields(value):
            yield from words(getattr(value, one.name))
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from words(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from words(one)
    elif isinstance(value, str) and value.startswith(CANARY):
        yield value
