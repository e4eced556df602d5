"""The operator's own look: what is worn, what is refused in one sentence, and that a page comes in any case."""

import re
import tomllib
from datetime import UTC
from pathlib import Path

import pytest
from helpers_site import DOWN_NOW, UP, a_history, told
from test_render import Document

from uplog.collector.config import Config, ConfigError, parse
from uplog.site.asset import digest
from uplog.site.pages import Site
from uplog.site.pages import worn as dressed
from uplog.site.palette import DARK, LIGHT
from uplog.site.render import drawings
from uplog.site.theme import picture, sheet
from uplog.site.theme.colour import TEXT, contrast, nearest
from uplog.site.theme.inputs import inputs
from uplog.site.theme.read import read
from uplog.site.theme.skin import Skin
from uplog.site.values import Page
from uplog.site.view import page

pytestmark = pytest.mark.unit

LOGO = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path id="a" d="M0 0h9v9z"/><use href="#a"/></svg>'
ACCENT = "uplog.toml:2: theme.accent:"
NEEDS = "and links need 4.5:1; the nearest colour that has it is"
PNG = b"\x89PNG\r\n\x1a\n..."


def config(text: str, folder: Path) -> Config:
    text = f"[theme]\n{text}"
    return parse(tomllib.loads(text), text, path=folder / "uplog.toml", folder=folder)


def worn(text: str, folder: Path) -> tuple[Skin, list[str]]:
    """Return the look that the table asks for, and what is wrong with it, without the folder."""
    made = config(text, folder)
    skin, problems = read(made.theme, made.origins)
    return skin, [problem.replace(f"{folder}/", "") for problem in problems]


def a_page(audience: str = "public") -> Page:
    return page(a_history(told(UP)), zone=UTC, audience=audience, title="Acme")  # type: ignore[arg-type]


def built(skin: Skin, audience: str = "public") -> tuple[dict[str, bytes], list[str]]:
    return rendered(a_page(audience), skin)


def rendered(made: Page, skin: Skin) -> tuple[dict[str, bytes], list[str]]:
    site = Site(page=made, drawn=drawings(made.services, made.calendar), skin=skin, problems=[])
    files, shown = dressed(site, lambda plan: {name: file.make() for name, file in plan.items()})
    return files, list(shown.problems)


def test_logo_links_footer_accent_and_css_are_on_every_page(tmp_path: Path) -> None:
    (tmp_path / "brand.svg").write_bytes(LOGO)
    (tmp_path / "own.css").write_text("h1{color:teal}\n.x{background:url(data:image/gif;base64,R0)}")
    skin, problems = worn(
        'logo = "brand.svg"\ncss = "own.css"\naccent = "#5b3fd6"\nfooter = "Ask [us](mailto:a@b.org)."\n'
        'links = { "Our <site>" = "https://example.org/", Mail = "mailto:a@b.org" }',
        tmp_path,
    )
    files, failed = built(skin)
    pages = {name: files[name].decode() for name in ("index.html", "about.html", "history.html", "service/web.html")}

    assert (problems, failed, files["logo.svg"]) == ([], [], LOGO)
    for name, text in pages.items():
        found = Document(text.encode())
        assert f'src="{"../" * name.count("/")}logo.svg"' in text
        assert {"https://example.org/", "mailto:a@b.org"} <= set(found.values("href"))
        assert {"Our <site>", "Ask us."} <= set(re.findall(r"Our <site>|Ask us\.", found.text))
        *_, style = re.findall("<style>(.*?)</style>", text, re.DOTALL)
        assert style.endswith("h1{color:teal}\n.x{background:url(data:image/gif;base64,R0)}")
        assert "--accent:#5b3fd6" in style
        assert f"'{digest(style)}'" in text


def test_without_a_theme_a_page_wears_ours_alone() -> None:
    text = built(Skin())[0]["index.html"].decode()

    assert not re.search(r"<img|<nav|<aside|font-src", text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('logo = "no.svg"', "uplog.toml:2: theme.logo: could not read no.svg: No such file or directory"),
        ('css = "no.css"', "uplog.toml:2: theme.css: could not read no.css: No such file or directory"),
        ('templates = "no"', "uplog.toml:2: theme.templates: expected a folder, got no"),
        (
            'logo = "own.css"',
            "uplog.toml:2: theme.logo: own.css: expected a file that ends in svg, png, webp, jpeg or ico",
        ),
        (
            'css = "own.css"',
            "own.css:2: expected nothing from elsewhere, got @import; only data: and # may be asked for",
        ),
        (
            'accent = "#ffcc00"',
            f"{ACCENT} #ffcc00 has a contrast of 1.45:1 with the light ground #fbfbf9, {NEEDS} #8d7100, which is used",
        ),
        (
            'accent = { light = "#0b5fff", dark = "#0b5fff" }',
            f"{ACCENT} #0b5fff has a contrast of 3.33:1 with the dark ground #191c20, {NEEDS} #397dff, which is used",
        ),
    ],
)
def test_what_cannot_be_worn_is_told_in_one_sentence_and_left_off(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "own.css").write_text('a{}\n@import "https://example.org/x.css";')
    skin, problems = worn(text, tmp_path)

    assert problems == [problem]
    assert (skin.logo, skin.css, skin.templates) == (None, "", ())
    assert "index.html" in built(skin)[0]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('accent = "blue"', 'theme.accent: expected a colour such as "#0b5fff" or a table'),
        ('links = { A = "javascript:alert(1)" }', "theme.links.A: expected a URL that begins with http:// or https://"),
        ('links = { A = "mailto:nobody" }', 'theme.links.A: expected an address like "mailto:help@example.org"'),
        ('links = { " " = "https://example.org/" }', "expected a title for the link"),
        ('accent = { light = "#0b5fff", drak = "#fff" }', 'theme.accent.drak: expected one of dark, light, got "drak"'),
        ('accent = { dark = "#8ab4ff" }', 'theme.accent.light: expected a colour such as "#0b5fff", got nothing'),
        ('colour = "#0b5fff"', "theme.colour: expected one of accent, css, footer, links, logo, templates"),
    ],
)
def test_a_wrong_key_stops_the_start_with_its_line(text: str, error: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config(text, tmp_path)

    assert error in str(caught.value)
    assert "uplog.toml:2: " in str(caught.value)


@pytest.mark.parametrize("colour", ["#ffffff", "#000000", "#0b5fff", "#ffcc00", "#808080"])
def test_links_can_be_read_in_every_accent_that_is_used(colour: str, tmp_path: Path) -> None:
    light, dark = worn(f'accent = "{colour}"', tmp_path)[0].accent or ("", "")

    assert min(contrast(light, ground) for ground in (LIGHT["bg"], LIGHT["card"])) >= TEXT
    assert min(contrast(dark, ground) for ground in (DARK["bg"], DARK["card"])) >= TEXT


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert nearest("#1c7d68", ["#ffffff"]) == "#1c7d68"


@pytest.mark.parametrize(
    "css",
    [
        "@import 'x.css';",
        "a{background:url(https://example.org/x.png)}",
        "a{background:url( 'x.png')}",
        "a{background:URL(//example.org/x)}",
        r"a{background:u\72l(x.png)}",
        r"@\69mport 'x'",
        "@font-face{src:url(f.woff2)}",
        "a{background:image-set('x.png' 1x)}",
        "</style><script>",
        "/* </STYLE> */",
    ],
)
def test_css_that_asks_others_or_leaves_its_element_is_refused_with_its_line(css: str) -> None:
    assert [line for line, _ in sheet.flaws(f"/* 1\n2 */\nb{{}}\n{css}\n")] == [4]


@pytest.mark.parametrize("css", ["a{fill:url(#u)}", 'a{b:url("data:image/png;base64,x")}', "/* @import url(x) */", ""])
def test_css_that_asks_nobody_is_worn(css: str) -> None:
    assert list(sheet.flaws(css)) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.svg", LOGO.replace(b"<path", b"<script>1</script><path")),
        ("a.svg", LOGO.replace(b"<path", b'<path onclick="x()"')),
        ("a.svg", LOGO.replace(b'href="#a"', b'href="https://example.org/#a"')),
        ("a.svg", LOGO.replace(b"<path", b'<a href="javascript:x()"/><path')),
        ("a.svg", LOGO.replace(b"<path", b'<path style="fill:url(https://example.org/x)"')),
        ("a.svg", LOGO.replace(b"<path", b"<style>@import 'x';</style><path")),
        ("a.svg", LOGO.replace(b"<path", b'<set attributeName="href" to="javascript:x()"/><path')),
        ("a.svg", LOGO.replace(b"<path", b"<foreignObject/><path")),
        ("a.svg", b'<?xml-stylesheet href="x.css"?>' + LOGO),
        ("a.svg", b'<!DOCTYPE svg [<!ENTITY x "y">]>' + LOGO),
        ("a.svg", LOGO.replace(b"svg", b"html")),
        ("a.svg", LOGO[:-3]),
        ("a.svg", b"\xff\xfe"),
        ("a.png", LOGO),
        ("a.gif", PNG),
        ("logo", PNG),
    ],
)
def test_a_picture_that_could_do_more_than_be_seen_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(picture.Unfit, match=r"^expected"):
        picture.kind(name, content)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [("My logo.SVG", LOGO, "svg"), ("a.png", PNG, "png"), ("a.jpeg", b"\xff\xd8\xff\xe0", "jpg")],
)
def test_a_picture_has_a_name_in_the_site_by_its_kind_alone(name: str, content: bytes, kind: str) -> None:
    assert picture.kind(name, content) == kind


def own(folder: Path, **templates: str) -> Skin:
    """Wear templates by their names."""
    (folder / "mine").mkdir()
    for name, source in templates.items():
        (folder / "mine" / f"{name}.html").write_text(source)
    skin, problems = worn('templates = "mine"', folder)
    assert problems == []
    return skin


def test_a_template_of_the_same_name_comes_before_ours_and_may_extend_ours(tmp_path: Path) -> None:
    skin = own(
        tmp_path,
        base='{% extends "uplog/base.html" %}{% block header %}<p>ours, <b>all over</b></p>{% endblock %}',
        history="<h1>{{ page.title }}{{ '<' }}</h1>",
    )
    files, problems = built(skin)

    assert problems == []
    assert files["history.html"] == b"<h1>Acme&lt;</h1>"
    assert [name for name in ("index.html", "about.html") if b"<p>ours, <b>all over</b></p>" not in files[name]] == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("\n{% if %}", "mine/about.html:2: Expected an expression, got 'end of statement block'"),
        ("\n\n{{ page.colour }}", "mine/about.html:3: 'uplog.site.values.Page object' has no attribute 'colour'"),
        ("{{ 1 / 0 }}", "mine/about.html:1: ZeroDivisionError: division by zero"),
        ('{% extends "uplog/bse.html" %}', "mine/about.html:1: there is no template uplog/bse.html"),
    ],
)
@pytest.mark.parametrize("audience", ["public", "internal"])
def test_a_template_that_fails_is_told_with_its_line_and_ours_take_its_place(
    source: str, problem: str, audience: str, tmp_path: Path
) -> None:
    files, problems = built(own(tmp_path, about=source), audience)

    assert [found.replace(f"{tmp_path}/", "") for found in problems] == [problem]
    assert b"How this is measured" in files["about.html"]
    assert (b"mine/about.html" in files["index.html"]) == (audience == "internal")


@pytest.mark.parametrize(
    ("macros", "why"),
    [
        ("", "the template 'parts.html' (imported on line"),
        (
            "".join(
                f"{{% macro {name}() %}}{{% endmacro %}}"
                for name in ("icon", "time", "share", "key", "planned", "beside", "incidents", "words")
            ),
            "TypeError: macro 'beside' takes not more than 0 argument(s)",
        ),
    ],
)
def test_a_template_of_macros_without_those_that_ours_want_is_told_and_ours_take_its_place(
    macros: str, why: str, tmp_path: Path
) -> None:
    files, (problem,) = built(own(tmp_path, parts=macros))

    assert problem.startswith(f"{tmp_path}/mine/parts.html: {why}")
    assert b"</html>" in files["index.html"]


def test_a_template_that_only_an_outage_wants_is_told_to_be_wrong_before_there_is_one(tmp_path: Path) -> None:
    files, problems = built(own(tmp_path, incident="\n{% if %}"))

    assert [name for name in files if name.startswith("incident/")] == []
    assert [found.replace(f"{tmp_path}/", "") for found in problems] == [
        "mine/incident.html:2: Expected an expression, got 'end of statement block'"
    ]


def test_a_template_that_fails_in_an_outage_alone_does_not_take_the_page_away(tmp_path: Path) -> None:
    skin = own(
        tmp_path, index='{% extends "uplog/index.html" %}{% block home %}{{ nothing if page.wrong }}{% endblock %}'
    )
    made = page(a_history(told(DOWN_NOW)), zone=UTC, audience="public", title="Acme")

    assert built(skin)[1] == []
    files, problems = rendered(made, skin)
    assert (len(problems), b"web is down" in files["index.html"]) == (1, True)


def test_the_files_that_a_look_is_made_of_are_known(tmp_path: Path) -> None:
    (tmp_path / "t" / "more").mkdir(parents=True)
    for name in ("logo.png", "own.css", "t/index.html", "t/more/a.html", "t/notes.txt"):
        (tmp_path / name).touch()
    theme = config('logo = "logo.png"\ncss = "own.css"\ntemplates = "t"', tmp_path).theme

    assert [str(path.relative_to(tmp_path)) for path in inputs(theme)] == [
        *("logo.png", "own.css", "t/index.html", "t/more/a.html"),
    ]
    assert inputs(config('logo = "gone.png"', tmp_path).theme) == []
