"""Are there enough samples behind the conflict rates?"""

from reports.analysis.shares import FEW
from reports.statistics.model import Model
from reports.text.rounding import between, plural
from reports.verdicts.rule import Case, where


def few_conflicts(model: Model) -> list[Case]:
    """Conflict rates that rest on so few conflicts that chance moves them by more than a fifth."""
    pooled = model.regions is None or model.regions.pooled
    parts = [
        f"{name}: {plural(f.conflicts, 'conflict')} in {plural(f.decided, 'attempt')}, "
        f"{between(*f.conflict_rate_interval)}"
        for name, f in (model.key_types if pooled else model.targets).items()
        # One user has nobody to conflict with, however long it runs.
        if f.conflict_rate_interval and f.conflicts < FEW and (f.conflicts or f.predicted_high != 0)
    ]
    return where(parts and model.overall.committed, rates="; ".join(parts))
