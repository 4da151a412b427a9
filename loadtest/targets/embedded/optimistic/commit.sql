-- COMMIT, written anew whenever a table comes into the regime or leaves it.
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
    WHEN '' THEN 0
{slots}
    ELSE 0 END ELSE 0 END;
    IF slots > 0 AND occ.is_duplicate(in_table, by_index, slots) THEN RAISE; END IF;
    done := occ.fail_on_data();
    RETURN NULL;
  WHEN deadlock_detected THEN
    done := occ.fail_on_data();
    RETURN NULL;
END $occ$;
