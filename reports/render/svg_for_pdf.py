"""matplotlib's SVG as fpdf2 draws it: text as text, and neither patterns nor clips of groups."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as Xml
from xml.etree.ElementTree import Element

from matplotlib.figure import Figure

from reports.charts.figure import drawn_as_svg

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
Xml.register_namespace("", _SVG[1:-1])
_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
_POINT = re.compile(rf"({_NUMBER}) ({_NUMBER})")


def svg_for_pdf(figure: Figure) -> bytes:
    """The figure as SVG."""
    drawn = drawn_as_svg(figure, "pdf", text="none")
    root = Xml.fromstring(drawn)  # noqa: S314 - matplotlib's own
    for text in root.iter(f"{_SVG}text"):
        _font(text)
    for definitions in list(root.iter(f"{_SVG}defs")):
        for pattern in list(definitions.iter(f"{_SVG}pattern")):
            _draw_hatches(root, pattern)
            definitions.remove(pattern)
    for group in root.iter(f"{_SVG}g"):
        if (clip := group.attrib.pop("clip-path", None)) is not None:
            _clip(root, group, clip)
    return Xml.tostring(root)


def _font(text: Element) -> None:
    """The font as attributes; its size in the drawing's own unit, which a pixel is not for fpdf2."""
    style = text.get("style", "")
    if (found := re.search(r"font: (.*?)([\d.]+)px", style)) is None:
        return
    text.set("font-size", found[2])
    text.set("font-family", "DejaVu Sans")
    if "bold" in found[1] or "700" in found[1]:
        text.set("font-weight", "bold")
    text.set("style", re.sub(r"font: [^;]*;?", "", style))


def _draw_hatches(root: Element, pattern: Element) -> None:
    """Replace the pattern by lines that the filled shape clips."""
    ground, hatch = pattern.find(f"{_SVG}rect"), pattern.find(f"{_SVG}path")
    wanted = f"url(#{pattern.get('id')})"
    for parent in list(root.iter()):
        for place, path in reversed(list(enumerate(parent))):
            if wanted not in path.get("style", "") or ground is None or hatch is None:
                continue
            path.set("style", path.get("style", "").replace(wanted, ground.get("fill", "none")))
            clip = Element(f"{_SVG}clipPath", {"id": f"{pattern.get('id')}c{id(path)}"})
            # What is hatched has straight edges, and fpdf2 clips by shapes, not by paths.
            points = " ".join(f"{x},{y}" for x, y in _POINT.findall(path.get("d", "")))
            clip.append(Element(f"{_SVG}polygon", {"points": points}))
            lines = Element(f"{_SVG}path", dict(hatch.attrib))
            lines.set("d", " ".join(_tiles(path.get("d", ""), hatch.get("d", ""), pattern)))
            lines.set("clip-path", f"url(#{clip.get('id')})")
            parent.insert(place + 1, lines)
            definitions = Element(f"{_SVG}defs")
            definitions.append(clip)
            root.insert(0, definitions)


def _tiles(outline: str, hatch: str, pattern: Element) -> Iterator[str]:
    """Yield the hatch as often as it takes to cover the outline."""
    points = [(float(x), float(y)) for x, y in _POINT.findall(outline)]
    size = float(pattern.get("width", 72))
    first, last = ([int(end(c) // size) for c in zip(*points, strict=True)] for end in (min, max))
    for column in range(first[0], last[0] + 1):
        for row in range(first[1], last[1] + 1):
            yield _moved(hatch, column * size, row * size)


def _moved(path: str, right: float, down: float) -> str:
    return _POINT.sub(lambda p: f"{float(p[1]) + right:.2f} {float(p[2]) + down:.2f}", path)


def _clip(root: Element, group: Element, clip: str) -> None:
    """Clip each path of a group, and each that it uses, which are drawn in its place."""
    for parent in list(group.iter()):
        for place, one in enumerate(parent):
            if one.tag == f"{_SVG}use":
                used = root.find(f".//{_SVG}path[@id='{one.get(_LINK, '')[1:]}']")
                if used is None:
                    continue
                x, y = (float(one.get(side, 0)) for side in ("x", "y"))
                style = f"{used.get('style', '')}; {one.get('style', '')}"
                one = Element(f"{_SVG}path", {"d": _moved(used.get("d", ""), x, y), "style": style})
                parent[place] = one
            if one.tag == f"{_SVG}path":
                one.set("clip-path", clip)
