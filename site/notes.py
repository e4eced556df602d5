"""Which files are those in which the operator tells of incidents; what reads them takes a while to import."""

from pathlib import Path


def notes(folder: Path) -> list[Path]:
    """Return the files `*.md` of *folder* by name, without hidden ones; none when there is no such folder.

    Raises OSError.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".md" and not path.name.startswith("."))
    except FileNotFoundError:
        return []
