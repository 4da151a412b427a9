"""The systems that load is run against: one module for each family.

A target knows its driver, its dialect, its limits and what its errors mean; it knows no scenario.
`parse_target` reads what stands behind `--target`, `open_target` gives the thing itself.
"""

from loadtest.targets.base import (
    Dialect,
    Session,
    Statement,
    StatementFailed,
    Target,
    TargetSpec,
)
from loadtest.targets.registry import FAMILIES, open_target, parse_target

__all__ = [
    "FAMILIES",
    "Dialect",
    "Session",
    "Statement",
    "StatementFailed",
    "Target",
    "TargetSpec",
    "open_target",
    "parse_target",
]
