"""One file of attempts: opened, read, and refused where it holds what no attempt can be.

All that is computed from a record relies on what is checked here, and checks nothing itself.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record import parquet
from loadtest.record.attempt import ATTEMPT_SCHEMA, MOST_REMOTE_RETRIES
from loadtest.record.run import MOST_NS

REMOTE: dict[str, tuple[type[np.generic], float]] = {
    "remote_ns": (np.int64, -1),
    "remote_retries": (np.int16, -1),
    "read_units": (np.float32, np.nan),
    "write_units": (np.float32, np.nan),
}
"""What the other side said of attempts: column → (type, what stands for "it said nothing").

Most runs have none of it, and older files not even the columns: nothing is read or kept then.
"""

_COLUMNS = tuple(n for n in ATTEMPT_SCHEMA.names if n not in ("user", "worker", *REMOTE))
_LONGEST_NS = 1 << 55
"""Over a year."""
_RANGES: dict[str, tuple[float, float]] = {
    "transaction": (0, MOST_NS),
    "attempt": (1, 1 << 30),
    "user": (0, 1 << 30),
    "block": (-1, 10_000_000),
    "intended_start_ns": (0, MOST_NS),
    "start_ns": (0, MOST_NS),
    "statements_ns": (0, _LONGEST_NS),
    "commit_ns": (0, _LONGEST_NS),
    "window_low_ns": (0, _LONGEST_NS),
    "window_high_ns": (0, _LONGEST_NS),
    "backoff_ns": (0, _LONGEST_NS),
    "accounts": (0, MOST_NS),
    "remote_ns": (0, _LONGEST_NS),
    "remote_retries": (0, MOST_REMOTE_RETRIES),
    "read_units": (0, 1e9),
    "write_units": (0, 1e9),
}
"""What no attempt can be outside of. All that is computed relies on it."""
_MOST_ACCOUNTS = 30_000
"""That one attempt can have touched."""
_ROWS_ANYWAY, _BYTES_ANYWAY = 1 << 20, 1 << 30
"""A file of any size may hold so much. Of more rows, it has at least a byte for each."""
_VALUES_A_ROW = 32
"""Accounts that the attempts of a file have touched, on average, at most."""


_UNREADABLE = (pa.ArrowException, OSError, ValueError, MemoryError)


def open_file(path: Path) -> pq.ParquetFile:
    """Open it, if it is a file of attempts that can be read; raises InputError."""
    try:
        file = pq.ParquetFile(parquet.reading(path))
        _check_size(file.metadata, path.stat().st_size)
        types = {field.name: field.type for field in file.schema_arrow}
    except _UNREADABLE as error:
        raise InputError(
            f"{path} is cut short or not Parquet; delete that one file to report on the rest of the run"
        ) from error
    for field in ATTEMPT_SCHEMA:
        if field.name in types and not _readable(types[field.name], field.type):
            raise InputError(f"{path}: column {field.name!r} is {types[field.name]}, not {field.type}")
        if field.name in _COLUMNS and field.name not in types:
            raise InputError(
                f"{path} has no column {field.name!r}; docs/results-format.md lists the columns"
            )
    return file


def _check_size(footer: pq.FileMetaData, size: int) -> None:
    """Raise ValueError for what would need far more memory than the file is large."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    values = max((g.column(c).num_values for g in groups for c in range(g.num_columns)), default=0)
    rows, most = footer.num_rows, max(_ROWS_ANYWAY, size)
    if rows > most or values > _VALUES_A_ROW * most:
        raise ValueError(f"it announces {rows} rows in {size} bytes")
    if sum(group.total_byte_size for group in groups) > _BYTES_ANYWAY:
        raise ValueError("it is too large")


def _readable(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether a column of this type can be read as the other without losing anything."""
    if pa.types.is_dictionary(wanted) or pa.types.is_string(wanted):
        plain = found.value_type if pa.types.is_dictionary(found) else found
        return bool(pa.types.is_string(plain) or pa.types.is_large_string(plain))
    if pa.types.is_list(wanted):
        return bool(pa.types.is_list(found) and pa.types.is_integer(found.value_type))
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(found) and found.bit_width <= wanted.bit_width)
    return bool(found.equals(wanted))


def _optional(file: pq.ParquetFile) -> list[str]:
    """The columns that a file need not have, as far as it has something in them."""
    footer = file.metadata
    found = [name for name in ("user",) if name in file.schema_arrow.names]
    for place in range(footer.num_columns if footer.num_row_groups else 0):
        parts = [footer.row_group(group).column(place) for group in range(footer.num_row_groups)]
        if parts[0].path_in_schema not in REMOTE:
            continue
        # The footer counts the nulls; where it does not, the column itself has to be looked at.
        nulls = [
            part.statistics.null_count
            if part.statistics is not None and part.statistics.has_null_count
            else -1
            for part in parts
        ]
        if -1 in nulls or sum(nulls) < footer.num_rows:
            found.append(parts[0].path_in_schema)
    return found


def read_file(path: Path, file: pq.ParquetFile) -> pa.Table:
    """All that reports need of it, with no value that an attempt cannot have; raises InputError."""
    try:
        table = file.read(columns=[*_COLUMNS, *_optional(file)])
        table.validate(full=True)
    except _UNREADABLE as error:
        raise InputError(
            f"{path} is damaged; delete that one file to report on the rest of the run"
        ) from error
    for name in table.column_names:
        if name != "sqlstate" and name not in REMOTE and table.column(name).null_count:
            raise InputError(f"{path}: column {quoted(name)} has empty values")
    for name, (least, most) in _RANGES.items():
        if name in table.column_names:
            _check_range(path, name, table.column(name), least, most)
    return table


def _check_range(path: Path, name: str, column: pa.ChunkedArray, least: float, most: float) -> None:
    """Refuse a column with a value that no attempt can have."""
    if name == "accounts":
        longest = pc.max(pc.list_value_length(column)).as_py() or 0
        column = pc.list_flatten(column)
        if longest > _MOST_ACCOUNTS or column.null_count:
            raise InputError(f"{path} is damaged: {quoted(name)} has {longest} values, or empty ones")
    if name in REMOTE and pc.any(pc.is_nan(column)).as_py():
        raise InputError(f"{path} is damaged: {quoted(name)} is not a number")
    found = pc.min_max(column).as_py()
    for value in (found["min"], found["max"]):
        if value is not None and not least <= value <= most:
            raise InputError(
                f"{path} is damaged: {quoted(name)} is {value}, which no attempt can have; delete that "
                "one file to report on the rest of the run"
            )
