"""Files on disk: whole or not at all, only what changed, nobody else's."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from uplog.site.write import MANIFEST, WriteFailed, fresh, write

pytestmark = pytest.mark.unit

SITE = {"index.html": b"index", "service/web.html": b"web", "status.json": b"{}"}


def there(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}


def test_the_first_build_makes_the_folder_and_writes_everything_index_last(tmp_path: Path) -> None:
    assert write(SITE, tmp_path / "a" / "public") == ["service/web.html", "status.json", "index.html"]
    assert (tmp_path / "a/public/service/web.html").read_bytes() == b"web"


def test_a_build_that_changes_nothing_touches_no_file(tmp_path: Path) -> None:
    write(SITE, tmp_path)
    before = {path: path.stat() for path in tmp_path.rglob("*")}

    assert write(SITE, tmp_path) == []
    assert {path: path.stat() for path in tmp_path.rglob("*")} == before


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    write(SITE, tmp_path)

    assert write({**SITE, "status.json": b"{1}"}, tmp_path) == ["status.json"]


def test_files_that_are_ours_no_more_go_and_foreign_ones_stay(tmp_path: Path) -> None:
    write({**SITE, "service/old.html": b"old", "gone/x.html": b"x"}, tmp_path)
    (tmp_path / "CNAME").write_text("status.example")
    (tmp_path / "service/mine.html").write_text("mine")

    write(SITE, tmp_path)

    assert there(tmp_path) == {*SITE, "CNAME", "service/mine.html"}
    assert not (tmp_path / "gone").exists()


def test_a_manifest_cannot_make_us_remove_what_lies_outside(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / MANIFEST).write_text(f"../precious\n{tmp_path}/precious\n.hidden\n\n")

    write(SITE, tmp_path / "site")

    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", ".x", "a/.x", "", "a//b", "./a"])
def test_names_that_leave_the_folder_or_hide_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        write({name: b""}, tmp_path)


def test_a_failure_leaves_the_site_as_it_was_and_is_one_sentence(tmp_path: Path) -> None:
    write(SITE, tmp_path)
    (tmp_path / ".index.html.part").mkdir()  # the index cannot be written

    with pytest.raises(WriteFailed, match=r"^could not write .*index\.html\.part: [A-Z][a-z ]+$"):
        write({**SITE, "index.html": b"new", "status.json": b"new"}, tmp_path)

    assert {name: (tmp_path / name).read_bytes() for name in there(tmp_path)} == SITE


def test_a_file_where_the_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "public").write_text("")

    with pytest.raises(WriteFailed, match=r"^could not write .*public: "):
        write(SITE, tmp_path / "public")


def test_the_public_can_read_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(SITE, tmp_path / "public")
    finally:
        os.umask(before)

    assert modes(tmp_path / "public") == {0o755, 0o644}


def test_the_internal_folder_shuts_others_out_also_when_it_was_there(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    write(SITE, tmp_path, 0o700)

    assert modes(tmp_path) == {0o700, 0o600}


def test_a_file_for_the_operator_was_never_open_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        handle = fresh(f"{tmp_path}/part", 0o700)
    finally:
        os.umask(before)
    with os.fdopen(handle, "wb"):
        assert modes(tmp_path) >= {0o600}


def test_what_lies_where_a_file_is_written_first_is_replaced_and_a_link_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    site = tmp_path / "public"
    site.mkdir()
    (site / ".index.html.part").symlink_to(tmp_path / "mine")
    (site / ".status.json.part").write_text("longer than what comes, of a build that was killed")

    write(SITE, site)

    assert (tmp_path / "mine").read_text() == "mine"
    assert {name: (site / name).read_bytes() for name in SITE} == SITE
    assert there(site) == set(SITE)


def test_a_public_folder_keeps_the_mode_that_its_owner_gave_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)

    write(SITE, tmp_path)

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o775


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}


WRITER = """
import sys
from pathlib import Path
from uplog.site.write import write
names = ["index.html", *(f"service/{n}.html" for n in range(20))]
print("ready", flush=True)
for turn in range(100_000):
    write({name: str(turn % 10).encode() * 100_000 for name in names}, Path(sys.argv[1]))
"""


def test_a_build_killed_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    for turn in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(0.02 + turn * 0.007)
            writer.send_signal(signal.SIGKILL)
        for path in [tmp_path / name for name in there(tmp_path) if not name.endswith(".part")]:
            content = path.read_bytes()
            assert len(content) == 100_000
            assert len(set(content)) == 1

    write(SITE, tmp_path)

    assert there(tmp_path) == set(SITE)


def test_two_builders_at_once_do_not_break_each_other(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    time.sleep(0.7)
    codes = [writer.poll() for writer in writers]
    for writer in writers:
        writer.kill()
        writer.communicate()

    assert codes == [None, None]
