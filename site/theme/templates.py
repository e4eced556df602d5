"""Templates of the operator before ours: found by name, ours by `uplog/NAME` too; what fails in them is a sentence."""

import functools
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb
from typing import ParamSpec, TypeVar

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, FunctionLoader, PrefixLoader
from jinja2.exceptions import TemplateError, TemplateNotFound, TemplateSyntaxError

from uplog.collector.model import CouldNot

from .skin import Skin

OURS = Path(__file__).parent.parent / "templates"

P = ParamSpec("P")
T = TypeVar("T")


class TemplateWrong(CouldNot):
    """A template of the operator fails; the text is one sentence with file and line."""


def loader(skin: Skin) -> BaseLoader:
    """Return what finds templates: the operator's first, then ours; `uplog/index.html` is ours in any case."""
    ours = FileSystemLoader(OURS)
    theirs = {name: (source, file, None) for name, file, source in skin.templates}
    return ChoiceLoader([FunctionLoader(theirs.get), ours, PrefixLoader({"uplog": ours})])


def sentences(render: Callable[P, T]) -> Callable[P, T]:
    """Raise TemplateWrong for whatever a template of the operator makes *render* raise; our own fail as they are."""

    @functools.wraps(render)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return render(*args, **kwargs)
        except Exception as error:
            if place := where(error):
                raise TemplateWrong(f"{place}: {said(error)}") from error
            raise

    return wrapped


def blamed(error: Exception, skin: Skin) -> str | None:
    """Say which of the operator's templates fails and why; none when it is not theirs, or there are none.

    Ours alone do not fail, but those that want a macro of theirs do where it is missing or takes something else.
    """
    if isinstance(error, TemplateWrong):
        return str(error)
    if isinstance(error, (CouldNot, OSError)) or not skin.templates:
        return None
    return f"{', '.join(file for _, file, _ in skin.templates)}: {said(error)}"


def where(error: Exception) -> str:
    """Return `file:line` of the operator's template in which *error* arose, empty where it was none."""
    if isinstance(error, TemplateSyntaxError):
        places = [(error.filename or "", error.lineno)]
    else:  # jinja2 puts the lines of templates into the traceback
        places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    found = [f"{file}:{line}" for file, line in places if file.endswith(".html") and OURS not in Path(file).parents]
    return found[-1] if found else ""


def said(error: Exception) -> str:
    """Say on one line what is wrong."""
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name}"
    text = " ".join(str(error).split())
    return text if isinstance(error, TemplateError) else f"{type(error).__name__}: {text}"
