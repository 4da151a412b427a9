"""Binary COPY: the bytes of numbers, and of whole batches."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.keyspace import KeyType
from loadtest.scenarios.transfer import Transfer
from loadtest.table import Column, Table
from seed.encode import RowEncoder, constant_binary, numeric_binary

HEADER = bytes.fromhex("5047434f50590aff0d0a00 00000000 00000000")


def read_numeric(binary: bytes) -> int:
    """The server's reading of a whole numeric."""
    count, weight, sign, scale = struct.unpack(">hhHH", binary[:8])
    digits = struct.unpack(f">{count}H", binary[8:])
    assert scale == 0
    assert all(digit < 10_000 for digit in digits)
    # Shifted before it is cut, because zeros at the end are not sent.
    value = 0
    for digit in (*digits, *[0] * (weight + 1 - count)):
        value = value * 10_000 + int(digit)
    return -value if sign == 0x4000 else value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0000 0000 0000 0000"),
        (7, "0001 0000 0000 0000 0007"),
        (9_999, "0001 0000 0000 0000 270f"),
        (10_000, "0001 0001 0000 0000 0001"),
        (10_001, "0002 0001 0000 0000 0001 0001"),
        (-12_345, "0002 0001 4000 0000 0001 0929"),
        (100_000_000, "0001 0002 0000 0000 0001"),
        (10**18, "0001 0004 0000 0000 0064"),
    ],
)
def test_numeric_is_what_the_server_sends(value: int, expected: str) -> None:
    assert numeric_binary(value) == bytes.fromhex(expected)


@given(st.integers(-(10**18), 10**18))
def test_numeric_keeps_its_value_in_the_fewest_digits(value: int) -> None:
    binary = numeric_binary(value)
    assert read_numeric(binary) == value
    if len(binary) > 8:
        assert binary[8:10] != b"\0\0"
        assert binary[-2:] != b"\0\0"


def test_a_batch_is_header_rows_and_trailer() -> None:
    keys = np.array([b"\x01" * 16, b"\x02" * 16], "V16")
    (sent,) = RowEncoder(Transfer().table(KeyType.UUID)).encode({"id": keys, "balance": 10_000}, 9)
    numeric = "0000000a 0001 0001 0000 0000 0001"
    rows = f"0002 00000010 {'01' * 16} {numeric} 0002 00000010 {'02' * 16} {numeric}"
    assert sent == HEADER + bytes.fromhex(rows) + b"\xff\xff"


def test_a_batch_is_cut_into_copies_of_the_size_asked_for() -> None:
    keys = np.arange(7, dtype=">i8").view("V8")
    encoder = RowEncoder(Transfer().table(KeyType.INT))
    sent = encoder.encode({"id": keys, "balance": 0}, 3)
    bodies = [piece.removeprefix(HEADER).removesuffix(b"\xff\xff") for piece in sent]
    row = 2 + 4 + 8 + 4 + 8
    assert [len(body) // row for body in bodies] == [3, 3, 1]
    whole = b"".join(bodies)
    assert [whole[at + 13] for at in range(0, len(whole), row)] == list(range(7))


def test_columns_go_in_the_order_of_the_table_and_may_differ_from_batch_to_batch() -> None:
    table = Table("t", (Column("n", "bigint"), Column("label", "text"), Column("k", "uuid")), ("k",))
    encoder = RowEncoder(table)
    for n, label in ((5, 12), (6, 3_456)):
        key = np.array([bytes(range(16))], "V16")
        (sent,) = encoder.encode({"k": key, "label": label, "n": n}, 10)
        text = str(label).encode()
        expected = struct.pack(">hiqi", 3, 8, n, len(text)) + text
        expected += struct.pack(">i", 16) + bytes(range(16))
        assert sent == HEADER + expected + b"\xff\xff"


def test_a_number_cannot_be_a_uuid() -> None:
    with pytest.raises(ValueError, match="uuid"):
        constant_binary("uuid", 1)
