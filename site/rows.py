"""Say where in Datasette the rows behind a number are. All pure.

Views are filtered by the key of a service for those who may know it, and by its name for the public: that is what both
sides show. These are the live views, so the answer may be newer than the page; `as_of` asks for a moment.
"""

from urllib.parse import urlencode

from .iso import iso
from .values import Page, ServiceView


def rows(page: Page, service: ServiceView, view: str, **values: str) -> str:
    """Return the address of the rows of *service* in *view* that have *values*; empty where nobody can be asked."""
    if not page.query_url:
        return ""
    key = service.private.service.key if service.private else None
    whose = {"service": key} if key else {"service_name": service.name}
    return filtered(page.query_url, view, **whose, **values)


def incident(page: Page, name: str) -> str:
    """Return the address of the row of the incident called *name*; empty where nobody can be asked."""
    return filtered(page.query_url, "incidents", id=name) if page.query_url else ""


def as_of(page: Page) -> str:
    """Return the address of the uptime of all services as of the moment of *page*; empty where nobody can be asked."""
    if not page.query_url:
        return ""
    return f"{page.query_url.rstrip('/')}/uptime_as_of?{urlencode({'now': iso(page.generated_at), 'service': ''})}"


def filtered(database: str, view: str, **values: str) -> str:
    """Write the address of the rows of *view* that have *values*.

    >>> filtered("http://127.0.0.1:8001/uplog/", "uptime", service_name="a & b", period="24h")
    'http://127.0.0.1:8001/uplog/uptime?service_name__exact=a+%26+b&period__exact=24h'
    """
    return f"{database.rstrip('/')}/{view}?{urlencode({f'{column}__exact': value for column, value in values.items()})}"
