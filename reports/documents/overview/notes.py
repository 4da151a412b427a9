"""What to know before believing figures side by side: what the runs' own reports warn of, and
whether like is compared with like.
"""

from collections.abc import Iterator, Sequence

from reports.documents.document import Note
from reports.statistics.overview import Collection, Row, left_out
from reports.text.rounding import seconds
from reports.text.verdict import Verdict

_MOST_NAMED = 4
"""Runs that a line names."""
_LUCK = (
    "Runs made at different times differ by whatever changed on the machine meanwhile, too. This page "
    "puts figures side by side and tests nothing; `occbench compare` says which differences are more "
    "than luck."
)
_SIMULATED = (
    "All of this was simulated: no database was there, and no machine had any part in it. Runs with "
    "the same options differ by their seeds only. This page puts figures side by side and tests "
    "nothing; `occbench compare` says which differences are more than chance."
)


def notes_of(collection: Collection, rows: Sequence[Row]) -> list[Note]:
    """What is bad comes first."""
    notes = [*_warnings(collection), *(Note("note", text) for text in _unlike(collection))]
    if missing := left_out(rows):
        notes.append(Note("note", f"Latency distribution, and throughput over time: {missing}"))
    simulated = all(run.run.simulated for run in collection.runs)
    return [*notes, Note("note", _SIMULATED if simulated else _LUCK)]


def _warnings(collection: Collection) -> list[Note]:
    """The bad verdicts of all runs; what several have in common is one line."""
    by_subject: dict[str, list[tuple[str, str]]] = {}
    for run, name in zip(collection.runs, collection.names, strict=True):
        for verdict in run.verdicts:
            if verdict.state == "bad":
                by_subject.setdefault(_subject(verdict), []).append((name, verdict.text))
    notes = []
    for warnings in by_subject.values():
        runs = list(dict.fromkeys(name for name, _ in warnings))
        if len(runs) == 1:
            notes += [Note("bad", f"{name}: {text}") for name, text in warnings]
            continue
        named = "; ".join(runs[:_MOST_NAMED])
        more = f"; and {len(runs) - _MOST_NAMED} more" if len(runs) > _MOST_NAMED else ""
        shared = f"{len(runs)} of {len(collection.runs)} runs have this warning: {named}{more}."
        notes.append(Note("bad", f"{shared} {': '.join(warnings[0])}"))
    return notes or [Note("good", "None of the runs' own reports has a warning.")]


def _subject(verdict: Verdict) -> str:
    """What a warning is about, whatever key type or target it names; a rate above its band and one
    below it are two things.
    """
    sides = [side for side in ("Above the band", "Below the band") if side in verdict.text]
    return "".join([verdict.about.split(",")[0], *sides])


def _unlike(collection: Collection) -> Iterator[str]:
    """Whatever differs without having been asked to."""
    simulated = {run.run.simulated for run in collection.runs}
    if len(simulated) > 1:
        yield "Some runs were simulated and some measured; only the measured ones saw a database."
    differing = [name for name in collection.facts_differing if name != "simulated"]
    if differing and len(simulated) == 1:
        asked = "targets" in collection.differing
        why = "With the targets, this differs" if asked else "This differs, without being asked for"
        yield f"{why}: {', '.join(differing)}. The table of what differs has the values."
    lengths = [run.measured_s for run in collection.runs]
    if max(lengths) > 2 * min(lengths):
        yield (
            f"The runs measured for {seconds(min(lengths))} to {seconds(max(lengths))}: longer ones "
            "show percentiles farther out, and their figures are surer."
        )
