"""What is read in a file with a fault: nothing of the entry that has it, and all others where they stand."""

import time

import pytest

from uplog.collector.discover.yaml import load

pytestmark = pytest.mark.unit

BEGIN = "services:\n  web:\n    image: a\n"
END = "  db:\n    image: b\n    ports: ['5432:5432']\n"


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (f"{BEGIN}\tports:\n\t  - '80:80'\n{END}", 4, ["web", "db"]),
        (f"{BEGIN}     ports:\n      - '80:80'\n{END}", 4, ["web", "db"]),
        (f"{BEGIN}   api:\n    image: x\n{END}", 4, ["web", "db"]),
        (f"{BEGIN}  api\n    image: x\n{END}", 5, ["web", "db"]),
        (f"{BEGIN}    ports: [80, 81\n{END}", 5, ["web", "db"]),
        (f"{BEGIN}    command: 'x\n{END}", 7, ["web", "db"]),
        (f'{BEGIN}    command: "x\n    ports:\n      - "80:80"\n{END}', 6, ["web", "db"]),
        (f"{BEGIN}    interval: 20s, timeout: 5s\n{END}", 4, ["web", "db"]),
        (f"{BEGIN}    container_name: {{{{ name }}}}_web\n{{% if b %}}\n{END}{{% endif %}}\n", 4, ["web", "db"]),
        (
            f"{BEGIN}<<<<<<< HEAD\n{END}=======\n  mq:\n    image: b\n>>>>>>> main\n  last: {{}}\n",
            5,
            ["web", "db", "last"],
        ),
        (f"{BEGIN}<<<<<<< HEAD\n{END}||||||| base\n  x: {{}}\n=======\n  y: {{}}\n>>>>>>> main\n", 5, ["web", "db"]),
    ],
)
def test_what_stands_behind_a_fault_is_read(text: str, line: int, expected: list[str]) -> None:
    (document,), findings = load(text, "compose.yaml")
    services = document["services"]

    assert [str(name) for name in services] == expected
    assert (services["web"]["image"], services["db"]["image"]) == ("a", "b")
    assert text.split("\n")[services["db"]["image"].line - 1] == "    image: b"
    assert [finding.where for finding in findings] == [f"compose.yaml:{line}"]


@pytest.mark.parametrize("line", ["  - {\n", "a: '\n", "\t\n", "{{ x }}_y: {}\n", "<<<<<<< a\n", "k: v: w\n", "? [\n"])
def test_a_file_of_faults_is_read_in_time(line: str) -> None:
    begun = time.process_time()
    load(line * (500_000 // len(line)), "big.yml")

    assert time.process_time() - begun < 5
