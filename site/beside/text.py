"""Words of other people, made safe for each format."""

import re
from functools import lru_cache
from html import escape

# Controls and what XML or UTF-8 cannot hold; the separators of lines too: each of these texts is one line.
UNSPEAKABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
MARKS = re.compile(r"([\\`*_\[\]<>&#~|!])")


def plain(text: str) -> str:
    r"""Put *text* on one line, without what no format can hold.

    >>> plain("a\r\nb\x00")
    'a b '
    """
    return UNSPEAKABLE.sub(" ", text)


@lru_cache(maxsize=4_096)  # the name of a service stands in twenty files
def xml(text: str) -> str:
    """Write *text* as the content of an element or an attribute, of XML and HTML alike.

    >>> xml('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    return escape(plain(text))


def markdown(text: str) -> str:
    r"""Write *text* so that Markdown shows it as it is.

    >>> markdown("[x](y) <b>")
    '\\[x\\](y) \\<b\\>'
    """
    return MARKS.sub(r"\\\1", plain(text))
