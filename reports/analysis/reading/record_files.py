"""Which files of `attempts/` are a run's record, and which parts of it are missing.

A copy that a file manager made, or what an unpacking program left, would count every attempt twice. So
only names count that the tool writes, and of a run that ended only the files that it says it wrote.
"""

import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.errors import InputError
from loadtest.record.attempt import FILE_NAME
from loadtest.record.folder import missing_files
from loadtest.record.run import Run
from reports.analysis.reading.nothing import nothing_measured
from reports.text.rounding import plural

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Record:
    """The files of a run's attempts."""

    paths: tuple[Path, ...]
    """In the order of their names."""
    left_out: tuple[str, ...] = ()
    """Names of files that the run did not write."""
    missing: tuple[str, ...] = ()
    """Names of files that it did write and that are not there."""
    resized: tuple[str, ...] = ()
    """Names of files that have not the rows that were written; they are left out as well."""

    @property
    def left_out_said(self) -> str:
        """What is not the run's, as a sentence; empty if nothing."""
        if not self.left_out:
            return ""
        one = len(self.left_out) == 1
        return (
            f"{_named(self.left_out)} in attempts/ {'was' if one else 'were'} not written by the run "
            f"and {'is' if one else 'are'} in no figure."
        )

    @property
    def incomplete_said(self) -> str:
        """What is not there as it was written, as a sentence; empty if nothing."""
        parts = []
        if self.missing:
            parts.append(f"{_named(self.missing)} {'is' if len(self.missing) == 1 else 'are'} missing")
        if self.resized:
            have = "has" if len(self.resized) == 1 else "have"
            parts.append(f"{_named(self.resized)} {have} not the rows that were written")
        if not parts:
            return ""
        it = "it" if len(self.missing) + len(self.resized) == 1 else "them"
        return f"The record is not whole: {'; '.join(parts)}, and what was in {it} is in no figure."

    def say(self, folder: Path) -> None:
        """Say on stderr what is left out or missing, in one line."""
        said = " ".join(filter(None, (self.left_out_said, self.incomplete_said)))
        if said:
            sys.stderr.write(f"occbench: {folder}: {said}\n")


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    shown = ", ".join(repr(name) for name in names[:_MOST_NAMED])
    return f"{shown} and {plural(more, 'more file')}" if more > 0 else shown


def find_record(folder: Path, run: Run | None) -> Record:
    """The files of this folder that are the record of this run, or, of one that is not known or did
    not end, that are named as the tool names them.

    Raises:
        InputError: if there is none, or something of such a name is no file.
    """
    listed = run.files if run else None
    paths, left_out = [], []
    for path in sorted((folder / "attempts").glob("*.parquet")):
        if FILE_NAME.fullmatch(path.name) and (listed is None or path.name in listed):
            _refuse_unless_file(path)
            paths.append(path)
        else:
            left_out.append(path.name)
    missing = tuple(missing_files(folder, listed or {}))
    if not paths:
        others = f"; not written by the run: {_named(left_out)}" if left_out else ""
        lead = f"{folder} holds no attempts: attempts/*.parquet is missing{others}; "
        raise InputError(f"{lead}restore it") if missing else nothing_measured(lead, run)
    return Record(tuple(paths), tuple(left_out), missing)


def _refuse_unless_file(path: Path) -> None:
    try:
        kind = path.stat().st_mode
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not stat.S_ISREG(kind):
        raise InputError(f"{path} is not a file; delete it to report on the rest of the run")
