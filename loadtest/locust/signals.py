"""Within Locust's own program: what asks it to end, and workers that end with their master."""

import os
import signal

import gevent

from loadtest.locust.wiring import Wiring
from loadtest.process.child import end_with
from loadtest.process.interrupts import act_once, leave, replace_closed_outputs, signals

_LOADED_BY = os.getpid()
"""The process that has read the locustfile; those that it forks for `--processes` are its workers."""


def end_in_order(wiring: Wiring) -> None:
    """Save what was measured however this process is asked to end.

    SIGTERM is Locust's own. Ctrl-C ends it once; who presses again has what is going on broken off, and
    then leaves at once. A hangup is a SIGTERM, unless it is ignored.
    """
    if os.getpid() != _LOADED_BY:
        end_with(_LOADED_BY)
    pressed, hub, main = 0, gevent.get_hub(), gevent.getcurrent()

    def on_ctrl_c() -> None:
        nonlocal pressed
        pressed += 1
        if pressed == 1:
            # Raised where Locust waits for it, and not in the user that is just at work.
            hub.loop.run_callback(main.throw, KeyboardInterrupt)
        elif wiring.hurry.is_set():
            leave()
        else:
            wiring.break_off()

    def on_hangup() -> None:
        replace_closed_outputs()
        os.kill(os.getpid(), signal.SIGTERM)

    gevent.signal_handler(signal.SIGINT, act_once, on_ctrl_c)
    if signal.SIGHUP in signals():
        gevent.signal_handler(signal.SIGHUP, on_hangup)

    def all_is_done(**_: object) -> None:
        for number in signals():
            signal.signal(number, signal.SIG_IGN)

    wiring.environment.events.quit.add_listener(all_is_done)
