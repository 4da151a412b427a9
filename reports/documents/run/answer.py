"""The answer of a run in words, for someone who will read one sentence."""

from reports.documents.answer import FATES, MOST_NAMED, Answer, each, lost, measured, sentences
from reports.statistics import certainty
from reports.statistics.model import Model
from reports.statistics.paired.sentences import between_key_types, between_targets, meaning
from reports.text.rounding import capital, count, number, plural, seconds
from reports.verdicts.load import other_users, overloaded, rate_kept, schedule_kept


def answer(model: Model) -> Answer:
    """What the run found, best known first; what makes it the answer to another question before it."""
    whole = model.overall
    if not whole.committed:
        kinds = ", ".join(f"{count(n)} {name.replace('_', ' ')}" for name, n in whole.outcomes.items())
        attempts = f"{plural(whole.attempts, 'attempt')} in {seconds(model.measured_s)}"
        return Answer("Nothing was committed.", f"{attempts}: {kinds}.")
    lede: list[str] = []
    if model.regions is not None:
        every = list(model.targets.values())
        if len(every) <= MOST_NAMED:
            headline = f"{each(model.targets)}."
            lede = [between_targets(model), between_key_types(model)]
        else:
            headline = f"{'; '.join([f'{len(every)} targets: {measured(every)}', *lost(every)])}."
    elif model.comparisons:
        apart = {one.what for c in model.comparisons for one in c.apart}
        fates = lost(model.key_types.values(), [fate for fate in FATES if fate not in apart])
        headline = sentences(between_key_types(model), *(f"{capital(text)}." for text in fates))
        lede = [f"{each(model.key_types)}."]
        if rate_kept(model):
            # What was not done at the rate asked for does not show what the choice of key means at it.
            lede += [meaning(c, simulated=model.run.simulated) for c in model.comparisons]
    else:
        headline = f"{capital('; '.join([measured([whole]), *lost([whole])]))}."
    return Answer(sentences(_users(model), _rate(model), headline), sentences(*lede, _context(model)))


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


def _context(model: Model) -> str:
    """Under which load, for how long, and how many transactions did not commit."""
    run, whole, working = model.run, model.overall, other_users(model)
    users = run.config.users if working is None else working
    load = [
        plural(users, "user") if run.config.users and users is not None else "",
        f"{count(run.size)} accounts" if run.size else "",
        f"{run.config.skew} access",
    ]
    warmup = f" after {seconds(model.warmup_s)} of warm-up" if model.warmup_s else ""
    gave_up = count(whole.give_ups) if whole.give_ups else "none"
    fates = [
        f"{gave_up} of {plural(whole.transactions, 'transaction')} gave up",
        *(f"{count(n)} {fate}" for fate in ("failed", "were refused") if (n := FATES[fate](whole))),
    ]
    texts = ", ".join(filter(None, load)), f"measured for {seconds(model.measured_s)}{warmup}"
    return f"{'; '.join([*texts, ', '.join(fates)])}."
