"""Values written out, a whole column at a time: a matrix of bytes, one row for each value.

Values differ in length; a zero stands where a row has nothing, for no text holds one.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.uint8]

_HEX = np.frombuffer(bytes(range(256)).hex().encode(), "S2")
"""Byte value → its two hexadecimal digits."""
_UUID_GROUPS = ((0, 4, 0), (4, 6, 9), (6, 8, 14), (8, 10, 19), (10, 16, 24))
"""For each group of a UUID's text: first byte, byte after the last, column of its first digit."""


def uuids(binary: NDArray[np.void]) -> Matrix:
    """UUIDs in five groups; `binary` holds 16 bytes each."""
    digits = _HEX[np.ascontiguousarray(binary).view(np.uint8).reshape(-1, 16)]
    found = np.full((len(binary), 36), ord("-"), np.uint8)
    for first, after, column in _UUID_GROUPS:
        group = np.ascontiguousarray(digits[:, first:after]).view(np.uint8)
        found[:, column : column + 2 * (after - first)] = group
    return found


def integers(binary: NDArray[np.void]) -> Matrix:
    """Decimal numbers, with a minus where they are below zero; `binary` is 8 bytes, big-endian."""
    values = np.ascontiguousarray(binary).view(">i8").astype(np.int64)
    negative = values < 0
    magnitude = values.view(np.uint64)
    # Not the absolute value of the number, which the least of all numbers does not have.
    magnitude = np.where(negative, ~magnitude + np.uint64(1), magnitude)
    width = len(str(int(magnitude.max(initial=0))))
    powers = np.array([10**power for power in reversed(range(width))], np.uint64)
    quotients = magnitude[:, np.newaxis] // powers
    found = np.zeros((len(values), width + 1), np.uint8)
    found[:, 0] = np.where(negative, ord("-"), 0)
    found[:, 1:] = quotients % np.uint64(10) + np.uint64(ord("0"))
    found[:, 1:-1][quotients[:, :-1] == 0] = 0
    return found


def strings(values: Sequence[bytes]) -> Matrix:
    """Texts as they are."""
    column = np.array(values, np.bytes_)
    return column.view(np.uint8).reshape(len(values), -1)


def lines(*columns: Matrix | bytes) -> Matrix:
    """Columns side by side, each a matrix or the same bytes in every row."""
    rows = next(len(column) for column in columns if not isinstance(column, bytes))
    return np.hstack(
        [
            np.broadcast_to(np.frombuffer(column, np.uint8), (rows, len(column)))
            if isinstance(column, bytes)
            else column
            for column in columns
        ]
    )


def joined(matrix: Matrix) -> bytes:
    """All rows, one after the other."""
    there: Matrix = matrix[matrix != 0]
    return there.tobytes()
