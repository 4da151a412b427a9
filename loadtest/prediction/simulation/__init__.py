"""A discrete-event simulation of optimistic commit, without a database.

`simulate(SimulateConfig.read(...))` computes every attempt and writes the same record as a run, which
the same report reads. It shows loads that no machine at hand can make (a million transactions a second
over three Regions), and checks the tool itself: here the true moments of snapshot and decision are
known.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.prediction.simulation.config import SimulateConfig

if TYPE_CHECKING:
    from loadtest.prediction.simulation.run import Progress

__all__ = ["SimulateConfig", "simulate"]


def simulate(config: SimulateConfig, progress: "Progress | None" = None) -> Path:
    """Simulate a run, write its record and return its folder.

    The same configuration gives the same attempts, to the byte. `progress` is called now and then with
    the share of the simulated time that has passed, from 0 to 1.

    Raises:
        InputError: if the folder cannot be made.
        KeyboardInterrupt: after Ctrl-C. The attempts so far are a run that was interrupted; its folder
            is the exception's argument.
    """
    # numba takes half a second to import.
    from loadtest.prediction.simulation.run import simulate_run

    return simulate_run(config, progress)
