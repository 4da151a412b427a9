"""What an error means."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.record.attempt import RECORD_DTYPE, RECORD_FORMAT
from loadtest.record.outcome import CONFLICTS, OUTCOME_CODE, OUTCOMES, RETRYABLE, Outcome, outcome_of

STATES = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=5, max_size=5)


@pytest.mark.parametrize("commit_sent", [False, True])
@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize(
    ("sqlstate", "message", "outcome"),
    [
        ("40001", "change conflicts with another transaction, please retry: (OC000)", "conflict_data"),
        ("40001", "(OC000)", "conflict_data"),
        ("40001", "mutation conflict, words of another year (OC000) and more", "conflict_data"),
        ("40001", "schema has been updated, please retry: (OC001)", "conflict_schema"),
        ("40001", "(OC001)", "conflict_schema"),
        ("40001", "could not serialize access due to concurrent update", "conflict_serialization"),
        ("40001", "restart transaction: RETRY_SERIALIZABLE", "conflict_serialization"),
        ("40001", "OC000 without its brackets", "conflict_serialization"),
        ("40001", "", "conflict_serialization"),
        ("40P01", "deadlock detected", "deadlock"),
        ("55P03", "canceling statement due to lock timeout", "lock_timeout"),
        ("53300", "sorry, too many clients already", "rejected"),
        ("53400", "connection rate exceeded", "rejected"),
    ],
)  # fmt: skip
def test_what_the_database_said_stands(
    sqlstate: str, message: str, outcome: str, commit_sent: bool, connected: bool
) -> None:
    """An answer is certain, whether or not the connection ended after it."""
    assert outcome_of(sqlstate, message, commit_sent=commit_sent, connected=connected) == outcome


@pytest.mark.parametrize(
    ("sqlstate", "connected", "commit_sent", "outcome"),
    [
        ("", False, False, "connection_lost"),
        ("", False, True, "ambiguous"),
        ("57P01", True, False, "connection_lost"),
        ("57P01", False, False, "connection_lost"),
        ("57P01", False, True, "ambiguous"),
        ("57P02", False, True, "ambiguous"),
        ("57P05", True, False, "connection_lost"),
        ("08006", True, False, "connection_lost"),
        ("08006", False, True, "ambiguous"),
        ("08003", True, True, "ambiguous"),
        ("42P01", True, False, "error"),
        ("42P01", True, True, "error"),
        ("23505", True, False, "error"),
        ("25P02", True, True, "error"),
        ("54000", True, False, "error"),
        ("57014", True, False, "error"),
        ("P0002", True, False, "error"),
        ("XX000", False, False, "connection_lost"),
        ("XX000", False, True, "ambiguous"),
    ],
)
def test_the_rest_depends_on_the_connection(
    sqlstate: str, connected: bool, commit_sent: bool, outcome: str
) -> None:
    words = "a message with (OC000) in it, which only counts behind 40001"
    assert outcome_of(sqlstate, words, commit_sent=commit_sent, connected=connected) == outcome


@given(STATES, st.text(), st.booleans())
def test_only_an_ambiguous_end_is_unsafe_to_repeat(
    sqlstate: str, message: str, connected: bool
) -> None:
    """A lost connection after COMMIT was sent is never taken for one that may be tried again."""
    outcome = outcome_of(sqlstate, message, commit_sent=True, connected=connected)
    assert outcome not in (Outcome.CONNECTION_LOST, Outcome.COMMITTED, Outcome.REFUSED)
    assert Outcome.AMBIGUOUS not in RETRYABLE


@given(STATES, st.text(), st.booleans())
def test_nothing_is_ambiguous_before_commit(sqlstate: str, message: str, connected: bool) -> None:
    outcome = outcome_of(sqlstate, message, commit_sent=False, connected=connected)
    assert outcome is not Outcome.AMBIGUOUS


def test_the_sets_are_the_documented_ones() -> None:
    assert {str(o) for o in CONFLICTS} == {
        "conflict_data", "conflict_schema", "conflict_serialization", "deadlock", "lock_timeout",
    }  # fmt: skip
    rest = {"rejected", "connection_lost", "connect_failed"}
    assert {str(o) for o in RETRYABLE - CONFLICTS} == rest
    assert [OUTCOME_CODE[outcome] for outcome in OUTCOMES] == list(range(len(Outcome)))


def test_the_packed_row_is_the_record() -> None:
    """Two descriptions of one layout, for struct and for NumPy."""
    assert struct.calcsize(RECORD_FORMAT) == RECORD_DTYPE.itemsize
    values = (*range(1, 9), *range(9, 12), *range(12, 16), b"40001", *range(16, 19), 0.5, 1.5)
    row = np.frombuffer(struct.pack(RECORD_FORMAT, *values), RECORD_DTYPE)[0]
    assert tuple(row.tolist()) == values


def test_credentials_that_are_not_accepted_are_a_connection_that_failed() -> None:
    for connected in (True, False):
        found = outcome_of("28000", "expired", commit_sent=False, connected=connected)
        assert found is Outcome.CONNECT_FAILED
    lost = outcome_of("28000", "expired", commit_sent=True, connected=False)
    assert lost is Outcome.AMBIGUOUS, "nobody knows what became of the COMMIT"
