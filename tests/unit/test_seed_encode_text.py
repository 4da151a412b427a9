"""COPY in text format: what each value becomes, beside Python's own formatting."""

import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.keyspace import KeyType
from loadtest.scenarios.transfer import Transfer
from loadtest.table import Column, Table
from seed import text
from seed.encode import numeric_binary, numeric_value
from seed.encode_text import TextRowEncoder

INT64 = st.integers(-(2**63), 2**63 - 1)
EVERYTHING = Table(
    "t",
    (Column("n", "bigint"), Column("k", "uuid"), Column("label", "text"), Column("b", "numeric")),
    ("k",),
)


def bigints(values: list[int]) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.array(values, ">i8").view("V8")


@given(st.lists(INT64, min_size=1, max_size=50))
def test_integers_are_written_as_python_writes_them(values: list[int]) -> None:
    lines = text.joined(text.lines(text.integers(bigints(values)), b"\n"))
    assert lines == b"".join(b"%d\n" % value for value in values)


@given(st.lists(st.uuids(), min_size=1, max_size=50))
def test_uuids_are_written_as_python_writes_them(values: list[uuid.UUID]) -> None:
    binary = np.array([value.bytes for value in values], "V16")
    lines = text.joined(text.lines(text.uuids(binary), b"\n"))
    assert lines == b"".join(b"%s\n" % str(value).encode() for value in values)


@given(st.integers(-(10**40), 10**40))
def test_numeric_is_read_back(value: int) -> None:
    assert numeric_value(numeric_binary(value)) == value


@given(
    st.lists(
        st.tuples(
            INT64,
            st.uuids(),
            st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=3, max_size=3),
            st.integers(1_000_000, 99_999_999).filter(lambda number: number % 10_000),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(1, 25),
)
def test_rows_of_every_type_are_cut_into_pieces(
    rows: list[tuple[int, uuid.UUID, str, int]], part: int
) -> None:
    values = {
        "n": bigints([n for n, *_ in rows]),
        "k": np.array([k.bytes for _, k, *_ in rows], "V16"),
        "label": np.array([label.encode() for *_, label, _ in rows], "V3"),
        "b": np.array([numeric_binary(b) for *_, b in rows], "V12"),
    }
    sent = TextRowEncoder(EVERYTHING).encode(values, part)
    assert [piece.count(b"\n") for piece in sent] == [
        min(part, len(rows) - at) for at in range(0, len(rows), part)
    ]
    escapes = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
    expected = "".join(f"{n}\t{k}\t{label.translate(escapes)}\t{b}\n" for n, k, label, b in rows)
    assert b"".join(sent).decode() == expected


def test_one_number_for_all_rows_is_repeated() -> None:
    keys = np.array([b"\x01" * 16, b"\xff" * 16], "V16")
    encoder = TextRowEncoder(Transfer().table(KeyType.UUID))
    assert encoder.encode({"id": keys, "balance": 10_000}, 9) == [
        b"01010101-0101-0101-0101-010101010101\t10000\nffffffff-ffff-ffff-ffff-ffffffffffff\t10000\n"
    ]


def test_a_number_cannot_be_a_uuid() -> None:
    table = Table("t", (Column("n", "bigint"), Column("k", "uuid")), ("n",))
    with pytest.raises(ValueError, match="uuid"):
        TextRowEncoder(table).encode({"n": bigints([1]), "k": 1}, 1)
