"""`occbench seed`."""

from typing import Any

import typer

from loadtest.config.options import as_command, options_of
from loadtest.config.run import SeedConfig


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("seed")(as_command(options_of(SeedConfig), _seed))


def _seed(**options: Any) -> None:
    """Load the accounts, and check that all of them are there.

    Interrupted, it goes on where it stopped when the same command is given again.

    Examples:

    `occbench seed --accounts 1000000`

    `occbench seed --target postgresql://me@db.example/test --keys uuid --workers 16`
    """
    from loadtest.process.progress import Progress
    from loadtest.targets import open_target
    from loadtest.workload.builtin import find_scenario
    from seed import SeedPlan, SeedProgress, export_keys, seed

    config = SeedConfig.read(**options)
    accounts = config.accounts
    if accounts is None and config.keys_from is None:
        accounts = 1_000_000
    plan = SeedPlan(
        key_types=config.keys,
        accounts=accounts,
        workers=config.workers,
        batch=config.batch,
        seed=config.seed,
        balance=config.balance,
        recreate=config.recreate,
        keys_from=config.keys_from,
        force=config.force,
    )
    target = open_target(config.spec())
    target.start()
    with Progress() as display:
        result = seed(plan, target, find_scenario(config.scenario), SeedProgress(display))
    for table in result.tables:
        how = (
            "was there already, count and total are right"
            if table.already_complete
            else f"{table.loaded:,} loaded in {table.seconds:.1f} s, count and total are right"
        )
        print(f"{table.table}: {table.accounts:,} accounts, {how}")
    if config.export_keys is not None and accounts is not None:
        export_keys(config.export_keys, config.keys[0], config.seed, accounts)
        print(f"{config.export_keys}: {accounts:,} keys")
