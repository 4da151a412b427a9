"""Keys in text files: out for other tools, in from elsewhere."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.record.files import replacing
from loadtest.workload.keyspace import ComputedKeys, KeySpace, KeyType, read_keys
from loadtest.workload.seeded import COMPUTED
from seed.plan import SeedPlan
from seed.sql import text

_CHUNK = 1 << 16


def key_source(keys_from: Path | None) -> str:
    """Where keys come from, as a manifest records it: `computed`, or a file by its contents."""
    if keys_from is None:
        return COMPUTED
    try:
        with keys_from.open("rb") as file:
            return f"file:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
    except OSError as error:
        raise InputError(f"cannot read keys from {keys_from}: {error.strerror}") from error


def open_keys(plan: SeedPlan, key_type: KeyType) -> tuple[KeySpace, int]:
    """The keys that a plan asks for, and how many accounts that makes."""
    if plan.keys_from is None:
        assert plan.accounts is not None  # noqa: S101 - the plan has checked it
        return ComputedKeys(key_type, plan.seed), plan.accounts
    keys = read_keys(plan.keys_from, key_type)
    there = keys.size or 0
    wanted = there if plan.accounts is None else plan.accounts
    if there < wanted:
        raise InputError(f"{plan.keys_from} holds {there:,} keys, {wanted:,} accounts are asked for")
    if wanted < 2:
        raise InputError(f"{plan.keys_from} holds one key; at least 2 accounts are needed")
    return keys, wanted


def export_keys(path: Path, key_type: KeyType, seed: int, accounts: int) -> None:
    """Write the keys of the first accounts, one a line; the file appears whole or not at all.

    Raises InputError where the file cannot be written.
    """
    if accounts < 1:
        raise InputError(f"{accounts} keys cannot be exported; give --accounts")
    try:
        with replacing(path) as part, part.open("xb") as file:
            for written in _texts(ComputedKeys(key_type, seed), accounts):
                file.write(written)
    except OSError as error:
        raise InputError(f"cannot write keys to {path}: {error.strerror}") from error


def _texts(keys: KeySpace, accounts: int) -> Iterator[bytes]:
    for start in range(0, accounts, _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, accounts), dtype=np.int64)
        binary = keys.binary(numbers)
        yield _int_lines(binary) if keys.key_type is KeyType.INT else _uuid_lines(binary)


def _int_lines(binary: NDArray[np.void]) -> bytes:
    return b"".join(b"%d\n" % key for key in binary.view(">i8").tolist())


def _uuid_lines(binary: NDArray[np.void]) -> bytes:
    return text.lines(text.uuids(binary), b"\n").tobytes()
