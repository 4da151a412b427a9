"""The errors a command ends with, each with its exit status."""

import os


def printable(text: str) -> str:
    r"""The text with what a terminal would obey (`\x1b`, a line break, …) shown as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class OccbenchError(Exception):
    """An error the user can act on; its text is one line that says what is wrong and what helps."""

    exit_code = 1

    def __init__(self, text: str = "") -> None:
        # A terminal must not obey what is quoted in it.
        super().__init__(printable(text))


class InputError(OccbenchError):
    """The user asked for something that cannot be done or is not there; nothing was started."""

    exit_code = 2


class TargetError(OccbenchError):
    """The target could not be reached, refused, or broke."""

    exit_code = 3


INTERRUPTED = 130
"""The exit status of a command that was asked to end, by Ctrl-C, SIGTERM or SIGHUP; what was measured
until then is kept."""


class LeftEarly(OccbenchError):  # noqa: N818 - what happened, not a bug
    """The command was asked to end before it had anything to show, or to leave at once."""

    exit_code = INTERRUPTED


def in_a_line(error: Exception) -> str:
    """An unexpected error in one line: what it is about, and what is wrong."""
    if isinstance(error, OSError) and error.strerror:
        about = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{about}{error.strerror}"
    return f"{type(error).__name__}: {error}".splitlines()[0]
