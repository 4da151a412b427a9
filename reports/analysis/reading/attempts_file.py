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
from loadtest.record.model import MOST_NS

REMOTE: dict[str, tuple[type[np.generic], float]] = {
    "remote_ns": (np.int64, -1),
    "remote_retries": (np.int16, -1),
    "read_units": (np.float32, np.nan),
    "write_units": (np.float32, np.nan),
}
"""What the other side said of attempts: column → (type, what stands for "it said nothing").

Most runs have none of it: nothing is read or kept then.
"""

_UNREAD = ("worker", "server_snapshot_ns", "server_decided_ns")
_COLUMNS = tuple(n for n in ATTEMPT_SCHEMA.names if n not in (*_UNREAD, *REMOTE))
_ORDER = (
    "begin_sent_ns", "begin_answered_ns", "first_answered_ns", "commit_sent_ns", "ended_ns",
)  # fmt: skip
"""The moments of an attempt, each of which may be null or is not before those to its left."""
_LONGEST_NS = 1 << 55
"""Over a year."""
_RANGES: dict[str, tuple[float, float]] = {
    "transaction": (0, MOST_NS),
    "attempt": (1, 1 << 30),
    "user": (0, 1 << 30),
    "block": (-1, 10_000_000),
    "intended_start_ns": (0, MOST_NS),
    **dict.fromkeys(_ORDER, (0, MOST_NS)),
    "backoff_ns": (0, _LONGEST_NS),
    "rows": (0, MOST_NS),
    "remote_ns": (0, _LONGEST_NS),
    "remote_retries": (0, MOST_REMOTE_RETRIES),
    "read_units": (0, 1e9),
    "write_units": (0, 1e9),
}
"""What no attempt can be outside of. All that is computed relies on it."""
_MOST_ROWS = 30_000
"""That one attempt can have touched."""
_ROWS_ANYWAY, _BYTES_ANYWAY = 1 << 20, 1 << 30
"""A file of any size may hold so much. Of more rows, it has at least a byte for each."""
_VALUES_A_ROW = 32
"""Rows that the attempts of a file have touched, on average, at most."""


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
        if field.name not in types:
            raise InputError(
                f"{path} has no column {field.name!r}; docs/results-format.md lists the columns"
            )
        if not _readable(types[field.name], field.type):
            raise InputError(f"{path}: column {field.name!r} is {types[field.name]}, not {field.type}")
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
        return bool(pa.types.is_list(found) and _same_parts(found.value_type, wanted.value_type))
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(found) and found.bit_width <= wanted.bit_width)
    return bool(found.equals(wanted))


def _same_parts(found: pa.DataType, wanted: pa.DataType) -> bool:
    return bool(
        pa.types.is_struct(found)
        and [field.name for field in found] == [field.name for field in wanted]
        and all(_readable(a.type, b.type) for a, b in zip(found, wanted, strict=True))
    )


def _optional(file: pq.ParquetFile) -> list[str]:
    """What the other side said, as far as there is something in its columns."""
    footer = file.metadata
    found = []
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
        if not ATTEMPT_SCHEMA.field(name).nullable and table.column(name).null_count:
            raise InputError(f"{path}: column {quoted(name)} has empty values")
    for name, (least, most) in _RANGES.items():
        if name in table.column_names:
            _check_range(path, name, table.column(name), least, most)
    return _derived(path, table)


def _derived(path: Path, table: pa.Table) -> pa.Table:
    """The attempts as reports have them: how long each part took instead of when it ended."""
    moments = [table.column(name).combine_chunks() for name in _ORDER]
    begin, begun, first, commit, end = moments
    last = begin
    for name, moment in zip(_ORDER, moments, strict=True):
        if pc.any(pc.less(moment, last)).as_py():
            raise InputError(
                f"{path} is damaged: {quoted(name)} lies before a moment that was earlier; delete that "
                "one file to report on the rest of the run"
            )
        last = pc.coalesce(moment, last)
    if (longest := pc.max(pc.subtract(end, begin)).as_py()) is not None and longest > _LONGEST_NS:
        raise InputError(f"{path} is damaged: an attempt took {longest} ns; delete that one file")
    took = {
        "start_ns": begin,
        "statements_ns": pc.subtract(pc.coalesce(commit, end), begin),
        "commit_ns": pc.fill_null(pc.subtract(end, commit), 0),
        "window_low_ns": pc.fill_null(pc.subtract(commit, first), 0),
        "window_high_ns": pc.if_else(
            pc.is_null(commit), 0, pc.fill_null(pc.subtract(end, begun), 0)
        ),
        "scenario": table.column("operation"),
    }  # fmt: skip
    kept = table.drop_columns([*_ORDER, "operation"])
    for name, column in took.items():
        kept = kept.append_column(name, column)
    return kept


def _check_range(path: Path, name: str, column: pa.ChunkedArray, least: float, most: float) -> None:
    """Refuse a column with a value that no attempt can have."""
    if name == "rows":
        longest = pc.max(pc.list_value_length(column)).as_py() or 0
        column = pc.struct_field(pc.list_flatten(column), "row")
        if longest > _MOST_ROWS or column.null_count:
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
