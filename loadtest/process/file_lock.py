"""A lock on an open file: the kernel's, so that it ends with the processes that hold it."""

import fcntl


def try_lock(file: int) -> bool:
    """Lock the file unless another process has; return whether it is locked now."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
