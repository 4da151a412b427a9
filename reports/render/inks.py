"""Real colours in place of the sentinels that charts are drawn in, while a renderer draws."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

from reports.charts import style

_INKS = {tuple(round(c * 255) for c in to_rgb(k.sentinel)): to_rgb(k.light) for k in style.COLOURS}


def ink(colour: Sequence[float]) -> tuple[float, ...]:
    """The light page's colour for a sentinel, RGB or RGBA from 0 to 1; any other colour as it is."""
    real = _INKS.get(tuple(round(float(c) * 255) for c in colour[:3]))
    return tuple(colour) if real is None else (*real, *colour[3:])


class Inked:
    """A renderer of matplotlib's that paints every sentinel in the light page's colour.

    Everything else is left to the renderer it stands before. Colours are exchanged here and not in the
    artists, because artists keep them in too many places, and here they all come by.
    """

    def __init__(self, renderer: Any) -> None:
        self._behind = renderer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._behind, name)

    def draw_path(self, gc: Any, path: Any, transform: Any, rgbFace: Any = None) -> None:  # noqa: N803
        """A line or an area."""
        self._behind.draw_path(_dipped(gc), path, transform, _maybe(rgbFace))

    def draw_markers(
        self,
        gc: Any,
        marker: Any,
        placing: Any,
        path: Any,
        transform: Any,
        rgbFace: Any = None,  # noqa: N803
    ) -> None:
        """A marker at each vertex of a path."""
        self._behind.draw_markers(_dipped(gc), marker, placing, path, transform, _maybe(rgbFace))

    def draw_path_collection(self, gc: Any, *rest: Any, **more: Any) -> None:
        """Many paths; their faces and edges are the sixth and seventh argument after `gc`."""
        args = list(rest)
        args[5], args[6] = _each(args[5]), _each(args[6])
        if more.get("hatchcolors") is not None:
            more["hatchcolors"] = _each(more["hatchcolors"])
        self._behind.draw_path_collection(_dipped(gc), *args, **more)

    def draw_quad_mesh(self, gc: Any, *rest: Any) -> None:
        """A grid of cells; faces and edges come last but one, and last."""
        args = list(rest)
        args[6], args[8] = _each(args[6]), _each(args[8])
        self._behind.draw_quad_mesh(_dipped(gc), *args)

    def draw_text(self, gc: Any, *rest: Any, **more: Any) -> None:
        """A line of text."""
        self._behind.draw_text(_dipped(gc), *rest, **more)


def _dipped(gc: Any) -> Any:
    """The graphics context with its line's and its hatch's colours exchanged."""
    gc.set_foreground(ink(gc.get_rgb()), isRGBA=True)
    if gc.get_hatch() is not None:
        gc.set_hatch_color(ink(gc.get_hatch_color()))
    return gc


def _maybe(face: Any) -> Any:
    return None if face is None else ink(face)


def _each(colours: Any) -> Any:
    """An (n, 3 or 4) array of colours, exchanged one by one; a word such as `none` as it is."""
    if isinstance(colours, str) or len(colours) == 0:
        return colours
    return np.array([ink(colour) for colour in np.atleast_2d(colours)])
