"""The files beside the pages, for machines and for other people's pages: one module each, a pure `files(page)`.

Their addresses are promises. None of them but metrics.prom carries a moment of the build, and none changes while only
`now` moves and nothing goes wrong: what does is left to status.json. Links are relative, and absolute only where the
operator gave `public_url` and the format wants it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from ..values import Page, ServiceView, Told
from . import badge, calendar, crawlers, embed, feed, icons, metrics, missing, schema, service

OUTPUTS = (schema, feed, calendar, metrics, crawlers, icons, missing)
PUBLISHED = (badge, embed)  # for other people's pages: of the public site only


def files(page: Page) -> dict[str, bytes]:
    """Return every file beside the pages of *page*."""
    told = told_of(page)
    made = (pair for one in page.services for pair in of_service(one, page, told.get(one.slug, ())))
    return of_site(page) | {name: make() for name, make in made}


def of_site(page: Page) -> dict[str, bytes]:
    """Return those that take little to make, and those that tell of everything."""
    outputs = (*OUTPUTS, *PUBLISHED) if page.audience == "public" else OUTPUTS
    return {name: content for output in outputs for name, content in output.files(page).items()}


def of_service(one: ServiceView, page: Page, told: Sequence[Told]) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the files of one service, not made yet; *told* is what the operator tells of it."""
    yield f"service/{one.slug}.json", partial(service.of_service, one, page)
    yield f"service/{one.slug}.xml", partial(feed.of_service, one, page, told)


def told_of(page: Page) -> Mapping[str, Sequence[Told]]:
    """Return by its slug what the operator tells of each service."""
    said = (*page.announcements, *page.told)
    return {slug: [one for one in said if slug in dict(one.services)] for each in said for slug, _ in each.services}
