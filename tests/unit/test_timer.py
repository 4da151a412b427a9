"""Sleeping until a moment, under gevent."""

from time import monotonic_ns

import gevent
import pytest

from loadtest.engine.users.timer import Timer


def test_wakes_at_the_moment_and_not_before() -> None:
    timer = Timer()
    for ahead_ns in (1, 300_000, 5_000_000, 20_000_000):
        moment = monotonic_ns() + ahead_ns
        timer.sleep_until(moment)
        assert monotonic_ns() >= moment
    timer.close()


def test_a_moment_that_is_past_is_no_sleep() -> None:
    timer = Timer()
    others = []
    greenlet = gevent.spawn(lambda: others.append(1))
    timer.sleep_until(monotonic_ns() - 1)
    assert others == [], "nobody else ran meanwhile"
    greenlet.join()
    timer.close()


@pytest.mark.timed
def test_others_run_meanwhile_and_each_wakes_in_its_turn() -> None:
    woken: list[int] = []
    start = monotonic_ns() + 5_000_000

    def sleep(place: int) -> None:
        timer = Timer()
        timer.sleep_until(start + place * 10_000_000)
        woken.append(place)
        timer.close()

    gevent.joinall([gevent.spawn(sleep, place) for place in (3, 1, 2, 0)])
    assert woken == [0, 1, 2, 3]


def test_a_killed_sleeper_leaves_its_alarm_usable() -> None:
    timer = Timer()
    greenlet = gevent.spawn(timer.sleep_until, monotonic_ns() + 60_000_000_000)
    gevent.sleep(0.01)
    greenlet.kill()
    moment = monotonic_ns() + 2_000_000
    timer.sleep_until(moment)
    assert monotonic_ns() >= moment
    timer.close()
