"""Our own files that go into pages, and the hashes by which a policy names them."""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


@lru_cache
def raw(name: str) -> bytes:
    """Read one of our own assets."""
    return (ASSETS / name).read_bytes()


def asset(name: str) -> str:
    """Read one of our own assets as text, to stand inline; without the last newline, which not every program hashes."""
    return raw(name).decode().removesuffix("\n")


def digest(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows *text* inline."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
