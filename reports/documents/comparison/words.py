"""A comparison in words: changes with as many digits as are certain, the answer, what to know."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Literal

from reports.analysis.reading.run_file import Run
from reports.statistics.comparison.changes import change, figure, interval, slice_name
from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Effect, Verdict
from reports.statistics.comparison.metrics import JUDGED, METRICS, Metric
from reports.text.rounding import THIN, about, count, milliseconds, number, plural, seconds
from reports.text.table import Cell, Row, Table, of_texts
from reports.verdicts.run import CPU_NEAR_FULL

State = Literal["good", "bad", "note"]
"""As in reports.documents.document, which needs the charts."""

_MOST_NAMED, _MOST_WITH_TARGETS = 3, 2
"""Figures named in the headline, and slices of each; names with a target are longer."""
_DISTURBANCE = 0.2
"""Lateness of the tool's event loop that differs by more than this share of the median latency."""


def headline(comparison: RunComparison) -> str:
    """The answer in one sentence."""
    judged = [e for e in comparison.effects if e.verdict is not Verdict.TOO_LITTLE]
    if not judged:
        return "Too little data: NEW and BASE cannot be compared"
    # Whether the load was alike comes first: without that nothing else can be called better.
    unlike = comparison.unlike
    first = (
        f"Not the same share of transactions {_fates(unlike)}: {_named(comparison, unlike)}. "
        if unlike
        else ""
    )
    parts = [
        f"{verdict} in {len(found)} of {plural(len(judged), 'figure')}: {_named(comparison, found)}"
        for verdict in (Verdict.WORSE, Verdict.BETTER, Verdict.DIFFERS)
        if (found := [e for e in comparison.of(verdict) if e not in unlike])
    ]
    if first:
        return f"{first}NEW is {'; '.join(parts)}" if parts else first.rstrip(". ")
    if not parts:
        return f"No difference shown between NEW and BASE in {plural(len(judged), 'figure')}"
    return f"NEW is {'; '.join(parts)}"


def _fates(unlike: Sequence[Effect]) -> str:
    keys = dict.fromkeys(e.metric.key for e in unlike)
    return " or ".join("gave up" if key == "give_ups" else "failed" for key in keys)


def _named(comparison: RunComparison, found: Sequence[Effect]) -> str:
    """The figures that differ, the first few by name."""
    named = []
    most = _MOST_WITH_TARGETS if comparison.several_targets else _MOST_NAMED
    one_slice = len(comparison.slices) == 1
    groups = [
        (metric, list(effects)) for metric, effects in groupby(_by_metric(found), lambda e: e.metric)
    ]
    for metric, effects in groups[:most]:
        effects.sort(key=lambda e: -abs(e.change or 0.0))
        if one_slice:
            named.append(f"{metric.name} {change(effects[0])}")
            continue
        each = [f"{slice_name(comparison, e.slice)} {change(e)}" for e in effects[:most]]
        if (rest := len(effects) - most) > 0:
            each.append(f"{rest} more")
        named.append(f"{metric.name} ({', '.join(each)})")
    if rest := sum(len(effects) for _, effects in groups[most:]):
        named.append(plural(rest, "other"))
    return ", ".join(named)


def _by_metric(effects: Iterable[Effect]) -> list[Effect]:
    order = {metric.key: place for place, metric in enumerate(JUDGED)}
    return sorted(effects, key=lambda e: order[e.metric.key])


def lede(comparison: RunComparison) -> str:
    """How sure the answer is, and what it could have missed."""
    parts = []
    if comparison.unlike:
        parts.append(
            "What is left of the transactions is of another load than on the other side, so nothing is "
            "called better."
        )
    if comparison.allowed:
        listed = ", ".join(map(str, comparison.allowed))
        parts.append(f"The workloads differ, as allowed: {listed} (BASE and NEW).")
    if alarms := _alarms(comparison):
        parts.append(alarms)
    if (found := _found_from(comparison)) is not None:
        parts.append(
            f"A true change of throughput by about {about(found)} would be found nine times of ten; "
            "smaller ones can stay unseen."
        )
    return " ".join(parts)


def _alarms(comparison: RunComparison) -> str:
    """How often runs of the same thing are called different, and under which condition."""
    if comparison.error_rate is None:
        return "Differences from run to run are left out of account, as --allowance 0 asks."
    said = (
        f"Were both sides alike, any figure at all would be called better or worse in at most "
        f"{comparison.error_rate * 100:.0f} of 100 such comparisons"
    )
    scatters = _scatters(comparison)
    least = scatters.get(METRICS[0], next(iter(scatters.values()), (0.0, 0.0)))[0]
    if not least:
        return f"{said}."
    what = f"in {METRICS[0].name} " if METRICS[0] in scatters else ""
    return (
        f"{said}, as long as runs of the same thing scatter {what}by no more than {about(least)} "
        "(one standard deviation of a run, beyond what shows within it)."
    )


def _scatters(comparison: RunComparison) -> dict[Metric, tuple[float, float]]:
    """By metric, the least and the largest scatter between runs that intervals of a slice allow for."""
    found: dict[Metric, tuple[float, float]] = {}
    for e in comparison.effects:
        if e.scatter is not None:
            low, high = found.get(e.metric, (e.scatter, e.scatter))
            found[e.metric] = min(low, e.scatter), max(high, e.scatter)
    return found


def _found_from(comparison: RunComparison) -> float | None:
    """The true change that would be found in nine of ten comparisons, of the unsurest throughput."""
    changes = [e.found_from for e in comparison.effects if e.metric.kind == "throughput"]
    return max((c for c in changes if c is not None), default=None)


def notes(comparison: RunComparison) -> list[tuple[State, str]]:
    """What to know before believing the figures, each with what kind of news it is, bad ones first."""
    found = [*_dropped(comparison), *_broken(comparison), *_disturbed(comparison)]
    found += _systems(comparison)
    found += [("note", text) for text in (_between_runs(comparison), _too_little(comparison)) if text]
    return sorted(found, key=lambda note: note[0] != "bad")


def _dropped(comparison: RunComparison) -> list[tuple[State, str]]:
    """What cannot be compared, because not every run has it."""
    if not comparison.dropped:
        return []
    targets = {s.target for s in (*comparison.slices, *comparison.dropped)}
    names = [
        f"{s.target} / {s.key_type}" if len(targets) > 1 else s.key_type for s in comparison.dropped
    ]
    return [("bad", f"Not every run has {', '.join(names)}: nothing is said of that.")]


def _between_runs(comparison: RunComparison) -> str:
    """How differences from run to run came into the intervals."""
    if comparison.simulated and comparison.allowance is None:
        return "Simulated: no database was there, and nothing but chance differs from run to run."
    scatters = _scatters(comparison)
    if not scatters:
        return ""
    used = ", ".join(f"{metric.name} {_reach(*reach)}" for metric, reach in scatters.items())
    if len(comparison.bases) + len(comparison.news) > 2:
        runs = f"{plural(len(comparison.bases), 'run')} of BASE, {len(comparison.news)} of NEW"
        return (
            f"{runs}: how far apart the runs of one side lie is part of every interval where it is "
            f"more than the allowance. Used, as one standard deviation of a run: {used}."
        )
    return (
        "With one run a side nobody sees how far runs of the same thing differ. An allowance stands "
        f"for it (one standard deviation of a run: {used}); several runs a side show the real one."
    )


def _reach(low: float, high: float) -> str:
    least, most = about(low), about(high)
    return most if least == most else f"{least.removesuffix('%').strip()} to {most}"


def _too_little(comparison: RunComparison) -> str:
    too_few = comparison.of(Verdict.TOO_LITTLE)
    names = [f"{slice_name(comparison, e.slice)} {e.metric.name}" for e in too_few]
    return f"Too little data for {', '.join(names)}: measure longer." if names else ""


def _systems(comparison: RunComparison) -> list[tuple[State, str]]:
    if not comparison.circumstances:
        return []
    listed = "; ".join(map(str, comparison.circumstances))
    return [("note", f"What else differs (BASE and NEW): {listed}.")]


def _broken(comparison: RunComparison) -> list[tuple[State, str]]:
    """What makes a side's figures doubtful, whatever the intervals say."""
    found: list[tuple[State, str]] = [
        ("bad", f"{folder.name} was interrupted.") for folder in comparison.interrupted
    ]
    for name, runs in comparison.sides:
        if any(check.holds is False for run in runs for check in run.invariant):
            found.append(("bad", f"An invariant does not hold in {name}: see the report of the run."))
        shares = [g.cpu_share for run in runs for g in run.generators if g.cpu_share is not None]
        if max(shares, default=0.0) >= CPU_NEAR_FULL:
            text = (
                f"In {name} the tool used {about(max(shares))} of a core: it may have been the limit."
            )
            found.append(("bad", text))
    return found


def _disturbed(comparison: RunComparison) -> list[tuple[State, str]]:
    """Where the tool waited much longer for a processor on one side than on the other.

    Whatever kept it waiting was neither side's doing, and kept the database waiting too if that ran
    on the same machine.
    """
    tails = {}
    for name, runs in comparison.sides:
        lags = [g.loop_lag_ms.p99 for run in runs for g in run.generators]
        if not lags or None in lags:
            return []
        tails[name] = max(lag for lag in lags if lag is not None)
    medians = [
        min(e.base, e.new)
        for e in comparison.effects
        if e.metric.quantile == 0.5 and e.base is not None and e.new is not None
    ]
    worst, other = sorted(tails, key=lambda name: -tails[name])
    if not medians or tails[worst] - tails[other] < _DISTURBANCE * min(medians):
        return []
    text = (
        f"Something else was busy on the machine in {worst}: the tool's event loop ran late by "
        f"{milliseconds(tails[worst])} (p99), in {other} by {milliseconds(tails[other])}. Measure "
        "again before believing a difference."
    )
    return [("bad", text)]


def sides_table(comparison: RunComparison) -> Table:
    """Which runs were compared."""
    rows = []
    sides = zip(comparison.sides, (comparison.bases, comparison.news), strict=True)
    for (name, runs), folders in sides:
        for run, folder in zip(runs, folders, strict=True):
            rows.append((name, folder.resolve().name, _system(run), _when(run)))
    return of_texts(("run", "target", "begun"), tuple(rows), words=True)


def _when(run: Run) -> str:
    if run.started_ns is None:
        return "unknown"
    return datetime.fromtimestamp(run.started_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _system(run: Run) -> str:
    if run.simulated:
        return "simulated"
    return ", ".join(
        dict.fromkeys(f"{t.family or 'unknown'} {t.version or ''}".strip() for t in run.targets)
    )


def settings_line(comparison: RunComparison) -> str:
    """The workload that both sides have, in one line."""
    run = comparison.base
    config = run.config
    load = f"{number(config.rate)}{THIN}/s" if config.rate else f"{count(config.users or 0)} users"
    parts = [config.scenario, load]
    if run.size is not None:
        parts.append(f"{count(run.size)} accounts")
    parts.append(config.skew)
    if config.duration:
        parts.append(seconds(config.duration))
    return ", ".join(parts)


HOW = (
    "Throughput and latency are compared as ratios, shares as differences in percentage points (pp). "
    "All intervals together hold what is true in 95 of 100 comparisons, as long as runs of the same "
    "thing differ by no more than is allowed for; a figure is better or worse where its interval "
    "leaves no change out. Where other shares of transactions failed or gave up, nothing is called "
    "better. Of several runs a side each figure is the mean, and of throughput "
    "and latency the geometric mean."
)


_STATES: dict[Verdict, Literal["good", "bad"]] = {Verdict.WORSE: "bad", Verdict.BETTER: "good"}


def effects_table(comparison: RunComparison) -> Table:
    """Every figure of every slice: both sides, the change, its interval, the verdict."""
    rows: list[Row] = []
    for where in comparison.slices:
        rows.append((slice_name(comparison, where), ()))
        rows += [(e.metric.name, _cells(e)) for e in comparison.effects if e.slice == where]
    return Table(("BASE", "NEW", "change", "interval", "verdict"), tuple(rows))


def _cells(e: Effect) -> tuple[Cell, ...]:
    return (
        Cell(figure(e.metric, e.base)),
        Cell(figure(e.metric, e.new)),
        Cell(change(e), differs=e.differs),
        Cell(interval(e), differs=e.differs),
        Cell(str(e.verdict), differs=e.differs, state=_STATES.get(e.verdict, "")),
    )
