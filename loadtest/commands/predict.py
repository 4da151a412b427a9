"""`occbench predict`."""

from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(_predict)


def _predict(
    accounts: Annotated[int, typer.Option(help="Accounts that are used.", min=2)],
    rate: Annotated[float, typer.Option(help="Committed transfers a second.", min=0)],
    latency_ms: Annotated[
        float,
        typer.Option(help="A transaction's window in milliseconds: snapshot to commit.", min=0),
    ],
    skew: Annotated[
        str, typer.Option(help="uniform, zipf:THETA or hotspot:ACCESSES/ACCOUNTS.")
    ] = "uniform",
) -> None:
    """Say how often transfers will conflict, without running any.

    Examples:

    `occbench predict --accounts 1000 --rate 909 --latency-ms 20.12`

    `occbench predict --accounts 1000000 --rate 4192 --latency-ms 409.45 --skew zipf:0.8`
    """
    from loadtest.access import parse_access
    from loadtest.prediction import explain, predict

    law = parse_access(skew, accounts)
    print(explain(predict(law, rate, latency_ms / 1000), skew, accounts, rate, latency_ms))
