"""Key files: what is written can be read, whole or not at all."""

import uuid
from pathlib import Path

import numpy as np
import pytest

from loadtest.errors import InputError
from loadtest.workload.keyspace import ComputedKeys, KeyType, read_keys
from seed import SeedPlan, export_keys, key_source
from seed.keyfile import open_keys
from tests.keys import key_text


@pytest.mark.parametrize("key_type", list(KeyType))
def test_exported_keys_are_one_a_line_in_the_order_of_the_accounts(
    key_type: KeyType, tmp_path: Path
) -> None:
    path = tmp_path / "keys.txt"
    export_keys(path, key_type, 7, 70_000)  # more than one chunk
    lines = path.read_text(encoding="ascii").splitlines()
    keys = ComputedKeys(key_type, 7).binary(np.arange(70_000, dtype=np.int64))
    assert lines == [key_text(key_type, key.tobytes()) for key in keys]
    assert path.read_bytes().endswith(b"\n")
    if key_type is KeyType.UUID:
        assert {uuid.UUID(line).version for line in lines[:100]} == {4}
    assert read_keys(path, key_type).binary(np.arange(70_000)).tobytes() == keys.tobytes()


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    path.write_text("old")
    export_keys(path, KeyType.INT, 1, 3)
    assert path.read_text() == "1\n2\n3\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys.txt"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("seed.keyfile._texts", fail)
    with pytest.raises(InputError, match="No space left"):
        export_keys(path, KeyType.INT, 1, 3)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write keys to .*nowhere"):
        export_keys(tmp_path / "nowhere" / "keys.txt", KeyType.INT, 1, 3)


def test_a_source_is_known_by_its_contents(tmp_path: Path) -> None:
    for name, text in (("a", "1\n2\n"), ("b", "1\n2\n"), ("c", "1\n3\n")):
        (tmp_path / name).write_text(text)
    assert key_source(None) == "computed"
    assert key_source(tmp_path / "a") == key_source(tmp_path / "b") != key_source(tmp_path / "c")
    assert key_source(tmp_path / "a").startswith("file:")
    with pytest.raises(InputError, match="cannot read"):
        key_source(tmp_path / "none")


def test_a_file_gives_as_many_accounts_as_it_has_keys_or_fewer(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    path.write_text("10\n20\n30\n")
    assert open_keys(SeedPlan((KeyType.INT,), None, keys_from=path), KeyType.INT)[1] == 3
    assert open_keys(SeedPlan((KeyType.INT,), 2, keys_from=path), KeyType.INT)[1] == 2
    with pytest.raises(InputError, match="holds 3 keys, 4 accounts"):
        open_keys(SeedPlan((KeyType.INT,), 4, keys_from=path), KeyType.INT)
    path.write_text("10\n")
    with pytest.raises(InputError, match="at least 2"):
        open_keys(SeedPlan((KeyType.INT,), None, keys_from=path), KeyType.INT)
