"""How often attempts conflict once everything that follows from it has settled.

Conflicts lower the rate of commits, which lowers conflicts; retries raise the rate of attempts;
backoff and retries keep the users of a closed loop from starting something new. The rates at which
all this holds together are found here, by account class (`popularity.py`) and Region.

One account by itself is a renewal process. After a commit to it at time 0 every attempt in flight is
lost. Attempts that begin later, at α a second, each need a window; the first window to end is the
next commit. With G the distribution of windows, no commit has come by t with probability

    S(t) = exp(−α ∫₀ᵗ G)

(attempts that have begun *and* ended by t are Poisson with that mean), so commits are 1/α-spaced when
hardly anybody wants the account, and m = ∫ S apart in general. An attempt that begins at any moment
sees the residual time to the next commit of others, with density S(t)/m, and is spared when it is
longer than its window:

    P(hit) = (1/m) ∫ S(t) · (1 − G(t)) dt

For windows that are all alike this is αW / (1 + αW); for a rarely wanted account it is αW, the first
term of the closed formula in `prediction.py`. With windows of several Regions, αG is their sum.

A transfer is spared if both of its accounts are. The accounts are taken as independent, but for the
commits of transfers between the same two, which must not count twice. α of an account counts only the
attempts that its other account spares: nobody else commits.
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
"""Probabilities below are nothing."""
_ENDLESS = 10_000
"""Attempts that stand for "without end"."""
_LEAST = 1e-9
_ALIKE = 0.005
_CROWDED = 50
"""Starts within a window, beyond which their even spacing is counted in closed form."""
_MOST_STARTS = 100_000

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Place:
    """What attempts through one endpoint take, in seconds."""

    share: float
    """Of the users (closed loop) or of the transactions (open loop); all places add up to 1."""
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


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of the system: a closed loop of users, or transactions by a schedule."""

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

    Arrays have the axes (class of one account, class of the other, place); `pairs[i, j]` is how
    often transactions want such accounts.
    """

    pairs: Floats
    spared: Floats
    """The probability that an attempt is spared."""
    started: Floats
    """Transactions started a second, by place."""
    most_attempts: int
    settled: bool
    """False where no steady state was found: more is asked of an account than it can commit."""

    def committing(self) -> Floats:
        """The probability that a transaction commits in the end."""
        return np.asarray(-np.expm1(self.most_attempts * np.log(np.maximum(1 - self.spared, 1e-300))))

    def attempts(self) -> Floats:
        """Attempts that a transaction makes, on average."""
        return np.asarray(self.committing() / self.spared)


def settle(
    popularity: Popularity,
    places: tuple[Place, ...],
    load: Load,
    waits_s: Floats,
    *,
    max_attempts: int,
    contention: float = 1.0,
    end: int = 0,
) -> Equilibrium:
    """Find the equilibrium.

    Args:
        popularity: the accounts.
        places: endpoints of one database.
        load: users or rate.
        waits_s: mean backoff after the first, second, … failed attempt; the last holds for later ones.
        max_attempts: 0 for without end, 1 for no retries.
        contention: a factor on α, to see what the model's own inaccuracy is worth.
        end: where several places start evenly, how their schedules lie to one another: so that their
            starts meet as seldom as they can (−1), as often as they can (1), or as if at random (0).
    """
    most = max_attempts or _ENDLESS
    rules = _Rules.of(popularity, places, load, waits_s, most, contention, end)
    endless = load.users is None and max_attempts == 0
    state, step, settled = rules.beginning(), 0.5, False
    nearest = before = np.inf
    for number in range(_MOST_ROUNDS):
        following = rules.follow_from(state)
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
    spared = rules.spared(state)
    # Attempts without end that hardly ever succeed are a queue that grows, not a steady state.
    if endless and float(spared.min()) < 10 / _ENDLESS:
        settled = False
    return Equilibrium(rules.pairs, spared, state.started, most, settled)


@dataclass(frozen=True, slots=True)
class _State:
    """What is looked for."""

    hit: Floats
    """(class, place): P(hit) on an account."""
    joint: Floats
    """(class, class): of the commits to an account of the first class, the share that are transfers
    with a certain account of the second."""
    started: Floats
    """(place): transactions started a second."""

    def distance(self, other: "_State") -> float:
        """Relative both in being hit and in being spared, for either may be rare."""
        rarer = np.maximum(np.minimum(other.hit, 1 - other.hit), _NEVER)
        apart = float((np.abs(other.hit - self.hit) / rarer).max())
        pace = np.abs(other.started - self.started) / np.maximum(self.started, 1e-300)
        return max(apart, float(pace.max()), float(np.abs(other.joint - self.joint).max()))

    def towards(self, other: "_State", step: float) -> "_State":
        """Part of the way to the other, in the logarithm of being spared and of the pace."""
        kept = 1 - step
        spared = kept * np.log1p(-self.hit) + step * np.log1p(-other.hit)
        pace = self.started**kept * other.started**step
        return _State(-np.expm1(spared), kept * self.joint + step * other.joint, pace)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What follows from a state; everything that does not change meanwhile."""

    pairs: Floats
    members: Floats
    same_two: Floats
    """(class, class): the share of transfers between two certain accounts."""
    attempt_s: Floats
    pause_s: Floats
    share: Floats
    steps: Floats
    ended: Floats
    backoff: tuple[Floats, Floats]
    most: int
    users: int | None
    rate: float
    contention: float
    first_meet: Floats
    """(place): how many first attempts an attempt meets, over as many as at random moments."""

    @classmethod
    def of(
        cls,
        popularity: Popularity,
        places: tuple[Place, ...],
        load: Load,
        waits_s: Floats,
        most: int,
        contention: float,
        end: int,
    ) -> "_Rules":
        """Everything that can be computed beforehand."""
        pairs = popularity.pairs()
        either = np.where(np.eye(len(pairs)) > 0, pairs, 2 * pairs)
        between = popularity.pairs_in()
        steps, ended = _windows(places)
        return cls(
            pairs=pairs,
            members=popularity.members,
            same_two=np.divide(either, between, out=np.zeros_like(pairs), where=either > 0),
            attempt_s=np.array([place.attempt_s for place in places]),
            pause_s=load.think_s + np.array([place.between_s for place in places]),
            share=np.array([place.share for place in places]),
            steps=steps,
            ended=ended,
            backoff=_backoff(waits_s, most),
            most=most,
            users=load.users,
            rate=load.rate or 0.0,
            contention=contention,
            first_meet=(
                _meetings_evenly(places, load.rate or 0.0, end) if load.evenly else np.ones(len(places))
            ),
        )

    def beginning(self) -> _State:
        """Nobody conflicts."""
        classes, places = len(self.members), len(self.share)
        pace = self.rate * self.share
        if self.users is not None:
            pace = self.users * self.share / (self.attempt_s + self.pause_s)
        return _State(np.zeros((classes, places)), np.zeros((classes, classes)), pace)

    def spared(self, state: _State) -> Floats:
        """(class, class, place): the probability that an attempt is spared."""
        hit, hit_other = state.hit[:, None, :], state.hit[None, :, :]
        # A commit to both of them must not count twice.
        again = np.minimum(state.joint[:, :, None] * hit, state.joint.T[:, :, None] * hit_other)
        both = (1 - hit) * (1 - hit_other) / (1 - again)
        return np.asarray(np.maximum(both, _LEAST))

    def follow_from(self, state: _State) -> _State:
        """What the attempts and commits of this state lead to."""
        spared, shape = self.spared(state), self.pairs[:, :, None]
        commits = -np.expm1(self.most * np.log(np.maximum(1 - spared, 1e-300)))
        attempts = commits / spared
        # Nobody is failed by their own commits.
        others = 1.0 if self.users is None else (self.users - 1) / self.users
        one = 1 - state.hit[:, None, :]
        dangerous = (shape * attempts * spared / one).sum(axis=1)
        alpha = self.contention * others * state.started * 2 * dangerous / self.members[:, None]
        together = self.same_two * (state.started * commits).sum(axis=2)
        alone = 2 * (self.pairs * (state.started * commits).sum(axis=2)).sum(axis=1) / self.members
        joint = together / np.maximum(alone, 1e-300)[:, None]
        if (self.first_meet == 1).all():
            hit = _hit(alpha, self.steps, self.ended)
        else:
            first = _first_ones(shape, attempts, spared, one)
            each = [
                _hit(alpha * (1 - (1 - meet) * first**2), self.steps, self.ended)[:, place]
                for place, meet in enumerate(self.first_meet)
            ]
            hit = np.stack(each, axis=1)
        hit = np.minimum(hit, 1 - _LEAST)
        if self.users is None:
            return _State(hit, joint, state.started)
        waits = np.interp(spared, *self.backoff)
        takes = (shape * (attempts * self.attempt_s + waits)).sum((0, 1))
        return _State(hit, joint, self.users * self.share / (takes + self.pause_s))


def _meetings_evenly(places: tuple[Place, ...], rate: float, end: int) -> Floats:
    """(place): how many first attempts meet an attempt there, over λW, if starts are evenly spaced.

    Each place's own starts are 1/λ apart. An attempt with its snapshot a time O after its start and
    its decision at D = O + W meets another one, k starts away, if O < k/λ + D' < D. Summed over k
    before and after it, with D and D' of one distribution, all but one part cancels out:

        Σ_k P(D' − O > k/λ),  k = 1, 2, …

    D' − O = W + (O' − O) has the mean of W and the variance of W and of two O; it is taken as
    gamma-distributed. Where nothing varies that is ⌈λW⌉ − 1.

    Of another place's starts, λ' a second, a window holds ⌊λ'W⌋ to ⌈λ'W⌉, by how the two schedules
    lie; and as each of those is in no fewer than ⌊λW⌋ and no more than ⌈λW⌉ windows, all windows
    together see from λ'/λ · ⌊λW⌋ to λ'/λ · ⌈λW⌉ on average.
    """
    found = np.ones(len(places))
    for number, place in enumerate(places):
        expected = rate * place.window_s
        if not expected:
            continue
        meet = min(_own_meetings(place, rate * place.share), expected * place.share)
        own = place.share * expected
        for other in places[:number] + places[number + 1 :]:
            theirs = other.share * expected
            if not theirs or not own:
                continue
            by = other.share / place.share
            meet += (
                max(math.floor(theirs), by * math.floor(own)),
                theirs,
                min(math.ceil(theirs), by * math.ceil(own)),
            )[end + 1]
        found[number] = meet / expected
    return found


def _own_meetings(place: Place, rate: float) -> float:
    """Σ_k P(W + O' − O > k/λ), for starts 1/λ apart."""
    per_window = rate * place.window_s
    if per_window > _CROWDED:
        # The sum by Euler and Maclaurin: half a start less than random ones.
        return per_window - 0.5
    spread = math.hypot(place.spread, math.sqrt(2) * place.start_spread_s / place.window_s)
    longest = math.ceil(per_window * (1 + 8 * spread + 12 * spread**2)) + 1
    starts = np.arange(1, min(longest, _MOST_STARTS) + 1) / max(rate, 1e-300)
    return float((1 - _ended_by(replace(place, spread=spread), starts)).sum())


def _ended_by(place: Place, times: Floats) -> Floats:
    """G: the share of windows that are no longer than each of these times."""
    if _are_alike(place):
        return np.asarray(times >= place.window_s, np.float64)
    from scipy.special import gammainc

    shape = place.spread**-2
    return np.asarray(gammainc(shape, times * shape / place.window_s), np.float64)


def _first_ones(pairs: Floats, attempts: Floats, spared: Floats, one: Floats) -> Floats:
    """Which share of the attempts that matter to an account are first ones, by class and place.

    Only those keep their distance from one another; a retry starts at any moment.
    """
    dangerous = pairs * spared / one
    total = np.maximum((dangerous * attempts).sum(axis=1), 1e-300)
    return np.asarray(dangerous.sum(axis=1) / total)


def _windows(places: tuple[Place, ...]) -> tuple[Floats, Floats]:
    """(steps, G): the cells of a time grid, and each place's mean G over each cell, (place, cell).

    The mean is exact: ∫₀ᵗ G = t · G(t) − E[window; window ≤ t], which a gamma distribution has in
    closed form.
    """
    edges = [np.zeros(1)]
    for place in places:
        longest = place.window_s * (1 + 6 * place.spread + 10 * place.spread**2)
        edges.append(np.linspace(0, longest, 8 if _are_alike(place) else _CELLS))
    grid = np.unique(np.concatenate(edges))
    if len(grid) == 1:
        grid = np.array([0.0, 1.0])
    return np.diff(grid), np.array([np.diff(_area(place, grid)) / np.diff(grid) for place in places])


def _are_alike(place: Place) -> bool:
    """Whether the windows differ too little to tell."""
    return place.spread < _ALIKE or place.window_s == 0


def _area(place: Place, grid: Floats) -> Floats:
    """∫₀ᵗ G at each t of the grid."""
    if _are_alike(place):
        return np.maximum(0.0, grid - place.window_s)
    from scipy.special import gammainc

    shape = place.spread**-2
    at = grid * shape / place.window_s
    return np.asarray(grid * gammainc(shape, at) - place.window_s * gammainc(shape + 1, at), np.float64)


def _hit(alpha: Floats, steps: Floats, ended: Floats) -> Floats:
    """P(hit) of an attempt on one account, (class, place), given α of each class and place."""
    exponent = (alpha @ ended) * steps
    after = np.cumsum(exponent, axis=1)
    # Within a cell the exponent grows in a straight line, and ∫ exp of it is known.
    small = exponent < 1e-8
    mean = np.where(small, 1 - exponent / 2, -np.expm1(-exponent) / np.where(small, 1.0, exponent))
    none_yet = steps * mean * np.exp(exponent - after)
    # Beyond the grid every window has ended: what is left decays at α.
    rest = np.exp(-after[:, -1]) / np.maximum(alpha.sum(axis=1), 1e-300)
    apart = none_yet.sum(axis=1) + rest
    return np.asarray((none_yet @ (1 - ended).T) / apart[:, None], np.float64)


def _backoff(waits_s: Floats, most: int) -> tuple[Floats, Floats]:
    """(s, E[all backoff of a transaction that is spared with probability s]), to interpolate in."""
    spared = np.concatenate((np.geomspace(_LEAST, 1e-3, 100), np.geomspace(1.01e-3, 1, 400)))
    failed = 1 - spared
    total = np.zeros_like(spared)
    counted = min(most - 1, len(waits_s))
    for place in range(counted):
        total += waits_s[place] * failed ** (place + 1)
    if counted and most - 1 > counted:
        # The last wait, for all that follow: a geometric series.
        left = most - 1 - counted
        series = -np.expm1(left * np.log(np.maximum(failed, 1e-300))) / spared
        total += waits_s[-1] * failed ** (counted + 1) * series
    return spared, total
