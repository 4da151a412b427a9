"""How often two transactions meet: the closed formula."""

import math


def conflict_probability(commit_rate: float, window_s: float, sum_q_squared: float) -> float:
    """The probability that an attempt conflicts.

    An attempt that lives for a window W, from its snapshot to the decision at commit, is failed by
    any other transaction that commits within W and wrote one of its keys. With λ successful commits
    a second, arriving independently, and q_k the expected writes of a transaction to key k, the
    number of such commits is Poisson with mean λ · W · Σ q_k²:

        P = 1 − exp(−λ · W · Σ_k q_k²)

    Args:
        commit_rate: λ, successful commits a second of the *other* transactions.
        window_s: W in seconds.
        sum_q_squared: Σ_k q_k²; 4 / N for a transfer between two of N accounts drawn uniformly.
    """
    return -math.expm1(-commit_rate * window_s * sum_q_squared)
