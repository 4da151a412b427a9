"""The outcomes of an attempt, and the one function that tells them from an error.

It needs the standard library only, so that a function that does the same transactions elsewhere can
carry it along.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """The end of an attempt."""

    COMMITTED = "committed"
    CONFLICT_DATA = "conflict_data"  # 40001 with (OC000)
    CONFLICT_SCHEMA = "conflict_schema"  # 40001 with (OC001)
    CONFLICT_SERIALIZATION = "conflict_serialization"  # 40001 without a code
    DEADLOCK = "deadlock"  # 40P01
    LOCK_TIMEOUT = "lock_timeout"  # 55P03
    REFUSED = "refused"  # by the scenario's own rule
    CONNECT_FAILED = "connect_failed"
    CONNECTION_LOST = "connection_lost"  # before COMMIT was sent: nothing happened
    AMBIGUOUS = "ambiguous"  # lost after COMMIT was sent: unknown
    REJECTED = "rejected"  # the target asked for less: 53300, 53400, throttling
    ERROR = "error"


CONFLICTS: frozenset[Outcome] = frozenset(
    {
        Outcome.CONFLICT_DATA,
        Outcome.CONFLICT_SCHEMA,
        Outcome.CONFLICT_SERIALIZATION,
        Outcome.DEADLOCK,
        Outcome.LOCK_TIMEOUT,
    }
)
"""Outcomes by which the database failed an attempt because of concurrency."""

COUNTED: frozenset[Outcome] = CONFLICTS | {Outcome.COMMITTED}
"""Outcomes that say how the database handles concurrency, and so count in latency and shares.

A transaction counts if its last attempt has one of them: it committed, or gave up after conflicts, with
the time that it took. What failed for another reason may have failed in no time and would flatter every
figure; it is counted by itself, as is what the scenario's own rule refused.
"""

RETRYABLE: frozenset[Outcome] = CONFLICTS | {
    Outcome.REJECTED,
    Outcome.CONNECTION_LOST,
    Outcome.CONNECT_FAILED,
}
"""Outcomes after which the same work may be tried again without any risk of doing it twice."""

OUTCOMES: tuple[Outcome, ...] = tuple(Outcome)
"""Every outcome, in the order of the codes that the recorder stores."""

OUTCOME_CODE: dict[Outcome, int] = {outcome: code for code, outcome in enumerate(OUTCOMES)}


def outcome_of(sqlstate: str, message: str, *, commit_sent: bool, connected: bool) -> Outcome:
    """Return the outcome of a failed attempt: the only function that reads a target's errors.

    Only the SQLSTATE and Aurora DSQL's code in brackets are read; the wording around the code has
    changed before and will again. `commit_sent` says whether COMMIT had left when it failed,
    `connected` whether the connection survived.
    """
    if sqlstate == "40001":
        if "(OC001)" in message:
            return Outcome.CONFLICT_SCHEMA
        return Outcome.CONFLICT_DATA if "(OC000)" in message else Outcome.CONFLICT_SERIALIZATION
    known = _OUTCOME_OF_SQLSTATE.get(sqlstate)
    if known is not None:
        return known
    if sqlstate.startswith("28") and not commit_sent:
        # Credentials that are no longer, or not yet, accepted: nothing was begun with them.
        return Outcome.CONNECT_FAILED
    # 08: connection exceptions. 57P01 … 57P05: the server ended the session.
    if not connected or sqlstate.startswith(("08", "57P0")):
        return Outcome.AMBIGUOUS if commit_sent else Outcome.CONNECTION_LOST
    return Outcome.ERROR


_OUTCOME_OF_SQLSTATE = {
    "40P01": Outcome.DEADLOCK,
    "55P03": Outcome.LOCK_TIMEOUT,
    "53300": Outcome.REJECTED,
    "53400": Outcome.REJECTED,
}
