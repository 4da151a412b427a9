"""The simulation itself: one event after another, compiled by numba.

A user is always in one of two states. Either it is *free* at some moment, and then begins its next
transaction; or it has an attempt on the way, all of whose times are known since it began, and the
next thing to happen is its *decision*. So there is exactly one event for each user, and the earliest
one of all is what happens next. At a decision the attempt looks up when each of its accounts was last
committed: later than its own snapshot, and it lost; otherwise it commits, now. That is the whole of
optimistic concurrency control.

Events wait in a wheel of short steps of time (a calendar queue: R. Brown, "Calendar queues: a fast
O(1) priority queue implementation for the simulation event set problem", Communications of the ACM
31, 1988). Only those of the present step are put in order, in a heap with four children a node: so an
event costs the same with eight users as with a million.

Moments are nanoseconds since the simulation began, exact integers. Randomness comes in from outside
(`Draws`), a batch at a time, so everything here is a function of its arguments.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from loadtest.record.attempt import OUTCOME_CODE, Outcome
from loadtest.workload import retry
from loadtest.workload.blocks import UNMEASURED

BATCH = 4096
"""Events that `advance` goes through at most; each uses at most one of every kind of draw, writes at
most one row and knows at most two more accounts."""

SERVICE_DRAWS = 5
"""Factors of one attempt: BEGIN, first statement, second statement, COMMIT, way to the decision."""

_COMMITTED = OUTCOME_CODE[Outcome.COMMITTED]
_CONFLICT = OUTCOME_CODE[Outcome.CONFLICT_DATA]
NOWHERE = -1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)

# The columns of `World.users`.
_ATTEMPT, _PAYER, _PAYEE, _KEY, _START, _SNAPSHOT, _BEGUN, _ANSWERED = range(8)
_TRANSACTION, _INTENDED, _COMMIT, _END, _BACKOFF, _BLOCK = range(8, 14)
USER_FIELDS = 16
"""Two lines of a processor's cache."""

# The elements of `World.counts`.
EVENTS = 0  # users to whom something will happen
ROWS = 1  # rows written
KNOWN = 2  # accounts in `World.known`
TRANSACTIONS = 3  # transactions begun, each of which has its number
STARTED = 4  # places of the open loop's measured time of which the transaction began in it
DRAWN = 5  # columns of the present `Draws.service` that were used
NEAR = 6  # events in the heap
HORIZON = 7  # the moment before which all events are in the heap
SHIFT = 8  # a step of the wheel is 2 to the power of this, in nanoseconds
ENDED = 9  # transactions ended
_TOUCHED = 10  # without meaning, see `_look_ahead`
COUNTS = 11


class Physics(NamedTuple):
    """What a simulation is like; times in nanoseconds."""

    statement_ns: float
    commit_ns: float
    trip_ns: NDArray[np.float64]
    """For each Region: what COMMIT takes longer for the way to its decision."""
    slower: NDArray[np.float64]
    """For each key type: how many times as long its statements and COMMIT take."""
    snapshot_at: float
    decided_at: float
    open_loop: bool
    think_ns: int
    retries: bool
    """Whether a conflict leads to another attempt at all."""
    base_ns: float
    cap_ns: float
    max_attempts: int
    measured_from_ns: int
    until_ns: int
    """Nothing begins from here on; what is on the way is finished."""
    block_ns: int
    key_of_block: NDArray[np.int8]


class World(NamedTuple):
    """What changes while the simulation goes on."""

    users: NDArray[np.int64]
    """(user, field): each user's attempt on the way; its number is 0 while there is none."""
    region: NDArray[np.int8]
    """The Region that each user writes through."""
    when: NDArray[np.int64]
    """The heap of what happens before the horizon: moments …"""
    who: NDArray[np.int32]
    """… and to whom."""
    wheel: NDArray[np.int32]
    """What happens later: for each step of time the first of a chain of users. A power of two long,
    and used again turn after turn."""
    moment: NDArray[np.int64]
    """For each user of a chain: when …"""
    following: NDArray[np.int32]
    """… and who comes next in the chain."""
    known: NDArray[np.int64]
    """(slot, [account, last commit]): a hash table with open addressing, a power of two long."""
    counts: NDArray[np.int64]


class Draws(NamedTuple):
    """Randomness, enough for one batch."""

    service: NDArray[np.float32]
    """(SERVICE_DRAWS, more than BATCH): factors with mean 1, one column an attempt."""
    chance: NDArray[np.float64]
    """(BATCH,): evenly between 0 and 1, for backoffs."""
    payer: NDArray[np.int64]
    """(key type, more than BATCH): accounts of the coming transactions, in order."""
    payee: NDArray[np.int64]
    pair: NDArray[np.int64]
    """For each key type: the next pair to be taken."""
    arrivals: NDArray[np.int64]
    """(Region, more than BATCH): the open loop's schedule; no row in a closed loop."""
    place: NDArray[np.int64]
    """For each Region: the next place of the schedule to be taken."""


class Rows(NamedTuple):
    """Attempts as columns, one element an attempt, in the order of their decisions.

    `snapshot_ns` and `decided_ns` are the true moments that no client sees.
    """

    transaction: NDArray[np.int64]
    attempt: NDArray[np.int32]
    final: NDArray[np.bool_]
    user: NDArray[np.int32]
    block: NDArray[np.int32]
    target: NDArray[np.int8]
    key_type: NDArray[np.int8]
    rows: NDArray[np.int64]
    """(attempt, [payer, payee])."""
    intended_start_ns: NDArray[np.int64]
    begin_sent_ns: NDArray[np.int64]
    begin_answered_ns: NDArray[np.int64]
    first_answered_ns: NDArray[np.int64]
    commit_sent_ns: NDArray[np.int64]
    ended_ns: NDArray[np.int64]
    backoff_ns: NDArray[np.int64]
    outcome: NDArray[np.int8]
    snapshot_ns: NDArray[np.int64]
    decided_ns: NDArray[np.int64]


def empty_rows(size: int) -> Rows:
    """Room for so many attempts."""
    narrow: dict[str, type[np.generic]] = {
        "attempt": np.int32, "final": np.bool_, "user": np.int32, "block": np.int32,
        "target": np.int8, "key_type": np.int8, "outcome": np.int8,
    }  # fmt: skip
    return Rows(
        **{
            name: np.empty((size, 2) if name == "rows" else size, narrow.get(name, np.int64))
            for name in Rows._fields
        }
    )


def _compiled(function: Any, *, allocates: bool = False) -> Any:
    """The function as machine code, kept on disk for the next process.

    One that makes no arrays can do without numba's counting of references to those that it was given.
    Counted, tuples of arrays make an event cost more than twice as much: the compiler takes the
    counting out only where arrays are arguments by themselves. (The option has no public name.)

    numba notices that it is outdated only by this file's date, so everything that is compiled
    together stands in this one file.
    """
    options: dict[str, Any] = {"nogil": True, "_nrt": allocates}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # No folder can be written to: compiled anew in each process.
        return numba.njit(**options)(function)


def _part(function: Any) -> Any:
    """The same as a part of every function that calls it: what passes between them then costs
    nothing, which makes events nearly twice as fast.
    """
    return numba.njit(inline="always")(function)


_FORMULA = "float64(int64, float64, float64, float64, float64)"


def compiled_backoff(policy: retry.RetryPolicy) -> Any:
    """The policy's own formula as machine code, to be called by `advance`.

    A policy that never tries again has none; then that of another stands there and is not called.
    """
    formula = retry.POLICIES[policy.name][0] or retry.POLICIES["immediate"][0]
    try:
        return numba.cfunc(_FORMULA, cache=True)(formula)
    except RuntimeError:
        return numba.cfunc(_FORMULA)(formula)


def _first_slot(known: Any, account: int) -> int:
    """Where the account is looked for first: the upper digits of a product are well mixed."""
    return int(np.int64((np.uint64(account) * _GOLDEN) >> np.uint64(24)) & (len(known) - 1))


first_slot = _part(_first_slot)


def _slot_of(known: Any, account: int) -> int:
    """Where the account is in the table, or where it belongs: linear probing."""
    slot = first_slot(known, account)
    while known[slot, 0] != account and known[slot, 0] != NOWHERE:
        slot = (slot + 1) & (len(known) - 1)
    return int(slot)


slot_of = _part(_slot_of)


def _push_near(world: World, moment: int, user: int) -> None:
    """Put an event into the heap; equal moments go by the users' numbers."""
    when, who, counts = world.when, world.who, world.counts
    place = counts[NEAR]
    counts[NEAR] = place + 1
    while place > 0:
        parent = (place - 1) // 4
        above = when[parent]
        if above < moment or (above == moment and who[parent] < user):
            break
        when[place] = above
        who[place] = who[parent]
        place = parent
    when[place] = moment
    who[place] = user


push_near = _part(_push_near)


def _drop_nearest(world: World) -> None:
    """Take the heap's first event out: the last one goes down from its place."""
    when, who, counts = world.when, world.who, world.counts
    size = counts[NEAR] - 1
    counts[NEAR] = size
    moment, user = when[size], who[size]
    place = 0
    while True:
        child = 4 * place + 1
        if child >= size:
            break
        least, least_when, least_who = child, when[child], who[child]
        for other in range(child + 1, min(child + 4, size)):
            w = when[other]
            if w < least_when or (w == least_when and who[other] < least_who):
                least, least_when, least_who = other, w, who[other]
        if least_when > moment or (least_when == moment and least_who > user):
            break
        when[place] = least_when
        who[place] = least_who
        place = least
    when[place] = moment
    who[place] = user


drop_nearest = _part(_drop_nearest)


def _push(world: World, moment: int, user: int) -> None:
    """Something will happen to the user then."""
    counts = world.counts
    if moment < counts[HORIZON]:
        push_near(world, moment, user)
        return
    spoke = (moment >> counts[SHIFT]) & (len(world.wheel) - 1)
    world.moment[user] = moment
    world.following[user] = world.wheel[spoke]
    world.wheel[spoke] = user


push = _part(_push)


def _push_all(world: World, moments: Any) -> None:
    """Something will happen to every user, to each at its moment."""
    for user in range(len(moments)):
        push(world, moments[user], user)


push_all = _compiled(_push_all)


def _look_ahead(world: World, kinds: int) -> None:
    """Move the horizon until something lies before it; there must be something at all."""
    users, wheel, counts = world.users, world.wheel, world.counts
    while counts[NEAR] == 0:
        spoke = (counts[HORIZON] >> counts[SHIFT]) & (len(wheel) - 1)
        counts[HORIZON] += 1 << counts[SHIFT]
        user = wheel[spoke]
        wheel[spoke] = NOWHERE
        while user != NOWHERE:
            following = world.following[user]
            # One of a later turn of the wheel goes back to where it was.
            push(world, world.moment[user], user)
            user = following
    # What the coming events need is far away in memory where there are many users. Asked for here,
    # it comes all at the same time; asked for by each event, one after another.
    known = world.known
    touched = 0
    for place in range(counts[NEAR]):
        user = world.who[place]
        touched += users[user, _START] + users[user, _INTENDED]
    for place in range(counts[NEAR]):
        user = world.who[place]
        key = users[user, _KEY]
        touched += known[first_slot(known, users[user, _PAYER] * kinds + key), 0]
        touched += known[first_slot(known, users[user, _PAYEE] * kinds + key), 0]
    # Written down, or the compiler would find that nobody needs it.
    counts[_TOUCHED] = touched


look_ahead = _part(_look_ahead)


def _begin_attempt(world: World, number: int, at: int, physics: Physics, service: Any) -> None:
    """Fix all times of the attempt that the user begins then; the next thing is its decision."""
    user, counts = world.users[number], world.counts
    draw = counts[DRAWN]
    counts[DRAWN] = draw + 1
    slower = physics.slower[user[_KEY]]
    statement = physics.statement_ns * slower
    begin = int(statement * service[0, draw])
    first = int(statement * service[1, draw])
    second = int(statement * service[2, draw])
    commit = int(physics.commit_ns * slower * service[3, draw])
    commit = max(1, commit + int(physics.trip_ns[world.region[number]] * service[4, draw]))
    sent = at + begin + first + second
    user[_START] = at
    user[_BEGUN] = at + begin
    user[_SNAPSHOT] = at + begin + int(physics.snapshot_at * first)
    user[_ANSWERED] = at + begin + first
    user[_COMMIT] = sent
    user[_END] = sent + commit
    push(world, sent + int(physics.decided_at * commit), number)


begin_attempt = _part(_begin_attempt)


def _begin_transaction(
    world: World, number: int, intended: int, at: int, physics: Physics, draws: Draws
) -> None:
    """Give the user its next transaction, whose first attempt begins then."""
    user, counts = world.users[number], world.counts
    measured = at - physics.measured_from_ns
    if measured < 0:
        block, key = UNMEASURED, (at // physics.block_ns) % len(physics.slower)
    else:
        # What would begin after the end has some key: it never comes to be.
        block = min(measured // physics.block_ns, len(physics.key_of_block) - 1)
        key = int(physics.key_of_block[block])
    pair = draws.pair[key]
    draws.pair[key] = pair + 1
    user[_ATTEMPT] = 1
    user[_TRANSACTION] = counts[TRANSACTIONS]
    counts[TRANSACTIONS] += 1
    user[_INTENDED] = intended
    user[_BACKOFF] = 0
    user[_PAYER] = draws.payer[key, pair]
    user[_PAYEE] = draws.payee[key, pair]
    user[_KEY] = key
    user[_BLOCK] = block
    begin_attempt(world, number, at, physics, draws.service)


begin_transaction = _part(_begin_transaction)


def _next_place(world: World, number: int, draws: Draws) -> int:
    """When the next transaction of the user's Region should begin."""
    region = world.region[number]
    return int(draws.arrivals[region, draws.place[region]])


next_place = _part(_next_place)


def _take_place(world: World, number: int, free: int, physics: Physics, draws: Draws) -> None:
    """The user, free from that moment on, takes the next place of its Region's schedule."""
    intended = next_place(world, number, draws)
    draws.place[world.region[number]] += 1
    at = max(free, intended)
    in_time = physics.measured_from_ns <= intended and at < physics.until_ns
    world.counts[STARTED] += in_time
    begin_transaction(world, number, intended, at, physics, draws)


take_place = _part(_take_place)


def _write(rows: Rows, world: World, number: int, now: int, lost: bool, final: bool) -> None:
    user, row = world.users[number], world.counts[ROWS]
    world.counts[ROWS] = row + 1
    rows.transaction[row] = user[_TRANSACTION]
    rows.attempt[row] = user[_ATTEMPT]
    rows.final[row] = final
    rows.user[row] = number
    rows.block[row] = user[_BLOCK]
    rows.target[row] = world.region[number]
    rows.key_type[row] = user[_KEY]
    rows.rows[row, 0] = user[_PAYER]
    rows.rows[row, 1] = user[_PAYEE]
    rows.intended_start_ns[row] = user[_INTENDED]
    rows.begin_sent_ns[row] = user[_START]
    rows.begin_answered_ns[row] = user[_BEGUN]
    rows.first_answered_ns[row] = user[_ANSWERED]
    rows.commit_sent_ns[row] = user[_COMMIT]
    rows.ended_ns[row] = user[_END]
    rows.backoff_ns[row] = user[_BACKOFF]
    rows.outcome[row] = _CONFLICT if lost else _COMMITTED
    rows.snapshot_ns[row] = user[_SNAPSHOT]
    rows.decided_ns[row] = now


write = _part(_write)


def _decide(user: Any, now: int, known: Any, counts: Any, kinds: int) -> bool:
    """Whether the attempt lost; if it did not, it has committed now."""
    # Tables of different key types have different rows.
    payer = user[_PAYER] * kinds + user[_KEY]
    payee = user[_PAYEE] * kinds + user[_KEY]
    one = slot_of(known, payer)
    two = slot_of(known, payee)
    snapshot = user[_SNAPSHOT]
    if known[one, 0] == payer and known[one, 1] > snapshot:
        return True
    if known[two, 0] == payee and known[two, 1] > snapshot:
        return True
    counts[KNOWN] += known[one, 0] == NOWHERE
    known[one, 0] = payer
    known[one, 1] = now
    # Both may have belonged at the same empty place.
    two = slot_of(known, payee)
    counts[KNOWN] += known[two, 0] == NOWHERE
    known[two, 0] = payee
    known[two, 1] = now
    return False


decide = _part(_decide)


def _advance(world: World, physics: Physics, backoff: Any, draws: Draws, rows: Rows) -> None:
    """Let the next BATCH events happen, or all if there are fewer."""
    counts, kinds = world.counts, len(physics.slower)
    for event in range(BATCH):
        if counts[NEAR] == 0:
            if counts[EVENTS] == 0:
                return
            look_ahead(world, kinds)
        now, number = world.when[0], world.who[0]
        drop_nearest(world)
        user = world.users[number]
        is_free = user[_ATTEMPT] == 0
        if (now if is_free else user[_START]) >= physics.until_ns:
            # The run is over for this user: it begins nothing any more.
            user[_ATTEMPT] = 0
            counts[EVENTS] -= 1
        elif not is_free:
            lost = decide(user, now, world.known, counts, kinds)
            again = lost and physics.retries and user[_ATTEMPT] != physics.max_attempts
            write(rows, world, number, now, lost, not again)
            counts[ENDED] += not again
            end = user[_END]
            if again:
                before, chance = float(user[_BACKOFF]), draws.chance[event]
                wait = int(backoff(user[_ATTEMPT], before, physics.base_ns, physics.cap_ns, chance))
                user[_ATTEMPT] += 1
                user[_BACKOFF] = wait
                begin_attempt(world, number, end + wait, physics, draws.service)
            elif physics.open_loop:
                if next_place(world, number, draws) >= end:
                    # It is free by then. Who takes a place does not matter, for all users of a Region
                    # are alike; what matters is when it is taken, and that is in time.
                    take_place(world, number, end, physics, draws)
                else:
                    user[_ATTEMPT] = 0
                    push(world, end, number)
            else:
                at = end + physics.think_ns
                begin_transaction(world, number, at, at, physics, draws)
        elif physics.open_loop:
            if next_place(world, number, draws) < physics.measured_from_ns <= now:
                # Places of the warm-up that nobody took in time are let go.
                draws.place[world.region[number]] += 1
                push(world, now, number)
            else:
                take_place(world, number, now, physics, draws)
        else:
            begin_transaction(world, number, now, now, physics, draws)


advance = _compiled(_advance)


def _renewed(world: World, accounts: int) -> Any:
    """The table of last commits with room for a batch, without those that no attempt can lose to.

    It is never more than half full, and only a quarter full after that: so it is renewed seldom, and
    its size follows what is going on, whatever the number of `accounts`.
    """
    users, known, counts = world.users, world.known, world.counts
    oldest = np.iinfo(np.int64).max
    for number in range(len(users)):
        if users[number, _ATTEMPT] > 0:
            oldest = min(oldest, users[number, _SNAPSHOT])
    kept = 0
    for slot in range(len(known)):
        kept += known[slot, 0] != NOWHERE and known[slot, 1] > oldest
    wanted = min(2 * accounts, max(4 * kept, 2 * (kept + 2 * BATCH)))
    length = 64
    while length < wanted:
        length *= 2
    fresh = np.full((length, 2), NOWHERE, np.int64)
    for old in range(len(known)):
        if known[old, 0] != NOWHERE and known[old, 1] > oldest:
            slot = slot_of(fresh, known[old, 0])
            fresh[slot, 0] = known[old, 0]
            fresh[slot, 1] = known[old, 1]
    counts[KNOWN] = kept
    return fresh


renewed = _compiled(_renewed, allocates=True)


def has_room(world: World, accounts: int) -> bool:
    """Whether the table of last commits can take what a batch may bring."""
    coming = min(int(world.counts[KNOWN]) + 2 * BATCH, accounts)
    return 2 * coming <= len(world.known)
