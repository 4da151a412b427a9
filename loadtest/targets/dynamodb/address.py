"""What stands behind `dynamodb://`."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadtest.errors import InputError
from loadtest.targets.base.target import TargetSpec
from loadtest.targets.url import check_endpoint, check_options, choice, said_option

_REGION = re.compile(r"[a-z0-9-]+")
# What DynamoDB lets a table's name be made of; room must be left for the name itself.
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,200}")


@dataclass(frozen=True, slots=True)
class DynamoAddress:
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

    @classmethod
    def of(cls, spec: TargetSpec) -> "DynamoAddress":
        """Read a spec of the family `dynamodb`; raises InputError that says what would be right."""
        lead = f"target {spec.name} ({spec.shown})"
        parts = urlsplit(spec.url)
        region = parts.hostname or ""
        if not _REGION.fullmatch(region) or parts.netloc.lower() != region or parts.path.strip("/"):
            raise InputError(f"{lead} does not name a Region; give it as dynamodb://us-east-1")
        check_options(spec, ("endpoint_url", "transfer", "profile", "prefix"))
        optimistic = choice(spec, "transfer", ("atomic", "optimistic")) == "optimistic"
        prefix = spec.options.get("prefix", "")
        if not _PREFIX.fullmatch(prefix):
            raise InputError(
                f"{lead}: {said_option(spec, 'prefix')} cannot begin a table's name; use letters, "
                "digits, _ . and -"
            )
        return cls(
            region, check_endpoint(spec, lead), optimistic, spec.options.get("profile") or None, prefix
        )
