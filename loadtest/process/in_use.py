"""Notes of the runs and sweeps on this machine that use a target's data: a locked file each.

The lock is the kernel's and ends with the process, so one that was killed blocks nothing.
"""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from loadtest.errors import InputError, OccbenchError
from loadtest.process.file_lock import try_lock

_UNFINISHED = ".new"
_LONGEST = 4096


def folder_for(server: str) -> Path:
    """Return the folder of the notes about a server, for targets with no folder of their own here."""
    mark = hashlib.sha256(os.fsencode(server)).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"occbench-{os.geteuid()}-{mark}")


class HoldsData(Protocol):
    """The part of a target that a note about its data needs."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The exceptions of its driver."""

    def notes_folder(self, server_id: str | None = None) -> Path:
        """Return the folder of the notes about its data."""


class Noted:
    """A run or a sweep, noted with the data of its targets until `end`, or its process's end."""

    def __init__(
        self, targets: Sequence[HoldsData], folder: Path, servers: Sequence[str] | None = None
    ) -> None:
        """Note the run in `folder`. Where that fails, it goes on without: a run is worth more.

        `servers` are those of the targets where they are known, which then need not be asked.
        """
        self._files: dict[Path, int] = {}
        for number, target in enumerate(targets):
            with suppress(OSError, OccbenchError, *target.errors):
                notes = target.notes_folder(servers[number] if servers else None)
                if notes not in {file.parent for file in self._files}:
                    self._note(notes, os.fsencode(folder.resolve()))

    def _note(self, folder: Path, what: bytes) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != os.geteuid():
            raise PermissionError  # of another user, by accident or not
        file = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        # Locked before it has its name, for what is not locked is cleared away.
        unfinished = file.with_suffix(_UNFINISHED)
        lock = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            try_lock(lock)
            os.write(lock, what)
            unfinished.rename(file)
        except OSError:
            os.close(lock)
            unfinished.unlink(missing_ok=True)
            raise
        self._files[file] = lock

    def end(self) -> None:
        """Delete the notes."""
        while self._files:
            file, lock = self._files.popitem()
            with suppress(OSError):
                file.unlink()
                file.parent.rmdir()  # unless there is another note
            os.close(lock)


def noted_in(folder: Path) -> list[str]:
    """Return a line for each run and sweep that goes on; delete notes of those that were killed."""
    lines = []
    with suppress(OSError):
        for file in sorted(folder.iterdir()):
            if file.suffix == _UNFINISHED:
                continue
            with suppress(OSError):
                note = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    if try_lock(note):
                        file.unlink()
                    else:
                        lines.append(f"{os.fsdecode(os.read(note, _LONGEST))} is going on")
                finally:
                    os.close(note)
    return lines


def refuse_during(uses: list[str], called: str) -> None:
    """Raise InputError that names the runs and sweeps that go on, if there are any."""
    if uses:
        raise InputError(
            f"{called} is in use: {', and '.join(uses)}; wait for the end, or give --force to do it "
            "all the same"
        )
