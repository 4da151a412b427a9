"""Which accounts make up which batch: a pure function of the keys and a few numbers.

Rows that are neighbours in key order land on the same pages of the primary key, so loading in key
order is nearly twice as fast as in random order. Sorting all keys would need memory for all of
them; sorting within *blocks* of accounts gives most of the gain with memory for one block. A
block's sorted accounts are cut into *batches*, one transaction each, and neighbouring batches are
handed out together as a *run*, so that one connection writes one key range of the block.

A batch's number is the first account number of its block plus its offset in the sorted block:
unique in the table for ever, whatever is added to the table later.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from loadtest.workload.keyspace import KeySpace, KeyType

BLOCK_ACCOUNTS = 262_144
"""About how many accounts are sorted together: 10 MB, whatever the size of the table."""


def block_size(batch: int) -> int:
    """The number of accounts in a block: whole batches, near BLOCK_ACCOUNTS."""
    return max(1, BLOCK_ACCOUNTS // batch) * batch


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction's rows: account numbers and their keys, in key order."""

    number: int
    accounts: NDArray[np.int64]
    keys: NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Block:
    """The accounts from start up to but not including stop, not yet sorted."""

    start: int
    stop: int
    batch: int

    @property
    def batch_numbers(self) -> range:
        """The numbers of its batches."""
        return range(self.start, self.stop, self.batch)

    def batches(self, keys: KeySpace) -> list[Batch]:
        """Its accounts in key order, cut into batches."""
        accounts = np.arange(self.start, self.stop, dtype=np.int64)
        binary = keys.binary(accounts)
        order = np.argsort(_leading_bytes(keys.key_type, binary), kind="stable")
        accounts, binary = accounts[order], binary[order]
        return [
            Batch(number, accounts[at : at + self.batch], binary[at : at + self.batch])
            for at, number in zip(range(0, len(accounts), self.batch), self.batch_numbers, strict=True)
        ]


def _leading_bytes(key_type: KeyType, binary: NDArray[np.void]) -> NDArray[np.generic]:
    """The first eight bytes of each key as a number that sorts as the database sorts the key."""
    if key_type is KeyType.INT:
        return np.ascontiguousarray(binary).view(">i8").astype(np.int64)
    return np.ascontiguousarray(binary).view(">u8")[::2].astype(np.uint64)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the accounts from start up to stop are cut into blocks, and those into batches."""

    start: int
    stop: int
    batch: int
    block: int

    def blocks(self) -> Iterator[Block]:
        """All blocks, in the order in which they are loaded."""
        for start in range(self.start, self.stop, self.block):
            yield Block(start, min(start + self.block, self.stop), self.batch)

    @property
    def batch_count(self) -> int:
        """How many batches there are in all."""
        whole, rest = divmod(self.stop - self.start, self.block)
        return whole * -(-self.block // self.batch) + -(-rest // self.batch)

    def accounts_in(self, batch_number: int) -> int:
        """How many accounts this batch holds."""
        block_start = batch_number - (batch_number - self.start) % self.block
        return min(batch_number + self.batch, block_start + self.block, self.stop) - batch_number


def runs(batches: list[Batch], parts: int) -> list[list[Batch]]:
    """The batches in `parts` runs of neighbours, as even as can be; fewer where there are few."""
    edges = [len(batches) * part // parts for part in range(parts + 1)]
    return [batches[a:b] for a, b in pairwise(edges) if b > a]
