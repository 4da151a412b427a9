"""The hottest accounts."""

from matplotlib.ticker import MaxNLocator

from reports.analysis.hot_rows import HotAccount
from reports.charts.figure import Chart, ChartData, Margins, canvas, finish, thousands_axis
from reports.charts.style import INK, MUTED, PART_2
from reports.statistics.model import Model
from reports.text.rounding import about, count, number, shortened

_MOST_LETTERS = 22


def draw(model: Model) -> Chart | None:
    """Conflicts of the accounts that had most of them, in whichever table they are."""
    top = [account for account in model.hot_rows.top if account.conflicts]
    if not top:
        return None
    names = [_name(model, account) for account in top]
    left = max(86, 24 + round(6.4 * max(map(len, names))))
    figure, axes = canvas(Margins(left=left, right=130, top=12), height=58 + 19 * max(len(top), 5))
    rows = range(len(top))
    axes.barh(rows, [a.conflicts for a in top], 0.66, color=PART_2.light, zorder=3)
    for row, account in enumerate(top):
        axes.annotate(
            f"{count(account.conflicts)} of {count(account.accesses)}",
            (account.conflicts, row),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=10.5,
            color=MUTED.light,
        )
    axes.set_yticks(rows, names)
    for label in axes.get_yticklabels():
        label.set_color(INK.light)
    axes.set_ylim(max(len(top), 5) - 0.4, -0.6)
    axes.set_xlim(0, top[0].conflicts)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x")
    thousands_axis(axes.xaxis)
    axes.set_xlabel("conflicted attempts (of all that touched the account)")
    columns = ("account", "key_type", "targets", "conflicted_attempts", "attempts")
    data = ChartData(
        columns, [(a.number, a.key_type, "/".join(a.targets), a.conflicts, a.accesses) for a in top]
    )
    return finish(figure, "accounts", "Hottest accounts", _reading(model), data)


def _name(model: Model, account: HotAccount) -> str:
    """Its number, and what tells it from others of the same number in other tables."""
    parts = [count(account.number)]
    if len(model.key_types) > 1:
        parts.append(account.key_type)
    if len(account.targets) < len(model.targets):
        parts.append(shortened("/".join(account.targets), _MOST_LETTERS))
    return ", ".join(parts)


def _reading(model: Model) -> str:
    heat = model.hot_rows
    first = heat.top[0]
    text = (
        f"Account {_name(model, first)} had most conflicts: {count(first.conflicts)} of "
        f"{count(first.accesses)} attempts that touched it failed; it was touched "
        f"{number(first.times_mean)} times as often as the mean account"
    )
    share = sum(a.conflicts for a in heat.top) / heat.conflicts
    return (
        f"{text}. These {len(heat.top)} accounts are {about(share)} of all that "
        "conflicted attempts touched."
    )
