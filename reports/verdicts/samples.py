"""Are there enough samples behind the conflict rates?"""

from reports.analysis.shares import FEW
from reports.statistics.model import Model
from reports.text.rounding import about, plural
from reports.text.verdict import Verdict


def few_conflicts(model: Model) -> list[Verdict]:
    """Conflict rates that rest on so few conflicts that chance moves them by more than a fifth."""
    alike = model.regions is None or model.regions.pooled
    known = model.key_types if alike else model.targets
    said = []
    for name, f in known.items():
        interval = f.conflict_rate_interval
        if interval is None or f.conflicts >= FEW:
            continue
        if not f.conflicts and f.predicted_high == 0:
            # One user has nobody to conflict with, however long it runs.
            continue
        low, high = interval
        if not f.conflicts:
            text = f"no conflict in {plural(f.decided, 'attempt')}, a rate of up to {about(high)}"
        else:
            reach = f"a rate between {about(low)} and {about(high)}"
            text = f"{plural(f.conflicts, 'conflict')}, {reach}"
        said.append(f"{name}: {text}")
    if not said:
        return []
    return [
        Verdict(
            "few conflicts",
            "note",
            f"Few conflicts, so chance moves the rate a lot (95 % interval): {'; '.join(said)}. "
            "A longer run, or fewer accounts, would say more.",
        )
    ]
