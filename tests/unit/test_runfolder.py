"""A run's folder: where none can be made, it is said in one line."""

import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from loadtest.errors import InputError
from loadtest.record import folder


@pytest.mark.parametrize("what", ["file", "fifo", "dangling", "loop", "file/x", 300 * "x"])
def test_whatever_is_no_folder_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match="give another with --out"):
        folder.create(tmp_path / what, "label", datetime(2026, 1, 1))


def test_a_word_that_is_not_utf_8_is_kept_in_the_file(tmp_path: Path) -> None:
    word = os.fsdecode(b"keys\xe9.txt")
    folder.write_run_file(tmp_path, {"keys_from": word})
    assert json.loads((tmp_path / "run.json").read_text(encoding="utf-8")) == {"keys_from": word}
