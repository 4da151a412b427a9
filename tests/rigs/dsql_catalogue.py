"""DSQL's own schema `sys` on a PostgreSQL server: indexes that are built by jobs.

The index is built at once, in the transaction that asks for it; only the job says for a while that it
is being processed. A build that fails leaves an index that is not valid, and a job that says why, as
it does there.
"""

import re
from typing import Any

import psycopg

_INSTALL = """
CREATE SCHEMA IF NOT EXISTS sys;
CREATE TABLE IF NOT EXISTS sys.all_jobs (
  job_id text PRIMARY KEY,
  failure text,
  object_name text NOT NULL,
  start_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished timestamptz NOT NULL
);
CREATE OR REPLACE VIEW sys.jobs AS
  SELECT job_id,
         CASE WHEN clock_timestamp() < finished THEN 'processing'
              WHEN failure IS NULL THEN 'completed' ELSE 'failed' END AS status,
         CASE WHEN clock_timestamp() >= finished THEN failure END AS details,
         'INDEX_BUILD' AS job_type, object_name, start_time,
         least(clock_timestamp(), finished) AS update_time
  FROM sys.all_jobs;

CREATE OR REPLACE FUNCTION sys.create_index_async(
  uniqueness text, quietly boolean, index_name text, table_name text, columns text
) RETURNS text LANGUAGE plpgsql AS $sys$
DECLARE
  id text := translate(substr(md5(random()::text), 1, 26), '0189', 'wxyz');
  why text;
BEGIN
  IF quietly AND to_regclass(format('public.%I', index_name)) IS NOT NULL THEN
    RETURN NULL;
  END IF;
  BEGIN
    EXECUTE format('CREATE %s INDEX %I ON public.%I (%s)',
                   uniqueness, index_name, table_name, columns);
  EXCEPTION WHEN unique_violation OR program_limit_exceeded THEN
    why := SQLERRM;
    EXECUTE format('CREATE INDEX %I ON public.%I ((1)) WHERE false', index_name, table_name);
    UPDATE pg_index SET indisvalid = false
      WHERE indexrelid = to_regclass(format('public.%I', index_name));
  END;
  INSERT INTO sys.all_jobs (job_id, failure, object_name, finished)
    VALUES (id, why, 'public.' || index_name, clock_timestamp() + make_interval(secs => {takes_s}));
  RETURN id;
END $sys$;

CREATE OR REPLACE PROCEDURE sys.wait_for_job(id text) LANGUAGE plpgsql AS $sys$
BEGIN
  PERFORM pg_sleep(extract(epoch FROM finished - clock_timestamp()))
    FROM sys.all_jobs WHERE job_id = id;
END $sys$;
"""

_CREATE_INDEX = re.compile(
    r"\s*CREATE\s+(UNIQUE\s+)?INDEX\s+ASYNC\s+(IF\s+NOT\s+EXISTS\s+)?(\w+)\s+ON\s+(\w+)\s*"
    r"\(([\w\s,]+)\)\s*;?\s*",
    re.IGNORECASE,
)


def install(connection: psycopg.Connection[tuple[Any, ...]], takes_s: float = 0.2) -> None:
    """Make the schema `sys`; a job is being processed for `takes_s` seconds.

    The connection needs a superuser: a failed build marks its index as not valid.
    """
    connection.execute(_INSTALL.replace("{takes_s}", f"{takes_s:g}").encode())


def translate(sql: str) -> str:
    """CREATE INDEX ASYNC as the SELECT that does it here; anything else as it is."""
    found = _CREATE_INDEX.fullmatch(sql)
    if found is None:
        return sql
    unique, quietly, index, table, columns = found.groups()
    return (
        f"SELECT sys.create_index_async('{'UNIQUE' if unique else ''}', {bool(quietly)}, "
        f"'{index.lower()}', '{table.lower()}', '{columns.strip()}') AS job_id"
    )
