"""What files of attempts are refused for: all that is computed from a record relies on it.

Values are known from the files' own footers, as far as they say; nothing else is read for that.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.attempt import ATTEMPT_SCHEMA, MOST_REMOTE_RETRIES
from loadtest.record.files import open_parquet
from loadtest.record.model import MOST_NS

READ = frozenset(ATTEMPT_SCHEMA.names) - {"worker", "server_snapshot_ns", "server_decided_ns"}
"""Columns that figures are made of."""
MAY_BE_EMPTY = frozenset(field.name for field in ATTEMPT_SCHEMA if field.nullable)
MOMENTS = (
    "begin_sent_ns", "begin_answered_ns", "first_answered_ns", "commit_sent_ns", "ended_ns",
)  # fmt: skip
"""The moments of an attempt, each of which may be null or is not before those to its left."""
LONGEST_NS = 1 << 55
"""Over a year."""
RANGES: dict[str, tuple[float, float]] = {
    "transaction": (0, MOST_NS),
    "attempt": (1, 1 << 30),
    "user": (0, 1 << 30),
    "block": (-1, 10_000_000),
    "intended_start_ns": (0, MOST_NS),
    **dict.fromkeys(MOMENTS, (0, MOST_NS)),
    "backoff_ns": (0, LONGEST_NS),
    "rows": (0, 1 << 55),
    "remote_ns": (0, LONGEST_NS),
    "remote_retries": (0, MOST_REMOTE_RETRIES),
    "read_units": (0, 1e9),
    "write_units": (0, 1e9),
}
"""What no attempt can be outside of."""
MOST_ROWS = 30_000
"""That one attempt can have touched."""
LONGEST_NAME = 1000
_ROWS_ANYWAY, _BYTES_ANYWAY = 1 << 20, 1 << 30
"""A file of any size may hold so much. Of more rows, it has at least a byte for each."""
_VALUES_A_ROW = 32
"""Rows that the attempts of a file have touched, on average, at most."""
_UNREADABLE = (pa.ArrowException, OSError, ValueError, MemoryError)


@dataclass(frozen=True, slots=True)
class File:
    """One file of attempts, as its footer describes it."""

    path: Path
    rows: int
    types: dict[str, pa.DataType]
    bounds: dict[str, tuple[int, int]]
    """Least and largest value of a column of whole numbers, where the footer has them."""
    empty: frozenset[str]
    """Columns that hold nothing but nulls."""
    unknown: frozenset[str]
    """Columns that have to be read to know their bounds, or whether a value is missing."""


def read_footer(path: Path) -> File:
    """What the footer says; raises InputError if it is no file of attempts that can be read."""
    try:
        file = pq.ParquetFile(open_parquet(path))
        _check_size(file.metadata, path.stat().st_size)
        types = {field.name: field.type for field in file.schema_arrow}
        bounds, nulls, unknown = _statistics(file.metadata)
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
    rows = file.metadata.num_rows
    empty = frozenset(name for name in types if nulls.get(name) == rows)
    for name in types:
        if name in READ - MAY_BE_EMPTY and nulls.get(name):
            raise InputError(f"{path}: column {quoted(name)} has empty values")
    for name, (least, most) in bounds.items():
        check_range(path, name, least, most)
    return File(path, rows, types, bounds, empty, frozenset((unknown & READ) - empty))


def check_range(path: Path, name: str, least: float, most: float) -> None:
    """Refuse a column with a value that no attempt can have; raises InputError."""
    allowed = RANGES[name]
    for value in (least, most):
        if not allowed[0] <= value <= allowed[1]:
            raise InputError(
                f"{path} is damaged: {quoted(name)} is {value}, which no attempt can have; delete that "
                "one file to report on the rest of the run"
            )


def _statistics(
    footer: pq.FileMetaData,
) -> tuple[dict[str, tuple[int, int]], dict[str, int], set[str]]:
    """(bounds, number of nulls, columns of which the footer does not say them) of a file's columns."""
    bounds: dict[str, tuple[int, int]] = {}
    nulls: dict[str, int] = {}
    unknown: set[str] = set()
    for place in range(footer.num_columns if footer.num_row_groups else 0):
        parts = [footer.row_group(group).column(place) for group in range(footer.num_row_groups)]
        name, *within = parts[0].path_in_schema.split(".")
        if within[-1:] == ["table"]:
            continue
        said = [part.statistics for part in parts]
        if not within:
            if all(one is not None and one.has_null_count for one in said):
                nulls[name] = sum(one.null_count for one in said)
            else:
                unknown.add(name)
        if name not in RANGES:
            continue
        filled = [one for one in said if one is None or one.num_values]
        if all(one is not None and one.has_min_max and isinstance(one.min, int) for one in filled):
            if filled:
                bounds[name] = min(one.min for one in filled), max(one.max for one in filled)
        else:
            unknown.add(name)
    return bounds, nulls, unknown


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
