"""Rows as COPY's text format wants them, for a target that takes no other.

As with the binary format no Python code runs for a row, as long as its columns are keys, numbers, or
the same for all.
"""

import numpy as np
from numpy.typing import NDArray

from loadtest.targets.base.table import Column, Table
from seed.sql import text
from seed.sql.encode import Values, numeric_value

_ESCAPES = {b"\\": rb"\\", b"\t": rb"\t", b"\n": rb"\n", b"\r": rb"\r"}
"""What would end a field or a row, or begin an escape; the backslash comes first."""


class TextRowEncoder:
    """Encodes batches for one table."""

    def __init__(self, table: Table) -> None:
        self._columns = table.columns

    def encode(self, values: Values, part: int) -> list[bytes]:
        """What COPY sends for these rows, `part` rows a COPY."""
        pieces: list[text.Matrix | bytes] = []
        for column in self._columns:
            pieces += [_written(column, values[column.name]), b"\t"]
        rows = text.lines(*pieces[:-1], b"\n")
        return [text.joined(rows[at : at + part]) for at in range(0, len(rows), part)]


def _written(column: Column, value: NDArray[np.void] | int) -> text.Matrix | bytes:
    """A column's values as COPY reads them; one number for every row stays one piece of text."""
    if not isinstance(value, np.ndarray):
        if column.type == "uuid":
            raise ValueError(f"a {column.type} column cannot hold the number {value}")
        return str(value).encode()
    if column.type == "uuid":
        return text.uuids(value)
    if column.type == "bigint":
        return text.integers(value)
    if column.type == "numeric":
        return text.strings([b"%d" % numeric_value(one) for one in value.tolist()])
    return text.strings([_escaped(one) for one in value.tolist()])


def _escaped(content: bytes) -> bytes:
    for character, written in _ESCAPES.items():
        content = content.replace(character, written)
    return content
