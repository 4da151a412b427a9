"""The line that shows how far a command is, on a terminal and in a log."""

import io
import itertools
import re
import subprocess
import sys

import pytest

from loadtest.process.progress import Progress, how_long
from seed import SeedProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class AsciiTerminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")


def drawn(text: str) -> str:
    """What stands in the last row that was drawn, without what moves the cursor or colours."""
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text).rpartition("\r")[2]


def test_a_log_has_a_line_every_few_seconds() -> None:
    stream = io.StringIO()
    now = 0
    with Progress(stream, every_s=4.5, clock=lambda: float(now)) as progress:
        for now in range(12):
            progress.show(f"second {now}", now / 12)
        progress.note("a [note]")
    assert stream.getvalue() == "second 5\nsecond 10\na [note]\n"


def test_a_terminal_has_one_line_that_keeps_to_its_row() -> None:
    stream = Terminal()
    with Progress(stream) as progress:
        assert progress.is_due
        progress.show("[b] line" + 30 * " many words")
        progress._live.refresh()
        without_bar = drawn(stream.getvalue())
        progress.show("[b] line" + 30 * " many words", 0.5)
        progress._live.refresh()
        with_bar = drawn(stream.getvalue())
        assert "\n" not in stream.getvalue()
        progress.note("a [note], longer than the terminal is wide" + 5 * " many words")
    assert without_bar.startswith("[b] line many")
    assert "━ [b] line many" in with_bar
    assert len(without_bar) == len(with_bar) == 60
    assert "a [note], longer than the terminal is wide" + 5 * " many words" in stream.getvalue()
    assert stream.getvalue().endswith("\x1b[2K"), "nothing of the line is left"


def test_a_function_is_asked_whenever_the_line_is_drawn() -> None:
    stream = Terminal()
    numbers = itertools.count()
    with Progress(stream) as progress:
        progress.show(lambda: f"number {next(numbers)}")
        progress._live.refresh()
        progress._live.refresh()
        assert "number 1" in drawn(stream.getvalue())


def test_what_others_write_comes_out_above_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Terminal()
    with Progress(stream) as progress:
        progress.show("the line")
        progress._live.refresh()
        sys.stderr.write("others\n")
        print("a result")
        assert drawn(stream.getvalue()) == "others\nthe line"
    assert capsys.readouterr() == ("a result\n", "")


def test_a_terminal_that_has_no_more_than_ascii() -> None:
    stream = AsciiTerminal(io.BytesIO(), encoding="ascii")
    with Progress(stream) as progress:
        progress.show("half of it", 0.5)
        progress._live.refresh()
    stream.flush()
    assert b"----" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_a_terminal_that_cannot_move_its_cursor_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with Progress(stream, every_s=0) as progress:
        progress.show("one", 0.5)
    assert stream.getvalue() == "one\n"


def test_a_stream_that_is_closed_is_no_error() -> None:
    script = (
        "from loadtest.process import streams; streams.set_up()\n"
        "from loadtest.process.progress import Progress\n"
        "with Progress(every_s=0) as progress:\n"
        "    progress.show('one'); progress.note('two')\n"
        "print('three')"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -c "$1" 2>&-', "sh", script],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "three\n", "")


def test_rich_is_imported_only_for_a_terminal() -> None:
    script = (
        "import sys; from loadtest.process.progress import Progress\n"
        "with Progress(every_s=0) as progress: progress.show('one')\n"
        "assert 'rich' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "one\n")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (59.4, "59 s"), (59.9, "1 min"), (60, "1 min"), (89, "1 min"), (3540, "59 min"),
        (3590, "1 h"), (3600, "1 h"), (12_000, "3 h 20 min"), (86_380, "1 day"), (86_400, "1 day"),
        (187_200, "2 days 4 h"),
    ],
)  # fmt: skip
def test_times_as_a_person_says_them(seconds: float, said: str) -> None:
    assert how_long(seconds) == said


def test_loading_shows_rows_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("seed.progress.monotonic", lambda: now)
    stream = io.StringIO()
    with Progress(stream, every_s=0) as display:
        progress = SeedProgress(display)
        progress.begin("accounts_int", 10_000, 2_000)
        now = 2.0
        progress.advance(2_000)
    assert stream.getvalue() == "accounts_int: 4,000 of 10,000 accounts, 1,000 rows/s, 6 s left\n"
