"""Optimistic commit without a database: a discrete-event simulation that leaves a run's folder.

`simulate(SimulateConfig.read(...))` computes every attempt and writes the same record as a run, which
the same report reads. It shows what no machine at hand can (a million transactions a second over
three Regions), and what the tool itself should find: here the true moments of snapshot and decision
are known.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from loadtest.prediction.simulation.config import SimulateConfig

if TYPE_CHECKING:
    from loadtest.prediction.simulation.run import Progress

__all__ = ["SimulateConfig", "simulate"]


def simulate(config: SimulateConfig, progress: "Progress | None" = None) -> Path:
    """Simulate a run and write its record; returns its folder, in which no report is yet.

    The same configuration gives the same attempts, to the byte. `progress` is told now and then how
    much simulated time has passed, from 0 to 1.

    Raises:
        InputError: if the folder cannot be made.
        KeyboardInterrupt: after Ctrl-C. What was simulated until then is a run that was interrupted;
            its folder is the exception's argument.
    """
    # numba takes half a second to import.
    from loadtest.prediction.simulation.run import simulate_run

    return simulate_run(config, progress)
