"""`occbench db …`: the database that comes with the tool."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loadtest.cli.shared_options import DataFolder

if TYPE_CHECKING:
    from loadtest.targets.embedded.server import EmbeddedServer
    from loadtest.targets.embedded.target import EmbeddedTarget

db = typer.Typer(
    help="Start, show and remove the PostgreSQL that comes with the tool.",
    no_args_is_help=True,
)


Force = Annotated[bool, typer.Option("--force", help="Do it even while a run is going on.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(db, name="db")


@db.command("start")
def _db_start(data: DataFolder = None) -> None:
    """Start the server, and make the database at first use.

    Example: `occbench db start --data /tmp/occbench`
    """
    target = _embedded("optimistic", data)
    target.start()
    _say(target.server)


@db.command("stop")
def _db_stop(data: DataFolder = None, force: Force = False) -> None:
    """Stop the server; the data stays.

    Example: `occbench db stop`
    """
    target = _embedded("optimistic", data)
    _refuse_during_a_run(target, force)
    server = target.server
    server.stop()
    _say(server)


@db.command("status")
def _db_status(data: DataFolder = None) -> None:
    """Say whether the server runs, where its data is, what is seeded.

    Example: `occbench db status`
    """
    target = _embedded("optimistic", data)
    _say(target.server)
    if target.server.pid is not None:
        from seed import contents

        for table in contents(target):
            state = "" if table.complete else " (loaded in part)"
            print(f"{table.table}: {table.accounts:,} accounts{state}")


@db.command("reset")
def _db_reset(data: DataFolder = None, force: Force = False) -> None:
    """Throw the database away and start with an empty one.

    Example: `occbench db reset`
    """
    target = _embedded("optimistic", data)
    _refuse_during_a_run(target, force)
    target.server.reset()
    target.start()
    _say(target.server)


@db.command("url")
def _db_url(
    regime: Annotated[str, typer.Option(help="optimistic or locking.")] = "optimistic",
    data: DataFolder = None,
) -> None:
    """Print the database's URL, as psql and pgbench take it.

    Example: `psql "$(occbench db url --regime locking)"`
    """
    target = _embedded(regime, data)
    target.start()
    print(target.server.url(target.regime, major=_major_of_psql()))


def _refuse_during_a_run(target: "EmbeddedTarget", force: bool) -> None:
    from loadtest.process.in_use import refuse_during

    if not force:
        refuse_during(target.in_use([]), f"the database in {target.server.data_folder}")


def _major_of_psql() -> int:
    """The version of the psql that would be started; older ones refuse a URL with newer options."""
    from loadtest.targets.embedded.address import NEWEST

    if (psql := shutil.which("psql")) is None:
        return NEWEST
    answer = subprocess.run([psql, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"\) (\d+)", answer)  # psql (PostgreSQL) 15.18 (Debian …)
    return int(version[1]) if version else NEWEST


def _say(server: "EmbeddedServer") -> None:
    from loadtest.targets.embedded.binaries import server_version

    state = "stopped" if server.pid is None else f"running, process {server.pid}"
    print(f"PostgreSQL {server_version()}: {state}")
    print(f"data: {server.data_folder} ({server.size_bytes / 2**20:,.0f} MB)")


def _embedded(regime: str, data: Path | None) -> "EmbeddedTarget":
    from loadtest.targets import parse_target
    from loadtest.targets.embedded.target import EmbeddedTarget

    # As an option and not in the URL: a folder's name may hold what a URL gives a meaning to.
    target = EmbeddedTarget(parse_target(f"embedded://{regime}"))
    if data is not None:
        target.use(data)
    return target
