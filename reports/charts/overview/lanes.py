"""Charts with a row for each run and a marker for each key type: thirty runs need no thirty colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.axes import values_to_the_right
from reports.charts.figure import LETTER, canvas, write_above
from reports.charts.marks import sample
from reports.charts.style import GRID, INK, Look, look
from reports.statistics.overview import Line, Row, key_types
from reports.text.rounding import shortened

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
    middles: Sequence[float]
    """Of each row."""

    def lines(self) -> Iterator[tuple[Row, Line, float, Look]]:
        """Each line with its lane and its look; the key types of a row share it evenly."""
        for row, middle in zip(self.rows, self.middles, strict=True):
            for number, line in enumerate(row.lines):
                y = middle + (number - (len(row.lines) - 1) / 2) * _LANE
                yield row, line, y, look(line.key_type)


def lanes(rows: Sequence[Row], xlabel: str, samples: Sequence[Artist] = ()) -> Lanes:
    """An empty chart with the rows' names at the left and a legend of key types above; `samples` are
    what else is drawn in a lane.
    """
    middles, headings, y = [], [], _ROW_GAP / 2
    for number, row in enumerate(rows):
        if row.group is not None and (not number or row.group != rows[number - 1].group):
            y += _GROUP_GAP if number else 0
            headings.append((y + _HEADING / 2, row.group))
            y += _HEADING
        height = _LANE * len(row.lines) + _ROW_GAP
        middles.append(y + height / 2)
        y += height
    depth = y + _ROW_GAP / 2
    names = [shortened(row.within, _NAME_ROOM) for row in rows]
    # A reader of the first rows should not have to scroll for the scale.
    tall = depth > _TALL
    left, top = round(max(map(len, names)) * LETTER + 14 + _PAD), 52 if tall else 32
    figure, axes = canvas(left=left, right=18, top=top, height=round(depth) + top + 46)
    axes.set_ylim(depth, 0)
    axes.set_yticks(middles, names, color=INK)
    values_to_the_right(axes)
    for number, (middle, text) in enumerate(headings):
        axes.annotate(
            shortened(text, 2 * _NAME_ROOM), (-left, middle), xycoords=("axes pixels", "data"),
            va="center", color=INK, fontweight="bold", annotation_clip=False,
        )  # fmt: skip
        if number:
            axes.axhline(middle - (_HEADING + _GROUP_GAP) / 2, color=GRID, linewidth=1.2, zorder=1)
    axes.tick_params(axis="y", pad=_PAD)
    axes.tick_params(axis="x", labeltop=tall)
    axes.set_xlabel(xlabel)
    keys = key_types(tuple(rows))
    handles = [sample(key, look(key), linestyle="", markersize=7) for key in keys]
    write_above(figure, "", [*(handles if len(keys) > 1 else []), *samples])
    return Lanes(figure, axes, rows, middles)
