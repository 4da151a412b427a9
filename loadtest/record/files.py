"""Files that are written whole or not at all; JSON that is read, or refused in one line."""

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.errors import InputError
from loadtest.process.streams import shown

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST = 1 << 26
"""Bytes; the largest files of JSON that the tool writes have some megabytes."""
_DEEPEST = 64
_MOST = 1 << 64
"""No number reaches this: those that mean anything are 64-bit integers."""


def read_json(path: Path, remedy: str) -> Any:
    """Read a file of JSON; `remedy` says what to do about a broken one, as in "restore it".

    Numbers are finite, strings are text, and nothing is nested deeper than what the tool writes.

    Raises:
        InputError: if it cannot be read, or is none of that.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise InputError(f"{path} is not a file; {remedy}")
        if facts.st_size > _LARGEST:
            raise InputError(
                f"{path} has {facts.st_size / 1e6:,.0f} MB, far more than it can need; {remedy}"
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8; {remedy}") from error
    try:
        content = json.loads(text, parse_constant=_refuse, parse_int=_integer, parse_float=_number)
        _check(content)
    except RecursionError:
        # Not chained: it would keep every frame.
        raise InputError(f"{path} is nested too deeply; {remedy}") from None
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}); {remedy}") from error
    return content


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not a number")


def _integer(text: str) -> int:
    if len(text) > 20 or abs(number := int(text)) >= _MOST:
        raise ValueError(f"{text[:20]}… is too large a number")
    return number


def _number(text: str) -> float:
    number = float(text)
    if abs(number) >= _MOST:
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _check(content: Any) -> None:
    """Raise ValueError for text that cannot be written again, RecursionError for depth."""
    level = [content]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, str) and not one.isascii():
                # Names of files may hold bytes that are not UTF-8. Any other lone surrogate is a
                # UnicodeEncodeError, which is a ValueError.
                one.encode(errors="surrogateescape")
        level = below
        if not level:
            return
    raise RecursionError


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a path to write a new file at, which replaces `path` when the block ends.

    A reader of `path` finds the old file or the whole new one. After an error the old one stays, and
    nothing is left of the new one. `durable` waits until the content is on the disk: without it a power
    failure can leave an empty file.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        if durable:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Replace a file as a whole; see `replacing`."""
    with replacing(path, durable=durable) as part, part.open("xb") as file:
        file.write(shown(content).encode() if isinstance(content, str) else content)


def write_json(path: Path, content: Any, *, durable: bool = False) -> None:
    """Replace a file of JSON as a whole.

    The name of a file need not be UTF-8; a byte that is not becomes an escape of JSON, which
    `read_json` gives back.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode(errors="backslashreplace"), durable=durable)


def open_parquet(path: Path) -> "pa.NativeFile":
    """Open a file to be read by pyarrow, which takes no path that is not UTF-8; raises OSError."""
    import pyarrow as pa

    return pa.OSFile(os.fsencode(path), "rb")


def create_parquet(path: Path) -> "pa.NativeFile":
    """Create a file to be written by pyarrow and closed; raises OSError."""
    import pyarrow as pa

    return pa.OSFile(os.fsencode(path), "wb")
