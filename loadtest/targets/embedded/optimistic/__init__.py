"""The optimistic regime: plain PostgreSQL tables that behave as Aurora DSQL's do.

The name that a workload uses is a view over the table. A write to the view goes into the session's
*write set*, and the view shows a session its own write set first. At COMMIT a deferred trigger
writes the set through to the table in key order, where REPEATABLE READ itself fails the transaction
if another committed to one of the rows since its snapshot. So no statement ever waits, the first to
commit wins, and the others learn of it at COMMIT.

The write set of a table is keyed by (backend, slot), and its rows are overwritten in place from one
transaction to the next. Keyed by transaction and deleted afterwards it would grow dead rows faster
than they are vacuumed, and the planner would turn to scanning it.

Everything is generated for any table with a primary key: what all tables share is `shared.sql`, what
covers one is `table.sql`, and `commit.sql` goes through those that are covered.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.resources import files

from loadtest.targets.postgresql.libpq import Connection

SCHEMA = "optimistic"
"""The schema of the views: a session in this regime has it first in its search_path."""

_INSTALL_LOCK = 7_042_401
_Column = tuple[str, str, str | None, bool]
"""Name, type, default and whether it belongs to the primary key."""


def install(connection: Connection) -> None:
    """Put the shared part into the database, unless it is there in this version.

    Where an older version is found, the tables in the regime are covered anew.
    """
    shared = _resource("shared.sql")
    sources = (shared, *map(_resource, ("table.sql", "commit.sql", "__init__.py")))
    version = sha256("".join(sources).encode()).hexdigest()[:16]
    with _alone(connection):
        installed = connection.execute(
            "SELECT obj_description(to_regnamespace('occ'), 'pg_namespace')"
        ).fetchone()
        if installed is not None and installed[0] == version:
            return
        connection.execute(shared.encode())
        connection.execute(f"COMMENT ON SCHEMA occ IS '{version}'".encode())
        for table in covered(connection):
            cover(connection, table)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """A transaction beside which no other installs or covers anything."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_INSTALL_LOCK,))
        yield


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def cover(connection: Connection, table: str) -> None:
    """Bring the table `public.<table>` into the regime; the columns and the key are read from it."""
    with _alone(connection):
        _uncover(connection, table)
        columns = _columns(connection, table)
        connection.execute("INSERT INTO occ.tables VALUES (%s)", (table,))
        _generate_commit(connection)
        connection.execute(_covering(table, columns).encode())


def uncover(connection: Connection, table: str) -> None:
    """Take the table out of the regime; the table itself stays."""
    with _alone(connection):
        _uncover(connection, table)
        _generate_commit(connection)


def covered(connection: Connection) -> list[str]:
    """The tables in the regime."""
    rows = connection.execute("SELECT name FROM occ.tables ORDER BY name").fetchall()
    return [row[0] for row in rows]


_DROP = """
DROP FUNCTION IF EXISTS {read};
DROP VIEW IF EXISTS {view};
DROP TABLE IF EXISTS {set};
DROP FUNCTION IF EXISTS {write};
DROP FUNCTION IF EXISTS {apply};"""


def _uncover(connection: Connection, table: str) -> None:
    connection.execute(_DROP.format(**_names(table)).encode())
    connection.execute("DELETE FROM occ.tables WHERE name = %s", (table,))


def _columns(connection: Connection, table: str) -> list[_Column]:
    columns = connection.execute(
        """
        SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid),
               coalesce(a.attnum = ANY (i.indkey), false),
               CASE WHEN a.attgenerated <> '' THEN 'generated'
                    WHEN a.attidentity <> '' THEN 'an identity column' END
        FROM pg_attribute a
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
        WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
        """,
        (f"public.{_quote(table)}",),
    ).fetchall()
    if not any(row[3] for row in columns):
        raise ValueError(f"table {table!r} is not there or has no primary key")
    for name, _, _, _, kind in columns:
        if kind is not None:
            raise ValueError(
                f"column {name!r} of table {table!r} is {kind}; "
                "such columns are not supported in the optimistic regime"
            )
    return [(row[0], row[1], row[2], row[3]) for row in columns]


def _generate_commit(connection: Connection) -> None:
    """Write occ.commit() anew: one line for each table, in one fixed order, so nothing deadlocks."""
    tables = covered(connection)
    applies = "\n".join(
        f"  IF coalesce(nullif(current_setting('{_counter(table)}', true), ''), '0') <> '0' THEN "
        f"done := occ.{_quote(f'apply_{table}')}(); END IF;"
        for table in tables
    )
    slots = "\n".join(f"    WHEN {_literal(table)} THEN {_slots(table)}" for table in tables)
    function = _resource("commit.sql").format(applies=applies, slots=slots)
    connection.execute(function.encode())


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _counter(table: str) -> str:
    """The setting that counts a table's slots; a setting's name takes few characters, so hex it."""
    if table.isidentifier() and table.isascii():
        return f"occ.n_{table}"
    return f"occ.n_{table.encode().hex()}"


def _slots(table: str) -> str:
    """The expression for how many slots of the table's write set are filled."""
    return f"coalesce(nullif(current_setting({_literal(_counter(table))}, true), ''), '0')::int"


def _names(table: str) -> dict[str, str]:
    """The objects of a table in the regime, as SQL writes their names."""
    return {
        "base": f"public.{_quote(table)}",
        "view": f"{SCHEMA}.{_quote(table)}",
        "read": f"{SCHEMA}.{_quote(f'{table}_for_update')}",
        "set": f"occ.{_quote(f'set_{table}')}",
        "write": f"occ.{_quote(f'write_{table}')}",
        "apply": f"occ.{_quote(f'apply_{table}')}",
        "counter": _literal(_counter(table)),
        "slots": _slots(table),
    }


def _covering(table: str, columns: Sequence[_Column]) -> str:
    """The statements that bring a table with these columns into the regime."""
    names = _names(table)
    every = [_quote(name) for name, _, _, _ in columns]
    key = [_quote(name) for name, _, _, is_key in columns if is_key]
    rest = [_quote(name) for name, _, _, is_key in columns if not is_key]

    def each(template: str, of: Sequence[str], glue: str = ", ") -> str:
        return glue.join(template.replace("?", name) for name in of)

    def fill(operation: str, row: str) -> str:
        return _FILL.format(
            **names,
            operation=operation,
            assignments=each(f"? = {row}.?", every),
            values=each(f"{row}.?", every),
        )

    key_is_slots = each("? = occ_w.?", key, " AND ")
    if rest:
        update = f"UPDATE {names['base']} SET {each('? = occ_w.?', rest)} WHERE {key_is_slots}"
    else:
        update = f"PERFORM FROM {names['base']} WHERE {key_is_slots} FOR UPDATE"
    return _resource("table.sql").format(
        **names,
        columns=each("?", every),
        columns_of_base=each("b.?", every),
        columns_of_set=each("w.?", every),
        values_of_set=each("occ_w.?", every),
        new_values=each("? = NEW.?", every),
        key=each("?", key),
        new_key=each("NEW.?", key),
        old_key=each("OLD.?", key),
        key_is_new=each("? = NEW.?", key, " AND "),
        key_is_old=each("? = OLD.?", key, " AND "),
        key_is_slots=key_is_slots,
        key_is_given=" AND ".join(f"{name} = ${i}" for i, name in enumerate(key, start=1)),
        same_key=each("w.? = b.?", key, " AND "),
        signature=", ".join(kind for _, kind, _, is_key in columns if is_key),
        mine=(
            f"occ_backend = pg_backend_pid() AND occ_slot < {names['slots']} "
            "AND occ_xid = pg_current_xact_id_if_assigned()"
        ),
        defaults="\n".join(
            f"ALTER VIEW {names['view']} ALTER COLUMN {_quote(name)} SET DEFAULT {default};"
            for name, _, default, _ in columns
            if default
        ),
        duplicate=_literal(f"duplicate key value violates the primary key of {names['base']}"),
        update=update,
        fill_read=fill("R", "occ_found"),
        fill_update=fill("U", "NEW"),
        fill_insert=fill("I", "NEW"),
        fill_delete=fill("D", "OLD"),
    )


# Overwrite the next slot, or make it; then count it. A slot that this transaction itself filled is not
# the next one: its counter was reset.
_FILL = """
    UPDATE {set} SET occ_xid = pg_current_xact_id(), occ_op = '{operation}',
        {assignments}
      WHERE occ_backend = pg_backend_pid() AND occ_slot = occ_n AND occ_xid <> pg_current_xact_id();
    IF NOT FOUND THEN
      PERFORM FROM {set} WHERE occ_backend = pg_backend_pid() AND occ_slot = occ_n;
      IF FOUND THEN occ_done := occ.fail_on_reset(); END IF;
      INSERT INTO {set} VALUES
        (pg_backend_pid(), occ_n, pg_current_xact_id(), '{operation}', {values});
    END IF;
    occ_done := set_config({counter}, (occ_n + 1)::text, true);"""
