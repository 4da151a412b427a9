"""Whether as many users worked as were asked for."""

from reports.statistics.model import Model
from reports.text.rounding import count, plural
from reports.text.verdict import Verdict

_TURNS = 2
"""Transactions a user from which on each had its turn, whatever the schedule or the think times."""


def other_users(model: Model) -> int | None:
    """How many users committed in the measured time, where it is not as many as were asked for.

    None where it is, where nobody knows, and where an open loop or long think times made so few
    transactions that not all users had a turn.
    """
    asked, found = model.run.config.users, model.committed_users
    if asked is None or found is None or found == asked or model.run.simulated:
        return None
    few_turns = model.run.open_loop or model.run.config.think_time
    if few_turns and model.overall.transactions < _TURNS * asked:
        return None
    return found


def users_verdict(model: Model) -> list[Verdict]:
    """How many users worked, and why the others did not, where it is not what was asked for."""
    found, asked = other_users(model), model.run.config.users
    if found is None or asked is None:
        return []
    if found > asked:
        text = f"{plural(found, 'user')} committed, and {count(asked)} were asked for."
        return [Verdict("users", "note", f"{text} More were started while the run was going on.")]
    text = f"{count(found)} of {plural(asked, 'user')} committed anything in the measured time"
    unserved = sum(g.without_session or 0 for g in model.run.generators)
    if unserved:
        text += f"; {count(unserved)} never had a session"
        why = next((g.why_no_session for g in model.run.generators if g.why_no_session), None)
        text += f" ({why.rstrip('.')})" if why else ": their connections were not answered"
    return [Verdict("users", "bad", f"{text}. The figures are of fewer users than were asked for.")]
