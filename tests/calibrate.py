"""`python -m tests.calibrate`: how often `occbench compare` is wrong, on runs where the truth is known.

Rounds of three short runs on an embedded database of its own, in random order: two of the same thing,
and one whose COMMIT takes longer by a tenth of the latency. A pair of the same thing that shows any
difference is a false alarm; a slower run that shows nothing worse was missed. It also says how far runs
of the same thing lie apart beyond what their own blocks show, on this machine as it is now: the
allowance between runs, which stands for that where a side has one run, should not be smaller.

Exit status 1 if more than 3 of 40 pairs are false alarms, or fewer than 38 of 40 slower runs are found;
of another number of pairs, as many as are equally likely.
"""

import argparse
import dataclasses
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import binom

from loadtest.errors import INTERRUPTED
from reports.statistics.comparison.comparison import RunComparison, compare_runs
from reports.statistics.comparison.effect import Effect, Verdict
from reports.statistics.comparison.metrics import METRICS, Metric
from tests.commands import REPOSITORY, environment
from tests.conftest import running_server, short_folder

FALSE, MISSED = 0.05, 0.03
"""Chances of a false alarm and of a miss …"""
PATIENCE = 0.86
"""… with which so many pass: 3 false alarms of 40, and 2 misses of 40."""
_ACCOUNTS = 10_000
_ONE_RUN = """
import json, sys
from loadtest.config.run import RunConfig
config = RunConfig.read(**json.loads(sys.argv[1]))
from loadtest.locust.headless import run_headless
from seed import contents, key_source
folder, interrupted = run_headless(config, contents, key_source)
print(folder)
sys.exit(130 if interrupted else 0)
"""
"""A run without its report, which takes longer to draw than such a run to measure."""


@dataclass(frozen=True)
class Round:
    """Three runs: two of the same thing, and a slower one."""

    base: Path
    again: Path
    slower: Path


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    users: int
    duration: str
    delay_ms: int
    slower_ms: int


def most(chance: float, pairs: int) -> int:
    """How many of so many pairs may go wrong: a quantile of the binomial distribution."""
    return int(binom.ppf(PATIENCE, pairs, chance))


def main() -> int:
    """Measure, compare, say what came out."""
    parser = argparse.ArgumentParser(prog="python -m tests.calibrate", description=__doc__)
    parser.add_argument("--pairs", type=int, default=40, help="rounds of three runs")
    parser.add_argument("--users", type=int, default=16)
    parser.add_argument("--duration", default="8s", help="of a run")
    parser.add_argument("--delay", type=int, default=40, help="commit delay, in whole milliseconds")
    parser.add_argument("--slower", type=int, default=44, help="that of the slower runs")
    parser.add_argument("--keep", type=Path, help="leave the runs in this folder, or go on with those")
    options = parser.parse_args()
    plan = Plan(options.users, options.duration, options.delay, options.slower)
    try:
        with _folder(options.keep) as folder:
            check_plan(plan, folder)
            rounds = list(_measured(plan, options.pairs, folder))
            return _judge(rounds)
    except KeyboardInterrupt:
        print("interrupted; with --keep the same command goes on", file=sys.stderr)
        return INTERRUPTED


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with short_folder() as made:
        yield made


def check_plan(plan: Plan, folder: Path) -> None:
    """Rounds of one plan alone belong together; what was kept says which that is."""
    noted, text = folder / "plan.json", json.dumps(dataclasses.asdict(plan))
    if noted.exists() and noted.read_text(encoding="utf-8") != text:
        raise SystemExit(
            f"{folder} has rounds of another plan: {noted.read_text(encoding='utf-8')}; "
            "go on with that, or name another folder"
        )
    noted.write_text(text, encoding="utf-8")


def _measured(plan: Plan, pairs: int, folder: Path) -> Iterator[Round]:
    noted = folder / "rounds.jsonl"
    before = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    for line in before[:pairs]:
        yield Round(*map(Path, json.loads(line)))
    if len(before) >= pairs:
        return
    with running_server() as server:
        target = f"embedded?data={server.data_folder}"
        words = ["seed", "--accounts", str(_ACCOUNTS), "--target", target]
        _run([sys.executable, "-m", "loadtest.cli", *words])
        for number in range(len(before), pairs):
            found = _round(plan, number, target, folder)
            with noted.open("a", encoding="utf-8") as file:
                file.write(json.dumps([str(found.base), str(found.again), str(found.slower)]) + "\n")
            _progress(f"measured {number + 1} of {pairs} rounds")
            yield found
    _progress("")


def _round(plan: Plan, number: int, target: str, folder: Path) -> Round:
    order = ["base", "again", "slower"]
    random.Random(number).shuffle(order)  # noqa: S311 - no secret
    made = {}
    for place, name in enumerate(order):
        delay = plan.slower_ms if name == "slower" else plan.delay_ms
        options = {
            "target": [f"{target}&commit_delay_ms={delay}"], "users": plan.users, "warmup": "1s",
            "duration": plan.duration, "block": "0.5s", "seed": 1 + 3 * number + place,
            "out": str(folder / "runs"), "label": f"{number:03}-{name}", "accounts": 1000,
        }  # fmt: skip
        made[name] = Path(_run([sys.executable, "-c", _ONE_RUN, json.dumps(options)]))
    return Round(made["base"], made["again"], made["slower"])


def _run(words: list[str]) -> str:
    done = subprocess.run(
        words,
        cwd=REPOSITORY,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr.strip() or f"a run ended with status {done.returncode}")
    return done.stdout.strip().splitlines()[-1]


def _judge(rounds: list[Round]) -> int:
    same = [compare_runs([r.base], [r.again]) for r in rounds]
    changed = [compare_runs([r.base], [r.slower]) for r in rounds]
    alarms = [c for c in same if c.differs]
    found = [c for c in changed if c.of(Verdict.WORSE)]
    for comparison in alarms:
        print(f"false alarm: {comparison.news[0].name}: {_listed(comparison)}")
    for comparison in changed:
        if comparison not in found:
            print(f"missed: {comparison.news[0].name}")
    count = len(rounds)
    alarms_allowed, fewest = most(FALSE, count), count - most(MISSED, count)
    print(f"runs of the same thing: {len(alarms)} of {count} pairs show a difference (aim: at most "
          f"{alarms_allowed})")  # fmt: skip
    print(f"slower runs: {len(found)} of {count} are found (aim: at least {fewest})")
    print("\nhow far runs of the same thing lie apart, as one run's standard deviation:")
    print(f"{'':16}{'all of it':>12}{'its blocks show':>18}{'not shown':>12}{'allowance':>12}")
    for metric in METRICS:
        print(_scatter_line(metric, same))
    print(f"\n{_together(same)}")
    load = os.getloadavg()[0]
    print(f"\nload average of the machine now: {load:.2f} on {os.cpu_count()} processors")
    return 0 if len(alarms) <= alarms_allowed and len(found) >= fewest else 1


def _listed(comparison: RunComparison) -> str:
    return ", ".join(
        f"{e.slice.key_type} {e.metric.name} {e.change or 0:+.1%}"
        for e in comparison.effects
        if e.differs
    )


def _scatter_line(metric: Metric, comparisons: list[RunComparison]) -> str:
    """The scatter of runs of the same thing, in all and without what blocks show of it."""
    effects = [e for c in comparisons for e in c.effects if e.metric == metric]
    scatters = [found for e in effects if (found := _scatter(e)) is not None]
    if not scatters:
        return f"{metric.name:16}{'–':>12}"
    # The median of squares of a normal deviate is 0.455: a stall or two do not decide.
    squares = sorted(difference**2 / 2 for difference, _ in scatters)
    whole = squares[len(squares) // 2] / 0.455
    within = sorted(own for _, own in scatters)[len(scatters) // 2]
    beyond = math.sqrt(max(0.0, whole - within))
    return (
        f"{metric.name:16}{math.sqrt(whole):>12.1%}{math.sqrt(within):>18.1%}{beyond:>12.1%}"
        f"{metric.allowance:>12.1%}"
    )


def _together(comparisons: list[RunComparison]) -> str:
    """How speed figures of one run go together, which the level of each takes as given."""
    first, second = "throughput_tps", "latency_p50_ms"
    columns: dict[tuple[str, str], list[float]] = {}
    for comparison in comparisons:
        for e in comparison.effects:
            if e.metric.key in (first, second):
                columns.setdefault((e.slice.key_type, e.metric.key), []).append(e.change or 0.0)
    if len(comparisons) < 3:
        return "too few rounds for correlations"

    def between(a: tuple[str, str], b: tuple[str, str]) -> float:
        return float(np.corrcoef(columns[a], columns[b])[0, 1])

    keys = between(("int", first), ("uuid", first))
    figures = [between((key, first), (key, second)) for key in ("int", "uuid")]
    return (
        f"correlations of the changes: throughput of int and uuid {keys:.2f}, throughput and median "
        f"latency {figures[0]:.2f}, {figures[1]:.2f}"
    )


def _scatter(e: Effect) -> tuple[float, float] | None:
    """(difference, variance of one run as its blocks show it), relative to the figure."""
    if not e.base or not e.new or not e.between or e.scatter is None:
        return None
    share = e.metric.kind == "share"
    difference = (e.new - e.base) * 2 / (e.new + e.base) if share else math.log(e.new / e.base)
    # `between` is the share that scatter² has of scatter² + own.
    return difference, e.scatter**2 * (1 / e.between - 1)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
