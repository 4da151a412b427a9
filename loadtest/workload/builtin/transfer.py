"""The reference transaction: money from one account to another.

Debit the payer, see that it did not go below zero, credit the payee, commit: each statement its own
round trip, as an application does it that must look at the balance between the two updates.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from loadtest.targets.base.calls import INSUFFICIENT_FUNDS, CallSession
from loadtest.targets.base.dialect import Dialect, Statement
from loadtest.targets.base.items import Change, ItemSession, Refused
from loadtest.targets.base.sql import SqlSession
from loadtest.targets.base.table import Column, Invariant, Table
from loadtest.targets.base.target import Session, StatementFailed
from loadtest.workload.key_type import KeyType
from loadtest.workload.scenario import Scenario, Work

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from loadtest.workload.access import AccessLaw
    from loadtest.workload.keyspace import KeySpace

LARGEST_AMOUNT = 10
"""Amounts are whole, drawn evenly from 1 to this."""

_DEBIT = {key_type: f"debit_{key_type}" for key_type in KeyType}
_CREDIT = {key_type: f"credit_{key_type}" for key_type in KeyType}


class Transfer(Scenario):
    """Payer − amount, payee + amount, refused if the payer would go below zero."""

    name: ClassVar[str] = "transfer"
    summary: ClassVar[str] = "debit one account, credit another; refused below zero; total conserved"

    def table(self, key_type: KeyType) -> Table:
        """`accounts_<key type>`: id, balance."""
        key_column = Column("id", "bigint" if key_type is KeyType.INT else "uuid")
        return Table(f"accounts_{key_type}", (key_column, Column("balance", "numeric")), ("id",))

    def first_rows(
        self, numbers: NDArray[np.int64], keys: NDArray[np.void], balance: int
    ) -> Mapping[str, NDArray[np.void] | int]:
        """Give every account the same balance."""
        del numbers
        return {"id": keys, "balance": balance}

    def statements(self, dialect: Dialect, key_types: Sequence[KeyType]) -> list[Statement]:
        """A debit and a credit for each key type."""
        del dialect
        statements = []
        for key_type in key_types:
            table = self.table(key_type)
            types = ("numeric", table.columns[0].type)
            statements += [
                Statement(
                    _DEBIT[key_type],
                    f"UPDATE {table.name} SET balance = balance - $1 WHERE id = $2 "  # noqa: S608
                    "RETURNING balance",
                    types,
                ),
                Statement(
                    _CREDIT[key_type],
                    f"UPDATE {table.name} SET balance = balance + $1 WHERE id = $2",  # noqa: S608
                    types,
                ),
            ]
        return statements

    def draw(self, rng: np.random.Generator, law: AccessLaw, keys: KeySpace, size: int) -> list[Work]:
        """Payer, payee and amount of the next transfers."""
        payer, payee = law.draw_pairs(rng, size)
        amounts = rng.integers(1, LARGEST_AMOUNT + 1, size).tolist()
        payer_keys, payee_keys = keys.binary(payer), keys.binary(payee)
        return [
            Work((a, b), (b"%d" % amount, bytes(ka), bytes(kb)))
            for a, b, amount, ka, kb in zip(
                payer.tolist(),
                payee.tolist(),
                amounts,
                payer_keys.tolist(),
                payee_keys.tolist(),
                strict=True,
            )
        ]

    def run(self, session: SqlSession, key_type: KeyType, work: Work) -> bool:
        """One attempt at the transfer."""
        amount, payer, payee = work.parameters
        session.begin()
        balance = session.fetch(_DEBIT[key_type], (amount, payer))
        if balance is None:
            raise _missing(session, work.rows[0])
        if balance.startswith(b"-"):
            session.rollback()
            return False
        if session.execute(_CREDIT[key_type], (amount, payee)) != 1:
            raise _missing(session, work.rows[1])
        session.commit()
        return True

    def run_items(self, session: ItemSession, key_type: KeyType, work: Work) -> bool:
        """One attempt as a single request: both changes, on condition that the payer has enough.

        The optimistic variant reads both accounts first, decides here, and writes on condition that
        neither has changed since.
        """
        amount, payer, payee = int(work.parameters[0]), work.parameters[1], work.parameters[2]
        table = self.table(key_type).name
        session.begin()
        if not session.optimistic:
            changes = (Change(table, payer, -amount, at_least=amount), Change(table, payee, amount))
        else:
            source, sink = session.read(table, (payer, payee))
            if source is None or sink is None:
                raise _missing(session, work.rows[0 if source is None else 1])
            if source.value < amount:
                return False
            changes = (
                Change(table, payer, -amount, version=source.version),
                Change(table, payee, amount, version=sink.version),
            )
        try:
            session.write(changes)
        except Refused:
            return False
        return True

    def run_call(self, session: CallSession, key_type: KeyType, work: Work) -> bool:
        """One call of a function that does the transfer."""
        answer = session.call(call_payload(key_type, work))
        return answer.get("errorCode") != INSUFFICIENT_FUNDS

    def invariant(self, key_type: KeyType) -> Invariant:
        """Transfers move money and make none."""
        table = self.table(key_type).name
        return Invariant(
            "money conserved",
            table,
            "balance",
            f"SELECT coalesce(sum(balance), 0) FROM {table}",  # noqa: S608
            f"SELECT count(*) FROM {table} WHERE balance < 0",  # noqa: S608
        )


def _missing(session: Session, account: int) -> StatementFailed:
    session.rollback()
    return StatementFailed(
        "P0002", f"account {account} is not in the table", commit_sent=False, connected=True
    )


def call_payload(key_type: KeyType, work: Work) -> dict[str, int | str]:
    """Return a function's arguments: integer keys as numbers, UUIDs as text."""
    amount, payer, payee = work.parameters
    if key_type is KeyType.INT:
        ids: tuple[int | str, int | str] = (int.from_bytes(payer), int.from_bytes(payee))
    else:
        ids = str(uuid.UUID(bytes=payer)), str(uuid.UUID(bytes=payee))
    return {"payer_id": ids[0], "payee_id": ids[1], "amount": int(amount)}
