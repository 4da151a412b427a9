"""The errors a command ends with, each with its exit status."""


class OccbenchError(Exception):
    """Something the user can act on; its text is one line that says what is wrong and what helps."""

    exit_code = 1


class InputError(OccbenchError):
    """What was asked for makes no sense or is not there; nothing was started."""

    exit_code = 2


class TargetError(OccbenchError):
    """The target could not be reached, refused, or broke."""

    exit_code = 3


INTERRUPTED = 130
"""The exit status of a command that was interrupted; what was measured until then is kept."""
