"""Conflict rates: against the bands that the formula predicts for them, and whether they are sure."""

from collections.abc import Iterator, Sequence

from loadtest.record.run import Target
from reports.analysis.figures import Figures
from reports.analysis.shares import FEW
from reports.statistics.certainty import conflict_rate
from reports.statistics.model import Model
from reports.statistics.prediction.band import side_of_band
from reports.text.rounding import between, plural
from reports.verdicts.rule import Case, where

WIDEST_BAND = 20.0
"""High end / low end from which a band holds so much that lying inside it says nothing."""


def band(model: Model) -> Iterator[Case]:
    """Where the rate of each slice lies that has a meaning: of key types where the targets are one
    database; of targets by themselves where they are not, or where one is out of its own band.
    """
    targets, regions = model.run.targets, model.regions
    if regions is None or regions.pooled:
        for name, figures in model.key_types.items():
            if figures.committed:
                yield _case(name, figures, targets)
    if regions is None:
        return
    for name, figures in model.targets.items():
        here = [target for target in targets if target.name == name]
        case, words = _case(name, figures, here)
        if not regions.databases.settled(regions.codes[name]):
            case = "unsettled"
        if figures.committed and (case in ("below", "above") or not regions.pooled):
            yield case, words


def _case(name: str, f: Figures, targets: Sequence[Target]) -> Case:
    low, high, side = f.predicted_low, f.predicted_high, side_of_band(f)
    if low is None or high is None or side is None:
        return "unpredicted", {"name": name}
    case: str = side
    if any(target.regime == "locking" for target in targets):
        case = "locking"
    elif side in ("inside", "edge") and high > WIDEST_BAND * low:
        case = "wide"
    figures = f"{name}: {conflict_rate(f)} of attempts conflicted, {between(low, high)} predicted"
    return case, {"name": name, "figures": figures, "why": _why_wide(targets)}


def _why_wide(targets: Sequence[Target]) -> str:
    """What hides the moment of the decision."""
    if any(target.commit_delay_ms and not target.decides_after_s for target in targets):
        return "when within the commit delay an attempt is decided"
    if any(target.family == "dynamodb" for target in targets):
        return "when within its two requests an attempt is served"
    return "when within its first statement an attempt begins, and within COMMIT is decided,"


def few_conflicts(model: Model) -> list[Case]:
    """Conflict rates that rest on so few conflicts that chance moves them by more than a fifth."""
    pooled = model.regions is None or model.regions.pooled
    parts = [
        f"{name}: {plural(f.conflicts, 'conflict')} in {plural(f.decided, 'attempt')}, "
        f"{between(*f.conflict_rate_interval)}"
        for name, f in (model.key_types if pooled else model.targets).items()
        # A single user conflicts with no other, however long it runs.
        if f.conflict_rate_interval and f.conflicts < FEW and (f.conflicts or f.predicted_high != 0)
    ]
    return where(parts and model.overall.committed, rates="; ".join(parts))
