"""The consistency probes of a run over several endpoints of one database, and their file.

A *probe* commits a new value through one endpoint, and reads it through another as soon as COMMIT is
answered. It is *stale* if its first read finds an older value. `engine/probes/` makes the probes.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from itertools import permutations
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from loadtest.record.files import create_parquet, open_parquet, replacing

FILE = "consistency.parquet"
"""The file of the probes in a run's folder."""

PATIENCE_NS = 5_000_000_000
"""How long a stale probe goes on reading."""

_ROWS_ANYWAY = 1 << 20
"""A file of any size may hold so many; of more, it has at least a byte for each."""

PROBE_SCHEMA = pa.schema(
    [
        pa.field("writer", pa.string(), nullable=False),
        pa.field("reader", pa.string(), nullable=False),
        pa.field("at_ns", pa.int64(), nullable=False),
        pa.field("commit_ns", pa.int64()),
        pa.field("read_ns", pa.int64()),
        pa.field("stale_ns", pa.int64()),
        pa.field("seen", pa.bool_(), nullable=False),
        pa.field("failed", pa.bool_(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One value, committed through the target `writer` and read through the target `reader`."""

    writer: str
    reader: str
    at_ns: int
    """When it began, in nanoseconds on its maker's clock; since 1970 in the record."""
    commit_ns: int | None
    """From its begin to the answer of COMMIT; None where there was none."""
    read_ns: int | None
    """From the answer of COMMIT to the answer of the first read; None where there was none."""
    stale_ns: int | None
    """From the answer of COMMIT to that of the read which found the value, or of the last read if
    none did; None where the first read found it, or there was no read."""
    seen: bool
    """A read found the value. Where a stale probe has it not, `stale_ns` is only a lower bound."""
    failed: bool
    """The value was not committed for certain, or could not be read: neither fresh nor stale."""


def is_stale(read: int | None, written: int) -> bool:
    """Return whether a read shows a state from before the value was committed.

    The values of a row only grow, and its row was there before. A newer value is not stale.
    """
    return read is None or read < written


def ordered_pairs(endpoints: int) -> list[tuple[int, int]]:
    """Return every (writer, reader) of so many endpoints, by their indices."""
    return list(permutations(range(endpoints), 2))


def write_probes(folder: Path, probes: Sequence[Probe], anchor_ns: int) -> None:
    """Write a run's probes, whole or not at all; raises OSError.

    `anchor_ns` is what makes nanoseconds since 1970 of the probes' own clock.
    """
    rows = [astuple(replace(probe, at_ns=probe.at_ns + anchor_ns)) for probe in probes]
    columns = list(zip(*rows, strict=True)) or [()] * len(PROBE_SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, PROBE_SCHEMA, strict=True)]
    with replacing(folder / FILE) as part, create_parquet(part) as file:
        pq.write_table(pa.table(arrays, schema=PROBE_SCHEMA), file, compression="zstd")


def read_probes(folder: Path) -> list[Probe] | None:
    """Read the probes in the order of time; return None where a run has no such file.

    Raises OSError, ValueError or pyarrow.ArrowException where the file is damaged, KeyError where a
    column is missing.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    if pq.read_metadata(open_parquet(path)).num_rows > max(_ROWS_ANYWAY, path.stat().st_size):
        raise ValueError("more rows than a file of its size can hold")
    table = pq.read_table(open_parquet(path)).select(PROBE_SCHEMA.names)
    table.validate(full=True)
    for field, column in zip(PROBE_SCHEMA, table.columns, strict=True):
        if field.type != column.type or (column.null_count and not field.nullable):
            raise ValueError(f"{field.name} is not what was written")
        if pa.types.is_integer(field.type) and (pc.min(column).as_py() or 0) < 0:
            raise ValueError(f"{field.name} is below zero")
    columns = [table.column(field.name).to_pylist() for field in fields(Probe)]
    return sorted((Probe(*row) for row in zip(*columns, strict=True)), key=lambda probe: probe.at_ns)
