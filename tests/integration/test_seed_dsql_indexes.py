"""Indexes that Aurora DSQL builds in jobs, and the text that its COPY is sent."""

from contextlib import closing
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadtest.errors import TargetError
from loadtest.targets.base import index_jobs
from loadtest.targets.base.table import Column, Table
from seed import SeedInterrupted, contents, seed
from seed.sql.encode import Values
from seed.sql.encode_text import TextRowEncoder
from seed.sql.statements import Connection
from seed.sql.wire import Wire
from tests.integration.seed_dsql_support import (
    BOTH,
    NAME,
    SCENARIO,
    DsqlLike,
    Log,
    indexes,
    load,
    log,
    plan,
    server,
    target,
    unseen,
)

__all__ = ["log", "server", "target", "unseen"]


# Indexes


def test_an_index_that_an_interrupted_command_began_is_waited_for(
    target: DsqlLike, log: Log, unseen: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(index_jobs, "wait_for_job", interrupt)
        with pytest.raises(SeedInterrupted):
            load(target, plan(300))
    assert indexes(unseen) == {f"{NAME}_balance": True}
    found = [one for one in contents(target) if one.table == NAME]
    assert not found[0].complete
    waited: list[str] = []
    wait_for_job = index_jobs.wait_for_job

    def note(connection: Connection, job: str) -> None:
        waited.append(job)
        wait_for_job(connection, job)

    monkeypatch.setattr(index_jobs, "wait_for_job", note)
    # It is there, and valid as far as PostgreSQL knows, but its job may not be done yet.
    assert load(target, plan(300)) == 0
    assert indexes(unseen) == BOTH
    jobs = unseen.execute("SELECT job_id FROM sys.jobs ORDER BY start_time").fetchall()
    assert 1 <= len(waited) <= 2
    assert [job for (job,) in jobs][-len(waited) :] == waited
    assert log.refused() == []


WIDE = Table("wide", (Column("id", "bigint"), Column("words", "text")), ("id",), (("words",),))


def make_wide(connection: Connection, target: DsqlLike) -> None:
    """A table whose text is too long for an index."""
    connection.execute(target.dialect.create_table(WIDE)[0].encode())
    connection.execute(
        "INSERT INTO wide SELECT 1, string_agg(md5(n::text), '') FROM generate_series(1, 300) n"
    )


def test_a_build_that_fails_is_said_in_the_jobs_words_and_made_anew(
    target: DsqlLike, log: Log, unseen: Connection
) -> None:
    make_wide(unseen, target)
    with closing(target.connect()) as connection:
        with pytest.raises(TargetError, match="failed: index row") as caught:
            target.build_index(connection, WIDE, ("words",))
        said = str(caught.value)
        assert said.startswith(f"{target.called}: index wide_words: job ")
        assert said.endswith("the same command builds the index anew")
        assert "\n" not in said
        # What it left is not valid, and stays so as long as nothing changes.
        with pytest.raises(TargetError, match="failed: index row"):
            target.build_index(connection, WIDE, ("words",))
        unseen.execute("UPDATE wide SET words = 'few'")
        target.build_index(connection, WIDE, ("words",))
        target.build_index(connection, WIDE, ("words",))
    row = unseen.execute(
        "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indexrelid = "
        "to_regclass('wide_words')"
    ).fetchone()
    assert row == (1, True)
    assert log.refused() == []
    drops = [sql for sql in log.statements() if sql.startswith("DROP INDEX")]
    assert drops == ["DROP INDEX IF EXISTS wide_words"] * 2


def test_a_job_is_not_waited_for_without_end(target: DsqlLike, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(target.connect()) as connection:
        connection.execute("SELECT 1")
        with pytest.raises(TargetError, match=r"job nobodys is not in sys\.jobs"):
            index_jobs.wait_for_job(connection, "nobodys", 0.2)
        make_wide(connection, target)
        connection.execute("UPDATE wide SET words = 'few'")
        answer = connection.execute(target.dialect.create_index(WIDE, ("words",)))
        (job,) = answer.fetchone() or ("",)
        with pytest.raises(TargetError, match=f"job {job} is still processing after .* goes on"):
            index_jobs.wait_for_job(connection, job, 0.05)
        connection.execute("CALL sys.wait_for_job(%s)", (job,))
        index_jobs.wait_for_job(connection, job, 0)


def test_an_index_of_plain_postgresql_is_made_once(target: DsqlLike, unseen: Connection) -> None:
    assert seed(plan(300), target.plain, SCENARIO).tables[0].loaded == 300
    assert indexes(unseen) == BOTH
    assert seed(plan(400), target.plain, SCENARIO).tables[0].loaded == 100
    assert indexes(unseen) == BOTH


# The text that COPY is sent

EVERY_TYPE = Table(
    "every_type",
    (Column("n", "bigint"), Column("k", "uuid"), Column("label", "text"), Column("b", "numeric")),
    ("n",),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.integers(-(2**63), 2**63 - 1),
        st.tuples(
            st.uuids(),
            st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=4, max_size=4),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(-(10**37), 10**37),
)
def test_what_is_sent_as_text_is_what_is_there(
    target: DsqlLike, rows: dict[int, tuple[Any, str]], balance: int
) -> None:
    with closing(target.connect()) as connection:
        for statement in target.dialect.drop_table("every_type") + target.dialect.create_table(
            EVERY_TYPE
        ):
            connection.execute(statement.encode())
        values: Values = {
            "n": np.array(list(rows), ">i8").view("V8"),
            "k": np.array([k.bytes for k, _ in rows.values()], "V16"),
            "label": np.array([label.encode() for _, label in rows.values()], "V4"),
            "b": balance,
        }
        Wire(connection).run(
            b"COPY every_type FROM STDIN", TextRowEncoder(EVERY_TYPE).encode(values, 99)
        )
        found = connection.execute("SELECT n, k, label, b FROM every_type").fetchall()
    assert {n: (k, label) for n, k, label, _ in found} == rows
    assert {int(b) for *_, b in found} == {balance}
