"""The answer of `occbench predict`: forecasts by retry policy, as a table and as JSON."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest.prediction.config import WIDEST_SPREAD
from loadtest.prediction.forecast import IN_STEP_FACTOR, MODEL_FACTOR, Forecast
from loadtest.prediction.formula import Prediction
from loadtest.prediction.workload import UNKNOWN_PLACEMENT, Interval, Region, Workload

_MOST = 1e7
_WIDEST = 10_000
"""Characters, more than any table has."""
_FIGURES = tuple(
    field.name
    for field in fields(Forecast)
    if field.name not in ("regions", "settled", "few_users", "kept")
)
_SELDOM = 1e-4
"""Shares below are not worth their digits."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The run that a forecast starts from."""

    folder: Path
    key_type: str
    conflict_rate: Interval
    conflicts: int
    throughput_tps: float
    explained: bool
    """Whether the model explains the measured conflict rate."""
    policy: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Forecasts of one workload under several retry policies, and where they come from."""

    workload: Workload
    """With the first of the policies."""
    skew: str
    forecasts: dict[str, Forecast]
    formula: Prediction | None
    """The closed formula at the given rate; None where there is none."""
    measured: Measured | None

    def as_json(self) -> dict[str, Any]:
        """Return everything; docs/results-format.md, "A forecast"."""
        workload, measured = self.workload, self.measured
        retry = workload.retry
        return {
            "key_type": measured.key_type if measured else None,
            "workload": {
                "accounts": workload.law.accounts,
                "skew": self.skew,
                "users": workload.users,
                "rate": workload.rate,
                "arrivals": "even" if workload.evenly else "random",
                "think_time": workload.think_s,
                "max_attempts": retry.max_attempts,
                "retry_base_ms": retry.base_s * 1000,
                "retry_cap_ms": retry.cap_s * 1000,
                "placement": asdict(workload.placement),
                "regions": [asdict(region) for region in workload.regions],
            },
            "measured": measured and {**asdict(measured), "folder": str(measured.folder)},
            "formula": self.formula and asdict(self.formula),
            "policies": {name: _as_json(one) for name, one in self.forecasts.items()},
            "assumptions": list(assumptions_of(workload)),
            "remarks": list(self._remarks()),
        }

    def print(self, console: Console) -> None:
        """Print what was asked, the table, and what a reader should know of it."""
        console.print("\n".join(self._head()))
        console.print()
        print_table(console, self.forecasts, self.measured.policy if self.measured else None)
        console.print()
        for remark in (*self._remarks(), *assumptions_of(self.workload)):
            console.print(f"- {remark}")

    def _head(self) -> Iterator[str]:
        workload, measured, accounts = self.workload, self.measured, self.workload.law.accounts
        if self.formula is not None and workload.rate is not None:
            window_ms = workload.regions[0].window_low_s * 1000
            yield explain(self.formula, self.skew, accounts, workload.rate, window_ms)
            yield ""
            yield (
                f"With {workload.rate:,g} transactions started a second (believe this table, unless so "
                "many are known to commit):"
            )
            return
        if measured is not None:
            rate = measured.conflict_rate.of(100)
            yield (
                f"From {measured.folder}, {measured.key_type} keys: measured {figure(rate.best)} % "
                f"conflicts ({figure(rate.low)} – {figure(rate.high)}), "
                f"{figure(measured.throughput_tps)} committed a second with {measured.policy}."
            )
            yield ""
        if workload.rate is None:
            load = "1 user" if workload.users == 1 else f"{workload.users:,} users"
            load += f" with {1000 * workload.think_s:g} ms think time" if workload.think_s else ""
        else:
            load = f"{workload.rate:,g} transactions started a second"
        windows = ", ".join(_window(region, workload.placement) for region in workload.regions)
        yield f"Transfers between {accounts:,} accounts, access {self.skew}, {load}; {windows}:"

    def _remarks(self) -> Iterator[str]:
        measured = self.measured
        if measured is not None and measured.policy in self.forecasts:
            yield "* The policy of the run."
        yield from remarks_on(self.forecasts, self.workload)
        if measured is None:
            return
        if not measured.explained:
            yield (
                "The model does not explain the run's own conflict rate: it is outside of what any "
                "window that the client can have had would give. What follows from it is doubtful."
            )
        elif self.workload.placement == UNKNOWN_PLACEMENT:
            yield (
                f"The run's {measured.conflicts} conflicts are too few to say where in COMMIT the "
                "database decides, so the ranges are wide; a run on fewer accounts would narrow them."
            )
        yield from measured.notes


def explain(
    prediction: Prediction, skew: str, accounts: int, commit_rate: float, window_ms: float
) -> str:
    """Return the closed formula's answer in words, with what it rests on."""
    retried = prediction.poisson / (1 - prediction.poisson) if prediction.poisson < 1 else math.inf
    return "\n".join(
        (
            (
                f"Transfers between {accounts:,} accounts, access {skew}, {commit_rate:,g} commits a "
                f"second, a window of {window_ms:g} ms:"
            ),
            "",
            f"  conflict rate  {_percent(prediction.evenly):>8}  commits evenly spaced",
            f"                 {_percent(prediction.poisson):>8}  commits at random moments",
            f"  retries        {retried:8.3g}  a committed transfer, tried again without end",
            "",
            (
                f"P = 1 − exp(−λ · W · Σ q²), Σ q² = {prediction.sum_q_squared:.4g}; all other "
                "transactions commit at the given rate, and the window is the same for all."
            ),
            "A transfer between the same two accounts counts twice in Σ q², which few accounts show.",
        )
    )


def _percent(share: float) -> str:
    """Three significant digits, but not more than two places: 7.06 %, 0.684 %."""
    percent = 100 * share
    return f"{percent:.3g} %" if percent < 1 else f"{percent:.2f} %"


def _as_json(forecast: Forecast) -> dict[str, Any]:
    """A forecast; where nothing is steady there are no figures, as in the table."""
    figures = asdict(forecast)
    if not forecast.settled:
        figures.update(dict.fromkeys(_FIGURES), regions=[])
    return figures


def _window(region: Region, placement: Interval) -> str:
    """A Region's window in milliseconds, as far as it is known."""
    more = region.window_high_s - region.window_low_s
    low, high = (1000 * (region.window_low_s + at * more) for at in (placement.low, placement.high))
    size = f"{figure(low)} ms" if low == high else f"{figure(low)} – {figure(high)} ms"
    return f"a window of {size}" + (f" ({region.name})" if region.name else "")


def assumptions_of(workload: Workload) -> Iterator[str]:
    """Yield what the figures rest on, in sentences."""
    yield "The database is as fast as assumed whatever the load: no queue for its processors."
    yield "Transactions choose their accounts independently of one another."
    if workload.rate is None:
        yield "Users wait for each answer before they start something new."
    else:
        spacing = "evenly spaced" if workload.evenly else "at random moments"
        yield f"Transactions start {spacing} and do not wait for the database."
    if len(workload.regions) > 1:
        yield "All Regions write to one database."
    known = all(region.window_low_s == region.window_high_s for region in workload.regions)
    ends = "" if known else "for what is not known of the window, and "
    yield (
        f"The ranges allow {ends}for the model's own accuracy: a factor of {MODEL_FACTOR:g} in how "
        f"much an account is wanted, of {IN_STEP_FACTOR:g} upwards for policies without jitter."
    )
    yield (
        "Give-ups and the p99 of added latency are rough, more so than their ranges say: they take a "
        "transaction's attempts as independent."
    )
    if workload.evenly and workload.rate is not None and len(workload.regions) > 1:
        yield (
            "How the even schedules of several Regions lie to one another is not known; the ranges "
            "hold every way."
        )


def print_table(console: Console, forecasts: Mapping[str, Forecast], own: str | None = None) -> None:
    """Print one row a policy: the best value, its range below."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("retry policy", no_wrap=True)
    gives_up = any(forecast.give_up_rate.high >= _SELDOM for forecast in forecasts.values())
    titles = ["conflict\nrate %", "retries a\ntransaction", "committed\na second"]
    titles += ["given\nup %"] if gives_up else []
    titles += ["mean\nadded ms", "p99\nadded ms"]
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    for name, one in forecasts.items():
        cells = [_cell(one.conflict_rate.of(100)), _cell(one.retries_mean), _cell(one.goodput_tps)]
        cells += [_rare(one.give_up_rate)] if gives_up else []
        cells += [_cell(one.added_ms), _cell(one.added_p99_ms)]
        if not one.settled:
            cells = [Text("unsteady", style="red"), *[Text("–")] * (len(cells) - 1)]
        table.add_row(f"{name} *" if name == own else name, *cells)
    # As wide as its figures are, in a narrow terminal, too: rich would cut them.
    console.width = _WIDEST
    console.print(table, crop=False)


def remarks_on(forecasts: Mapping[str, Forecast], workload: Workload) -> Iterator[str]:
    """Yield what a reader should know of rows that are not as asked for."""
    settled = {name: one for name, one in forecasts.items() if one.settled}
    if growing := [name for name in forecasts if name not in settled]:
        yield (
            f"No steady state with {', '.join(growing)}: the most popular account is wanted more "
            "often than it can commit, or may be within the ranges, and transactions tried without "
            "end pile up."
        )
    if few := [name for name, one in settled.items() if one.few_users]:
        yield (
            f"Few users on popular accounts: with {', '.join(few)} the model is rough and the ranges "
            "are wider; simulate instead."
        )
    if any(region.window_spread > WIDEST_SPREAD for region in workload.regions):
        yield (
            "The windows vary by more than their mean, which the model does not describe; simulate "
            "instead, or take longer runs."
        )
    if short := [name for name, one in settled.items() if not one.kept]:
        yield (
            f"{workload.users:,} users cannot keep {workload.rate:,g} transactions a second with "
            f"{', '.join(short)}; the figures there are those of all users busy all the time."
        )


def _cell(value: Interval) -> Text:
    """The best value, and below it the range, if it shows at all."""
    text = Text(figure(value.best))
    low, high = (figure(end, 2) for end in (value.low, value.high))
    if low == high:
        low, high = figure(value.low), figure(value.high)
    if low != high:
        text.append(f"\n{low}–{high}", style="dim")
    return text


def _rare(share: Interval) -> Text:
    return Text("<0.01") if share.high < _SELDOM else _cell(share.of(100))


def figure(value: float, digits: int = 3) -> str:
    """Return so many significant digits, and no fewer than a whole number needs."""
    if abs(value) < 5e-7:
        return "0"
    if value < 0:
        return "\N{MINUS SIGN}" + figure(-value, digits)
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}" if value < _MOST else f"{value:.{digits}g}"
    return f"{value:.{digits}g}" if value >= 1e-3 else f"{value:.1g}"
