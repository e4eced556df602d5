"""The page in other languages: whole catalogues, numbers and plurals as each writes them, and no English left."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from gettext import NullTranslations
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from helpers_inside import sown_inside
from helpers_inside import words as sown_words
from helpers_site import DOWN_NOW, NOW, UP, a_history, a_service, coming, said, small_fleet, told
from hypothesis import given
from hypothesis import strategies as st
from renew_catalogues import TRANSLATED, extracted, written

from uplog.collector.config import parse
from uplog.collector.model import History, Instances, Reason, State
from uplog.collector.store import Store
from uplog.collector.surroundings import Around, Ran, Restart, Surroundings
from uplog.site import words
from uplog.site.build import build
from uplog.site.catalogue import LOCALE, tongue
from uplog.site.inside.values import Inside
from uplog.site.inside.whole import inside
from uplog.site.render import render
from uplog.site.tongue import ENGLISH, Tongue
from uplog.site.view import calendar_of, page, views

pytestmark = pytest.mark.unit

LANGUAGES = ["en", *TRANSLATED]
PLACE = re.compile(r"%(?:\((\w+)\)[sd]|%)")
IN_A_WORD = {"ar": (0, 1, 2)}  # forms of one number only, which they may say without a digit


def key(one: Message) -> tuple[object, object]:
    return one.context, one.id


def messages(catalogue: Catalog) -> list[Message]:
    return [one for one in catalogue if one.id]


def forms(text: object) -> list[str]:
    return [str(form) for form in text] if isinstance(text, (tuple, list)) else [str(text)]


# Catalogues


def test_every_language_that_can_be_chosen_has_a_catalogue() -> None:
    assert sorted(folder.name for folder in LOCALE.iterdir()) == sorted(TRANSLATED)


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_catalogue_has_the_messages_of_the_sources_and_no_others(code: str) -> None:
    """Renewed by `python tests/renew_catalogues.py`."""
    wanted, there = map(key, messages(extracted())), map(key, messages(written(code)))

    assert set(there) ^ set(wanted) == set()


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_message_is_translated_in_all_forms_and_none_is_a_guess(code: str) -> None:
    catalogue = written(code)
    for one in messages(catalogue):
        said = forms(one.string)
        assert len(said) == (catalogue.num_plurals if isinstance(one.id, (tuple, list)) else 1), one.id
        assert all(text.strip() or one.context == "between clauses" for text in said), one.id
        assert not one.fuzzy, one.id


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_fills_the_places_of_its_message(code: str) -> None:
    for one in messages(written(code)):
        first, wanted = set(PLACE.findall(forms(one.id)[0])), set(PLACE.findall(forms(one.id)[-1]))
        for number, text in enumerate(forms(one.string)):
            in_a_word = number in IN_A_WORD[code] if code in IN_A_WORD else number == 0 and first < wanted
            found = set(PLACE.findall(text))
            assert wanted - ({"count"} if in_a_word else set()) <= found <= wanted, (one.id, text)
            assert "%" not in PLACE.sub("", text), (one.id, text)


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_translation_can_stand_in_markup_and_in_a_template(code: str) -> None:
    assert [text for one in messages(written(code)) for text in forms(one.string) if set(text) & set('"<>&{}')] == []


# Pages


@cache
def site(code: str, audience: str = "public") -> dict[str, bytes]:
    return site_in(tongue(code), audience)


def site_in(spoken: Tongue, audience: str, history: History | None = None) -> dict[str, bytes]:
    shown = history or small_fleet()
    return render(
        page(
            shown,
            zone=UTC,
            audience=audience,  # type: ignore[arg-type]
            tongue=spoken,
            title="Acme",
            announced=coming(),
            said=said(),
            inside=sown() if shown.services else nothing(spoken),
            keep=90 * 86_400_000,
        )
    )


def sown() -> Inside:
    """Return something in every field that only the operator sees."""
    return sown_inside([one.service.slug for one in small_fleet().services])


def nothing(spoken: Tongue) -> Inside:
    """Return what only the operator sees where nothing is."""
    return inside([], Surroundings(), calendar_of(NOW, UTC, spoken))


def readable(files: dict[str, bytes]) -> dict[str, str]:
    """Return what people read of the site, with its markup."""
    return {
        name: re.sub(r"(<(style|script)[^>]*>).*?</\2>", r"\1", content.decode(), flags=re.DOTALL)
        for name, content in files.items()
        if name.endswith((".html", ".xml", ".svg", ".ics")) or re.fullmatch(r"badge/.*\.json", name)
    }


@pytest.mark.parametrize("audience", ["public", "internal"])
@pytest.mark.parametrize("code", TRANSLATED)
def test_no_english_is_left_on_a_page(code: str, audience: str) -> None:
    found = readable(site(code, audience))
    for one in messages(written(code)):
        for text in forms(one.id):
            if text.lower() in [said.lower() for said in forms(one.string)]:
                continue
            whole = re.compile(rf">\s*{re.escape(words.sentence(text))}\s*<|>\s*{re.escape(text)}\s*<")
            parts = [part.strip() for part in re.split(r"%\(\w+\)s", text) if " " in part.strip()]
            for name, content in found.items():
                assert not whole.search(content), (name, text)
                assert not [part for part in parts if part in content], (name, text)


class Marked(NullTranslations):
    """Says every message in brackets."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"

    def pgettext(self, context: str, message: str) -> str:
        return f"⟦{message}⟧"


def texts(value: object) -> Iterator[str]:
    """Yield the texts of a value that people wrote."""
    if isinstance(value, str) and not isinstance(value, Enum):
        yield value
    elif is_dataclass(value):
        yield from (text for one in fields(value) for text in texts(getattr(value, one.name)))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        yield from (text for one in value for text in texts(one))


def all_words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[^\W\d_]+", text)}


def beside_messages(text: str) -> str:
    """Return what a reader finds in *text* outside of brackets, which may stand in brackets."""
    rest = re.sub("⟦[^⟦⟧]*⟧", " ", text)
    return (
        beside_messages(rest)
        if rest != text
        else re.sub("<[^>]*>", lambda tag: f" {' '.join(READ.findall(tag[0]))} ", text)
    )


READ = re.compile(
    r'(?:aria-label|title|summary|placeholder|data-unknown|data-local|data-stale(?:-headline|-detail|-title)?)="([^"]*)"'
)
PASTED = re.compile(r'<code class="copy">.*?</code>', re.DOTALL)
OURS = {"uplog", "utc", "acme", "html", "markdown", "status", "json", "liveness", "lt", "gt", "amp"}  # in no language


@pytest.mark.parametrize("audience", ["public", "internal"])
def test_what_is_no_message_on_a_page_is_a_name_or_what_people_wrote(audience: str) -> None:
    marked = replace(ENGLISH, catalogue=Marked())
    known = OURS | all_words(
        " ".join(
            texts(
                [
                    small_fleet(),
                    said(),
                    coming(),
                    list(sown_words(sown())),
                    ENGLISH.months,
                    ENGLISH.weekdays,
                    ENGLISH.two,
                ]
            )
        )
    )
    empty = {f"empty {name}": content for name, content in site_in(marked, audience, a_history(newest=None)).items()}
    found = readable(site_in(marked, audience) | empty)
    found = {name: PASTED.sub("", text) for name, text in found.items()}
    pages = {name: text for name, text in found.items() if name.endswith(".html")}

    assert {name: left for name, text in pages.items() if (left := all_words(beside_messages(text)) - known)} == {}


@pytest.mark.parametrize(("code", "direction"), [*((code, "ltr") for code in LANGUAGES if code != "ar"), ("ar", "rtl")])
def test_pages_and_feeds_say_what_language_they_are_in(code: str, direction: str) -> None:
    for name, content in site(code).items():
        if name.endswith(".html"):
            assert f'<html lang="{code}" dir="{direction}"'.encode() in content, name
        elif name.endswith(".xml"):
            assert f' xml:lang="{code}"'.encode() in content, name


def test_machines_read_the_same_in_every_language_but_for_the_headline() -> None:
    def status(code: str) -> dict[str, object]:
        return {**json.loads(site(code)["status.json"]), "headline": None}

    assert all(status(code) == status("en") for code in TRANSLATED)
    assert json.loads(site("de")["status.json"])["headline"]["text"] == "Checkout API und CDN sind ausgefallen"
    assert {code: site(code)["metrics.prom"] for code in TRANSLATED} == dict.fromkeys(
        TRANSLATED, site("en")["metrics.prom"]
    )


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "99.983% in 90 days"),
        ("de", "99,983\xa0% (90 Tage)"),
        ("fr", "99,983\xa0% (90 jours)"),
        ("ja", "99.983%（90日間）"),  # noqa: RUF001  as Japanese is written
    ],
)
def test_a_badge_writes_percent_as_its_language_does(code: str, text: str) -> None:
    assert f"<title>Ledger: {text}</title>" in site(code)["badge/ledger.uptime-90d.svg"].decode().replace("\xa0:", ":")


# Words


@pytest.mark.parametrize(
    ("code", "counted"),
    [
        ("en", ["1 day", "2 days", "3 days", "11 days", "100 days"]),
        ("de", ["1 Tag", "2 Tage", "3 Tage", "11 Tage", "100 Tage"]),
        ("fr", ["1 jour", "2 jours", "3 jours", "11 jours", "100 jours"]),
        ("ja", ["1日", "2日", "3日", "11日", "100日"]),
        ("ar", ["يوم واحد", "يومان", "3 أيام", "11 يومًا", "100 يوم"]),
    ],
)
def test_numbers_have_their_forms(code: str, counted: list[str]) -> None:
    assert [words.duration(tongue(code), 86_400 * days) for days in (1, 2, 3, 11, 100)] == counted


def test_none_has_a_form_too() -> None:
    def none(code: str) -> str:
        return tongue(code).ngettext("%(count)s of %(total)s up", "%(count)s of %(total)s up", 0, total=2)

    assert (none("fr"), none("es"), none("ar")) == ("0 sur 2 disponible", "0 de 2 disponibles", "0 من 2 تعمل")


@pytest.mark.parametrize("code", LANGUAGES)
@given(seconds=st.integers(0, 10**9), ms=st.integers(1, 10**9))
def test_every_length_of_time_can_be_told(code: str, seconds: int, ms: int) -> None:
    spoken = tongue(code)
    for text in (words.duration(spoken, seconds), words.milliseconds(spoken, ms), words.about(spoken, ms)):
        assert text.strip() == text != ""
        assert "%" not in text


@pytest.mark.parametrize(
    ("code", "moment"),
    [
        ("en", "1 Nov 2025, 09:05"),
        ("de", "1. Nov. 2025, 09:05"),
        ("es", "1 nov 2025, 09:05"),
        ("fr", "1 nov. 2025, 09:05"),
        ("ja", "2025年11月1日 09:05"),
        ("ar", "1 نوفمبر 2025، 09:05"),
    ],
)
def test_a_moment_has_its_order_and_a_clock_of_24_hours(code: str, moment: str) -> None:
    assert words.moment(tongue(code), datetime(2025, 11, 1, 9, 5, tzinfo=UTC), UTC, NOW) == moment


def test_english_is_written_as_in_britain() -> None:
    english, british = Locale("en"), Locale("en", "GB")
    dates, lists = british.datetime_skeletons, british.list_patterns["standard"]

    assert list(ENGLISH.months) == [english.months["format"]["abbreviated"][month] for month in range(1, 13)]
    assert (ENGLISH.day, ENGLISH.dated, ENGLISH.month) == tuple(dates[one].format for one in ("MMMd", "yMMMd", "yMMM"))
    assert (ENGLISH.two, *ENGLISH.longer) == tuple(lists[one] for one in ("2", "start", "middle", "end"))


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("shown", words.STATES)
def test_a_headline_names_one_and_two_and_counts_more(code: str, shown: str) -> None:
    def headline(names: str, total: int) -> str:
        return words.headline(tongue(code), shown, names.split(), total)

    assert "web" in headline("web", 3)
    assert all(name in headline("web mail", 3) for name in ("web", "mail"))
    assert "3" in headline("a b c", 3)
    assert all(number in headline("a b c", 5) for number in "35")
    assert len({headline("web", 3), headline("web mail", 3), headline("a b c", 3), headline("a b c", 5)}) == 4


def test_a_name_is_kept_together_where_it_is_written_against_the_page() -> None:
    names = ["api (v2)", "قاعدة"]

    assert words.who(tongue("ar"), names, 9) == "\u2068api (v2)\u2069 وقاعدة"
    assert words.who(ENGLISH, names, 9) == f"api (v2) and \u2068{names[1]}\u2069"


def test_a_cause_is_told_in_the_language_of_the_page() -> None:
    db = told(DOWN_NOW, a_service("db", name="db"))
    api = told(((*UP, (0.01, State.DOWN, Reason.TIMEOUT))), a_service("api"), needs=("config//db",))
    made = page(a_history(api, db), zone=UTC, audience="public", tongue=tongue("de"))

    (because,) = [one.because for one in made.services if one.slug == "api"]
    assert because == "wahrscheinliche Ursache: db ist seit 21. Nov., 09:37 ausgefallen"


def test_what_the_operator_reads_of_runs_and_restarts_is_in_the_language_of_the_page() -> None:
    spoken = tongue("de")
    run = Ran(at=NOW, took=None, trigger="watch", planned=4, observed=3, late=1_500, error="")
    around = Around(
        instances=Instances(expected=3, running=2, ready=1),
        restarted=Restart(at=NOW, detail='{"what": "restarts", "old": 1, "new": 3, "exit_code": 137}', source="docker"),
    )
    web = told(UP, a_service("web"))
    known = Surroundings(services={web.service.key: around}, runs=[run], day=[run])

    made = inside(views(a_history(web), UTC, spoken), known, calendar_of(NOW, UTC, spoken))

    assert made.services["web"].instances == "1 von 3 bereit, 2 laufen"
    assert made.services["web"].restart == "21. Nov., 10:00, 2 Neustarts gezählt, Exit-Code 137, docker"
    assert (made.runs.newest[0].asked, made.runs.newest[0].error) == ("3 von 4", "endete nicht von selbst")
    assert made.runs.spread == (("Verspätung", "1,5 s", "1,5 s", "1,5 s"),)


# Choosing


def test_the_configuration_chooses_the_language(tmp_path: Path) -> None:
    config = parse({"uplog": {"language": "de"}}, folder=tmp_path)
    with Store(config.database, zone=config.timezone) as store:
        build(config, store, NOW, audiences=["public"])

    assert b'<html lang="de"' in (config.site / "index.html").read_bytes()
    assert "Noch gibt es nichts zu zeigen" in (config.site / "index.html").read_text()


def test_an_english_page_costs_no_babel() -> None:
    program = "import sys, uplog.site.pages as b; b.tongue_of('en'); print([m for m in sys.modules if 'babel' in m])"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
