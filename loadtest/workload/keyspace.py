"""Account number → key.

Keys are computed, not stored: account *i*'s key is a function of (seed, key type, i), so that any
worker on any machine knows every key without a file, and a million of them cost no memory.
"""

import re
from codecs import BOM_UTF8
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import whole_of
from loadtest.workload.key_type import KeyType as KeyType

_UUID = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# 2025-01-01T00:00:00Z in milliseconds: any fixed instant does, this one looks plausible in a key.
_UUID7_EPOCH_MS = np.uint64(1_735_689_600_000)


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers, one to one (the finaliser of SplitMix64, Steele et al. 2014)."""
    z = values + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _stream(seed: int, purpose: int, numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """64 bits for each number, independent between purposes and seeds."""
    start = mix64(mix64(np.array([seed & (2**64 - 1)], np.uint64)) ^ np.uint64(purpose))
    return mix64(numbers * _GOLDEN ^ start)


class ComputedKeys:
    """Keys as a pure function of (seed, key type, account number)."""

    size: int | None = None
    """How many accounts have a key; None where there is no end."""

    def __init__(self, key_type: KeyType, seed: int) -> None:
        self.key_type = key_type
        self._seed = seed

    def binary(self, numbers: NDArray[np.int64]) -> NDArray[np.void]:
        """Return the keys in PostgreSQL's binary form: 8 bytes each for integers, 16 for UUIDs."""
        n = numbers.astype(np.uint64)
        if self.key_type is KeyType.INT:
            return (n + np.uint64(1)).astype(">u8").view("V8")
        halves = np.empty((len(n), 2), ">u8")
        if self.key_type is KeyType.UUID:
            high = _stream(self._seed, 1, n)
            halves[:, 0] = high & np.uint64(0xFFFFFFFFFFFF0FFF) | np.uint64(0x4000)
        else:
            counter = _stream(self._seed, 3, n) & np.uint64(0x0FFF)
            halves[:, 0] = (n + _UUID7_EPOCH_MS) << np.uint64(16) | np.uint64(0x7000) | counter
        low = _stream(self._seed, 2, n)
        halves[:, 1] = low & np.uint64(0x3FFFFFFFFFFFFFFF) | np.uint64(0x8000000000000000)
        return halves.view("V16").reshape(len(n))


class ListedKeys:
    """Keys of a file: line *i* is account *i*'s key."""

    def __init__(self, key_type: KeyType, keys: NDArray[np.void]) -> None:
        self.key_type = key_type
        self._keys = keys
        self.size: int | None = len(keys)

    def binary(self, numbers: NDArray[np.int64]) -> NDArray[np.void]:
        """Return the keys as `ComputedKeys.binary` does."""
        return self._keys[numbers]


KeySpace = ComputedKeys | ListedKeys


def read_keys(path: Path, key_type: KeyType) -> ListedKeys:
    """Read a text file with one key a line; raises InputError naming the first line that is wrong."""
    try:
        # Some editors put a mark at the beginning of a file in UTF-8.
        lines = path.read_bytes().removeprefix(BOM_UTF8).decode("ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not plain text"
        raise InputError(f"cannot read keys from {path}: {reason}") from None
    if not lines:
        raise InputError(f"{path} holds no keys; one key a line is expected")
    width = 8 if key_type is KeyType.INT else 16
    packed = bytearray(width * len(lines))
    for index, line in enumerate(lines):
        try:
            if key_type is KeyType.INT and (number := whole_of(line)) is not None:
                key = number.to_bytes(8, "big", signed=True)
            elif key_type is not KeyType.INT and _UUID.fullmatch(line):
                key = bytes.fromhex(line.replace("-", ""))
            else:
                raise ValueError
        except (ValueError, OverflowError):
            raise InputError(
                f"{path}, key {index + 1}: {quoted(line)} is not a key of type {key_type}"
            ) from None
        packed[index * width : (index + 1) * width] = key
    keys = np.frombuffer(bytes(packed), f"V{width}")
    if len(np.unique(keys.view(np.uint8).reshape(-1, width), axis=0)) != len(keys):
        raise InputError(f"{path} holds a key twice; every account needs its own")
    return ListedKeys(key_type, keys)
