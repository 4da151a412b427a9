"""The process that makes the report at the end of a run, wherever the run was started.

It draws charts, and asks the record, with libraries that do not belong where Locust has made the
standard library cooperative. It is started before any load: what it imports costs no time then, and
what cannot be drawn or judged is refused. Until the run has ended it waits.
"""

import json
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Any, Literal, Self

from loadtest.config.run import RunConfig
from loadtest.errors import INTERRUPTED, InputError, OccbenchError, TargetError, in_a_line
from loadtest.process import streams
from loadtest.process.child import reporter_command
from loadtest.process.interrupts import asked_to_end

if TYPE_CHECKING:
    from loadtest.cli.conclusion import Conclusion

_Interrupts = Literal["raised", "passed on", "ignored"]
_ERRORS = {error.exit_code: error for error in (OccbenchError, InputError, TargetError)}


class Reporter:
    """The process, as the one that makes load sees it; ended with the context."""

    def __init__(self, gates: Mapping[str, Any] | None = None) -> None:
        """Start it. `gates` are the options of `Gating.read`."""
        self._connection, its_own = socket.socketpair()
        with its_own:
            self._process = subprocess.Popen(
                reporter_command(str(its_own.fileno()), json.dumps(gates or {}, default=str)),
                stdin=subprocess.DEVNULL,
                pass_fds=(its_own.fileno(),),
                # A session of its own: Ctrl-C in the terminal is for the run.
                start_new_session=True,
            )
        self._answers = self._connection.makefile("r", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def expect(self, *configs: RunConfig) -> None:
        """See that these runs can be reported on, and judged by the gates; raises InputError."""
        self._ask("expect", configs=[config.model_dump(mode="json") for config in configs])

    def conclude(self, folder: Path, *, interrupted: bool = False, ends_early: bool = True) -> int:
        """Report on the run or sweep in this folder and judge it; returns the exit status.

        The process prints its answer. Without `ends_early` it goes on where this one is asked to
        end. Raises OccbenchError with what went wrong.
        """
        interrupts: _Interrupts = "passed on" if ends_early else "ignored"
        return self._ask("conclude", interrupts, folder=str(folder), interrupted=interrupted)

    def nothing_measured(self, name: str, why: str) -> None:
        """Say so in the files that were asked for: those of a run before are none of this one's."""
        self._ask("nothing_measured", name=name, why=why)

    def _ask(self, what: str, interrupts: _Interrupts = "raised", **given: Any) -> int:
        # What was printed here comes before what is printed there.
        sys.stdout.flush()
        told = self._exchange({"what": what, **given}, interrupts)
        if "error" in told:
            raise _ERRORS.get(told["status"], OccbenchError)(told["error"])
        return int(told["status"])

    def _exchange(self, request: Mapping[str, Any], interrupts: _Interrupts) -> dict[str, Any]:
        line, passed_on = "", False
        with suppress(BrokenPipeError, ConnectionResetError):
            self._connection.sendall(f"{json.dumps(request)}\n".encode())
            while True:
                try:
                    line = self._answers.readline()
                    break
                except KeyboardInterrupt:
                    if interrupts == "raised":
                        raise
                    if interrupts == "passed on":
                        passed_on = True
                        self._process.send_signal(SIGINT)
        if line:
            return dict(json.loads(line))
        if passed_on:
            return {"status": INTERRUPTED}
        raise OccbenchError("the process that makes the report has ended before it was made")


def main() -> None:
    """The process itself."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    streams.set_up()
    with (
        suppress(KeyboardInterrupt),
        asked_to_end(interrupt),
        socket.socket(fileno=int(sys.argv[1])) as connection,
    ):
        # It does not block where gevent has made it.
        connection.setblocking(True)
        _serve(connection, json.loads(sys.argv[2]))


def _serve(connection: socket.socket, gates: Mapping[str, Any]) -> None:
    """Answer what a Reporter asks, until it asks no more."""
    conclusion = _conclusion(gates)
    with connection.makefile("r", encoding="utf-8") as requests:
        while True:
            try:
                line = requests.readline()
            except KeyboardInterrupt:
                # The run is asked to end as well, and says what becomes of it.
                continue
            if not line:
                return
            told = answer(conclusion, **json.loads(line))
            if (why := streams.why_lost()) is not None:
                print(
                    f"occbench: not all that was to be printed could be written: {why}", file=sys.stderr
                )
            sys.stderr.flush()
            connection.sendall(f"{json.dumps(told)}\n".encode())


def _conclusion(gates: Mapping[str, Any]) -> "Conclusion | OccbenchError":
    try:
        from loadtest.cli.conclusion import Conclusion
    except OccbenchError as error:
        return error
    return Conclusion(gates)


def answer(conclusion: "Conclusion | OccbenchError", what: str, **given: Any) -> dict[str, Any]:
    """Do what a Reporter asks for; returns the exit status, and an error's text."""
    try:
        if isinstance(conclusion, OccbenchError):
            raise conclusion
        return {"status": getattr(conclusion, what)(**given) or 0}
    except OccbenchError as error:
        return {"error": str(error), "status": error.exit_code}
    except OSError as error:
        return {"error": in_a_line(error), "status": OccbenchError.exit_code}
    except KeyboardInterrupt:
        return {"status": INTERRUPTED}
    except Exception:
        traceback.print_exc()
        return {"status": OccbenchError.exit_code}
