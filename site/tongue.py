"""A language of the page: its messages, and how it writes dates, numbers and lists. Pure; catalogue.py reads others.

A message is the English sentence, with named places such as %(name)s; a percent sign in it is written %%. It is said
with `gettext` and its sisters, or marked with `message` and `plural` where it stands in a table and is said later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from gettext import NullTranslations
from unicodedata import bidirectional

AGAINST = {"ltr": ("R", "AL", "RLE", "RLO", "AN", "RLI"), "rtl": ("L", "LRE", "LRO", "LRI")}  # a direction of writing


def message(text: str) -> str:
    """Mark *text* as a message that is said elsewhere."""
    return text


def plural(one: str, many: str) -> tuple[str, str]:
    """Mark a message that has another form for other numbers, and is said elsewhere."""
    return one, many


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tongue:
    """One language; there is one value of each, so that they are compared by identity."""

    code: str  # as `lang` of a page has it
    direction: str  # ltr, rtl
    catalogue: NullTranslations = field(repr=False)
    months: tuple[str, ...]  # short names
    weekdays: tuple[str, ...]  # short names, from Monday
    day: str  # places are the fields of CLDR: d, M, MMM, y
    dated: str
    month: str
    moment: str  # places of the date, 1, and of the clock, 0
    decimal: str
    thousands: str
    percent: str
    two: str  # a list of two; for longer ones how it begins, goes on and ends
    longer: tuple[str, str, str]

    # Sentences

    def gettext(self, text: str, /, **values: object) -> str:
        """Say a message with its *values*."""
        return self.catalogue.gettext(text) % values

    def pgettext(self, context: str, text: str, /, **values: object) -> str:
        """Say a message whose words mean something else in another *context*."""
        return self.catalogue.pgettext(context, text) % values

    def ngettext(self, one: str, many: str, count: int, /, **values: object) -> str:
        """Say a message in the form that *count* wants, which is one of its values."""
        return self.catalogue.ngettext(one, many, count) % {"count": count, **values}

    @property
    def dates(self) -> str:
        """The locale in which a browser writes dates as these pages do: English ones have the day before the month."""
        return "en-GB" if self.code == "en" else self.code

    @property
    def comma(self) -> str:
        """What stands between two clauses."""
        return self.pgettext("between clauses", ", ")

    @property
    def semicolon(self) -> str:
        """What stands between two clauses that have commas of their own."""
        return self.pgettext("between clauses", "; ")

    @property
    def colon(self) -> str:
        """What stands between a thing and what is said of it."""
        return self.pgettext("between clauses", ": ")

    def clauses(self, *parts: str) -> str:
        """Put those of *parts* that are not empty behind each other.

        >>> ENGLISH.clauses("no answer in time", "", "since 09:37")
        'no answer in time, since 09:37'
        """
        return self.comma.join(filter(None, parts))

    def details(self, *parts: str) -> str:
        """Put those of *parts* that are not empty behind each other, further apart than clauses.

        >>> ENGLISH.details("down at 10:00, 11:00", "degraded for 5 min")
        'down at 10:00, 11:00; degraded for 5 min'
        """
        return self.semicolon.join(filter(None, parts))

    def about(self, what: str, text: str) -> str:
        """Say *text* about something; one of them alone where the other is empty.

        >>> ENGLISH.about("web", "not known"), ENGLISH.about("", "not known")
        ('web: not known', 'not known')
        """
        return self.colon.join(filter(None, (what, text)))

    def listed(self, parts: Sequence[str]) -> str:
        """Enumerate *parts*.

        >>> ENGLISH.listed(["a", "b", "c"]), ENGLISH.listed(["a", "b"]), ENGLISH.listed(["a"])
        ('a, b and c', 'a and b', 'a')
        """
        if len(parts) <= 2:
            return self.two.format(*parts) if len(parts) == 2 else "".join(parts)
        begin, middle, end = self.longer
        text = parts[-2]
        text = end.format(text, parts[-1])
        for part in reversed(parts[1:-2]):
            text = middle.format(part, text)
        return begin.format(parts[0], text)

    def isolated(self, text: str) -> str:
        """Keep *text* together where it may be written against the direction of the page: names, and what people wrote.

        >>> ENGLISH.isolated("web (v2)"), ENGLISH.isolated("\\u0648\\u064a\\u0628")
        ('web (v2)', '\\u2068\\u0648\\u064a\\u0628\\u2069')
        """
        if self.direction == "ltr" and text.isascii():
            return text
        against = AGAINST[self.direction]
        return f"\u2068{text}\u2069" if any(bidirectional(letter) in against for letter in text) else text

    # Dates and numbers

    def on(self, there: date, *, year: bool) -> str:
        """Write a day, with its year or without.

        >>> ENGLISH.on(date(2026, 11, 1), year=False), ENGLISH.on(date(2026, 11, 1), year=True)
        ('1 Nov', '1 Nov 2026')
        """
        return (self.dated if year else self.day) % self.fields(there)

    def month_of(self, there: date) -> str:
        """Write a month of a year.

        >>> ENGLISH.month_of(date(2026, 11, 1))
        'Nov 2026'
        """
        return self.month % self.fields(there)

    def fields(self, there: date) -> dict[str, object]:
        """Return what the places of dates are filled with."""
        name = self.months[there.month - 1]
        return {"d": there.day, "M": there.month, "MMM": name, "LLL": name, "y": there.year}

    def at(self, day: str, clock: str) -> str:
        """Put a written day before a clock, if there is one.

        >>> ENGLISH.at("1 Nov", "09:05"), ENGLISH.at("", "09:05")
        ('1 Nov, 09:05', '09:05')
        """
        return self.moment.format(clock, day) if day else clock

    def number(self, text: str) -> str:
        """Write a number that was written with a point."""
        return text.replace(".", self.decimal)

    def counted(self, count: int) -> str:
        """Write a large number.

        >>> ENGLISH.counted(1_234_567)
        '1,234,567'
        """
        return f"{count:,}".replace(",", self.thousands)

    def share(self, percent: str) -> str:
        """Write a percentage.

        >>> ENGLISH.share("99.987")
        '99.987%'
        """
        return self.percent.format(self.number(percent))


ENGLISH = Tongue(
    code="en",
    direction="ltr",
    catalogue=NullTranslations(),
    months=("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    weekdays=("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"),
    day="%(d)s %(MMM)s",
    dated="%(d)s %(MMM)s %(y)s",
    month="%(MMM)s %(y)s",
    moment="{1}, {0}",
    decimal=".",
    thousands=",",
    percent="{}%",
    two="{0} and {1}",
    longer=("{0}, {1}", "{0}, {1}", "{0} and {1}"),
)
