-- The optimistic regime, the part that all tables share; table.sql is the part of each table.
--
-- `x := f()` instead of PERFORM f() throughout: PL/pgSQL evaluates a plain expression an order of
-- magnitude faster than a query.
--
-- Nothing here is called by a workload: it reads and writes views that carry the tables' names, in
-- the schema "optimistic". Schema "occ" holds what stands behind them.
--
-- Three settings of a session matter, each lives as long as a transaction:
--   occ.n_<table>   how many slots of the table's write set this transaction has filled
--   occ.rows        the same over all tables, for the limit on rows a transaction
--   occ.commit_delay_ms (any scope)  slept at the start of COMMIT

CREATE SCHEMA IF NOT EXISTS occ;
CREATE SCHEMA IF NOT EXISTS optimistic;

-- The tables in the regime; occ.commit() goes through them in this order of names.
CREATE TABLE IF NOT EXISTS occ.tables (name text PRIMARY KEY);

-- Which transactions change the schema, in sequences: their values are seen at once by everybody,
-- whatever snapshot they have.
--   occ.last_schema_change      the highest id of all; where it is below a snapshot's xmin, the
--                               snapshot has seen every change, and COMMIT reads nothing else
--   occ.schema_change_<0..15>   the latest ids, each once
--   occ.schema_change_dropped   the highest id that had to make room there for another
DROP EVENT TRIGGER IF EXISTS occ_schema_change;
DROP EVENT TRIGGER IF EXISTS occ_schema_changed;
CREATE SEQUENCE IF NOT EXISTS occ.last_schema_change MINVALUE 0 START 0;
CREATE SEQUENCE IF NOT EXISTS occ.schema_change_dropped MINVALUE 0 START 0;
DO $$
BEGIN
  FOR slot IN 0..15 LOOP
    EXECUTE format('CREATE SEQUENCE IF NOT EXISTS occ.schema_change_%s MINVALUE 0 START 0', slot);
  END LOOP;
END $$;

CREATE OR REPLACE FUNCTION occ.sequence_value(name text) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
  RETURN coalesce(pg_sequence_last_value(name::regclass), 0);
END $$;

-- A command that is CONCURRENTLY must not have a transaction id when it begins, so it is noted when
-- it ends. It is always alone in its query, so the query's text tells; a text that has the word for
-- another reason is noted at the end as well, which is in time for everybody but a waiting command.
CREATE OR REPLACE FUNCTION occ.note_schema_change() RETURNS event_trigger
LANGUAGE plpgsql AS $$
DECLARE
  me bigint;
  id bigint;
  status text;
  room int;
  lowest bigint;
BEGIN
  IF TG_EVENT = 'ddl_command_start' AND current_query() ~* '\mconcurrently\M' THEN
    RETURN;
  END IF;
  me := pg_current_xact_id()::text::bigint;
  -- One writer at a time, and not until its transaction ends.
  PERFORM pg_advisory_lock(7042402);
  BEGIN
    FOR slot IN 0..15 LOOP
      id := occ.sequence_value('occ.schema_change_' || slot);
      IF id = me THEN
        room := NULL;
        EXIT;
      END IF;
      -- Least needed: a free slot, one of a change that was rolled back, the oldest that is done.
      status := CASE WHEN id = 0 THEN 'aborted' ELSE pg_xact_status(id::text::xid8) END;
      id := CASE status WHEN 'aborted' THEN 0 WHEN 'in progress' THEN 1e18::bigint + id ELSE id END;
      IF room IS NULL OR id < lowest THEN
        room := slot;
        lowest := id;
      END IF;
    END LOOP;
    IF room IS NOT NULL THEN
      IF lowest > 0 THEN
        PERFORM setval('occ.schema_change_dropped', greatest(
          occ.sequence_value('occ.schema_change_dropped'),
          occ.sequence_value('occ.schema_change_' || room)));
      END IF;
      PERFORM setval(('occ.schema_change_' || room)::regclass, me);
      PERFORM setval('occ.last_schema_change',
                     greatest(occ.sequence_value('occ.last_schema_change'), me));
    END IF;
  EXCEPTION WHEN query_canceled OR OTHERS THEN
    PERFORM pg_advisory_unlock(7042402);
    RAISE;
  END;
  PERFORM pg_advisory_unlock(7042402);
END $$;

CREATE EVENT TRIGGER occ_schema_change ON ddl_command_start
  WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'DROP TABLE', 'CREATE TABLE AS', 'CREATE INDEX',
               'DROP INDEX', 'ALTER INDEX', 'CREATE VIEW', 'ALTER VIEW', 'DROP VIEW',
               'CREATE SCHEMA', 'DROP SCHEMA', 'CREATE SEQUENCE', 'ALTER SEQUENCE', 'DROP SEQUENCE',
               'CREATE FUNCTION', 'ALTER FUNCTION', 'DROP FUNCTION', 'CREATE TYPE', 'DROP TYPE')
  EXECUTE FUNCTION occ.note_schema_change();
CREATE EVENT TRIGGER occ_schema_changed ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE', 'DROP TABLE', 'CREATE TABLE AS', 'CREATE INDEX',
               'DROP INDEX', 'ALTER INDEX', 'CREATE VIEW', 'ALTER VIEW', 'DROP VIEW',
               'CREATE SCHEMA', 'DROP SCHEMA', 'CREATE SEQUENCE', 'ALTER SEQUENCE', 'DROP SEQUENCE',
               'CREATE FUNCTION', 'ALTER FUNCTION', 'DROP FUNCTION', 'CREATE TYPE', 'DROP TYPE')
  EXECUTE FUNCTION occ.note_schema_change();

-- Fails the transaction if the schema changed, or is being changed, since its snapshot. A change
-- that is still under way counts: it waits for a table that this transaction holds, and a database
-- without locks would not have let it wait.
CREATE OR REPLACE FUNCTION occ.check_schema() RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  seen pg_snapshot := pg_current_snapshot();
BEGIN
  IF coalesce(pg_sequence_last_value('occ.last_schema_change'::regclass), 0)
       >= pg_snapshot_xmin(seen)::text::bigint
     AND occ.schema_changed_since(seen) THEN
    RAISE EXCEPTION 'schema has been updated by another transaction, please retry: (OC001)'
      USING ERRCODE = '40001';
  END IF;
  RETURN true;
END $$;

-- Exact, as long as not more than 16 changes are later than the oldest transaction that runs; beyond
-- that it may fail a transaction that could have committed, and never the other way round.
CREATE OR REPLACE FUNCTION occ.schema_changed_since(seen pg_snapshot) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  id xid8;
  dropped xid8;
BEGIN
  FOR slot IN 0..15 LOOP
    id := occ.sequence_value('occ.schema_change_' || slot)::text::xid8;
    IF NOT pg_visible_in_snapshot(id, seen)
       AND id IS DISTINCT FROM pg_current_xact_id_if_assigned()
       AND pg_xact_status(id) <> 'aborted' THEN
      RETURN true;
    END IF;
  END LOOP;
  -- Read last: what is dropped while the loop runs is found here. If the highest dropped one is in
  -- the snapshot, another that is not must have been running when the snapshot was taken.
  dropped := occ.sequence_value('occ.schema_change_dropped')::text::xid8;
  RETURN dropped >= pg_snapshot_xmin(seen)
     AND (NOT pg_visible_in_snapshot(dropped, seen)
          OR EXISTS (SELECT FROM pg_snapshot_xip(seen) x
                     WHERE x < dropped AND pg_xact_status(x) = 'committed'));
END $$;

CREATE OR REPLACE FUNCTION occ.fail_on_data() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'change conflicts with another transaction, please retry: (OC000)'
    USING ERRCODE = '40001';
END $$;

-- RESET ALL in a transaction takes the counters away, and with them what it wrote.
CREATE OR REPLACE FUNCTION occ.fail_on_reset() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the session''s write set was reset within the transaction' USING ERRCODE = '55000',
    HINT = 'Settings that begin with "occ." must be left alone between BEGIN and COMMIT.';
END $$;

-- Whether what violates a unique index stands in this transaction's own view of the data: a row of
-- its snapshot that it has not deleted, or another row of its write set. If not, it was committed
-- by somebody else since. `slots` is how many the write set has.
CREATE OR REPLACE FUNCTION occ.is_duplicate(table_name text, index_name text, slots int)
RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  base regclass := format('public.%I', table_name)::regclass;
  key text;
  parts text;
  equal text;
  restriction text;
  mine text := format('occ_backend = pg_backend_pid() AND occ_slot < %s', slots);
  set_name text := format('occ.%I', 'set_' || table_name);
  found_one boolean;
BEGIN
  SELECT string_agg(format('%I', a.attname), ', ') INTO key
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = base AND i.indisprimary AND a.attnum > 0;
  SELECT string_agg(format('%s AS occ_%s', pg_get_indexdef(i.indexrelid, k, true), k), ', '),
         string_agg(format(CASE WHEN i.indnullsnotdistinct
                           THEN 'w.occ_%1$s IS NOT DISTINCT FROM v.occ_%1$s'
                           ELSE 'w.occ_%1$s = v.occ_%1$s' END, k), ' AND '),
         coalesce(min(pg_get_expr(i.indpred, i.indrelid)), 'true')
    INTO parts, equal, restriction
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid,
         generate_series(1, i.indnkeyatts) k
    WHERE i.indrelid = base AND c.relname = index_name;
  IF parts IS NULL THEN RETURN false; END IF;
  EXECUTE format(
    'WITH mine AS MATERIALIZED (SELECT ROW(%1$s) AS occ_key, %2$s FROM %3$s
                   WHERE %4$s AND occ_op IN (''U'', ''I'') AND (%5$s))
     SELECT EXISTS (SELECT FROM mine w JOIN mine v ON %6$s AND w.occ_key <> v.occ_key)
         OR EXISTS (SELECT FROM mine w JOIN
                      (SELECT ROW(%1$s) AS occ_key, %2$s FROM %7$s WHERE %5$s) v
                      ON %6$s AND w.occ_key <> v.occ_key
                    WHERE NOT EXISTS (SELECT FROM (SELECT ROW(%1$s) AS occ_key FROM %3$s
                                                   WHERE %4$s AND occ_op = ''D'') d
                                      WHERE d.occ_key = v.occ_key))',
    key, parts, set_name, mine, restriction, equal, base) INTO found_one;
  RETURN found_one;
END $$;

-- Called by a write that fills a new slot: the rules that hold for the whole transaction.
CREATE OR REPLACE FUNCTION occ.admit_row() RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  n int := coalesce(nullif(current_setting('occ.rows', true), ''), '0')::int;
  was_set text;
BEGIN
  IF n = 0 AND current_setting('transaction_isolation') <> 'repeatable read' THEN
    RAISE EXCEPTION 'isolation level % is not supported here; use REPEATABLE READ',
      current_setting('transaction_isolation') USING ERRCODE = '0A000';
  END IF;
  IF n >= 3000 THEN
    RAISE EXCEPTION 'transaction row limit exceeded: at most 3000 rows' USING ERRCODE = '54000';
  END IF;
  was_set := set_config('occ.rows', (n + 1)::text, true);
  RETURN true;
END $$;
