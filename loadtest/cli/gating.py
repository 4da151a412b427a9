"""Gates of commands: read and checked before any load, judged in the end.

Before any load, `Gating.read` reads and checks the options, and `Gating.expect` whether they fit the
run that is to be made. In the end `Gating.conclude` judges the runs that `Gating.subject` reads.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from loadtest.config.fields import naming
from loadtest.config.run import RunConfig
from loadtest.errors import InputError, OccbenchError
from loadtest.errors.messages import quoted
from loadtest.record.files import write_atomically
from loadtest.record.run import Config, Run, Target, read_run
from reports.documents.run.summary_file import read_summary
from reports.gates.base import Base
from reports.gates.conditions import Condition, parse_condition
from reports.gates.job_summary import gates_headline, gates_markdown, to_markdown
from reports.gates.judge import Judged, Subject, Unmeasured, judge, missing_in_base
from reports.gates.junit import to_junit

_STDOUT = Path("/dev/stdout")


@dataclass(frozen=True, slots=True)
class Gating:
    """The gates of one command, read and checked before it starts."""

    conditions: tuple[Condition, ...]
    base: Base | None
    junit: Path | None
    markdown: Path | None
    strict: bool = False
    """Whether bad verdicts fail a run as missed gates do."""

    @classmethod
    def read(
        cls,
        *,
        fail_on: Sequence[str] | None = None,
        base: str | Path | None = None,
        junit: str | Path | None = None,
        markdown: str | Path | None = None,
        has_base: bool = False,
        strict: bool | None = None,
    ) -> Self:
        """Read and check the options of gates; raises InputError where one makes no sense.

        `has_base` says that the command brings a base of its own, such as `compare`.
        """
        conditions = tuple(parse_condition(text) for text in fail_on or ())
        relative = [condition for condition in conditions if condition.limit.from_base]
        if relative and base is None and not has_base:
            raise InputError(
                f"--fail-on {quoted(relative[0].text)} compares with a base; name it with --base RUN"
            )
        files = [Path(one).resolve() for one in (junit, markdown) if one is not None]
        if len(set(files)) < len(files):
            raise InputError(f"--junit and --markdown are both {junit}; name two files")
        return cls(
            conditions,
            _read_base(base),
            to_write("--junit", junit),
            to_write("--markdown", markdown),
            bool(strict),
        )

    def expect(self, *configs: RunConfig) -> None:
        """Check conditions and base against runs that are to be made; raises InputError.

        A condition of a key type that will not be measured, or a base without the figure or of another
        workload, would make a gate that can only be missed. A condition of a target is of the runs that
        have it.
        """
        if not self.conditions:
            return
        keys = dict.fromkeys(str(key) for config in configs for key in config.keys)
        targets = dict.fromkeys(spec.name for config in configs for spec in config.specs())
        self.expect_slices(tuple(keys), tuple(targets))
        relative = [condition for condition in self.conditions if condition.limit.from_base]
        if self.base is not None and relative:
            for config in configs:
                self._expect_of_base(self.base, relative, config)

    def _expect_of_base(self, base: Base, relative: Sequence[Condition], config: RunConfig) -> None:
        keys, targets = tuple(map(str, config.keys)), tuple(spec.name for spec in config.specs())
        mine = [one for one in relative if one.target is None or one.target in targets]
        if not mine:
            return
        try:
            summary = base.matching(_coming(config)).summary
        except InputError as error:
            raise InputError(f"--fail-on {quoted(mine[0].text)}: {error}") from None
        for condition, where, why in missing_in_base(mine, summary, keys, targets, config.duration):
            raise InputError(
                f"--fail-on {quoted(condition.text)}: the base does not have "
                f"{condition.figure.name} of {where}: {why}"
            )

    def expect_slices(self, keys: Sequence[str], targets: Sequence[str]) -> None:
        """Check that these key types and targets have every slice that a condition names; raises
        InputError.
        """
        for condition in self.conditions:
            for what, name, known in (
                ("key type", condition.key_type, keys),
                ("target", condition.target, targets),
            ):
                if name is not None and name not in known:
                    raise InputError(
                        f"--fail-on {quoted(condition.text)}: no {what} {quoted(name)} is measured; "
                        f"there are the key types {', '.join(keys)}, the targets "
                        f"{', '.join(targets)}, and overall"
                    )

    def subject(self, folder: Path, name: str | None = None) -> Subject:
        """A run with a report as a subject to judge; by default it is called as its folder."""
        run = read_run(folder)
        base, base_folder, no_base = None, None, ""
        notes: tuple[str, ...] = ()
        if self.base is not None:
            try:
                matching = self.base.matching(run)
                base = matching.summary
                base_folder = matching.path if matching.path.is_dir() else matching.path.parent
                notes = tuple(matching.notes(run))
            except InputError as error:
                no_base = str(error)
                notes = (f"Not compared with a base: {no_base}.",)
        return Subject(
            name or folder.name,
            read_summary(folder),
            base,
            run.config.keys,
            tuple(target.name for target in run.targets),
            no_base,
            notes,
            folder,
            base_folder,
        )

    def conclude(
        self,
        subjects: Iterable[Subject],
        *,
        answer: str | None = None,
        markdown: str | None = None,
        unmeasured: Sequence[Unmeasured] = (),
        first: str = "",
    ) -> int:
        """Evaluate every gate, write the files that were asked for, and print; returns the exit status.

        That is 1 where a gate was missed, an invariant does not hold, or most transactions failed, and
        with `strict` where any verdict is bad; else 0. In the Markdown file
        `answer` stands in place of what each run found, where several found something together, and
        `markdown` in place of answers and figures, for a command that says them in its own way.
        `unmeasured` is what there is nothing to judge of. `first` is printed before the gates; nothing
        is before the files are written, for the reader of the output may be gone.

        Raises:
            OccbenchError: if a file cannot be written.
        """
        judged = [judge(self.conditions, subject, strict=self.strict) for subject in subjects]
        if self.junit is not None:
            _write(self.junit, to_junit(judged, unmeasured))
        if self.markdown is not None:
            if markdown is None:
                text = to_markdown(judged, answer, unmeasured)
            else:
                text = f"{markdown.rstrip()}\n\n{gates_markdown(judged)}".rstrip() + "\n"
            _write(self.markdown, text)
        if first:
            print(first)
        if self.conditions:
            print(_in_terminal(judged))
        return 0 if all(one.passed for one in judged) else OccbenchError.exit_code


def _read_base(path: str | Path | None) -> Base | None:
    return None if path is None else naming("--base", lambda text: Base.read(Path(text)), str(path))


def _coming(config: RunConfig) -> Run:
    """The run that this will be, as far as it can be known before."""
    settings = config.model_dump(mode="json")
    settings["target"] = [spec.shown for spec in config.specs()]
    return Run(
        config=Config.model_validate(settings),
        targets=tuple(Target(name=spec.name) for spec in config.specs()),
        accounts=config.accounts,
    )


def _in_terminal(judged: Sequence[Judged]) -> str:
    """Every gate in a line of its own, in columns."""
    rows = [
        [
            "held" if gate.held else "MISSED", gate.condition.text,
            f"{one.subject.name} {gate.where}" if len(judged) > 1 else gate.where,
            gate.value_text, gate.why or f"limit {gate.limit_text}",
        ]
        for one in judged
        for gate in one.gates
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    padded = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    lines = [f"  {'  '.join(row).rstrip()}" for row in padded]
    notes = dict.fromkeys(note for one in judged for note in one.subject.notes)
    return "\n".join([gates_headline(judged), *lines, *notes])


def to_write(flag: str, path: str | Path | None) -> Path | None:
    """A file that can be written, its folder made; known before the load that it will tell of."""
    if path is None:
        return None
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{flag}: {path} is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{flag}: no folder {path.parent} can be made: {error.strerror}") from None
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"{flag}: {path} cannot be written; name another file")
    return path


def _write(path: Path, text: str) -> None:
    """Replace a file as a whole; what only looks like one is written to where it is."""
    try:
        if path == _STDOUT:
            # Opened anew it would overwrite what it has already, where the output goes to a file.
            print(text, end="")
        elif path.is_symlink() or (path.exists() and not path.is_file()):
            path.write_text(text, encoding="utf-8")
        else:
            write_atomically(path, text)
    except OSError as error:
        raise OccbenchError(f"cannot write {path}: {error.strerror}") from error
