"""How an option is declared, read and refused; the models that have some are made of this."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import listed, parse_duration
from loadtest.workload.builtin import find_scenario
from loadtest.workload.key_type import KeyType
from loadtest.workload.retry import POLICIES
from loadtest.workload.skew import parse_skew

_Read = TypeVar("_Read")
_DIGITS = r"[0-9A-Za-z.-]+(?:e\+[0-9]+)?"


def naming(flag: str, read: Callable[[str], _Read], text: str) -> _Read:
    """Return what `read` makes of the text; its InputError then names the option too."""
    try:
        return read(text)
    except InputError as error:
        raise InputError(f"{flag}: {error}") from None


Duration = Annotated[float, BeforeValidator(parse_duration)]
Keys = Annotated[tuple[KeyType, ...], BeforeValidator(listed)]
Targets = Annotated[tuple[str, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)]
TextPath = Annotated[Path, PlainSerializer(str, return_type=str)]


def option(
    default: Any,
    help_text: str,
    *,
    example: str = "",
    shown: str | None = None,
    own_by_locust: bool = False,
    in_form: bool = True,
    choices: Sequence[str] = (),
    **limits: Any,
) -> Any:
    """A field that is an option.

    `shown` is the default as help texts say it where its value does not speak for itself;
    `own_by_locust` marks what Locust has an argument of its own for; `in_form` what the web form
    offers, which lists `choices` where there are some.
    """
    extra: JsonDict = {
        "example": example,
        "shown": shown,
        "own_by_locust": own_by_locust,
        "in_form": in_form,
        "choices": list(choices),
    }
    return Field(default=default, description=help_text, json_schema_extra=extra, **limits)


class Options(BaseModel):
    """What a command's options have in common: checked when read, unchangeable afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @classmethod
    def read(cls, **values: Any) -> Self:
        """Check the values; raises InputError with one line that names the option and the remedy."""
        try:
            return cls(**values)
        except ValidationError as error:
            raise InputError(_one_line(error)) from None

    @field_validator("*", mode="before")
    @classmethod
    def _is_plain(cls, value: object, info: ValidationInfo) -> object:
        """Refuse what Python alone takes for a number: 1_000, +1, blanks, digits of other scripts.

        An empty text, as a web form sends it, leaves open what can be.
        """
        field = cls.model_fields[str(info.field_name)]
        kind = field.annotation
        if field.default is None and isinstance(value, str) and not value.strip():
            return None
        if isinstance(value, str) and {int, float} & {kind, *get_args(kind)}:
            for one in value.split(",") if get_origin(kind) is tuple else [value]:
                if one.strip() and not re.fullmatch(_DIGITS, one):
                    raise ValueError(f"{quoted(one)} will not do: give digits alone, as in 1000")
        return value

    @field_validator("scenario", check_fields=False)
    @classmethod
    def _scenario_is_known(cls, value: str) -> str:
        return naming("--scenario", find_scenario, value).name

    @field_validator("keys", check_fields=False)
    @classmethod
    def _keys_are_different(cls, value: tuple[KeyType, ...]) -> tuple[KeyType, ...]:
        if not value:
            raise ValueError(f"at least one key type is needed, of {', '.join(KeyType)}")
        if len(set(value)) != len(value):
            raise ValueError("each key type can be named only once")
        return value

    @field_validator("skew", check_fields=False)
    @classmethod
    def _skew_is_known(cls, value: str | None) -> str | None:
        if value is not None:
            naming("--skew", parse_skew, value)
        return value

    @field_validator("arrivals", check_fields=False)
    @classmethod
    def _arrivals_are_known(cls, value: str | None) -> str | None:
        if value not in (None, "even", "random"):
            raise ValueError(f"{quoted(value)} is neither even nor random")
        return value

    @field_validator("retry", check_fields=False)
    @classmethod
    def _policy_is_known(cls, value: str) -> str:
        if value not in POLICIES:
            raise ValueError(f"no retry policy {quoted(value)}; there is {', '.join(POLICIES)}")
        return value

    @model_validator(mode="after")
    def _times_fit_together(self) -> Self:
        cap, base = getattr(self, "retry_cap_ms", 0.0), getattr(self, "retry_base_ms", 0.0)
        if cap < base:
            raise ValueError(f"--retry-cap-ms ({cap:g}) is below --retry-base-ms ({base:g})")
        if getattr(self, "rate", None) is not None and getattr(self, "think_time", None):
            raise ValueError("--think-time belongs to the closed loop and cannot go with --rate")
        return self

    @model_validator(mode="after")
    def _one_kind_of_foreign_keys(self) -> Self:
        if getattr(self, "keys_from", None) is not None and len(getattr(self, "keys", ())) != 1:
            raise ValueError("--keys-from needs exactly one key type in --keys")
        return self


def flag_of(field: str) -> str:
    """The command-line flag of a field."""
    return "--" + field.replace("_", "-")


def _one_line(error: ValidationError) -> str:
    """The first thing that is wrong, named as the user named it."""
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    given = first.get("input")
    if first["type"] == "enum":
        message = f"{quoted(given)} is none of {', '.join(KeyType)}"
    elif first["type"] == "string_pattern_mismatch":
        message = f"{quoted(given)} has other characters than letters, digits, dot, dash and underscore"
    elif first["type"] != "value_error":
        limits = message[0].lower() + message[1:].replace("Input should be", "it should be")
        message = f"{quoted(given)} will not do: {limits.replace('input should be', 'it should be')}"
    if not first["loc"]:
        return message
    return f"{flag_of(str(first['loc'][0]))}: {message}"
