"""For those who read sites by machine: robots.txt, sitemap.xml, llms.txt."""

from ..values import Page
from .address import base
from .text import markdown, xml

MOST = 50_000  # addresses that a sitemap may have (sitemaps.org)


def files(page: Page) -> dict[str, bytes]:
    """Return robots.txt and llms.txt, and sitemap.xml when the address of the site is known."""
    site = base(page)
    found = {"robots.txt": robots(page, site).encode(), "llms.txt": llms(page).encode()}
    if site:
        found["sitemap.xml"] = sitemap(page, site).encode()
    return found


def robots(page: Page, site: str | None) -> str:
    """Let everybody read the public page, and nobody keep the internal one."""
    rule = "Allow" if page.audience == "public" else "Disallow"
    return f"User-agent: *\n{rule}: /\n" + (f"Sitemap: {site}sitemap.xml\n" if site else "")


def sitemap(page: Page, site: str) -> str:
    """List the pages as they name themselves, those of incidents last; a sitemap knows whole addresses only."""
    names = [
        *("", "table.html", "history.html", "about.html"),
        *(f"service/{one.slug}.html" for one in page.services),
        *(f"incident/{one.name}.html" for one in page.incidents),
    ]
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
        + "".join(f"<url><loc>{xml(site)}{name}</loc></url>\n" for name in names[:MOST])
        + "</urlset>\n"
    )


FILES = """
## Now

- [status.json](status.json): every service with state, reason, uptime and incidents
- [status.schema.json](status.schema.json): JSON Schema of it, and of the files of services
- [status.txt](status.txt): one word a line: the state of everything, made at, newest observation, out of date after
- [metrics.prom](metrics.prom): OpenMetrics

## What happens

- [history.html](history.html): incidents and uptime by calendar month; each incident has a page of its own
- [feed.xml](feed.xml): Atom, an entry an incident
- [calendar.ics](calendar.ics): planned maintenance
- [about.html](about.html): how states and percentages are made

## Services

"""


def llms(page: Page) -> str:
    """Say in Markdown what there is to read here, and where (llmstxt.org)."""
    about = "What is up, what is not, and what was: states, uptime and incidents as they were measured."
    services = "".join(
        f"- [{markdown(one.name)}](service/{one.slug}.json)" + (f": {markdown(one.words)}\n" if one.words else "\n")
        for one in page.services
    )
    return f"# {markdown(page.title)}\n\n> {about} Moments are UTC; days are those of {page.zone}.\n{FILES}{services}"
