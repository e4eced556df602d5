"""The colours of the page, on light and on dark: the one place where they are written. All pure.

Text has 4.5:1 with both grounds, what a drawing says has 3:1, and those of different states can be told apart by who
sees no red or no green: tests/test_palette.py computes it.
"""

from collections.abc import Iterator, Mapping

from .theme.colour import mixed

STATES = ("up", "degraded", "down", "unknown", "maintenance")
TINT = 0.07  # of a state's colour in the ground of its card
HOVER = 0.035  # of ink in the ground of a row

LIGHT = {
    "bg": "#fbfbf9",
    "card": "#ffffff",
    "ink": "#1b1f23",
    "soft": "#5a6269",
    "line": "#e2e3de",
    # words and signs of the states
    "up": "#1c7d68",
    "degraded": "#a45c05",
    "down": "#a3121a",
    "unknown": "#4d545b",
    "maintenance": "#2f66b5",
    # cells of a bar: a day that was up is pale and has a foot; down in four steps, the more the deeper
    "pale": "#d6eee4",
    "foot": "#2f9279",
    "warn": "#b4700d",
    "d1": "#b62c24",
    "d2": "#9d1c1a",
    "d3": "#821012",
    "d4": "#63050a",
    "hollow": "#5b626a",
    "hatch": "#4a78c8",
}
DARK = {
    "bg": "#121417",
    "card": "#191c20",
    "ink": "#e8eaec",
    "soft": "#9aa3ab",
    "line": "#2a2e33",
    "up": "#86e3c0",
    "degraded": "#f2b63f",
    "down": "#f4675a",
    "unknown": "#a6acb4",
    "maintenance": "#7f9ff0",
    "pale": "#17332a",
    "foot": "#6fd9b4",
    "warn": "#f0b53c",
    "d1": "#d4463b",
    "d2": "#e2544a",
    "d3": "#ee6256",
    "d4": "#fa7264",
    "hollow": "#8f969e",
    "hatch": "#6c93e6",
}


def css() -> str:
    """Write the colours as variables, and the colour of each state as `--c` and `--tint`."""
    return (
        f":root{{{variables(LIGHT)};--accent:var(--ink)}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
        + "".join(
            f"[data-state={state}],[data-told={state}]{{--c:var(--{state});--tint:var(--{state}-tint)}}"
            for state in STATES
        )
    )


def variables(colours: Mapping[str, str]) -> str:
    """Write *colours* as declarations."""
    return ";".join(f"--{name}:{colour}" for name, colour in (*colours.items(), *grounds(colours)))


def grounds(colours: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the grounds that follow from other colours: of a row under the pointer, and of cards of the states."""
    yield "hover", mixed(colours["card"], colours["ink"], HOVER)
    for state in STATES:
        yield f"{state}-tint", mixed(colours["card"], colours[state], TINT)
