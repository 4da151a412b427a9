"""A finished chart as a part of another figure."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from matplotlib.artist import Artist
from matplotlib.backends.backend_pdf import Op
from matplotlib.figure import Figure


class Placed(Artist):
    """Draws a chart with its lower left corner at (`left`, `bottom`), points from the sheet's own.

    The chart is drawn as it is, not as an image of itself. `scale` is its size on
    the sheet over its natural one. Only a PDF can have one other than 1: matplotlib's other renderers
    have no way to scale text with the rest.
    """

    def __init__(self, chart: Figure, left: float, bottom: float, scale: float = 1.0) -> None:
        super().__init__()
        self._chart, self._left, self._bottom, self._scale = chart, left, bottom, scale

    def draw(self, renderer: Any) -> None:
        """Draw it where it belongs, and leave the chart as it was."""
        chart, sheet = self._chart, self.get_figure(root=True)
        dpi, bounds = chart.dpi, chart.bbox_inches.bounds
        try:
            # In this order: given another resolution, the figure measures itself and loses its place.
            chart.dpi = sheet.dpi if sheet is not None else dpi
            if self._scale == 1:
                chart.bbox_inches.bounds = (self._left / 72, self._bottom / 72, *bounds[2:])
                chart.draw(renderer)
            else:
                with _scaled(getattr(renderer, "_renderer", renderer), self._move):
                    chart.draw(renderer)
        finally:
            chart.bbox_inches.bounds = bounds
            chart.dpi = dpi

    @property
    def _move(self) -> tuple[float, ...]:
        """The affine transformation as PDF writes it."""
        return self._scale, 0, 0, self._scale, self._left, self._bottom


@contextmanager
def _scaled(pdf: Any, move: tuple[float, ...]) -> Iterator[None]:
    """Whatever the PDF renderer draws meanwhile is transformed by `move`.

    The renderer undoes clips by restoring states until it finds the right one or there is none left;
    it must not find those from before the transformation, so it starts from a state without parents.
    """
    outer, size = pdf.gc, (pdf.file.width, pdf.file.height)
    pdf.file.output(Op.gsave, *move, Op.concat_matrix)
    pdf.gc = pdf.new_gc()
    pdf.gc.copy_properties(outer)
    # Markers beyond the page are left out, by their places before the transformation.
    pdf.file.width, pdf.file.height = (side / move[0] for side in size)
    try:
        yield
    finally:
        pdf.file.output(*pdf.gc.finalize(), Op.grestore)
        pdf.gc, (pdf.file.width, pdf.file.height) = outer, size
