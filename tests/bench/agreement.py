"""`python -m tests.bench.agreement`: formula, simulation and embedded database over the whole grid.

Prints a line a case: the conflict rate that was measured on the embedded database, the one that the
formula makes of the times in its record, and for the same workload with known times what the
simulation and the formula say. The embedded database has 32 users in every case, the simulation 512
where there are 100,000 accounts and more. It takes about ten minutes; `--quick` takes every seventh
case. Both of the machine's processors should have nothing else to do: the formula knows the mean of
the times that a run took, and no stalls.
"""

import argparse
import shutil
import signal
import sys
from pathlib import Path

from loadtest.prediction.forecast import conflict_rate_of, forecast
from tests.agreement import WITHIN, Case, agree, embedded, grid, predicted_from, simulated, workload_of
from tests.bench.bed import FULL, QUICK, Sizes, bed, say

_EVERY = 7
_INTERRUPTED = 130
_OUTSIDE, _IN_RANGE = "APART", "in range"
_SIMULATED = 300_000
"""Attempts of a simulated case."""


def main() -> int:
    """Print the table; 1 where two of the three do not agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.agreement", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"every {_EVERY}th case")
    parser.add_argument("--seconds", type=float, default=5, help="of each run (default 5)")
    options = parser.parse_args()
    cases = [case for case in grid() if case.users == 32 or not options.quick]
    if options.quick:
        cases = cases[::_EVERY]
    # Ended either way, it stops the database.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return _over(cases, options.seconds, QUICK if options.quick else FULL)
    except KeyboardInterrupt:
        print("interrupted; everything is removed again", file=sys.stderr)
        return _INTERRUPTED


def _over(cases: list[Case], seconds: float, sizes: Sizes) -> int:
    apart = ranged = 0
    with bed(sizes) as made:
        made.have_accounts()
        print(f"{'':54}embedded database                 simulation")
        print(f"{'':54}measured          formula         simulated   formula")
        for number, case in enumerate(cases, 1):
            say(f"{number} of {len(cases)}: {case}")
            line, verdict = _compare(case, made.target_url("optimistic"), seconds, made.folder)
            apart += verdict == _OUTSIDE
            ranged += verdict == _IN_RANGE
            print(f"{line} {verdict}".rstrip(), flush=True)
    print(
        f"\n{len(cases) - apart - ranged} of {len(cases)} agree within {WITHIN:.0%}, or one and a "
        f"half sampling intervals; of {ranged} more the database's rate lies in the formula's range."
    )
    return int(apart > 0)


def _compare(case: Case, target: str, seconds: float, folder: Path) -> tuple[str, str]:
    """A line of the table, and what does not agree on it; empty where all does."""
    # A machine with two processors is no place for 512 users' database and load.
    here = Case(case.accounts, case.skew, case.delay_ms, 32)
    ran, record = embedded(here, target, seconds, folder / "results")
    range_of = forecast(predicted_from(record, here)).conflict_rate
    shutil.rmtree(record)
    made = simulated(case, folder / "simulated", _SIMULATED)
    shutil.rmtree(folder / "simulated")
    formula = conflict_rate_of(workload_of(case), 0.5)
    # The formula's two ends are those of the windows that the client can have had.
    fine = range_of.low <= ran.conflict_rate.high and ran.conflict_rate.low <= range_of.high
    near = agree(ran, range_of.best)
    same = agree(made, formula)
    chance = ran.conflict_rate.high - ran.conflict_rate.best
    cells = [
        f"{case!s:<54}",
        f"{_percent(ran.conflict_rate.best)} ±{_percent(chance)}",
        f"{_percent(range_of.best)} {_apart(range_of.best, ran.conflict_rate.best)}  ",
        f"{_percent(made.conflict_rate.best)} {_percent(formula)}",
        _apart(formula, made.conflict_rate.best),
    ]
    verdict = _OUTSIDE if not fine or not same else "" if near else _IN_RANGE
    return " ".join(cells), verdict


def _percent(share: float) -> str:
    return f"{100 * share:7.3f} %"


def _apart(one: float, other: float) -> str:
    return f"{one / other - 1:+6.1%}" if other else "     –"


if __name__ == "__main__":
    sys.exit(main())
