"""404.html, for servers that show it where nothing is."""

from ..values import Page
from .address import base
from .small import small
from .text import xml


def files(page: Page) -> dict[str, bytes]:
    """Return 404.html.

    A server shows it at whatever depth was asked for, where a relative link leads astray: with a known address of the
    site it links there.
    """
    tongue, site = page.tongue, base(page) or "index.html"
    nothing = tongue.gettext("Nothing is here")
    moved = tongue.gettext("This address has no page; what was here may have moved.")
    body = (
        f"<main><h1>{xml(nothing)}</h1>\n<p>{xml(moved)}</p>\n"
        f'<p><a href="{xml(site)}">{xml(tongue.isolated(page.title))}</a></p></main>'
    )
    return {"404.html": small(tongue, title=f"{nothing} · {page.title}", body=body)}
