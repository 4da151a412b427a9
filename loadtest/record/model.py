"""The base of the record's JSON files: their format, and how models are written and read."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.files import read_json, write_json

FORMAT = 2
"""The version of a record: run.json, sweep.json, service.json and the attempts have it in common.
docs/results-format.md describes it."""

MOST_NS = 1 << 62
"""A moment in the year 2116: so far the sum of two fits 64 bits."""

_One = TypeVar("_One")
_File = TypeVar("_File", bound="File")

Many = Annotated[tuple[_One, ...], Field(strict=False)]
"""A list in JSON."""
Seconds = Annotated[float, Field(ge=0, le=1e9)]
Number = Annotated[float, Field(ge=-1e15, le=1e15)]
Count = Annotated[int, Field(ge=0, le=10**15)]
Moment = Annotated[int, Field(ge=0, le=MOST_NS)]
"""Nanoseconds since 1970."""


class Part(BaseModel):
    """An object in a record; an unknown key is refused, so that no typo hides a figure."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class File(Part):
    """A whole file."""

    format: int = FORMAT

    def write(self, path: Path, *, sparse: bool = False, durable: bool = False) -> None:
        """Write it, whole or not at all; raises OSError.

        `sparse` leaves out what was never set; `durable` as in `replacing`.
        """
        content = self.model_dump(mode="json", by_alias=True, exclude_unset=sparse)
        write_json(path, {"format": FORMAT, **content}, durable=durable)


def read_file(kind: type[_File], path: Path, what: str, remedy: str) -> _File:
    """Read the file of a record.

    `what` says what it describes, as in "a run"; `remedy` what to do about a broken one.

    Raises:
        InputError: in one line, if it is broken, of another format, or has unknown keys.
    """
    content = read_json(path, remedy)
    if not isinstance(content, dict) or "format" not in content:
        raise InputError(f'{path} does not describe {what}: it has no "format" key; {remedy}')
    if content["format"] == 1:
        raise InputError(
            f"{path} is a record of format 1, this version reads format {FORMAT}; report on it with "
            "occbench 0.1"
        )
    if content["format"] != FORMAT:
        raise InputError(
            f"{path} has format {quoted(content['format'])}, this version reads format {FORMAT}; "
            "use the version of occbench that wrote it"
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{path}: {_first_of(error)}; {remedy}") from None


def _first_of(error: ValidationError) -> str:
    """Return the first error, with its key."""
    first: Any = error.errors()[0]
    key = quoted(".".join(str(part) for part in first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown key {key}, for it is damaged or of a newer version"
    message = first["msg"].removeprefix("Value error, ")
    return f"{key}: {message[:1].lower()}{message[1:]}" if first["loc"] else message
