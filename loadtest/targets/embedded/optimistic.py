"""The optimistic regime: plain PostgreSQL tables that behave as Aurora DSQL's do.

The name that a workload uses is a view over the table. A write to the view goes into the session's
*write set*, and the view shows a session its own write set first. At COMMIT a deferred trigger
writes the set through to the table in key order, where REPEATABLE READ itself fails the transaction
if another committed to one of the rows since its snapshot. So no statement ever waits, the first to
commit wins, and the others learn of it at COMMIT.

The write set of a table is keyed by (backend, slot), and its rows are overwritten in place from one
transaction to the next. Keyed by transaction and deleted afterwards it would grow dead rows faster
than they are vacuumed, and the planner would turn to scanning it.

Everything is generated for any table with a primary key; what all tables share is `optimistic.sql`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from importlib.resources import files

from loadtest.targets.postgresql.libpq import Connection

SCHEMA = "optimistic"
"""Where the views are: a session in this regime has it first in its search_path."""

_INSTALL_LOCK = 7_042_401


def install(connection: Connection) -> None:
    """Put the shared part into the database, unless it is there in this version.

    Where an older version is found, the tables in the regime are covered anew.
    """
    shared = _resource("optimistic.sql")
    version = sha256((shared + _resource("optimistic.py")).encode()).hexdigest()[:16]
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
        connection.execute(_Generator(table, columns).everything().encode())


def uncover(connection: Connection, table: str) -> None:
    """Take the table out of the regime; the table itself stays."""
    with _alone(connection):
        _uncover(connection, table)
        _generate_commit(connection)


def covered(connection: Connection) -> list[str]:
    """The tables in the regime."""
    rows = connection.execute("SELECT name FROM occ.tables ORDER BY name").fetchall()
    return [row[0] for row in rows]


def _uncover(connection: Connection, table: str) -> None:
    names = _Generator(table)
    connection.execute(
        f"""
DROP FUNCTION IF EXISTS {names.read};
DROP VIEW IF EXISTS {names.view};
DROP TABLE IF EXISTS {names.set};
DROP FUNCTION IF EXISTS {names.write};
DROP FUNCTION IF EXISTS {names.apply};""".encode()
    )
    connection.execute("DELETE FROM occ.tables WHERE name = %s", (table,))


def _columns(connection: Connection, table: str) -> list[tuple[str, str, str | None, bool]]:
    """Name, type, default and whether it belongs to the primary key, of each column."""
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
    slots = "    WHEN '' THEN 0\n" + "\n".join(
        f"    WHEN {_literal(table)} THEN {_slots(table)}" for table in tables
    )  # fmt: skip
    connection.execute(
        f"""
CREATE OR REPLACE FUNCTION occ.commit() RETURNS trigger LANGUAGE plpgsql AS $occ$
DECLARE
  delay_ms float8 := nullif(current_setting('occ.commit_delay_ms', true), '');
  done text;
  in_schema text;
  in_table text;
  by_index text;
  slots int;
BEGIN
  IF coalesce(current_setting(TG_ARGV[0], true), '') = ''
     OR coalesce(current_setting('occ.rows', true), '') = '' THEN
    done := occ.fail_on_reset();
  END IF;
  -- Each table's first slot queues this trigger, and may do so more than once: the first call does
  -- all the work and sets the counters back.
  IF current_setting('occ.rows') = '0' THEN RETURN NULL; END IF;
  IF delay_ms > 0 THEN PERFORM pg_sleep(delay_ms / 1000); END IF;
  done := occ.check_schema();
{applies}
  done := set_config('occ.rows', '0', true);
  RETURN NULL;
EXCEPTION
  -- A row that is gone or changed, a key that another one inserted first, or (with several unique
  -- indexes) a deadlock between two commits: each means that another transaction won. Only a value
  -- that this transaction itself sees twice is its own mistake, and trying again would not help.
  WHEN serialization_failure THEN
    IF SQLERRM LIKE '%(OC00_)' THEN RAISE; END IF;
    done := occ.fail_on_data();
    RETURN NULL;
  WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS in_schema = SCHEMA_NAME, in_table = TABLE_NAME, by_index = CONSTRAINT_NAME;
    slots := CASE WHEN in_schema = 'public' THEN CASE in_table
{slots}
    ELSE 0 END ELSE 0 END;
    IF slots > 0 AND occ.is_duplicate(in_table, by_index, slots) THEN RAISE; END IF;
    done := occ.fail_on_data();
    RETURN NULL;
  WHEN deadlock_detected THEN
    done := occ.fail_on_data();
    RETURN NULL;
END $occ$""".encode()
    )


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


class _Generator:
    """The SQL that covers one table.

    Variables begin with `occ_`, so that a column of the table is not taken for one.
    """

    def __init__(self, table: str, columns: Sequence[tuple[str, str, str | None, bool]] = ()) -> None:
        self.base = f"public.{_quote(table)}"
        self.view = f"{SCHEMA}.{_quote(table)}"
        self.set = f"occ.{_quote(f'set_{table}')}"
        self.write = f"occ.{_quote(f'write_{table}')}"
        self.apply = f"occ.{_quote(f'apply_{table}')}"
        self.read = f"{SCHEMA}.{_quote(f'{table}_for_update')}"
        self.counter = _literal(_counter(table))
        self.slots = _slots(table)
        self.names = [_quote(name) for name, _, _, _ in columns]
        self.key = [_quote(name) for name, _, _, is_key in columns if is_key]
        self.rest = [_quote(name) for name, _, _, is_key in columns if not is_key]
        self.key_types = [kind for _, kind, _, is_key in columns if is_key]
        self.defaults = [(_quote(name), default) for name, _, default, _ in columns if default]

    def _each(self, template: str, names: list[str], glue: str = ", ") -> str:
        return glue.join(template.replace("?", name) for name in names)

    def everything(self) -> str:
        """All statements, in order."""
        return "\n".join(
            (self._write_set(), self._view(), self._read(), self._write(), self._apply(),
             self._triggers())
        )  # fmt: skip

    def _write_set(self) -> str:
        # `op`: U updated, I inserted, D deleted, R only read (for update), N inserted and deleted.
        # No index on what changes, and room in each page, keep the overwriting in place (HOT).
        return f"""
CREATE UNLOGGED TABLE {self.set} (
  occ_backend int, occ_slot int, occ_xid xid8 NOT NULL, occ_op "char" NOT NULL,
  LIKE {self.base} INCLUDING CONSTRAINTS,
  PRIMARY KEY (occ_backend, occ_slot)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0.5);"""

    def _view(self) -> str:
        # The transaction's id as well: a statement that writes goes on scanning after its trigger
        # has counted a slot, and would find there the row that an earlier transaction left.
        mine = (
            f"occ_backend = pg_backend_pid() AND occ_slot < {self.slots} "
            "AND occ_xid = pg_current_xact_id_if_assigned()"
        )
        same = self._each("w.? = b.?", self.key, " AND ")
        defaults = "\n".join(
            f"ALTER VIEW {self.view} ALTER COLUMN {name} SET DEFAULT {default};"
            for name, default in self.defaults
        )
        return f"""
CREATE VIEW {self.view} AS
  SELECT {self._each("b.?", self.names)} FROM {self.base} b
  WHERE NOT EXISTS (SELECT FROM {self.set} w WHERE {mine} AND {same})
  UNION ALL
  SELECT {self._each("w.?", self.names)} FROM {self.set} w
  WHERE {mine} AND occ_op NOT IN ('D', 'N');
{defaults}"""

    def _read(self) -> str:
        """Reading for update: the rows join the write set as members that COMMIT checks."""
        signature = ", ".join(self.key_types)
        match = " AND ".join(f"{name} = ${i}" for i, name in enumerate(self.key, start=1))
        return f"""
CREATE FUNCTION {self.read}({signature}) RETURNS SETOF {self.view} LANGUAGE plpgsql AS $occ$
DECLARE
  occ_n int := {self.slots};
  occ_found {self.view};
  occ_done text;
BEGIN
  SELECT * INTO occ_found FROM {self.view} WHERE {match};
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM FROM {self.set} WHERE occ_backend = pg_backend_pid() AND occ_slot < occ_n AND {match};
  IF NOT FOUND THEN
    occ_done := occ.admit_row();
{self._fill("R", "occ_found")}
  END IF;
  RETURN NEXT occ_found;
END $occ$;"""

    def _fill(self, op: str, row: str) -> str:
        """Overwrite the next slot, or make it; then count it.

        A slot that this transaction itself filled is not the next one: its counter was reset.
        """
        return f"""
    UPDATE {self.set} SET occ_xid = pg_current_xact_id(), occ_op = '{op}',
        {self._each(f"? = {row}.?", self.names)}
      WHERE occ_backend = pg_backend_pid() AND occ_slot = occ_n AND occ_xid <> pg_current_xact_id();
    IF NOT FOUND THEN
      PERFORM FROM {self.set} WHERE occ_backend = pg_backend_pid() AND occ_slot = occ_n;
      IF FOUND THEN occ_done := occ.fail_on_reset(); END IF;
      INSERT INTO {self.set} VALUES
        (pg_backend_pid(), occ_n, pg_current_xact_id(), '{op}', {self._each(f"{row}.?", self.names)});
    END IF;
    occ_done := set_config({self.counter}, (occ_n + 1)::text, true);"""

    def _write(self) -> str:
        mine = "occ_backend = pg_backend_pid() AND occ_slot < occ_n"
        old = self._each("? = OLD.?", self.key, " AND ")
        new = self._each("? = NEW.?", self.key, " AND ")
        moved = f"({self._each('NEW.?', self.key)}) IS DISTINCT FROM ({self._each('OLD.?', self.key)})"
        values = self._each("? = NEW.?", self.names)
        duplicate = _literal(f"duplicate key value violates the primary key of {self.base}")
        return f"""
CREATE FUNCTION {self.write}() RETURNS trigger LANGUAGE plpgsql AS $occ$
DECLARE
  occ_n int := {self.slots};
  occ_done text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF {moved} THEN
      RAISE EXCEPTION 'a primary key cannot be changed here; delete the row and insert another'
        USING ERRCODE = '0A000';
    END IF;
    IF occ_n > 0 THEN
      UPDATE {self.set} SET occ_op = CASE occ_op WHEN 'I' THEN 'I' ELSE 'U' END, {values}
        WHERE {mine} AND {old};
      IF FOUND THEN RETURN NEW; END IF;
    END IF;
    occ_done := occ.admit_row();
{self._fill("U", "NEW")}
    RETURN NEW;
  ELSIF TG_OP = 'INSERT' THEN
    PERFORM FROM {self.view} WHERE {new};
    IF FOUND THEN
      RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = {duplicate};
    END IF;
    UPDATE {self.set} SET occ_op = CASE occ_op WHEN 'N' THEN 'I' ELSE 'U' END, {values}
      WHERE {mine} AND {new};
    IF FOUND THEN RETURN NEW; END IF;
    occ_done := occ.admit_row();
{self._fill("I", "NEW")}
    RETURN NEW;
  ELSE
    UPDATE {self.set} SET occ_op = CASE occ_op WHEN 'I' THEN 'N' ELSE 'D' END WHERE {mine} AND {old};
    IF FOUND THEN RETURN OLD; END IF;
    occ_done := occ.admit_row();
{self._fill("D", "OLD")}
    RETURN OLD;
  END IF;
END $occ$;"""

    def _apply(self) -> str:
        """COMMIT's part for this table: in key order, and REPEATABLE READ finds the conflicts.

        Deletions come first, so that another row can have the unique value of one that goes.
        """
        this = self._each("? = occ_w.?", self.key, " AND ")
        names = ", ".join(self.names)
        update = (
            f"UPDATE {self.base} SET {self._each('? = occ_w.?', self.rest)} WHERE {this}"
            if self.rest
            else f"PERFORM FROM {self.base} WHERE {this} FOR UPDATE"
        )
        return f"""
CREATE FUNCTION {self.apply}() RETURNS boolean LANGUAGE plpgsql AS $occ$
DECLARE
  occ_w {self.set};
  occ_done text;
BEGIN
  FOR occ_w IN SELECT * FROM {self.set}
    WHERE occ_backend = pg_backend_pid() AND occ_slot < {self.slots}
    ORDER BY occ_op <> 'D', {", ".join(self.key)}
  LOOP
    IF occ_w.occ_op = 'U' THEN
      {update};
    ELSIF occ_w.occ_op = 'I' THEN
      INSERT INTO {self.base} ({names}) VALUES ({self._each("occ_w.?", self.names)});
    ELSIF occ_w.occ_op = 'D' THEN
      DELETE FROM {self.base} WHERE {this};
    ELSIF occ_w.occ_op = 'R' THEN
      PERFORM FROM {self.base} WHERE {this} FOR SHARE;
    ELSE
      CONTINUE;
    END IF;
    -- A row of the snapshot that is not found any more was deleted since.
    IF NOT FOUND THEN occ_done := occ.fail_on_data(); END IF;
  END LOOP;
  occ_done := set_config({self.counter}, '0', true);
  RETURN true;
END $occ$;"""

    def _triggers(self) -> str:
        return f"""
CREATE TRIGGER occ_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {self.view}
  FOR EACH ROW EXECUTE FUNCTION {self.write}();
CREATE CONSTRAINT TRIGGER occ_commit AFTER INSERT OR UPDATE ON {self.set}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.occ_slot = 0)
  EXECUTE FUNCTION occ.commit({self.counter});"""
