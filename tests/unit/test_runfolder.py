"""A run's folder: where none can be made, it is said in one line."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from loadtest.errors import InputError
from loadtest.record import folder
from loadtest.record.run import Config, Run, read_run, write_run


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
    write_run(tmp_path, Run(config=Config(keys_from=word)))
    assert read_run(tmp_path).config.keys_from == word
    (tmp_path / "run.json").read_text(encoding="utf-8")
