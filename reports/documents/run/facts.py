"""How a run was made, as names and values: settings, targets, machine, course."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reports.statistics.model import Model
from reports.text.rounding import count, seconds

_FILE_IN_URL = re.compile(r"\b(sslrootcert|sslcert|sslkey|keys_from)=[^&\s]*(?:/|%2F)", re.IGNORECASE)
_PASSWORD = re.compile(r"(://[^:/@\s]*):[^@\s]*@|((?:password|token|secret)=)[^&\s]+", re.IGNORECASE)


def _plain(value: Any) -> str:
    """A setting as text; what looks like a password is cut out."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(v) for v in value)
    if isinstance(value, dict):
        return ", ".join(f"{k} {_plain(v)}" for k, v in value.items())
    value = _FILE_IN_URL.sub(r"\1=", str(value))
    return _PASSWORD.sub(lambda m: f"{m[1]}:…@" if m[1] is not None else f"{m[2]}…", value)


Pairs = tuple[tuple[str, str], ...]
_UNITS: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(("duration", "warmup", "block", "consistency"), seconds),
    "think_time": lambda value: seconds(value) if value else "none",
    "rate": lambda value: f"{value:,.10g} transactions/s",
    "spawn_rate": lambda value: f"{value:,.10g} users/s",
    "dpu_price": lambda value: f"{value:,.10g} USD a million DPU",
}
"""Setting → its number as text."""
_BY_SUFFIX: dict[str, Callable[[float], str]] = {
    "_ms": lambda value: seconds(value / 1000) if value else "none",
    "_gb": lambda value: f"{value:,.10g} GB",
}
"""End of a name that is the number's unit → the number as text, for the name without it."""
_PLACES = ("out",)
"""Settings that say where on the machine something is, and nothing else."""
_FILES = ("keys_from", "sslrootcert")
"""Settings that are files, of which the name is enough."""


def _setting(name: str, value: Any) -> tuple[str, str]:
    """A setting's or fact's name and value as a reader takes them, numbers with their unit."""
    text = _UNITS.get(name)
    for suffix, of_suffix in _BY_SUFFIX.items():
        if name.endswith(suffix):
            name, text = name.removesuffix(suffix), of_suffix
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return name.replace("_", " "), text(value) if text and is_number else _plain(value)


def settings(model: Model) -> Pairs:
    """Every setting of the run that has a value, with its unit; targets one a line, with their names.

    Pages are published: where the machine keeps its files is left out.
    """
    given = {
        name: Path(value).name if name in _FILES and isinstance(value, str) else value
        for name, value in model.run.settings.items()
        if name not in _PLACES and value not in (None, "", [], {})
    }
    targets = [("targets", _targets(model, given.pop("target")))] if "target" in given else []
    if not any(t.family in ("dsql", "dsql-cluster") for t in model.run.targets):
        given.pop("dpu_price", None)
    return (*targets, *(_setting(name, value) for name, value in given.items()))


def _targets(model: Model, given: Any) -> str:
    """The URL of each `--target`, with its name before it unless it is called after its URL."""
    urls = [_plain(url) for url in given] if isinstance(given, list | tuple) else [_plain(given)]
    if len(urls) == len(model.run.targets):
        named = zip(model.run.targets, urls, strict=True)
        urls = [url if t.name in (t.host, t.family) else f"{t.name}={url}" for t, url in named]
    return "\n".join(urls)


def environment(model: Model) -> Pairs:
    """Machine and versions."""
    machine = (_setting(name, value) for name, value in model.run.machine if value is not None)
    return (*machine, *((name, _plain(value)) for name, value in model.run.versions.items()))


def target_facts(model: Model) -> list[tuple[str, Pairs]]:
    """What each target said of itself."""
    known = {
        t.name: t.model_dump(exclude={"name", "place", "data"}, exclude_none=True)
        for t in model.run.targets
    }
    return [(name, tuple(_setting(*pair) for pair in facts.items())) for name, facts in known.items()]


def course(model: Model) -> Pairs:
    """When the run was, and how much of it there is."""
    run = model.run
    facts = []
    # The clock of a simulation says nothing.
    if run.started_ns and not run.simulated:
        begin = datetime.fromtimestamp(run.started_ns / 1e9, tz=UTC)
        facts.append(("started", f"{begin:%Y-%m-%d %H:%M:%S} UTC"))
    facts += [
        ("warm-up (not in any figure)", seconds(model.warmup_s)),
        ("measured", f"{seconds(model.measured_s)} in {count(model.blocks)} blocks"),
        ("attempts", count(model.overall.attempts)),
        ("transactions ended", count(model.overall.transactions)),
        ("transactions unfinished", count(model.overall.unfinished)),
    ]
    for (outcome, state), attempts in model.sqlstates.items():
        facts.append((f"{outcome.replace('_', ' ')}, SQLSTATE {state}", count(attempts)))
    return tuple(facts)
