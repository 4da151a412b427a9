"""Reading whole tables, several parts at a time."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from loadtest.targets.aws.connection import Wire
from loadtest.targets.dynamodb import requests
from loadtest.targets.dynamodb.retrying import Patience

SEGMENTS = 8


class Sums(NamedTuple):
    """What is in one attribute of a table's items."""

    items: int
    total: int
    negative: int


def sum_up(wires: Callable[[], Wire], table: str, attribute: str) -> Sums:
    """Count all items and add the attribute up, with consistent reads.

    Raises botocore's errors. Nobody may write meanwhile, for a scan is no snapshot.
    """
    with ThreadPoolExecutor(SEGMENTS) as threads:
        parts = list(
            threads.map(lambda segment: _sum_segment(wires, table, attribute, segment), range(SEGMENTS))
        )
    return Sums(*(sum(column) for column in zip(*parts, strict=True)))


def _sum_segment(wires: Callable[[], Wire], table: str, attribute: str, segment: int) -> Sums:
    count = total = negative = 0
    after: str | None = None
    wire = wires()
    try:
        while True:
            body = requests.scan(table, attribute, segment, SEGMENTS, after)
            answer = Patience(wire).request(requests.SCAN, body)
            values = [int(item[attribute]["N"]) for item in answer["Items"]]
            count += len(values)
            total += sum(values)
            negative += sum(value < 0 for value in values)
            last = answer.get("LastEvaluatedKey")
            if not last:
                return Sums(count, total, negative)
            after = json.dumps(last)
    finally:
        wire.close()
