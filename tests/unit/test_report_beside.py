"""Work beside the main thread: it is done, it fails, and it is dropped."""

import subprocess
import sys
import threading

import pytest

from reports.analysis.reading.parallel import beside

COOPERATIVE = """
from gevent import monkey; monkey.patch_all()
from reports.analysis.reading.parallel import beside
with beside() as other:
    assert other.submit(lambda: 7).done()
    try:
        other.submit(lambda: 1 / 0)
    except ZeroDivisionError:
        print("raised at once")
"""


def test_it_is_done_by_another_thread() -> None:
    with beside() as other:
        thread = other.submit(threading.get_ident)
        failing = other.submit(lambda: 1 / 0)
    assert thread.result() != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        failing.result()


@pytest.mark.parametrize("problem", [KeyboardInterrupt, IndexError])
def test_what_was_not_begun_is_dropped_on_an_error(problem: type[BaseException]) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        go_on.wait(30)

    with pytest.raises(problem), beside() as other:  # noqa: PT012 - what is left matters
        other.submit(hold)
        dropped = other.submit(print, "never")
        begun.wait(30)
        raise problem
    # Nobody waited for the one that had begun.
    assert not go_on.is_set()
    assert dropped.cancelled()
    go_on.set()


def test_threads_that_are_none_do_nothing_beside() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COOPERATIVE], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "raised at once\n", done.stderr
