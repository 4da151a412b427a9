"""Opening Parquet files by a path of any bytes; pyarrow itself takes none that is not UTF-8."""

import os
from pathlib import Path

import pyarrow as pa


def reading(path: Path) -> pa.NativeFile:
    """The file, to be read by pyarrow; raises OSError."""
    return pa.OSFile(os.fsencode(path), "rb")


def writing(path: Path) -> pa.NativeFile:
    """A new file, to be written by pyarrow and closed; raises OSError."""
    return pa.OSFile(os.fsencode(path), "wb")
