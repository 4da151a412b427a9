"""Where the time of a transaction goes."""

from matplotlib.patches import Patch

from reports.analysis.figures import Figures, Parts
from reports.charts.figure import Chart, ChartData, Margins, canvas, finish, legend, thousands_axis
from reports.charts.readings import of_each
from reports.charts.style import FAINT, INK, PAPER, PART_1, PART_2, PART_3, PART_4
from reports.statistics.model import Model
from reports.text.rounding import about, listed, milliseconds, number

_PARTS = (
    ("statements", "statements", PART_1.light, PAPER.light),
    ("commit", "COMMIT", PART_2.light, INK.light),
    ("backoff", "backoff", PART_3.light, INK.light),
    ("waiting", "waiting for a user", PART_4.light, INK.light),
    ("other", "other", FAINT.light, INK.light),
)
_WORTH_SHOWING = 0.01


def draw(model: Model) -> Chart | None:
    """Mean milliseconds of a finished transaction, all its attempts together, as stacked bars."""
    known = {k: f.parts for k, f in model.key_types.items() if f.parts is not None}
    totals = {k: p.total for k, p in known.items()}
    longest = max(totals.values(), default=0.0)
    if not longest:
        return None
    rows = len(known)
    figure, axes = canvas(Margins(left=64, right=70), height=110 + 62 * rows)
    for row, (key_type, parts) in enumerate(known.items()):
        begin = 0.0
        for name, _, colour, text_colour in _PARTS:
            value = getattr(parts, name) or 0.0
            axes.barh(
                row,
                value,
                0.62,
                left=begin,
                color=colour,
                edgecolor=PAPER.light,
                linewidth=1.2,
                zorder=3,
            )
            if value > 0.1 * longest:
                axes.text(
                    begin + value / 2,
                    row,
                    number(value),
                    ha="center",
                    va="center",
                    color=text_colour,
                    zorder=5,
                )
            begin += value
        axes.text(
            begin + 0.012 * longest,
            row,
            milliseconds(totals[key_type]),
            ha="left",
            va="center",
            zorder=5,
        )
    axes.set_yticks(range(rows), list(known))
    for tick in axes.get_yticklabels():
        tick.set_color(INK.light)
    axes.set_ylim(rows - 0.45, -0.55)
    axes.set_xlim(0, longest * 1.02)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    thousands_axis(axes.xaxis)
    axes.set_xlabel("mean time of a transaction (ms)")
    handles = []
    for name, label, colour, _ in _PARTS:
        worth = any((getattr(p, name) or 0.0) >= _WORTH_SHOWING * longest for p in known.values())
        measured = any(getattr(p, name) is not None for p in known.values())
        if worth or (measured and name in ("statements", "commit", "backoff")):
            handles.append(Patch(facecolor=colour, label=label))
    legend(figure, axes, handles)
    return finish(figure, "parts", "Where the time goes", _reading(model), _data(known))


def _data(known: dict[str, Parts]) -> ChartData:
    rows = [
        (key_type, name, getattr(parts, name))
        for key_type, parts in known.items()
        for name, *_ in _PARTS
        if getattr(parts, name) is not None
    ]
    return ChartData(("key_type", "part", "mean_ms"), rows)


def _reading(model: Model) -> str:
    def say(_: str, f: Figures) -> str:
        p = f.parts
        if p is None or p.total <= 0:
            return ""
        times = {"statements": p.statements, "COMMIT": p.commit, "backoff": p.backoff}
        if p.waiting > _WORTH_SHOWING * p.total:
            times["waiting for a free user"] = p.waiting
        shares = [f"{name} {about(ms / p.total)}" for name, ms in times.items() if ms is not None]
        return f"of {milliseconds(p.total)}, {listed(shares)}"

    return of_each(model.key_types, say)
