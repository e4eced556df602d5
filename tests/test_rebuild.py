"""Building again: only what has changed is made, and the folder holds what a build from nothing would write."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from helpers import T0
from test_cycle import Pretended, configured

from uplog.collector.config import Config
from uplog.collector.cycle import cycle
from uplog.collector.model import Check, Correction, CouldNot, State
from uplog.collector.planning import Pace
from uplog.collector.store import Store, corrections, operate, upkeep
from uplog.collector.store.purge import doomed, purge
from uplog.collector.store.read import history_at
from uplog.site import build as building
from uplog.site import memory, render, stamp
from uplog.site.build import Built, build
from uplog.site.values import Case, Page, ServiceView
from uplog.site.write import MANIFEST

pytestmark = pytest.mark.unit

MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
SAID = "---\ntitle: Much is slow\nservices: web\nstarted: 2026-11-01 00:05\n---\nWe look.\n"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Site:
    """Some services in a world that is moved by hand, and their pages."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.chance = Random(seed)
        self.down: set[str] = set()
        self.names = ["web", "api", "mail"]
        self.tables: dict[str, Any] = {"defaults": {"failure_threshold": 1}}
        self.world = Pretended(self.says)
        self.store = Store(self.config.database, zone=self.config.timezone)
        self.asks()

    def says(self, check: Check, now: object) -> str:
        return "-" if check.service.rpartition("/")[2] in self.down else "+"

    @property
    def config(self) -> Config:
        services = [{"name": one, "url": f"http://{one}.invalid/", "public": one != "mail"} for one in self.names]
        return configured(self.folder, {"service": services, **self.tables})

    def asks(self) -> None:
        cycle(self.config, self.store, self.world.ask, self.world.clock, pace=Pace(every=60_000))

    def build(self, **more: Any) -> list[Built]:
        return build(self.config, self.store, self.world.now, **more)

    def written(self) -> list[str]:
        return [name for one in self.build() for name in one.written]

    # What may happen

    def goes_on(self) -> None:
        for _ in range(self.chance.choice((1, 2, 5))):
            self.world.now += MINUTE
            self.asks()

    def fails_or_recovers(self) -> None:
        self.down ^= {self.chance.choice(self.names)}
        self.goes_on()

    def falls_silent(self) -> None:
        self.world.now += self.chance.choice((5 * MINUTE, 3 * HOUR, 30 * HOUR))

    def days_are_closed(self) -> None:
        with self.store.writing() as db:
            upkeep.move_days(db)

    def is_corrected(self, name: str = "") -> None:
        end = self.world.now - self.chance.randint(0, 3) * MINUTE
        said = Correction(start=end - 2 * MINUTE, end=end, state=State.DOWN, why="I know better")
        self.operated(lambda db, name: corrections.correct(db, name, said, "me", self.world.now, self.store.zone), name)

    def is_renamed(self, name: str = "") -> None:
        new = f"called {self.chance.randint(0, 9)}"
        self.operated(lambda db, name: operate.rename(db, name, new, self.world.now), name)

    def is_paused(self) -> None:
        self.operated(lambda db, name: operate.pause(db, name, self.world.now, None, self.store.zone))

    def is_resumed(self) -> None:
        self.operated(lambda db, name: operate.resume(db, name, self.world.now))

    def operated(self, does: Callable[[sqlite3.Connection, str], object], name: str = "") -> None:
        """Do something to a service, unless that makes no sense now."""
        with suppress(CouldNot), self.store.writing() as db:
            does(db, name or self.chance.choice(self.names))

    def is_purged(self) -> None:
        with suppress(CouldNot):
            with self.store.reading() as db:
                gone = doomed(db, self.chance.choice(self.names))
            purge(self.store, gone, self.world.now)
        self.goes_on()

    def is_declared_or_not(self) -> None:
        self.names = self.chance.choice((["web", "api", "mail"], ["web", "api", "mail", "new"], ["web", "api"]))
        self.goes_on()

    def is_configured(self) -> None:
        self.tables["uplog"] = self.chance.choice(
            ({}, {"title": "Ours"}, {"timezone": "Asia/Kolkata"}, {"public_url": "https://status.example.org/"})
        )

    def has_maintenance(self) -> None:
        start = self.world.now.replace(microsecond=0) + self.chance.choice((-MINUTE, 10 * MINUTE))
        window = {"start": start.isoformat(), "end": (start + 5 * MINUTE).isoformat(), "text": "Updates."}
        self.tables["maintenance"] = self.chance.choice(([], [window]))
        self.goes_on()

    def is_told_of(self) -> None:
        path = self.folder / "incidents" / "slow.md"
        path.parent.mkdir(exist_ok=True)
        resolved = self.chance.choice(("", "resolved: 2026-11-01 00:09\n"))
        if self.chance.random() < 0.3:
            path.unlink(missing_ok=True)
        else:
            path.write_text(SAID.replace("---\nWe", f"{resolved}---\nWe"))

    def is_tampered_with(self) -> None:
        self.build()
        public = self.folder / "public"
        path = self.chance.choice(
            sorted(path for path in public.rglob("*") if path.is_file() and path.name != MANIFEST)
        )
        if self.chance.random() < 0.5:
            path.unlink()
        else:
            path.write_bytes(b"nonsense")


EVENTS = [
    Site.goes_on,
    Site.fails_or_recovers,
    Site.fails_or_recovers,
    Site.falls_silent,
    Site.days_are_closed,
    Site.is_corrected,
    Site.is_renamed,
    Site.is_paused,
    Site.is_resumed,
    Site.is_purged,
    Site.is_declared_or_not,
    Site.is_configured,
    Site.has_maintenance,
    Site.is_told_of,
    Site.is_tampered_with,
]


@pytest.fixture(autouse=True)
def certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe that what was changed just now will be seen: tests change much within a tenth of a second."""
    monkeypatch.setattr(stamp, "JUST_NOW_NS", -3_600_000_000_000)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with made.store:
        yield made


def test_what_is_decided_and_told_between_two_answers_shows_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.build()
    site.world.now += MINUTE + timedelta(seconds=5)
    site.operated(lambda db, name: operate.retire(db, name, site.world.now), "api")
    path = tmp_path / "incidents" / "slow.md"
    path.parent.mkdir()
    path.write_text(SAID.replace("2026-11-01 00:05", f"{site.world.now:%Y-%m-%d %H:%M}"))
    os.utime(path, (site.world.now.timestamp(),) * 2)
    (tmp_path / "incidents" / "old.md").write_text(SAID)
    os.utime(tmp_path / "incidents" / "old.md", (9_000_000_000,) * 2)  # by a clock that was wrong
    site.world.now += timedelta(seconds=5)

    assert "incident/slow.html" in site.written()
    assert not (tmp_path / "public/service/api.html").exists()

    site.world.now += timedelta(seconds=5)
    (tmp_path / "incidents" / ".slow.md.swp").touch()
    os.utime(tmp_path / "incidents" / ".slow.md.swp", (site.world.now.timestamp(),) * 2)

    assert site.written() == []


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_a_site_built_again_and_again_is_the_one_built_from_nothing(tmp_path: Path, seed: int) -> None:
    site = Site(tmp_path, seed)
    with site.store:
        for event in site.chance.sample(EVENTS, len(EVENTS)):
            event(site)
            site.build()
            for audience in ("public", "internal"):
                (whole,) = site.build(audiences=(audience,), out=tmp_path / "whole")
                folder = tmp_path / ("public" if audience == "public" else "internal")

                assert contents(folder) == contents(whole.folder), (event.__name__, audience)
                shutil.rmtree(tmp_path / "whole")
                memory.place(site.config.database, tmp_path / "whole").unlink()


def test_what_was_built_is_not_even_read_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first = site.build()
    monkeypatch.setattr(building, "history_at", None)

    again = site.build()

    assert [replace(one, written=()) for one in first] == [replace(one, problems=list(one.problems)) for one in again]
    assert all(len(one.written) > 20 for one in first)


def test_a_site_for_the_public_imports_neither_what_only_the_operator_sees_nor_what_reads_words_of_theirs() -> None:
    program = "import sys, uplog.site.build, uplog.site.pages, uplog.site.status; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert "uplog.site.render" in told
    assert [
        name
        for name in told
        if name.startswith(("uplog.site.inside", "uplog.collector.drift", "uplog.collector.why", "yaml", "markdown_it"))
    ] == []


@pytest.mark.parametrize(("there", "problems"), [("nothing", 0), ("an empty folder", 0), ("a file", 1)])
def test_what_the_operator_may_have_written_is_told_where_it_cannot_be_read(
    site: Site, there: str, problems: int
) -> None:
    path = site.config.incidents
    if there == "an empty folder":
        path.mkdir()
    elif there == "a file":
        path.write_text("We look.")

    assert [one.audience for one in site.build() if len(one.problems) == problems] == ["public", "internal"]


def test_building_again_touches_no_file(site: Site) -> None:
    def stood() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in (site.folder / "public").rglob("*")}

    site.build()
    before = stood()

    site.build()

    assert stood() == before


CHANGES: dict[str, Callable[[Site], object]] = {
    "an answer": lambda site: site.goes_on(),
    "a correction": lambda site: site.is_corrected("web"),
    "another name": lambda site: site.is_renamed("web"),
    "a setting": lambda site: site.tables.update(uplog={"title": "Ours"}),
    "maintenance to come": lambda site: site.tables.update(
        maintenance=[{"start": "2026-11-03T00:00:00Z", "end": "2026-11-03T01:00:00Z"}]
    ),
    "words of the operator": lambda site: (site.folder / "incidents" / "slow.md").write_text(SAID),
    "silence": lambda site: site.falls_silent(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_of_what_a_page_follows_from_is_noticed(site: Site, change: str) -> None:
    (site.folder / "incidents").mkdir()
    for _ in range(8):
        site.goes_on()
    site.build()

    CHANGES[change](site)

    assert "index.html" in site.written()


def test_another_language_makes_every_page_and_feed_again(site: Site) -> None:
    site.down.add("web")
    site.goes_on()
    site.build()

    site.tables.update(uplog={"language": "de"})
    again = {one.audience: {*one.written} for one in site.build()}

    for audience, folder in (("public", site.config.site), ("internal", site.config.internal)):
        spoken = {name for name in contents(folder) if name.endswith((".html", ".xml")) and name != "sitemap.xml"}
        assert len(spoken) > 10
        assert spoken - again[audience] == set()


@pytest.mark.parametrize("change", ["a template", "a library", "the zone", "Datasette"])
def test_a_stamp_tells_of_all_that_is_not_in_the_record(
    site: Site, change: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "page.html").write_text("one")
    monkeypatch.setattr(stamp, "OURS", (theirs,))
    stamp.made_by.cache_clear()
    before = stamp.stamp(site.config, T0, "http://127.0.0.1:8001/")

    more = "http://127.0.0.1:8001/"
    match change:
        case "a template":
            (theirs / "page.html").write_text("three")
        case "a library":
            monkeypatch.setattr(stamp, "THEIRS", ("json",))
        case "the zone":
            monkeypatch.setattr(stamp, "days", lambda now, zone, count: [("2026-11-01", T0)])
        case "Datasette":
            more = "http://127.0.0.1:9001/"
    stamp.made_by.cache_clear()

    assert stamp.stamp(site.config, T0, more) != before
    stamp.made_by.cache_clear()


def test_what_was_changed_just_now_has_no_stamp(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamp, "JUST_NOW_NS", 3_600_000_000_000)

    assert stamp.stamp(site.config, T0) is None
    assert site.written()
    assert not site.written()


def test_a_stamp_is_the_same_in_another_process(site: Site) -> None:
    script = (
        "from pathlib import Path; from datetime import datetime; from uplog.collector.config import load;"
        "from uplog.site import stamp; stamp.JUST_NOW_NS = -10**15; import sys;"
        "print(stamp.stamp(load(Path(sys.argv[1]), {}), datetime.fromisoformat(sys.argv[2])))"
    )
    path = site.folder / "uplog.toml"
    path.write_text(
        '[discover.docker]\n[discover.listeners]\n[discover.systemd]\n[discover.readme]\n[[service]]\nname = "web"\nurl = "http://web.invalid/"\n'
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script, str(path), T0.isoformat()],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(told) == 1


@pytest.mark.parametrize("does", ["remove", "alter"])
def test_a_file_that_somebody_removed_or_altered_is_made_again_and_no_other(site: Site, does: str) -> None:
    site.build()
    path = site.folder / "public" / "service" / "web.html"
    before = path.read_bytes()
    if does == "remove":
        path.unlink()
    else:
        path.write_bytes(before[::-1])

    assert site.written() == ["service/web.html"]
    assert path.read_bytes() == before


def test_only_pages_that_tell_of_what_changed_are_made_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.down = {"api"}
    site.goes_on()
    site.down = set()
    site.goes_on()
    site.build()
    made: list[str] = []

    def noting(template: Any, page: Page, one: ServiceView | Case, *more: object) -> bytes:
        made.append(one.name)
        return b""

    monkeypatch.setattr(render, "page_of", noting)
    monkeypatch.setattr(render, "incident_of", noting)
    with site.store.writing() as db:
        operate.rename(db, "web", "The web", site.world.now)
    site.build(audiences=("public",))

    assert made == ["The web"]


@pytest.mark.parametrize("damage", [b"", b"\x00" * 100, None])
def test_what_is_remembered_may_be_lost(site: Site, damage: bytes | None) -> None:
    site.build()
    before = contents(site.folder / "public")
    path = memory.place(site.config.database, site.folder / "public")
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(damage) if damage is not None else path.unlink()

    assert not site.written()
    assert contents(site.folder / "public") == before


@pytest.mark.parametrize("version", ["the same", "another"])
def test_only_pages_of_this_version_are_believed_to_be_what_it_would_make(
    site: Site, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.build()
    folder, path = site.folder / "public", site.folder / "public" / "about.html"
    path.write_bytes(b"as a version before made it")
    known = memory.recall(site.config.database, folder, stamp.made_by())
    assert known
    there = memory.seen(str(path))
    assert there
    known.files["about.html"] = known.files["about.html"][0], there
    memory.keep(msgspec.structs.replace(known, stamp=None), site.config.database, folder)
    if version == "another":
        monkeypatch.setattr(building, "made_by", lambda: b"another")

    assert ("about.html" in site.written()) is (version == "another")


def test_reading_the_history_looks_answers_up_and_never_goes_through_all_of_them(site: Site) -> None:
    for _ in range(3):
        site.fails_or_recovers()
    site.days_are_closed()
    asked: list[str] = []
    with site.store.reading() as db:
        db.set_trace_callback(asked.append)
        history_at(db, site.world.now)
        db.set_trace_callback(None)
        steps = [step for sql in asked for *_, step in db.execute(f"explain query plan {sql}") if "observation" in sql]

    assert any("SEARCH o USING PRIMARY KEY" in step for step in steps)
    assert [step for step in steps if step.startswith("SCAN o") or "SCAN _observation" in step] == []
