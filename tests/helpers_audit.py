"""Programs that judge pages: axe-core, html-validate, the Nu Html Checker and Lighthouse, as deploy/test.sh installs them.

Their versions stand in tests/audit/package.json.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import pytest
from test_page_in_browser import ARGUMENTS, CHROMIUM

TOOLS = Path(sys.prefix) / "audit/node_modules"
OWN = Path(__file__).parent / "audit"
# WCAG 2 A and AA, what is good practice, and rules that are new: all but AAA, which asks for 7:1 and for no link twice
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "experimental"]
SLOWER = 4  # times, is Lighthouse's phone than a machine to which its own benchmark gives this:
QUIET = 2_400


def slower(report: Mapping[str, Any]) -> float:
    """Return how much slower than this machine, as busy as it was for a *report*, the phone of Lighthouse is."""
    return max(1, SLOWER * min(1, report["environment"]["benchmarkIndex"] / QUIET))


def missing(sentence: str) -> NoReturn:
    """Skip the test that needs what is not here; in CI it fails."""
    pytest.fail(sentence) if os.environ.get("CI") == "true" else pytest.skip(sentence)


def tool(path: str) -> Path:
    """Return a file of the installed tools."""
    found = TOOLS / path
    return found if found.exists() else missing(f"needs {path.split('/')[0]}: `bash deploy/test.sh` installs it")


def program(name: str, package: str) -> str:
    """Return the path of a program of the machine, which *package* brings."""
    return shutil.which(name) or missing(f"needs {name}: `apt-get install {package}`")


def ran(command: Sequence[str | Path], *, fine: Iterable[int] = (0,), **environment: str) -> str:
    """Run a *command* to its end and return what it wrote to standard output."""
    surroundings = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=surroundings)
    assert done.returncode in fine, done.stderr[-2_000:]
    return done.stdout


@lru_cache
def axe_source() -> str:
    return tool("axe-core/axe.min.js").read_text()


def load_axe(tab: Any) -> None:
    """Put axe-core into the page that is open in *tab*, past its policy, as an extension of a browser would."""
    tab.evaluate(axe_source())


def axe(tab: Any) -> list[str]:
    """Return what axe-core, which was loaded, finds wrong in the page that is open in *tab*, and where."""
    found = tab.evaluate("rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES)
    return [
        f"{tab.url}: {one['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]


def html_validate(paths: Iterable[Path], answers: Path) -> list[str]:
    """Return what html-validate finds wrong in HTML files; what it answers goes through a file, as a pipe cuts it."""
    node, script = program("node", "nodejs"), tool("html-validate/bin/html-validate.mjs")
    options = ["--config", OWN / "htmlvalidate.json", "--formatter", f"json={answers}"]
    ran([node, script, *options, *paths], fine=(0, 1))
    return [
        f"{one['filePath']}:{said['line']}: {said['ruleId']}: {said['message']}"
        for one in json.loads(answers.read_text())
        for said in one["messages"]
    ]


def nu(paths: Iterable[Path]) -> list[str]:
    """Return the errors, warnings and hints of the Nu Html Checker for files that end in .html, .svg and .css."""
    jar = tool("vnu-jar/build/dist/vnu.jar")
    # its style checker is older than vector-effect and round(), and for it a file has no 'self' to load pictures from
    known = ".*(vector-effect|“width”: The types are incompatible|blocked by “img-src”).*"
    options = ["--exit-zero-always", "--stdout", "--format", "gnu", "--filterpattern", known]
    options += ["--also-check-svg", "--also-check-css"]
    # without room on the stack it ends on its own schema
    java = [program("java", "default-jre-headless"), "-Xss4m", "-XX:TieredStopAtLevel=1", "-jar", jar]
    return ran([*java, *options, *paths]).splitlines()


def lighthouse(url: str, answers: Path, times: float = SLOWER) -> dict[str, Any]:
    """Return the report of Lighthouse on the page at *url*, on a slow network and a phone *times* slower than this."""
    chromium = CHROMIUM or missing("needs a browser: `apt-get install chromium-headless-shell`")
    node, script = program("node", "nodejs"), tool("lighthouse/cli/index.js")
    flags = " ".join(["--headless=new", *ARGUMENTS])
    options = ["--quiet", "--output=json", f"--output-path={answers}", "--no-enable-error-reporting"]
    options.append(f"--throttling.cpuSlowdownMultiplier={times}")
    first = ["nice", "-n", "-15"] if os.geteuid() == 0 else []  # other tests run beside: they are not what is measured
    ran([*first, node, script, url, *options, f"--chrome-flags={flags}"], CHROME_PATH=chromium)
    return json.loads(answers.read_text())  # type: ignore[no-any-return]
