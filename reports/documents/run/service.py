"""The report's section on what the service itself counted: sentences and tables."""

from loadtest.record.pricing import dsql_cost
from reports.documents.document import Block, Section
from reports.statistics.service import Counted, Service
from reports.text.rounding import DASH, count, milliseconds, number, plural, seconds
from reports.text.table import Cell, Table


def service_section(service: Service) -> Section:
    """What has to be known to read the tables, then for each cluster the counts beside the DPU."""
    clusters = (_cluster(one, service.dpu_price) for one in service.clusters)
    blocks: tuple[Block, ...] = (*_reading(service), *clusters, _price(service))
    return Section("What the service counted", blocks, "service")


def _cluster(one: Counted, price: float) -> Section:
    dpu = _dpu(one, price)
    tables = (_counts(one), dpu) if dpu else (_counts(one),)
    return Section(_heading(one), tables, side_by_side=True)


def _reading(service: Service) -> list[str]:
    """What the figures are of, in sentences."""
    whole = plural(service.minutes, "whole minute")
    when = f"{service.begin:%Y-%m-%d %H:%M}{DASH}{service.end:%H:%M} UTC"
    touch = "touches" if service.minutes == 1 else "touch"
    inside = "none of them lies wholly inside"
    if service.inside:
        lie = "lies" if service.inside == 1 else "lie"
        inside = f"{service.inside} of them ({seconds(service.inside * 60)}) {lie} wholly inside"
    how = (
        f"Aurora DSQL counts by the minute: {whole}, {when}, {touch} the "
        f"{seconds(service.window_s)} that were measured, and {inside}. So its figures include the "
        "warm-up, the ramp-up and whatever else the cluster did in these minutes. Nothing is scaled: "
        "the column before them is what this tool did in the same minutes, warm-up included."
    )
    lines = [how]
    lines += [f"Of cluster {cluster} nothing had arrived." for cluster in service.silent]
    lines += [
        f"Of cluster {one.cluster} the figures of {_of(one.minutes, service.minutes)} had arrived, and "
        f"the DPU of {_of(one.charged_minutes, service.minutes)}; what stands beside them is of the "
        "same."
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


def _heading(one: Counted) -> str:
    names = ", ".join(one.targets)
    return f"Target {names}: cluster {one.cluster} in {one.region}"


def _counts(one: Counted) -> Table:
    low_high = one.commit_p50_ms
    latency = "—"
    if low_high is not None:
        low, high = (milliseconds(value) for value in low_high)
        latency = low if low == high else f"{low}{DASH}{high}"
    rows = [
        _row("Attempts", one.measured.attempts, one.same.attempts, one.sums.get("total_transactions")),
        _row("Conflicts", one.measured.conflicts, one.same.conflicts, one.sums.get("occ_conflicts")),
        _row("Committed", one.measured.committed, one.same.committed, None),
        (
            "COMMIT p50",
            (
                Cell(_ms(one.measured.commit_p50_ms)),
                Cell(_ms(one.same.commit_p50_ms)),
                Cell(latency, "of each minute" if low_high else ""),
            ),
        ),
    ]
    rows += [
        (head, (Cell(""), Cell(""), Cell(text(one.sums[key]))))
        for head, key, text in (
            ("Read-only transactions", "read_only_transactions", _whole),
            ("Query timeouts", "query_timeouts", _whole),
            ("Read from storage", "bytes_read", _bytes),
            ("Written to storage", "bytes_written", _bytes),
            ("Compute time", "compute_time_ms", milliseconds),
        )
        if key in one.sums
    ]
    columns = ("The tool, measured time", "The tool, these minutes", "The service, these minutes")
    return Table(columns, tuple(rows))


def _row(head: str, measured: int, same: int, counted: float | None) -> tuple[str, tuple[Cell, ...]]:
    by_service = "—" if counted is None else _whole(counted)
    return head, (Cell(count(measured)), Cell(count(same)), Cell(by_service))


def _dpu(one: Counted, price: float) -> Table | None:
    heads = {
        "compute": "Compute",
        "read": "Read",
        "write": "Write",
        "multi_region_write": "Write in the other Region",
        "total": "Total",
    }
    rows = tuple(
        (head, (Cell(number(one.dpu[key])), Cell(f"{number(dsql_cost(one.dpu[key], price))} USD")))
        for key, head in heads.items()
        if key in one.dpu
    )
    return Table(("DPU", "Cost"), rows) if rows else None


def _ms(value: float | None) -> str:
    return "—" if value is None else milliseconds(value)


def _whole(value: float) -> str:
    return count(round(value))


def _bytes(value: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if value < 1000:
            return f"{number(value)} {unit}"
        value /= 1000
    return f"{number(value)} GB"
