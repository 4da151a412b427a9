"""`python -m tests.bench.signing`: a token from a client that is kept, and from a new one each time."""

from collections.abc import Callable
from time import perf_counter_ns

import boto3

from loadtest.targets.aws.clients import dsql_token

HOST, REGION, ROUNDS = "measured.dsql.us-east-1.on.aws", "us-east-1", 20


def kept() -> object:
    """As the tool does it."""
    return dsql_token(HOST, "admin", REGION)


def anew() -> object:
    """With nothing kept between two connections."""
    client = boto3.Session().client("dsql", region_name=REGION)
    return client.generate_db_connect_admin_auth_token(Hostname=HOST, Region=REGION)


def median_ms(once: Callable[[], object]) -> float:
    """How long it takes, after a first time that does not count."""
    once()
    taken = []
    for _ in range(ROUNDS):
        before = perf_counter_ns()
        once()
        taken.append(perf_counter_ns() - before)
    return sorted(taken)[ROUNDS // 2] / 1e6


def main() -> None:
    """Print both, and their ratio."""
    one, other = median_ms(kept), median_ms(anew)
    print(
        f"a token, median of {ROUNDS}: {one:.2f} ms with the client that is kept, {other:.1f} ms with "
        f"a boto3 session for each, {other / one:.0f} times as long"
    )


if __name__ == "__main__":
    main()
