"""From a decoded TOML file and the environment to msgspec structs, with everything that is wrong.

msgspec stops at the first error: what it refuses is taken again field by field.
"""

import difflib
import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from .lines import KeyPath

S = TypeVar("S", bound=msgspec.Struct)

BAD: Any = object()  # stands for a value that could not be decoded
WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
USER_INFO = re.compile("//.*@", re.DOTALL)  # also where a password holds what ends the host of a right URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """What was written, and where."""

    file: str | None
    written: Mapping[str, Any]  # the file, with the variables laid over it
    lines: Mapping[KeyPath, int]
    variables: Mapping[KeyPath, str]
    shape: type[msgspec.Struct]

    def line(self, path: KeyPath) -> int:
        """Return the line of *path*, or of the nearest table around it; 0 when nothing is known."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def where(self, path: KeyPath) -> str:
        """Say where *path* was written: a variable, or the file with the line."""
        line = self.line(path)
        return self.variables.get(path) or (f"{self.file}:{line}" if line else self.file or "")


class Decoder:
    """Decodes, and gathers what is wrong in `problems`: line and sentence."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self.problems: list[tuple[int, str]] = []
        self.bad: set[KeyPath] = set()

    def wrong(self, path: KeyPath, text: str) -> None:
        """Note what is wrong at *path*."""
        self.bad.add(path)
        is_variable = path in self.origins.variables
        place = ": ".join(filter(None, [self.origins.where(path), "" if is_variable else dotted(path)]))
        line = 0 if is_variable else self.origins.line(path)
        self.problems.append((line, f"{place}: {text}{self.whose(path)}"))

    def whose(self, path: KeyPath) -> str:
        """Say in which named member of an array of tables *path* lies."""
        if len(path) < 3 or not isinstance(path[1], int) or path[2] == "name":
            return ""
        name = self.origins.written[str(path[0])][path[1]].get("name")
        return f" (in {path[0]} {json.dumps(name, ensure_ascii=False)})" if isinstance(name, str) else ""

    def table(self, written: Any, shape: type[S], path: KeyPath) -> S:
        """Decode a table; a default stands in for what is wrong in it."""
        try:
            return msgspec.convert(written, shape)
        except msgspec.ValidationError:
            return shape(**self.fields(written, shape, path))

    def fields(self, written: Any, shape: type[msgspec.Struct], path: KeyPath) -> dict[str, Any]:
        """Decode the fields of a table, those that can be; required ones that cannot are empty."""
        found = {field.name: "" for field in msgspec.structs.fields(shape) if field.required}
        if not isinstance(written, dict):
            self.wrong(path, f"expected a table, got {shown(written)}")
            self.bad |= {(*path, key) for key in found}
            return found
        known = hints(shape)
        for key in found.keys() - written.keys():
            self.wrong((*path, key), f"expected {words(known[key])}, got nothing")
        for key, value in written.items():
            if key not in known:
                names = ", ".join(sorted(known))
                self.wrong((*path, key), f"expected one of {names}, got {shown(key)}{nearest(key, known)}")
            elif (decoded := self.value(value, known[key], (*path, key))) is not BAD:
                found[key] = decoded
        return found

    def value(self, written: Any, hint: Any, path: KeyPath) -> Any:
        """Decode a value, or return BAD."""
        kind, *others = alternatives(hint)
        shape = next(filter(is_table, [kind, *others] if isinstance(written, dict) else [kind]), None)
        if shape:
            return self.table(written, shape, path)
        if get_origin(kind) is list and is_table(get_args(kind)[0]) and isinstance(written, list):
            return [self.table(member, get_args(kind)[0], (*path, place)) for place, member in enumerate(written)]
        try:
            # one code or text where a list of them is expected is a list of one
            member = get_origin(kind) is list and type(written) in (int, str) and path not in self.origins.variables
            return msgspec.convert([written] if member else written, hint, strict=path not in self.origins.variables)
        except msgspec.ValidationError:
            # a header may hold a secret
            got = "something else" if "headers" in path else shown(written)
            self.wrong(path, f"expected {words(hint)}, got {got}{meant(written, hint)}")
            return BAD


def overlay(
    mapping: Mapping[str, Any], environ: Mapping[str, str], known: Mapping[str, KeyPath]
) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    """Lay the *known* variables of the environment over a file: the new mapping, and which variable is where."""
    written: Any = dict(mapping)
    variables: dict[KeyPath, str] = {}
    for name in sorted(known.keys() & environ.keys()):
        variables[known[name]] = name
        written = with_value(written, known[name], environ[name])
    return written, variables


def with_value(table: Any, path: KeyPath, value: str) -> Any:
    """Return *table* with *value* at *path*; what is not a table is left for decoding to refuse."""
    if not isinstance(table, Mapping):
        return table
    key, *rest = path
    return {**table, key: with_value(table.get(key, {}), tuple(rest), value) if rest else value}


def variables(shape: type[msgspec.Struct], prefix: str, path: KeyPath = ()) -> dict[str, KeyPath]:
    """Return the variables that can stand for the scalar keys of *shape*, and the paths of those keys."""
    found: dict[str, KeyPath] = {}
    for key, hint in hints(shape).items():
        kinds = alternatives(hint)
        name = f"{prefix}__{key.upper()}"
        if is_table(kinds[0]):
            found |= variables(kinds[0], name, (*path, key))
        elif all(get_origin(kind) is None and issubclass(kind, (str, int, float)) for kind in kinds):
            found[name] = (*path, key)
    return found


# Types


@functools.cache
def hints(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the types of the fields of *shape*."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(shape)}


def alternatives(hint: Any) -> list[Any]:
    """Return the types that *hint* allows, without None and what is annotated.

    >>> alternatives(Annotated[str | list[int] | None, "a note"])
    [<class 'str'>, list[int]]
    """
    if get_origin(hint) is Annotated:
        return alternatives(hint.__origin__)
    if get_origin(hint) in (Union, UnionType):
        return [kind for part in get_args(hint) if part is not NoneType for kind in alternatives(part)]
    return [hint]


def is_table(kind: Any) -> bool:
    """Say whether *kind* is a struct."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


# Words


def words(hint: Any) -> str:
    """Say what *hint* allows, as the title in its annotation does, or else plainly.

    >>> words(list[str] | None), words(Annotated[int, msgspec.Meta(title="a whole number above 0")])
    ('a list of text', 'a whole number above 0')
    """
    if get_origin(hint) is Annotated:
        return next((str(meta.title) for meta in hint.__metadata__ if meta.title), words(hint.__origin__))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(words(part) for part in get_args(hint) if part is not NoneType)
    if get_origin(hint) in (list, tuple):
        return f"a list of {words(get_args(hint)[0])}"
    return WORDS.get(hint, "a table")


def shown(value: Any) -> str:
    """Write *value* as it may be shown: as TOML, not too long, and without the user info of a URL."""
    if isinstance(value, dict):
        return "a table"
    text = USER_INFO.sub("//...@", json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= 80 else f"{text[:80]}..."


def dotted(path: Iterable[str | int]) -> str:
    """Write a path as its user would.

    >>> dotted(("service", 2, "check", 0, "time out"))
    'service[2].check[0]."time out"'
    """
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + (key if BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False))
    return text


def meant(written: Any, hint: Any) -> str:
    """Ask whether the nearest of the words that *hint* allows was meant.

    >>> meant("de_DE", Literal["en", "de"]), meant("german", Literal["en", "de"]), meant(1, Literal["en", "de"])
    ('; did you mean "de"?', '', '')
    """
    known = [word for kind in alternatives(hint) if get_origin(kind) is Literal for word in get_args(kind)]
    return nearest(written, known, 0.55) if isinstance(written, str) else ""  # these words are short: german is not en


def nearest(word: str, known: Iterable[str], likeness: float = 0.45) -> str:
    """Ask whether the nearest of the *known* words was meant; say nothing if none is near."""
    return "".join(f'; did you mean "{match}"?' for match in difflib.get_close_matches(word, known, 1, likeness))
