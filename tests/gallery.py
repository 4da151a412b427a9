"""Makes the gallery: runs the examples of docs/gallery.md and keeps a picture of each page.

An example is a fenced `sh` block behind a line `<!-- page: NAME PATTERN HEIGHT -->`. Its commands run
in one folder with those of the other examples, on an embedded database of their own. The page that
they leave, the last file that fits PATTERN there, is written to `docs/gallery/NAME.html`, which git
ignores; a picture of its uppermost HEIGHT pixels is kept beside it. The page's headline becomes the
quotation behind the block and is written into the picture, too, so that a test can hold both together.

`make gallery` makes all of them, `python -m tests.gallery NAME…` those that are named. What the others
seed is seeded all the same: examples share their tables.
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

PAGE = Path(__file__).parents[1] / "docs" / "gallery.md"
TITLE = "Title"
"""The picture's text that holds the headline."""
_WIDTH = 1280
_LINK_BESIDE = re.compile(r'<a\b[^>]*\bhref="(?!#|data:)[^"]*"[^>]*>(.*?)</a>', re.DOTALL)
_BLOCK = re.compile(
    r"<!-- page: (?P<name>[\w-]+) (?P<pattern>\S+) (?P<height>\d+) -->\n"
    r"```sh\n(?P<commands>.*?)```\n\n(?P<quotation>(?:> [^\n]*\n)+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Example:
    """One example of the page; its quotation lies from `start` to `stop`."""

    name: str
    pattern: str
    height: int
    commands: str
    start: int
    stop: int


def examples(page: str) -> Iterator[Example]:
    """The examples of a page."""
    for found in _BLOCK.finditer(page):
        yield Example(
            found["name"], found["pattern"], int(found["height"]), found["commands"],
            *found.span("quotation"),
        )  # fmt: skip


def make(example: Example, keep: Path, folder: Path, environment: dict[str, str]) -> str:
    """Run the commands in `folder`, write page and picture to `keep`, return the headline."""
    _do(example.name, example.commands, folder, environment)
    found = sorted(folder.glob(example.pattern))
    if not found:
        raise SystemExit(f"{example.name}: the commands left no {example.pattern}")
    keep.mkdir(exist_ok=True)
    page = keep / f"{example.name}.html"
    # The page's neighbours stay behind: a link to them would lead nowhere.
    text = _LINK_BESIDE.sub(r"\1", found[-1].read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")
    picture(page, page.with_suffix(".png"), example.height, headline(text))
    return headline(text)


def _do(name: str, commands: str, folder: Path, environment: dict[str, str]) -> None:
    print(commands, flush=True)
    done = subprocess.run(
        ["bash", "-c", commands], cwd=folder, env=environment, timeout=1200, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name}: the last command ended with {done.returncode}")


def seeding(others: Iterable[Example]) -> Iterator[str]:
    """What these examples load before they run anything."""
    for one in others:
        yield from (line for line in one.commands.splitlines() if line.startswith("occbench seed"))


def picture(page: Path, to: Path, height: int, title: str) -> None:
    """Write the top of a page as a PNG with this title, by a Chromium without a window."""
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                _chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}",
                f"--window-size={_WIDTH},{height}", f"--screenshot={to}", page.as_uri(),
            ],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
    with Image.open(to) as image:
        text = PngInfo()
        text.add_itxt(TITLE, title)
        image.save(to, pnginfo=text, optimize=True)


def title_of(picture: Path) -> str:
    """Return the headline of the page that a picture shows."""
    with Image.open(picture) as image:
        return str(image.info.get(TITLE, ""))


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (path := shutil.which(name)) is not None:
            return path
    raise SystemExit("the gallery's pictures need Chromium; install it, on Debian as package chromium")


def headline(page: str) -> str:
    """What a page's heading says, as text."""
    found = re.search(r"<h1>(.*?)</h1>", page, re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", found[1])).strip() if found else ""


def main(path: Path, wanted: set[str]) -> None:
    """Make the examples of this page that are wanted, all if none is named."""
    page = path.read_text(encoding="utf-8")
    every = list(examples(page))
    if unknown := wanted - {one.name for one in every}:
        raise SystemExit(f"{path.name} has no {', '.join(sorted(unknown))}")
    chosen = [one for one in every if not wanted or one.name in wanted]
    said: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="occ-gallery-") as name:
        folder = Path(name)
        # The server may run as another user.
        folder.chmod(0o755)
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": programs, "OCCBENCH_DATA": str(folder / "data")}
        try:
            if any("--target" in one.commands for one in chosen):
                for line in seeding(one for one in every if one not in chosen):
                    _do("seeding", line, folder, environment)
            for example in chosen:
                said[example.name] = make(example, path.with_suffix(""), folder, environment)
        finally:
            subprocess.run(["occbench", "db", "stop"], cwd=folder, env=environment, check=False)
    for example in reversed(chosen):
        page = f"{page[: example.start]}> {said[example.name]}\n{page[example.stop :]}"
    path.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(PAGE, set(sys.argv[1:]))
