"""The plan of ports: who has which, who wants it, and where that is said."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from uplog.collector.model import Target
from uplog.collector.surroundings import Spot, Surroundings

from ..values import ServiceView
from .service import places, status_of
from .values import Holder, PortRow

Place = tuple[int, str]  # number and protocol


def plan(seen: Mapping[str, ServiceView], around: Surroundings) -> Iterator[PortRow]:
    """Yield the ports of this machine by number.

    What is not watched is named where it has a port that nobody else has: else it listens on behalf of a service.
    """
    spots: dict[Place, dict[str, list[Spot]]] = defaultdict(lambda: defaultdict(list))
    for key in seen:
        for one in around.of(key).ports:
            if one.port.port:
                spots[one.port.port, one.port.protocol][key].append(one)
    others = unwatched(around)
    for number, protocol in sorted({*spots, *others}):
        by_key = spots.get((number, protocol), {})
        told = [one for those in by_key.values() for one in those]
        status = status_of(told) if told else "in use" if runs(others[number, protocol]) else "declared"
        yield PortRow(
            port=number,
            protocol=protocol,
            status=status,
            holders=tuple(
                Holder(name=seen[key].name, slug=seen[key].slug, places=places(those)) for key, those in by_key.items()
            )
            or tuple(
                Holder(name=one.name, slug="", places=((one.layer, one.ref),)) for one in others[number, protocol]
            ),
        )


def unwatched(around: Surroundings) -> Mapping[Place, list[Target]]:
    """Return by port what is not watched and has it all the same."""
    found: dict[Place, list[Target]] = defaultdict(list)
    for target in around.targets:
        if target.skipped and target.layer != "claimed":
            for place in dict.fromkeys((port.port, port.protocol) for port in target.ports if port.port):
                found[place].append(target)
    return found


def runs(targets: list[Target]) -> bool:
    """Whether one of *targets* is seen running."""
    return any(one.layer in ("running", "healthy") for one in targets)
