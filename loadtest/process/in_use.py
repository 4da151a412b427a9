"""What goes on on this machine with a target's data: a file for each run or sweep, locked meanwhile.

The lock is the kernel's and ends with the process: one that was killed is in nobody's way, whatever
it left behind.
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


def folder_for(place: str) -> Path:
    """Where what goes on at a place is noted, for targets with no folder of their own here."""
    mark = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"occbench-{os.geteuid()}-{mark}")


class HoldsData(Protocol):
    """What must be known of a target to note what goes on with its data."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What its driver raises."""

    def notes_folder(self, place: str | None = None) -> Path:
        """Where what goes on with its data is noted."""


class Noted:
    """A run or a sweep, noted with the data of its targets until `end`, or its process's end."""

    def __init__(
        self, targets: Sequence[HoldsData], what: Path, places: Sequence[str] | None = None
    ) -> None:
        """`what` is its folder. Where nothing can be noted, nothing is: a run is worth more.

        `places` are those of the targets where they are known, which then need not be asked.
        """
        self._files: dict[Path, int] = {}
        for number, target in enumerate(targets):
            place = places[number] if places else None
            with suppress(OSError, OccbenchError, *target.errors):
                folder = target.notes_folder(place)
                if folder not in {file.parent for file in self._files}:
                    self._note(folder, os.fsencode(what.resolve()))

    def _note(self, folder: Path, what: bytes) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.lstat().st_uid != os.geteuid():
            raise PermissionError  # somebody else was here first, by accident or not
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
        """It is over."""
        while self._files:
            file, lock = self._files.popitem()
            with suppress(OSError):
                file.unlink()
                file.parent.rmdir()  # unless another is noted there
            os.close(lock)


def noted_in(folder: Path) -> list[str]:
    """The runs and sweeps that go on, by their folders; notes of those that were killed are deleted."""
    found = []
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
                        found.append(f"{os.fsdecode(os.read(note, _LONGEST))} is going on")
                finally:
                    os.close(note)
    return found


def refuse_during(uses: list[str], called: str) -> None:
    """Raises InputError that names what goes on, if anything does."""
    if uses:
        raise InputError(
            f"{called} is in use: {', and '.join(uses)}; wait for the end, or give --force to do it "
            "all the same"
        )
