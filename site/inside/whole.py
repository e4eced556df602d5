"""What only the operator sees of the whole."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from uplog.collector.model import Finding, Target
from uplog.collector.stock import CATEGORIES
from uplog.collector.surroundings import Need, Ran, Size, Source, Surroundings

from .. import words
from ..tongue import ENGLISH, Tongue, message  # noqa: F401  ENGLISH is that of the examples
from ..values import WORST, Calendar, ServiceView
from .findings import grouped
from .ports import plan
from .service import Neighbourhood, inside_service
from .values import Category, Found, Inside, InsideService, Kept, Neighbour, RunLine, Runs, SourceLine

UNTOLD = message("no category")
SHARES = (50, 95, 100)  # of runs
UNITS = (
    message("%(count)s bytes"),
    message("%(count)s kB"),
    message("%(count)s MB"),
    message("%(count)s GB"),
    message("%(count)s TB"),
)
LITTLE = 1_000_000  # bytes: less room in the file is not worth a word


def inside(
    views: Sequence[ServiceView],
    around: Surroundings,
    calendar: Calendar,
    *,
    drift: Sequence[Finding] = (),
    notices: Sequence[Finding] = (),
    repository: Callable[[Target], str] = lambda _: "",
    keep: int | None = None,
    versions: Sequence[tuple[str, str]] = (),
) -> Inside:
    """Make the operator's values of *views* and what lies *around* them.

    *drift* and *notices* are what is wrong with what files and systems say, and what is only worth a look.
    *repository* names what the file of a target lies in; single answers are kept for *keep* ms.
    """
    seen = {one.private.service.key: one for one in views if one.private}
    needed_by: dict[str, list[tuple[str, Need]]] = defaultdict(list)
    for key in seen:
        for need in around.of(key).needs:
            if need.service:
                needed_by[need.service].append((key, need))
    beside = Neighbourhood(seen, needed_by)
    findings = tuple(grouped(drift, notices, seen, around))
    about: dict[str, list[Found]] = defaultdict(list)
    for one in (one for kind in findings for one in kind.those):
        about[one.slug].append(one)
    told = {
        view.slug: inside_service(view, around.of(key), beside, about[view.slug], calendar, repository)
        for key, view in seen.items()
    }
    return Inside(
        services=told,
        categories=tuple(categories(views, told)),
        ports=tuple(plan(seen, around)),
        findings=findings,
        runs=runs(around.runs, around.day, calendar),
        sources=tuple(source(one, calendar) for one in around.sources),
        kept=kept(around.size, calendar, keep),
        versions=tuple(versions),
    )


def categories(views: Iterable[ServiceView], told: Mapping[str, InsideService]) -> list[Category]:
    """Count by category how many services are up, of those that count; those without a category come last."""
    members: dict[str, list[ServiceView]] = defaultdict(list)
    for one in views:
        if one.counted and one.slug in told:
            members[told[one.slug].category].append(one)
    order = {name: place for place, name in enumerate(CATEGORIES)}
    names = sorted(members, key=lambda name: (name == "", order.get(name, len(order)), name))
    return [category(name or UNTOLD, members[name]) for name in names]


def category(name: str, members: Sequence[ServiceView]) -> Category:
    """Count the *members* of one category."""
    wrong = [one for one in members if one.look != "up"]
    return Category(
        name=name,
        look=wrong_look(wrong),
        healthy=len(members) - len(wrong),
        total=len(members),
        wrong=tuple(Neighbour(name=one.name, slug=one.slug, look=one.look, said="") for one in wrong),
    )


def wrong_look(wrong: Iterable[ServiceView]) -> str:
    """Return the worst look of services that are not up; up without any."""
    return min((one.look for one in wrong), key=WORST.index, default="up")


# How uplog does


def runs(newest: Sequence[Ran], day: Sequence[Ran], calendar: Calendar) -> Runs:
    """Tell how the *newest* runs went, and how late and how long all of the last 24 hours were."""
    tongue = calendar.tongue
    late, took = [one.late for one in day], [one.took for one in day if one.took is not None]
    spread = ((tongue.gettext("late"), late), (tongue.gettext("took"), took))
    return Runs(
        newest=tuple(run(one, calendar) for one in newest),
        count=len(day),
        failed=sum(bool(one.error) or one.took is None for one in day),
        spread=tuple((what, *shares(tongue, values)) for what, values in spread if values),
    )


def run(one: Ran, calendar: Calendar) -> RunLine:
    """Tell of one run."""
    tongue = calendar.tongue
    well = not one.error and one.took is not None and one.observed >= one.planned
    return RunLine(
        ran=one,
        when=calendar.second(one.at),
        well=well,
        late=words.milliseconds(tongue, one.late),
        took=words.milliseconds(tongue, one.took) if one.took is not None else "",
        asked=tongue.gettext("%(count)s of %(total)s", count=one.observed, total=one.planned),
        error=one.error or ("" if one.took is not None else tongue.gettext("did not end by itself")),
    )


def shares(tongue: Tongue, values: Sequence[int]) -> tuple[str, str, str]:
    """Write percentiles of some ms, by nearest rank.

    >>> shares(ENGLISH, [10, 20, 30, 3_000])
    ('20 ms', '3 s', '3 s')
    """
    ordered = sorted(values)
    half, most, every = (words.milliseconds(tongue, ordered[-(-len(ordered) * share // 100) - 1]) for share in SHARES)
    return half, most, every


def source(one: Source, calendar: Calendar) -> SourceLine:
    """Tell how one source does."""
    return SourceLine(
        source=one,
        when=calendar.moment(one.at),
        took=words.milliseconds(calendar.tongue, one.took),
    )


def kept(size: Size, calendar: Calendar, keep: int | None) -> Kept:
    """Tell how large the record is, and how far single answers reach back."""
    return Kept(
        size=size,
        amount=amount(calendar.tongue, size.bytes),
        free=amount(calendar.tongue, size.free) if size.free >= LITTLE else "",
        reaches=calendar.moment(size.oldest),
        keep=words.duration(calendar.tongue, keep // 1_000) if keep else "",
    )


def amount(tongue: Tongue, count: int) -> str:
    """Write a number of bytes by two digits or more.

    >>> amount(ENGLISH, 512), amount(ENGLISH, 2_744_320), amount(ENGLISH, 61_000_000_000)
    ('512 bytes', '2.7 MB', '61 GB')
    """
    size, unit = float(count), 0
    while size >= 1_000 and unit < len(UNITS) - 1:
        size, unit = size / 1_000, unit + 1
    number = f"{size:.0f}" if unit == 0 or size >= 10 else f"{size:.1f}"
    return tongue.gettext(UNITS[unit], count=tongue.number(number))
