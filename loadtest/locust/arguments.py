"""RunConfig's options as Locust's arguments, which are fields of its web form too."""

import math
import sys
from argparse import Namespace
from typing import Any

from loadtest.config.options import Option, as_typed, options_of
from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.errors.messages import of_arguments

LOCUST_PREFIX = "occ_"
STRICT = LOCUST_PREFIX + "strict"


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
            choices=option.choices or None,
            include_in_web_ui=option.in_form,
        )
    # Of the report, and no option of a run.
    parser.add_argument(
        "--occ-strict",
        dest=STRICT,
        action="store_true",
        help="Without the page: end with status 1 if the report finds anything bad.",
        env_var="OCC_STRICT",
        include_in_web_ui=False,
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
    return {
        LOCUST_PREFIX + option.name: " ".join(config.target)
        if option.is_multiple
        else as_typed(getattr(config, option.name))
        for option in options_of(RunConfig)
        if not option.own_by_locust
    }


def locust_arguments(config: RunConfig) -> list[str]:
    """The run as arguments for the `locust` command."""
    spawn_rate = as_typed(config.spawn_rate or config.users)
    arguments = ["--users", str(config.users), "--spawn-rate", spawn_rate]
    if config.duration is not None:
        # Locust reads whole seconds only.
        arguments += ["--run-time", f"{math.ceil(config.duration + config.warmup)}s"]
    if config.processes > 1:
        arguments += ["--processes", str(config.processes)]
    for name, value in to_locust(config).items():
        if value:
            arguments.append(f"--{name.replace('_', '-')}={value}")
    return arguments
