"""`occbench …`: a command from its start to its exit status."""

import signal
import sys

import typer

from loadtest import streams
from loadtest.application import app
from loadtest.errors import INTERRUPTED, InputError, OccbenchError

_OUTPUT_IS_ALL = {"predict", "list", "db", "cluster"}
"""Commands that leave nothing but what they print."""


def main() -> None:
    """Run a command; every error is one line on stderr and an exit status."""
    streams.set_up()
    status = _run()
    if (why := streams.why_lost()) is not None:
        print(f"occbench: not all that was to be printed could be written: {why}", file=sys.stderr)
        if not _OUTPUT_IS_ALL.isdisjoint(sys.argv[1:2]):
            status = status or OccbenchError.exit_code
    sys.exit(status)


def _run() -> int:
    try:
        result = app(standalone_mode=False)
    except OccbenchError as error:
        print(f"occbench: {error}", file=sys.stderr)
        return error.exit_code
    except typer.TyperException as error:
        # Without any words the help has been shown, and there is nothing to say.
        if message := error.format_message():
            print(f"occbench: {message}", file=sys.stderr)
        return InputError.exit_code
    except (KeyboardInterrupt, typer.Abort):
        # Somebody who presses twice gets the same line and status.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("occbench: interrupted", file=sys.stderr)
        return INTERRUPTED
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
