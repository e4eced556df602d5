"""Read the languages of the page: messages from locale/<code>/LC_MESSAGES/uplog.po, dates and numbers from babel."""

from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from .tongue import ENGLISH, Tongue

LOCALE = Path(__file__).parent / "locale"


def po(code: str) -> Path:
    """Return the file of the messages of the language called *code*."""
    return LOCALE / code / "LC_MESSAGES" / "uplog.po"


@cache
def tongue(code: str) -> Tongue:
    """Return the language called *code*; English, the language of the messages, needs no file.

    Clocks have 24 hours and digits are Western ones in all of them.
    """
    if code == ENGLISH.code:
        return ENGLISH
    from babel import Locale  # what a page in English has no need of

    locale = Locale.parse(code)
    dates, lists, signs = locale.datetime_skeletons, locale.list_patterns["standard"], locale.number_symbols["latn"]
    return Tongue(
        code=code,
        direction="rtl" if locale.character_order == "right-to-left" else "ltr",
        catalogue=messages(code),
        months=tuple(locale.months["format"]["abbreviated"][month] for month in range(1, 13)),
        weekdays=tuple(locale.days["stand-alone"]["short"][day] for day in range(7)),
        day=dates["MMMd"].format,
        dated=dates["yMMMd"].format,
        month=dates["yMMM"].format,
        moment=str(locale.datetime_formats["medium"]),
        decimal=signs["decimal"],
        thousands=signs["group"],
        percent=locale.percent_formats[None].pattern.replace("#,##0", "{}").replace("%", signs["percentSign"]),
        two=lists["2"],
        longer=(lists["start"], lists["middle"], lists["end"]),
    )


def messages(code: str) -> GNUTranslations:
    """Compile the messages of a language in memory."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with po(code).open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)
