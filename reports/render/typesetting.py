"""Text that is measured before it is set: widths, and lines that fit."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from reports.charts import style
from reports.text import rounding

LEADING = 1.42
"""Distance of two lines of text, in sizes of their type."""
_ASCENT = 0.93
"""From the top of a line's room to its baseline, likewise."""


@dataclass(frozen=True, slots=True)
class Type:
    """A size in points, a weight and a colour."""

    size: float
    colour: style.Colour = style.INK
    weight: Literal["normal", "bold"] = "normal"
    family: Literal["DejaVu Sans", "DejaVu Sans Mono"] = "DejaVu Sans"

    @property
    def line(self) -> float:
        """Points from one line to the next."""
        return self.size * LEADING

    def width(self, text: str) -> float:
        """How wide this text is, in points: its widest line."""
        lines = _printed(text).split("\n")
        return max(_width(line, self.family, self.weight) for line in lines) * self.size

    def wrap(self, text: str, width: float) -> list[str]:
        """The text in lines of at most `width` points; a word that is longer is broken."""
        return [line for part in text.split("\n") for line in self._wrap(part, width)]

    def _wrap(self, text: str, width: float) -> list[str]:
        lines, line = [], ""
        # Not at no-break spaces, which stand between numbers and their units.
        for word in re.split(r"[ \t]+", text):
            longer = f"{line} {word}" if line else word
            if self.width(longer) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *whole, line = self._broken(word, width)
            lines += whole
        return [*lines, line]

    def _broken(self, word: str, width: float) -> list[str]:
        parts = []
        while self.width(word) > width and len(word) > 1:
            fits = max(1, sum(self.width(word[:n]) <= width for n in range(1, len(word))))
            parts.append(word[:fits])
            word = word[fits:]
        return [*parts, word]

    def cut(self, text: str, width: float) -> str:
        """The text on one line of at most `width` points, cut in the middle if need be."""
        most = len(text)
        while self.width(rounding.shortened(text, most)) > width and most > 2:
            most -= 1
        return rounding.shortened(text, most)

    def set(
        self,
        sheet: Figure,
        text: str,
        left: float,
        top: float,
        align: Literal["left", "center", "right"] = "left",
    ) -> None:
        """Put a line on the sheet, the top of its room `top` points from the sheet's lower edge."""
        width, height = (side * 72 for side in sheet.get_size_inches())
        sheet.text(
            left / width,
            (top - self.size * _ASCENT) / height,
            _printed(text),
            ha=align,
            va="baseline",
            fontsize=self.size,
            color=self.colour.light,
            weight=self.weight,
            family=self.family,
            parse_math=False,
        )

    def set_lines(self, sheet: Figure, lines: list[str], left: float, top: float) -> float:
        """Put lines below one another; returns where the next thing may begin."""
        for line in lines:
            self.set(sheet, line, left, top)
            top -= self.line
        return top


def _printed(text: str) -> str:
    """The text without what only says where a line must not break: it has no glyph, and matplotlib
    gives it room in a PDF.
    """
    return text.replace("\N{WORD JOINER}", "").replace("\N{ZERO WIDTH SPACE}", "")


@lru_cache(maxsize=20_000)
def _width(text: str, family: str, weight: str) -> float:
    """A line's width at size 1."""
    font = FontProperties(family=family, weight=weight, size=100)
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0]) / 100
