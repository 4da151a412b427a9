"""The report's section on what the service itself counted: sentences and tables."""

from collections.abc import Callable

from loadtest.record.pricing import dsql_cost
from reports.documents.document import Block, Section
from reports.statistics.service import Counted, Service
from reports.text.rounding import DASH, count, milliseconds, number, plural, seconds
from reports.text.table import Cell, Table

_ABSENT = "—"


def service_section(service: Service) -> Section:
    """What has to be known to read the tables, then for each cluster the counts beside the DPU."""
    clusters = (_cluster(one, service.dpu_price) for one in service.clusters)
    blocks: tuple[Block, ...] = (*_reading(service), *clusters, _price(service))
    return Section("What the service counted", blocks, "service")


def _cluster(one: Counted, price: float) -> Section:
    heading = f"Target {', '.join(one.targets)}: cluster {one.cluster} in {one.region}"
    tables = tuple(table for table in (_counts(one), _dpu(one, price)) if table is not None)
    return Section(heading, tables, side_by_side=True)


def _reading(service: Service) -> list[str]:
    """What the figures are of, in sentences."""
    when = f"{service.begin:%Y-%m-%d %H:%M}{DASH}{service.end:%H:%M} UTC"
    one, alone = service.minutes == 1, service.inside == 1
    inside = "none of them lies wholly inside"
    if service.inside:
        length = seconds(service.inside * 60)
        inside = f"{service.inside} of them ({length}) {'lies' if alone else 'lie'} wholly inside"
    how = (
        f"Aurora DSQL counts by the minute: {plural(service.minutes, 'whole minute')}, {when}, "
        f"{'touches' if one else 'touch'} the {seconds(service.window_s)} that were measured, and "
        f"{inside}. So its figures include the warm-up, the ramp-up and whatever else the cluster did "
        "in these minutes. Nothing is scaled: the column before them is what this tool did in the same "
        "minutes, warm-up included."
    )
    lines = [how, *(f"Of cluster {cluster} nothing had arrived." for cluster in service.silent)]
    lines += [
        f"Of cluster {one.cluster} the figures of {_of(one.minutes, service.minutes)} had arrived, and "
        f"the DPU of {_of(one.charged_minutes, service.minutes)}; the tool's figures are of the same."
        for one in service.clusters
        if min(one.minutes, one.charged_minutes) < service.minutes
    ]
    if not service.complete:
        lines.append(
            f"Fetched {service.fetched:%Y-%m-%d %H:%M:%S} UTC, when more may have been to come: "
            "occbench report --refresh fetches again."
        )
    return lines


def _of(some: int, every: int) -> str:
    return f"{some} of {plural(every, 'minute')}" if some < every else "every minute"


def _price(service: Service) -> str:
    """What the cost is of, and what it leaves out."""
    price = f"{number(service.dpu_price)} USD a million DPU; storage is charged apart and not included"
    if service.cost_usd is None:
        return f"The price would be {price}. The DPU have not arrived for every cluster yet."
    each = ""
    if service.cost_usd_a_million is not None:
        each = f", {number(service.cost_usd_a_million)} USD for a million committed transactions"
    return f"These minutes cost {number(service.cost_usd)} USD{each}. The price is {price}."


_FURTHER: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("Read-only transactions", "read_only_transactions", lambda value: count(round(value))),
    ("Query timeouts", "query_timeouts", lambda value: count(round(value))),
    ("Read from storage", "bytes_read", lambda value: _bytes(value)),
    ("Written to storage", "bytes_written", lambda value: _bytes(value)),
    ("Compute time", "compute_time_ms", milliseconds),
)
"""What the service alone counts: (head, its name, its text)."""


def _counts(one: Counted) -> Table:
    """What the tool did in the measured time and in the service's minutes, and what that counted."""
    rows = [
        (head, (Cell(count(measured)), Cell(count(same)), Cell(_whole(counted))))
        for head, measured, same, counted in (
            ("Attempts", one.measured.attempts, one.same.attempts, one.sums.get("total_transactions")),
            ("Conflicts", one.measured.conflicts, one.same.conflicts, one.sums.get("occ_conflicts")),
            ("Committed", one.measured.committed, one.same.committed, None),
        )
    ]
    ends = [milliseconds(end) for end in one.commit_p50_ms or ()]
    latency = DASH.join(dict.fromkeys(ends)) or _ABSENT
    own = (Cell(_ms(one.measured.commit_p50_ms)), Cell(_ms(one.same.commit_p50_ms)))
    rows.append(("COMMIT p50", (*own, Cell(latency, "of each minute" if ends else ""))))
    rows += [
        (head, (Cell(""), Cell(""), Cell(text(one.sums[key]))))
        for head, key, text in _FURTHER
        if key in one.sums
    ]
    columns = ("The tool, measured time", "The tool, these minutes", "The service, these minutes")
    return Table(columns, tuple(rows))


def _dpu(one: Counted, price: float) -> Table | None:
    heads = {
        "compute": "Compute", "read": "Read", "write": "Write",
        "multi_region_write": "Write in the other Region", "total": "Total",
    }  # fmt: skip
    rows = tuple(
        (head, (Cell(number(one.dpu[key])), Cell(f"{number(dsql_cost(one.dpu[key], price))} USD")))
        for key, head in heads.items()
        if key in one.dpu
    )
    return Table(("DPU", "Cost"), rows) if rows else None


def _ms(value: float | None) -> str:
    return _ABSENT if value is None else milliseconds(value)


def _whole(value: float | None) -> str:
    return _ABSENT if value is None else count(round(value))


def _bytes(value: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if value < 1000:
            return f"{number(value)} {unit}"
        value /= 1000
    return f"{number(value)} GB"
