"""Rows as PostgreSQL's binary COPY wants them, a whole batch at a time.

Every row of a batch has the same layout, so a batch is one numpy array of a packed structured type:
a template row repeated, with the varying columns laid over it. No Python code runs for a row.
"""

import struct
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loadtest.targets.base.table import Column, ColumnType, Table

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
"""Signature, flags, length of the header's extension."""

TRAILER = struct.pack(">h", -1)

Values = Mapping[str, NDArray[np.void] | int]
"""Column name → an array of values in binary form, or one number for every row."""


class Encoder(Protocol):
    """Rows in one of COPY's formats."""

    def encode(self, values: Values, part: int) -> list[bytes]:
        """What COPY sends for these rows, `part` rows a COPY."""


_NUMERIC_POSITIVE, _NUMERIC_NEGATIVE = 0x0000, 0x4000


def numeric_binary(value: int) -> bytes:
    """A whole number in the binary form of `numeric`: digits in base 10,000.

    The most significant digit comes first, and the weight is the power of 10,000 that it counts;
    zeros at the end are left out, as the server does itself.
    """
    digits: list[int] = []
    rest = abs(value)
    while rest:
        rest, digit = divmod(rest, 10_000)
        digits.append(digit)
    digits.reverse()
    weight = max(len(digits) - 1, 0)
    while digits and digits[-1] == 0:
        digits.pop()
    sign = _NUMERIC_NEGATIVE if value < 0 else _NUMERIC_POSITIVE
    return struct.pack(f">hhHH{len(digits)}H", len(digits), weight, sign, 0, *digits)


def numeric_value(binary: bytes) -> int:
    """The whole number that `numeric_binary` made this of."""
    count, weight, sign, _ = struct.unpack_from(">hhHH", binary)
    value = 0
    # Zeros at the end were left out.
    for digit in (*struct.unpack_from(f">{count}H", binary, 8), *[0] * (weight + 1 - count)):
        value = value * 10_000 + int(digit)
    return -value if sign == _NUMERIC_NEGATIVE else value


def constant_binary(column_type: ColumnType, value: int) -> bytes:
    """A number in the binary form of a column of this type."""
    if column_type == "numeric":
        return numeric_binary(value)
    if column_type == "bigint":
        return struct.pack(">q", value)
    if column_type == "text":
        return str(value).encode()
    raise ValueError(f"a {column_type} column cannot hold the number {value}")


class RowEncoder:
    """Encodes batches for one table."""

    def __init__(self, table: Table) -> None:
        self._columns = table.columns
        self._templates: dict[tuple[int | bytes, ...], NDArray[np.void]] = {}

    def encode(self, values: Values, part: int) -> list[bytes]:
        """What COPY sends for these rows, `part` rows a COPY, each with header and trailer."""
        arrays = {n: v for n, v in values.items() if isinstance(v, np.ndarray)}
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) != 1:
            raise ValueError("the columns of a batch need one length, and at least one must vary")
        rows = np.empty(lengths.pop(), self._template(values).dtype)
        rows[:] = self._template(values)
        for name, array in arrays.items():
            rows[name] = array
        return [
            b"".join((HEADER, rows[at : at + part].tobytes(), TRAILER))
            for at in range(0, len(rows), part)
        ]

    def _template(self, values: Values) -> NDArray[np.void]:
        """One row with its field count, lengths and constants in place."""
        shape = tuple(_shape(column, values[column.name]) for column in self._columns)
        found = self._templates.get(shape)
        if found is None:
            found = self._templates[shape] = self._make_template(shape)
        return found

    def _make_template(self, shape: tuple[int | bytes, ...]) -> NDArray[np.void]:
        fields: list[tuple[str, str]] = [(".fields", ">i2")]
        row = struct.pack(">h", len(self._columns))
        for column, form in zip(self._columns, shape, strict=True):
            content = bytes(form) if isinstance(form, int) else form
            row += struct.pack(">i", len(content)) + content
            fields.append((f".length of {column.name}", ">i4"))
            if content:
                fields.append((column.name, f"V{len(content)}"))
        return np.frombuffer(row, np.dtype(fields))


def _shape(column: Column, value: NDArray[np.void] | int) -> int | bytes:
    """What tells one template from another: the width of a varying column, a constant's content."""
    if isinstance(value, np.ndarray):
        return value.dtype.itemsize
    return constant_binary(column.type, value)
