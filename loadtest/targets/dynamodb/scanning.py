"""Reading whole tables, several parts at a time."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import NamedTuple

from loadtest.targets.aws.connection import HttpConnection
from loadtest.targets.dynamodb import requests
from loadtest.targets.dynamodb.retrying import RetryingConnection

SEGMENTS = 8


class Sums(NamedTuple):
    """What is in one attribute of a table's items."""

    items: int
    total: int
    negative: int


def sum_up(connect: Callable[[], HttpConnection], table: str, attribute: str) -> Sums:
    """Count all items and add the attribute up, with consistent reads.

    Raises one of `aws.errors.ERRORS`. Nothing may write meanwhile, for a scan is no snapshot.
    """
    one = partial(_sum_segment, connect, table, attribute)
    with ThreadPoolExecutor(SEGMENTS) as threads:
        parts = list(threads.map(one, range(SEGMENTS)))
    return Sums(*(sum(column) for column in zip(*parts, strict=True)))


def _sum_segment(
    connect: Callable[[], HttpConnection], table: str, attribute: str, segment: int
) -> Sums:
    count = total = negative = 0
    after = ""
    with closing(connect()) as connection:
        while True:
            body = requests.scan(table, attribute, segment, SEGMENTS, after)
            answer = RetryingConnection(connection).request(requests.SCAN, body)
            values = [int(item[attribute]["N"]) for item in answer["Items"]]
            count += len(values)
            total += sum(values)
            negative += sum(value < 0 for value in values)
            last = answer.get("LastEvaluatedKey")
            if not last:
                return Sums(count, total, negative)
            after = json.dumps(last)
