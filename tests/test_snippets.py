"""What is there to be pasted: it shows the badge and leads to the page, whatever a service is called."""

import re
from html.parser import HTMLParser
from posixpath import join, normpath

import pytest
from helpers_site import UP, a_history, a_service, told
from markdown_it import MarkdownIt
from test_render import HOSTILE, Document, built
from test_row import shown

from uplog.site.snippets import Snippet, snippets

pytestmark = pytest.mark.unit

SITE = "https://status.example.org/"


def made(slug: str = "web", name: str = "Web", **more: object) -> tuple[Snippet, ...]:
    page = shown(a_history(told(UP, a_service(slug, name=name))), **more)
    return snippets(page, page.services[0])


class Pasted(HTMLParser):
    """The tags of a snippet, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", ["Web", "a*b_c `d` \\", "]( x )[", "two\nlines", *HOSTILE])
def test_a_snippet_shows_the_badge_and_leads_to_the_page_whatever_the_name(name: str) -> None:
    state, uptime, latency, frame = made(name=name, public_url=SITE)
    alt = re.sub(r"[\r\n]+", " ", name)

    for one, more in ((state, ""), (uptime, ".uptime-90d"), (latency, ".latency")):
        texts = dict(one.texts)
        for text in (texts["HTML"], MarkdownIt().render(texts["Markdown"]).removeprefix("<p>").removesuffix("</p>\n")):
            assert Pasted(text).tags == [
                ("a", {"href": f"{SITE}service/web.html"}),
                ("img", {"src": f"{SITE}badge/web{more}.svg", "alt": alt}),
            ]
    ((_, text),) = frame.texts
    assert Pasted(text).tags == [
        ("iframe", {"src": f"{SITE}service/web.embed.html", "title": alt, "width": "320", "height": "64"})
    ]


def test_what_a_snippet_shows_is_a_file_of_the_site() -> None:
    files = built(a_history(told(UP)), public_url=SITE)
    for one in made(public_url=SITE):
        for address in re.findall(rf"{SITE}([^\s\"')\]]+)", " ".join(text for _, text in one.texts)):
            assert address in files
        assert not one.image or normpath(join("service", one.image)) in files


def test_without_an_address_of_the_site_a_snippet_begins_at_its_root_and_says_so() -> None:
    assert dict(made()[0].texts)["Markdown"] == "[![Web](badge/web.svg)](service/web.html)"
    text = Document(built(a_history(told(UP)))["service/web.html"]).text
    assert "Put the address of this site before each path" in text
    assert "Put the address" not in Document(built(a_history(told(UP)), public_url=SITE)["service/web.html"]).text


def test_nothing_is_offered_that_is_not_published() -> None:
    assert made(audience="internal") == ()
    assert [one.title for one in made("all")] == ["In a page"]  # badge/all.svg is that of everything


def test_a_snippet_stands_on_the_page_as_it_is_to_be_pasted() -> None:
    content = built(a_history(told(UP, a_service("web", name='<b> & "q"'))), public_url=SITE)["service/web.html"]
    page = Document(content)

    for one in made(name='<b> & "q"', public_url=SITE):
        assert all(text in page.text for _, text in one.texts)
    assert [image["src"] for tag, image in page.elements if tag == "img"] == [
        *("../badge/web.svg", "../badge/web.uptime-90d.svg", "../badge/web.latency.svg")
    ]
