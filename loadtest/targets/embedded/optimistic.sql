-- The optimistic regime, the part that all tables share. optimistic.py adds the part of each table.
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

-- Holds the id of the last transaction that changed the schema. A sequence, because its value is
-- seen at once by everybody, whatever snapshot they have.
CREATE SEQUENCE IF NOT EXISTS occ.last_schema_change MINVALUE 0 START 0;

CREATE OR REPLACE FUNCTION occ.note_schema_change() RETURNS event_trigger
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM setval('occ.last_schema_change', pg_current_xact_id()::text::bigint);
END $$;

DROP EVENT TRIGGER IF EXISTS occ_schema_change;
CREATE EVENT TRIGGER occ_schema_change ON ddl_command_start
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
  changed_by text := coalesce(pg_sequence_last_value('occ.last_schema_change'::regclass), 0)::text;
BEGIN
  IF changed_by::bigint >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
     AND NOT pg_visible_in_snapshot(changed_by::xid8, pg_current_snapshot())
     AND changed_by::xid8 IS DISTINCT FROM pg_current_xact_id_if_assigned()
     AND pg_xact_status(changed_by::xid8) <> 'aborted' THEN
    RAISE EXCEPTION 'schema has been updated by another transaction, please retry: (OC001)'
      USING ERRCODE = '40001';
  END IF;
  RETURN true;
END $$;

CREATE OR REPLACE FUNCTION occ.fail_on_data() RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'change conflicts with another transaction, please retry: (OC000)'
    USING ERRCODE = '40001';
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
