"""Renew site/locale, the messages of the page in each language, which test_languages.py compares with the sources.

Run `python tests/renew_catalogues.py` after a change of words, and translate what it says is missing.
"""

import re
from io import BytesIO
from pathlib import Path
from typing import get_args

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from uplog.collector.settings import Language
from uplog.site.catalogue import po

ROOT = Path(__file__).parent.parent
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
KEYWORDS = {**DEFAULT_KEYWORDS, "message": None, "plural": (1, 2)}  # the marks of tongue.py
TRANSLATED = [code for code in get_args(Language) if code != "en"]
HEADER = "# The messages of the page; `python tests/renew_catalogues.py` brings this up to date."
PERSONAL = re.compile(
    rb'^"(?:Report-Msgid|POT-|PO-|Last-Translator|Language-Team|Generated-By)[^"]*"\n', re.MULTILINE
)  # of when and who


def extracted() -> Catalog:
    """Return the messages of the sources and templates, where each stands, and no translation."""
    found = Catalog()
    for name, line, text, _, context in extract_from_dir(ROOT / "site", METHODS, keywords=KEYWORDS):
        found.add(text, locations=[(f"site/{name}", line)], context=context)
    return found


def written(code: str) -> Catalog:
    """Read the messages of a language; none where there is no file yet."""
    if not po(code).exists():
        return Catalog(locale=code)
    with po(code).open("rb") as file:
        return read_po(file, locale=code)


def renewed(code: str) -> Catalog:
    """Return the messages of the sources with what is translated of them."""
    old = written(code)
    found = Catalog(locale=code, project="uplog", version="1", charset="utf-8", fuzzy=False, header_comment=HEADER)
    for one in extracted():
        if one.id:
            known = old.get(one.id, one.context)
            alike = known is not None and isinstance(known.id, str) == isinstance(one.id, str)
            found.add(one.id, known.string if alike else None, one.locations, context=one.context)
    return found


def renew(code: str) -> list[str]:
    """Bring the file of a language up to date, and return what is to be translated."""
    catalogue, content = renewed(code), BytesIO()
    write_po(content, catalogue, width=120, sort_by_file=True, include_lineno=False)
    po(code).parent.mkdir(parents=True, exist_ok=True)
    po(code).write_bytes(PERSONAL.sub(b"", content.getvalue()))
    return [str(one.id) for one in catalogue if one.id and (not one.string or not all(one.string))]


if __name__ == "__main__":
    for code in TRANSLATED:
        for text in renew(code):
            print(f"{po(code)}: {text}")
