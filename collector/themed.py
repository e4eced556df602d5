"""What the operator wants the page to look like, as values."""

from dataclasses import dataclass
from pathlib import Path

from .declared import Declared
from .decode import shown
from .settings import AccentTable, ThemeTable

WEB = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What the operator wants of the look; whether files and colours are fit for it shows when the page is built."""

    logo: Path | None = None
    accent: str | None = None  # on light, #rrggbb
    accent_dark: str | None = None  # none: what suits *accent*
    links: tuple[tuple[str, str], ...] = ()  # title and address
    footer: str = ""  # Markdown
    css: Path | None = None
    templates: Path | None = None


PLAIN = Theme()


class Themed(Declared):
    """Makes the look, and notes what the types of its table alone do not tell."""

    def theme(self, table: ThemeTable) -> Theme:
        """Make the look that the table [theme] asks for."""
        for title, address in table.links.items():
            self.link(title, address)
        accent = table.accent
        light, dark = (accent.light, accent.dark) if isinstance(accent, AccentTable) else (accent, None)
        return Theme(
            logo=self.beside(table.logo),
            accent=light,
            accent_dark=dark,
            links=tuple(table.links.items()),
            footer=table.footer,
            css=self.beside(table.css),
            templates=self.beside(table.templates),
        )

    def link(self, title: str, address: str) -> None:
        """Note what is wrong with one link: pages lead to other pages and to mail, and run nothing."""
        path = ("theme", "links", title)
        if not title.strip():
            self.wrong(path, f"expected a title for the link, got {shown(title)}")
        elif not address.lower().startswith("mailto:"):
            self.url(address, path, WEB)
        elif "@" not in address or not address.isprintable() or " " in address:
            self.wrong(path, f'expected an address like "mailto:help@example.org", got {shown(address)}')

    def beside(self, name: str | None) -> Path | None:
        """Return a path that begins beside the configuration."""
        return self.folder / name if name else None
