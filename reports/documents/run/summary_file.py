"""summary.json, read back and checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from loadtest.errors import InputError
from loadtest.record.files import read_json

if TYPE_CHECKING:
    pass


Summary = Mapping[str, Any]
"""The content of a summary.json, see docs/results-format.md."""


def bad_verdicts(summary: Summary) -> list[Mapping[str, str]]:
    """What a report found wrong: `about` and `text` of each."""
    return [one for one in summary.get("verdicts") or () if one["state"] == "bad"]


def read_summary(path: Path) -> Summary:
    """The summary of a run, given its folder or its summary.json; raises InputError."""
    file = path / "summary.json" if path.is_dir() else path
    if not file.exists():
        if path.is_dir() and (path / "run.json").exists():
            # A run that has a record and no report yet.
            from reports.documents.run.summary import summarise

            return summarise(path)
        raise InputError(f"{path} is neither a run's folder nor a summary.json")
    content = read_json(file, "`occbench report` writes it again")
    if not isinstance(content, dict) or not isinstance(content.get("key_types"), dict):
        raise InputError(f"{file} is not the summary of a run")
    try:
        _SummaryFile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{file} is damaged: {where}: {first['msg'].lower()}") from None
    return content


_Numbers = dict[str, int | float | None]


class _Part(BaseModel):
    """A part of summary.json as far as gates rely on it."""

    model_config = ConfigDict(extra="ignore", strict=True)


class _SliceFile(_Part):
    latency_ms: _Numbers | None = None
    commit_ms: _Numbers | None = None
    errors_by_outcome: dict[str, int] | None = None


class _AnswerFile(_Part):
    headline: str = ""
    lede: str = ""


class _InvariantFile(_Part):
    holds: bool | None = None


class _VerdictFile(_Part):
    about: str
    state: str
    text: str


class _SummaryFile(_Part):
    overall: _SliceFile | None = None
    key_types: dict[str, _SliceFile]
    targets: dict[str, _SliceFile] | None = None
    targets_by_key_type: dict[str, dict[str, _SliceFile]] | None = None
    measured_s: int | float | None = None
    answer: _AnswerFile | None = None
    invariant: _InvariantFile | None = None
    verdicts: list[_VerdictFile] | None = None
    interrupted: bool | None = None
