"""Within Locust's own program: what asks it to end, and workers that end with their master."""

import os
import signal

import gevent
from gevent.hub import Hub

from loadtest.interrupts import leave, signals, take
from loadtest.own_process import end_with
from loadtest.wiring import Wiring

_LOADED_BY = os.getpid()
"""The process that has read the locustfile; those that it forks for `--processes` are its workers."""


def end_in_order(wiring: Wiring) -> None:
    """Save what was measured however this process is asked to end.

    SIGTERM is Locust's own. Ctrl-C ends it once; who presses again has what is going on broken off, and
    then leaves at once. A hangup is a SIGTERM, unless it is ignored.
    """
    if os.getpid() != _LOADED_BY:
        end_with(_LOADED_BY)
    # Ctrl-C is raised where Locust waits for it, and is no error of the user that it happens to meet.
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)
    pressed = 0

    def on_ctrl_c() -> None:
        nonlocal pressed
        pressed += 1
        if pressed == 1:
            raise KeyboardInterrupt
        if wiring.hurry.is_set():
            leave()
        wiring.break_off()

    gevent.signal_handler(signal.SIGINT, take, on_ctrl_c)
    if signal.SIGHUP in signals():
        gevent.signal_handler(signal.SIGHUP, os.kill, os.getpid(), signal.SIGTERM)
