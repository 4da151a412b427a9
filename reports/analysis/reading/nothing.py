"""Why there is nothing to report of a run, as far as it knows, and whether its target is to blame."""

from dataclasses import dataclass

from loadtest.errors import InputError, TargetError
from loadtest.record.outcome import COUNTED, Outcome
from loadtest.record.run import Run
from reports.text.rounding import plural

_ANSWERED = COUNTED | {Outcome.REFUSED}


@dataclass(frozen=True, slots=True)
class Last:
    """The attempt that ended last before anything was measured."""

    ended_ns: int
    """Nanoseconds since 1970."""
    outcome: Outcome


class NothingMeasured(InputError):  # noqa: N818 - what happened, not a bug
    """A record without a measured attempt; its status is that of a target that failed, if one did."""

    def __init__(self, text: str, *, by_target: bool) -> None:
        super().__init__(text)
        if by_target:
            self.exit_code = TargetError.exit_code


def nothing_measured(lead: str, run: Run | None, last: Last | None = None) -> NothingMeasured:
    """The error that says, after `lead`, what kept a run from measuring anything.

    `last` is known where there is a record of attempts that were not measured.
    """
    why = _why_target(run, last) if run is not None else None
    return NothingMeasured(f"{lead}{why or _why_input(run)}", by_target=why is not None)


def _why_target(run: Run, last: Last | None) -> str | None:
    """What the target did not do; None where it was asked nothing in the measured time."""
    measured_s = _measured_s(run)
    if measured_s <= 0:
        return None
    unserved = sum(g.without_session or 0 for g in run.generators)
    if unserved:
        why = next((g.why_no_session for g in run.generators if g.why_no_session), None)
        users = plural(max(run.config.users or 0, unserved), "user")
        return (
            f"{unserved:,} of {users} never had a session, for "
            f"{f'the target said: {why}' if why else 'the target did not answer their connections'}"
        )
    if last is None:
        return None
    if last.ended_ns >= (run.measured_until_ns or 0):
        return (
            f"the target answered nothing in the {measured_s:.3g} s that were measured; what was under "
            "way since the warm-up had no answer"
        )
    if last.outcome not in _ANSWERED:
        return f"the last attempt before the measured time failed ({last.outcome}), and none came after"
    return None


def _why_input(run: Run | None) -> str:
    if run is None or run.ended_ns is None:
        return "the run never measured"
    if run.measured_from_ns is None:
        if run.interrupted:
            return "the run was interrupted before all of its users were started"
        return "its time was over before all users were started; give it more, or start them faster"
    measured_s = _measured_s(run)
    if measured_s <= 0:
        how = "the run was interrupted" if run.interrupted else "its time was over"
        return f"{how} before its warm-up had ended"
    return f"no transaction was due in the {measured_s:.3g} s after the warm-up; give it more time"


def _measured_s(run: Run) -> float:
    if run.ended_ns is None or run.measured_from_ns is None:
        return 0.0
    return ((run.measured_until_ns or 0) - run.measured_from_ns) / 1e9
