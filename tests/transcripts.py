"""Runs the commands that a page of docs shows, and puts what they print beneath them.

A block to run is a fenced `console` block behind a line `<!-- rig: NAME -->`; lines that begin with
`$ ` are commands, run one after another in one folder with the rig's `$TARGET`, and everything else
in the block is replaced by what they print. `make transcripts` does it for docs/targets.md
and docs/clusters.md.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rigs import Rig
from tests.rigs.__main__ import open_rig

PAGES = [Path(__file__).parent.parent / "docs" / name for name in ("targets.md", "clusters.md")]
_BLOCK = re.compile(r"<!-- rig: ([\w-]+) -->\n```console\n(.*?)```\n", re.DOTALL)
# Where a rig keeps its files is nobody's business.
_OF_A_RIG = re.compile(rf"{re.escape(tempfile.gettempdir())}/occ-[^/\s]+/")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a page: where it is, which rig it wants, and its commands."""

    start: int
    stop: int
    rig: str
    commands: tuple[str, ...]
    text: str


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page that are to be run."""
    for found in _BLOCK.finditer(page):
        commands = tuple(line[2:] for line in found[2].splitlines() if line.startswith("$ "))
        yield Block(found.start(2), found.end(2), found[1], commands, found[2])


def run(block: Block, rig: Rig) -> str:
    """The block with what its commands print now; raises RuntimeError where one cannot be run."""
    printed = []
    with tempfile.TemporaryDirectory(prefix="occ-") as folder:
        programs = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            **rig.environment,
            "TARGET": rig.target,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
        }
        for command in block.commands:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=600,
            )
            if done.returncode not in (0, 3):
                raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}")
            text = _OF_A_RIG.sub("", _COLOUR.sub("", done.stdout).replace(folder, ".")).rstrip()
            printed.append(f"$ {command}\n{text}\n" if text else f"$ {command}\n")
    return "".join(printed)


def main() -> None:
    """Run every block of the pages, or those of the rigs that are named."""
    wanted = set(sys.argv[1:])
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        for block in reversed(list(blocks(page))):
            if wanted and block.rig not in wanted:
                continue
            print(f"{path.name}, {block.rig}: {len(block.commands)} commands", flush=True)
            with open_rig(block.rig) as rig:
                page = page[: block.start] + run(block, rig) + page[block.stop :]
            path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
