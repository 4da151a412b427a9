"""The equilibrium solver: how often attempts conflict once everything that follows from it has settled.

Conflicts lower the rate of commits, which lowers conflicts; retries raise the rate of attempts;
backoff and retries keep the users of a closed loop from starting something new. `settle` finds the
rates at which all this holds together, by account class (`popularity.py`) and endpoint. Where conflicts
are rare it says the same as the closed formula (`formula.py`), to which the rate of commits is given.

One account by itself is a renewal process. After a commit to it at time 0 every attempt in flight
fails. Attempts that begin later, at α a second, each need a window; the first window to end is the
next commit. With G the distribution of windows, no commit has come by t with probability

    S(t) = exp(−α ∫₀ᵗ G)

(attempts that have begun *and* ended by t are Poisson with that mean), so commits are 1/α-spaced when
hardly any attempt wants the account, and m = ∫ S apart in general. An attempt that begins at any moment
sees the residual time to the next commit of others, with density S(t)/m, and is spared when it is
longer than its window:

    P(hit) = (1/m) ∫ S(t) · (1 − G(t)) dt

For windows that are all alike this is αW / (1 + αW); for a rarely wanted account it is αW, the first
term of the closed formula. With windows of several endpoints, αG is their sum.

A transfer is spared if both of its accounts are. The accounts are taken as independent, but for the
commits of transfers between the same two, which must not count twice. α of an account counts only the
attempts that its other account spares: the others do not commit.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from loadtest.prediction.popularity import Popularity

_CELLS = 64
_MOST_ROUNDS = 1000
_PATIENCE = 25
"""After so many rounds that did not get nearer, steps become smaller."""
_SETTLED = 1e-6
_NEVER = 1e-13
"""Probabilities below count as this."""
_ENDLESS = 10_000
"""Attempts that stand for "without end"."""
_LEAST = 1e-9
_ALIKE = 0.005
_CROWDED = 50
"""Starts within a window, beyond which their even spacing is counted in closed form."""
_MOST_STARTS = 100_000
_TINY = 1e-300

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of the database, with the times of attempts through it in seconds."""

    share: float
    """Of the users (closed loop) or of the transactions (open loop); all shares add up to 1."""
    window_s: float
    """Mean time from snapshot to decision."""
    spread: float
    """Standard deviation of the windows over their mean; they are taken as gamma-distributed."""
    attempt_s: float
    """Mean time of a whole attempt, with the client's own before the next one."""
    between_s: float = 0.0
    """The client's own time between two transactions, beside any think time."""
    start_spread_s: float = 0.0
    """Standard deviation of the time from a scheduled start to the snapshot."""

    @property
    def windows_alike(self) -> bool:
        """Whether the windows differ too little to matter."""
        return self.spread < _ALIKE or self.window_s == 0


@dataclass(frozen=True, slots=True)
class Load:
    """A closed loop of users, or transactions started on a schedule."""

    users: int | None
    """None for an open loop."""
    think_s: float
    rate: float | None
    """Transactions started a second; None for a closed loop."""
    evenly: bool = False
    """Whether an open loop starts them evenly spaced, as `occbench run` does, or at random moments."""


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """The rates at which everything holds together.

    Arrays have the axes (class of one account, class of the other, endpoint); `pairs[i, j]` is how
    often transactions want such accounts.
    """

    pairs: Floats
    spared: Floats
    """The probability that an attempt is spared."""
    started: Floats
    """Transactions started a second, by endpoint."""
    most_attempts: int
    settled: bool
    """False where there is no steady state: more is asked of an account than it can commit."""

    def committing(self) -> Floats:
        """Return the probability that a transaction commits in the end."""
        return _committing(self.spared, self.most_attempts)

    def attempts(self) -> Floats:
        """Return the mean attempts of a transaction."""
        return np.asarray(self.committing() / self.spared)


def _committing(spared: Floats, most_attempts: int) -> Floats:
    return np.asarray(-np.expm1(most_attempts * np.log(np.maximum(1 - spared, _TINY))))


def settle(
    popularity: Popularity,
    endpoints: tuple[Endpoint, ...],
    load: Load,
    waits_s: Floats,
    *,
    max_attempts: int,
    contention: float = 1.0,
    end: int = 0,
) -> Equilibrium:
    """Find the equilibrium by iteration.

    Args:
        popularity: the accounts.
        endpoints: those of one database.
        load: users or rate.
        waits_s: mean backoff after the first, second, … failed attempt; the last holds for later ones.
        max_attempts: 0 for without end, 1 for no retries.
        contention: a factor on α, to see what the model's own inaccuracy is worth.
        end: where several endpoints start evenly, how their schedules lie to one another: so that their
            starts meet as seldom as they can (−1), as often as they can (1), or as if at random (0).
    """
    most = max_attempts or _ENDLESS
    model = _Model(popularity, endpoints, load, waits_s, most, contention, end)
    endless = load.users is None and max_attempts == 0
    state, step, settled = model.beginning(), 0.5, False
    nearest = before = np.inf
    for number in range(_MOST_ROUNDS):
        following = model.follow_from(state)
        moved = state.distance(following)
        if moved < _SETTLED:
            settled = True
            break
        # The whole way would swing where accounts are nearly always taken; where half of it does,
        # smaller steps do not.
        nearest = min(nearest, moved)
        if number % _PATIENCE == _PATIENCE - 1:
            if nearest > 0.7 * before:
                step = max(step * 0.7, 0.02)
            before = nearest
        state = state.towards(following, step)
        if endless and float(state.hit.max()) > 1 - 10 * _LEAST:
            break
    spared = model.spared(state)
    # Attempts without end that hardly ever succeed are a queue that grows, not a steady state.
    if endless and float(spared.min()) < 10 / _ENDLESS:
        settled = False
    return Equilibrium(model.pairs, spared, state.started, most, settled)


@dataclass(frozen=True, slots=True)
class _State:
    """The unknowns."""

    hit: Floats
    """(class, endpoint): P(hit) on an account."""
    joint: Floats
    """(class, class): of the commits to an account of the first class, the share that are transfers
    with a certain account of the second."""
    started: Floats
    """(endpoint): transactions started a second."""

    def distance(self, other: "_State") -> float:
        """Relative both in being hit and in being spared, for either may be rare."""
        rarer = np.maximum(np.minimum(other.hit, 1 - other.hit), _NEVER)
        apart = float((np.abs(other.hit - self.hit) / rarer).max())
        pace = np.abs(other.started - self.started) / np.maximum(self.started, _TINY)
        return max(apart, float(pace.max()), float(np.abs(other.joint - self.joint).max()))

    def towards(self, other: "_State", step: float) -> "_State":
        """Part of the way to the other, in the logarithm of being spared and of the pace."""
        kept = 1 - step
        spared = kept * np.log1p(-self.hit) + step * np.log1p(-other.hit)
        pace = self.started**kept * other.started**step
        return _State(-np.expm1(spared), kept * self.joint + step * other.joint, pace)


class _Model:
    """The equations: from a state to the next, with everything that can be computed beforehand."""

    def __init__(
        self,
        popularity: Popularity,
        endpoints: tuple[Endpoint, ...],
        load: Load,
        waits_s: Floats,
        most: int,
        contention: float,
        end: int,
    ) -> None:
        self.pairs = pairs = popularity.pairs()
        either = np.where(np.eye(len(pairs)) > 0, pairs, 2 * pairs)
        # (class, class): the share of transfers between two certain accounts.
        self._same_two = np.divide(
            either, popularity.pairs_in(), out=np.zeros_like(pairs), where=either > 0
        )
        self._members = popularity.members
        self._attempt_s = np.array([endpoint.attempt_s for endpoint in endpoints])
        self._pause_s = load.think_s + np.array([endpoint.between_s for endpoint in endpoints])
        self._share = np.array([endpoint.share for endpoint in endpoints])
        self._steps, self._ended = _windows(endpoints)
        # To interpolate in: at every step it would take longer than all the rest.
        grid = np.concatenate((np.geomspace(_LEAST, 1e-3, 100), np.geomspace(1.01e-3, 1, 400)))
        self._backoff = grid, mean_backoff(grid, waits_s, most)
        self._most, self._users, self._contention = most, load.users, contention
        self._rate = load.rate or 0.0
        # (endpoint): how many first attempts an attempt meets, over as many as at random moments.
        self._first_meet = np.ones(len(endpoints))
        if load.evenly:
            self._first_meet = _meetings_evenly(endpoints, self._rate, end)

    def beginning(self) -> _State:
        """Without any conflict."""
        classes, endpoints = len(self._members), len(self._share)
        pace = self._rate * self._share
        if self._users is not None:
            pace = self._users * self._share / (self._attempt_s + self._pause_s)
        return _State(np.zeros((classes, endpoints)), np.zeros((classes, classes)), pace)

    def spared(self, state: _State) -> Floats:
        """(class, class, endpoint): the probability that an attempt is spared."""
        hit, hit_other = state.hit[:, None, :], state.hit[None, :, :]
        # A commit to both of them must not count twice.
        again = np.minimum(state.joint[:, :, None] * hit, state.joint.T[:, :, None] * hit_other)
        both = (1 - hit) * (1 - hit_other) / (1 - again)
        return np.asarray(np.maximum(both, _LEAST))

    def follow_from(self, state: _State) -> _State:
        """Return the state that the attempts and commits of this one lead to."""
        spared, shape = self.spared(state), self.pairs[:, :, None]
        commits = _committing(spared, self._most)
        attempts = commits / spared
        # A user's own commits fail none of its attempts.
        others = 1.0 if self._users is None else (self._users - 1) / self._users
        one = 1 - state.hit[:, None, :]
        # Only attempts that the other account spares can fail others.
        dangerous = shape * spared / one
        pressure = (dangerous * attempts).sum(axis=1)
        alpha = self._contention * others * state.started * 2 * pressure / self._members[:, None]
        committed = (state.started * commits).sum(axis=2)
        alone = 2 * (self.pairs * committed).sum(axis=1) / self._members
        joint = self._same_two * committed / np.maximum(alone, _TINY)[:, None]
        if (self._first_meet == 1).all():
            hit = _hit(alpha, self._steps, self._ended)
        else:
            # Only first attempts keep their distance from one another; a retry starts at any moment.
            first = dangerous.sum(axis=1) / np.maximum(pressure, _TINY)
            each = [
                _hit(alpha * (1 - (1 - meet) * first**2), self._steps, self._ended)[:, endpoint]
                for endpoint, meet in enumerate(self._first_meet)
            ]
            hit = np.stack(each, axis=1)
        hit = np.minimum(hit, 1 - _LEAST)
        if self._users is None:
            return _State(hit, joint, state.started)
        waits = np.interp(spared, *self._backoff)
        takes = (shape * (attempts * self._attempt_s + waits)).sum((0, 1))
        return _State(hit, joint, self._users * self._share / (takes + self._pause_s))


def _meetings_evenly(endpoints: tuple[Endpoint, ...], rate: float, end: int) -> Floats:
    """(endpoint): how many first attempts meet an attempt there, over λW, if starts are evenly spaced.

    Each endpoint's own starts are 1/λ apart. An attempt with its snapshot a time O after its start and
    its decision at D = O + W meets another one, k starts away, if O < k/λ + D' < D. Summed over k
    before and after it, with D and D' of one distribution, all but one part cancels out:

        Σ_k P(D' − O > k/λ),  k = 1, 2, …

    D' − O = W + (O' − O) has the mean of W and the variance of W and of two O; it is taken as
    gamma-distributed. Where nothing varies that is ⌈λW⌉ − 1.

    Of another endpoint's starts, λ' a second, a window holds ⌊λ'W⌋ to ⌈λ'W⌉, by how the two schedules
    lie; and as each of those is in no fewer than ⌊λW⌋ and no more than ⌈λW⌉ windows, all windows
    together see from λ'/λ · ⌊λW⌋ to λ'/λ · ⌈λW⌉ on average.
    """
    meetings = np.ones(len(endpoints))
    for number, endpoint in enumerate(endpoints):
        expected = rate * endpoint.window_s
        if not expected:
            continue
        own = endpoint.share * expected
        meet = min(_own_meetings(endpoint, rate * endpoint.share), expected * endpoint.share)
        for other in endpoints[:number] + endpoints[number + 1 :]:
            theirs = other.share * expected
            if not theirs or not own:
                continue
            by = other.share / endpoint.share
            meet += (
                max(math.floor(theirs), by * math.floor(own)),
                theirs,
                min(math.ceil(theirs), by * math.ceil(own)),
            )[end + 1]
        meetings[number] = meet / expected
    return meetings


def _own_meetings(endpoint: Endpoint, rate: float) -> float:
    """Σ_k P(W + O' − O > k/λ), for starts 1/λ apart."""
    per_window = rate * endpoint.window_s
    if per_window > _CROWDED:
        # The sum by Euler and Maclaurin: half a start less than random ones.
        return per_window - 0.5
    spread = math.hypot(endpoint.spread, math.sqrt(2) * endpoint.start_spread_s / endpoint.window_s)
    longest = math.ceil(per_window * (1 + 8 * spread + 12 * spread**2)) + 1
    starts = np.arange(1, min(longest, _MOST_STARTS) + 1) / max(rate, _TINY)
    return float((1 - _ended_by(replace(endpoint, spread=spread), starts)).sum())


def _ended_by(endpoint: Endpoint, times: Floats) -> Floats:
    """G: the share of windows that are no longer than each of these times."""
    if endpoint.windows_alike:
        return np.asarray(times >= endpoint.window_s, np.float64)
    from scipy.special import gammainc

    shape = endpoint.spread**-2
    return np.asarray(gammainc(shape, times * shape / endpoint.window_s), np.float64)


def _windows(endpoints: tuple[Endpoint, ...]) -> tuple[Floats, Floats]:
    """(steps, G): the cells of a time grid, and each endpoint's mean G over each, (endpoint, cell).

    The mean is exact: ∫₀ᵗ G = t · G(t) − E[window; window ≤ t], which a gamma distribution has in
    closed form.
    """
    edges = [np.zeros(1)]
    for endpoint in endpoints:
        longest = endpoint.window_s * (1 + 6 * endpoint.spread + 10 * endpoint.spread**2)
        edges.append(np.linspace(0, longest, 8 if endpoint.windows_alike else _CELLS))
    grid = np.unique(np.concatenate(edges))
    if len(grid) == 1:
        grid = np.array([0.0, 1.0])
    steps = np.diff(grid)
    return steps, np.array([np.diff(_area(endpoint, grid)) / steps for endpoint in endpoints])


def _area(endpoint: Endpoint, grid: Floats) -> Floats:
    """∫₀ᵗ G at each t of the grid."""
    if endpoint.windows_alike:
        return np.maximum(0.0, grid - endpoint.window_s)
    from scipy.special import gammainc

    shape = endpoint.spread**-2
    at = grid * shape / endpoint.window_s
    return np.asarray(
        grid * gammainc(shape, at) - endpoint.window_s * gammainc(shape + 1, at), np.float64
    )


def _hit(alpha: Floats, steps: Floats, ended: Floats) -> Floats:
    """P(hit) of an attempt on one account, (class, endpoint), given α of each class and endpoint."""
    exponent = (alpha @ ended) * steps
    after = np.cumsum(exponent, axis=1)
    # Within a cell the exponent grows in a straight line, and ∫ exp of it is known.
    small = exponent < 1e-8
    mean = np.where(small, 1 - exponent / 2, -np.expm1(-exponent) / np.where(small, 1.0, exponent))
    none_yet = steps * mean * np.exp(exponent - after)
    # Beyond the grid every window has ended: what is left decays at α.
    rest = np.exp(-after[:, -1]) / np.maximum(alpha.sum(axis=1), _TINY)
    apart = none_yet.sum(axis=1) + rest
    return np.asarray((none_yet @ (1 - ended).T) / apart[:, None], np.float64)


def mean_backoff(spared: Floats, waits_s: Floats, most_attempts: int) -> Floats:
    """Return the mean backoff of a transaction, all waits together, by how often attempts are spared.

    `waits_s` as in `settle`.
    """
    failed = 1 - spared
    total, left = np.zeros_like(spared), failed.copy()
    counted = min(most_attempts - 1, len(waits_s))
    for wait_s in waits_s[:counted]:
        total += wait_s * left
        left = left * failed
    if beyond := most_attempts - 1 - counted:
        # The last wait, for all that follow: a geometric series.
        series = -np.expm1(beyond * np.log(np.maximum(failed, _TINY))) / spared
        total += waits_s[-1] * left * series
    return total
