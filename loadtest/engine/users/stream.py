"""One user's work: what it does next, transaction after transaction."""

from collections.abc import Callable

import numpy as np

from loadtest.workload.builtin import Work

_DRAWN_AT_ONCE = 256


class Stream:
    """One user's endless sequence of work for one key type: a function of (seed, user)."""

    def __init__(self, draw: Callable[[np.random.Generator, int], list[Work]], seed: int, user: int):
        # The key type is not part of the seed: every key type meets the same accounts in the same
        # order, so that a comparison is not blurred by luck of the draw.
        self._rng = np.random.default_rng([seed, user])
        self._draw = draw
        self._drawn: list[Work] = []

    def next(self) -> Work:
        """The next transaction's work."""
        if not self._drawn:
            self._drawn = self._draw(self._rng, _DRAWN_AT_ONCE)
            self._drawn.reverse()
        return self._drawn.pop()
