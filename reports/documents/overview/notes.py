"""What to know before believing figures side by side: what the runs' own reports warn of, and
whether like is compared with like.
"""

from collections.abc import Iterator, Sequence

from reports.documents.document import Note
from reports.documents.overview.answer import LUCK, SIMULATED
from reports.statistics.overview import Collection, Row, left_out
from reports.text.rounding import seconds
from reports.text.verdict import Verdict

_MOST_NAMED = 4
"""Runs that a line names."""


def notes_of(collection: Collection, rows: Sequence[Row]) -> list[Note]:
    """What is bad comes first."""
    notes = [*_warnings(collection), *_unlike(collection)]
    if missing := left_out(rows):
        notes.append(Note("note", f"Latency distribution, and throughput over time: {missing}"))
    simulated = all(run.run.simulated for run in collection.runs)
    return [*notes, Note("note", SIMULATED if simulated else LUCK)]


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
        else:
            first, text = warnings[0]
            shared = f"{len(runs)} of {len(collection.runs)} runs have this warning: {_named(runs)}."
            notes.append(Note("bad", f"{shared} {first}: {text}"))
    return notes or [Note("good", "None of the runs' own reports has a warning.")]


_SIDES = ("Above the band", "Below the band")


def _subject(verdict: Verdict) -> str:
    """What a warning is about, whatever key type or target it names; a rate above its band and one
    below it are two things.
    """
    side = next((side for side in _SIDES if side in verdict.text), "")
    return verdict.about.split(",")[0] + side


def _named(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMED:
        return "; ".join(names)
    return f"{'; '.join(names[:_MOST_NAMED])}; and {len(names) - _MOST_NAMED} more"


def _unlike(collection: Collection) -> Iterator[Note]:
    """Whatever differs that nobody asked to differ."""
    simulated = {run.run.simulated for run in collection.runs}
    if len(simulated) > 1:
        text = "Some runs were simulated and some measured; only the measured ones saw a database."
        yield Note("note", text)
    differing = [name for name in collection.facts_differing if name != "simulated"]
    if differing and len(simulated) == 1:
        asked = "targets" in collection.differing
        why = "With the targets, this differs" if asked else "This differs, and nobody asked for it"
        yield Note("note", f"{why}: {', '.join(differing)}. The table of what differs has the values.")
    lengths = [run.measured_s for run in collection.runs]
    if max(lengths) > 2 * min(lengths):
        text = (
            f"The runs measured for {seconds(min(lengths))} to {seconds(max(lengths))}: longer ones "
            "show percentiles farther out, and their figures are surer."
        )
        yield Note("note", text)
