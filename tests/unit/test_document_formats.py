"""A report as Markdown, PDF and pictures: complete, in its colours, and standing alone."""

import itertools
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from loadtest.errors import InputError, OccbenchError
from reports.charts import style
from reports.charts.figure import Chart, ChartData, canvas, to_svg, write_above
from reports.documents.document import Block, Document, Note, Section
from reports.documents.run.document import run_document
from reports.render import parse_formats, write
from reports.render.markdown import to_markdown
from reports.render.pdf import to_pdf
from reports.render.svg_for_pdf import svg_for_pdf
from reports.statistics.model import build_model
from reports.text.table import Cell, Facts, Table, of_texts
from tests.run_folders import FakeRun, write_fake_run

SMALL: dict[str, Any] = {"tps": 300.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 1.0}
INK = tuple(bytes.fromhex(style.INK.light[1:]))
UPRIGHT, LYING = (595.28, 841.89), (841.89, 595.28)
"""A page's width and height in points."""
PDFTOTEXT = shutil.which("pdftotext")
read_back = pytest.mark.skipif(PDFTOTEXT is None, reason="needs Debian's package poppler-utils")


def of_blocks(*blocks: Block, kicker: tuple[str, ...] = ("k",), headline: str = "h") -> Document:
    return Document("t", kicker, headline, "l", (Section("", blocks),))


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """A run with most of what there is: skew, two key types on two targets."""
    fake = FakeRun(**SMALL, skew="zipf:0.9", targets=("east", "west"))
    folder = write_fake_run(tmp_path_factory.mktemp("run"), fake)
    return run_document(build_model(folder))


@pytest.fixture(scope="module")
def written(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    files = write(document, ("md", "pdf", "png", "svg"), folder)
    assert sorted(files) == sorted(path for path in folder.rglob("*") if path.is_file())
    return folder


def test_every_chart_is_a_picture_of_each_kind(document: Document, written: Path) -> None:
    names = {chart.name for chart in document.charts}
    assert len(names) == len(document.charts) >= 10
    for kind in ("png", "svg"):
        assert {path.stem for path in (written / "charts").glob(f"*.{kind}")} == names


def pixels(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def test_pictures_are_on_white_and_sharp(written: Path) -> None:
    for path in (written / "charts").glob("*.png"):
        found = pixels(path)
        assert found.sum(axis=2).min() == sum(INK), path.name
        for edge in (found[:40], found[-40:], found[:, :40], found[:, -40:]):
            assert (edge == 255).all(), f"{path.name}: white around it"
        assert found.shape[1] >= 1600, "sharp on a projector"
    for path in (written / "charts").glob("*.svg"):
        text = path.read_text()
        assert "var(--" not in text
        assert style.INK.light in text


def every_way_to_draw() -> Chart:
    figure, axes = canvas()
    axes.plot([0, 1], [0, 1], color=style.UUID.light, linewidth=6, marker="s", label="uuid")
    axes.scatter([0.2, 0.4], [0.8, 0.6], s=400, color=[style.INT.light, style.UUID7.light])
    axes.bar([0.8], [0.4], 0.1, color=style.PART_3.light, hatch="//", edgecolor=style.TARGET_3.light)
    axes.fill_between([0, 1], 0.9, 1.0, color=style.TARGET_2.light)
    write_above(figure, "", axes.get_legend_handles_labels()[0])
    return Chart(figure, "all", "All", "Every way to draw.", ChartData(("a",), [(1,)]))


def test_a_key_type_has_its_colour_in_every_format(tmp_path: Path) -> None:
    used = (style.UUID, style.INT, style.UUID7, style.PART_3, style.TARGET_2, style.TARGET_3)
    write(of_blocks(every_way_to_draw()), ("png", "svg", "pdf"), tmp_path)
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
        words = " ".join(f"{part / 255:.4f}".rstrip("0").rstrip(".") for part in rgb)
        assert f"{words} rg" in operators or f"{words} RG" in operators, colour.variable


def test_what_a_pdf_draws_knows_neither_patterns_nor_clips_of_groups() -> None:
    root = ElementTree.fromstring(svg_for_pdf(every_way_to_draw().figure))  # noqa: S314 - our own
    svg = "{http://www.w3.org/2000/svg}"
    clips = {clip.get("id"): clip for clip in root.iter(f"{svg}clipPath")}
    assert not list(root.iter(f"{svg}pattern"))
    assert not [group for group in root.iter(f"{svg}g") if group.get("clip-path")]
    clipped = [(path.get("clip-path") or "")[5:-1] for path in root.iter(f"{svg}path")]
    assert {name for name in clipped if name} == set(clips)
    (bar,) = [clip for clip in clips.values() if clip.find(f"{svg}polygon") is not None]
    corners = [tuple(map(float, p.split(","))) for p in bar[0].get("points", "").split()]
    (hatch,) = [p for p in root.iter(f"{svg}path") if bar.get("id") == (p.get("clip-path") or "")[5:-1]]
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", hatch.get("d", ""))]
    for side, ends in enumerate((numbers[::2], numbers[1::2])):
        inside = [corner[side] for corner in corners]
        assert min(ends) <= min(inside)
        assert max(inside) <= max(ends), "the lines cover all of the bar"


def test_drawing_a_chart_elsewhere_leaves_it_as_it_was(document: Document, tmp_path: Path) -> None:
    charts = document.charts[::3]
    before = [to_svg(chart) for chart in charts]
    write(of_blocks(*charts), ("pdf", "png"), tmp_path)
    assert [to_svg(chart) for chart in charts] == before


def test_a_picture_alone_says_what_it_shows(document: Document, written: Path) -> None:
    for chart in document.charts:
        tree = ElementTree.parse(written / "charts" / f"{chart.name}.svg")  # noqa: S314 - our own
        said = " ".join(element.text or "" for element in tree.iter())
        assert chart.title in said
        assert chart.reading in said
        for element in tree.iter():
            for name, value in element.attrib.items():
                if name.endswith("href"):
                    assert value.startswith("#")


def test_writing_again_writes_the_same(document: Document, tmp_path: Path) -> None:
    one = replace(document, sections=(document.sections[0],))
    assert one.charts
    first = {p.name: p.read_bytes() for p in write(one, ("md", "pdf", "png", "svg"), tmp_path / "a")}
    again = {p.name: p.read_bytes() for p in write(one, ("md", "pdf", "png", "svg"), tmp_path / "b")}
    assert first == again


def streams(path: Path) -> Iterator[str]:
    """What the PDF's compressed streams hold, those that are text."""
    for body in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", path.read_bytes(), re.DOTALL):
        try:
            yield zlib.decompress(body).decode("latin-1")
        except zlib.error:
            continue


def test_the_document_is_well_formed(written: Path) -> None:
    data = (written / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    assert data.rstrip().endswith(b"%%EOF")
    assert b"/Subtype /Image" not in data, "charts stay drawings"
    for text in streams(written / "report.pdf"):
        words = text.split()
        assert words.count("q") == words.count("Q")


Word = tuple[str, float, float, float, float]
"""Text, left, top, right, bottom."""


def pages_of(document: Document, folder: Path) -> list[tuple[tuple[float, float], list[Word]]]:
    """Each page's size, and its words with their places."""
    file = folder / "read-back.pdf"
    file.write_bytes(to_pdf(document))
    assert PDFTOTEXT is not None
    done = subprocess.run([PDFTOTEXT, "-bbox", file, "-"], capture_output=True, check=True)
    root = ElementTree.fromstring(done.stdout)  # noqa: S314 - our own
    found = []
    for page in root.iter("{http://www.w3.org/1999/xhtml}page"):
        words = [
            (word.text or "", *(float(word.get(side, 0)) for side in ("xMin", "yMin", "xMax", "yMax")))
            for word in page
        ]
        size = float(page.get("width", 0)), float(page.get("height", 0))
        found.append((size, words))
    return found  # type: ignore[return-value]


def check_pages(document: Document, folder: Path) -> str:
    """No word leaves its page, and none of a document without charts covers another; returns all."""
    pages = pages_of(document, folder)
    for (width, height), words in pages:
        for text, left, top, right, bottom in words:
            assert left >= 49, text
            assert right <= width - 49, text
            assert 28 <= top <= bottom <= height - 20, text
        if document.charts:
            continue
        for (a, *one), (b, *other) in itertools.combinations(words, 2):
            across = min(one[2], other[2]) - max(one[0], other[0])
            down = min(one[3], other[3]) - max(one[1], other[1])
            # What a word takes is as high as the type is, which is more than its letters.
            assert across <= 0.7 or down <= 3.0, (a, b)
    return " ".join(text for _, words in pages for text, *_ in words)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("`", "")).strip()


@read_back
def test_nothing_is_missing_in_the_document(document: Document, tmp_path: Path) -> None:
    said = plain(check_pages(document, tmp_path))
    wanted = [document.headline, document.lede]
    wanted += [note.text for note in document.every(Note)]
    for chart in document.charts:
        wanted += [chart.title, chart.reading]
    wanted += [section.heading for section in document.sections]
    wanted += [table.title for table in document.every(Table)]
    wanted += [value for facts in document.every(Facts) for _, value in facts.pairs if len(value) < 20]
    for text in wanted:
        assert plain(text) in said, text
    assert "time since measuring began (s)" in said, "what is written in a chart is text"


names = st.text(st.characters(codec="latin-1", categories=("L", "N", "P")), min_size=1, max_size=40)


@read_back
@settings(max_examples=4, deadline=None)
@given(
    columns=st.lists(names, min_size=1, max_size=14),
    heads=st.lists(names, min_size=1, max_size=40),
    note=names,
)
def test_tables_of_any_shape_fit_on_paper(
    tmp_path_factory: pytest.TempPathFactory, columns: list[str], heads: list[str], note: str
) -> None:
    cells = tuple(
        Cell("12,345.6 ms", note if n % 3 == 0 else "", n % 2 == 0) for n in range(len(columns))
    )
    table = Table(tuple(columns), tuple((head, cells) for head in heads), "A table")
    check_pages(of_blocks(table), tmp_path_factory.mktemp("table"))


@read_back
def test_a_wide_chart_lies_on_its_side(tmp_path: Path) -> None:
    figures = [canvas(width=width, height=400)[0] for width in (560, 1160, 1160)]
    data = ChartData(("a",), [(1,)])
    charts = tuple(Chart(one, f"c{n}", f"C{n}", "It is so.", data) for n, one in enumerate(figures))
    last = Section("Last", (of_texts(("a",), (("row", "value"),)),))
    wide = Section("Wide", charts[2:3])
    found = Document("t", ("k",), "h", "l", (Section("", charts[:2]), wide, last))
    check_pages(found, tmp_path)
    sizes = [size for size, _ in pages_of(found, tmp_path)]
    assert [tuple(np.round(size, 2)) for size in sizes] == [UPRIGHT, LYING, LYING, UPRIGHT]


@read_back
def test_a_table_that_is_too_wide_goes_on_below(tmp_path: Path) -> None:
    columns = tuple(f"a wide column {n}" for n in range(30))
    table = of_texts(columns, (("row", *(f"value {n}" for n in range(30))),))
    said = check_pages(of_blocks(table), tmp_path)
    assert all(f"value {n}" in said for n in range(30))
    assert said.split().count("row") > 1


def test_markdown_has_everything_and_its_pictures(document: Document, written: Path) -> None:
    text = (written / "report.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {document.headline}".replace("_", r"\_"))
    for chart in document.charts:
        assert f"![{chart.title}](charts/{chart.name}.png)" in text
        assert (written / "charts" / f"{chart.name}.png").is_file()
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        pipes = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(pipes) == 1, block
    assert "| Conflict rate |" in text
    assert "## By target" in text


def test_rows_of_words_and_headings_of_rows_are_rows_in_markdown() -> None:
    rows = (("north", ()), ("a", (Cell("1"), Cell("2"))), ("b", (Cell("failed"),)))
    text = to_markdown(of_blocks(Table(("x", "y"), rows, over="both")))
    assert text.splitlines()[-4:] == [
        "|  | both: x | both: y |", "| :--- | ---: | ---: |", "| north: a | 1 | 2 |",
        "| north: b | failed |  |",
    ]  # fmt: skip


def test_text_from_outside_is_text_in_markdown() -> None:
    evil = "<b>|`a`_*[x](y)\n# no"
    table = of_texts((evil,), ((evil, evil),), title=evil)
    note = Note("bad", "Type `occbench --help` in <b>")
    text = to_markdown(of_blocks(table, note, kicker=(evil,), headline=evil))
    assert "<b>" not in text
    assert "\n# no" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "- ❗ Type `occbench --help` in \\<b\\>" in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_letters_that_the_type_does_not_have_are_no_trouble(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    table = of_texts(("金",), (("$a$ and $b_{c", "日本 \U0001f600"),))
    odd = of_blocks(table, kicker=("金",), headline="金 $x$ $\\frac{")
    assert len(write(odd, ("pdf", "md"), tmp_path)) == 2
    assert not [w for w in recwarn if "Glyph" in str(w.message)]
    assert not caplog.records


@pytest.mark.parametrize("text", ["doc", "", " , ", "html;pdf", "html,doc"])
def test_formats_that_there_are_not(text: str) -> None:
    with pytest.raises(InputError, match="html, md, pdf, png, svg"):
        parse_formats(text)


def test_formats_come_once_and_in_order() -> None:
    assert parse_formats(" PDF,html,pdf ") == ("html", "pdf")


def test_a_folder_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OccbenchError, match="cannot write into"):
        write(of_blocks("a text"), ("md",), tmp_path / "file")


def test_a_document_without_charts_has_no_folder_of_them(tmp_path: Path) -> None:
    empty = of_blocks(of_texts((), (("only a head",),)))
    write(empty, ("md", "pdf", "png"), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.md", "report.pdf"}


def test_two_documents_in_a_folder_have_pictures_of_their_own(
    document: Document, tmp_path: Path
) -> None:
    one = of_blocks(*document.charts[:1])
    first = write(one, ["md"], tmp_path, "one")
    second = write(one, ["md"], tmp_path, "number two")
    assert not set(first) & set(second)
    assert "](number%20two-charts/" in second[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["md", "pdf", "png", "svg"])
def test_what_cannot_be_replaced_leaves_no_half_file(
    document: Document, tmp_path: Path, kind: str
) -> None:
    one = of_blocks(*document.charts[:1])
    (path,) = [p for p in write(one, [kind], tmp_path) if p.suffix == f".{kind}"]
    before = path.stat().st_ino
    write(one, [kind], tmp_path)
    assert path.stat().st_ino != before
    assert not list(tmp_path.rglob(".*"))
