"""What charts of a run say: one sentence pattern for each key type or target."""

from collections.abc import Callable, Mapping, Sequence

from reports.analysis.figures import Figures
from reports.analysis.percentiles import Distribution
from reports.statistics.certainty import percentile


def of_each(slices: Mapping[str, Figures], say: Callable[[str, Figures], str]) -> str:
    """`int: 12 ms. uuid: 13 ms.`; `say` gives what follows the name, nothing where nothing is known."""
    texts = {name: say(name, figures) for name, figures in slices.items()}
    return " ".join(f"{name}: {text}." for name, text in texts.items() if text)


def percentiles_of(latency: Distribution, marks: Sequence[str]) -> str:
    """`p50 12 ms, p99 80 ms`, those that are known."""
    known = [mark for mark in marks if getattr(latency, mark.replace(".", "")) is not None]
    return ", ".join(f"{mark} {percentile(latency, mark.replace('.', ''))}" for mark in known)
