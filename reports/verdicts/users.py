"""Whether as many users worked as were asked for."""

from reports.statistics.model import Model
from reports.text.rounding import count, plural
from reports.verdicts.rule import Case, where

_TURNS = 2
"""Transactions a user from which on each had its turn, whatever the schedule or the think times."""


def other_users(model: Model) -> int | None:
    """How many users committed in the measured time, where it is not as many as were asked for.

    None where it is, where nobody knows, and where an open loop or long think times made so few
    transactions that not all users had a turn.
    """
    asked, working = model.run.config.users, model.committed_users
    if asked is None or working is None or working == asked or model.run.simulated:
        return None
    few_turns = model.run.open_loop or model.run.config.think_time
    if few_turns and model.overall.transactions < _TURNS * asked:
        return None
    return working


def users(model: Model) -> list[Case]:
    """More users than were asked for, or fewer and why, where that is known."""
    working, asked = other_users(model), model.run.config.users or 0
    if working is None:
        return []
    generators = model.run.generators
    unserved = sum(g.without_session or 0 for g in generators)
    why = next((g.why_no_session for g in generators if g.why_no_session), "no answer").rstrip(".")
    return where(
        True,
        "more" if working > asked else "fewer",
        working=count(working),
        asked=plural(asked, "user"),
        rest=f"; {count(unserved)} never had a session ({why})" if unserved else "",
    )
