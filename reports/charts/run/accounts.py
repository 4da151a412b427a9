"""The hottest accounts."""

from matplotlib.ticker import MaxNLocator

from reports.analysis.conflicts.hot_rows import HotAccount
from reports.charts.axes import rows_of_names, thousands_axis
from reports.charts.figure import Chart, ChartData, canvas
from reports.charts.style import MUTED, PART_2
from reports.statistics.model import Model
from reports.text.rounding import about, count, number, shortened

_MOST_LETTERS = 22
_FEWEST_ROWS = 5
"""Rows that there is room for, so that a few bars are not thick."""


def draw(model: Model) -> Chart | None:
    """Conflicts of the accounts that had most of them, in whichever table they are."""
    top = [account for account in model.hot_rows.top if account.conflicts]
    if not top:
        return None
    names, rows = [_name(model, account) for account in top], max(len(top), _FEWEST_ROWS)
    left = max(86, 24 + round(6.4 * max(map(len, names))))
    figure, axes = canvas(left=left, right=130, top=12, height=58 + 19 * rows)
    bars = axes.barh(range(len(top)), [a.conflicts for a in top], 0.66, color=PART_2, zorder=3)
    texts = [f"{count(a.conflicts)} of {count(a.accesses)}" for a in top]
    axes.bar_label(bars, texts, padding=5, fontsize=10.5, color=MUTED)
    rows_of_names(axes, names, rows)
    axes.set_xlim(0, top[0].conflicts)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    thousands_axis(axes.xaxis)
    axes.set_xlabel("conflicted attempts (of all that touched the account)")
    data = ChartData(
        ("account", "key_type", "targets", "conflicted_attempts", "attempts"),
        [(a.number, a.key_type, "/".join(a.targets), a.conflicts, a.accesses) for a in top],
    )
    first = top[0]
    share = sum(a.conflicts for a in model.hot_rows.top) / model.hot_rows.conflicts
    reading = (
        f"Account {names[0]}: {count(first.conflicts)} of {count(first.accesses)} attempts on it "
        f"failed, and it was touched {number(first.times_mean)} times as often as the mean account. "
        f"These {len(model.hot_rows.top)} accounts are {about(share)} of all that conflicted attempts "
        "touched."
    )
    return Chart(figure, "accounts", "Hottest accounts", reading, data)


def _name(model: Model, account: HotAccount) -> str:
    """Its number, and what tells it from others of the same number in other tables."""
    parts = [count(account.number)]
    if len(model.key_types) > 1:
        parts.append(account.key_type)
    if len(account.targets) < len(model.targets):
        parts.append(shortened("/".join(account.targets), _MOST_LETTERS))
    return ", ".join(parts)
