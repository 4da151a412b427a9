"""The one place for colours and type.

Charts are drawn in the light page's colours. In a page, the style sheet exchanges them for CSS
variables (`exchanges`), for which no two colours may be alike. So one drawing serves the light page,
the dark page, print, a page whose style sheet is not let through, PDF and pictures.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self


class Colour(str):
    """A colour by its role: itself on the light page, `dark` on the dark one, `variable` in CSS."""

    __slots__ = ("dark", "variable")
    dark: str
    variable: str

    def __new__(cls, variable: str, light: str, dark: str) -> Self:
        """The colour of that CSS variable."""
        made = super().__new__(cls, light)
        made.variable, made.dark = variable, dark
        return made

    @property
    def light(self) -> str:
        """The colour on the light page."""
        return str(self)


INK = Colour("--ink", "#1a1f26", "#e8eaed")
MUTED = Colour("--muted", "#59626e", "#a3abb5")
GRID = Colour("--grid", "#dfe3e8", "#31363d")
PAPER = Colour("--paper", "#ffffff", "#14171b")
FAINT = Colour("--faint", "#b9c0c8", "#565e68")

# News: good and bad. Neither is ever told by colour alone, so no chart is drawn in them.
GOOD = Colour("--good", "#00694c", "#4fd1a5")
BAD = Colour("--bad", "#b3261e", "#ff8a80")

# Key types: blue, vermillion and green of Okabe and Ito's palette, lightened for the dark page.
INT = Colour("--int", "#0072b2", "#56b4e9")
UUID = Colour("--uuid", "#d55e00", "#f0913a")
UUID7 = Colour("--uuid7", "#00805c", "#2fc79b")

# Parts of a transaction's time: one hue in steps that stay apart in grey.
PART_1 = Colour("--part-1", "#3d4a5c", "#c3cedc")
PART_2 = Colour("--part-2", "#8596ab", "#5d7089")
PART_3 = Colour("--part-3", "#c2ccd8", "#424f60")
PART_4 = Colour("--part-4", "#e3e8ee", "#2b343f")

# Targets: hues that no key type has, dark to light, so that they stay apart in grey, too.
TARGET_1 = Colour("--target-1", "#3b2a8c", "#a79af5")
TARGET_2 = Colour("--target-2", "#a08a00", "#e3d04a")
TARGET_3 = Colour("--target-3", "#b8358f", "#f288cd")
TARGET_4 = Colour("--target-4", "#7a4a2b", "#c79a76")

COLOURS = (
    INK, MUTED, GRID, PAPER, FAINT, GOOD, BAD, INT, UUID, UUID7, PART_1, PART_2, PART_3, PART_4,
    TARGET_1, TARGET_2, TARGET_3, TARGET_4,
)  # fmt: skip


Line = Literal["-", "--", "-.", ":"]


@dataclass(frozen=True, slots=True)
class Look:
    """How a key type or a target is drawn, in every chart: colour, marker and line tell it apart."""

    colour: Colour
    marker: str
    line: Line
    hatch: str | None = None


_LOOKS = {
    "int": Look(INT, "o", "-"),
    "uuid": Look(UUID, "s", "--", "////"),
    "uuid7": Look(UUID7, "^", "-.", "...."),
}
_TARGET_COLOURS = (TARGET_1, TARGET_2, TARGET_3, TARGET_4)
_TARGET_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Line, ...] = ("-", "--", "-.", ":")
_TARGET_HATCHES = (None, "////", "....", "xxxx")


def look(key_type: str) -> Look:
    """How this key type is drawn."""
    return _LOOKS.get(key_type, Look(INK, "D", ":"))


def target_look(number: int) -> Look:
    """How the target of this number, from 0, is drawn; colours recur after the fourth."""
    choices = (_TARGET_COLOURS, _TARGET_MARKERS, LINES, _TARGET_HATCHES)
    return Look(*(some[number % len(some)] for some in choices))  # type: ignore[arg-type]


def target_looks(names: Iterable[str]) -> dict[str, Look]:
    """How each target is drawn, by name; `names` are all of the report's, in its order."""
    return {name: target_look(number) for number, name in enumerate(dict.fromkeys(names))}


def variables(dark: bool) -> str:
    """CSS declarations of every colour, for the light or the dark page."""
    return " ".join(f"{c.variable}: {c.dark if dark else c.light};" for c in COLOURS)


def exchanges() -> str:
    """CSS that puts the page's own colours in place of those that a chart's attributes name."""
    return "\n".join(
        f'.chart [{what}="{c.light}"] {{ {what}: var({c.variable}); }}'
        for c in COLOURS
        for what in ("fill", "stroke")
    )


FONT_SIZE = 12.5
SMALL_SIZE = 11.5
WIDTH, HEIGHT = 560, 330
"""Size of a chart in CSS pixels; it scales with the page."""
