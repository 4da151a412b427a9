"""Why there is nothing to report of a run, as far as it knows."""

from loadtest.record.run import Run
from reports.text.rounding import plural, seconds


def why_nothing(run: Run | None) -> str:
    """What kept a run from measuring anything."""
    if run is None or run.ended_ns is None:
        return "the run never measured"
    if run.measured_from_ns is None:
        if run.interrupted:
            return "the run was interrupted before all of its users were started"
        return "its time was over before all users were started; give it more, or start them faster"
    measured_s = ((run.measured_until_ns or 0) - run.measured_from_ns) / 1e9
    if measured_s <= 0:
        how = "the run was interrupted" if run.interrupted else "its time was over"
        return f"{how} before its warm-up had ended"
    unserved = sum(g.without_session or 0 for g in run.generators)
    if unserved:
        why = next((g.why_no_session for g in run.generators if g.why_no_session), None)
        users = plural(max(run.config.users or 0, unserved), "user")
        return (
            f"{unserved:,} of {users} never had a session: "
            f"{why or 'their connections were not answered'}"
        )
    took = seconds(measured_s)
    return f"in {took} no transaction began, for those of the warm-up had not been answered"
