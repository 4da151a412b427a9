"""What a reader must know before believing a sweep's figures: the conditions of the rules."""

from collections.abc import Iterator, Sequence
from statistics import median

from loadtest.record.sweep import Point
from reports.statistics.prediction.band import side_of_band
from reports.statistics.sweep.study import Study, setting
from reports.text.rounding import about, count, plural
from reports.verdicts.rule import Case, where

_MOST_NAMED = 3


def points(study: Study) -> Iterator[Case]:
    """Points without figures, by why they have none; or that there are none."""
    failed, pending, unreadable = study.sweep.failed, study.sweep.pending, study.unreadable
    planned = count(len(study.sweep.points))
    if failed:
        reasons = list(dict.fromkeys(p.reason for p in failed if p.reason))[:_MOST_NAMED]
        at = f"{len(failed)} of {planned} points ({_named(study, failed)})"
        yield "failed", {"at": at, "why": "; ".join(reasons) or "no reason is known"}
    if pending:
        yield "pending", {"at": f"{len(pending)} of {planned} points"}
    if unreadable:
        why = next(iter(unreadable.values()))
        yield "unreadable", {"at": plural(len(unreadable), "point"), "why": why}
    if not (failed or pending or unreadable):
        how = "computed" if study.simulated else "measured, in random order"
        yield "whole", {"planned": planned, "how": how}


def at_points(study: Study, chosen: Sequence[tuple[Point, float]], case: str = "then") -> list[Case]:
    """These points, with the largest of their shares."""
    most = about(max((share for _, share in chosen), default=0.0))
    named = _named(study, [point for point, _ in chosen])
    return where(chosen, case, at=plural(len(chosen), "point"), points=named, most=most)


def invariant(study: Study) -> list[Case]:
    """Whether the invariant held wherever it was checked."""
    if study.simulated:
        return where(True, "simulated")
    broken = [(point, 0.0) for point, f in study.reported if f.invariant_holds is False]
    holds = all(figures.invariant_holds for figures in study.figures.values())
    return at_points(study, broken, "broken") or where(holds, "holds")


def generator(study: Study) -> list[Case]:
    """Whether the load generator was the limit anywhere."""
    limited = [(point, 0.0) for point, f in study.reported if f.generator_was_limit]
    free = all(figures.generator_was_limit is False for figures in study.figures.values())
    return at_points(study, limited, "limit") or where(free and not study.simulated, "free")


def rate(study: Study) -> list[Case]:
    """Points at which an open loop did not keep its rate."""
    return at_points(study, [(point, 0.0) for point, f in study.reported if not f.rate_kept])


def band(study: Study) -> list[Case]:
    """How many conflict rates lie in the band of their own run, and where the others lie."""
    runs = [run for curve in study.curves for place in curve.places for run in place.runs]
    sides = [side for run in runs if (side := side_of_band(run))]
    above, below = sides.count("above"), sides.count("below")
    rest = [f"{n} {side} it" for side, n in (("above", above), ("below", below)) if n]
    within = f"{len(sides) - above - below} of {plural(len(sides), 'measurement')}"
    return where(sides, "out" if rest else "inside", within=within, rest=" and ".join(rest))


def repeats(study: Study) -> list[Case]:
    """How far the repeats of a point lie apart, if there are any."""
    if all(curve.measured_once for curve in study.curves):
        return where(True, "once")
    apart = sorted(
        (max(values) - min(values)) / max(median(values), 1e-12)
        for curve in study.curves
        for place in curve.places
        if len(values := place.all("throughput_tps")) > 1
    )
    usual, most = (apart[len(apart) // 2], apart[-1]) if apart else (0.0, 0.0)
    return where(apart, "several", usual=about(usual), most=about(most))


def _named(study: Study, points: Sequence[Point]) -> str:
    axes = study.sweep.axes
    settings = (", ".join(setting(axis, p.values[axis.name]) for axis in axes) for p in points)
    names = list(dict.fromkeys(settings))
    more = len(names) - _MOST_NAMED
    return "; ".join(names[:_MOST_NAMED]) + (f"; and {count(more)} more" if more > 0 else "")
