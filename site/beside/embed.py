"""Small pages for other people's pages: embed.html of everything, service/<slug>.embed.html of one service.

    <iframe src="https://status.example.org/embed.html" width="320" height="64" title="Status"></iframe>

They are whole without script. The script only asks status.txt whether they are out of date, and says so.
"""

from .. import words
from ..tongue import Tongue
from ..values import Page, ServiceView
from .icons import PATHS
from .small import small
from .text import xml


def files(page: Page) -> dict[str, bytes]:
    """Return the small pages of *page*."""
    found = {f"service/{one.slug}.embed.html": of_service(page.tongue, one) for one in page.services}
    found["embed.html"] = embed(
        page.tongue,
        look=page.headline.look,
        title=page.title,
        said=f'<span id="said">{xml(page.headline.text)}</span>',
        stale=page.tongue.gettext("Nothing is known now"),
        link="index.html",
        root="",
    )
    return found


def of_service(tongue: Tongue, one: ServiceView) -> bytes:
    """Show the state of one service, and its uptime if that is known."""
    uptime = one.uptime["90d"].uptime
    share = f" <small>{xml(words.share_in(tongue, uptime, '90d'))}</small>" if uptime else ""
    return embed(
        tongue,
        look=one.look,
        title=one.name,
        said=f'<b>{xml(tongue.isolated(one.name))}</b> <span id="said">{xml(words.state(tongue, one.look))}</span>{share}',
        stale=words.state(tongue, "unknown"),
        link=f"{one.slug}.html",
        root="../",
    )


def embed(tongue: Tongue, *, look: str, title: str, said: str, stale: str, link: str, root: str) -> bytes:
    """Write a page of one line: *said*, until the site at *root* is out of date and it is *stale*."""
    line = (
        f'<main class="line"><a href="{link}" target="_blank" rel="noopener"><svg viewBox="0 0 16 16" aria-hidden="true">'
        f'<path d="{PATHS[look]}"/></svg><h1>{said}</h1></a></main>'
    )
    return small(
        tongue, title=title, body=line, look=look, script="embed.js", root=root, stale=stale, sign=PATHS["unknown"]
    )
