"""What stands behind `dynamodb://`."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadtest.errors import InputError
from loadtest.targets.base.target import TargetSpec
from loadtest.targets.url import check_endpoint, check_options, said_option

_OPTIONS = ("endpoint_url", "transfer", "profile", "prefix")
_TRANSFERS = ("atomic", "optimistic")
_REGION = re.compile(r"[a-z0-9-]+")
# What DynamoDB lets a table's name be made of; room must be left for the name itself.
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,200}")


@dataclass(frozen=True, slots=True)
class Address:
    """Which DynamoDB, and how transfers are done there."""

    region: str
    endpoint_url: str | None = None
    """Where to connect, None for the Region's own endpoint."""
    optimistic: bool = False
    """Read both items, then write on condition of their versions; else one request does it all."""
    profile: str | None = None
    """The AWS profile whose credentials are used, None for boto3's usual search."""
    prefix: str = ""
    """What the names of all tables begin with."""


def read_address(spec: TargetSpec) -> Address:
    """The address of this target; raises InputError that says what would be right."""
    lead = f"target {spec.name} ({spec.shown})"
    parts = urlsplit(spec.url)
    region = parts.hostname or ""
    if not _REGION.fullmatch(region) or parts.netloc.lower() != region or parts.path not in ("", "/"):
        raise InputError(f"{lead} does not name a Region; give it as dynamodb://us-east-1")
    check_options(spec, _OPTIONS)
    transfer = spec.options.get("transfer", "atomic")
    if transfer not in _TRANSFERS:
        raise InputError(
            f"{lead}: {said_option(spec, 'transfer')} is neither {' nor '.join(_TRANSFERS)}"
        )
    prefix = spec.options.get("prefix", "")
    if not _PREFIX.fullmatch(prefix):
        raise InputError(
            f"{lead}: {said_option(spec, 'prefix')} cannot begin a table's name; use letters, "
            "digits, _ . and -"
        )
    endpoint_url = check_endpoint(spec, lead)
    return Address(region, endpoint_url, transfer == "optimistic", spec.options.get("profile"), prefix)
