"""The words of `--skew`; the laws that they mean are in `access.py`."""

from dataclasses import dataclass

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import number_of


@dataclass(frozen=True, slots=True)
class Skew:
    """The words of `--skew`, checked, before the number of accounts is known."""

    kind: str
    values: tuple[float, ...] = ()


_SKEW_HELP = (
    "uniform, zipf:THETA (0 < THETA ≤ 5) or hotspot:ACCESSES/ACCOUNTS "
    "(two shares, each between 0 and 1)"
)


def parse_skew(text: str) -> Skew:
    """Read `uniform`, `zipf:1.1` or `hotspot:0.9/0.1`; raises InputError for anything else."""
    kind, _, rest = text.partition(":")
    try:
        if kind == "uniform" and not rest:
            return Skew("uniform")
        if kind == "zipf":
            theta = number_of(rest)
            if theta is not None and 0 < theta <= 5:
                return Skew("zipf", (theta,))
        if kind == "hotspot":
            accesses, accounts = (number_of(part) or 0.0 for part in rest.split("/"))
            if 0 < accesses < 1 and 0 < accounts < 1:
                return Skew("hotspot", (accesses, accounts))
    except ValueError:
        pass
    raise InputError(f"skew {quoted(text)} is not one of {_SKEW_HELP}")


def canonical_skew(text: str) -> str:
    """The one way to write a law that can be written in several: `zipf:1.10` is `zipf:1.1`."""
    skew = parse_skew(text)
    return ":".join(filter(None, (skew.kind, "/".join(f"{one:.15g}" for one in skew.values))))
