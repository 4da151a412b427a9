"""Reading the runs of a report of several."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from loadtest.errors import InputError
from reports.documents.run.facts import environment, settings, target_facts
from reports.statistics.model import Model, build_model
from reports.statistics.overview import Facts, Line, OneRun
from reports.verdicts.rules import verdicts

_NOT_MEASURED = ("label", "out", "dpu price")
"""Options that change where a run lies or what it is called, and nothing that is measured."""
_AMONG_OPTIONS = ("url", "host")
"""What targets are called by, which is among the options."""


def read_runs(folders: Sequence[Path]) -> list[OneRun]:
    """Read every folder once, in the order given; one that is given twice counts once.

    Raises:
        InputError: with fewer than two runs, or if one of them is broken.
    """
    once = {folder.resolve(): folder for folder in reversed(folders)}
    if len(once) < 2:
        raise InputError("a report of several runs needs at least two of them; give their folders")
    return [_read(folder) for folder in reversed(once.values())]


def _read(folder: Path) -> OneRun:
    model = build_model(folder)
    given = dict(settings(model))
    for name in _NOT_MEASURED:
        given.pop(name, None)
    if model.run.size is not None:
        given["accounts"] = f"{model.run.size:,}"
    return OneRun(
        folder=folder,
        run=model.run,
        lines=tuple(_lines(model)),
        verdicts=tuple(verdicts(model)),
        measured_s=model.measured_s,
        warmup_s=model.warmup_s,
        options=_known(given),
        facts=_known(_facts(model)),
        raw=dict(model.run.settings) | {"accounts": model.run.size},
    )


def _known(facts: Facts) -> Facts:
    """The facts without those that are empty."""
    return {name: value for name, value in facts.items() if value.strip() not in ("", "—", "–")}


def _lines(model: Model) -> Iterator[Line]:
    if model.regions is None:
        for key, figures in model.key_types.items():
            yield Line(key, None, figures, model.series.get(key), model.curves.get(key))
        return
    # Over time, and as distributions, targets are kept as a whole; with one key type that is it.
    alone = len(model.key_types) == 1
    for (target, key), figures in model.by_target_and_key.items():
        series = model.regions.series.get(target) if alone else None
        yield Line(key, target, figures, series, model.regions.curves.get(target) if alone else None)


def _facts(model: Model) -> Facts:
    """Facts of the targets, under each what it is of if they differ, then machine and versions."""
    facts = {"simulated": "yes" if model.run.simulated else "no"}
    by_name: dict[str, dict[str, str]] = {}
    for target, pairs in target_facts(model):
        for name, value in pairs:
            if name not in _AMONG_OPTIONS:
                by_name.setdefault(name, {})[target] = value
    for name, values in by_name.items():
        facts[name] = "; ".join(f"{target}: {value}" for target, value in values.items())
        if len(values) == len(model.run.targets) and len(set(values.values())) == 1:
            facts[name] = next(iter(values.values()))
    return facts | dict(environment(model))
