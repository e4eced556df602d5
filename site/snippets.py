"""Write what people paste into a README or a page of their own: badges, and the small page of a service."""

from dataclasses import dataclass

from .beside.address import base
from .beside.badge import ALL
from .beside.text import markdown, plain, xml
from .tongue import message
from .values import Page, ServiceView

PERIOD = "90d"  # of the badge that is shown; the others are named beside it

BADGES = (
    (message("State"), ""),
    (message("Uptime"), f".uptime-{PERIOD}"),
    (message("Response time"), ".latency"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """Something to paste, as text."""

    title: str
    image: str  # the address of what it shows, seen from the page of a service; empty without a picture
    texts: tuple[tuple[str, str], ...]  # language and text


def snippets(page: Page, one: ServiceView) -> tuple[Snippet, ...]:
    """Return the snippets of one service; none where no badges are published.

    Addresses are whole when that of the site is known, and else begin at its root.
    """
    if page.audience != "public":
        return ()
    site = base(page) or ""
    say = page.tongue.gettext
    shown = [badge(site, one, say(title), more) for title, more in BADGES] if one.slug != ALL else []
    return (*shown, frame(site, one, say(message("In a page"))))


def badge(site: str, one: ServiceView, title: str, more: str) -> Snippet:
    """Write how a badge is shown, with a link to the page of the service."""
    name, link = f"badge/{one.slug}{more}.svg", f"{site}service/{one.slug}.html"
    alt = plain(one.name)
    return Snippet(
        title=title,
        image=f"../{name}",
        texts=(
            ("Markdown", f"[![{markdown(alt)}]({site}{name})]({link})"),
            ("HTML", f'<a href="{xml(link)}"><img src="{xml(site)}{name}" alt="{xml(alt)}"></a>'),
        ),
    )


def frame(site: str, one: ServiceView, title: str) -> Snippet:
    """Write how the small page of a service is shown."""
    source = f"{xml(site)}service/{one.slug}.embed.html"
    text = f'<iframe src="{source}" title="{xml(one.name)}" width="320" height="64"></iframe>'
    return Snippet(title=title, image="", texts=(("HTML", text),))
