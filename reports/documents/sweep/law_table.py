"""The parameters of the universal scalability law, as a table."""

import math

from reports.statistics.sweep.curve_text import curve_name, left_out_of_law
from reports.statistics.sweep.scalability import Estimate, Fit, NoFit
from reports.statistics.sweep.study import Curve, Study
from reports.text.rounding import DASH, about, number
from reports.text.table import Table, of_texts

_SMALL = 0.01
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def law_table(study: Study) -> Table | None:
    """λ, σ and κ of every curve, or why there are none; None where no law is looked for."""
    rows = [
        (curve_name(study, curve), *_row(curve, curve.law))
        for curve in study.curves
        if curve.law is not None
    ]
    if not rows:
        return None
    if all(len(row) == 2 for row in rows) and len({row[1] for row in rows}) == 1:
        rows = [("every line", rows[0][1])]
    columns = (
        "λ, transactions/s of one user", "σ, contention", "κ, coherency", "users at the peak",
        "fits within",
    )  # fmt: skip
    return of_texts(columns, tuple(rows), corner="with 95 % intervals")


def _row(curve: Curve, law: Fit | NoFit) -> tuple[str, ...]:
    left_out = left_out_of_law(curve)
    if isinstance(law, NoFit):
        return (f"{law.why}{left_out}{', where the generator was the limit' if left_out else ''}",)
    estimates = (_estimate(one) for one in (law.lam, law.sigma, law.kappa))
    peak = _estimate(law.peak) if law.peak else "not shown"
    return *estimates, peak, about(law.misfit) + left_out


def _estimate(one: Estimate) -> str:
    """Two significant digits, for the interval is wider than any further one."""
    power = math.floor(math.log10(one.value or one.high)) if 0 < one.high < _SMALL else 0
    value, low, high = (_short(end / 10.0**power) for end in (one.value, one.low, one.high))
    text = f"{value} ({low}{DASH}{high})"
    return f"{text} · 10{str(power).translate(_RAISED)}" if power else text


def _short(value: float) -> str:
    if value < 1e-3:
        return "0"
    return f"{float(f'{value:.2g}'):,.10g}" if value < 100 else number(value)
