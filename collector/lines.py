"""Where each key stands in a TOML text: tomllib checks and decodes, but keeps no lines."""

import re
import tomllib

KeyPath = tuple[str | int, ...]

SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
KEY = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*""")
# the three closing quotes of a long string may have one or two more before them that belong to it
SCALAR = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^,\]}\r\n#]+''', re.DOTALL
)
# what most lines are, in one go; a string that is followed by a quote is the beginning of a long one
PLAIN_PAIR = re.compile(r"""([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"[^"\\\n]*"(?!")|[^\s"'\[{][^,\]}\r\n#]*)""")


def lines(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, of every key and table in *text*, which tomllib has found valid.

    The members of arrays have their place, counted from 0, as a part of their path:

    >>> lines('title = "x"\\n[[service]]\\nurl = "y"')
    {('title',): 1, ('service',): 2, ('service', 0): 2, ('service', 0, 'url'): 3}
    """
    scan = _Scan(text)
    scan.document()
    return scan.found


class _Scan:
    """One walk through a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[KeyPath, int] = {}
        self._members: dict[KeyPath, int] = {}  # how many tables each [[array]] has by now
        self._line, self._counted = 1, 0

    def document(self) -> None:
        """Read statement by statement: headers and pairs."""
        table: KeyPath = ()
        while not self.ended():
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> KeyPath:
        """Read `[a.b]` or `[[a.b]]` and return the path of the table that begins there."""
        line, many = self.line(), self.text.startswith("[[", self.at)
        self.at += 2 if many else 1
        *parents, last = self.keys()
        path: KeyPath = ()
        for key in parents:
            path = self.newest((*path, key))
            self.found.setdefault(path, line)
        path = (*path, last)
        if many:
            array, place = path, self._members.get(path, 0)
            self._members[array] = place + 1
            path = (*array, place)
            self.found.setdefault(array, line)
        self.found[path] = line
        self.at += 2 if many else 1
        return path

    def newest(self, path: KeyPath) -> KeyPath:
        """Return the table that *path* speaks of: of an array of tables it is the newest one."""
        return (*path, self._members[path] - 1) if path in self._members else path

    def pair(self, table: KeyPath) -> None:
        """Read `a.b = value`."""
        line, path = self.line(), table
        if plain := PLAIN_PAIR.match(self.text, self.at):
            self.found.setdefault((*table, plain[1]), line)
            self.at = plain.end()
            return
        for key in self.keys():
            path = (*path, key)
            self.found.setdefault(path, line)
        self.at += 1  # the sign =
        self.value(path)

    def value(self, path: KeyPath) -> None:
        """Read a value, and what is inside it."""
        self.skip(SPACE)
        match self.text[self.at]:
            case "[":
                self.array(path)
            case "{":
                self.inline_table(path)
            case _:
                self.skip(SCALAR)

    def array(self, path: KeyPath) -> None:
        """Read `[value, value]`, which may go over several lines."""
        place = 0
        self.at += 1
        while not self.closed("]"):
            self.found[(*path, place)] = self.line()
            self.value((*path, place))
            place += 1

    def inline_table(self, path: KeyPath) -> None:
        """Read `{key = value, key = value}`."""
        self.at += 1
        while not self.closed("}"):
            self.pair(path)

    def closed(self, sign: str) -> bool:
        """Go to the next member, or behind the *sign* that ends the value."""
        self.skip(SPACE)
        if self.text[self.at] == ",":
            self.at += 1
            self.skip(SPACE)
        ends = self.text[self.at] == sign
        self.at += ends
        return ends

    def keys(self) -> list[str]:
        """Read a dotted key."""
        found = []
        while True:
            key = KEY.match(self.text, self.at)
            assert key is not None
            self.at = key.end()
            found.append(_plain(key[1]))
            if not self.text.startswith(".", self.at):
                return found
            self.at += 1

    def line(self) -> int:
        """Return the line that the walk has come to."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def skip(self, pattern: re.Pattern[str]) -> None:
        """Go behind *pattern*."""
        if match := pattern.match(self.text, self.at):
            self.at = match.end()

    def ended(self) -> bool:
        """Go to the next statement and say whether there is none."""
        self.skip(SPACE)
        return self.at >= len(self.text)


def _plain(key: str) -> str:
    """Return what a key says, without its quotes and escapes."""
    if key[0] == '"' and "\\" in key:
        return next(iter(tomllib.loads(f"{key} = 0")))
    return key[1:-1] if key[0] in "\"'" else key
