"""How well colours can be told apart, by WCAG 2.2, and the nearest colour that can. All pure; colours are #rrggbb."""

from collections.abc import Sequence

TEXT, GRAPHICS = 4.5, 3.0  # least contrast: WCAG 2.2, 1.4.3 (AA) and 1.4.11


def parts(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue.

    >>> parts("#0b5fff")
    (11, 95, 255)
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def luminance(colour: str) -> float:
    """Return the relative luminance, 0 to 1: https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    red, green, blue = (linear(part / 255) for part in parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def linear(part: float) -> float:
    """Undo the gamma of sRGB."""
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21.

    >>> contrast("#000000", "#ffffff"), round(contrast("#777777", "#ffffff"), 2)
    (21.0, 4.48)
    """
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def worst(colour: str, grounds: Sequence[str]) -> tuple[float, str]:
    """Return the least contrast of *colour* with one of the *grounds*, and which that is."""
    return min((contrast(colour, ground), ground) for ground in grounds)


def nearest(colour: str, grounds: Sequence[str], least: float = TEXT) -> str:
    """Return *colour*, or it with as little black or white in it as it needs for its contrast with all *grounds*.

    >>> nearest("#0b5fff", ["#ffffff"]), nearest("#ffcc00", ["#ffffff"])
    ('#0b5fff', '#907300')
    """
    end = max(("#000000", "#ffffff"), key=lambda end: worst(end, grounds))
    mixes = (mixed(colour, end, step / 255) for step in range(256))
    return next((one for one in mixes if worst(one, grounds)[0] >= least), end)


def mixed(colour: str, other: str, share: float) -> str:
    """Return *colour* with a *share* of the *other* in it."""
    pairs = zip(parts(colour), parts(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
