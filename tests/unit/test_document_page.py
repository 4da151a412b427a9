"""Any document as a page: what tables, notes and sections become, and that no style stands in tags."""

import re

from reports.documents.document import Document, Note, Section
from reports.render.html import to_html
from reports.text.table import Cell, Facts, Table

FIGURES = Table(
    ("east", "west", "west / east"),
    (
        ("north", ()),
        ("Rate", (Cell("1 %"), Cell("2 %", "few"), Cell("2.00", differs=True, state="bad"))),
        ("… predicted", (Cell("3 %", shade=0.0), Cell("4 %", shade=1.0), Cell(""))),
        ("p001", (Cell("failed: <why>"),)),
    ),
    title="Figures of each",
    corner="point",
    over="lost to",
    colours={"east": "--target-1"},
    links={"p001": "points/p001/report.html"},
)


def body_of(*sections: Section) -> str:
    document = Document("t", ("occbench", "a", "b"), "Head", "Lede.", sections, "See `docs`.")
    return to_html(document).split("</style>", 1)[1]


def test_a_table_has_headings_of_rows_words_links_and_news() -> None:
    page = body_of(Section("S", (FIGURES,), "s"))
    for tag in (
        '<section id="s">', "<h3>Figures of each</h3>",
        '<th colspan="3" scope="colgroup">lost to</th>',
        '<th scope="col"><i class="dot of--target-1"></i>east</th>',
        '<tr class="group"><th scope="rowgroup" colspan="4">north</th></tr>',
        '<td data-of="west">2 % <small>few</small></td>',
        '<td data-of="west / east" class="differs bad">2.00</td>',
        '<tr class="sub"><th scope="row">… predicted</th><td data-of="east">3 %</td>',
        '<td data-of="west" class="shade-20">4 %</td>',
        '<th scope="row"><a href="points/p001/report.html">p001</a></th>',
        '<td data-of="east" colspan="3" class="words">failed: &lt;why&gt;</td>',
    ):  # fmt: skip
        assert tag in page, tag


def test_what_follows_on_its_own_kind_is_laid_out_together() -> None:
    notes = (Note("bad", "Type `x`."), Note("good", "Fine."))
    facts = (Facts("Run", (("users", "8"),)), Facts("Machine", (("cpus", "2"),)))
    page = body_of(Section("S", ("A text.", *notes, Section("Part", facts, side_by_side=True))))
    assert page.count("<ul") == page.count('<div class="columns">') == 1
    assert page.count("<li") == page.count('<div class="facts">') == 2
    order = ("<h2>S</h2>", "A text.", "<code>x</code>", "Fine.", "<h3>Part</h3>", "beside", "users")
    places = [page.index(text) for text in order]
    assert places == sorted(places)


def test_a_page_has_no_style_but_its_sheet() -> None:
    """A server may refuse others; the sheet has a rule for each class of a ground."""
    text = to_html(Document("t", ("k",), "h", "l", (Section("", (FIGURES,)),)))
    css, body = text.split("</style>", 1)
    assert "style=" not in body
    assert "<script" not in body
    for name in re.findall(r"\b(?:shade-\d+|of--[a-z0-9-]+)", body):
        assert f".{name} {{ background:" in css, name
