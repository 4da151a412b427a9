"""The events of a simulation, one after another, compiled by numba.

A user is always in one of two states. Either it is *free* at some moment, and then begins its next
transaction; or it has an attempt on the way, all of whose times were fixed when it began, and its next
event is the *decision*. So there is exactly one event for each user, and the earliest of all is next.
At a decision the attempt looks up when each of its rows was last committed: later than its own
snapshot, and it fails with a conflict; otherwise it commits, now. That is the whole of optimistic
concurrency control.

Random numbers come in from outside, a batch at a time: everything here is a function of its arguments.
"""

from typing import Any

from loadtest.prediction.simulation.compiling import compiled, inlined
from loadtest.prediction.simulation.event_queue import look_ahead, pop_heap, push
from loadtest.prediction.simulation.last_commits import conflicts
from loadtest.prediction.simulation.state import BATCH, Attempts, Parameters, RandomNumbers, State
from loadtest.record.outcome import OUTCOME_CODE, Outcome
from loadtest.workload.blocks import UNMEASURED

_COMMITTED = OUTCOME_CODE[Outcome.COMMITTED]
_CONFLICT = OUTCOME_CODE[Outcome.CONFLICT_DATA]


@inlined
def begin_attempt(state: State, number: int, at: int, parameters: Parameters, service: Any) -> None:
    """Fix all times of the attempt that the user begins then; the next event is its decision."""
    user, counts = state.users[number], state.counts[0]
    column = counts.served
    counts.served = column + 1
    slowdown = parameters.slowdown[user.key]
    statement = parameters.statement_ns * slowdown
    begin = int(statement * service[0, column])
    first = int(statement * service[1, column])
    second = int(statement * service[2, column])
    commit = int(parameters.commit_ns * slowdown * service[3, column])
    commit = max(1, commit + int(parameters.trip_ns[state.region[number]] * service[4, column]))
    sent = at + begin + first + second
    user.start = at
    user.begun = at + begin
    user.snapshot = at + begin + int(parameters.snapshot_at * first)
    user.answered = at + begin + first
    user.commit = sent
    user.end = sent + commit
    push(state, sent + int(parameters.decided_at * commit), number)


@inlined
def begin_transaction(
    state: State, number: int, intended: int, at: int, parameters: Parameters, random: RandomNumbers
) -> None:
    """Give the user its next transaction, whose first attempt begins then."""
    user, counts = state.users[number], state.counts[0]
    measured = at - parameters.measured_from_ns
    if measured < 0:
        block, key = UNMEASURED, (at // parameters.block_ns) % len(parameters.slowdown)
    else:
        # A transaction after the end has some key: it never comes to be.
        block = min(measured // parameters.block_ns, len(parameters.key_of_block) - 1)
        key = int(parameters.key_of_block[block])
    pair = random.next_pair[key]
    random.next_pair[key] = pair + 1
    user.attempt = 1
    user.transaction = counts.transactions
    counts.transactions += 1
    user.intended = intended
    user.backoff = 0
    user.payer = random.payer[key, pair]
    user.payee = random.payee[key, pair]
    user.key = key
    user.block = block
    begin_attempt(state, number, at, parameters, random.service)


@inlined
def next_arrival(state: State, number: int, random: RandomNumbers) -> int:
    """Return when the next transaction of the user's Region should begin."""
    region = state.region[number]
    return int(random.arrivals[region, random.next_arrival[region]])


@inlined
def take_arrival(
    state: State, number: int, free: int, parameters: Parameters, random: RandomNumbers
) -> None:
    """Let the user, free from that moment on, begin its Region's next transaction."""
    intended = next_arrival(state, number, random)
    random.next_arrival[state.region[number]] += 1
    at = max(free, intended)
    in_time = parameters.measured_from_ns <= intended and at < parameters.until_ns
    state.counts[0].started += in_time
    begin_transaction(state, number, intended, at, parameters, random)


@inlined
def write(
    attempts: Attempts, state: State, number: int, now: int, conflicted: bool, final: bool
) -> None:
    """Add the user's attempt to the columns."""
    user, row = state.users[number], state.counts[0].attempts
    state.counts[0].attempts = row + 1
    attempts.transaction[row] = user.transaction
    attempts.attempt[row] = user.attempt
    attempts.final[row] = final
    attempts.user[row] = number
    attempts.block[row] = user.block
    attempts.target[row] = state.region[number]
    attempts.key_type[row] = user.key
    attempts.rows[row, 0] = user.payer
    attempts.rows[row, 1] = user.payee
    attempts.intended_start_ns[row] = user.intended
    attempts.begin_sent_ns[row] = user.start
    attempts.begin_answered_ns[row] = user.begun
    attempts.first_answered_ns[row] = user.answered
    attempts.commit_sent_ns[row] = user.commit
    attempts.ended_ns[row] = user.end
    attempts.backoff_ns[row] = user.backoff
    attempts.outcome[row] = _CONFLICT if conflicted else _COMMITTED
    attempts.snapshot_ns[row] = user.snapshot
    attempts.decided_ns[row] = now


@compiled
def advance(
    state: State, parameters: Parameters, backoff: Any, random: RandomNumbers, attempts: Attempts
) -> None:
    """Let the next BATCH events happen, or all if there are fewer."""
    counts, key_types = state.counts[0], len(parameters.slowdown)
    for event in range(BATCH):
        if counts.in_heap == 0:
            if counts.events == 0:
                return
            look_ahead(state, key_types)
        now, number = state.heap_ns[0], state.heap_user[0]
        pop_heap(state)
        user = state.users[number]
        is_free = user.attempt == 0
        if (now if is_free else user.start) >= parameters.until_ns:
            # The run is over for this user: it begins nothing any more.
            user.attempt = 0
            counts.events -= 1
        elif not is_free:
            conflicted = conflicts(user, now, state.last_commits, counts, key_types)
            again = conflicted and parameters.retries and user.attempt != parameters.max_attempts
            write(attempts, state, number, now, conflicted, not again)
            counts.ended += not again
            end = user.end
            if again:
                before, chance = float(user.backoff), random.chance[event]
                base_ns, cap_ns = parameters.base_ns, parameters.cap_ns
                wait = int(backoff(user.attempt, before, base_ns, cap_ns, chance))
                user.attempt += 1
                user.backoff = wait
                begin_attempt(state, number, end + wait, parameters, random.service)
            elif parameters.open_loop:
                if next_arrival(state, number, random) >= end:
                    # It is free by then. Which user takes an arrival does not matter, for all users of
                    # a Region are alike; what matters is when it is taken, and that is in time.
                    take_arrival(state, number, end, parameters, random)
                else:
                    user.attempt = 0
                    push(state, end, number)
            else:
                at = end + parameters.think_ns
                begin_transaction(state, number, at, at, parameters, random)
        elif parameters.open_loop:
            if next_arrival(state, number, random) < parameters.measured_from_ns <= now:
                # Arrivals of the warm-up that no user took in time are dropped.
                random.next_arrival[state.region[number]] += 1
                push(state, now, number)
            else:
                take_arrival(state, number, now, parameters, random)
        else:
            begin_transaction(state, number, now, now, parameters, random)
