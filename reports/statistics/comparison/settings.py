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


def _of_config(name: str, title: str = "", show: Callable[[Any], str] = str) -> Setting:
    def read(run: Run) -> str:
        value = run.settings.get(name)
        return "none" if value is None else show(value)

    return Setting(name, title or name.replace("_", " "), read)


def _time(value: Any) -> str:
    return seconds(float(value)) if isinstance(value, int | float) else str(value)


def _whole(value: Any) -> str:
    return count(value) if isinstance(value, int) else str(value)


def _names(value: Any) -> str:
    return str(value) if isinstance(value, str) else ",".join(map(str, value))


def _names_sorted(value: Any) -> str:
    """Sorted: the order in which key types are measured is drawn, whatever theirs is."""
    return ",".join(sorted(_names(value).split(",")))


def _milliseconds(value: Any) -> str:
    return f"{value:g} ms" if isinstance(value, int | float) else str(value)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _skew(value: Any) -> str:
    try:
        return canonical_skew(str(value))
    except InputError:
        return str(value)


def _targets(run: Run) -> str:
    """How the users are spread: several targets by name, with their weights. One may have any name."""
    if len(run.targets) <= 1:
        return str(len(run.targets))
    if run.simulated and (regions := run.settings.get("regions")):
        return str(regions)
    words = run.settings.get("target")
    urls = (
        words if isinstance(words, list) and len(words) == len(run.targets) else [""] * len(run.targets)
    )
    return ", ".join(
        sorted(target.name + _weight(url) for target, url in zip(run.targets, urls, strict=True))
    )


def _weight(url: object) -> str:
    """` × 3` of a target's URL with `?weight=3`."""
    found = re.search(r"[?&]weight=([\d.]+)", str(url))
    return "" if found is None or float(found[1]) == 1 else f" × {float(found[1]):g}"


WORKLOAD = (
    _of_config("scenario"),
    _of_config("keys", "key types", _names_sorted),
    Setting("accounts", "accounts", lambda run: "all" if run.size is None else count(run.size)),
    _of_config("skew", show=_skew),
    _of_config("users", show=_whole),
    _of_config("rate", show=_number),
    _of_config("think_time", show=_time),
    _of_config("retry"),
    _of_config("max_attempts", show=_whole),
    _of_config("retry_base_ms", "retry base", _milliseconds),
    _of_config("retry_cap_ms", "retry cap", _milliseconds),
    Setting("targets", "targets", _targets),
    Setting("simulated", "simulated", lambda run: "yes" if run.simulated else "no"),
)
"""What makes the load: with one of these different, the figures differ whatever the system does."""

_NOTED = (
    _of_config("duration", show=_time),
    _of_config("warmup", "warm-up", _time),
    _of_config("block", "block length", _time),
    _of_config("processes", show=_whole),
    _of_config("consistency", "consistency probes", _time),
)
"""What is in no figure, or should not be, and is worth a word."""


def _target_fact(name: str, title: str, show: Callable[[Any], str] = str) -> Setting:
    def read(run: Run) -> str:
        found = [getattr(target, name) for target in run.targets]
        return ", ".join(dict.fromkeys("unknown" if f is None else show(f) for f in found))

    return Setting(name, title, read)


def _or_none(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(values))) or "none"


SYSTEM = (
    _target_fact("family", "target"),
    _target_fact("version", "target's version"),
    _target_fact("regime", "regime"),
    _target_fact("isolation", "isolation"),
    _target_fact("commit_delay_ms", "commit delay", _milliseconds),
    _target_fact("durable", "durable", lambda value: "yes" if value else "no"),
    _target_fact("endpoint", "endpoint"),
    _target_fact("region", "Region"),
    _target_fact("database", "database behind the function"),
    _target_fact("transfer", "transfer"),
    Setting("pooler", "pooler", lambda run: _or_none(t.pooler for t in run.targets if t.pooler)),
    Setting(
        "libpq_variables",
        "libpq's environment",
        lambda run: _or_none(v for t in run.targets for v in t.libpq_variables or ()),
    ),
)
"""What is measured: the thing that a comparison is made for, so it may differ, and is named."""


def _machine_fact(name: str, title: str) -> Setting:
    return Setting(name, title, lambda run: str(getattr(run.machine, name) or "unknown"))


def _version(name: str) -> Setting:
    return Setting(name, f"version of {name}", lambda run: str(run.versions.get(name, "none")))


_SIMULATION = tuple(
    map(
        _of_config,
        (
            "arrivals", "statement_ms", "commit_ms", "spread", "regions", "round_trips", "decided_in",
            "trip_spread", "snapshot_at", "decided_at", "slower",
        ),
    )
)  # fmt: skip
"""What stands for the system in a simulation; no run has one of them."""

_MACHINE = (
    _machine_fact("model", "processor"),
    _machine_fact("cpus", "processors"),
    _machine_fact("memory_gb", "memory (GB)"),
    _machine_fact("system", "operating system"),
)


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
    known = [setting.name for setting in (*WORKLOAD, *SYSTEM, *_SIMULATION)]
    for name in allowed:
        if name not in known:
            raise InputError(f"--allow-different: {quoted(name)} is none of {', '.join(known)}")
    for side, runs in (("BASE", bases), ("NEW", news)):
        for run in runs[1:]:
            _check_repeat(side, runs[0], run, allowed)
    found = differences(bases[0], news[0], WORKLOAD)
    refused = [d for d in found if d.setting.name not in allowed]
    if refused:
        names = ",".join(d.setting.name for d in found)
        raise InputError(
            f"BASE and NEW are not runs of the same workload: {_listed(refused)}; "
            f"repeat one of them, or compare them all the same with --allow-different {names}"
        )
    return found


def _check_repeat(side: str, first: Run, run: Run, allowed: Sequence[str]) -> None:
    """Repeats measure one system under one workload; raises InputError."""
    found = differences(first, run, WORKLOAD)
    system = differences(first, run, (*SYSTEM, *_SIMULATION))
    refused = [*found, *(d for d in system if d.setting.name not in allowed)]
    if not refused:
        return
    names = ",".join(d.setting.name for d in system)
    otherwise = (
        "" if found else f", or take them as repeats all the same with --allow-different {names}"
    )
    raise InputError(
        f"the runs of {side} are to be repeats of one another, and differ in {_listed(refused)}; "
        f"compare them with one another instead{otherwise}"
    )


def _listed(found: Sequence[Difference]) -> str:
    return ", ".join(map(str, found))


def circumstances(base: Run, new: Run) -> list[Difference]:
    """What differs beside the workload: system measured, machine, versions, how long."""
    return circumstances_of_sides([base], [new])


def circumstances_of_sides(bases: Sequence[Run], news: Sequence[Run]) -> list[Difference]:
    """Likewise of several runs a side: all values of a side, where any run differs from another."""
    versions = dict.fromkeys(name for run in (*bases, *news) for name in run.versions)
    settings = (*SYSTEM, *_SIMULATION, *_NOTED, *_MACHINE, *map(_version, versions))
    sides = [(s, _values(s, bases), _values(s, news)) for s in settings]
    return [
        Difference(s, " or ".join(old), " or ".join(now))
        for s, old, now in sides
        if len({*old, *now}) > 1
    ]


def _values(setting: Setting, runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(map(setting.read, runs)))
