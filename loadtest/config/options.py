"""From the one declaration of an option to everywhere it appears.

Models such as `RunConfig` declare the options; this module turns their fields into parameters of a
command. `loadtest/locust/arguments.py` makes Locust's arguments of them.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, get_type_hints

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loadtest.config.fields import flag_of
from loadtest.config.run import RunConfig


@dataclass(frozen=True, slots=True)
class Option:
    """One option, as text: what the outside sees of a model's field."""

    name: str
    help: str
    default: str
    """How help texts say it."""
    text: str
    """The default as the user would type it; "" where it is left open."""
    example: str
    is_flag: bool
    is_multiple: bool
    own_by_locust: bool
    in_form: bool
    choices: tuple[str, ...]

    @property
    def flag(self) -> str:
        """As in `--max-attempts`."""
        return flag_of(self.name)


def options_of(model: type[BaseModel]) -> list[Option]:
    """The options that a model declares, in order."""
    return [_option(name, field) for name, field in model.model_fields.items()]


def _option(name: str, field: FieldInfo) -> Option:
    declared: Any = field.json_schema_extra  # which `config.run.option` has made
    text = as_typed(field.default)
    return Option(
        name=name,
        help=field.description or "",
        default=declared["shown"] or text,
        text=text,
        example=declared["example"],
        is_flag=field.annotation is bool,
        is_multiple=name == "target" and isinstance(field.default, tuple),
        own_by_locust=declared["own_by_locust"],
        in_form=declared["in_form"],
        choices=tuple(declared["choices"]),
    )


def as_typed(value: object) -> str:
    """A value as it is typed."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    if isinstance(value, float):
        # Every digit, and no exponent: it is read back, by Locust and by `parse_duration`.
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return str(value)


def as_command(
    options: Sequence[Option], call: Callable[..., None], group: type | None = None
) -> Callable[..., None]:
    """A function for typer: a parameter for each of the options, and those of `call` itself.

    Options are taken as text, so that the model alone says what is wrong with it, and only what
    was given is handed on. `group` is a TypedDict of more options, which `call` gets as its first
    argument.
    """
    own = [
        parameter
        for parameter in inspect.signature(call).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    grouped = get_type_hints(group, include_extras=True) if group is not None else {}
    parameters = [_parameter(option) for option in options]
    parameters += [*own, *(_keyword(name, annotation) for name, annotation in grouped.items())]

    def command(**given: Any) -> None:
        given = {name: value for name, value in given.items() if value not in (None, [])}
        group_values = {name: given.pop(name) for name in grouped if name in given}
        call(*([group_values] if grouped else []), **given)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__doc__ = call.__doc__
    command.__name__ = call.__name__
    return command


def _parameter(option: Option) -> inspect.Parameter:
    kind: Any = str | None
    if option.is_flag:
        kind = bool | None
    elif option.is_multiple:
        kind = list[str] | None
    # "--x" alone would make typer add "--no-x".
    shown = typer.Option(
        option.flag,
        help=option.help if option.is_flag else f"{option.help} Default: {option.default}.",
        show_default=False,
        metavar=None if option.is_flag else option.example or "TEXT",
    )
    return _keyword(option.name, Annotated[kind, shown])


def _keyword(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def command_words(config: RunConfig) -> list[str]:
    """The run as words behind `occbench run`; reading them gives the same config."""
    words = []
    for option in options_of(RunConfig):
        value = getattr(config, option.name)
        if value is not None:
            texts = value if option.is_multiple else [as_typed(value)]
            words += [f"{option.flag}={text}" for text in texts]
    return words
