"""A pooler between the tool and the server: finding one that shares sessions between clients.

In pgbouncer's transaction mode each transaction may run in another session of the server, and each
session serves anybody: what a client leaves in it (a setting, a lock, a named statement) is the next
one's. So nothing is left: settings and locks are of a transaction, and with `pooler=transaction`
statements have no names.
"""

import secrets
from collections.abc import Callable
from contextlib import closing, suppress

import psycopg
from psycopg import pq

from loadtest.targets.postgresql.libpq import Connection, last_answer

_LOOKS = 4
_PATIENCE_S = 3.0


def is_there(connection: Connection) -> bool:
    """Whether something answers for the server: not with the process that it told libpq of."""
    try:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
    except psycopg.Error:
        if connection.closed:
            raise
        return False
    return row is not None and row[0] != connection.info.backend_pid


def shares_names(connect: Callable[[], Connection]) -> bool:
    """Whether a named statement meets other clients, or is gone in the next transaction.

    The one that is made to try it is removed again. Where nothing is found, as behind a pooler that
    keeps sessions apart or renames the statements, named statements can be used.
    """
    with closing(connect()) as one:
        if not is_there(one):
            return False
        name = f"occbench_{secrets.token_hex(8)}".encode()
        if one.pgconn.prepare(name, b"SELECT 1").status != pq.ExecStatus.COMMAND_OK:
            return True
        for _ in range(_LOOKS):
            with closing(connect()) as other:
                # By a pooler that keeps sessions apart it may be kept waiting for one.
                look = b"BEGIN; SELECT name FROM pg_prepared_statements WHERE name = '%s'" % name
                answer = last_answer(other, look, _PATIENCE_S)
                if answer is None:
                    return False
                if answer.ntuples:
                    other.pgconn.exec_(b"DEALLOCATE %s; COMMIT" % name)
                    return True
                with suppress(psycopg.Error):
                    other.rollback()
        return one.pgconn.exec_prepared(name, None).status != pq.ExecStatus.TUPLES_OK
