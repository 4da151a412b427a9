"""The optimistic regime on tables of every shape: keys, defaults, names, unique columns."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from loadtest.targets.embedded import optimistic
from tests.integration.optimistic_support import (
    Connection,
    Open,
    add,
    admin,
    connect,
    fails,
    shapes,
    table,
)

__all__ = ["admin", "connect", "shapes", "table"]


# Tables of other shapes


def test_a_key_of_several_columns(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("stock", "shop text, quantity int NOT NULL, item int, PRIMARY KEY (item, shop)")
    one, other = connect(), connect()
    one.execute("INSERT INTO stock VALUES ('a', 5, 1), ('a', 6, 2), ('b', 7, 1)")
    one.commit()
    one.execute("UPDATE stock SET quantity = quantity - 1 WHERE shop = 'a' AND item = 1")
    other.execute("UPDATE stock SET quantity = quantity - 1 WHERE shop = 'b'")
    other.execute("UPDATE stock SET quantity = quantity - 1 WHERE shop = 'a' AND item = 2")
    one.commit()
    other.commit()
    one.execute("UPDATE stock SET quantity = 0 WHERE item = 1")
    other.execute("DELETE FROM stock WHERE item = 1 AND shop = 'b'")
    other.commit()
    fails(one)
    read = one.execute("SELECT * FROM stock_for_update('a', 1)").fetchone()
    assert read == ("a", 4, 1)
    one.commit()
    rows = admin.execute("SELECT shop, item, quantity FROM stock ORDER BY 1, 2").fetchall()
    assert rows == [("a", 1, 4), ("a", 2, 5)]


def test_defaults(shapes: Callable[[str, str], None], connect: Open, admin: Connection) -> None:
    shapes(
        "notes",
        "id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), "
        "key_1 int, words text DEFAULT 'it''s', n numeric(10, 2) NOT NULL DEFAULT 1.5, "
        "done text, w int, found_row int",
    )
    session = connect()
    made = session.execute(
        "INSERT INTO notes (id) VALUES (1) RETURNING words, n, at = now()"
    ).fetchone()
    assert made is not None
    assert (made[0], float(made[1]), made[2]) == ("it's", 1.5, True)
    session.execute("INSERT INTO notes (id, words) VALUES (2, NULL)")
    session.execute("UPDATE notes SET words = NULL WHERE id = 1")
    session.commit()
    rows = admin.execute("SELECT id, words, n::text FROM notes ORDER BY id").fetchall()
    assert rows == [(1, None, "1.50"), (2, None, "1.50")]


@pytest.mark.parametrize(
    "name", ["Order Lines", 'the "best"', "user", "kontoübersicht", "it's", "x-1", "100 %", "a$$b"]
)
def test_names_that_need_quotes(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection, name: str
) -> None:
    shapes(name, '"select" int PRIMARY KEY, "Total \'$\' ""x""" int NOT NULL')
    quoted = sql.Identifier(name)
    one, other = connect(), connect()
    one.execute(sql.SQL("INSERT INTO {} VALUES (1, 1), (2, 1)").format(quoted))
    one.commit()
    for session in (one, other):
        update = sql.SQL("UPDATE {} SET {total} = {total} + 1 WHERE {key} = 1").format(
            quoted, total=sql.Identifier("Total '$' \"x\""), key=sql.Identifier("select")
        )
        assert session.execute(update).rowcount == 1
    one.commit()
    fails(other)
    other.execute(sql.SQL("DELETE FROM {} WHERE {} = 2").format(quoted, sql.Identifier("select")))
    other.commit()
    left = admin.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("public", name)))
    assert left.fetchall() == [(1, 2)]


def test_a_table_that_is_all_key(shapes: Callable[[str, str], None], connect: Open) -> None:
    shapes("pairs", "a int, b int, PRIMARY KEY (a, b)")
    one, other = connect(), connect()
    one.execute("INSERT INTO pairs VALUES (1, 1), (1, 2)")
    other.execute("INSERT INTO pairs VALUES (1, 3)")
    one.commit()
    other.commit()
    one.execute("UPDATE pairs SET a = a WHERE b = 1")
    other.execute("DELETE FROM pairs WHERE b = 1")
    other.commit()
    fails(one)


USERS = "id int PRIMARY KEY, email text UNIQUE, shop int, UNIQUE (shop)"


def users(session: Connection, *rows: tuple[int, str]) -> None:
    for row in rows:
        session.execute("INSERT INTO users (id, email) VALUES (%s, %s)", row)


def all_users(admin: Connection) -> list[tuple[Any, ...]]:
    return admin.execute("SELECT id, email FROM users ORDER BY id").fetchall()


def is_a_duplicate(session: Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        session.commit()
    assert caught.value.diag.constraint_name == "users_email_key"


def test_a_duplicate_that_is_visible_is_no_conflict(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    """Trying again would fail without end."""
    shapes("users", USERS)
    session = connect()
    users(session, (1, "a"), (2, "b"))
    session.commit()
    users(session, (3, "a"))
    is_a_duplicate(session)
    session.execute("UPDATE users SET email = 'a' WHERE id = 2")
    is_a_duplicate(session)
    users(session, (4, "c"), (5, "c"))
    is_a_duplicate(session)
    assert all_users(admin) == [(1, "a"), (2, "b")]


def test_a_unique_value_that_somebody_else_takes_is_a_conflict(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("users", USERS)
    first, second = connect(), connect()
    users(first, (1, "a"))
    first.commit()
    users(first, (2, "x"))
    second.execute("UPDATE users SET email = 'x' WHERE id = 1")
    second.commit()
    fails(first)
    users(first, (2, "x"))
    is_a_duplicate(first)
    assert all_users(admin) == [(1, "x")]


def test_duplicates_in_an_index_of_an_expression(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("users", "id int PRIMARY KEY, email text, gone bool NOT NULL DEFAULT false")
    admin.execute(
        "CREATE UNIQUE INDEX users_email_key ON users (lower(email), (id % 1)) WHERE NOT gone"
    )
    first, second = connect(), connect()
    users(first, (1, "A"))
    first.commit()
    users(first, (2, "a"))
    is_a_duplicate(first)
    users(first, (2, "b"))
    users(second, (3, "B"))
    second.commit()
    fails(first)
    first.execute("UPDATE users SET gone = true WHERE id = 1")
    users(first, (4, "a"))
    first.commit()
    assert all_users(admin) == [(1, "A"), (3, "B"), (4, "a")]


def test_the_unique_value_of_a_row_that_is_deleted_is_free(
    shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("users", USERS)
    session, other = connect(), connect()
    users(session, (1, "a"), (5, "e"))
    session.commit()
    session.execute("DELETE FROM users WHERE id = 5")
    session.execute("UPDATE users SET email = 'e' WHERE id = 1")
    session.commit()
    assert all_users(admin) == [(1, "e")]
    session.execute("DELETE FROM users WHERE id = 1")
    users(session, (2, "e"))
    other.execute("UPDATE users SET email = 'f' WHERE id = 1")
    other.commit()
    fails(session)
    assert all_users(admin) == [(1, "f")]


def test_two_tables_in_one_transaction(
    table: str, shapes: Callable[[str, str], None], connect: Open, admin: Connection
) -> None:
    shapes("ledger", "id int PRIMARY KEY, amount int NOT NULL")
    one, other = connect(), connect()
    for session, key in ((one, 1), (other, 2)):
        session.execute("INSERT INTO ledger VALUES (%s, 5)", (key,))
        add(session, 1)
    one.commit()
    fails(other)
    assert admin.execute("SELECT id FROM ledger").fetchall() == [(1,)]


def test_what_cannot_be_covered_is_said(admin: Connection) -> None:
    admin.execute("CREATE TABLE keyless (k int)")
    try:
        for name in ("keyless", "not_there"):
            with pytest.raises(ValueError, match="is not there or has no primary key"):
                optimistic.cover(admin, name)
        assert not {"keyless", "not_there"} & set(optimistic.covered(admin))
    finally:
        admin.execute("DROP TABLE keyless")


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ("twice int GENERATED ALWAYS AS (k * 2) STORED", "column 'twice' .* is generated"),
        ("twice int GENERATED ALWAYS AS (k * 2) VIRTUAL", "column 'twice' .* is generated"),
        ("n int GENERATED ALWAYS AS IDENTITY", "column 'n' .* is an identity column"),
        ("n int GENERATED BY DEFAULT AS IDENTITY", "column 'n' .* is an identity column"),
    ],
)
def test_a_column_that_computes_itself_is_refused(admin: Connection, column: str, said: str) -> None:
    admin.execute(f"CREATE TABLE computed (k int PRIMARY KEY, {column})".encode())
    try:
        with pytest.raises(ValueError, match=said):
            optimistic.cover(admin, "computed")
        assert "computed" not in optimistic.covered(admin)
    finally:
        admin.execute("DROP TABLE computed")
