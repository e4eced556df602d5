"""What of a comparison the record alone tells: nobody is asked and no file is read, neither documents nor code."""

from collections.abc import Iterable, Mapping, Sequence

from ..joining import Known
from ..model import Finding, Target
from .places import bases, built_folders
from .rows import entries_of, rows_of
from .rules import OTHER, findings
from .survey import Survey, sets_of, tells_what_runs


def drift(
    targets: Sequence[Target],
    told: Iterable[Finding],
    known: Known,
    states: Mapping[str, str],
    answered: Iterable[str],
) -> list[Finding]:
    """Return what is wrong with *targets*, and what sources *told* of that; *answered* are those that did last time.

    *known* is what the record knows services by, and *states* how they are, by key. Rules that need code or documents
    have nothing to say, but those about services that another one of several sets of files declares: which of them is
    meant only a document tells.
    """
    entries, built = entries_of(targets, known), built_folders(targets)
    survey = Survey(
        targets=tuple(targets),
        findings=tuple(told),
        entries=tuple(entries),
        rows=tuple(rows_of(entries, targets, states)),
        sets=sets_of(targets),
        built=built,
        bases=bases(targets),
        live=frozenset(one for one in answered if tells_what_runs(one, (t for t in targets if t.source == one))),
    )
    return [one for one in findings(survey) if one.kind != "declared_elsewhere"]


def notices(told: Iterable[Finding]) -> list[Finding]:
    """Return what sources *told* that is no drift: how a checkout stands, or that something was not asked."""
    return [one for one in told if one.kind in OTHER]
