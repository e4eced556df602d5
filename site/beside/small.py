"""The frame of small pages, which have no templates: one file, whole without script, with a policy of its own."""

from functools import lru_cache

from ..asset import asset, digest
from ..palette import css
from ..tongue import Tongue
from .text import xml


def small(tongue: Tongue, *, title: str, body: str, look: str = "unknown", script: str = "", **data: str) -> bytes:
    """Write a page of *body*, which is markup, in the language *tongue* and in the colour of a *look*, with a *script* of ours that has *data*."""
    own = "".join(f' data-{name}="{xml(value)}"' for name, value in data.items())
    run = f"<script{own}>{asset(script)}</script>\n" if script else ""
    return (
        f'<!doctype html>\n<html lang="{tongue.code}" dir="{tongue.direction}" data-state="{look}">\n'
        f"<head>\n{head(script)}"
        f"<title>{xml(tongue.isolated(title))}</title>\n</head>\n<body>\n{body}\n{run}</body>\n</html>\n"
    ).encode()


@lru_cache
def head(script: str) -> str:
    """Write what the head of every small page with that *script* begins with."""
    style = css() + asset("small.css")
    allowed = f"script-src '{digest(asset(script))}'; connect-src 'self'; " if script else ""
    return (
        '<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="'
        f"default-src 'none'; style-src '{digest(style)}'; {allowed}base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="robots" content="noindex">\n'
        f"<style>{style}</style>\n"
    )
