"""The gallery: its page can be made by its commands, and its pictures were."""

import shutil
from pathlib import Path

import pytest

from tests.gallery import PAGE, Example, examples, headline, main, seeding, title_of

EXAMPLES = list(examples(PAGE.read_text(encoding="utf-8")))


def test_every_example_is_found() -> None:
    assert len(EXAMPLES) == PAGE.read_text(encoding="utf-8").count("```sh") >= 7


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_picture_belongs_to_the_page(example: Example) -> None:
    text = PAGE.read_text(encoding="utf-8")
    picture = PAGE.with_suffix("") / f"{example.name}.png"
    assert text[example.start : example.stop] == f"> {title_of(picture)}\n"
    assert f"(gallery/{example.name}.png)\n" in text[example.stop :]


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
    picture = kept.with_suffix(".png")
    assert picture.stat().st_size > 10_000
    assert title_of(picture) == said
