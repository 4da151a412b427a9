"""Was the measured time warm? The findings of `find_warmth` in words."""

import math
from collections.abc import Iterator

from reports.statistics.model import Model
from reports.statistics.warmup import FELT, HEAVY, Warmth
from reports.text.rounding import about, seconds
from reports.verdicts.load import overloaded
from reports.verdicts.rule import Case


def warmth(model: Model) -> Iterator[Case]:
    """Targets whose beginning differs; else whether the time of all was warm, or what hides it."""
    if not model.overall.committed:
        return
    several = len(model.warmth) > 1
    known = {name: one for name, one in model.warmth.items() if one.enough}
    for name, one in known.items():
        if one.beginnings:
            yield _cold(model, f" on {name}" if several else "", one)
    unsure = [name for name, one in known.items() if not one.beginnings and not one.sure]
    if unsure:
        yield "unsure", {"where": f" on {', '.join(unsure)}" if several else "", "felt": about(FELT)}
    elif not any(one.beginnings for one in known.values()) and len(known) == len(model.warmth):
        yield "warm", {"felt": about(FELT)}
    elif not known and overloaded(model):
        yield "overloaded", {}
    elif not known:
        yield "short", {"needed": str(math.ceil(max(one.needed_s for one in model.warmth.values())))}


def _cold(model: Model, where: str, one: Warmth) -> Case:
    """A beginning that moves the figures, and the `--warmup` that would have cut it off."""
    settled = [beginning for beginning in one.beginnings if beginning.settled]
    early = [f"{b.measure} was {_moved(b.early)}" for b in settled or one.beginnings]
    words = {"where": where, "early": " and ".join(early)}
    if not settled:
        return "unsteady", words
    until_s = max(beginning.until_s for beginning in settled)
    before_s = model.warmup_s if model.run.config.warmup is None else model.run.config.warmup
    whole = [f"{b.measure} {about(abs(b.bias))} too {'high' if b.bias > 0 else 'low'}" for b in settled]
    return "cold" if max(abs(b.bias) for b in settled) >= HEAVY else "cool", {
        **words,
        "until": seconds(until_s),
        "whole": " and ".join(whole),
        "asked": str(math.ceil(before_s + until_s)),
        "had": seconds(before_s) if before_s else "none",
    }


def _moved(share: float) -> str:
    return f"{about(abs(share))} {'higher' if share > 0 else 'lower'}"
