"""The answer in words: what the run found, for someone who will read one sentence."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reports.analysis.figures import Figures
from reports.analysis.shares import FELT
from reports.statistics import certainty
from reports.statistics.certainty import conflict_rate, percentile, share_error
from reports.statistics.model import Model
from reports.statistics.paired.sentences import between_key_types, between_targets, meaning
from reports.text.rounding import about, capital, count, milliseconds, number, percent, plural, seconds
from reports.verdicts.load import other_users, overloaded, rate_kept, schedule_kept

_MOST_NAMED = 3
"""Targets that a sentence names; of more it gives the range, and the table has the rest."""
_LOST: dict[str, Callable[[Figures], int]] = {
    "failed": lambda f: f.failed,
    "were refused": lambda f: f.refused,
    "gave up": lambda f: f.give_ups,
}
"""What transactions can do but commit: in words, and how many did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A headline and the few sentences under it."""

    headline: str
    lede: str


def answer(model: Model) -> Answer:
    """What the run found, best known first; what makes it the answer to another question before it."""
    whole = model.overall
    if not whole.committed:
        kinds = ", ".join(f"{count(n)} {name.replace('_', ' ')}" for name, n in whole.outcomes.items())
        attempts = f"{plural(whole.attempts, 'attempt')} in {seconds(model.measured_s)}"
        return Answer("Nothing was committed.", f"{attempts}: {kinds}.")
    sentences: list[str] = []
    if model.regions is not None:
        headline = _targets(model.targets)
        if len(model.targets) <= _MOST_NAMED:
            sentences = [between_targets(model), between_key_types(model)]
    elif model.comparisons:
        headline = f"{between_key_types(model)}{_lost_by_key_type(model)}"
        sentences = [_by_key_type(model)]
        if rate_kept(model):
            # What was not done at the rate asked for does not show what the choice of key means at it.
            sentences += [meaning(c, simulated=model.run.simulated) for c in model.comparisons]
    else:
        headline = f"{capital(_at_speed(whole))}{lost(whole, '; ')}."
    return Answer(_joined(_users(model), _rate(model), headline), _joined(*sentences, _context(model)))


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _users(model: Model) -> str:
    """That fewer users worked than were asked for: the figures are of those who did."""
    working, asked = other_users(model), model.run.config.users
    if working is None or asked is None or working > asked:
        # More than that are those of a worker that ended, started again on another.
        return ""
    return f"Only {count(working)} of {plural(asked, 'user')} committed anything."


def _rate(model: Model) -> str:
    """That an open loop did not keep its rate: nothing else in the figures is what was asked for."""
    if rate_kept(model):
        return ""
    if overloaded(model):
        done, asked = certainty.throughput(model.overall), number(model.run.config.rate)
        return f"The rate was not kept: {done} of {asked} transactions a second were committed."
    late, scheduled, never = schedule_kept(model)
    share = certainty.counted_share(late + never, scheduled)
    return f"The rate was not kept: {share} of transactions started late."


# ------------------------------------------------------------------ how often, how fast


def one_in(rate: float, noun: str, error: float = 0.0) -> str:
    """A share of many as a person says it: `1 in 15 attempts`, `nearly half of all attempts`. No digit
    stands that the rate's standard error leaves no meaning.
    """
    if rate <= 0:
        return f"no {noun.removesuffix('s')}"
    if 0.45 <= rate < 0.55:
        return f"{'nearly' if rate < 0.5 else 'about'} half of all {noun}"
    if rate >= 0.95:
        return f"nearly all {noun}"
    if rate >= 0.35:
        return f"{round(rate * 10)} in 10 {noun}"
    # The error of 1 / rate is as large a part of it as that of the rate; whole numbers in any case.
    return f"1 in {number(round(1 / rate), max(1.0, error / rate**2))} {noun}"


def _conflicted(f: Figures) -> str:
    """How often attempts conflicted, where a function tried again by itself too."""
    outside = one_in(f.conflict_rate or 0.0, "attempts", share_error(f.conflicts, f.decided))
    if f.remote is None or not f.remote.retry_rate:
        return f"{outside} conflicted"
    inside = f"the function tried again in {one_in(f.remote.retry_rate, 'calls')}"
    return f"{inside}, and {outside} conflicted for its caller," if f.conflicts else inside


def _at_speed(f: Figures) -> str:
    """`1 in 15 attempts conflicted at 1,200 transactions a second, p99 12 ms`."""
    if not f.committed:
        return "nothing was committed"
    text = f"{_conflicted(f)} at {certainty.throughput(f)} transactions a second"
    return text if f.latency.p99 is None else f"{text}, p99 {percentile(f.latency, 'p99')}"


def _targets(targets: dict[str, Figures]) -> str:
    """Each target by name, or from the least to the most where they are too many for one sentence."""
    if len(targets) <= _MOST_NAMED:
        parts = [
            f"{name}: {_at_speed(f)}{lost(f, ', ') if f.committed else ''}"
            for name, f in targets.items()
        ]
        return f"{'; '.join(parts)}."
    figures = list(targets.values())
    conflicts = _from_to((f.conflict_rate for f in figures), percent)
    speed = _from_to((f.throughput_tps for f in figures), number)
    text = (
        f"{len(figures)} targets: {conflicts} of attempts conflicted at {speed} transactions a second"
    )
    if any(f.latency.p99 is not None for f in figures):
        text += f", p99 {_from_to((f.latency.p99 for f in figures), milliseconds)}"
    shares = [range_lost(figures, what) for what in _LOST]
    return f"{'; '.join([text, *filter(None, shares)])}."


def _by_key_type(model: Model) -> str:
    """How often and how fast, of each key type."""
    parts = []
    for name, f in model.key_types.items():
        rate = f" ({conflict_rate(f)})" if f.conflicts else ""
        text = (
            f"with {name} keys {_conflicted(f)}{rate}, "
            f"at {certainty.throughput(f)} transactions a second"
        )
        if f.latency.p50 is not None:
            text += f" and a median of {percentile(f.latency, 'p50')}"
        parts.append(text)
    return f"{capital('; '.join(parts))}."


# ------------------------------------------------------------------ what did not commit


def _is_felt(f: Figures, what: str) -> bool:
    return f.transactions > 0 and _LOST[what](f) >= FELT * f.transactions


def lost(f: Figures, before: str) -> str:
    """The shares of transactions that failed, were refused or gave up, where they are worth a word."""
    return "".join(
        f"{before}{about(hits / f.transactions, share_error(hits, f.transactions))} {what}"
        for what, counted in _LOST.items()
        if _is_felt(f, what) and (hits := counted(f))
    )


def _lost_by_key_type(model: Model) -> str:
    """The same of several key types, where it is not said already as what sets them apart."""
    apart = {one.what for c in model.comparisons for one in c.apart}
    shares = [range_lost(model.key_types.values(), what) for what in _LOST if what not in apart]
    return "".join(f" {capital(text)}." for text in shares if text)


def unlike_first(figures: Sequence[Figures]) -> str:
    """What sides of a comparison lost, to be said before anything else: what failed or was refused, and
    what gave up where that differs.
    """
    shares = [f.give_ups / f.transactions for f in figures if f.transactions]
    apart = max(shares, default=0.0) - min(shares, default=0.0) >= FELT
    texts = [range_lost(figures, what) for what in _LOST if what != "gave up" or apart]
    return _joined(*(f"{capital(text)}." for text in texts if text))


def range_lost(figures: Iterable[Figures], what: str) -> str:
    """`2 % to 5 % of transactions gave up`; empty where it is not worth a word."""
    known = [f for f in figures if f.transactions]
    if not any(_is_felt(f, what) for f in known):
        return ""
    return f"{_from_to((_LOST[what](f) / f.transactions for f in known), about)} of transactions {what}"


def _from_to(values: Iterable[float | None], text: Callable[[float], str]) -> str:
    """`2 % to 5 %`, or the one value that all have in words."""
    known = [value for value in values if value is not None]
    ends = [text(min(known, default=0.0)), text(max(known, default=0.0))]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _context(model: Model) -> str:
    """Under which load, for how long, and how many transactions did not commit."""
    run, whole, parts = model.run, model.overall, []
    if run.config.users:
        working = other_users(model)
        parts.append(plural(run.config.users if working is None else working, "user"))
    if run.size:
        parts.append(f"{count(run.size)} accounts")
    parts.append(f"{run.config.skew} access")
    measured = f"measured for {seconds(model.measured_s)}"
    if model.warmup_s:
        measured += f" after {seconds(model.warmup_s)} of warm-up"
    gave_up = count(whole.give_ups) if whole.give_ups else "none"
    fates = [f"{gave_up} of {plural(whole.transactions, 'transaction')} gave up"]
    fates += [f"{count(n)} {what}" for what in ("failed", "were refused") if (n := _LOST[what](whole))]
    return f"{', '.join(parts)}; {measured}; {', '.join(fates)}."
