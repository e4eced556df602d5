"""What keeps a page from being written costs one sentence: what was there stays, and the next build heals it."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers_killed import scripted

from uplog.site.write import MANIFEST, WriteFailed, write

pytestmark = pytest.mark.integration

OLD = {"index.html": b"old" * 999, "service/web.html": b"old" * 999, "status.json": b"old"}
NEW = {**dict.fromkeys(OLD, b"new" * 999), "incident/1.html": b"new" * 999}


def there(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    found.pop(MANIFEST, None)
    return found


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A page as it was built before."""
    write(OLD, tmp_path / "site")
    return tmp_path / "site"


def refused(folder: Path, files: dict[str, bytes] = NEW) -> str:
    with pytest.raises(WriteFailed) as caught:
        write(files, folder)
    return str(caught.value).replace(str(folder), "SITE")


# What stands where a file should


def test_a_folder_where_a_file_should_be_is_one_sentence_and_the_page_stays(site: Path) -> None:
    (site / "status.json").unlink()
    (site / "status.json").mkdir()

    assert refused(site) == "could not write SITE/status.json: Is a directory"
    assert there(site) == {name: content for name, content in OLD.items() if name != "status.json"}

    (site / "status.json").rmdir()
    write(NEW, site)
    assert there(site) == NEW


def test_a_file_where_a_folder_should_be_is_one_sentence_and_the_page_stays(site: Path) -> None:
    (site / "incident").write_text("mine")

    assert refused(site).startswith("could not write SITE/incident/")
    assert there(site) == {**OLD, "incident": b"mine"}


@pytest.mark.parametrize("name", ["index.html", ".index.html.part", "incident/.1.html.part", "..uplog-files.part"])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(
    site: Path, link: Callable[[Path, Path], None], name: str
) -> None:
    (precious := site.parent / "precious").write_bytes(b"precious")
    (site / name).parent.mkdir(exist_ok=True)
    (site / name).unlink(missing_ok=True)
    link(precious, site / name)

    write(NEW, site)

    assert precious.read_bytes() == b"precious"
    assert stat.S_IMODE(precious.stat().st_mode) == 0o666 & ~umask()
    assert there(site) == NEW
    assert not [path for path in site.rglob("*") if path.is_symlink()]


def umask() -> int:
    os.umask(before := os.umask(0))
    return before


@pytest.mark.parametrize(("name", "files"), [("service", {"index.html": b"new"}), ("service", NEW), ("incident", NEW)])
def test_nothing_is_written_or_removed_through_a_folder_that_is_a_link(
    site: Path, name: str, files: dict[str, bytes]
) -> None:
    elsewhere = site.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "web.html").write_text("precious")
    shutil.rmtree(site / name, ignore_errors=True)
    (site / name).symlink_to(elsewhere)

    assert refused(site, files) == f"could not write SITE/{name}: expected a folder, got a symbolic link"
    assert there(elsewhere) == {"web.html": b"precious"}
    assert (site / "index.html").read_bytes() == OLD["index.html"]


def test_the_folder_itself_may_be_a_link(site: Path) -> None:
    (site.parent / "public").symlink_to(site)

    write(NEW, site.parent / "public")

    assert there(site) == NEW


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(site: Path) -> None:
    (site / "index.html").unlink()
    os.mkfifo(site / "index.html")

    write(NEW, site)

    assert there(site) == NEW


# What the system does not allow

BUILD = """
import json, os, resource, sys
from pathlib import Path
from test_write_faults import NEW
from uplog.site.write import WriteFailed, write

def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))

def somebody_else():
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)

prepare, folder, mode = sys.argv[1:]
os.chdir(Path(folder).parent)  # before it may be out of reach
globals()[prepare]()
try:
    write(NEW, Path(Path(folder).name), int(mode))
except WriteFailed as error:
    print(error)
"""


def said(prepare: str, folder: Path, mode: int = 0o755) -> str:
    return scripted(BUILD, prepare, folder, mode).strip()


def test_a_file_that_cannot_be_written_whole_is_one_sentence_and_the_page_stays(site: Path) -> None:
    assert said("limited", site) == "could not write site: File too large"
    assert there(site) == OLD

    write(NEW, site)
    assert there(site) == NEW


def test_a_full_disk_is_one_sentence_and_the_page_stays(tmp_path: Path) -> None:
    script = f"""
        mount -t tmpfs -o size=96k disk {tmp_path} || exit 99
        {sys.executable} -c 'from test_write_faults import *; write(OLD, Path("{tmp_path}/site"))'
        dd if=/dev/zero of={tmp_path}/fill bs=4k status=none 2>/dev/null
        truncate -s -8k {tmp_path}/fill
        {sys.executable} - <<'EOF'
from test_write_faults import *
site = Path("{tmp_path}/site")
first = refused(site)
left = there(site) == OLD
(site.parent / "fill").unlink()
write(NEW, site)
print(json.dumps([first, left, there(site) == NEW]))
EOF
    """
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    command = ["unshare", *user, "--mount", "--propagation", "private", "sh", "-c", script]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode == 99 or done.stderr.startswith("unshare"):
        missing = f"a mount namespace cannot be made: {done.stderr}"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)

    assert done.stderr == ""
    assert json.loads(done.stdout) == ["could not write SITE: No space left on device", True, True]


@pytest.mark.parametrize(
    ("mode", "wanted", "expected"),
    [
        (0o555, 0o755, "could not write site/..uplog-files.part: Permission denied"),
        (0o777, 0o700, "could not write site: Operation not permitted"),
    ],
)
def test_a_folder_that_is_not_ours_to_write_is_one_sentence_and_the_page_stays(
    site: Path, mode: int, wanted: int, expected: str
) -> None:
    if os.geteuid() != 0 and wanted == 0o700:
        pytest.skip("the folder of somebody else takes root to make")
    site.parent.chmod(0o755)
    site.chmod(mode)

    assert said("somebody_else", site, wanted) == expected
    assert there(site) == OLD


REMOVED = """
import json, shutil, sys
from itertools import count
from pathlib import Path
from helpers_builds import changes
from test_write_faults import NEW, OLD, there
from uplog.site.write import WriteFailed, write

site, left, said = Path(sys.argv[1]), [0], []

def heard(event, arguments):
    if changes(event, arguments):
        left[0] -= 1
        if left[0] == 0:
            site.rename(site.with_name(f"gone-{turn}"))

sys.addaudithook(heard)
for turn in count(1):
    shutil.rmtree(site, ignore_errors=True)
    left[0] = 0
    write(OLD, site)
    left[0] = turn
    try:
        write(NEW, site)
    except WriteFailed as error:
        said.append(str(error))
    if left[0] > 0:
        break
    write(NEW, site)
    assert there(site) == NEW
print(json.dumps([turn, said]))
"""


def test_a_folder_that_goes_in_the_midst_of_a_build_is_one_sentence_and_the_next_one_heals_it(tmp_path: Path) -> None:
    tried, told = json.loads(scripted(REMOVED, tmp_path / "site"))

    assert tried > 8
    assert len(told) > 4
    assert [
        one for one in told if not one.startswith("could not write ") or not one.endswith(": No such file or directory")
    ] == []
