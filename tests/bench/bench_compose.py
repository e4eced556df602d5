"""How long 300 compose files with 7,500 services take to read, beside PyYAML reading them alone.

python tests/bench/bench_compose.py [files]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import yaml

from uplog.collector.discover import Context
from uplog.collector.discover.compose import Settings, survey

FILE = Path(__file__).parent.parent / "fleets/3/deployed/docker-compose.unified.yml"


def measure(count: int) -> dict[str, float]:
    """Read *count* copies of a real fleet's file, each a project of its own."""
    text = FILE.read_text()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            place = Path(folder, str(number))
            place.mkdir()
            (place / "compose.yaml").write_text(text)
        begun = time.process_time()
        found, _ = survey(Settings(paths=("*",)), Context(folder=Path(folder)))
        ours = time.process_time() - begun
    begun = time.process_time()
    for _ in range(count):
        yaml.load(text, yaml.CSafeLoader)
    alone = time.process_time() - begun
    return {
        "files": count,
        "services": len(found),
        "seconds": round(ours, 2),
        "yaml_alone": round(alone, 2),
        "ratio": round(alone / ours, 2),
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 300)))
