"""Paired blocks: which key type is measured when.

All users of all processes work on one key type for some seconds, then on the next. Each group of
blocks has every key type once, in an order drawn anew, so that whatever drifts on the machine falls
on all of them alike, and the comparison is made within a group. The plan is a function of the seed
and the clock alone: processes agree on it without talking.
"""

UNMEASURED = -1
"""The block number of what starts before measuring begins, or after it has ended."""


def blocks_for(duration_s: float | None, block_s: float, key_types: int) -> float:
    """The block length nearest to the one asked for that fills the duration with whole groups."""
    if duration_s is None:
        return block_s
    groups = max(1, round(duration_s / (block_s * key_types)))
    return duration_s / (groups * key_types)


def key_of_block(block: int, key_types: int, seed: int) -> int:
    """Return the index of the key type that block number `block` measures."""
    # Options are read with the help of this module, and that without numpy.
    import numpy as np

    group, turn = divmod(block, key_types)
    order = np.random.default_rng([seed & (2**63 - 1), 0xB10C, group]).permutation(key_types)
    return int(order[turn])


class Schedule:
    """The plan as a user asks for it: the current block and key type, and when that ends.

    Times are `time.monotonic_ns()`. Before `measure` is called everything is warm-up.
    """

    def __init__(self, key_types: int, block_s: float, seed: int) -> None:
        self._key_types = key_types
        self._duration_ns: int | None = None
        self._block_s = block_s
        self._block_ns = max(1, round(block_s * 1e9))
        self._seed = seed
        self._from_ns: int | None = None
        self.block = UNMEASURED
        self.key = 0
        self.until_ns = 0

    def measure(self, now_ns: int, duration_s: float | None = None) -> None:
        """Measuring starts at this moment, which may lie ahead, and goes on for so long.

        Blocks are as near to the length asked for as whole groups of them allow.
        """
        self._from_ns = now_ns
        if duration_s is not None:
            self._duration_ns = round(duration_s * 1e9)
            block_s = blocks_for(duration_s, self._block_s, self._key_types)
            self._block_ns = max(1, round(block_s * 1e9))
        self.until_ns = 0

    def advance(self, now_ns: int) -> None:
        """Go to the block of this moment; to be called once `now_ns` has reached `until_ns`."""
        if self._from_ns is None or now_ns < self._from_ns:
            # Warm every key type, in turn.
            turn = now_ns // self._block_ns
            self.block = UNMEASURED
            self.key = turn % self._key_types
            self.until_ns = (turn + 1) * self._block_ns
            if self._from_ns is not None:
                self.until_ns = min(self.until_ns, self._from_ns)
            return
        measured_ns = now_ns - self._from_ns
        if self._duration_ns is not None and measured_ns >= self._duration_ns:
            # The users are about to be stopped; what they still begin is not counted.
            self.block = UNMEASURED
            self.until_ns = now_ns + self._block_ns
            return
        self.block = measured_ns // self._block_ns
        self.key = key_of_block(self.block, self._key_types, self._seed)
        until_ns = (self.block + 1) * self._block_ns
        if self._duration_ns is not None:
            until_ns = min(until_ns, self._duration_ns)
        self.until_ns = self._from_ns + until_ns
