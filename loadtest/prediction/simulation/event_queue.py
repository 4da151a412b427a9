"""The events to come, earliest first: a calendar queue.

R. Brown, "Calendar queues: a fast O(1) priority queue implementation for the simulation event set
problem", Communications of the ACM 31, 1988. Events wait in buckets, each a short step of time. Only
those of the present step are put in order, in a heap with four children a node: so an event costs the
same with eight users as with a million.
"""

from typing import Any

from loadtest.prediction.simulation.compiling import compiled, inlined
from loadtest.prediction.simulation.last_commits import first_slot
from loadtest.prediction.simulation.state import NONE, State


@inlined
def push_heap(state: State, moment: int, user: int) -> None:
    """Put an event into the heap; equal moments go by the users' numbers."""
    moments, users, counts = state.heap_ns, state.heap_user, state.counts[0]
    node = counts.in_heap
    counts.in_heap = node + 1
    while node > 0:
        parent = (node - 1) // 4
        above = moments[parent]
        if above < moment or (above == moment and users[parent] < user):
            break
        moments[node] = above
        users[node] = users[parent]
        node = parent
    moments[node] = moment
    users[node] = user


@inlined
def pop_heap(state: State) -> None:
    """Take the heap's first event out: the last one sinks from the top."""
    moments, users, counts = state.heap_ns, state.heap_user, state.counts[0]
    size = counts.in_heap - 1
    counts.in_heap = size
    moment, user = moments[size], users[size]
    node = 0
    while True:
        child = 4 * node + 1
        if child >= size:
            break
        least, least_ns, least_user = child, moments[child], users[child]
        for other in range(child + 1, min(child + 4, size)):
            other_ns = moments[other]
            if other_ns < least_ns or (other_ns == least_ns and users[other] < least_user):
                least, least_ns, least_user = other, other_ns, users[other]
        if least_ns > moment or (least_ns == moment and least_user > user):
            break
        moments[node] = least_ns
        users[node] = least_user
        node = least
    moments[node] = moment
    users[node] = user


@inlined
def push(state: State, moment: int, user: int) -> None:
    """Add the user's next event."""
    counts = state.counts[0]
    if moment < counts.horizon:
        push_heap(state, moment, user)
        return
    bucket = (moment >> counts.shift) & (len(state.buckets) - 1)
    state.due_ns[user] = moment
    state.following[user] = state.buckets[bucket]
    state.buckets[bucket] = user


@compiled
def push_all(state: State, moments: Any) -> None:
    """Add an event for every user, each at its moment."""
    for user in range(len(moments)):
        push(state, moments[user], user)


@inlined
def look_ahead(state: State, key_types: int) -> None:
    """Move the horizon until an event lies before it; there must be one at all."""
    users, buckets, counts = state.users, state.buckets, state.counts[0]
    while counts.in_heap == 0:
        bucket = (counts.horizon >> counts.shift) & (len(buckets) - 1)
        counts.horizon += 1 << counts.shift
        user = buckets[bucket]
        buckets[bucket] = NONE
        while user != NONE:
            following = state.following[user]
            # One of a later turn goes back to the bucket where it was.
            push(state, state.due_ns[user], user)
            user = following
    # What the coming events need is far away in memory where there are many users. Asked for here,
    # it comes all at the same time; asked for by each event, one after another.
    commits = state.last_commits
    touched = 0
    for node in range(counts.in_heap):
        user = state.heap_user[node]
        touched += users[user].start + users[user].intended
    for node in range(counts.in_heap):
        user = state.heap_user[node]
        key = users[user].key
        touched += commits[first_slot(commits, users[user].payer * key_types + key), 0]
        touched += commits[first_slot(commits, users[user].payee * key_types + key), 0]
    # Written down, or the compiler would drop it as unused.
    counts.prefetched = touched
