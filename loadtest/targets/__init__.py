"""The systems that load is run against: one module for each family.

A target knows its driver, its limits and what its errors mean; it knows no scenario. What its
sessions understand is its *language*: SQL (`sql.py`, with a dialect), items (`items.py`) or calls
(`calls.py`). `parse_target` reads what stands behind `--target`, `open_target` gives the thing itself.
"""

from loadtest.targets.base.dialect import Dialect, Statement
from loadtest.targets.base.sql import SqlSession, SqlTarget
from loadtest.targets.base.target import Language, Limits, Session, StatementFailed, Target, TargetSpec
from loadtest.targets.registry import FAMILIES, open_target, parse_target

__all__ = [
    "FAMILIES",
    "Dialect",
    "Language",
    "Limits",
    "Session",
    "SqlSession",
    "SqlTarget",
    "Statement",
    "StatementFailed",
    "Target",
    "TargetSpec",
    "open_target",
    "parse_target",
]
