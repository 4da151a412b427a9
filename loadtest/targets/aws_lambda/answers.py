"""What an answer means: Lambda's own, and the function's."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from loadtest.errors.messages import one_line
from loadtest.record.attempt import MOST_REMOTE_RETRIES
from loadtest.record.outcome import CONFLICTS, outcome_of
from loadtest.targets.aws import errors as aws
from loadtest.targets.base.calls import INSUFFICIENT_FUNDS
from loadtest.targets.base.target import ABSENT, Remote, StatementFailed

FUNCTION_FAILED = "38000"
"""SQL's own word for an error within an external routine."""
NOT_INVOKED = "39000"
"""And for a routine that could not be called."""
NO_SUCH_FUNCTION = "42883"
NO_SUCH_ACCOUNT = "P0002"
"""What the function says of a key that is not in its table."""
THROTTLED = "53400"
ENVELOPE = (
    "its answer has neither a balance nor an error: it is in the envelope of an API gateway, "
    '{"statusCode": …, "body": …}'
)
_LOST = "08006"
_NOT_READY = "57P03"
"""Being made, updated, or woken up: nothing has run, and it will be there in a moment."""

_SQLSTATES = {
    **aws.SQLSTATES,
    "ResourceNotFound": NO_SUCH_FUNCTION,
    **dict.fromkeys(("ResourceConflict", "ResourceNotReady", "SnapStartNotReady"), _NOT_READY),
}
_BY_STATUS = {429: THROTTLED, 404: NO_SUCH_FUNCTION, 403: "42501"}

# What Lambda says of a call in names of its own: the environment went away with it, or what the
# function returned could not be passed on. How far it had come is unknown; it may be done.
_OF_LAMBDA = re.compile(r"(?:Runtime|Function|Sandbox|Extension)\.[A-Z]")
# Except for these, after which the handler was never called: names of the runtime interface emulator
# (rapid/fatalerror) and of the runtime clients for Python and Node.js, 2026.
_NEVER_CALLED = frozenset(
    {
        "Extension.InitError", "Extension.LaunchError", "Runtime.AfterRestoreError",
        "Runtime.BeforeSnapshotError", "Runtime.BuiltInModuleConflict",
        "Runtime.CallbackHandlerDeprecated", "Runtime.HandlerNotFound", "Runtime.ImportModuleError",
        "Runtime.InvalidEntrypoint", "Runtime.InvalidTaskConfig", "Runtime.InvalidWorkingDir",
        "Runtime.LambdaContextUnmarshalError", "Runtime.MalformedHandlerName",
        "Runtime.MalformedStreamingHandler", "Runtime.NativeClientLoading", "Runtime.UnmarshalError",
        "Runtime.UserCodeSyntaxError",
    }
)  # fmt: skip
# The same without a name, or with that of an exception, as the runtimes of Python, Node.js, Java, .NET
# and Go say it.
_CAME_TO_AN_END = (
    "Task timed out after",
    "Runtime exited",
    "Process exited before completing request",
    "Unable to marshal response",
    "Unable to stringify response body",
    "during JSON serialization of response",
    "Error converting the response object",
    "json: unsupported type",
)

# Connection exceptions after which nothing has happened: there was no connection to begin with.
_NEVER_CONNECTED = frozenset({"08001", "08003", "08004", _NOT_READY})
_SQLSTATE = re.compile(r"(?=.*\d)[0-9A-Z]{5}")
_MILLISECONDS = re.compile(r"\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?:ms)?\s*")


class ServiceFailed(StatementFailed):
    """Lambda's own answer and not the function's; `kind` is the name of the error."""

    __slots__ = ("kind", "words")

    def __init__(self, sqlstate: str, kind: str, words: str, *, unknown: bool) -> None:
        message = f"{kind}: {words}" if kind else words
        super().__init__(sqlstate, message, commit_sent=unknown, connected=True)
        self.kind, self.words = kind, words


def service_failed(status: int, kind: str, body: bytes) -> ServiceFailed:
    """Lambda did not call the function, or does not know what became of the call.

    `kind` is the error's name as the header `x-amzn-errortype` gives it.
    """
    kind = kind.partition(":")[0].rpartition("#")[2]
    answer = object_of(body)
    words = str(answer.get("message") or answer.get("Message") or f"HTTP status {status}")
    reason = answer.get("Reason")
    sqlstate = _SQLSTATES.get(aws.bare_code(kind)) or _BY_STATUS.get(status)
    if sqlstate is None:
        # A 502 with a name of its own says why the function could not be started.
        could_not_start = status == 502 and kind.endswith("Exception") and kind != "ServiceException"
        sqlstate = NOT_INVOKED if status < 500 or could_not_start else _LOST
    words = one_line(f"{words} ({reason})" if reason else words)
    return ServiceFailed(sqlstate, kind, words, unknown=sqlstate == _LOST)


def function_failed(body: bytes) -> StatementFailed:
    """The function raised an error, ran out of time or memory, or could not be loaded."""
    answer = object_of(body)
    kind, words = (
        str(answer.get("errorType") or ""),
        str(answer.get("errorMessage") or "no reason given"),
    )
    unknown = kind not in _NEVER_CALLED and (
        _OF_LAMBDA.match(kind) is not None or any(end in words for end in _CAME_TO_AN_END)
    )
    return StatementFailed(
        FUNCTION_FAILED,
        one_line(f"{kind}: {words}" if kind else words),
        commit_sent=unknown,
        connected=not unknown,
        final=True,
    )


def answered_error(answer: Mapping[str, Any], *, final: bool) -> StatementFailed | None:
    """The error that a function's answer tells of, or None where the transfer is done or refused.

    `final`: the function has tried again as often as it was to.
    """
    code = str(answer.get("errorCode") or "")
    if code == INSUFFICIENT_FUNDS:
        return None
    if not code and not answer.get("error"):
        if "balance" in answer:
            return None
        return StatementFailed(
            FUNCTION_FAILED,
            ENVELOPE
            if "statusCode" in answer or "body" in answer
            else "its answer has neither a balance nor an error, so it does no transfers",
            commit_sent=False,
            connected=True,
            final=True,
        )
    message = str(answer.get("error") or "no reason given")
    sqlstate = code if _SQLSTATE.fullmatch(code) else FUNCTION_FAILED
    if sqlstate != code and code:
        message = f"{code}: {message}"
    outcome = outcome_of(sqlstate, message, commit_sent=False, connected=True)
    if outcome in CONFLICTS:
        # Its words are shown nowhere, and there are many; only the code in them is read again.
        message = next((one for one in ("(OC001)", "(OC000)") if one in message), "a conflict")
    else:
        message = one_line(message)
    return StatementFailed(
        sqlstate,
        message,
        # It lost its database, and does not say when.
        commit_sent=sqlstate.startswith(("08", "57P0")) and sqlstate not in _NEVER_CONNECTED,
        connected=True,
        final=final,
    )


def remote_of(answer: Mapping[str, Any]) -> Remote:
    """The time and the retries that a function says it took; each is absent where it does not."""
    milliseconds = _milliseconds(answer.get("duration"))
    retries = answer.get("retries")
    counted = isinstance(retries, int) and not isinstance(retries, bool) and retries >= 0
    return Remote(
        duration_ns=ABSENT.duration_ns if milliseconds is None else round(milliseconds * 1e6),
        retries=min(int(retries or 0), MOST_REMOTE_RETRIES) if counted else ABSENT.retries,
    )


def _milliseconds(value: object) -> float | None:
    """A number, or the text of one, with or without `ms`."""
    if isinstance(value, str):
        number = _MILLISECONDS.fullmatch(value)
        value = float(number[1]) if number else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < 1e9 else None


def object_of(body: bytes) -> dict[str, Any]:
    """A JSON object; empty where it is none."""
    try:
        value = json.loads(body or b"null")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
