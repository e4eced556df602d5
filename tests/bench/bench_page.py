"""How heavy the index is for fleets of several sizes, with 90 days of history.

python tests/bench/bench_page.py [services ...]
"""

import gzip
import sys
from datetime import UTC
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from helpers_large import large_fleet

from uplog.site.render import render
from uplog.site.view import page

SIZES = (12, 120, 1_000)


def main() -> None:
    print(f"{'services':>8} {'index.html':>12} {'gzip':>9} {'a service':>10} {'gzip':>7} {'all files':>12}")
    for count in [int(one) for one in sys.argv[1:]] or SIZES:
        files = render(page(large_fleet(count), zone=UTC, audience="public", title="Status"))
        index, service = files["index.html"], files["service/service-0.html"]
        sizes = (len(index), len(gzip.compress(index)), len(service), len(gzip.compress(service)))
        whole = sum(map(len, files.values()))
        print("{:>8,} {:>12,} {:>9,} {:>10,} {:>7,} {:>12,}".format(count, *sizes, whole))


if __name__ == "__main__":
    main()
