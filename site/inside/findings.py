"""What is wrong in what files and systems say, by kind, each with the service it is about."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from uplog.collector.drift.titles import place, title
from uplog.collector.model import Finding
from uplog.collector.surroundings import Surroundings

from ..values import ServiceView
from .values import Findings, Found

Meant = Mapping[str, ServiceView]


def grouped(
    drift: Sequence[Finding], notices: Sequence[Finding], seen: Mapping[str, ServiceView], around: Surroundings
) -> Iterator[Findings]:
    """Yield findings by kind: first *drift* as `uplog drift` orders it, then *notices*."""
    meant = named(seen, around)
    for is_drift, findings in ((True, drift), (False, notices)):
        ordered = sorted(findings, key=lambda one: place(one.kind))
        for kind, those in groupby(ordered, key=lambda one: one.kind):
            yield Findings(
                kind=kind,
                title=title(kind),
                drift=is_drift,
                those=tuple(found(one, meant) for one in those),
            )


def found(finding: Finding, meant: Meant) -> Found:
    """Tell of one finding; it is linked to a service where that can only be one."""
    view = meant.get(finding.where) or meant.get(finding.service or "")
    return Found(
        where=finding.where,
        text=finding.text,
        name=view.name if view else finding.service or "",
        slug=view.slug if view else "",
    )


def named(seen: Mapping[str, ServiceView], around: Surroundings) -> Meant:
    """Return what a finding may call a service: its key, where and by which name it was seen, as far as that is one."""
    found: dict[str, dict[str, ServiceView]] = defaultdict(dict)
    for key, view in seen.items():
        for name in (key, view.name, *(text for one in around.of(key).sightings for text in (one.ref, one.name))):
            found[name][key] = view
    return {name: next(iter(those.values())) for name, those in found.items() if len(those) == 1}
