"""Which targets are one service: what was declared once, and what has the same name, URL or port.

All values in, values out. The order in which targets come makes no difference, and what is ambiguous stays apart.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from . import names
from .model import Target

# whose word counts where sources differ: who declares before who runs, who runs before who tells of others
PRECEDENCE = (
    "config", "compose", "kubernetes", "docker", "systemd", "pm2", "procfile", "prometheus", "consul",
    "listeners", "dockerfile", "gateway", "readme",
)  # fmt: skip
LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::"}
EVERYWHERE, LOOPBACK = "", "lo"
STACKED = {"compose", "docker"}  # one stack and one name in it are one service
TELLERS = {"gateway", "prometheus"}  # whose word is that something exists, whatever state it tells
SEVERAL = {"listeners"}  # a service may listen at several ports, and each is a target
NOT_THIS_HOST = {"kubernetes", "prometheus", "consul", "gateway", "readme", "dockerfile"}  # whose ports are elsewhere
STAND_INS = ("docker", "rootless", "conmon", "slirp4netns", "pasta", "com.docke", "port:", "wslrelay")
SAME_DECLARATION = ("image", "dockerfile", "networks", "depends_on", "healthcheck")
NUMBERED = re.compile(r"(.*[^\W\d_])[-_.]?\d{1,3}")
WORD = re.compile(r"[a-z0-9]+")

Group = list[Target]
Known = Mapping[str, tuple[str, datetime]]
"""For the key of a sighting, and for each mark that outlives one, the key of its service and its first sight."""


class Place(NamedTuple):
    """Where something listens: a port of a host, at one of its addresses."""

    host: str  # empty: this one
    number: int
    address: str


def grouped(targets: Iterable[Target], known: Known) -> list[Group]:
    """Put *targets* that are one service together, in the order of precedence; *known* keeps together what was.

    Who only claims that something exists joins what does, or is left out.
    """
    wanted = sorted((one for one in targets if not one.skipped), key=rank)
    groups = by_marks([[one] for one in wanted if not only_claims(one)], same_key, lambda groups: True)
    groups = by_marks(groups, same_id, lambda groups: True)
    groups = by_marks(groups, same_name, fit)
    groups = by_marks(groups, same_declaration, lambda groups: True)
    groups = by_marks(groups, same_url, fit)
    groups = by_places(groups)
    groups = kept_together(groups, known)
    join_claims(groups, [one for one in wanted if only_claims(one)])
    return [sorted(group, key=rank) for group in sorted(groups, key=lambda group: min(map(rank, group)))]


def rank(target: Target) -> tuple[int, int, str, str, str]:
    """Return where a target stands: by its source, as a person ordered it, then by its names.

    So every order of asking is the same.
    """
    place = PRECEDENCE.index(target.source) if target.source in PRECEDENCE else len(PRECEDENCE)
    return place, target.order, target.source, target.key, target.ref


def only_claims(target: Target) -> bool:
    """Tell whether a target says of something that it exists, and no more: a document, or a list of somebody else.

    What a gateway or Prometheus lists can be asked from here, or it is only a name of what others find.
    """
    return (target.layer == "claimed" or target.source in TELLERS) and not target.checks


# Marks


def by_marks(
    groups: Sequence[Group], marks_of: Callable[[Target], Iterable[Hashable]], may: Callable[[Sequence[Group]], bool]
) -> list[Group]:
    """Join the groups that marks link with each other, where these *may* be one."""
    by_mark: dict[Hashable, list[int]] = defaultdict(list)
    for number, group in enumerate(groups):
        for mark in dict.fromkeys(mark for target in group for mark in marks_of(target)):
            by_mark[mark].append(number)
    return joined(groups, by_mark.values(), may)


def joined(
    groups: Sequence[Group], links: Iterable[Sequence[int]], may: Callable[[Sequence[Group]], bool]
) -> list[Group]:
    """Join the groups that *links* bring together, where these *may* be one.

    Where they may not, what is only declared stays apart, and the rest is joined if that may be one.
    """
    leader = list(range(len(groups)))

    def lead(number: int) -> int:
        while leader[number] != number:
            leader[number] = number = leader[leader[number]]
        return number

    for first, *others in links:
        for other in others:
            leader[max(lead(first), lead(other))] = min(lead(first), lead(other))
    linked: dict[int, list[Group]] = defaultdict(list)
    for number, group in enumerate(groups):
        linked[lead(number)].append(group)
    found: list[Group] = []
    for together in linked.values():
        sure = together if may(together) else [group for group in together if is_sure(group)]
        if len(sure) > 1 and may(sure):
            found.append([target for group in sure for target in group])
            found += [group for group in together if sure is not together and not is_sure(group)]
        else:
            found += together
    return found


def fit(groups: Sequence[Group]) -> bool:
    """Tell whether *groups* can be one service: no source tells of two of them, and they have no two ids."""
    sources = [source for group in groups for source in {one.source for one in group} - SEVERAL]
    ids = {one.details["id"] for group in groups for one in group if one.details.get("id")}
    return len(sources) == len(set(sources)) and len(ids) < 2


def is_sure(group: Group) -> bool:
    """Tell whether somebody runs, or wrote by hand, what is in a group."""
    return any(one.layer in ("running", "healthy") or one.source == "config" for one in group)


def same_key(target: Target) -> Iterator[str]:
    """Name what a source says twice: one stack in several files, one namespace in several manifests."""
    yield target.key


def same_id(target: Target) -> Iterator[str]:
    """Name the id that somebody gave by hand."""
    if target.details.get("id"):
        yield f"id//{target.details['id']}"


def same_name(target: Target) -> Iterator[tuple[str, ...]]:
    """Name the place in a stack, and the container."""
    if target.source in STACKED and target.project:
        yield "stack", host_of(target), target.project, target.name
    for name in containers(target):
        yield "container", host_of(target), name


def containers(target: Target) -> Iterator[str]:
    """Yield the names of the containers that a target says it runs."""
    if target.details.get("container_name"):
        yield str(target.details["container_name"])
    elif target.source == "systemd":
        yield from (name for name in target.names if name != target.name and "." not in name)


def same_declaration(target: Target) -> Iterator[Hashable]:
    """Name what numbered services of one stack have in common, so that they are one that runs several times."""
    stem = stem_of(target.name)
    shared = [target.details.get(name) for name in SAME_DECLARATION]
    if stem and target.source in STACKED and target.project and target.instances == 1 and any(shared[:2]):
        inside = sorted({(port.container_port or 0, port.protocol) for port in target.ports})
        yield target.source, target.project, stem, repr(shared), repr(sorted(target.needs)), repr(inside)


def stem_of(name: str) -> str:
    """Return a name without the number at its end; nothing where there is none.

    >>> stem_of("backend-1"), stem_of("worker02"), stem_of("web"), stem_of("1")
    ('backend', 'worker', '', '')
    """
    found = NUMBERED.fullmatch(name)
    return found[1] if found else ""


def same_url(target: Target) -> Iterator[str]:
    """Name the URLs that a target is asked at, where their path says something."""
    yield from (f"url {check.target}" for check in target.checks if says_something(check.target))


def says_something(url: str) -> bool:
    """Tell whether the path of a URL is more than `/`."""
    parts = split(url)
    return parts is not None and bool(parts.hostname) and parts.path not in ("", "/")


# Places


def by_places(groups: Sequence[Group]) -> list[Group]:
    """Join the groups that one port of one host belongs to, where it is one service that listens there."""
    at: dict[tuple[str, int], dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for number, group in enumerate(groups):
        for place in (place for target in group for place in places(target)):
            at[place.host, place.number][number].add(place.address)
    links: list[Sequence[int]] = []
    for (_, port), addresses in at.items():
        others = {number for number in addresses if is_other(groups[number], port)}
        mine = {number for number in addresses if publishes(groups[number], port)}
        words = {word for number in mine for word in words_of(groups[number])}
        if any(not words & words_of(groups[number]) for number in others):
            addresses = {number: those for number, those in addresses.items() if number not in mine - others}
        links += meeting(addresses)
    return joined(groups, links, fit)


def meeting(addresses: Mapping[int, set[str]]) -> Iterator[list[int]]:
    """Yield who meets at one port: all whose addresses are the same, and with them who listens at every address."""
    everywhere = [number for number, those in addresses.items() if EVERYWHERE in those]
    if everywhere:
        yield list(addresses)
        return
    for address in sorted({address for those in addresses.values() for address in those}):
        yield [number for number, those in addresses.items() if address in those]


def places(target: Target) -> Iterator[Place]:
    """Yield where a target listens, or is asked by hand: TCP ports of this host, or of one that is named."""
    if target.source not in NOT_THIS_HOST:
        for port in target.ports:
            if port.port and port.protocol == "tcp" and not host_of(target):
                yield Place("", port.port, address_of(port.host_ip))
            elif port.port and port.protocol == "tcp" and port.host_ip:  # where it is reached from here
                yield Place(port.host_ip, port.port, EVERYWHERE)
    for check in target.checks:
        url = split(check.target)
        if url is not None and url.hostname in LOCAL and (number := port_of(url)):
            yield Place("", number, LOOPBACK)
        elif url is not None and url.hostname and url.port:
            yield Place(url.hostname, url.port, EVERYWHERE)


def host_of(target: Target) -> str:
    """Return the host that a target was seen on; empty for this one. A container of another engine names that."""
    return target.ref.rpartition("/")[0] if target.source == "docker" else ""


def address_of(host_ip: str) -> str:
    """Return an address as far as it matters for meeting.

    >>> [address_of(ip) for ip in ("0.0.0.0", "127.0.0.53", "192.0.2.7")]
    ['', 'lo', '192.0.2.7']
    """
    if host_ip in ("", "0.0.0.0", "::", "*"):
        return EVERYWHERE
    return LOOPBACK if host_ip in ("localhost", "::1") or host_ip.startswith("127.") else host_ip


def split(url: str) -> SplitResult | None:
    """Split a URL; none when it is not one, or its port is no number."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises
    except ValueError:
        return None
    return parts


def port_of(url: SplitResult) -> int | None:
    """Return the port of a URL, by its scheme where it has none."""
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


def meet(one: str, other: str) -> bool:
    """Tell whether who listens at one address of a host is in the way of who listens at the other.

    >>> meet("0.0.0.0", "127.0.0.1"), meet("127.0.0.1", "192.0.2.7")
    (True, False)
    """
    here, there = address_of(one), address_of(other)
    return here == there or EVERYWHERE in (here, there)


def publishes(group: Sequence[Target], number: int) -> bool:
    """Tell whether a container of a group is to be reached at *number* on its host."""
    return any(port.port == number and port.container_port for one in group for port in one.ports)


def is_other(group: Sequence[Target], number: int) -> bool:
    """Tell whether a process of this host itself listens at *number*: neither a container, nor a stand-in for one."""
    return any(
        port.port == number and port.container_port is None
        for one in group
        if one.source in ("systemd", "listeners") and not stands_in(one)
        for port in one.ports
    )


def stands_in(target: Target) -> bool:
    """Tell whether a listener may be there for a container: by its name, or because nobody may see which process it is."""
    return target.source == "listeners" and target.name.startswith(STAND_INS)


def words_of(group: Group) -> set[str]:
    """Return the words by which one can tell that a process belongs to a stack."""
    said = " ".join(text for one in group for text in (one.name, one.project, *one.names)).lower()
    return set(WORD.findall(said)) - {"service", "server", "app", "port"} - {""}


# What was together, and what is only said to be


def kept_together(groups: Sequence[Group], known: Known) -> list[Group]:
    """Join what was one service before, where nothing speaks against it.

    A unit that is stopped has no port any more: it is still what it was.
    """
    before: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        for key in dict.fromkeys(known[one.key][0] for one in group if one.key in known):
            before[key].append(group)
    joined_to: dict[int, Group] = {}  # by the id of a group that is no longer one
    for key in sorted(key for key, were in before.items() if len(were) > 1):
        were = [joined_to.get(id(group), group) for group in before[key]]
        first, *others = sorted(were, key=lambda group: all(one.key != key for one in group))  # whose own key it is
        for other in others:
            if other is not first and fit([first, other]) and not are_apart(first, other):
                first.extend(other)
                joined_to |= {was: first for was, now in joined_to.items() if now is other} | {id(other): first}
    return [group for group in groups if id(group) not in joined_to]


def are_apart(one: Group, other: Group) -> bool:
    """Tell whether two groups listen, and nowhere together."""
    spots = [{(place.host, place.number) for target in group for place in places(target)} for group in (one, other)]
    return bool(spots[0] and spots[1]) and not spots[0] & spots[1]


def join_claims(groups: Sequence[Group], claims: Sequence[Target]) -> None:
    """Add to the one group that has its key, or its name, whatever only claims that a service exists."""
    if not claims:
        return
    seen = {one.key: group for group in groups for one in group}
    by_key: dict[str, list[tuple[str, Group]]] = defaultdict(list)
    for group in groups:
        for one in list(group):
            for name in dict.fromkeys((one.name, *one.names)):
                by_key[names.key(name, one.project)].append((name, group))
    said: dict[str, list[Target]] = defaultdict(list)
    for claim in claims:
        said[claim.key].append(claim)
    for key, alike in said.items():
        found = (meant(name, claim, by_key) for claim in alike for name in (claim.name, *claim.names))
        if wanted := seen.get(key) or next((group for group in found if group), None):
            wanted.extend(alike)


def meant(name: str, claim: Target, by_key: Mapping[str, Sequence[tuple[str, Group]]]) -> Group | None:
    """Return the one group that *name* means; of several the one of the same spelling, or of the same project."""
    alike = by_key.get(names.key(name, claim.project), ())
    spelled = [group for other, group in alike if names.plain(other) == names.plain(name)]
    near = [group for _, group in alike if claim.project and any(one.project == claim.project for one in group)]
    for found in (near, spelled, [group for _, group in alike]):
        if len({id(group) for group in found}) == 1:
            return found[0]
    return None


# Whose history goes on


class Identity(NamedTuple):
    """The key of a group, and those of the services that prove to be it."""

    key: str
    aliases: tuple[str, ...] = ()


def identified(groups: Sequence[Group], known: Known) -> list[Identity]:
    """Give each group its key: that of the oldest service which it is, or a new one.

    No two groups are one service: it stays with the group that gave it its key, or else with the first. What
    nobody knows may be a service of which nothing is seen any more, under another name.
    """
    claimed = [{known[mark] for one in group for mark in (one.key, *same_id(one)) if mark in known} for group in groups]
    taken = {key for those in claimed for key, _ in those}
    for those, group in zip(claimed, groups, strict=True):
        moved = {known[mark] for one in group for mark in marks_left(one) if mark in known} if not those else set()
        moved = {found for found in moved if found[0] not in taken}
        if len(moved) == 1:
            those |= moved
            taken |= {key for key, _ in moved}
    owner: dict[str, int] = {}
    for own in (True, False):
        for number, (those, group) in enumerate(zip(claimed, groups, strict=True)):
            for key, _ in those:
                if not own or any(one.key == key for one in group):
                    owner.setdefault(key, number)
    return [
        identity(
            group, sorted((found for found in those if owner[found[0]] == number), key=lambda one: (one[1], one[0]))
        )
        for number, (those, group) in enumerate(zip(claimed, groups, strict=True))
    ]


def identity(group: Group, owned: Sequence[tuple[str, datetime]]) -> Identity:
    """Choose of the services that a group is the oldest; without any it gets the key of its first target."""
    keys = [key for key, _ in owned]
    return Identity(keys[0], tuple(keys[1:])) if keys else Identity(group[0].key)


def marks_left(target: Target) -> Iterator[str]:
    """Name what the record recognises a service by when its old sightings are gone: see `store.sightings`."""
    yield from same_url(target)
    for port in target.ports:
        if port.port and port.protocol == "tcp" and target.source not in NOT_THIS_HOST:
            yield named_port(target.source, target.name, port.port)


def named_port(source: str, name: str, port: int) -> str:
    """Name a port by what a source calls its service: so a stack is recognised that was given another name."""
    return f"port {port} {source} {name}"
