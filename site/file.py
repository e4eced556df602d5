"""A file of the site before it is written: what it is made from, and how it is made."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from gettext import NullTranslations
from typing import Any

import msgspec

SIZE = 16  # bytes of a digest


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file that is made when it is wanted."""

    source: bytes  # a digest of all that its content follows from: of equal sources, equal bytes are made
    make: Callable[[], bytes]


def whole(content: bytes) -> File:
    """Return a file whose *content* is there already."""
    return File(source=digest(content), make=lambda: content)


def made_from(*values: Any) -> bytes:
    """Return a digest of *values*: dataclasses, moments, text and what consists of these.

    >>> made_from("web", 1) == made_from("web", 1), made_from("web", 1) == made_from("web", 2)
    (True, False)
    """
    return digest(ENCODER.encode(values))


def digest(content: bytes) -> bytes:
    """Return a digest of *content*."""
    return hashlib.blake2b(content, digest_size=SIZE).digest()


def _plain(value: object) -> object:
    """Write what the encoder does not know."""
    if isinstance(value, str | tzinfo):  # marked up text, zones
        return str(value)
    if isinstance(value, NullTranslations):
        return None  # its language stands beside it, and the catalogues are ours
    raise NotImplementedError(f"{type(value).__name__}: no digest of such a value is known")


ENCODER = msgspec.msgpack.Encoder(enc_hook=_plain, order="deterministic")
