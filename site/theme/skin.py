"""What the operator's own look consists of, once it is read and found fit."""

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """What a site wears beside our own style; it holds all that its files said, so that rendering reads none."""

    logo: tuple[str, bytes] | None = None  # its name in the site, its content
    accent: tuple[str, str] | None = None  # #rrggbb on light and on dark
    links: tuple[tuple[str, str], ...] = ()  # title and address
    footer: Markup | None = None
    css: str = ""
    templates: tuple[tuple[str, str, str], ...] = ()  # name, file, source

    @property
    def colours(self) -> str:
        """The accent as CSS, empty without one."""
        if self.accent is None:
            return ""
        light, dark = self.accent
        return f":root{{--accent:{light}}}@media screen and (prefers-color-scheme:dark){{:root{{--accent:{dark}}}}}"


PLAIN = Skin()
