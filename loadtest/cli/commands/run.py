"""`occbench run`, `occbench ui` and `occbench demo`."""

import subprocess
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from loadtest.cli.reporter import Reporter
from loadtest.cli.shared_options import DataFolder, Gates, drop_old_files
from loadtest.config.options import as_command, options_of
from loadtest.config.run import RunConfig
from loadtest.errors import OccbenchError
from loadtest.errors.typed import whole_between
from loadtest.process.child import occbench_command
from loadtest.process.interrupts import asked_to_end

_DEMO_SKEW = "zipf:0.8"
_DEMO_DELAY_MS = 10


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(_demo)
    app.command("run")(as_command(options_of(RunConfig), _run_load, Gates))
    app.command("ui")(as_command(options_of(RunConfig), _ui))


def _demo(
    data: DataFolder = None,
    accounts: Annotated[
        int, typer.Option(help="Accounts of each key type.", parser=whole_between(2))
    ] = 1_000_000,
    users: Annotated[int, typer.Option(help="Users at the same time.", parser=whole_between(1))] = 64,
    duration: Annotated[str, typer.Option(help="How long to measure.")] = "40s",
    out: Annotated[Path, typer.Option(help="Where the run's folder is made.")] = Path("results"),
) -> None:
    """Seed, run and report in two minutes, on this machine alone.

    A million integer and a million UUID accounts in the embedded database, transfers between them
    by many users over popular and less popular accounts, and a commit that takes 10 ms, as between
    two Regions.

    Example: `occbench demo --users 128 --duration 60s`
    """
    folder = f"&data={quote(str(data.resolve()))}" if data else ""
    keys = ("--keys", "int,uuid", "--target", f"embedded?commit_delay_ms={_DEMO_DELAY_MS}{folder}")
    print(f"1/2  {accounts:,} accounts of each key type in the embedded PostgreSQL", flush=True)
    _step("seed", *keys, "--accounts", str(accounts))
    print(
        f"2/2  transfers by {users} users: access {_DEMO_SKEW}, commits take {_DEMO_DELAY_MS} ms",
        flush=True,
    )
    _step(
        "run", *keys, "--users", str(users), "--duration", duration, "--warmup", "3s",
        "--skew", _DEMO_SKEW, "--label", "demo", "--out", str(out),
    )  # fmt: skip


def _step(*words: str) -> None:
    """Run one command in a process of its own: loading uses threads, running must not.

    Raises OccbenchError with its exit status where it failed.
    """
    process = subprocess.Popen(occbench_command(*words))
    # Asked to end, it has something to save. Ctrl-C in the terminal reaches it as well.
    with asked_to_end(process.terminate):
        status = process.wait()
    if status:
        error = OccbenchError(f"`occbench {words[0]}` ended with status {status}")
        error.exit_code = status
        raise error


def _run_load(gates: Gates, /, **options: Any) -> None:
    """Run transactions and write a report.

    Ctrl-C stops early: what was measured is kept and reported. Gates (`--fail-on`) are judged when the
    report is written; one that is missed makes the status 1.

    Examples:

    `occbench run --users 64 --duration 2m`

    `occbench run --accounts 1000 --skew zipf:0.9 --retry decorrelated-jitter`

    `occbench run --rate 500 --keys uuid --target 'embedded?commit_delay_ms=20'`

    `occbench run --target 'a=embedded?commit_delay_ms=12' --target 'b=embedded?commit_delay_ms=35'`

    `occbench run --fail-on 'p99 > 50ms' --fail-on 'conflict_rate > base + 10%' --base results/main`
    """
    drop_old_files(gates.get("junit"), gates.get("markdown"))
    config = RunConfig.read(**options)
    with Reporter(gates) as reporter:
        # First of all that waits, see headless.py.
        from loadtest.engine.plan import Plan
        from loadtest.locust.headless import run_headless
        from seed import contents, key_source

        reporter.expect(config)

        def expect_of(plan: Plan) -> None:
            # Without --accounts only the tables say how many there are.
            if config.accounts is None:
                reporter.expect(config.model_copy(update={"accounts": plan.accounts}))

        try:
            folder, interrupted = run_headless(config, contents, key_source, expect_of)
        except OccbenchError as error:
            reporter.nothing_measured(config.label, str(error))
            raise
        raise typer.Exit(reporter.conclude(folder, interrupted=interrupted))


def _ui(
    *,
    host: Annotated[str, typer.Option(help="Where the page listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port.", parser=whole_between(1, 65535))] = 8089,
    **options: Any,
) -> None:
    """Open Locust's web page, with the run's options in its form.

    Examples:

    `occbench ui`

    `occbench ui --users 64 --accounts 1000 --port 8090`
    """
    config = RunConfig.read(**options)
    from loadtest.locust.page.launch import launch

    raise typer.Exit(launch(config, host, port))
