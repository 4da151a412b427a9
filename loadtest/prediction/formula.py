"""The closed formula: the conflict rate at a given rate of commits and length of the window.

It needs both to be known: from a run (the predicted band of a report), or from the options of
`occbench predict`. Where they follow from the conflicts themselves, see `equilibrium.py`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtest.prediction.popularity import popularity_of
from loadtest.workload.access import AccessLaw


def conflict_probability(commit_rate: float, window_s: float, sum_q_squared: float) -> float:
    """Return the probability that an attempt conflicts.

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


def conflict_probability_evenly(commit_rate: float, window_s: float, meeting: float) -> float:
    """Return the same where commits come evenly spaced, and not at random moments.

    Then a window sees ⌊λ · W⌋ commits, and with probability f = λ · W − ⌊λ · W⌋ one more, and is
    spared by each of them with probability 1 − m:

        P = 1 − (1 − m)^⌊λ · W⌋ · (1 − f · m)

    Users that wait for their answers (a closed loop) lie between the two.

    Args:
        commit_rate: λ, successful commits a second of the other transactions.
        window_s: W in seconds.
        meeting: m, the probability that two transactions have a key in common.
    """
    part, whole = math.modf(commit_rate * window_s)
    if meeting >= 1.0:
        return 1.0 if whole else part
    return -math.expm1(whole * math.log1p(-meeting) + math.log1p(-part * meeting))


_COUNTED = 1_000_000
_BINS = 256
_MOST_ATTEMPTS = 10_000


def conflict_rate_of_attempts(
    law: AccessLaw, commit_rate: float, window_s: float, *, max_attempts: int, evenly: bool
) -> float:
    """Return the share of *all attempts* that conflict, retries among them.

    Where access is uniform this is `conflict_probability`. Where some accounts are popular it is
    more: a transaction that conflicted most likely wants a popular account, and wants it again in
    its next attempt. Each key k is taken by itself, with x_k = λ · W · q_k commits to it in a
    window; an attempt on a and b is spared with probability s_a · s_b, where s_k is

        exp(−x_k)        commits at random moments
        1 − min(1, x_k)  commits evenly spaced, as they come to be on a key that is always wanted:
                         the next one cannot commit before it has seen the last

    A transaction spared with probability s makes (1 − (1 − s)^m) / s attempts of at most m. The
    mean over all pairs of keys is taken over bins of keys with like x_k, or of very many keys over
    the classes of `popularity`.

    Args:
        law: which accounts are accessed how often.
        commit_rate: λ, successful commits a second of the other transactions.
        window_s: W in seconds.
        max_attempts: m; 0 for without end, 1 for no retries.
        evenly: which of the two s_k.
    """
    weights, spared = _keys_alike(law, commit_rate * window_s, evenly=evenly)
    pair_spared = np.outer(spared, spared)
    pair_weight = np.outer(weights, weights)
    most = max_attempts or _MOST_ATTEMPTS
    attempts = -np.expm1(most * np.log1p(-np.minimum(pair_spared, 1 - 1e-15)))
    attempts = np.where(pair_spared < 1e-12, float(most), attempts / np.maximum(pair_spared, 1e-12))
    conflicts = attempts * (1 - pair_spared)
    return float(np.sum(pair_weight * conflicts) / np.sum(pair_weight * attempts))


def _keys_alike(
    law: AccessLaw, commits_in_window: float, *, evenly: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bins of keys with like x_k: the share of the accesses that goes there, and s_k."""
    if law.accounts > _COUNTED:
        alike = popularity_of(law)
        q = alike.writes()
        x = commits_in_window * q
        return alike.members * q / 2, 1 - np.minimum(x, 1.0) if evenly else np.exp(-x)
    weight, spared = np.zeros(_BINS), np.zeros(_BINS)
    for q in law.writes_per_transfer():
        x = commits_in_window * q
        s = 1 - np.minimum(x, 1.0) if evenly else np.exp(-x)
        # Eight bins a factor of ten, from 1e-20 up to 1e12.
        bins = np.clip(np.log10(np.maximum(x, 1e-20)) * 8 + 160, 0, _BINS - 1).astype(np.int64)
        weight += np.bincount(bins, q / 2, _BINS)
        spared += np.bincount(bins, q / 2 * s, _BINS)
    used = weight > 0
    return weight[used], spared[used] / weight[used]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The formula's answer for an access law; shares are between 0 and 1."""

    poisson: float
    """Share of attempts that conflict, commits coming at random moments."""
    evenly: float
    """The same, commits coming evenly spaced."""
    sum_q_squared: float


def predict(law: AccessLaw, commit_rate: float, window_s: float) -> Prediction:
    """Return the conflict rate of transfers over this law, at `commit_rate` commits a second."""
    sum_q_squared, meeting = _overlaps(law)
    return Prediction(
        poisson=conflict_probability(commit_rate, window_s, sum_q_squared),
        evenly=conflict_probability_evenly(commit_rate, window_s, meeting),
        sum_q_squared=sum_q_squared,
    )


def _overlaps(law: AccessLaw) -> tuple[float, float]:
    """(Σ q², m): over every account, or over classes of them where they are very many."""
    if law.accounts <= _COUNTED:
        return law.sum_q_squared(), law.meeting_probability()
    popularity = popularity_of(law)
    pairs = popularity.pairs()
    # Σ over pairs of accounts of P(pair)²: of pairs in the same cell each has the same probability.
    either = np.triu(np.where(np.eye(len(pairs)) > 0, pairs, 2 * pairs))
    same = float(np.sum(np.divide(either**2, popularity.pairs_in(), out=either * 0, where=either > 0)))
    squares = float(np.sum(popularity.members * popularity.writes() ** 2))
    return squares, squares - same
