"""The gallery: its page can be made by its commands, and what is kept was made by them."""

import re
import shutil
from pathlib import Path

import pytest

from tests.gallery import PAGE, Example, examples, headline, main, seeding

EXAMPLES = list(examples(PAGE.read_text(encoding="utf-8")))


def test_every_example_is_found() -> None:
    assert len(EXAMPLES) == PAGE.read_text(encoding="utf-8").count("```sh") >= 7


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_what_is_kept_belongs_to_the_page(example: Example) -> None:
    name = example.name
    text = PAGE.read_text(encoding="utf-8")
    kept = PAGE.with_suffix("") / f"{name}.html"
    page = kept.read_text(encoding="utf-8")
    assert f"> {headline(page)}\n" in text
    assert f"(gallery/{name}.png)](gallery/{name}.html)" in text
    assert kept.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert len(page) < 10_000_000
    for place in ("/tmp/", "/root", "/home/", "/work"):  # noqa: S108 - looked for
        assert place not in page
    assert "<script" not in page
    # Nothing is loaded: links lead to places within the page, or carry their data with them.
    assert all(link.startswith(("#", "data:")) for link in re.findall(r'(?:href|src)="([^"]*)"', page))


def test_one_example_by_itself_finds_what_the_others_seed() -> None:
    (first,) = (line for one in EXAMPLES for line in one.commands.splitlines() if " seed " in line)
    assert list(seeding(one for one in EXAMPLES if one.name == "heat-map")) == []
    assert list(seeding(one for one in EXAMPLES if one.name != "heat-map")) == [first]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium for the picture")
def test_the_page_is_made_by_its_commands(tmp_path: Path) -> None:
    page = tmp_path / "gallery.md"
    page.write_text(
        "# A page\n\n<!-- page: small results/*-small/report.html 700 -->\n```sh\n"
        "occbench simulate --label small --users 8 --accounts 100 --duration 4s --keys int\n```\n\n"
        "> what it said before\n\nThe end.\n"
    )
    main(page, set())
    kept = tmp_path / "gallery" / "small.html"
    said = headline(kept.read_text(encoding="utf-8"))
    assert "conflicted" in said
    text = page.read_text(encoding="utf-8")
    assert f"\n> {said}\n\nThe end.\n" in text
    assert "what it said before" not in text
    assert kept.with_suffix(".png").stat().st_size > 10_000
