"""Was the measured time warm? The findings of `warmup_check` in words."""

import math

from reports.statistics.model import Model
from reports.statistics.warmup import FELT, HEAVY, Warmth
from reports.text.rounding import THIN, about, seconds
from reports.text.verdict import Verdict
from reports.verdicts.pacing import overloaded


def warmup_verdicts(model: Model) -> list[Verdict]:
    """Whether the measured time still held a part of the warm-up."""
    named = len(model.warmth) > 1
    warm: list[str] = []
    unsure: list[str] = []
    found: list[Verdict] = []
    for name, warmth in model.warmth.items():
        where = f" on {name}" if named else ""
        if warmth.told and not warmth.beginnings:
            (warm if warmth.sure else unsure).append(name)
        elif warmth.told:
            found.append(_cold(model, where, warmth))
    if len(warm) == len(model.warmth):
        text = (
            "The measured time was warm: without its first quarter throughput and latency would change "
            f"by less than {about(FELT)} (95{THIN}%)."
        )
        found.append(Verdict("warm-up", "good", text))
    elif unsure:
        where = f" on {', '.join(unsure)}" if named else ""
        text = (
            f"Whether the measured time was warm{where} cannot be told: no beginning was found that "
            "differs, but the time is too uneven or too short to exclude one that moves throughput or "
            f"latency by {about(FELT)}."
        )
        found.append(Verdict("warm-up", "note", text))
    elif not found and not warm and overloaded(model):
        text = (
            "Whether the measured time was warm cannot be told: the rate was not kept, so what waits "
            "grows for as long as the run lasts, and a longer one would not settle either."
        )
        found.append(Verdict("warm-up", "note", text))
    elif not found and not warm:
        needed = max(warmth.needed_s for warmth in model.warmth.values())
        text = (
            "The run was too short to tell whether it was warm when measuring began; measure for at "
            f"least {math.ceil(needed)}{THIN}s."
        )
        found.append(Verdict("warm-up", "note", text))
    return found


def _cold(model: Model, where: str, warmth: Warmth) -> Verdict:
    """A beginning that moves the figures, and the `--warmup` that would have cut it off."""
    settled = [one for one in warmth.beginnings if one.settled]
    if not settled:
        said = " and ".join(f"{one.measure} {_moved(one.early)}" for one in warmth.beginnings)
        return Verdict(
            "warm-up",
            "note",
            f"Not steady{where}: {said} in the first half of the measured time than in the second. "
            "A longer warm-up does not cut that off; see the charts over time, and measure for longer.",
        )
    until_s = max(one.until_s for one in settled)
    asked = model.run.config.warmup
    before_s = model.warmup_s if asked is None else asked
    early = " and ".join(f"{one.measure} was {_moved(one.early)}" for one in settled)
    whole = " and ".join(
        f"the {one.measure} of the run {about(abs(one.bias))} too {'high' if one.bias > 0 else 'low'}"
        for one in settled
    )
    suffices = f"`--warmup {math.ceil(before_s + until_s)}s`"
    heavy = max(abs(one.bias) for one in settled) >= HEAVY
    return Verdict(
        "warm-up",
        "bad" if heavy else "note",
        f"Still warming up{where} when measuring began: in the first {seconds(until_s)} {early} than "
        f"later, which makes {whole}. {suffices} would have cut that off; the run had "
        f"{seconds(before_s) if before_s else 'none'}.",
    )


def _moved(share: float) -> str:
    return f"{about(abs(share))} {'higher' if share > 0 else 'lower'}"
