"""Charts with a row for each run and a marker for each key type: thirty runs need no thirty colours."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.charts.figure import Margins, canvas, legend
from reports.charts.style import GRID, INK, SMALL_SIZE, look
from reports.statistics.overview import Row, key_types
from reports.text.rounding import shortened

_LETTER = 6.9
_LANE, _ROW_GAP, _GROUP_GAP = 13.0, 8.0, 7.0
"""Pixels of a key type's lane, between rows, and between groups of rows besides."""
_NAME_ROOM = 30
"""Characters of a row's name."""
_PAD = 9
"""Pixels between a name and the axis, which keep markers at zero off the names."""
_TALL = 500.0
"""Pixels from which the scale is written above the rows as well."""
_HEADING = 19.0
"""Pixels of a group's heading, which stands above its rows."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """A figure whose vertical axis is pixels from the top: one lane for each key type of each row."""

    figure: Figure
    axes: Axes
    rows: Sequence[Row]
    keys: tuple[str, ...]
    middles: tuple[float, ...]
    """Of each row."""

    def at(self, row: int, key_type: str) -> float:
        """The place of a lane; the key types of a row share it evenly."""
        here = [line.key_type for line in self.rows[row].lines]
        return self.middles[row] + (here.index(key_type) - (len(here) - 1) / 2) * _LANE


def lanes(rows: Sequence[Row], xlabel: str, *, more: Sequence[Artist] = ()) -> Lanes:
    """An empty chart with the rows' names at the left and a legend of key types above.

    `more` are further samples for the legend: what else is drawn in a lane.
    """
    keys = key_types(tuple(rows))
    middles, headings, y = [], [], _ROW_GAP / 2
    for place, row in enumerate(rows):
        if row.group is not None and (not place or row.group != rows[place - 1].group):
            headings.append((y + _HEADING / 2 + (_GROUP_GAP if place else 0), row.group))
            y += _HEADING + (_GROUP_GAP if place else 0)
        height = _LANE * len(row.lines) + _ROW_GAP
        middles.append(y + height / 2)
        y += height
    depth = y + _ROW_GAP / 2
    names = [shortened(row.within, _NAME_ROOM) for row in rows]
    room = max(map(len, names)) * _LETTER + 14 + _PAD
    # A reader of the first rows should not have to scroll for the scale.
    tall = depth > _TALL
    top, bottom = 52 if tall else 32, 46
    margins = Margins(left=round(room), right=18, top=top, bottom=bottom)
    figure, axes = canvas(margins, height=round(depth) + top + bottom)
    axes.set_ylim(depth, 0)
    axes.set_yticks(middles, names)
    for label in axes.get_yticklabels():
        label.set_color(INK.light)
        label.set_fontsize(SMALL_SIZE)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    for place, (middle, text) in enumerate(headings):
        axes.annotate(
            shortened(text, 2 * _NAME_ROOM), (-margins.left, middle), xycoords=("axes pixels", "data"),
            va="center", color=INK.light, fontsize=SMALL_SIZE, fontweight="bold",
            annotation_clip=False,
        )  # fmt: skip
        if place:
            edge = middle - _HEADING / 2 - _GROUP_GAP / 2
            axes.axhline(edge, color=GRID.light, linewidth=1.2, zorder=1)
    axes.tick_params(axis="y", pad=_PAD)
    axes.tick_params(axis="x", labeltop=tall)
    axes.set_xlabel(xlabel)
    handles = [
        Line2D([], [], color=look(k).colour, marker=look(k).marker, linestyle="", markersize=7, label=k)
        for k in keys
    ]
    legend(figure, axes, [*(handles if len(keys) > 1 else []), *more])
    return Lanes(figure, axes, rows, keys, tuple(middles))
