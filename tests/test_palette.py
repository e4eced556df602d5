"""The colours of the page can be read, and told apart by everybody: computed, not looked at."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import pytest

from uplog.site.beside.icons import COLOURS
from uplog.site.palette import DARK, LIGHT, STATES, grounds
from uplog.site.theme.colour import GRAPHICS, TEXT, contrast, linear, parts

pytestmark = pytest.mark.unit

PALETTES = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
CELLS = ("foot", "warn", "d1", "d2", "d3", "d4", "hollow", "hatch")
DEEPER = ("d1", "d2", "d3", "d4")
APART = 0.08  # least distance of two states in OKLab; about 0.02 is just noticed side by side
STEP = 0.035  # of two steps of down, which differ in height too

# What who sees no red (protanopia), and no green (deuteranopia), sees of linear red, green and blue: Machado, Oliveira,
# Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009, severity 1.0.
EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}


def seen(colour: str, eyes: str) -> tuple[float, ...]:
    """Return linear red, green and blue of *colour* as some eyes see it."""
    rgb = [linear(part / 255) for part in parts(colour)]
    return tuple(min(1, max(0, sum(a * b for a, b in zip(row, rgb, strict=True)))) for row in EYES[eyes])


def oklab(rgb: Sequence[float]) -> tuple[float, float, float]:
    """Return linear sRGB in OKLab: https://bottosson.github.io/posts/oklab/."""
    r, g, b = rgb
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def distance(one: str, other: str, eyes: str) -> float:
    pairs = zip(oklab(seen(one, eyes)), oklab(seen(other, eyes)), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def near(colours: Mapping[str, str], names: Sequence[str], least: float) -> list[tuple[str, str, str, float]]:
    """Return the pairs of *names* that some eyes cannot tell apart, each with its distance."""
    return [
        (one, other, eyes, round(apart, 3))
        for one, other in combinations(names, 2)
        for eyes in EYES
        if (apart := distance(colours[one], colours[other], eyes)) < least
    ]


def test_the_measure_is_that_of_its_source() -> None:
    """White is 1, 0, 0 in OKLab; green and red of one lightness are one colour to who lacks one of both."""
    assert [round(part, 3) for part in oklab((1, 1, 1))] == [1, 0, 0]
    assert distance("#b06000", "#707000", "usual") > 2 * distance("#b06000", "#707000", "deuteranopia")


@PALETTES
def test_words_can_be_read_on_every_ground_they_stand_on(colours: dict[str, str]) -> None:
    tints = dict(grounds(colours))
    plain = [colours["bg"], colours["card"], tints["hover"]]
    pairs = [(name, ground) for name in ("ink", "soft", *STATES) for ground in plain]
    pairs += [(name, tints[f"{state}-tint"]) for name in ("ink", "soft") for state in STATES]

    assert [(name, ground) for name, ground in pairs if contrast(colours[name], ground) < TEXT] == []


@PALETTES
def test_what_a_drawing_says_stands_out_from_what_is_behind_it(colours: dict[str, str]) -> None:
    tints = dict(grounds(colours))
    behind = [colours["bg"], colours["card"], tints["hover"], colours["pale"]]
    pairs = [(name, ground) for name in CELLS for ground in behind]
    pairs += [(state, tints[f"{state}-tint"]) for state in STATES]  # the disc of the headline

    assert [(name, ground) for name, ground in pairs if contrast(colours[name], ground) < GRAPHICS] == []


@PALETTES
def test_the_sign_in_the_disc_of_the_headline_stands_out(colours: dict[str, str]) -> None:
    assert [state for state in STATES if contrast(colours["card"], colours[state]) < GRAPHICS] == []


@PALETTES
def test_states_are_told_apart_without_red_or_green(colours: dict[str, str]) -> None:
    assert near(colours, STATES, APART) == []


@PALETTES
def test_cells_of_different_states_are_told_apart_without_red_or_green(colours: dict[str, str]) -> None:
    assert [pair for deep in DEEPER for pair in near(colours, ("foot", "warn", deep, "hollow", "hatch"), APART)] == []


@PALETTES
def test_more_of_a_day_down_is_deeper_step_by_step(colours: dict[str, str]) -> None:
    from_card = [contrast(colours[step], colours["card"]) for step in DEEPER]

    assert from_card == sorted(from_card)
    assert near(colours, DEEPER, STEP) == []


@pytest.mark.parametrize("bar", ["#ffffff", "#202124"])
def test_the_icon_of_each_state_stands_out_in_light_and_dark_tabs(bar: str) -> None:
    assert [state for state, colour in COLOURS.items() if contrast(colour, bar) < GRAPHICS] == []
