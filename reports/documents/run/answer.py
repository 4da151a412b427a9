"""The answer in words: what the run found, for someone who will read one sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reports.analysis.figures import Figures
from reports.analysis.shares import FELT
from reports.statistics import certainty
from reports.statistics.certainty import conflict_rate, percentile, share_error
from reports.statistics.model import Model
from reports.statistics.paired.blocks import Comparison
from reports.statistics.paired.sentences import _tests, between_targets, meaning, one_comparison
from reports.text.rounding import about, capital, count, milliseconds, number, percent, plural, seconds
from reports.verdicts.pacing import overloaded, rate_kept, schedule_kept
from reports.verdicts.users import other_users

_MOST_NAMED = 3
"""Targets that a sentence names; of more it gives the range, and the table has the rest."""
_MOST_COMPARED = 2
"""Comparisons of targets that a sentence has room for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline and the few sentences under it."""

    headline: str
    lede: str


def answer(model: Model) -> Answer:
    """What the run found, best known first."""
    if not model.overall.committed:
        return Answer("Nothing was committed.", _nothing(model))
    headline, said = _found(model)
    lede = " ".join(text for text in (*said, _context(model)) if text)
    said_first = (_users(model), _rate(model))
    return Answer(" ".join(text for text in (*said_first, headline) if text), lede)


def _found(model: Model) -> tuple[str, list[str]]:
    """The headline, and the sentences that explain it."""
    if model.regions is not None:
        return _targets(model.targets), [_by_target(model), _key_types_by_target(model)]
    if model.comparisons:
        headline = f"{_compared(model.comparisons)}{_lost_of_each(model)}"
        # What was not done at the rate asked for does not show what the choice of key means at it.
        told = map(_meaning_of(model), model.comparisons) if rate_kept(model) else ()
        return headline, [_both(model), *told]
    return _single(model.overall), []


def _users(model: Model) -> str:
    """That fewer users worked than were asked for: the figures are of those who did."""
    found, asked = other_users(model), model.run.config.users
    if found is None or asked is None or found > asked:
        # More than that are those of a worker that ended, started again on another.
        return ""
    return f"Only {count(found)} of {plural(asked, 'user')} committed anything."


def _rate(model: Model) -> str:
    """That an open loop did not keep its rate: nothing else in the figures is what was asked for."""
    if rate_kept(model):
        return ""
    if not overloaded(model):
        late, scheduled, never = schedule_kept(model)
        share = certainty.counted_share(late + never, scheduled)
        return f"The rate was not kept: {share} of transactions started late."
    return (
        f"The rate was not kept: {certainty.throughput(model.overall)} of "
        f"{number(model.run.config.rate)} transactions a second were committed."
    )


def _lost_of_each(model: Model) -> str:
    """The shares that gave up or failed, of several key types, where they are worth a word and are not
    said as what sets the key types apart.
    """
    said = {one.what for c in model.comparisons for one in c.apart}
    return "".join(
        f" {capital(text)}."
        for what in _LOST
        if what not in said and (text := range_lost(model.key_types.values(), what))
    )


def _by_target(model: Model) -> str:
    """How the targets differ, where they are few enough to say it in passing."""
    few = model.regions is not None and len(model.regions.comparisons) <= _MOST_COMPARED
    return between_targets(model) if few else ""


def _key_types_by_target(model: Model) -> str:
    """How the key types differ on each target, where these are few enough."""
    if len(model.targets) > _MOST_NAMED:
        return ""
    return _compared(model.comparisons)


def _nothing(model: Model) -> str:
    o = model.overall
    kinds = ", ".join(f"{count(n)} {name.replace('_', ' ')}" for name, n in o.outcomes.items())
    return f"{plural(o.attempts, 'attempt')} in {seconds(model.measured_s)}: {kinds}."


def one_in(rate: float, noun: str, error: float = 0.0) -> str:
    """A share of many as a person says it: `1 in 15 attempts`, `nearly half of all attempts`; without
    a noun `1 in 15`, `nearly half`. No digit stands that the rate's standard error leaves no meaning.
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
        # The error of 1 / rate is as large a part of it as that of the rate; whole numbers in any case.
        share = f"1 in {number(round(1 / rate), max(1.0, error / rate**2))}"
    return f"{share} {noun}".rstrip()


def _single(f: Figures) -> str:
    text = f"{capital(_conflicted(f))} at {certainty.throughput(f)} transactions a second"
    if f.latency.p99 is not None:
        text += f"; 99 in 100 transactions took at most {percentile(f.latency, 'p99')}"
    return f"{text}{lost(f, '; ')}."


_LOST: dict[str, Callable[[Figures], int]] = {
    "failed": lambda f: f.failed,
    "were refused": lambda f: f.refused,
    "gave up": lambda f: f.give_ups,
}
"""What transactions can do but commit: in words, and how many did."""


def _is_felt(f: Figures, what: str) -> bool:
    return f.transactions > 0 and _LOST[what](f) >= FELT * f.transactions


def lost(f: Figures, before: str) -> str:
    """The shares of transactions that failed, were refused or gave up, where they are worth a word."""
    return "".join(
        f"{before}{about(hits / f.transactions, share_error(hits, f.transactions))} {what}"
        for what, counted in _LOST.items()
        if _is_felt(f, what) and (hits := counted(f))
    )


def unlike_first(figures: Sequence[Figures]) -> str:
    """What sides of a comparison lost, to be said before anything else: what failed or was refused, and
    what gave up where that differs.
    """
    shares = [f.give_ups / f.transactions for f in figures if f.transactions]
    apart = max(shares, default=0.0) - min(shares, default=0.0) >= FELT
    said = [range_lost(figures, what) for what in _LOST if what != "gave up" or apart]
    return " ".join(f"{capital(text)}." for text in said if text)


def range_lost(figures: Iterable[Figures], what: str) -> str:
    """`2 % to 5 % of transactions gave up`; empty where it is not worth a word."""
    known = [f for f in figures if f.transactions]
    if not any(_is_felt(f, what) for f in known):
        return ""
    return f"{_from_to((_LOST[what](f) / f.transactions for f in known), about)} of transactions {what}"


def _conflicted(f: Figures) -> str:
    """How often attempts conflicted, where a function tried again by itself too."""
    outside = _one_in(f, "attempts")
    if f.remote is None or not f.remote.retry_rate:
        return f"{outside} conflicted"
    inside = f"the function tried again in {one_in(f.remote.retry_rate, 'calls')}"
    return f"{inside}, and {outside} conflicted for its caller," if f.conflicts else inside


def _one_in(f: Figures, noun: str) -> str:
    return one_in(f.conflict_rate or 0.0, noun, share_error(f.conflicts, f.decided))


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
        text = f"{_one_in(f, '')} at {certainty.throughput(f)}"
    else:
        text = f"{_conflicted(f)} at {certainty.throughput(f)} transactions a second"
    if f.latency.p99 is not None:
        text += f", p99 {percentile(f.latency, 'p99')}"
    return f"{text}{lost(f, ', ')}"


def _range(figures: list[Figures]) -> str:
    """From the least to the most of several targets, figure by figure."""
    conflicts = _from_to((f.conflict_rate for f in figures), percent)
    speed = _from_to((f.throughput_tps for f in figures), number)
    text = f"{len(figures)} targets: {conflicts} of attempts conflicted at {speed} transactions/s"
    tails = [f.latency.p99 for f in figures if f.latency.p99 is not None]
    if tails:
        text += f", p99 {_from_to(tails, milliseconds)}"
    for what, counted in _LOST.items():
        felt = [f for f in figures if _is_felt(f, what)]
        if felt:
            shares = (counted(f) / f.transactions for f in felt)
            text += f"; on {len(felt)} of them {_from_to(shares, about)} {what}"
    return f"{text}."


def _from_to(values: Iterable[float | None], said: Callable[[float], str]) -> str:
    """`2 % to 5 %`, or the one value that all have in words."""
    known = [value for value in values if value is not None]
    ends = [said(min(known, default=0.0)), said(max(known, default=0.0))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _compared(comparisons: list[Comparison]) -> str:
    return " ".join(one_comparison(c, tests=_tests(comparisons)) for c in comparisons)


def _meaning_of(model: Model) -> Callable[[Comparison], str]:
    tests = _tests(model.comparisons)
    return lambda c: meaning(c, tests, simulated=model.run.simulated)


def _both(model: Model) -> str:
    sentences = []
    for name, f in model.key_types.items():
        rate = f" ({conflict_rate(f)})" if f.conflicts else ""
        text = (
            f"with {name} keys {_conflicted(f)}{rate}, "
            f"at {certainty.throughput(f)} transactions a second"
        )
        if f.latency.p50 is not None:
            text += f" and a median of {percentile(f.latency, 'p50')}"
        sentences.append(text)
    return f"{capital('; '.join(sentences))}."


def _context(model: Model) -> str:
    run = model.run
    parts = []
    if run.config.users:
        found = other_users(model)
        parts.append(plural(run.config.users if found is None else found, "user"))
    if run.size:
        parts.append(f"{count(run.size)} accounts")
    parts.append(f"{run.config.skew} access")
    measured = f"measured for {seconds(model.measured_s)}"
    if model.warmup_s:
        measured += f" after {seconds(model.warmup_s)} of warm-up"
    o = model.overall
    gave_up = count(o.give_ups) if o.give_ups else "none"
    ended = plural(o.transactions, "transaction")
    others = "".join(
        f", {count(counted(o))} {what}"
        for what, counted in _LOST.items()
        if what != "gave up" and counted(o)
    )
    return f"{', '.join(parts)}; {measured}; {gave_up} of {ended} gave up{others}."
