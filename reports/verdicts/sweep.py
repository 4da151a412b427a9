"""What a reader must know before believing a sweep's figures."""

import math
from collections.abc import Iterator, Sequence

from loadtest.record.sweep import Point
from reports.statistics.sweep.measured import Measured
from reports.statistics.sweep.study import Study, failing, refusing, setting
from reports.text.rounding import about, count, plural
from reports.text.verdict import Verdict

_MOST_NAMED = 3
_BAND_ALLOWANCE = 0.1
"""The formula's own accuracy, as docs/methodology.md says of the band."""


def verdicts(study: Study) -> list[Verdict]:
    """The lines, bad news first."""
    found = [
        *_missing(study),
        *_broken(study),
        *_failed(study),
        *_limits(study),
        *_band(study),
        *_spread(study),
    ]
    return sorted(found, key=lambda note: ("bad", "note", "good").index(note.state))


def attention(study: Study) -> tuple[str, ...]:
    """The bad news alone, for the terminal."""
    return tuple(note.text for note in verdicts(study) if note.state == "bad")


def _missing(study: Study) -> Iterator[Verdict]:
    sweep, planned = study.sweep, len(study.sweep.points)
    if sweep.failed:
        reasons = list(dict.fromkeys(p.reason for p in sweep.failed if p.reason))[:_MOST_NAMED]
        yield Verdict(
            "points",
            "bad",
            f"Failed and left out: {len(sweep.failed)} of {planned} points "
            f"({_named(study, sweep.failed)}): {'; '.join(reasons) or 'no reason is known'}.",
        )
    if sweep.pending:
        yield Verdict(
            "points",
            "bad",
            f"Not measured yet: {len(sweep.pending)} of {planned} points; "
            "`occbench sweep --resume` goes on with them.",
        )
    if study.unreadable:
        first = next(iter(study.unreadable.values()))
        yield Verdict(
            "points", "bad", f"{plural(len(study.unreadable), 'point')} could not be read: {first}."
        )
    if not (sweep.failed or sweep.pending or study.unreadable):
        how = "computed" if study.simulated else "measured, in random order"
        yield Verdict("points", "good", f"All {planned} points were {how}.")


def _broken(study: Study) -> Iterator[Verdict]:
    broken = [p for p, figures in study.reported if figures.invariant_holds is False]
    if broken:
        yield Verdict(
            "invariant",
            "bad",
            f"The invariant was broken at {plural(len(broken), 'point')} ({_named(study, broken)}): "
            "the database did not keep its promise there; each point's own report says how.",
        )
    elif all(f.invariant_holds for f in study.figures.values()) and not study.simulated:
        yield Verdict("invariant", "good", "The invariant held at every point.")
    if study.simulated:
        yield Verdict(
            "invariant", "note", "Simulated: no database was there, and nothing was measured."
        )


def _failed(study: Study) -> Iterator[Verdict]:
    found = failing(study)
    if found:
        most = max(share for _, share in found)
        yield Verdict(
            "failures",
            "bad",
            f"At {plural(len(found), 'point')} up to {about(most)} of transactions failed "
            f"({_named(study, [point for point, _ in found])}): what is left there is of another load "
            "than at the others, and no law is fitted to it.",
        )
    if refused := refusing(study):
        most = max(share for _, share in refused)
        yield Verdict(
            "refused",
            "note",
            f"At {plural(len(refused), 'point')} up to {about(most)} of transactions were refused by "
            f"the scenario's own rule ({_named(study, [point for point, _ in refused])}): latency and "
            "rates are those of the others.",
        )


def _limits(study: Study) -> Iterator[Verdict]:
    limited = [p for p, figures in study.reported if figures.generator_was_limit]
    if limited:
        yield Verdict(
            "generator",
            "bad",
            f"At {plural(len(limited), 'point')} the load generator was the limit, not the database "
            f"({_named(study, limited)}); they are drawn hollow, and a knee there is the generator's.",
        )
    elif not study.simulated and all(f.generator_was_limit is False for f in study.figures.values()):
        yield Verdict("generator", "good", "The load generator was at no point the limit.")
    behind = [p for p, figures in study.reported if not figures.rate_kept]
    if behind:
        yield Verdict(
            "rate",
            "note",
            f"At {plural(len(behind), 'point')} the rate was not kept ({_named(study, behind)}): more "
            "was asked for than could be started, and the true latencies are worse than those shown.",
        )
    if study.axis.name == "users" and study.sweep.config.rate is None:
        yield Verdict(
            "loop",
            "note",
            "Users wait for their answers (a closed loop), so a stall is measured once for each user "
            "and not for each transaction that would have come: sweep `--rate` to see latencies as "
            "independent arrivals would.",
        )


def _band(study: Study) -> Iterator[Verdict]:
    runs = [run for curve in study.curves for place in curve.places for run in place.runs]
    judged = [run for run in runs if run.predicted_low is not None and run.decided]
    if not judged:
        return
    sides = [_side(run) for run in judged]
    within = sides.count(0)
    text = (
        f"The conflict rate lay within the predicted band of its own run in {within} of "
        f"{plural(len(judged), 'measurement')}"
    )
    if within == len(judged):
        yield Verdict("prediction", "good", f"{text}.")
        return
    above, below = sides.count(1), sides.count(-1)
    parts = [f"{n} {word}" for n, word in ((above, "above it"), (below, "below it")) if n]
    yield Verdict(
        "prediction", "note", f"{text}; {' and '.join(parts)}. Each point's own report says more."
    )


def _side(run: Measured) -> int:
    """1 above the band, −1 below, 0 within, with the allowances of docs/methodology.md."""
    low, high, rate = run.predicted_low or 0.0, run.predicted_high or 0.0, run.conflict_rate or 0.0
    n = run.decided

    def chance(expected: float) -> float:
        return (3 * math.sqrt(max(expected * (1 - expected), 0.0) * n) + 1) / n

    if rate > high * (1 + _BAND_ALLOWANCE) + chance(high):
        return 1
    return -1 if rate < low * (1 - _BAND_ALLOWANCE) - chance(low) else 0


def _spread(study: Study) -> Iterator[Verdict]:
    most = max((len(place.runs) for curve in study.curves for place in curve.places), default=1)
    if most == 1:
        yield Verdict(
            "repeats",
            "note",
            "Each point was measured once, so how far two runs of it lie apart is not known; "
            "`--repeats 3` would show it.",
        )
        return
    apart = [
        (max(values) - min(values)) / max(middle, 1e-12)
        for curve in study.curves
        for place in curve.places
        if len(values := place.all("throughput_tps")) > 1
        and (middle := place.middle("throughput_tps")) is not None
    ]
    if apart:
        usual = sorted(apart)[len(apart) // 2]
        yield Verdict(
            "repeats",
            "note",
            f"Repeats of a point lie {about(usual)} apart in throughput as a rule, and at most "
            f"{about(max(apart))}.",
        )


def _named(study: Study, points: Sequence[Point]) -> str:
    """Which points, by their settings, a few of them."""
    names = list(
        dict.fromkeys(
            ", ".join(setting(axis, p.values[axis.name]) for axis in study.sweep.axes) for p in points
        )
    )
    more = len(names) - _MOST_NAMED
    return "; ".join(names[:_MOST_NAMED]) + (f"; and {count(more)} more" if more > 0 else "")
