"""When Python looks for garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = 10_000  # objects; with Python's own 700 an eighth of a cycle is spent looking for garbage
COLLECT_PAGES_AFTER = 1_000_000  # the same of a build, which keeps all that it reads until its end


@contextmanager
def seldom_collecting(after: int = COLLECT_AFTER) -> Iterator[None]:
    """Look for garbage less often: most of what a cycle makes, the answers, it keeps until its end."""
    first, *others = gc.get_threshold()
    if not 0 < first < after:  # 0: whoever runs us does not want it at all
        yield
        return
    gc.set_threshold(after, *others)
    try:
        yield
    finally:
        gc.set_threshold(first, *others)
