"""One execution environment of a function: a process that has loaded it, and serves one call at a time.

Run by path and not as a module, with nothing but the function's own package to import from: what is
missing there is missing in Lambda. Calls come as lines of JSON, `{"event", "fault"}`; an answer is
`{"answer"}` or `{"raised"}`.
"""

import importlib
import json
import os
import sys
import time
from typing import Any


def main(package: str, name: str) -> None:
    """Load `module.function` from the package's folder and serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    # What a function prints goes to its log.
    os.dup2(2, 1)
    sys.path[0] = package

    def say(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    module, _, function = name.partition(".")
    try:
        handler = getattr(importlib.import_module(module), function)
    except ModuleNotFoundError as error:
        say(raised=_error(f"Unable to import module '{module}': {error}", "Runtime.ImportModuleError"))
        return
    except AttributeError:
        say(raised=_error(f"Handler '{function}' missing on '{module}'", "Runtime.HandlerNotFound"))
        return
    say(ready=True)
    for line in sys.stdin:
        call = json.loads(line)
        fault = call["fault"]
        try:
            if fault == "raise":
                raise KeyError("a bug in the function")
            answer = handler(call["event"], None)
            if fault == "hang":
                time.sleep(60)
            if fault == "exit":
                os._exit(1)
            say(answer=answer)
        except Exception as error:
            say(raised=_error(str(error), type(error).__name__))


def _error(message: str, kind: str) -> dict[str, Any]:
    return {"errorMessage": message, "errorType": kind, "stackTrace": []}


if __name__ == "__main__":
    main(*sys.argv[1:3])
