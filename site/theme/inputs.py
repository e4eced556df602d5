"""The files that a look is made of."""

from pathlib import Path

from uplog.collector.themed import Theme


def inputs(theme: Theme) -> list[Path]:
    """Return the files that the look is made of, as far as they are there, sorted."""
    named = [path for path in (theme.logo, theme.css) if path and path.is_file()]
    return sorted([*named, *templates_in(theme.templates)])


def templates_in(folder: Path | None) -> list[Path]:
    """Return the templates in *folder* and below it."""
    return [path for path in folder.rglob("*.html") if path.is_file()] if folder else []
