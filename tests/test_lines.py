import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplog.collector.lines import lines

pytestmark = pytest.mark.unit

DOCUMENT = '''\
a.b = """x = 1
[not.a.table]
y""\\"
"" """ # c
"q\\u0041.x" = 'p = "'
empty = """"""
long = \'\'\'
it's # here\'\'\'

[t."z 1"] # x
arr = [ 1, # one ]
  "two]", [3,
 4], {c = 5, "d" = [6]},
]
when = 1979-05-27 07:32:00 # no
  [[ s ]]
  [s.sub]
  x.y=1
  [[s.check]]
y=""
[[s]]
[[s.check]]
[[s.check]]
'z'={}
'''


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Return the paths of all that tomllib found."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path, *(below for key, member in members for below in paths(member, (*path, key)))}


def test_every_key_of_a_difficult_document_has_its_line():
    assert lines(DOCUMENT).keys() == paths(tomllib.loads(DOCUMENT)) - {()}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a", "b"), 1),
        (("qA.x",), 5),
        (("empty",), 6),
        (("long",), 7),
        (("t", "z 1"), 10),
        (("t", "z 1", "arr", 1), 12),
        (("t", "z 1", "arr", 2, 1), 13),
        (("t", "z 1", "arr", 3, "d", 0), 13),
        (("t", "z 1", "when"), 15),
        (("s",), 16),
        (("s", 0), 16),
        (("s", 0, "sub", "x", "y"), 18),
        (("s", 0, "check", 0, "y"), 20),
        (("s", 1), 21),
        (("s", 1, "check", 1), 23),
        (("s", 1, "check", 1, "z"), 24),
    ],
)
def test_a_key_is_found_in_its_line(path, line):
    assert lines(DOCUMENT)[path] == line
    assert lines(DOCUMENT.replace("\n", "\r\n"))[path] == line


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
signs = st.text("[]{}#=,.'\" \\\n", max_size=6)
scalars = st.one_of(texts, signs, st.integers(-9, 9), st.booleans())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


class Writer:
    """Writes TOML, and knows in which line it wrote what."""

    def __init__(self) -> None:
        self.text = ""
        self.lines: dict[tuple[str | int, ...], int] = {}

    def write(self, value: Any, path: tuple[str | int, ...], lines_: bool = True) -> None:
        """Write a value; *lines_* says whether lines may end inside it, as in an inline table they may not."""
        if isinstance(value, dict):
            self.text += "{"
            for place, (key, member) in enumerate(value.items()):
                self.text += ", " * (place > 0)
                self.pair(key, member, path, lines_=False)
            self.text += "}"
        elif isinstance(value, list):
            self.text += "["
            for place, member in enumerate(value):
                self.text += " # ], }\n  " * lines_
                self.note((*path, place))
                self.write(member, (*path, place), lines_)
                self.text += ","
            self.text += "]"
        elif isinstance(value, str) and "\n" in value and "'''" not in value and value[-1] != "'" and lines_:
            self.text += f"'''\n{value}'''"
        else:
            self.text += json.dumps(value, ensure_ascii=False)

    def pair(self, key: str, value: Any, path: tuple[str | int, ...], lines_: bool = True) -> None:
        self.note((*path, key))
        self.text += f"{json.dumps(key, ensure_ascii=False)} = "
        self.write(value, (*path, key), lines_)

    def note(self, path: tuple[str | int, ...]) -> None:
        self.lines[path] = self.text.count("\n") + 1


@given(st.lists(st.dictionaries(texts, values, max_size=4), max_size=3))
def test_the_lines_of_any_document_are_those_it_was_written_in(tables):
    writer = Writer()
    if tables:
        writer.note(("service",))
    for place, table in enumerate(tables):
        writer.note(("service", place))
        writer.text += "[[service]]\n"
        for key, value in table.items():
            writer.pair(key, value, ("service", place))
            writer.text += " # comment\n"

    tomllib.loads(writer.text)  # or the document proves nothing
    assert lines(writer.text) == writer.lines
