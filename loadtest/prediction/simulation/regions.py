"""Regions: their shares of the users, and the way from each to where commits are decided."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from loadtest.errors import InputError
from loadtest.errors.messages import quoted
from loadtest.errors.typed import words_of

MAJORITY = "majority"
"""Commits are decided when a majority of the Regions has heard of them."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}"
_MOST = 100


@dataclass(frozen=True, slots=True)
class WeightedRegion:
    """One Region, with its share of the users relative to the others."""

    name: str
    weight: float = 1.0


def parse_regions(text: str) -> list[WeightedRegion]:
    """Read `east:2,west,north`: names with their weights, 1 where none is given."""
    regions = []
    for part in (part.strip() for part in text.split(",")):
        match = re.fullmatch(rf"({_NAME})(?::(\d+(?:\.\d+)?))?", part)
        if match is None or float(match[2] or 1) <= 0:
            raise InputError(
                f"{quoted(part)} is not a Region; give names, each with a weight if it should "
                "have more users than others, as in east:2,west,north"
            )
        regions.append(WeightedRegion(match[1], float(match[2] or 1)))
    names = [region.name for region in regions]
    if len(set(names)) < len(names):
        raise InputError(f"the Region {quoted(max(names, key=names.count))} is named twice")
    if len(names) > _MOST:
        raise InputError(f"{len(names)} Regions are too many; at most {_MOST} can be simulated")
    return regions


def parse_round_trips(text: str) -> dict[frozenset[str], float]:
    """Read `east/west=62,east/north=24`: milliseconds there and back between two Regions."""
    trips: dict[frozenset[str], float] = {}
    for part in words_of(text):
        match = re.fullmatch(rf"({_NAME})/({_NAME})=(\d+(?:\.\d+)?)(?:\s*ms)?", part)
        if match is None or match[1] == match[2]:
            raise InputError(
                f"{quoted(part)} is not a round trip; give milliseconds between two Regions, as in "
                "east/west=62,east/north=24"
            )
        pair = frozenset((match[1], match[2]))
        if pair in trips:
            raise InputError(f"the round trip between {match[1]} and {match[2]} is given twice")
        trips[pair] = float(match[3])
    return trips


def trips_to_decision(
    names: Sequence[str], trips: Mapping[frozenset[str], float], decided_in: str
) -> list[float]:
    """Return what COMMIT takes longer for the way: milliseconds there and back, for each Region.

    `decided_in` is a Region's name: every commit goes there. Or MAJORITY: a commit is decided when
    more than half of the Regions have heard of it, which takes as long as the way to the farthest of
    the nearest that are enough, the own one among them.

    Raises:
        InputError: if a name is unknown, or a round trip that is needed is missing.
    """
    for pair in trips:
        if unknown := sorted(pair - set(names)):
            raise InputError(
                f"a round trip names {quoted(unknown[0])}, which is none of {', '.join(names)}"
            )
    if decided_in != MAJORITY and decided_in not in names:
        raise InputError(
            f"{quoted(decided_in)} decides no commits; give {MAJORITY} or one of {', '.join(names)}"
        )
    needed = (
        combinations(names, 2)
        if decided_in == MAJORITY
        else ((name, decided_in) for name in names if name != decided_in)
    )
    for a, b in needed:
        if frozenset((a, b)) not in trips:
            raise InputError(f"no round trip between {a} and {b} is given, as in {a}/{b}=60")

    def way(a: str, b: str) -> float:
        return 0.0 if a == b else trips[frozenset((a, b))]

    if decided_in != MAJORITY:
        return [way(name, decided_in) for name in names]
    majority = math.floor(len(names) / 2)
    return [sorted(way(name, other) for other in names)[majority] for name in names]
