"""The figures that follow from an equilibrium: rates, and the latency that conflicts add."""

from dataclasses import dataclass, field, replace

import numpy as np

from loadtest.prediction.equilibrium import Endpoint, Equilibrium, Floats, mean_backoff
from loadtest.workload.retry import RetryPolicy

_CHAINS = 400
_LINKS = 48
_DRAWS = 20_000
_SEED = 20_250_117


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits that a retry policy gives a transaction, in seconds."""

    mean: Floats
    """Mean wait after the first, second, … failure."""
    so_far: Floats
    """(chain, failures): everything that an example of a transaction has waited after so many."""

    @classmethod
    def of(cls, policy: RetryPolicy) -> "Waits":
        """Call the policy's own function with evenly spread random numbers in random order."""
        rng = np.random.default_rng(_SEED)
        even = replace(policy, max_attempts=0)
        waits = np.zeros((_CHAINS, _LINKS))
        middles = (np.arange(_CHAINS) + 0.5) / _CHAINS
        previous = [0.0] * _CHAINS
        for link in range(_LINKS):
            previous = [
                even.wait_after(link + 1, before, u) or 0.0
                for before, u in zip(previous, rng.permutation(middles).tolist(), strict=True)
            ]
            waits[:, link] = previous
        so_far = np.concatenate((np.zeros((_CHAINS, 1)), np.cumsum(waits, axis=1)), axis=1)
        return cls(waits.mean(axis=0), so_far)


@dataclass(slots=True)
class Figures:
    """One equilibrium's figures; means are over all transactions, times in seconds."""

    equilibrium: Equilibrium
    endpoints: tuple[Endpoint, ...]
    waits: Waits
    kept: bool = True
    """False where the rate needs more users than there are."""
    _quantiles: tuple[float, float] | None = field(default=None, init=False)

    def _weights(self, region: int | None = None) -> Floats:
        """How many transactions a second want what, (class, class, endpoint)."""
        started = self.equilibrium.started
        if region is not None:
            started = np.where(np.arange(len(started)) == region, started, 0.0)
        return np.asarray(self.equilibrium.pairs[:, :, None] * started)

    def _mean(self, values: Floats) -> float:
        weights = self._weights()
        total = float(weights.sum())
        return float((weights * values).sum()) / total if total else float(np.mean(values))

    def started_tps(self) -> float:
        """Transactions started a second."""
        return float(self.equilibrium.started.sum())

    def attempts(self) -> float:
        """Attempts of a transaction."""
        return self._mean(self.equilibrium.attempts())

    def conflict_rate(self, region: int | None = None) -> float:
        """Conflicts / attempts."""
        attempts = self._weights(region) * self.equilibrium.attempts()
        total = float(attempts.sum())
        return float((attempts * (1 - self.equilibrium.spared)).sum()) / total if total else 0.0

    def retry_rate(self) -> float:
        """Transactions with a second attempt / transactions."""
        return self._mean(1 - self.equilibrium.spared) if self.equilibrium.most_attempts > 1 else 0.0

    def give_up_rate(self) -> float:
        """Transactions whose attempts run out / transactions."""
        return max(0.0, self._mean(1 - self.equilibrium.committing()))

    def goodput_tps(self, region: int | None = None) -> float:
        """Commits a second."""
        return float((self._weights(region) * self.equilibrium.committing()).sum())

    def _attempt_s(self) -> Floats:
        return np.array([endpoint.attempt_s for endpoint in self.endpoints])

    def latency_s(self) -> float:
        """The whole of a transaction."""
        first_s = self._mean(np.broadcast_to(self._attempt_s(), self.equilibrium.spared.shape))
        return first_s + self.added_s()

    def added_s(self) -> float:
        """Further attempts and backoff of a transaction."""
        solved = self.equilibrium
        waited = mean_backoff(solved.spared, self.waits.mean, solved.most_attempts)
        return self._mean((solved.attempts() - 1) * self._attempt_s()) + self._mean(waited)

    def busy(self) -> float:
        """Transactions under way at the same time (Little's law)."""
        return self.started_tps() * self.latency_s()

    def added_quantiles(self) -> tuple[float, float]:
        """(median, p99) of what conflicts add to a transaction.

        Transactions are drawn, with their number of attempts and their backoff; each further
        attempt takes its mean time.
        """
        if self._quantiles is None:
            self._quantiles = self._draw()
        return self._quantiles

    def _draw(self) -> tuple[float, float]:
        rng = np.random.default_rng(_SEED)
        weights = np.ravel(self._weights())
        most_attempts = self.equilibrium.most_attempts
        if not weights.sum() or most_attempts == 1:
            return 0.0, 0.0
        # Evenly spread numbers instead of random ones: popular and rare accounts in proportion.
        even = (np.arange(_DRAWS) + 0.5) / _DRAWS
        cells = np.searchsorted(np.cumsum(weights) / weights.sum(), even)
        cells = np.minimum(cells, len(weights) - 1)
        failed = 1 - np.ravel(self.equilibrium.spared)[cells]
        with np.errstate(divide="ignore"):
            failures = np.floor(np.log(rng.permutation(even)) / np.log(np.maximum(failed, 1e-300)))
        # Giving up, there is no wait after the last failure: these are the retries.
        failures = np.clip(failures, 0, most_attempts - 1).astype(np.int64)
        known = np.minimum(failures, self.waits.so_far.shape[1] - 1)
        waited = self.waits.so_far[rng.integers(0, len(self.waits.so_far), _DRAWS), known]
        waited = waited + (failures - known) * self.waits.mean[-1]
        added = failures * self._attempt_s()[cells % len(self.endpoints)] + waited
        median, high = np.quantile(added, (0.5, 0.99))
        return float(median), float(high)
