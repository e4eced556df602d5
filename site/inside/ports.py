"""The plan of ports: who has which, who wants it, and where that is said."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from uplog.collector.model import Target
from uplog.collector.surroundings import Spot, Surroundings

from ..tongue import Tongue
from ..values import ServiceView
from .values import CONFLICT, Holder, PortLine, PortRow

WORST = (CONFLICT, "in use", "declared")
LAYERS = {"healthy": "running"}  # what answered runs
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


def lines(tongue: Tongue, spots: Sequence[Spot]) -> Iterator[PortLine]:
    """Yield a line for each port of a service; what is only known inside a container joins the one it is published at."""
    published = {one.port.container_port: one.port.port for one in spots if one.port.port}
    found: dict[tuple[int, str], list[Spot]] = {}
    for one in spots:
        number = one.port.port or published.get(one.port.container_port) or -(one.port.container_port or 0)
        found.setdefault((number, one.port.protocol), []).append(one)
    for (number, protocol), those in sorted(found.items(), key=lambda pair: (pair[0][0] < 0, abs(pair[0][0]))):
        inner = next((one.port.container_port for one in those if one.port.container_port), None)
        text = f"{number}" if number > 0 else tongue.gettext("%(port)s inside", port=-number)
        text += f" → {inner}" if number > 0 and inner not in (None, number) else ""
        yield PortLine(
            text=f"{text} {protocol}",
            status=status_of(those),
            places=places(those),
        )


def status_of(spots: Iterable[Spot]) -> str:
    """Say how it stands with a port: what only documents say is claimed."""
    told = {one.status for one in spots if one.layer != "claimed"}
    return next((status for status in WORST if status in told), "claimed")


def places(spots: Iterable[Spot]) -> tuple[tuple[str, str], ...]:
    """Return where a port is spoken of, each place once: layer and location."""
    return tuple(dict.fromkeys((LAYERS.get(one.layer, one.layer), one.location) for one in spots))
