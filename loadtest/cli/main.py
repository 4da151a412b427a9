"""`occbench …`: from the first signal that may come to the exit status."""

import signal
import sys

from loadtest.errors import INTERRUPTED, InputError, OccbenchError, in_a_line
from loadtest.process import streams
from loadtest.process.environment import forget_settings_of_libraries
from loadtest.process.interrupts import Interrupted, asked_to_end, leave, signals

_INTERRUPTED = "occbench: interrupted\n"
_OUTPUT_IS_ALL = {"predict", "list", "db", "cluster"}
"""Commands that leave nothing but what they print."""


def main() -> None:
    """Run a command; every error is one line on stderr and an exit status."""
    forget_settings_of_libraries()
    with asked_to_end(lambda: leave(message=_INTERRUPTED)):
        # Nothing has begun: asked to end now, the process ends in the middle of an import.
        streams.set_up()
        from loadtest.cli.application import app  # noqa: F401
    interrupted = Interrupted()
    with interrupted.raised():
        status = _run(interrupted)
        if streams.say_what_is_lost() and not _OUTPUT_IS_ALL.isdisjoint(sys.argv[1:2]):
            status = status or OccbenchError.exit_code
        if interrupted or status == INTERRUPTED:
            leave(status)
    # All is done, and Python's way out would print where it is interrupted.
    for number in signals():
        signal.signal(number, signal.SIG_DFL)
    sys.exit(status)


def _run(interrupted: Interrupted) -> int:
    import typer

    from loadtest.cli.application import app
    from loadtest.errors.messages import of_arguments, without_secrets

    try:
        result = app(standalone_mode=False)
    except OccbenchError as error:
        print(f"occbench: {without_secrets(str(error))}", file=sys.stderr)
        return error.exit_code
    except typer.TyperException as error:
        message = error.format_message()
        if message.startswith("Usage: "):
            # Without any words the help is all there is to say.
            print(message, file=sys.stderr)
        else:
            print(f"occbench: {of_arguments(message, sys.argv[1:])}", file=sys.stderr)
        return InputError.exit_code
    except BaseException as error:
        # Interrupted in an import or a callback it may look like anything.
        if interrupted or isinstance(error, (KeyboardInterrupt, typer.Abort)):
            result = INTERRUPTED
        elif isinstance(error, OSError):
            print(f"occbench: {without_secrets(in_a_line(error))}", file=sys.stderr)
            return OccbenchError.exit_code
        else:
            raise
    if interrupted and result == INTERRUPTED:
        sys.stderr.write(_INTERRUPTED)
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    main()
