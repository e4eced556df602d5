"""Tell what kind of picture a logo is, and whether it does anything but be seen. All pure.

A page shows it through `<img>`, where an SVG neither runs nor asks for anything. But it is a file of the site as well:
who opens that runs its script in the name of the site, so an SVG that could do more than be seen is refused.
"""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from .sheet import flaws

BEGINS = {  # suffix to what such a file begins with
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpg": re.compile(rb"\xff\xd8\xff"),
    "webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
    "ico": re.compile(rb"\x00\x00\x01\x00"),
}
SAME = {"jpeg": "jpg"}
KINDS = "svg, png, webp, jpeg or ico"
ACTIVE = {"script", "foreignobject", "iframe", "embed", "object", "audio", "video", "handler", "listener"}
DECLARED = re.compile(r"<!(?:DOCTYPE[^>]*\[|ENTITY)|<\?xml-stylesheet", re.IGNORECASE)
OWN = ("#", "data:image/")


class Unfit(ValueError):  # noqa: N818  says what it is
    """This cannot be shown as a picture; the text is the end of a sentence."""


def kind(name: str, content: bytes) -> str:
    """Return the suffix of a picture called *name*; raise Unfit."""
    suffix = name.rpartition(".")[2].lower()
    suffix = SAME.get(suffix, suffix)
    if suffix == "svg":
        if flaw := next(svg_flaws(content), None):
            raise Unfit(f"expected a picture that does nothing but be seen, got {flaw}")
    elif suffix not in BEGINS:
        raise Unfit(f"expected a file that ends in {KINDS}")
    elif not BEGINS[suffix].match(content):
        raise Unfit(f"expected a picture of the kind that its name says, {suffix}")
    return suffix


def svg_flaws(content: bytes) -> Iterator[str]:
    """Yield what in an SVG could run, or ask others for something."""
    try:
        text = content.decode()
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError) as error:
        yield f"what is no XML in UTF-8: {error}"
        return
    if found := DECLARED.search(text):
        yield found[0]
    if local(root.tag) != "svg":
        yield f"<{local(root.tag)}>"
    for element in root.iter():
        yield from element_flaws(element)


def element_flaws(element: ElementTree.Element) -> Iterator[str]:
    """Yield what one element could do."""
    tag = local(element.tag)
    if tag in ACTIVE:
        yield f"<{tag}>"
    if tag == "style" and (flaw := next(flaws(element.text or ""), None)):
        yield f"<style> with something from elsewhere in its line {flaw[0]}"
    for key, value in element.attrib.items():
        name, target = local(key), value.strip().lower()
        moves = name == "attributename" and (target.endswith("href") or target.startswith("on"))
        leads = name in ("href", "src") and not target.startswith(OWN)
        if name.startswith("on") or moves or leads or any(flaws(value)):
            yield f'{name}="{value[:40]}"'


def local(name: str) -> str:
    """Return a name without its namespace, in small letters."""
    return name.rpartition("}")[2].lower()
