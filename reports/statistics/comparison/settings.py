"""Are two runs of the same workload, and what else is different between them?"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.record.run import Run
from loadtest.workload.skew import canonical_skew
from reports.text.rounding import count, seconds


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that may differ: `name` as in `--allow-different`, `read` its value as text."""

    name: str
    title: str
    read: Callable[[Run], str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting with its value on either side, as text."""

    setting: Setting
    base: str
    new: str

    def __str__(self) -> str:
        return f"{self.setting.title} {self.base} and {self.new}"


_Show = Callable[[Any], str]


def _option(name: str, title: str = "", show: _Show = str) -> Setting:

    def read(run: Run) -> str:
        value = run.settings.get(name)
        return "none" if value is None else show(value)

    return Setting(name, title or name.replace("_", " "), read)


def _target_fact(name: str, title: str = "", show: _Show = str) -> Setting:

    def read(run: Run) -> str:
        values = [getattr(target, name) for target in run.targets]
        return ", ".join(dict.fromkeys("unknown" if v is None else show(v) for v in values))

    return Setting(name, title or name, read)


def _machine_fact(name: str, title: str) -> Setting:
    return Setting(name, title, lambda run: str(getattr(run.machine, name) or "unknown"))


def _version(name: str) -> Setting:
    return Setting(name, f"version of {name}", lambda run: str(run.versions.get(name, "none")))


def _number(value: float) -> str:
    return f"{value:g}"


def _milliseconds(value: float) -> str:
    return f"{value:g} ms"


def _key_types(values: Sequence[str]) -> str:
    """Sorted: the order in which key types are measured is drawn, whatever theirs is."""
    return ",".join(sorted(values))


def _skew(value: str) -> str:
    try:
        return canonical_skew(value)
    except InputError:
        return value


def _targets(run: Run) -> str:
    """How the users are spread: several targets by name, with their weights. One may have any name."""
    if len(run.targets) <= 1:
        return str(len(run.targets))
    if run.simulated and run.config.regions:
        return run.config.regions
    urls = run.config.target
    if len(urls) != len(run.targets):
        urls = ("",) * len(run.targets)
    return ", ".join(
        sorted(target.name + _weight(url) for target, url in zip(run.targets, urls, strict=True))
    )


def _weight(url: str) -> str:
    """` × 3` of a target's URL with `?weight=3`."""
    weight = re.search(r"[?&]weight=([\d.]+)", url)
    return "" if weight is None or float(weight[1]) == 1 else f" × {float(weight[1]):g}"


def _or_none(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values))) or "none"


WORKLOAD = (
    _option("scenario"),
    _option("keys", "key types", _key_types),
    Setting("accounts", "accounts", lambda run: "all" if run.size is None else count(run.size)),
    _option("skew", show=_skew),
    _option("users", show=count),
    _option("rate", show=_number),
    _option("think_time", show=seconds),
    _option("retry"),
    _option("max_attempts", show=count),
    _option("retry_base_ms", "retry base", _milliseconds),
    _option("retry_cap_ms", "retry cap", _milliseconds),
    Setting("targets", "targets", _targets),
    Setting("simulated", "simulated", lambda run: "yes" if run.simulated else "no"),
)
"""What makes the load: with one of these different, the figures differ whatever the system does."""

SYSTEM = (
    _target_fact("family", "target"),
    _target_fact("version", "target's version"),
    _target_fact("regime"),
    _target_fact("isolation"),
    _target_fact("commit_delay_ms", "commit delay", _milliseconds),
    _target_fact("durable", show=lambda value: "yes" if value else "no"),
    _target_fact("endpoint"),
    _target_fact("region", "Region"),
    _target_fact("database", "database behind the function"),
    _target_fact("transfer"),
    Setting("pooler", "pooler", lambda run: _or_none(t.pooler for t in run.targets if t.pooler)),
    Setting(
        "libpq_variables",
        "libpq's environment",
        lambda run: _or_none(v for t in run.targets for v in t.libpq_variables or ()),
    ),
    # What stands for the system in a simulation; no run has one of them.
    *map(
        _option,
        (
            "arrivals", "statement_ms", "commit_ms", "spread", "regions", "round_trips", "decided_in",
            "trip_spread", "snapshot_at", "decided_at", "slower",
        ),
    ),
)  # fmt: skip
"""What is measured: the thing that a comparison is made for, so it may differ, and is named."""

_NOTED = (
    _option("duration", show=seconds),
    _option("warmup", "warm-up", seconds),
    _option("block", "block length", seconds),
    _option("processes", show=count),
    _option("consistency", "consistency probes", seconds),
    _machine_fact("model", "processor"),
    _machine_fact("cpus", "processors"),
    _machine_fact("memory_gb", "memory (GB)"),
    _machine_fact("system", "operating system"),
)
"""What is in no figure, or should not be, and is worth a word."""


def differences(base: Run, new: Run, settings: Sequence[Setting]) -> list[Difference]:
    """Those of the settings in which two runs differ."""
    pairs = [(s, s.read(base), s.read(new)) for s in settings]
    return [Difference(s, a, b) for s, a, b in pairs if a != b]


def check_alike(bases: Sequence[Run], news: Sequence[Run], allowed: Sequence[str]) -> list[Difference]:
    """The differences of workload that were allowed.

    Raises:
        InputError: where runs of one side are not of the same workload, where the two sides are not
            and it is not allowed, or where something is allowed that is no setting.
    """
    known = [setting.name for setting in (*WORKLOAD, *SYSTEM)]
    for name in allowed:
        if name not in known:
            raise InputError(f"--allow-different: {quoted(name)} is none of {', '.join(known)}")
    for side, runs in (("BASE", bases), ("NEW", news)):
        for run in runs[1:]:
            _check_repeat(side, runs[0], run, allowed)
    workload = differences(bases[0], news[0], WORKLOAD)
    refused = [d for d in workload if d.setting.name not in allowed]
    if refused:
        names = ",".join(d.setting.name for d in workload)
        raise InputError(
            f"BASE and NEW are not runs of the same workload: {listed(refused)}; "
            f"repeat one of them, or compare them all the same with --allow-different {names}"
        )
    return workload


def _check_repeat(side: str, first: Run, run: Run, allowed: Sequence[str]) -> None:
    """Check that repeats measure one system under one workload."""
    workload, system = differences(first, run, WORKLOAD), differences(first, run, SYSTEM)
    refused = [*workload, *(d for d in system if d.setting.name not in allowed)]
    if refused:
        names = ",".join(d.setting.name for d in system)
        otherwise = f", or take them as repeats all the same with --allow-different {names}"
        raise InputError(
            f"the runs of {side} are to be repeats of one another, and differ in {listed(refused)}; "
            f"compare them with one another instead{'' if workload else otherwise}"
        )


def listed(differences: Sequence[Difference]) -> str:
    """`users 8 and 16, skew uniform and zipf:1.1`: the base's value, then the other's."""
    return ", ".join(map(str, differences))


def circumstances(bases: Sequence[Run], news: Sequence[Run]) -> list[Difference]:
    """What differs but the workload: system measured, machine, versions, how long.

    All values of a side, where any run differs from another.
    """
    versions = dict.fromkeys(name for run in (*bases, *news) for name in run.versions)
    differing = []
    for setting in (*SYSTEM, *_NOTED, *map(_version, versions)):
        old, now = (list(dict.fromkeys(map(setting.read, runs))) for runs in (bases, news))
        if len({*old, *now}) > 1:
            differing.append(Difference(setting, " or ".join(old), " or ".join(now)))
    return differing
