"""Work on the other processor: arithmetic on ten million attempts leaves Python to others meanwhile."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def beside() -> Iterator[Executor]:
    """Somebody who does what is submitted, one thing after another, beside whoever asked.

    Where that is left by an error or by Ctrl-C, what was not begun is dropped. Where threads are not
    real, as in a process that makes load, everything is done when it is submitted.
    """
    if not _threads_are_real():
        yield _AtOnce()
        return
    pool = ThreadPoolExecutor(1)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _threads_are_real() -> bool:
    """Not once gevent has put its own in their place: they take turns, and hide who was interrupted."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is None or not monkey.is_module_patched("threading")


class _AtOnce(Executor):
    """Does it here and now."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The finished work; what it raises is raised here."""
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done
