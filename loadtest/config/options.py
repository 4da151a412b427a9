"""From the one declaration of an option to everywhere it appears.

`RunConfig` and `SeedConfig` declare the options; this module turns a model's fields into parameters
of a command and into Locust's arguments, which are fields of its web form too.
"""

import inspect
import math
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, get_type_hints

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from loadtest.config.run import RunConfig, flag_of
from loadtest.errors import InputError
from loadtest.errors.messages import of_arguments
from loadtest.workload.builtin import SCENARIOS
from loadtest.workload.retry import POLICIES

LOCUST_PREFIX = "occ_"
STRICT = LOCUST_PREFIX + "strict"
_CHOICES: dict[str, list[str]] = {"scenario": list(SCENARIOS), "retry": list(POLICIES)}


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

    @property
    def flag(self) -> str:
        """As in `--max-attempts`."""
        return flag_of(self.name)


def options_of(model: type[BaseModel]) -> list[Option]:
    """The options that a model declares, in order."""
    return [_option(name, field) for name, field in model.model_fields.items()]


def _option(name: str, field: FieldInfo) -> Option:
    extra = field.json_schema_extra
    assert isinstance(extra, dict)  # noqa: S101 - config.option() always sets it
    text = as_typed(field.default)
    return Option(
        name=name,
        help=field.description or "",
        default=str(extra["shown"] or text),
        text=text,
        example=str(extra["example"] or ""),
        is_flag=field.annotation is bool,
        is_multiple=name == "target" and isinstance(field.default, tuple),
        own_by_locust=bool(extra["own_by_locust"]),
        in_form=bool(extra["in_form"]),
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


def add_locust_arguments(parser: Any) -> None:
    """Give Locust's parser, and so its web form, the options that it has no argument for."""
    for option in options_of(RunConfig):
        if option.own_by_locust:
            continue
        parser.add_argument(
            f"--occ-{option.name.replace('_', '-')}",
            dest=LOCUST_PREFIX + option.name,
            default=option.text,
            help=_for_locust(option),
            env_var=f"OCC_{option.name.upper()}",
            choices=_CHOICES.get(option.name),
            include_in_web_ui=option.in_form,
        )


def keep_secrets(parser: Any) -> None:
    """Let Locust's parser not quote what it cannot read of locust.conf or of the command line."""
    complain, parse = parser.error, parser.parse_args

    def error(message: str) -> None:
        complain(of_arguments(message, sys.argv[1:]))

    def parse_args(*args: Any, **more: Any) -> Namespace:
        options: Namespace = parse(*args, **more)
        # What has a blank in it is taken for the name of a user class, which Locust would quote.
        if strange := [name for name in options.user_classes or () if not name.isidentifier()]:
            error(f"unrecognized arguments: {' '.join(strange)}")
        return options

    parser.error, parser.parse_args = error, parse_args


def add_locust_strict(parser: Any) -> None:
    """Give Locust's parser `--occ-strict`, which is of the report and no option of a run."""
    parser.add_argument(
        "--occ-strict",
        dest=STRICT,
        action="store_true",
        help="Without the page: end with status 1 if the report finds anything bad.",
        env_var="OCC_STRICT",
        include_in_web_ui=False,
    )


def _for_locust(option: Option) -> str:
    text = option.help.replace("%", "%%")
    if option.is_multiple:
        text = text.replace("once for each endpoint", "several with spaces between")
    return text if option.text else f"{text} Default: {option.default}."


def config_from_locust(options: Namespace) -> RunConfig:
    """The run that Locust's arguments, or its web form, describe; raises InputError."""
    given: dict[str, Any] = {}
    for option in options_of(RunConfig):
        value = getattr(options, LOCUST_PREFIX + option.name, None)
        if not option.own_by_locust and value not in (None, ""):
            given[option.name] = str(value).split() if option.is_multiple else value
    warmup = RunConfig.read(warmup=given.get("warmup", RunConfig.model_fields["warmup"].default))
    given["users"] = options.num_users or 1
    given["spawn_rate"] = options.spawn_rate
    # Locust's run time is the whole test; what is measured is what follows the warm-up.
    given["duration"] = None
    if options.run_time:
        given["duration"] = float(options.run_time) - warmup.warmup
        if given["duration"] <= 0:
            raise InputError(
                f"a run time of {options.run_time:g} s leaves nothing after a warm-up of "
                f"{warmup.warmup:g} s; give more of the one or less of the other"
            )
    return RunConfig.read(**given)


def to_locust(config: RunConfig) -> dict[str, Any]:
    """The attributes that Locust's parsed options have for this run."""
    values: dict[str, Any] = {
        LOCUST_PREFIX + option.name: " ".join(config.target)
        if option.is_multiple
        else as_typed(getattr(config, option.name))
        for option in options_of(RunConfig)
        if not option.own_by_locust
    }
    return values


def locust_arguments(config: RunConfig) -> list[str]:
    """The run as arguments for the `locust` command."""
    arguments = ["--users", str(config.users)]
    if config.spawn_rate is not None:
        arguments += ["--spawn-rate", as_typed(config.spawn_rate)]
    else:
        arguments += ["--spawn-rate", str(config.users)]
    if config.duration is not None:
        # Locust reads whole seconds only.
        arguments += ["--run-time", f"{math.ceil(config.duration + config.warmup)}s"]
    if config.processes > 1:
        arguments += ["--processes", str(config.processes)]
    for name, value in to_locust(config).items():
        if value:
            arguments.append(f"--{name.replace('_', '-')}={value}")
    return arguments
