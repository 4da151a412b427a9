"""The answer in words: what the run found, for someone who will read one sentence."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reports.certainty import conflict_rate, percentile
from reports.figures import Figures
from reports.model import Model
from reports.pairs import MIN_PAIRS, TOO_FEW_PAIRS, Comparison, Ratio
from reports.style import about, count, milliseconds, number, percent, plural, seconds

_MOST_NAMED = 3
"""Targets that a sentence names; of more it gives the range, and the table has the rest."""
_MOST_COMPARED = 2
"""Comparisons of targets that a sentence has room for."""
_WORTH_SAYING = 0.01
"""Share of transactions that gave up from which the headline says so."""
_PHRASES = {
    "throughput_tps": "throughput",
    "conflict_rate": "conflict rate",
    "latency_p50_ms": "median latency",
    "latency_p99_ms": "p99 latency",
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
    if model.regions is not None:
        said = [_by_target(model), _key_types_by_target(model), _context(model)]
        return Answer(_targets(model.targets), " ".join(text for text in said if text))
    if model.comparisons:
        said = [_both(model), *map(meaning, model.comparisons), _context(model)]
        return Answer(_compared(model.comparisons), " ".join(text for text in said if text))
    return Answer(_single(model.overall), _context(model))


def _by_target(model: Model) -> str:
    """How the targets differ, where they are few enough to say it in passing."""
    few = model.regions is not None and len(model.regions.comparisons) <= _MOST_COMPARED
    return between_targets(model) if few else ""


def between_targets(model: Model) -> str:
    """Every target against the first."""
    if model.regions is None:
        return ""
    return " ".join(one_comparison(c, "{} compared with {}") for c in model.regions.comparisons)


def _key_types_by_target(model: Model) -> str:
    """How the key types differ on each target, where these are few enough."""
    if len(model.targets) > _MOST_NAMED:
        return ""
    return _compared(model.comparisons)


def _nothing(model: Model) -> str:
    o = model.overall
    kinds = ", ".join(f"{count(n)} {name.replace('_', ' ')}" for name, n in o.outcomes.items())
    return f"{plural(o.attempts, 'attempt')} in {seconds(model.measured_s)}: {kinds}."


def one_in(rate: float, noun: str) -> str:
    """A share of many as a person says it: `1 in 15 attempts`, `nearly half of all attempts`; without
    a noun `1 in 15`, `nearly half`.
    """
    if rate <= 0:
        return f"no {noun.removesuffix('s')}" if noun else "none"
    if 0.45 <= rate < 0.55:
        half = f"{'nearly' if rate < 0.5 else 'about'} half"
        return f"{half} of all {noun}" if noun else half
    if rate >= 0.95:
        share = "nearly all"
    elif rate >= 0.35:
        share = f"{round(rate * 10)} in 10"
    else:
        share = f"1 in {count(round(1 / rate)) if rate > 0.005 else number(1 / rate)}"
    return f"{share} {noun}".rstrip()


def _single(f: Figures) -> str:
    text = f"{capital(_conflicted(f))} at {number(f.throughput_tps)} transactions a second"
    if f.latency.p99 is not None:
        text += f"; 99 in 100 transactions took at most {percentile(f.latency, 'p99')}"
    return f"{text}{_gave_up(f, '; ')}."


def _gave_up(f: Figures, before: str) -> str:
    """The share that gave up, where it is worth a word."""
    if not f.transactions or f.give_ups <= _WORTH_SAYING * f.transactions:
        return ""
    return f"{before}{about(f.give_ups / f.transactions)} gave up"


def _conflicted(f: Figures) -> str:
    """How often attempts conflicted, where a function tried again by itself too."""
    outside = one_in(f.conflict_rate or 0.0, "attempts")
    if f.remote is None or not f.remote.retry_rate:
        return f"{outside} conflicted"
    inside = f"the function tried again in {one_in(f.remote.retry_rate, 'calls')}"
    return f"{inside}, and {outside} conflicted for its caller," if f.conflicts else inside


def _targets(targets: dict[str, Figures]) -> str:
    """Each target by name, or the range where they are too many for one sentence."""
    if len(targets) > _MOST_NAMED:
        return _range(list(targets.values()))
    # What the figures are is said once, if the same can be said of all.
    alike = all(f.conflicts and not (f.remote and f.remote.retry_rate) for f in targets.values())
    said = [
        f"{name}: {_one_target(f, brief=alike and place > 0)}"
        for place, (name, f) in enumerate(targets.items())
    ]
    return f"{'; '.join(said)}."


def _one_target(f: Figures, *, brief: bool) -> str:
    if not f.committed:
        return "nothing was committed"
    if brief:
        text = f"{one_in(f.conflict_rate or 0.0, '')} at {number(f.throughput_tps)}"
    else:
        text = f"{_conflicted(f)} at {number(f.throughput_tps)} transactions a second"
    if f.latency.p99 is not None:
        text += f", p99 {percentile(f.latency, 'p99')}"
    return f"{text}{_gave_up(f, ', ')}"


def _range(figures: list[Figures]) -> str:
    """From the least to the most of several targets, figure by figure."""
    conflicts = _from_to((f.conflict_rate for f in figures), percent)
    speed = _from_to((f.throughput_tps for f in figures), number)
    text = f"{len(figures)} targets: {conflicts} of attempts conflicted at {speed} transactions/s"
    tails = [f.latency.p99 for f in figures if f.latency.p99 is not None]
    if tails:
        text += f", p99 {_from_to(tails, milliseconds)}"
    given_up = [f for f in figures if _gave_up(f, "")]
    if given_up:
        shares = (f.give_ups / f.transactions for f in given_up)
        text += f"; on {len(given_up)} of them {_from_to(shares, about)} gave up"
    return f"{text}."


def _from_to(values: Iterable[float | None], said: Callable[[float], str]) -> str:
    """`2 % to 5 %`, or the one value that all have in words."""
    known = [value for value in values if value is not None]
    ends = [said(min(known, default=0.0)), said(max(known, default=0.0))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _compared(comparisons: list[Comparison]) -> str:
    return " ".join(one_comparison(c) for c in comparisons)


def one_comparison(c: Comparison, subject: str = "{} keys instead of {}") -> str:
    """What differs and what does not, in a sentence or two; `subject` takes the two names."""
    named = subject.format(c.other, c.base)
    if c.target is not None:
        named = f"On {c.target}, {named}"
    judged = [r for r in c.ratios if r.judged]
    if not judged:
        return f"{named}: {_unknown(c)}."
    order = list(_PHRASES)
    different = sorted((r for r in judged if r.differs), key=lambda r: order.index(r.metric))
    same = [_PHRASES[r.metric] for r in judged if not r.differs]
    if not different:
        said = "no difference shown"
        # What could not be compared is not among what was found alike.
        if len(same) < len(c.ratios):
            said += f" in {listed(same)}"
        return f"{named}: {said}."
    text = f"{named}: {listed(_phrases(different))}."
    if same:
        text += f" No difference shown in {listed(same)}."
    return text


def meaning(c: Comparison) -> str:
    """What the comparison of two key types tells someone who has to choose, and how sure it is; empty
    where there is no interval to tell by.
    """
    conflicts, speed = c.of("conflict_rate"), c.of("throughput_tps")
    if not speed.judged:
        return ""
    if conflicts.differs:
        most = c.other if (conflicts.ratio or 1.0) > 1 else c.base
        return (
            "Both met the same accounts in the same order: transactions on "
            f"{most} keys conflicted more because they were open for longer, or more of them ran."
        )
    if any(r.differs for r in c.ratios):
        return _whether_conflicts(c, conflicts)
    text = f"A difference of more than {_missed(speed)} in throughput would have shown"
    if conflicts.judged:
        text += f", and one of more than {_missed(conflicts)} in conflict rate"
    return f"{text}; as far as that, the choice of key did not matter here."


def _whether_conflicts(c: Comparison, conflicts: Ratio) -> str:
    """Whether conflicts can be why something else differs, where their own rates show no difference.

    They cannot where the attempts that may have conflicted more, or less, are too few: less than half
    of the largest difference.
    """
    if conflicts.low is None or conflicts.high is None:
        return ""
    between_ends = f"the ratio of their rates lies between {conflicts.low:.2f} and {conflicts.high:.2f}"
    share = (conflicts.base or 0.0) * _most_missed(conflicts)
    largest = max(abs((r.ratio or 1.0) - 1) for r in c.ratios if r.differs)
    if share < largest / 2:
        return (
            f"Conflicts do not explain the difference: {between_ends}, so they differ by at most "
            f"{about(share)} of attempts."
        )
    return f"Whether conflicts are a part of the reason cannot be told: {between_ends}."


def _most_missed(ratio: Ratio) -> float:
    """How large a difference the interval still holds, as a share."""
    return max(abs((ratio.low or 1.0) - 1), abs((ratio.high or 1.0) - 1))


def _missed(ratio: Ratio) -> str:
    return about(_most_missed(ratio))


def _unknown(c: Comparison) -> str:
    """Why two cannot be told apart, and what would help."""
    if all(r.verdict != TOO_FEW_PAIRS for r in c.ratios):
        return "too few transactions to tell them apart"
    needed = seconds(math.ceil(MIN_PAIRS * c.pair_s))
    if not c.in_blocks:
        return f"too short to tell them apart; measure for at least {needed}"
    return (
        f"{plural(c.pairs, 'pair')} of blocks {'is' if c.pairs == 1 else 'are'} too few for an "
        f"interval; measure for at least {needed}, or use a shorter --block"
    )


def _phrase(ratio: Ratio) -> str:
    name = _PHRASES[ratio.metric]
    value = ratio.ratio or 1.0
    if value >= 2:
        return f"{name} {number(value)} times as high"
    return f"{name} {about(abs(value - 1))} {'higher' if value > 1 else 'lower'}"


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


def listed(parts: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def capital(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def _both(model: Model) -> str:
    sentences = []
    for name, f in model.key_types.items():
        rate = f" ({conflict_rate(f)})" if f.conflicts else ""
        text = (
            f"with {name} keys {_conflicted(f)}{rate}, "
            f"at {number(f.throughput_tps)} transactions a second"
        )
        if f.latency.p50 is not None:
            text += f" and a median of {percentile(f.latency, 'p50')}"
        sentences.append(text)
    return f"{capital('; '.join(sentences))}."


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
    gave_up = count(o.give_ups) if o.give_ups else "none"
    ended = plural(o.transactions, "transaction")
    return f"{', '.join(parts)}; {measured}; {gave_up} of {ended} gave up."
