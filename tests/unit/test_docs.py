"""The pages of docs: links lead somewhere, transcripts are whole, and what they show can be typed."""

import re
from pathlib import Path

import pytest

from loadtest.cli.application import command
from tests.transcripts import PAGES, Block, blocks

ROOT = Path(__file__).parents[2]
DOCS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("examples/*/*.md"),
]
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_COMMAND = re.compile(r"(?:\$ )?(?:\S+=\S+ |env .*? )*occbench ((?:cluster |db )?[a-z]+)(.*)")
_FENCE = re.compile(r"```(?:sh|console)?\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, heading in _LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        assert target.exists(), path
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", text).lower().replace(" ", "-") for text in headings}
            assert heading in slugs, heading


def options_of(name: str) -> set[str]:
    """The options that a command of `occbench` takes."""
    first, *rest = name.split()
    found = command(first)
    for word in rest:
        found = found.commands[word]
    return {
        option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)
    }


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_what_is_shown_can_be_typed(page: Path) -> None:
    """Every `occbench` command of a page is one, with options that it has."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    for fence in _FENCE.findall(text):
        for line in fence.splitlines():
            found = _COMMAND.match(line)
            if found is None:
                continue
            known = options_of(found[1])
            for option in re.findall(r"(?<!\S)(--[a-z-]+)", found[2].partition("#")[0]):
                assert option in known | {"--help"}, line


def every_block() -> list[Block]:
    return [block for page in PAGES for block in blocks(page.read_text(encoding="utf-8"))]


def test_transcripts_have_what_was_printed() -> None:
    found = every_block()
    assert len(found) > 8
    for block in found:
        assert block.commands, block.text
        lines = block.text.splitlines()
        assert lines[0].startswith("$ ")
        for line, following in zip(lines, [*lines[1:], "$ "], strict=True):
            assert not (line.startswith("$ ") and following.startswith("$ ")), f"no output: {line}"


def test_transcripts_name_rigs_and_no_place_of_a_machine() -> None:
    import tests.rigs.__main__ as rigs

    for block in every_block():
        assert block.rig in rigs.RIGS
        for place in ("/tmp/", "/root", "/home/", "/work"):  # noqa: S108 - looked for
            assert place not in block.text, block.text
