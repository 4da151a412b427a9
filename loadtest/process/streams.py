"""Standard output and error by which no terminal, disk or reader can make a command fail.

`set_up` is called once, before anything is printed. Afterwards every character can be printed in every
encoding, a stream that was closed goes nowhere, and what a full disk or a reader that has left does
not take is dropped: a command goes on to its end, and writes the files that it was asked for.
"""

import codecs
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

_ERRORS = "occbench"
_PLAIN = {
    "×": "x", "·": "*", "−": "-", "–": "-", "—": "-", "…": "...", "≤": "<=", "≥": ">=", "≈": "~",
    "→": "->", "←": "<-", "µ": "u", "±": "+/-", "²": "^2", "Σ": "sum", "λ": "lambda",
    "σ": "sigma", "κ": "kappa", "μ": "u", "∞": "infinite", "✓": "+", "✗": "x",
    "“": '"', "”": '"', "‘": "'", "’": "'", "\N{NO-BREAK SPACE}": " ", "\N{NARROW NO-BREAK SPACE}": " ",
}  # fmt: skip
"""The tool's own symbols, for terminals that have no more than ASCII."""
_BYTES = range(0xDC80, 0xDD00)
"""The characters that stand in a text for the bytes of a file's name that are not UTF-8."""


def shown(text: object) -> str:
    """A path, or a text with one in it, for files that must be UTF-8: other bytes as `\\xe9`."""
    return "".join(f"\\x{ord(one) - 0xDC00:02x}" if ord(one) in _BYTES else one for one in str(text))


def set_up() -> None:
    """Replace the process's standard streams; does nothing for those that are replaced already."""
    codecs.register_error(_ERRORS, _printable)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The next file that is opened would take its place, and get what is printed.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _tolerant(sys.stdout, sys.__stdout__, 1)
    sys.stderr = _tolerant(sys.stderr, sys.__stderr__, 2)


def why_lost() -> str | None:
    """Why some of the standard output could not be written; None if all was, or its reader has left."""
    sys.stdout.flush()
    file = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return file.why_lost if isinstance(file, _Tolerant) else None


def say_what_is_lost() -> bool:
    """Say on stderr why some of the standard output could not be written; returns whether it is so."""
    if (why := why_lost()) is not None:
        sys.stderr.write(f"occbench: not all that was to be printed could be written: {why}\n")
    return why is not None


class _Tolerant(io.FileIO):
    """A file to which every write succeeds."""

    why_lost: str | None = None

    def write(self, data: Any, /) -> int:
        """Write what can be written; the rest counts as written, too."""
        size = len(memoryview(data).cast("B"))
        try:
            done = super().write(data)
            while done is None:
                # Another process that shares the terminal made it non-blocking.
                select.select([], [self], [])
                done = super().write(data)
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.why_lost = error.strerror or str(error)
            return size
        return done


def _tolerant(now: TextIO | None, original: TextIO | None, number: int) -> Any:
    if now is not original or not (now is None or isinstance(now, io.TextIOWrapper)):
        return now
    return io.TextIOWrapper(
        io.BufferedWriter(_Tolerant(number, "w", closefd=False)),
        encoding="utf-8" if now is None else now.encoding,
        errors=_ERRORS,
        line_buffering=now is not None and bool(now.line_buffering),
        write_through=now is not None and bool(now.write_through),
    )


def _printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Replace a character that the stream's encoding does not have."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    one = error.object[error.start]
    if ord(one) in _BYTES:
        # A file's name, as the system has it.
        return bytes([ord(one) - 0xDC00]), error.start + 1
    plain = _PLAIN.get(one)
    if plain is None:
        plain = one.encode("ascii", "backslashreplace").decode("ascii")
    return plain, error.start + 1
