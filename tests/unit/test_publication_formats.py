"""A report as Markdown, PDF and pictures: complete, in real colours, and standing alone."""

import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from numpy.typing import NDArray
from PIL import Image

from loadtest.errors import InputError, OccbenchError
from reports import style
from reports.charts.draw import ChartData, canvas, finish, legend, to_svg
from reports.contents import contents
from reports.formats import parse_formats, write
from reports.formats.document import _typeset
from reports.formats.markdown import to_markdown
from reports.formats.placed import Placed
from reports.model import build_model
from reports.publication import Note, Publication, Section
from reports.run_publication import publication_of
from reports.table import Cell, Table, of_texts
from tests.examples import at_most
from tests.run_folders import FakeRun, write_fake_run

SMALL: dict[str, Any] = {"tps": 300.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 1.0}
INK = tuple(bytes.fromhex(style.INK.light[1:]))


@pytest.fixture(scope="module")
def publication(tmp_path_factory: pytest.TempPathFactory) -> Publication:
    """A run with most of what there is: skew, two key types on two targets."""
    fake = FakeRun(**SMALL, skew="zipf:0.9", targets=("east", "west"))
    folder = write_fake_run(tmp_path_factory.mktemp("run"), fake)
    return publication_of(contents(build_model(folder)))


@pytest.fixture(scope="module")
def written(publication: Publication, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    files = write(publication, ("md", "pdf", "png", "svg"), folder)
    assert sorted(files) == sorted(path for path in folder.rglob("*") if path.is_file())
    return folder


def test_every_chart_is_a_picture_of_each_kind(publication: Publication, written: Path) -> None:
    names = {chart.name for chart in publication.every_chart}
    assert len(names) == len(publication.every_chart) >= 10
    for kind in ("png", "svg"):
        assert {path.stem for path in (written / "charts").glob(f"*.{kind}")} == names


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def test_pictures_are_in_real_colours(written: Path) -> None:
    """Sentinels are nearly black: darker than anything that may be drawn."""
    for path in (written / "charts").glob("*.png"):
        found = pixels(path)
        assert found.sum(axis=2).min() == sum(INK), path.name
        assert (found[:4] == 255).all(), "white around it"
        assert found.shape[1] >= 1600, "sharp on a projector"
    for path in (written / "charts").glob("*.svg"):
        text = path.read_text()
        assert "var(--" not in text
        for colour in style.COLOURS:
            assert colour.sentinel not in text, (path.name, colour)
        assert style.INK.light in text


def test_a_key_type_has_its_colour_in_every_format(tmp_path: Path) -> None:
    figure, axes = canvas()
    axes.plot([0, 1], [0, 1], color=style.UUID.sentinel, linewidth=6, marker="s", label="uuid")
    axes.scatter([0.2, 0.4], [0.8, 0.6], s=400, color=[style.INT.sentinel, style.UUID7.sentinel])
    axes.bar(
        [0.8], [0.4], 0.1, color=style.PART_3.sentinel, hatch="//", edgecolor=style.TARGET_3.sentinel
    )
    axes.fill_between([0, 1], 0.9, 1.0, color=style.TARGET_2.sentinel)
    axes.pcolormesh([0.1, 0.2], [0.1, 0.2], [[1.0]], color=style.TARGET_1.sentinel)
    legend(figure, axes)
    used = (style.UUID, style.INT, style.UUID7, style.PART_3, style.TARGET_2, style.TARGET_3)
    chart = finish(figure, "all", "All", "Every way to draw.", ChartData(("a",), [(1,)]))
    write(Publication("t", ("k",), "h", "l", charts=(chart,)), ("png", "svg", "pdf"), tmp_path)
    drawn = {
        tuple(map(int, c))
        for c in np.unique(pixels(tmp_path / "charts/all.png").reshape(-1, 3), axis=0)
    }
    vectors = (tmp_path / "charts/all.svg").read_text()
    operators = " ".join(streams(tmp_path / "report.pdf"))
    for colour in used:
        rgb = tuple(bytes.fromhex(colour.light[1:]))
        assert rgb in drawn, colour.variable
        assert colour.light in vectors, colour.variable
        words = " ".join(f"{part / 255:.10f}".rstrip("0").rstrip(".") for part in rgb)
        assert f"{words} rg" in operators or f"{words} RG" in operators, colour.variable


def test_drawing_a_chart_elsewhere_leaves_it_as_it_was(
    publication: Publication, tmp_path: Path
) -> None:
    charts = publication.every_chart[::5]
    before = [to_svg(chart.figure, "x", "x") for chart in charts]
    write(Publication("t", ("k",), "h", "l", charts=charts), ("pdf", "png"), tmp_path)
    assert [to_svg(chart.figure, "x", "x") for chart in charts] == before


def test_a_picture_alone_says_what_it_shows(publication: Publication, written: Path) -> None:
    for chart in publication.every_chart:
        tree = ElementTree.parse(written / "charts" / f"{chart.name}.svg")  # noqa: S314 - our own
        said = " ".join(element.text or "" for element in tree.iter())
        assert chart.title in said
        assert chart.reading in said
        for element in tree.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith("#")


def test_writing_again_writes_the_same(publication: Publication, written: Path, tmp_path: Path) -> None:
    one = Publication(**{**_fields(publication), "charts": publication.charts[:1], "sections": ()})
    first = {p.name: p.read_bytes() for p in write(one, ("md", "pdf", "png", "svg"), tmp_path / "a")}
    again = {p.name: p.read_bytes() for p in write(one, ("md", "pdf", "png", "svg"), tmp_path / "b")}
    assert first == again


def _fields(publication: Publication) -> dict[str, Any]:
    return {name: getattr(publication, name) for name in Publication.__dataclass_fields__}


def streams(path: Path) -> Iterator[str]:
    """What the PDF's compressed streams hold, those that are text."""
    for body in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", path.read_bytes(), re.DOTALL):
        try:
            yield zlib.decompress(body).decode("latin-1")
        except zlib.error:
            continue


def test_the_document_is_well_formed(publication: Publication, written: Path) -> None:
    data = (written / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    pages = int(re.search(rb"/Count (\d+)", data)[1])  # type: ignore[index]
    assert pages == len(_typeset(publication)) >= 6
    assert data.count(b"/MediaBox [ 0 0 595.28 841.89 ]") == pages
    for text in streams(written / "report.pdf"):
        words = text.split()
        assert words.count("q") == words.count("Q")
        for colour in style.COLOURS:
            parts = (int(colour.sentinel[i : i + 2], 16) / 255 for i in (1, 3, 5))
            said = " ".join(f"{part:.10f}".rstrip("0") for part in parts)
            assert f"{said} rg" not in text
            assert f"{said} RG" not in text


def test_a_chart_on_paper_is_scaled_to_its_last_line(publication: Publication, tmp_path: Path) -> None:
    """On a page of nothing but a chart, everything but paper and words is drawn under its
    transformation, and that leaves nothing behind.
    """
    # One that ends in the colour in which its title begins: it must be asked for again.
    figure, axes = canvas()
    axes.plot(range(5), range(5), color=style.INT.sentinel)
    figure.text(0.5, 0.5, "the last word", color=style.INK.sentinel)
    for chart in (*publication.every_chart[::5], finish(figure, "last", "Last", "It is so.")):
        write(Publication("t", (), "", "", charts=(chart,)), ("pdf",), tmp_path)
        page = max(streams(tmp_path / "report.pdf"), key=lambda text: text.count(" cm"))
        words = re.sub(r"\((?:\\.|[^\\)])*\)", "()", page).split()
        depth, inside, outside, scaled = 0, 0, 0, None
        fills: list[tuple[str, ...]] = [("",)]
        written = set()
        for place, word in enumerate(words):
            depth += {"q": 1, "Q": -1}.get(word, 0)
            if word == "q":
                fills.append(fills[-1])
            elif word == "Q":
                fills.pop()
            elif word in ("rg", "g"):
                fills[-1] = tuple(words[place - (3 if word == "rg" else 1) : place])
            elif word == "BT" and scaled is None:
                written.add(fills[-1])
            if scaled is not None and depth < scaled:
                scaled = None
            if word == "cm" and words[place - 6 : place - 2] == ["0.82", "0", "0", "0.82"]:
                scaled = depth
            if word in ("f", "S", "B", "Do"):
                inside, outside = (inside, outside + 1) if scaled is None else (inside + 1, outside)
        assert inside > 10, chart.name
        assert outside <= 1, chart.name
        inks = (style.INK.light, style.MUTED.light)
        assert {tuple(round(float(part) * 255) for part in colour) for colour in written} == {
            tuple(bytes.fromhex(ink[1:])) for ink in inks
        }, "what is written around it keeps its colour"


def boxes(page: Figure) -> list[tuple[str, Bbox]]:
    """Where each line of text and each chart is on a page."""
    # Measured finely: at 72 dpi letters are moved to whole pixels, which no PDF does.
    page.set_dpi(720)
    renderer: Any = FigureCanvasAgg(page).get_renderer()  # type: ignore[no-untyped-call]
    found = []
    for text in page.texts:
        if text.get_text():
            extent = np.asarray(text.get_window_extent(renderer).extents) / 10
            found.append((text.get_text(), Bbox.from_extents(*extent)))
    for artist in page.artists:
        if isinstance(artist, Placed):
            width, height = (side * 72 * artist._scale for side in artist._chart.get_size_inches())
            found.append(("chart", Bbox.from_bounds(artist._left, artist._bottom, width, height)))
    return found


def check_pages(publication: Publication) -> list[str]:
    """Nothing on a page covers anything else, or leaves it; returns all texts."""
    texts = []
    for page in _typeset(publication):
        width, height = (float(side) * 72 for side in page.get_size_inches())
        found = boxes(page)
        texts += [text for text, _ in found]
        for text, box in found:
            assert box.x0 >= 49, text
            assert box.x1 <= width - 49, text
            assert 28 <= box.y0 <= box.y1 <= height - 44, text
        for (a, one), (b, other) in itertools.combinations(found, 2):
            across = min(one.x1, other.x1) - max(one.x0, other.x0)
            up = min(one.y1, other.y1) - max(one.y0, other.y0)
            signs = {"✓", "!", "i"} & {a, b}
            assert across <= 0.7 or up <= 0.7 or signs, (a, b)
    return texts


def test_nothing_overlaps_in_the_document_and_nothing_is_missing(publication: Publication) -> None:
    said = re.sub(r"\s+", " ", " ".join(check_pages(publication)))
    wanted = [publication.headline, publication.lede]
    wanted += [note.text.replace("`", "") for note in publication.notes]
    for chart in publication.every_chart:
        wanted += [chart.title, chart.reading]
    for section in publication.sections:
        wanted += [section.heading, *(table.title for table in section.tables)]
    for text in wanted:
        assert re.sub(r"\s+", " ", text) in said, text


names = st.text(
    st.characters(codec="latin-1", categories=("L", "N", "P", "Zs")), min_size=1, max_size=40
)


@at_most(4)
@given(
    columns=st.lists(names, min_size=1, max_size=14),
    heads=st.lists(names, min_size=1, max_size=40),
    note=names,
)
def test_tables_of_any_shape_fit_on_paper(columns: list[str], heads: list[str], note: str) -> None:
    cells = tuple(
        Cell("12,345.6 ms", note if n % 3 == 0 else "", n % 2 == 0) for n in range(len(columns))
    )
    table = Table(tuple(columns), tuple((head, cells) for head in heads), "A table")
    check_pages(Publication("t", ("k",), "A headline", "A lede.", tables=(table,)))


def test_a_wide_chart_lies_on_its_side() -> None:
    figures = [canvas(width=width, height=400)[0] for width in (560, 1160, 1160)]
    charts = tuple(finish(figure, f"c{n}", f"C{n}", "It is so.") for n, figure in enumerate(figures))
    section = Section("Wide", charts=charts[2:3])
    last = Section("Last", tables=(of_texts(("a",), (("row", "value"),)),))
    publication = Publication("t", ("k",), "h", "l", charts=charts[:2], sections=(section, last))
    check_pages(publication)
    sizes = [tuple(np.round(page.get_size_inches() * 72, 2)) for page in _typeset(publication)]
    upright, lying = (595.28, 841.89), (841.89, 595.28)
    assert sizes == [upright, lying, lying, upright]


def test_a_table_that_is_too_wide_goes_on_below(tmp_path: Path) -> None:
    columns = tuple(f"a wide column {n}" for n in range(30))
    table = of_texts(columns, (("row", *(f"value {n}" for n in range(30))),))
    said = check_pages(Publication("t", ("k",), "h", "l", tables=(table,)))
    assert {f"value {n}" for n in range(30)} <= set(said)
    assert said.count("row") > 1


def test_markdown_has_everything_and_its_pictures(publication: Publication, written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {publication.headline}".replace("_", r"\_"))
    for chart in publication.every_chart:
        assert f"![{chart.title}](charts/{chart.name}.png)" in text
        assert (written / "charts" / f"{chart.name}.png").is_file()
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        pipes = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(pipes) == 1, block
    assert "| Conflict rate |" in text
    assert "## By target" in text


def test_text_from_outside_is_text_in_markdown() -> None:
    evil = "<b>|`a`_*[x](y)\n# no"
    table = of_texts((evil,), ((evil, evil),), title=evil)
    notes = (Note("bad", "Type `occbench --help` in <b>"),)
    text = to_markdown(Publication("t", (evil,), evil, evil, tables=(table,), notes=notes))
    assert "<b>" not in text
    assert "\n# no" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "- ❗ Type `occbench --help` in \\<b\\>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_letters_that_the_type_does_not_have_are_no_trouble(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    table = of_texts(("金",), (("$a$ and $b_{c", "日本 \U0001f600"),))
    odd = Publication("t", ("金",), "金 $x$ $\\frac{", "l", tables=(table,))
    assert len(write(odd, ("pdf", "md"), tmp_path)) == 2
    assert not [w for w in recwarn if "Glyph" in str(w.message)]


@pytest.mark.parametrize("text", ["doc", "", " , ", "html;pdf", "html,doc"])
def test_formats_that_there_are_not(text: str) -> None:
    with pytest.raises(InputError, match="html, md, pdf, png, svg"):
        parse_formats(text)


def test_formats_come_once_and_in_order() -> None:
    assert parse_formats(" PDF,html,pdf ") == ("html", "pdf")


def test_a_folder_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OccbenchError, match="cannot write into"):
        write(Publication("t", ("k",), "h", "l"), ("md",), tmp_path / "file")


def test_a_publication_without_charts_has_no_folder_of_them(tmp_path: Path) -> None:
    section = Section("Empty", tables=(of_texts((), (("only a head",),)),))
    write(Publication("t", ("k",), "h", "l", sections=(section,)), ("md", "pdf", "png"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "report.pdf"}


def test_two_documents_in_a_folder_have_pictures_of_their_own(
    publication: Publication, tmp_path: Path
) -> None:
    one = replace(publication, charts=publication.every_chart[:1], sections=(), name="one")
    first = write(one, ["md"], tmp_path)
    second = write(replace(one, name="number two"), ["md"], tmp_path)
    assert not set(first) & set(second)
    assert "](number%20two-charts/" in second[0].read_text(encoding="utf-8")


def test_the_last_note_does_not_stand_alone_on_a_page() -> None:
    for notes in range(30, 52):
        made = tuple(Note("note", f"note {i}") for i in range(notes))
        pages = _typeset(Publication("t", ("k",), "h", "l", notes=made))
        last = [text.get_text() for text in pages[-1].texts if text.get_text().startswith("note ")]
        assert len(last) > 1


@pytest.mark.parametrize("kind", ["md", "pdf", "png", "svg"])
def test_what_cannot_be_replaced_leaves_no_half_file(
    publication: Publication, tmp_path: Path, kind: str
) -> None:
    one = replace(publication, charts=publication.every_chart[:1], sections=())
    (path,) = [p for p in write(one, [kind], tmp_path) if p.suffix == f".{kind}"]
    before = path.stat().st_ino
    write(one, [kind], tmp_path)
    assert path.stat().st_ino != before
    assert not list(tmp_path.rglob(".*"))
