"""The cost of a run in USD, with the prices of us-east-1; storage is in none of these figures."""

MILLION = 1_000_000

DPU_PRICE = 8.0
"""USD a million DPU of Aurora DSQL, us-east-1, 2026 (AWS: Aurora DSQL pricing)."""

DYNAMODB_READ_PRICE = 0.125
"""USD a million read request units of DynamoDB on demand, us-east-1, since 2024-11-01 (AWS: DynamoDB
pricing for on-demand capacity)."""

DYNAMODB_WRITE_PRICE = 0.625
"""USD a million write request units of DynamoDB on demand, us-east-1, since 2024-11-01 (the same)."""


def dsql_cost(dpu: float, dpu_price: float) -> float:
    """Return USD for this many DPU at a price a million.

    All activity of a cluster is charged in DPU: computing, reading, writing, and once more the writing
    where another Region takes part (AWS: How billing works in Aurora DSQL). The free tier of an account
    is not subtracted: a benchmark says what the work costs.
    """
    return dpu * dpu_price / MILLION


def dynamodb_cost(
    read_units: float,
    write_units: float,
    read_price: float = DYNAMODB_READ_PRICE,
    write_price: float = DYNAMODB_WRITE_PRICE,
) -> float:
    """Return USD for the request units that DynamoDB reported, on demand, at prices a million units.

    They are counted as they are charged: a transaction has twice the units of a plain request, and one
    that was cancelled has them as well (AWS: DynamoDB developer guide, read and write operations,
    transactions). The defaults are for the standard table class, as of November 2026.
    """
    return (read_units * read_price + write_units * write_price) / MILLION


def a_million(cost: float, committed: int) -> float | None:
    """Return USD for a million committed transactions, retries included; None without any."""
    return cost * MILLION / committed if committed else None
