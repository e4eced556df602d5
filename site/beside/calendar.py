"""calendar.ics: the maintenance that goes on and that is to come, for other people's calendars."""

from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from .. import words
from ..values import Page, Work
from .address import base
from .text import plain

EMPTY = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//uplog//uplog//EN\r\nEND:VCALENDAR\r\n"


def files(page: Page) -> dict[str, bytes]:
    """Return calendar.ics, with one event a window of maintenance."""
    return {"calendar.ics": calendar(page) if page.works else EMPTY}


def calendar(page: Page) -> bytes:
    """Write the maintenance of *page*."""
    from icalendar import Calendar, Event  # a twentieth of a second, of which most builds have no need

    made = Calendar.from_ical(EMPTY)
    made.add("x-wr-calname", plain(page.title))
    site = base(page)
    maintenance = words.sentence(words.state(page.tongue, "maintenance"))
    for uid, work in {uid_of(one): one for one in page.works}.items():
        event = Event()
        event.add("uid", uid)
        event.add("dtstamp", stamp(work.window.start))  # the moment of the build would make the file new each time
        event.add("dtstart", stamp(work.window.start))
        if work.window.end:
            event.add("dtend", stamp(work.window.end))
        event.add("summary", plain(page.tongue.about(maintenance, work.who)))
        if work.window.text:
            event.add("description", plain(work.window.text))
        event.add("transp", "TRANSPARENT")  # nobody is busy because of it
        if site:
            event.add("url", site)
        made.add_component(event)
    return bytes(made.to_ical())


def uid_of(work: Work) -> str:
    """Name a window by what stays when its end is moved."""
    window = work.window
    return str(uuid5(NAMESPACE_URL, f"uplog maintenance {stamp(window.start)} {window.text} {work.services}"))


def stamp(moment: datetime) -> datetime:
    """Return *moment* in UTC, to the second."""
    return moment.astimezone(UTC).replace(microsecond=0)
