"""The answer in words: what the run found, for someone who will read one sentence."""

from dataclasses import dataclass, replace

from reports.figures import Figures
from reports.model import Model
from reports.pairs import NOT_COMPARABLE, TOO_FEW_PAIRS, Comparison, Ratio
from reports.style import about, count, milliseconds, number, percent, plural, seconds

_MOST_COMPARED = 2
"""Of targets: the table by target has the rest."""
_PHRASES = {
    "throughput_tps": ("throughput", "higher", "lower"),
    "conflict_rate": ("conflicts", "more frequent", "rarer"),
    "latency_p50_ms": ("median latency", "higher", "lower"),
    "latency_p99_ms": ("p99 latency", "higher", "lower"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline and the few sentences under it."""

    headline: str
    lede: str


def answer(model: Model) -> Answer:
    """What the run found, best known first."""
    if not model.overall.committed:
        return Answer("Nothing was committed.", _nothing(model))
    if model.comparisons:
        return Answer(_compared(model.comparisons), f"{_both(model)}{_by_target(model)}")
    return Answer(_single(model.overall), f"{_context(model)}{_by_target(model)}")


def _by_target(model: Model) -> str:
    """How the targets differ, where they are few enough to say it in passing."""
    few = model.regions is not None and len(model.regions.comparisons) <= _MOST_COMPARED
    return f" {between_targets(model)}" if few else ""


def between_targets(model: Model) -> str:
    """Every target against the first. Throughput is left to the table where the targets had different
    numbers of users, for it follows them.
    """
    if model.regions is None:
        return ""
    sentences = []
    users = model.regions.users
    for c in model.regions.comparisons:
        alike = users.get(c.base) == users.get(c.other)
        said = tuple(r for r in c.ratios if alike or r.metric != "throughput_tps")
        sentences.append(one_comparison(replace(c, ratios=said), "{} compared with {}"))
    return " ".join(sentences)


def _nothing(model: Model) -> str:
    o = model.overall
    kinds = ", ".join(f"{count(n)} {name.replace('_', ' ')}" for name, n in o.outcomes.items())
    return f"{plural(o.attempts, 'attempt')} in {seconds(model.measured_s)}: {kinds}."


def one_in(rate: float) -> str:
    """A rate as a person says it: `1 in 15`, `none`, `nearly all`."""
    if rate <= 0:
        return "none"
    if rate > 0.95:
        return "nearly all"
    if rate > 0.4:
        return f"{round(rate * 10)} in 10"
    return f"1 in {count(round(1 / rate)) if rate > 0.005 else number(1 / rate)}"


def _single(f: Figures) -> str:
    said = _conflicted(f)
    text = f"{said[:1].upper()}{said[1:]} at {number(f.throughput_tps)} transactions a second"
    if f.latency.p99 is not None:
        text += f"; 99 in 100 of these took at most {milliseconds(f.latency.p99)}"
    return f"{text}."


def _conflicted(f: Figures) -> str:
    """How often attempts conflicted, where a function tried again by itself too."""
    outside = f"{one_in(f.conflict_rate or 0.0)} attempts" if f.conflicts else "no attempt"
    if f.remote is None or not f.remote.retry_rate:
        return f"{outside} conflicted"
    inside = f"the function tried again in {one_in(f.remote.retry_rate)} calls"
    return f"{inside}, and {outside} conflicted for its caller," if f.conflicts else inside


def _compared(comparisons: list[Comparison]) -> str:
    return " ".join(one_comparison(c) for c in comparisons)


def one_comparison(c: Comparison, subject: str = "{} keys instead of {}") -> str:
    """What differs and what does not, in a sentence or two; `subject` takes the two names."""
    judged = [r for r in c.ratios if r.verdict not in (TOO_FEW_PAIRS, NOT_COMPARABLE)]
    if not judged:
        return f"{c.other} against {c.base}: too little data to tell them apart."
    order = list(_PHRASES)
    different = sorted((r for r in judged if r.differs), key=lambda r: order.index(r.metric))
    if not different:
        return f"{subject.format(c.other, c.base)}: no difference shown."
    text = f"{subject.format(c.other, c.base)}: {_listed(_phrases(different))}."
    same = [_PHRASES[r.metric][0] for r in judged if not r.differs]
    if same:
        text += f" No difference shown in {_listed(same)}."
    return text


def _phrase(ratio: Ratio) -> str:
    name, more, less = _PHRASES[ratio.metric]
    value = ratio.ratio or 1.0
    if value >= 2:
        return f"{name} {number(value)} times as {'frequent' if more == 'more frequent' else 'high'}"
    return f"{name} {about(abs(value - 1))} {more if value > 1 else less}"


def _phrases(different: list[Ratio]) -> list[str]:
    """Each difference in a few words; two latencies that moved the same way share a phrase."""
    found = {r.metric: r for r in different}
    median, tail = found.get("latency_p50_ms"), found.get("latency_p99_ms")
    phrases = [_phrase(r) for r in different]
    if median and tail and median.ratio and tail.ratio:
        changes = median.ratio - 1, tail.ratio - 1
        if changes[0] * changes[1] > 0 and max(median.ratio, tail.ratio) < 2:
            way = "higher" if changes[0] > 0 else "lower"
            phrases[-2:] = [f"latency {about(abs(changes[0]))} {way} (p99 {about(abs(changes[1]))})"]
    return phrases


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _both(model: Model) -> str:
    sentences = []
    for name, f in model.key_types.items():
        rate = f" ({percent(f.conflict_rate or 0.0)})" if f.conflicts else ""
        text = (
            f"with {name} keys {_conflicted(f)}{rate}, "
            f"at {number(f.throughput_tps)} transactions a second"
        )
        if f.latency.p50 is not None:
            text += f" and a median of {milliseconds(f.latency.p50)}"
        sentences.append(text)
    text = "; ".join(sentences)
    return f"{text[:1].upper()}{text[1:]}. {_context(model)}"


def _context(model: Model) -> str:
    run = model.run
    parts = []
    if run.config.users:
        parts.append(plural(run.config.users, "user"))
    if run.size:
        parts.append(f"{count(run.size)} accounts")
    parts.append(f"{run.config.skew} access")
    measured = f"measured for {seconds(model.measured_s)}"
    if model.warmup_s:
        measured += f" after {seconds(model.warmup_s)} of warm-up"
    o = model.overall
    gave_up = f"{plural(o.give_ups, 'transaction')} gave up" if o.give_ups else "no transaction gave up"
    return f"{', '.join(parts)}; {measured}; {gave_up} of {count(o.transactions)}."
