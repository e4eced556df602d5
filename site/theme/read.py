"""Read what [theme] names. What cannot be worn is told in a sentence and left off: a page must come, whatever it wears."""

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from uplog.collector.decode import Origins
from uplog.collector.themed import Theme

from ..palette import DARK, LIGHT
from . import picture, sheet
from .colour import TEXT, nearest, worst
from .inputs import templates_in
from .skin import Skin

LARGEST = 256_000  # bytes of a logo
LONGEST = 64_000  # bytes of the CSS, which stands in every page, and of a template
GROUNDS = {"light": (LIGHT["bg"], LIGHT["card"]), "dark": (DARK["bg"], DARK["card"])}


def read(theme: Theme, origins: Origins) -> tuple[Skin, list[str]]:
    """Read the look that the operator wants, and return with it a sentence for each thing that could not be had."""
    reader = _Reader(origins)
    skin = Skin(
        logo=reader.logo(theme.logo),
        accent=reader.accent(theme.accent, theme.accent_dark),
        links=theme.links,
        footer=footer(theme.footer),
        css=reader.css(theme.css),
        templates=tuple(reader.templates(theme.templates)),
    )
    return skin, reader.problems


def footer(text: str) -> Markup | None:
    """Turn what stands under every page into HTML; none without any, and then nothing is imported for it."""
    if not text.strip():
        return None
    from ..markdown import html

    return html(text)


class _Reader:
    """Reads the files and colours of one look, and notes what is wrong with them."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self.problems: list[str] = []

    def wrong(self, key: str, text: str) -> None:
        """Note what is wrong with what was written under *key*."""
        self.problems.append(": ".join(filter(None, (self.origins.where(("theme", key)), f"theme.{key}", text))))

    def content(self, key: str, path: Path, most: int) -> bytes | None:
        """Read a file, if it is there and not larger than *most* bytes."""
        try:
            with path.open("rb") as file:
                content = file.read(most + 1)
        except OSError as error:
            self.wrong(key, f"could not read {path}: {error.strerror}")
            return None
        if len(content) > most:
            self.wrong(key, f"expected {path} to have at most {most} bytes")
            return None
        return content

    def text(self, key: str, path: Path) -> str | None:
        """Read a file of text."""
        content = self.content(key, path, LONGEST)
        try:
            return None if content is None else content.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            self.wrong(key, f"expected {path} to be text in UTF-8")
            return None

    def logo(self, path: Path | None) -> tuple[str, bytes] | None:
        """Read the logo; its name in the site depends on its kind alone."""
        content = self.content("logo", path, LARGEST) if path else None
        if path is None or content is None:
            return None
        try:
            return f"logo.{picture.kind(path.name, content)}", content
        except picture.Unfit as error:
            self.wrong("logo", f"{path}: {error}")
            return None

    def css(self, path: Path | None) -> str:
        """Read the CSS, all or nothing of it."""
        text = self.text("css", path) if path else None
        flaws = list(sheet.flaws(text)) if text else []
        self.problems += [f"{path}:{line}: {flaw}" for line, flaw in flaws]
        return "" if flaws else text or ""

    def accent(self, light: str | None, dark: str | None) -> tuple[str, str] | None:
        """Return the accent on light and on dark: what was written where links in it can be read, else the nearest.

        One colour that is read on light is too dark on dark: where only one is written, it is made lighter there.
        """
        if light is None:
            return None
        on_dark = self.readable(dark, "dark") if dark else nearest(light.lower(), GROUNDS["dark"])
        return self.readable(light, "light"), on_dark

    def readable(self, colour: str, scheme: str) -> str:
        """Return *colour*, or the nearest one in which text can be read on the grounds of a scheme."""
        has, ground = worst(colour, GROUNDS[scheme])
        used = nearest(colour.lower(), GROUNDS[scheme])
        if has < TEXT:
            least = int(has * 100) / 100
            self.wrong(
                "accent",
                f"{colour} has a contrast of {least}:1 with the {scheme} ground {ground}, and links need {TEXT}:1;"
                f" the nearest colour that has it is {used}, which is used",
            )
        return used

    def templates(self, folder: Path | None) -> Iterator[tuple[str, str, str]]:
        """Yield name, file and source of each template."""
        if folder and not folder.is_dir():
            self.wrong("templates", f"expected a folder, got {folder}")
        for path in sorted(templates_in(folder)):
            source = self.text("templates", path)
            if folder and source is not None:
                yield path.relative_to(folder).as_posix(), str(path), source
