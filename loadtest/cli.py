"""`occbench …`: the application, its commands in the order of its help, and its exit status."""

import signal
import sys

import typer

from loadtest.commands import (
    choices,
    cluster,
    compare,
    db,
    predict,
    report,
    run,
    seed,
    simulate,
    sweep,
)
from loadtest.errors import INTERRUPTED, InputError, OccbenchError
from loadtest.messages import of_arguments, without_secrets

app = typer.Typer(
    name="occbench",
    help="What does contention cost on a database with optimistic concurrency control?",
    epilog="Start with: occbench demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

for _commands in (run, seed, sweep, report, compare, predict, simulate, choices, db, cluster):
    _commands.register(app)


def main() -> None:
    """Run a command; every error is one line on stderr and an exit status."""
    sys.exit(_run())


def _run() -> int:
    try:
        result = app(standalone_mode=False)
    except OccbenchError as error:
        print(f"occbench: {without_secrets(str(error))}", file=sys.stderr)
        return error.exit_code
    except typer.TyperException as error:
        said = of_arguments(error.format_message(), sys.argv[1:])
        print(f"occbench: {said}", file=sys.stderr)
        return InputError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        # Somebody who presses twice gets the same line and status.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("occbench: interrupted", file=sys.stderr)
        return INTERRUPTED
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
