"""Which options of a run can be swept, and how several values of one are typed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from loadtest.config.fields import flag_of
from loadtest.config.options import Option, options_of
from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.targets import parse_target
from loadtest.targets.registry import shown_target as shown_one

TARGET = "target"


def _number(value: float) -> str:
    return f"{value:,.15g}"


def _seconds(value: float) -> str:
    return f"{1000 * value:,.15g} ms" if 0 < value < 1 else f"{value:,.15g} s"


def _attempts(value: int) -> str:
    return "no limit" if value == 0 else str(value)


AXES: dict[str, Callable[[Any], str]] = {
    TARGET: str,
    "users": _number,
    "rate": _number,
    "think_time": _seconds,
    "accounts": _number,
    "skew": str,
    "retry": str,
    "max_attempts": _attempts,
}
"""Option of RunConfig → how a person says a value of it. Key types are no axis: they are compared
within each run, in paired blocks."""

_SEVERAL = "Several, with commas between, make an axis."
_OTHER_WORDS = {
    TARGET: (
        "Where to run: [NAME=]URL. Several --target make an axis; the endpoints of one point are joined"
        " by a blank, as in --target 'east=URL west=URL'."
    ),
    "seed": (
        "Everything random comes from it: the order of the points and, in every point, which accounts, "
        "which amounts, which waits. Each repeat takes the next number."
    ),
    "out": "Where the sweep's folder is made.",
    "label": "A word for the sweep, part of its folder's name. Without it, the names of its axes.",
}
"""What options mean to a sweep, where that is not what they mean to a run."""


def sweep_options() -> list[Option]:
    """RunConfig's options as a sweep takes them; the help of those that can be swept says so.

    RunConfig itself reads the values, one point at a time.
    """
    return [_for_sweeps(option) for option in options_of(RunConfig)]


def _for_sweeps(option: Option) -> Option:
    if option.name in _OTHER_WORDS:
        default = "the axes" if option.name == "label" else option.default
        return replace(option, help=_OTHER_WORDS[option.name], default=default)
    return replace(option, help=f"{option.help} {_SEVERAL}") if option.name in AXES else option


def split_options(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """What was typed → the options of all points, and axis → its values as typed (two or more).

    Axes come in the order of AXES, values in that in which they were typed. A value of `target` is a
    list of endpoints. Raises InputError where nothing has several values.
    """
    common, axes = dict(given), {}
    for name in AXES:
        if name not in given:
            continue
        values = _split(name, given[name])
        if len(values) > 1:
            axes[name] = values
            del common[name]
        else:
            # A single comma too many is no reason for a refusal that speaks of a number.
            common[name] = values[0]
    if not axes:
        raise InputError(
            "there is nothing to sweep: give an option several values, as in --users 1,8,32,128; "
            f"{', '.join(flag_of(name) for name in AXES)} take them"
        )
    return common, axes


def _split(name: str, given: Any) -> list[Any]:
    if name == TARGET:
        texts: Sequence[str] = [given] if isinstance(given, str) else given
        values: list[Any] = [text.split() for text in texts]
    else:
        values = [part.strip() for part in str(given).split(",")]
    if not values or not all(values):
        raise InputError(f"{flag_of(name)}: a value is empty; give them as in {_example(name)}")
    return values


def _example(name: str) -> str:
    if name == TARGET:
        return "--target embedded --target embedded://locking"
    example = next(option.example for option in options_of(RunConfig) if option.name == name)
    return f"{flag_of(name)} {example}"


def shown_target(endpoints: Sequence[str]) -> str:
    """The endpoints of a point as one text without secrets, as they would be typed."""
    return " ".join(shown_one(text) for text in endpoints)


def labels_of(name: str, values: Sequence[Any]) -> list[str]:
    """How a person says the values of an axis, all of them different; a target's are its names."""
    if name != TARGET:
        return [AXES[name](value) for value in values]
    names = [" + ".join(parse_target(text).name for text in value.split()) for value in values]
    return names if len(set(names)) == len(names) else list(values)
