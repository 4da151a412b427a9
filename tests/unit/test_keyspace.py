"""Account number → key."""

import itertools
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.workload.keyspace import ComputedKeys, KeyType, mix64, read_keys
from tests.keys import key_text

SEEDS = st.integers(0, 2**63 - 1)
NUMBERS = st.lists(st.integers(0, 10**10), min_size=1, max_size=50)
KEY_TYPES = st.sampled_from(list(KeyType))
UUIDS = st.sampled_from([KeyType.UUID, KeyType.UUID7])


def keys_of(key_type: KeyType, seed: int, numbers: list[int] | range) -> list[bytes]:
    return [
        bytes(key) for key in ComputedKeys(key_type, seed).binary(np.array(numbers, np.int64)).tolist()
    ]


@given(KEY_TYPES, SEEDS, NUMBERS)
def test_the_same_key_whatever_the_batch(key_type: KeyType, seed: int, numbers: list[int]) -> None:
    together = keys_of(key_type, seed, numbers)
    assert together == [keys_of(key_type, seed, [number])[0] for number in numbers]
    assert together == keys_of(key_type, seed, numbers[::-1])[::-1]


@given(UUIDS, SEEDS, SEEDS)
def test_another_seed_gives_other_keys(key_type: KeyType, one: int, other: int) -> None:
    same = keys_of(key_type, one, range(20)) == keys_of(key_type, other, range(20))
    assert same == (one == other)


def test_keys_do_not_change_from_one_version_to_the_next() -> None:
    """A table that was seeded a year ago must still be found."""
    assert [keys_of(key_type, 1, [0])[0].hex() for key_type in KeyType] == [
        "0000000000000001",
        "5775264a9a7e4b09a68e6fc01df08360",
        "01941f297c007795a68e6fc01df08360",
    ]


@pytest.mark.parametrize("key_type", KeyType)
@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_keys_are_distinct(key_type: KeyType, seed: int) -> None:
    keys = keys_of(key_type, seed, range(200_000))
    assert len(set(keys)) == len(keys)


@given(SEEDS, st.lists(st.integers(0, 10**12), min_size=2, max_size=20, unique=True))
def test_keys_far_apart_are_distinct(seed: int, numbers: list[int]) -> None:
    for key_type in KeyType:
        assert len(set(keys_of(key_type, seed, numbers))) == len(numbers)


@given(SEEDS, NUMBERS)
def test_integers_count_from_one(seed: int, numbers: list[int]) -> None:
    keys = keys_of(KeyType.INT, seed, numbers)
    assert [int.from_bytes(key, "big", signed=True) for key in keys] == [n + 1 for n in numbers]


@given(SEEDS, NUMBERS)
def test_uuids_are_what_python_calls_random_ones(seed: int, numbers: list[int]) -> None:
    for raw in keys_of(KeyType.UUID, seed, numbers):
        key = uuid.UUID(bytes=raw)
        assert key.version == 4
        assert key.variant == uuid.RFC_4122
        assert key_text(KeyType.UUID, raw) == str(key)


def test_random_uuids_have_no_order() -> None:
    keys = keys_of(KeyType.UUID, 1, range(10_000))
    rising = sum(a < b for a, b in itertools.pairwise(keys))
    assert 4_700 < rising < 5_300
    bits = np.unpackbits(np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16), axis=1).mean(axis=0)
    fixed = {48: 0.0, 49: 1.0, 50: 0.0, 51: 0.0, 64: 1.0, 65: 0.0}
    for place, share in enumerate(bits):
        expected = fixed.get(place, 0.5)
        assert abs(share - expected) <= (0.03 if expected == 0.5 else 0), f"bit {place}"


@given(SEEDS, st.integers(0, 10**10))
def test_uuid7_rises_with_the_account(seed: int, start: int) -> None:
    keys = keys_of(KeyType.UUID7, seed, range(start, start + 100))
    assert all(a < b for a, b in itertools.pairwise(keys))
    for number, raw in enumerate(keys, start):
        key = uuid.UUID(bytes=raw)
        assert raw[6] >> 4 == 7
        assert key.variant == uuid.RFC_4122
        # The first 48 bits are a time in milliseconds, one later for each account.
        assert int.from_bytes(raw[:6], "big") - int.from_bytes(keys[0][:6], "big") == number - start


def test_scrambling_is_one_to_one_and_splitmix() -> None:
    scrambled = mix64(np.arange(100_000, dtype=np.uint64))
    assert len(np.unique(scrambled)) == 100_000
    # The first outputs of SplitMix64 seeded with 0, as its authors publish them.
    assert int(mix64(np.array([0], np.uint64))[0]) == 0xE220A8397B1DCDAF
    assert int(mix64(np.array([0x9E3779B97F4A7C15], np.uint64))[0]) == 0x6E789E6AA1B965F4


@pytest.mark.parametrize(
    ("key", "text"),
    [(1, "1"), (0, "0"), (-5, "-5"), (2**63 - 1, "9223372036854775807"), (-(2**63), "-" + str(2**63))],
)
def test_integers_as_text(key: int, text: str) -> None:
    assert key_text(KeyType.INT, key.to_bytes(8, "big", signed=True)) == text


# Keys from a file


@given(KEY_TYPES, SEEDS, st.integers(1, 100))
def test_a_file_of_computed_keys_reads_back(
    tmp_path_factory: pytest.TempPathFactory, key_type: KeyType, seed: int, count: int
) -> None:
    path = tmp_path_factory.mktemp("keys") / "keys.txt"
    wanted = keys_of(key_type, seed, range(count))
    path.write_text("".join(key_text(key_type, key) + "\n" for key in wanted))
    listed = read_keys(path, key_type)
    assert listed.size == count
    assert listed.key_type is key_type
    there = listed.binary(np.arange(count, dtype=np.int64))
    assert [bytes(key) for key in there.tolist()] == wanted
    picked = np.array([count - 1, 0, count - 1], np.int64)
    assert [bytes(key) for key in listed.binary(picked).tolist()] == [wanted[i] for i in picked]


@pytest.mark.parametrize(
    ("key_type", "text", "words"),
    [
        (KeyType.INT, "", "holds no keys"),
        (KeyType.UUID, "\n \n", "holds no keys"),
        (KeyType.INT, "1\n2\n1\n", "twice"),
        (KeyType.INT, "1\n1_000\n", "key 2: '1_000' is not a key of type int"),
        (KeyType.INT, "1\n+2\n", "key 2: '+2'"),
        (KeyType.INT, "1\n\u0662\n", "plain text"),
        (KeyType.INT, "1\n\x1b[31m\n", "key 2: '\\x1b"),
        (KeyType.UUID, "0000000000-00-4000-8000-000000000001\n", "key 1: "),
        (KeyType.UUID, "postgresql://u:hunter2@h/d\n", "key 1: '***' is not"),
        (KeyType.UUID, "00000000-0000-4000-8000-000000000001\n" * 2, "twice"),
        (KeyType.INT, "1\ntwo\n", "key 2: 'two' is not a key of type int"),
        (KeyType.INT, "1\n9223372036854775808\n", "key 2: '9223372036854775808'"),
        (KeyType.INT, "1.5\n", "key 1: '1.5'"),
        (KeyType.UUID, "00000000-0000-4000-8000-00000000000\n", "key 1"),
        (KeyType.UUID, "00000000-0000-4000-8000-0000000000010\n", "key 1"),
        (KeyType.UUID, "7\n", "key 1: '7' is not a key of type uuid"),
        (KeyType.UUID7, "g" * 32, "is not a key of type uuid7"),
        (KeyType.UUID, "x" * 5000, "key 1"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, key_type: KeyType, text: str, words: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_keys(path, key_type)
    said = str(caught.value)
    assert words in said
    assert str(path) in said
    assert "\n" not in said
    assert len(said) < 200 + len(str(path))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_keys(tmp_path / "absent", KeyType.INT)
    with pytest.raises(InputError, match="directory"):
        read_keys(tmp_path, KeyType.INT)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe1\n")
    with pytest.raises(InputError, match="not plain text"):
        read_keys(tmp_path / "bytes", KeyType.INT)


def test_uuids_are_read_however_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    one, other = uuid.uuid4(), uuid.uuid4()
    path.write_text(f"{str(one).upper()}\r\n{other.hex}\n")
    keys = read_keys(path, KeyType.UUID).binary(np.arange(2, dtype=np.int64)).tolist()
    assert [bytes(key) for key in keys] == [one.bytes, other.bytes]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_mark_that_editors_put_before_a_text_is_no_part_of_a_key(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "keys.txt"
    path.write_bytes(b"\xef\xbb\xbf" + ends.join(["7", "8", ""]).encode())
    assert read_keys(path, KeyType.INT).binary(np.arange(2)).view(">i8").tolist() == [7, 8]
