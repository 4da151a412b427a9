"""A comparison in words: changes with as many digits as are certain, the answer, what to know."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from loadtest.record.run import Run
from reports.documents.document import Note
from reports.statistics.comparison.changes import change, figure, interval, slice_name
from reports.statistics.comparison.comparison import RunComparison
from reports.statistics.comparison.effect import Effect, Verdict
from reports.statistics.comparison.metrics import JUDGED, METRICS, Metric
from reports.text.rounding import THIN, about, count, milliseconds, number, plural, seconds
from reports.text.table import Cell, Row, Table, of_texts
from reports.verdicts.load import CPU_NEAR_FULL

_MOST_NAMED = 3
"""Figures that the headline names."""
_DISTURBANCE = 0.2
"""Lateness of the tool's event loop that differs by more than this share of the median latency."""


def headline(comparison: RunComparison) -> str:
    """The answer in one sentence; whether the load was alike comes first."""
    judged = [e for e in comparison.effects if e.verdict is not Verdict.TOO_LITTLE]
    if not judged:
        return "Too little data: NEW and BASE cannot be compared"
    figures, unlike = plural(len(judged), "figure"), comparison.unlike
    by_verdict = {
        verdict: [e for e in comparison.of(verdict) if e not in unlike]
        for verdict in (Verdict.WORSE, Verdict.BETTER, Verdict.DIFFERS)
    }
    changes = [
        f"{verdict} in {len(effects)} of {figures}: {_named(comparison, effects)}"
        for verdict, effects in by_verdict.items()
        if effects
    ]
    parts = [f"NEW is {'; '.join(changes)}"] if changes else []
    if unlike:
        fates = dict.fromkeys("gave up" if e.metric.key == "give_ups" else "failed" for e in unlike)
        share = f"Not the same share of transactions {' or '.join(fates)}"
        parts.insert(0, f"{share}: {_named(comparison, unlike)}")
    return ". ".join(parts) or f"No difference shown between NEW and BASE in {figures}"


def _named(comparison: RunComparison, effects: Sequence[Effect]) -> str:
    """The first few figures by name, each with its change on every slice."""
    alone = len(comparison.slices) == 1
    by_metric: dict[Metric, list[str]] = {}
    for e in sorted(effects, key=lambda e: JUDGED.index(e.metric)):
        where = "" if alone else f"{slice_name(comparison, e.slice)} "
        by_metric.setdefault(e.metric, []).append(f"{where}{change(e)}")
    texts = []
    for metric, changes in list(by_metric.items())[:_MOST_NAMED]:
        more = [f"{len(changes) - _MOST_NAMED} more"] if len(changes) > _MOST_NAMED else []
        text = ", ".join([*changes[:_MOST_NAMED], *more])
        texts.append(f"{metric.name} {text if alone else f'({text})'}")
    if rest := sum(map(len, list(by_metric.values())[_MOST_NAMED:])):
        texts.append(plural(rest, "other"))
    return ", ".join(texts)


def lede(comparison: RunComparison) -> str:
    """How sure the answer is, and what it could have missed."""
    parts = []
    if comparison.unlike:
        parts.append(
            "What is left of the transactions is of another load than on the other side, so nothing is "
            "called better."
        )
    if comparison.allowed:
        differences = ", ".join(map(str, comparison.allowed))
        parts.append(f"The workloads differ, as allowed: {differences} (BASE and NEW).")
    parts.append(_false_differences(comparison))
    shown = [e.found_from for e in comparison.effects if e.metric.kind == "throughput" and e.found_from]
    if shown:
        parts.append(
            f"A true change of throughput by about {about(max(shown))} would be found nine times of "
            "ten; smaller ones can stay unseen."
        )
    return " ".join(parts)


def _false_differences(comparison: RunComparison) -> str:
    """How often runs of the same thing are called different, and under which condition."""
    if comparison.error_rate is None:
        return "Differences from run to run are left out of account, as --allowance 0 asks."
    text = (
        "Were both sides alike, any figure at all would be called better or worse in at most "
        f"{comparison.error_rate * 100:.0f} of 100 such comparisons"
    )
    scatters = _scatters(comparison)
    metric = METRICS[0] if METRICS[0] in scatters else next(iter(scatters), None)
    if metric is None or not scatters[metric][0]:
        return f"{text}."
    return (
        f"{text}, as long as runs of the same thing scatter in {metric.name} by no more than "
        f"{about(scatters[metric][0])} (one standard deviation of a run, beyond what shows within it)."
    )


def _scatters(comparison: RunComparison) -> dict[Metric, tuple[float, float]]:
    """By metric, the least and the largest scatter between runs that intervals of a slice allow for."""
    scatters: dict[Metric, tuple[float, float]] = {}
    for e in comparison.effects:
        if e.scatter is not None:
            low, high = scatters.get(e.metric, (e.scatter, e.scatter))
            scatters[e.metric] = min(low, e.scatter), max(high, e.scatter)
    return scatters


def notes(comparison: RunComparison) -> list[Note]:
    """What to know before believing the figures, bad news first."""
    too_few = comparison.of(Verdict.TOO_LITTLE)
    few = ", ".join(f"{slice_name(comparison, e.slice)} {e.metric.name}" for e in too_few)
    others = "; ".join(map(str, comparison.circumstances))
    bad = [
        _dropped(comparison),
        *(f"{folder.name} was interrupted." for folder in comparison.interrupted),
        *(text for name, runs in comparison.sides for text in _doubts(name, runs)),
        _disturbed(comparison),
    ]
    further = [
        f"What else differs (BASE and NEW): {others}." if others else "",
        _between_runs(comparison),
        f"Too little data for {few}: measure longer." if few else "",
    ]
    lines = [*(Note("bad", text) for text in bad), *(Note("note", text) for text in further)]
    return [note for note in lines if note.text]


def _dropped(comparison: RunComparison) -> str:
    """What cannot be compared, because not every run has it."""
    several = len({s.target for s in (*comparison.slices, *comparison.dropped)}) > 1
    names = [f"{s.target} / {s.key_type}" if several else s.key_type for s in comparison.dropped]
    return f"Not every run has {', '.join(names)}: nothing is said of that." if names else ""


def _doubts(name: str, runs: Sequence[Run]) -> Iterator[str]:
    """What makes a side's figures doubtful, whatever the intervals say."""
    if any(check.holds is False for run in runs for check in run.invariant):
        yield f"An invariant does not hold in {name}: see the report of the run."
    share = max((g.cpu_share or 0.0 for run in runs for g in run.generators), default=0.0)
    if share >= CPU_NEAR_FULL:
        yield f"In {name} the tool used {about(share)} of a core: it may have been the limit."


def _between_runs(comparison: RunComparison) -> str:
    """How differences from run to run came into the intervals."""
    if comparison.simulated and comparison.allowance is None:
        return "Simulated: no database was there, and nothing but chance differs from run to run."
    scatters = _scatters(comparison)
    if not scatters:
        return ""
    texts = {metric: (about(low), about(high)) for metric, (low, high) in scatters.items()}
    used = ", ".join(
        f"{metric.name} {low if low == high else f'{low} to {high}'}"
        for metric, (low, high) in texts.items()
    )
    if len(comparison.bases) + len(comparison.news) > 2:
        return (
            f"{plural(len(comparison.bases), 'run')} of BASE, {len(comparison.news)} of NEW: how far "
            "apart the runs of one side lie is part of every interval where it is more than the "
            f"allowance. Used, as one standard deviation of a run: {used}."
        )
    return (
        "One run a side does not show how far runs of the same thing differ. An allowance stands for "
        f"it (one standard deviation of a run: {used}); several runs a side show the real one."
    )


def _disturbed(comparison: RunComparison) -> str:
    """Where the tool waited much longer for a processor on one side than on the other.

    Whatever kept it waiting was neither side's doing, and kept the database waiting too if that ran
    on the same machine.
    """
    tails = {}
    for name, runs in comparison.sides:
        lags = [g.loop_lag_ms.p99 for run in runs for g in run.generators]
        if not lags or None in lags:
            return ""
        tails[name] = max(lag for lag in lags if lag is not None)
    medians = [
        min(e.base, e.new)
        for e in comparison.effects
        if e.metric.quantile == 0.5 and e.base is not None and e.new is not None
    ]
    worst, other = sorted(tails, key=lambda name: -tails[name])
    if not medians or tails[worst] - tails[other] < _DISTURBANCE * min(medians):
        return ""
    return (
        f"Something else was busy on the machine in {worst}: the tool's event loop ran late by "
        f"{milliseconds(tails[worst])} (p99), in {other} by {milliseconds(tails[other])}. Measure "
        "again before believing a difference."
    )


def sides_table(comparison: RunComparison) -> Table:
    """Which runs were compared."""
    sides = zip(comparison.sides, (comparison.bases, comparison.news), strict=True)
    rows = [
        (name, folder.resolve().name, _system(run), _when(run))
        for (name, runs), folders in sides
        for run, folder in zip(runs, folders, strict=True)
    ]
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
    accounts = "" if run.size is None else f"{count(run.size)} accounts"
    duration = seconds(config.duration) if config.duration else ""
    return ", ".join(filter(None, (config.scenario, load, accounts, config.skew, duration)))


HOW = (
    "Throughput and latency are compared as ratios, shares as differences in percentage points (pp). "
    "All intervals together hold what is true in 95 of 100 comparisons, as long as runs of the same "
    "thing differ by no more than is allowed for; a figure is better or worse where its interval "
    "leaves no change out. Where other shares of transactions failed or gave up, nothing is called "
    "better. Of several runs a side each figure is the mean, geometric for throughput and latency."
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
        Cell(interval(e, unit=False), differs=e.differs),
        Cell(str(e.verdict), differs=e.differs, state=_STATES.get(e.verdict, "")),
    )
