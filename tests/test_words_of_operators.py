# ruff: noqa: RUF001  headings are written with dashes
"""What the operator writes of incidents: Markdown with a front matter, read with every mistake told."""

import os
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from uplog.site import incidents
from uplog.site.incidents import parse, read
from uplog.site.values import Words

pytestmark = pytest.mark.unit

BERLIN = ZoneInfo("Europe/Berlin")
FULL = """---
title: Card payments fail
services: [Checkout API, ledger]
started: 2026-11-21 09:35
resolved: 2026-11-21T10:20:00Z
severity: major
---
We are **looking** into it.

## 2026-11-21 09:50 – Identified
The provider is gone.

# Details
Many.

### 2026-11-21 10:10:30+02:00
Back again.
"""


def at(hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, 21, hour, minute, second, tzinfo=UTC)


def words(text: str, zone: ZoneInfo | None = None) -> Words:
    found, problems = parse(text, "incidents/x.md", zone or UTC)
    assert problems == ()
    assert found is not None
    return found


def problems(text: str, file: str = "incidents/x.md") -> list[str]:
    return list(parse(text, file, UTC)[1])


def front(*lines: str) -> str:
    return "\n".join(["---", *lines, "---", "words"])


# What is read


def test_a_file_is_read_with_all_that_it_says() -> None:
    one = words(FULL)

    assert (one.name, one.title, one.services) == ("x", "Card payments fail", ("Checkout API", "ledger"))
    assert (one.started, one.resolved, one.severity, one.announcement) == (at(9, 35), at(10, 20), "major", False)
    assert [(update.at, update.title) for update in one.updates] == [
        (at(9, 50), "Identified"),
        (at(9, 35), ""),
        (at(8, 10, 30), ""),
    ]
    assert one.updates[0].html == "<p>The provider is gone.</p>\n<h4>Details</h4>\n<p>Many.</p>\n"
    assert one.updates[0].text == "The provider is gone.\n\n# Details\nMany."


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-21 09:35", at(8, 35)),
        ("2026-11-21 9:35:07", at(8, 35, 7)),
        ("2026-11-21T09:35:07.5", at(8, 35, 7)),
        ('"2026-11-21 09:35"', at(8, 35)),
        ("2026-11-21 09:35Z", at(9, 35)),
        ("2026-11-21 09:35 +0530", at(4, 5)),
        ("2026-11-21 09:35-05", at(14, 35)),
        ("2026-11-21", datetime(2026, 11, 20, 23, 0, tzinfo=UTC)),
        ("2026-07-01 12:00", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
    ],
)
def test_moments_are_those_of_the_zone_unless_they_say_their_offset(written: str, expected: datetime) -> None:
    assert words(front("title: x", "services: a", f"started: {written}"), BERLIN).started == expected


def test_files_without_services_and_those_that_say_so_are_announcements() -> None:
    assert words(front("title: x")).announcement
    assert words(front("title: x", "services: a", "announcement: yes")).announcement
    assert not words(front("title: x", "services: a", "started: 2026-11-21", "announcement: false")).announcement


def test_what_is_empty_is_not_said() -> None:
    one = words(front("title: x", "services: a", "started: 2026-11-21", "resolved:", "severity: ~"))

    assert (one.resolved, one.severity) == (None, "")


def test_a_heading_in_code_divides_nothing() -> None:
    one = words(front("title: x") + "\n\n```\n## 2026-11-21 09:50 no\n```\n\n> ## 2026-11-21 09:50 no\n")

    assert len(one.updates) == 1


def test_lines_may_end_as_windows_ends_them_and_begin_with_a_mark(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_bytes(b"\xef\xbb\xbf" + FULL.replace("\n", "\r\n").encode())

    (one,), wrong = read(tmp_path, UTC)

    assert (one.updates, wrong) == (words(FULL).updates, [])


# What is wrong


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["title: x", "sevices: a"], '3: "sevices": there is no such key; did you mean "services"?'),
        (["title: x", "title: y"], "3: title: expected once, got it again; the first one counts"),
        (["title: x", "severity: bad"], '3: severity: expected minor or major or critical, got "bad"'),
        (["title: x", "severity: [a]"], "3: severity: expected minor or major or critical, got a list"),
        (["services: a", "started: 2026-11-21"], "1: title: expected text, got nothing"),
        (["title: [a]"], "2: title: expected text, got a list"),
        (["title: x", "services: a"], '1: started: expected a moment like "2026-11-21 10:05", got nothing'),
        (["title: x", "started: soon"], '3: started: expected a moment like "2026-11-21 10:05", got "soon"'),
        (["title: x", "started: 10:05"], '3: started: expected a moment like "2026-11-21 10:05", got "10:05"'),
        (
            ["title: x", "started: 2026-13-40"],
            '3: started: expected a moment like "2026-11-21 10:05", got "2026-13-40"',
        ),
        (
            ["title: x", "started: 1026-11-21"],
            '3: started: expected a moment like "2026-11-21 10:05", got "1026-11-21"',
        ),
        (["title: x", "services: {a: b}"], "3: services: expected a list of names of services, got a table"),
        (["title: x", "services: [a, [b]]"], "3: services: expected a list of names of services, got a list"),
        (["title: x", "announcement: 7"], '3: announcement: expected true or false, got "7"'),
        (["title: x", "started: 2026-11-21", "resolved: 2026-11-20"], "4: resolved: expected a moment after started"),
        (["title: x", "a: b: c"], "3: not YAML: mapping values are not allowed here"),
        (["- a"], "1: expected keys and values such as `title: Card payments fail`"),
        (["title: \x07"], "2: not YAML: special characters are not allowed"),
        (["[" * 20_000], "1: not YAML that a person would write"),
        (["title: x", "a: &a [x]", "b: *c"], "4: not YAML: found undefined alias 'c'"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_key(lines: list[str], expected: str) -> None:
    assert problems(front(*lines))[-1] == f"incidents/x.md:{expected}"


@pytest.mark.parametrize("text", ["", "words", "---\ntitle: x\n", "\n---\ntitle: x\n---\n"])
def test_a_file_without_a_front_matter_says_nothing(text: str) -> None:
    assert parse(text, "x.md", UTC) == (None, ("x.md:1: expected a front matter between two lines of three dashes",))


def test_a_small_mistake_leaves_the_rest_standing() -> None:
    found, wrong = parse(front("title: x", "severity: bad", "hue: red"), "x.md", UTC)

    assert found is not None
    assert len(wrong) == 2


def test_a_heading_of_no_day_is_told_with_its_line_and_keeps_its_words() -> None:
    found, wrong = parse(front("title: x", "started: 2026-11-21") + "\n\n## 2026-02-30 10:00 Up\nyes", "x.md", UTC)

    assert wrong == ('x.md:7: expected a heading with a moment like "2026-11-21 10:05", got "2026-02-30 10:00 Up"',)
    assert found is not None
    assert [(update.at, update.title, update.text) for update in found.updates] == [
        (datetime(2026, 11, 21, tzinfo=UTC), "", "words"),
        (None, "Up", "yes"),
    ]


def test_aliases_are_not_followed() -> None:
    bomb = [f"k{place}: &a{place} [{', '.join([f'*a{place - 1}'] * 9) if place else 'x'}]" for place in range(9)]

    assert len(problems(front(*bomb, "title: x", "services: *a8"))) == 10


@pytest.mark.parametrize("name", ["0123456789", "ABCDEF0123", "-abcdef0123_"])
def test_a_name_that_could_be_that_of_an_outage_is_refused(name: str) -> None:
    assert problems(front("title: x"), f"incidents/{name}.md") == [
        f"incidents/{name}.md:1: expected another name for the file: ten hexadecimal digits are that of an outage"
    ]


def test_bad_files_do_not_keep_the_others_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"---\ntitle: \xff\n---\n")
    (tmp_path / "b.md").mkdir()
    (tmp_path / "c.md").write_text("---\ntitle: long\n---\n" + "x" * 70_000)
    (tmp_path / "d.md").symlink_to("nowhere")
    (tmp_path / "e.md").write_text(FULL)
    (tmp_path / ".f.md").write_text("hidden")
    (tmp_path / "g.txt").write_text("no")
    os.mkfifo(tmp_path / "h.md")

    found, wrong = read(tmp_path, UTC)

    assert [one.name for one in found] == ["e"]
    assert wrong == [
        f"{tmp_path}/a.md:2: expected text in UTF-8, got the byte 0xff",
        f"{tmp_path}/b.md:1: expected a file",
        f"{tmp_path}/c.md:1: expected at most 64000 bytes",
        f"{tmp_path}/d.md:1: expected a file",
        f"{tmp_path}/h.md:1: expected a file",
    ]


def test_what_no_page_can_hold_is_left_out(tmp_path: Path) -> None:
    lone = r'"a\uD800\0b"'
    (tmp_path / "a.md").write_text(front(f"title: {lone}", f"services: [{lone}]", "started: 2026-11-21 09:40"))
    (tmp_path / "b.md").write_text(front("title: b", f"severity: {lone}", f"{lone}: 1"))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/c\xff.md")).write_text("no front matter")

    found, wrong = read(tmp_path, UTC)

    assert [(one.title, one.services) for one in found] == [("a b", ("a b",)), ("b", ())]
    assert [one.removeprefix(f"{tmp_path}/") for one in wrong] == [
        'b.md:4: "a b": there is no such key',
        'b.md:3: severity: expected minor or major or critical, got "a b"',
        "c\ufffd.md:1: expected a front matter between two lines of three dashes",
    ]


def test_two_files_of_one_address_are_told(tmp_path: Path) -> None:
    for name in ("a b.md", "a-b.md"):
        (tmp_path / name).write_text(FULL)

    found, wrong = read(tmp_path, UTC)

    assert len(found) == 1
    assert wrong == [f"{tmp_path}/a-b.md:1: expected another name for the file: a b.md has the same address"]


def test_no_folder_is_no_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert read(tmp_path / "none", UTC) == ([], [])
    assert read(tmp_path / "file", UTC) == ([], [f"{tmp_path}/file: could not be read: Not a directory"])


def test_the_newest_names_are_read_where_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "MOST", 2)
    for name in "abc":
        (tmp_path / f"{name}.md").write_text(FULL)

    found, wrong = read(tmp_path, UTC)

    assert [one.name for one in found] == ["b", "c"]
    assert wrong == [f"{tmp_path}: expected at most 2 files, got 3; the first ones by name are left out"]


# Hostile words are inert

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick=alert(1)>c</b> <!-- d --> <?php ?> <![CDATA[ x ]]>",
    "<iframe src='//evil.example'></iframe>\n\n<style>*{display:none}</style>\n\n</div></main>",
    "[x](javascript:alert(1)) [x](JaVaScRiPt:alert(1)) [x](java\tscript:alert(1)) [x](&#106;avascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>) ![x](data:image/png;base64,AAAA) [x](vbscript:x) [x](file:///etc)",
    "<javascript:alert(1)> <data:text/html,x>",
    "[x][r] ![x][r]\n\n[r]: javascript:alert(1)",
    '![x](https://evil.example/track.png) ![](http://evil.example/"onerror="alert(1))',
    "[![x](https://evil.example/a.png)](https://evil.example/)",
    '[x](https://evil.example/"onmouseover="alert(1) "t\\"><script>alert(1)</script>")',
    "[x](//evil.example) [x](../../etc/passwd) [x](#id) [x](service/web.html)",
    '```"><script>alert(1)</script>\nx\n```\n\n~~~ js" onload="x\n</code></pre><script>\n~~~',
    "`<script>` &lt;script&gt; &#x3C;script&#x3E; \\<script>",
    "x\u202emoc.elgoog\u202c \u0000 \ufeff {{ 7 * 7 }} {% raw %}",
    "# <h1>\n\nx\n===\n\n- <li>\n\n> <blockquote>\n\n***",
    "|a|b|\n|:-|-:|\n|<td>|c|",
]
ALLOWED = {
    *("p", "em", "strong", "code", "pre", "a", "br", "hr", "ul", "ol", "li", "blockquote", "h4", "h5", "h6"),
}


class Tags(HTMLParser):
    """The elements of a piece of HTML; they must be closed as they were opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("br", "hr"):
            assert tag != "a" or "a" not in self.open
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("br", "hr"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    unknown_decl = handle_decl = handle_pi = handle_comment


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_markdown_is_inert(hostile: str) -> None:
    (update,) = words(front("title: x").replace("words", hostile)).updates

    for tag, attributes in Tags(update.html).found:
        assert tag in ALLOWED
        assert set(attributes) <= {"href", "title", "class", "start"}
        assert attributes.get("href", "https://") is not None
        assert (attributes.get("href") or "https://").startswith(("https://", "http://", "mailto:"))


def test_pictures_are_links_and_inside_a_link_they_are_its_words() -> None:
    (update,) = words(
        front("title: x").replace(
            "words", "![a & b](https://x.example/a?b&c) [![p](https://q.example)](https://r.example)"
        )
    ).updates

    assert update.html == (
        '<p><a href="https://x.example/a?b&amp;c">a &amp; b</a> <a href="https://r.example">p</a></p>\n'
    )


@pytest.mark.parametrize(
    "piece", ["[", "![", "> ", "- ", "*a ", "`", "[a](", "<a ", "](", "\\", "&", "_a__b", "# a\n", "[a]: b\n", "<!--"]
)
def test_a_file_of_nothing_but_markup_is_read_in_time(piece: str) -> None:
    text = front("title: x") + "\n" + piece * (6_000 // len(piece))

    (update,) = words(text).updates

    Tags(update.html)
