"""How a run or a sweep ends: its report is written and summed up, its gates are judged."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtest.cli.gating import Gating
from loadtest.config.run import RunConfig
from loadtest.errors import INTERRUPTED, InputError, OccbenchError, TargetError
from loadtest.record.run import read_run
from loadtest.record.sweep import is_sweep, read_sweep
from loadtest.sweep.plan import Sweep
from loadtest.targets.dsql import service_metrics
from reports.charts import backend
from reports.documents.run.summary_file import bad_verdicts, read_summary
from reports.gates.judge import Unmeasured
from reports.write import answer_of, nothing_bad, write_as, write_report

_MOST_SAID = 50
"""Bad verdicts of points that the terminal names."""


class Conclusion:
    """What a Reporter asks for."""

    def __init__(self, gates: Mapping[str, Any]) -> None:
        self._gates = gates
        self._gating: Gating | None = None

    def expect(self, configs: list[dict[str, Any]]) -> None:
        """Check the gates, also against these runs, and that charts can be drawn; raises InputError."""
        gating = self._read()
        gating.expect(*(RunConfig.read(**config) for config in configs))
        backend.check()

    def conclude(self, folder: str, interrupted: bool) -> int:
        """Report and judge; returns the exit status."""
        if is_sweep(Path(folder)):
            return conclude_sweep(Sweep(Path(folder), read_sweep(Path(folder)), {}), self._read())
        return conclude_run(Path(folder), self._read(), interrupted=interrupted)

    def nothing_measured(self, name: str, why: str) -> None:
        """Write the files that were asked for, of a run that has no figures."""
        say_nothing_measured(self._read(), name, why)

    def _read(self) -> Gating:
        self._gating = self._gating or Gating.read(**self._gates)
        return self._gating


def write_and_print(
    folder: Path, dpu_price: float | None = None, formats: tuple[str, ...] = ("html",)
) -> None:
    """Write the report of a run or a sweep, print its answer, and where it is."""
    written = write_as(folder, formats, dpu_price)
    print(answer_of(folder))
    say_where(written)


def say_where(written: list[Path]) -> None:
    """Print the paths of documents one by one, those of pictures by their folder."""
    pictures = [path for path in written if path.suffix in (".png", ".svg")]
    for path in written:
        if path not in pictures:
            print(path)
    for kind in (".png", ".svg"):
        if alike := [path for path in pictures if path.suffix == kind]:
            print(f"{alike[0].parent}/*{kind} ({len(alike)} pictures)")


def conclude_run(folder: Path, gating: Gating, *, interrupted: bool) -> int:
    """Write and print the report of a run that has just ended, and judge it; returns the exit status.

    What the service counted is asked for as well, where it counts. Raises InputError where there is
    nothing to report, TargetError where no figure is of anything that the target did.
    """
    if (missing := service_metrics.after_run(folder)) is not None:
        print(f"occbench: {missing}", file=sys.stderr)
    try:
        write_and_print(folder)
    except InputError as error:
        # Interrupted within the warm-up there is a record, but nothing in it to report.
        say_nothing_measured(gating, read_run(folder).label, str(error))
        if not interrupted:
            raise
        print(f"occbench: {error}", file=sys.stderr)
        return INTERRUPTED
    status = gating.conclude([gating.subject(folder)])
    if interrupted:
        return INTERRUPTED
    if (failed := target_failed(folder)) is not None:
        raise TargetError(failed)
    return status


def say_nothing_measured(gating: Gating, name: str, why: str) -> None:
    """Replace the files of a run before, which are not to be taken for this one's."""
    if gating.junit is None and gating.markdown is None:
        return
    missing = Unmeasured(name or "run", why, failed=True)
    replace(gating, conditions=()).conclude([], answer="Nothing was measured.", unmeasured=[missing])


def target_failed(folder: Path) -> str | None:
    """In one line that every attempt of a reported run failed, and not by conflicts; None if not so.

    No figure of such a report is of anything that the target did.
    """
    summary = read_summary(folder)
    overall = summary.get("overall") or {}
    errors: dict[str, int] = overall.get("errors_by_outcome") or {}
    attempts = overall.get("attempts") or 0
    if not attempts or sum(errors.values()) < attempts:
        return None
    states = ", ".join(summary.get("errors_by_sqlstate") or ())
    generators = read_run(folder).generators
    reason = next((one.why_no_session for one in generators if one.why_no_session), states)
    named = ", ".join(f"{number:,} {outcome}" for outcome, number in errors.items())
    return f"{folder}: every attempt failed: {named}{f' ({reason})' if reason else ''}"


def conclude_sweep(sweep: Sweep, gating: Gating) -> int:
    """Write and print the report, name the points that failed, judge the gates; the exit status."""
    for point in sweep.failed:
        print(f"occbench: {sweep.describe(point)}: {point.reason}", file=sys.stderr)
    answer, first = "No point was measured.", ""
    if sweep.done:
        report = write_report(sweep.folder)
        answer = answer_of(sweep.folder)
    subjects, unmeasured = [], []
    for point in sorted(sweep.file.points, key=sweep.position_of):
        name = sweep.describe(point)
        if point.state == "done":
            subjects.append(gating.subject(sweep.folder / str(point.folder), name))
        else:
            failed = point.state == "failed"
            why = str(point.reason) if failed else "not measured yet"
            unmeasured.append(Unmeasured(name, why, failed))
    if sweep.done:
        bad = [f"{one.name}: {each['text']}" for one in subjects for each in bad_verdicts(one.summary)]
        more = [f"and {len(bad) - _MOST_SAID} more, see the report"] if len(bad) > _MOST_SAID else []
        first = "\n".join([answer, *bad[:_MOST_SAID], *more, str(report)])
    status = gating.conclude(subjects, answer=answer, unmeasured=unmeasured, first=first)
    if sweep.failed:
        return TargetError.exit_code
    # What a run says of itself without gates, and what only all points together show.
    doubtful = any(point.exit_status == OccbenchError.exit_code for point in sweep.done)
    if doubtful or (gating.strict and sweep.done and not nothing_bad(sweep.folder)):
        return OccbenchError.exit_code
    return status
