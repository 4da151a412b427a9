-- What covers one table. Filled by __init__.py, as the names in braces say.
--
-- Variables begin with occ_, so that a column of the table is not taken for one. In the write set occ_op
-- is U (updated), I (inserted), D (deleted), R (only read, for update) or N (inserted and deleted).

-- No index on what changes, and room in each page, keep the overwriting in place (HOT).
CREATE UNLOGGED TABLE {set} (
  occ_backend int, occ_slot int, occ_xid xid8 NOT NULL, occ_op "char" NOT NULL,
  LIKE {base} INCLUDING CONSTRAINTS,
  PRIMARY KEY (occ_backend, occ_slot)
) WITH (fillfactor = 25, autovacuum_vacuum_scale_factor = 0.5);

-- Besides the slots the transaction's id counts: a statement that writes goes on scanning after its
-- trigger has counted a slot, and would find there the row that an earlier transaction left.
CREATE VIEW {view} AS
  SELECT {columns_of_base} FROM {base} b
  WHERE NOT EXISTS (SELECT FROM {set} w WHERE {mine} AND {same_key})
  UNION ALL
  SELECT {columns_of_set} FROM {set} w
  WHERE {mine} AND occ_op NOT IN ('D', 'N');
{defaults}

-- Reading for update: the rows join the write set as members that COMMIT checks.
CREATE FUNCTION {read}({signature}) RETURNS SETOF {view} LANGUAGE plpgsql AS $occ$
DECLARE
  occ_n int := {slots};
  occ_found {view};
  occ_done text;
BEGIN
  SELECT * INTO occ_found FROM {view} WHERE {key_is_given};
  IF NOT FOUND THEN RETURN; END IF;
  PERFORM FROM {set} WHERE occ_backend = pg_backend_pid() AND occ_slot < occ_n AND {key_is_given};
  IF NOT FOUND THEN
    occ_done := occ.admit_row();
{fill_read}
  END IF;
  RETURN NEXT occ_found;
END $occ$;

CREATE FUNCTION {write}() RETURNS trigger LANGUAGE plpgsql AS $occ$
DECLARE
  occ_n int := {slots};
  occ_done text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF ({new_key}) IS DISTINCT FROM ({old_key}) THEN
      RAISE EXCEPTION 'a primary key cannot be changed here; delete the row and insert another'
        USING ERRCODE = '0A000';
    END IF;
    IF occ_n > 0 THEN
      UPDATE {set} SET occ_op = CASE occ_op WHEN 'I' THEN 'I' ELSE 'U' END, {new_values}
        WHERE occ_backend = pg_backend_pid() AND occ_slot < occ_n AND {key_is_old};
      IF FOUND THEN RETURN NEW; END IF;
    END IF;
    occ_done := occ.admit_row();
{fill_update}
    RETURN NEW;
  ELSIF TG_OP = 'INSERT' THEN
    PERFORM FROM {view} WHERE {key_is_new};
    IF FOUND THEN
      RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = {duplicate};
    END IF;
    UPDATE {set} SET occ_op = CASE occ_op WHEN 'N' THEN 'I' ELSE 'U' END, {new_values}
      WHERE occ_backend = pg_backend_pid() AND occ_slot < occ_n AND {key_is_new};
    IF FOUND THEN RETURN NEW; END IF;
    occ_done := occ.admit_row();
{fill_insert}
    RETURN NEW;
  ELSE
    UPDATE {set} SET occ_op = CASE occ_op WHEN 'I' THEN 'N' ELSE 'D' END
      WHERE occ_backend = pg_backend_pid() AND occ_slot < occ_n AND {key_is_old};
    IF FOUND THEN RETURN OLD; END IF;
    occ_done := occ.admit_row();
{fill_delete}
    RETURN OLD;
  END IF;
END $occ$;

-- COMMIT's part for this table: in key order, and REPEATABLE READ finds the conflicts. Deletions come
-- first, so that another row can have the unique value of one that goes.
CREATE FUNCTION {apply}() RETURNS boolean LANGUAGE plpgsql AS $occ$
DECLARE
  occ_w {set};
  occ_done text;
BEGIN
  FOR occ_w IN SELECT * FROM {set}
    WHERE occ_backend = pg_backend_pid() AND occ_slot < {slots}
    ORDER BY occ_op <> 'D', {key}
  LOOP
    IF occ_w.occ_op = 'U' THEN
      {update};
    ELSIF occ_w.occ_op = 'I' THEN
      INSERT INTO {base} ({columns}) VALUES ({values_of_set});
    ELSIF occ_w.occ_op = 'D' THEN
      DELETE FROM {base} WHERE {key_is_slots};
    ELSIF occ_w.occ_op = 'R' THEN
      PERFORM FROM {base} WHERE {key_is_slots} FOR SHARE;
    ELSE
      CONTINUE;
    END IF;
    -- A row of the snapshot that is not found any more was deleted since.
    IF NOT FOUND THEN occ_done := occ.fail_on_data(); END IF;
  END LOOP;
  occ_done := set_config({counter}, '0', true);
  RETURN true;
END $occ$;

CREATE TRIGGER occ_write INSTEAD OF INSERT OR UPDATE OR DELETE ON {view}
  FOR EACH ROW EXECUTE FUNCTION {write}();
CREATE CONSTRAINT TRIGGER occ_commit AFTER INSERT OR UPDATE ON {set}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.occ_slot = 0)
  EXECUTE FUNCTION occ.commit({counter});
