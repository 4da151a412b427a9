"""`occbench …`: the commands. Each hands its options to the room that does the work."""

import os
import sys
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.config import RunConfig, SeedConfig
from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.options import as_command

if TYPE_CHECKING:
    from loadtest.targets.embedded.server import ServerStatus
    from loadtest.targets.embedded.target import EmbeddedTarget

app = typer.Typer(
    name="occbench",
    help="What does contention cost on a database with optimistic concurrency control?",
    epilog="Start with: occbench demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
db = typer.Typer(
    help="The PostgreSQL that comes with the tool: start it, look into it, throw it away.",
    no_args_is_help=True,
)
app.add_typer(db, name="db")
cluster = typer.Typer(
    help="Clusters of Aurora DSQL: make them, list them, delete those that this tool made.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(cluster, name="cluster")

INTERRUPTED = 130

_DATA = typer.Option(help="Its data folder.", show_default="OCCBENCH_DATA, or this user's data folder")
DataFolder = Annotated[Path | None, _DATA]


def main() -> None:
    """Run a command; every error is one line on stderr and an exit status."""
    sys.exit(_run())


def _run() -> int:
    try:
        result = app(standalone_mode=False)
    except OccbenchError as error:
        print(f"occbench: {error}", file=sys.stderr)
        return error.exit_code
    except typer.TyperException as error:
        print(f"occbench: {error.format_message()}", file=sys.stderr)
        return InputError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("occbench: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _seed(**options: Any) -> None:
    """Load the accounts: tables, rows, and a check that all of them are there.

    Interrupted, it goes on where it stopped when the same command is given again.

    Examples:

    `occbench seed --accounts 1000000`

    `occbench seed --target postgresql://me@db.example/test --keys uuid --workers 16`
    """
    from loadtest.scenarios import find_scenario
    from loadtest.targets import open_target
    from seed import SeedPlan, export_keys, progress_for, seed

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
    )
    target = open_target(config.spec())
    target.start()
    with progress_for(sys.stderr) as progress:
        result = seed(plan, target, find_scenario(config.scenario), progress)
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


def _run_load(**options: Any) -> None:
    """Run transactions and write a report.

    Ctrl-C stops early: what was measured is kept and reported.

    Examples:

    `occbench run --users 64 --duration 2m`

    `occbench run --accounts 1000 --skew zipf:0.9 --retry decorrelated-jitter`

    `occbench run --rate 500 --keys uuid --target 'embedded?commit_delay_ms=20'`

    `occbench run --target 'a=embedded?commit_delay_ms=12' --target 'b=embedded?commit_delay_ms=35'`
    """
    config = RunConfig.read(**options)
    # Before anything that waits is imported, see headless.py.
    from loadtest.headless import run_headless
    from seed import contents, key_source

    folder, interrupted = run_headless(config, contents, key_source)
    from loadtest import service_metrics

    if (missing := service_metrics.after_run(folder)) is not None:
        print(f"occbench: {missing}", file=sys.stderr)
    try:
        _write_report(folder)
    except InputError as error:
        # Interrupted within the warm-up there is a record, but nothing in it to report.
        if not interrupted:
            raise
        print(f"occbench: {error}", file=sys.stderr)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    from reports import invariant_holds

    if invariant_holds(folder) is False:
        raise typer.Exit(OccbenchError.exit_code)


def _write_report(folder: Path, dpu_price: float | None = None) -> None:
    from reports import answer_of, write_report

    path = write_report(folder, dpu_price)
    print(answer_of(folder))
    print(path)


def _ui(host: str, port: int, **options: Any) -> None:
    """Open Locust's web page, with the run's options as fields of its form.

    Examples:

    `occbench ui`

    `occbench ui --users 64 --accounts 1000 --port 8090`
    """
    config = RunConfig.read(**options)
    from loadtest.webui.launch import launch

    raise typer.Exit(launch(config, host, port))


_HOST = Parameter(
    "host",
    Parameter.KEYWORD_ONLY,
    default="127.0.0.1",
    annotation=Annotated[str, typer.Option("--host", help="Where the page listens.")],
)
_PORT = Parameter(
    "port",
    Parameter.KEYWORD_ONLY,
    default=8089,
    annotation=Annotated[int, typer.Option("--port", help="Its port.", min=1, max=65535)],
)


@app.command("demo")
def _demo(
    data: DataFolder = None,
    accounts: Annotated[int, typer.Option(help="Accounts of each key type.", min=2)] = 1_000_000,
    users: Annotated[int, typer.Option(help="Users at the same time.", min=1)] = 64,
    duration: Annotated[str, typer.Option(help="How long to measure.")] = "40s",
    out: Annotated[Path, typer.Option(help="Where the run's folder is made.")] = Path("results"),
) -> None:
    """Everything once, in about two minutes: seed, run, report; needs nothing but this machine.

    A million integer and a million UUID accounts in the embedded database, transfers between them
    by many users over popular and less popular accounts, and a commit that takes 10 ms, as between
    two Regions.

    Example: `occbench demo --users 128 --duration 60s`
    """
    from loadtest.demo import demo

    demo(accounts=accounts, users=users, duration=duration, data=data, out=out)


app.command("seed")(as_command(SeedConfig, _seed))
app.command("run")(as_command(RunConfig, _run_load))
app.command("ui")(as_command(RunConfig, _ui, (_HOST, _PORT)))


@app.command("report")
def _report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Folders of runs.")],
    refresh: Annotated[
        bool,
        typer.Option("--refresh", help="First fetch what Aurora DSQL counted, from CloudWatch."),
    ] = False,
    dpu_price: Annotated[
        str | None,
        typer.Option(
            help=RunConfig.model_fields["dpu_price"].description,
            show_default="the run's own",
            metavar="USD",
        ),
    ] = None,
) -> None:
    """Write the report of a run again, from its record.

    Examples:

    `occbench report results/*`

    `occbench report --refresh results/20260101-120000-transfer`
    """
    from loadtest import service_metrics

    price = None if dpu_price is None else RunConfig.read(dpu_price=dpu_price).dpu_price
    failed = False
    for run in runs:
        if refresh:
            try:
                print(f"{run}: {service_metrics.refresh(run)}", file=sys.stderr)
            except TargetError as error:
                # What can be reported without it is.
                print(f"occbench: {error}", file=sys.stderr)
                failed = True
        _write_report(run, price)
    if failed:
        raise typer.Exit(TargetError.exit_code)


@app.command("predict")
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


@app.command("list")
def _list(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="scenarios, targets or retries")],
) -> None:
    """List what can be chosen: scenarios, targets or retries.

    Example: `occbench list retries`
    """
    from loadtest.retry import POLICIES
    from loadtest.scenarios import SCENARIOS
    from loadtest.targets import FAMILIES

    lists = {
        "scenarios": {name: scenario.summary for name, scenario in SCENARIOS.items()},
        "targets": {name: text for name, (_, text) in FAMILIES.items()},
        "retries": {name: text for name, (_, text) in POLICIES.items()},
    }
    if what not in lists:
        raise InputError(f"there is no list of {what!r}; there is {', '.join(lists)}")
    width = max(map(len, lists[what]))
    for name, text in lists[what].items():
        print(f"{name:<{width}}  {text}")


@db.command("start")
def _db_start(data: DataFolder = None) -> None:
    """Start the server, and make the database at first use.

    Example: `occbench db start --data /tmp/occbench`
    """
    target = _embedded("optimistic", data)
    target.start()
    _say(target.server.status())


@db.command("stop")
def _db_stop(data: DataFolder = None) -> None:
    """Stop the server; the data stays.

    Example: `occbench db stop`
    """
    server = _embedded("optimistic", data).server
    server.stop()
    _say(server.status())


@db.command("status")
def _db_status(data: DataFolder = None) -> None:
    """Say whether the server runs, where its data is, and what is seeded.

    Example: `occbench db status`
    """
    target = _embedded("optimistic", data)
    status = target.server.status()
    _say(status)
    if status.running:
        from seed import contents

        for found in contents(target):
            state = "" if found.complete else " (loaded in part)"
            print(f"{found.table}: {found.accounts:,} accounts{state}")


@db.command("reset")
def _db_reset(data: DataFolder = None) -> None:
    """Throw the database away and start with an empty one.

    Example: `occbench db reset`
    """
    target = _embedded("optimistic", data)
    target.server.reset()
    target.start()
    _say(target.server.status())


@db.command("url")
def _db_url(
    regime: Annotated[str, typer.Option(help="optimistic or locking.")] = "optimistic",
    data: DataFolder = None,
) -> None:
    """Print a URL for psql and pgbench, which then see the tables in that regime.

    Example: `psql "$(occbench db url --regime locking)"`
    """
    target = _embedded(regime, data)
    target.start()
    print(target.server.url(target.regime))


_REGIONS = typer.Option(
    "--region", help="Where: one Region, or several with commas between.", metavar="REGION"
)
_PROFILE = typer.Option(
    help="The profile of the AWS configuration whose credentials are used.", metavar="NAME"
)


@cluster.command("create")
def _cluster_create(
    region: Annotated[str, typer.Option(help="Where: us-east-1.", metavar="REGION")],
    name: Annotated[str | None, typer.Option(help="Its tag Name.", metavar="NAME")] = None,
    profile: Annotated[str | None, _PROFILE] = None,
    deletion_protection: Annotated[
        bool, typer.Option(help="Whether deleting it takes --lift-protection as well.")
    ] = False,
    peer_region: Annotated[
        str | None, typer.Option(help="Make a linked pair, the other half here.", metavar="REGION")
    ] = None,
    witness_region: Annotated[
        str | None,
        typer.Option(help="The third Region of a linked pair, without an endpoint.", metavar="REGION"),
    ] = None,
) -> None:
    """Make a cluster, or a linked pair, wait until it is active, and print its `--target`.

    A cluster costs what is done with it and what it stores, until it is deleted. Ctrl-C while waiting
    leaves it there and says how to delete it.

    Examples:

    `occbench cluster create --region us-east-1 --name contention`

    `occbench cluster create --region us-east-1 --peer-region us-east-2 --witness-region us-west-2`
    """
    from loadtest import clusters

    wish = clusters.Wish(region, name, deletion_protection, peer_region, witness_region)
    made = clusters.create(clusters.ControlPlane(profile), wish, _progress)
    print("\n".join(clusters.how_to_use(made, profile)))


@cluster.command("list")
def _cluster_list(
    region: Annotated[str, _REGIONS],
    profile: Annotated[str | None, _PROFILE] = None,
) -> None:
    """List the clusters of one or more Regions, and say which of them this tool made.

    Example: `occbench cluster list --region us-east-1,us-east-2`
    """
    from loadtest import clusters

    control = clusters.ControlPlane(profile)
    regions = clusters.read_regions("--region", region)
    found = [one for where in regions for one in control.all(where)]
    print("\n".join(clusters.listing(found)) if found else f"no clusters in {', '.join(regions)}")


@cluster.command("delete")
def _cluster_delete(
    identifiers: Annotated[list[str], typer.Argument(metavar="ID…", help="Clusters to delete.")],
    region: Annotated[str, _REGIONS],
    profile: Annotated[str | None, _PROFILE] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    lift_protection: Annotated[
        bool, typer.Option("--lift-protection", help="Delete it even if deletion protection is on.")
    ] = False,
) -> None:
    """Delete clusters that this tool made, with all their data, after showing them and asking.

    A cluster without the tag `occbench` is never deleted. Of a linked pair both halves go. Deletion
    protection is lifted only with --lift-protection.

    Example: `occbench cluster delete 4qabtsb7zhyjwvo2pmhqx4l5ny --region us-east-1`
    """
    from loadtest import clusters

    control = clusters.ControlPlane(profile)
    found = clusters.find(control, identifiers, clusters.read_regions("--region", region))
    clusters.check_deletable(found, lift_protection=lift_protection)
    print("\n".join(clusters.listing(found)), flush=True)
    if not yes:
        clusters.confirm(found)
    clusters.delete(control, found, _progress)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _say(status: "ServerStatus") -> None:
    state = f"running, process {status.pid}" if status.running else "stopped"
    print(f"PostgreSQL {status.version}: {state}")
    print(f"data: {status.data_folder} ({status.size_bytes / 2**20:,.0f} MB)")


def _embedded(regime: str, data: Path | None) -> "EmbeddedTarget":
    from loadtest.targets import parse_target
    from loadtest.targets.embedded.target import EmbeddedTarget

    # As an option and not in the URL: a folder's name may hold what a URL gives a meaning to.
    target = EmbeddedTarget(parse_target(f"embedded://{regime}"))
    if data is not None:
        target.use(data)
    return target


if __name__ == "__main__":
    main()
