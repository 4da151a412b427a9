"""What is sent: kinds of request, and bodies, put together as text without going through objects.

Names of tables are checked before (`address.py`), keys are numbers and UUIDs, and all else is a
number: nothing here needs escaping.
"""

from collections.abc import Sequence
from typing import Any

from loadtest.targets.aws.signing import RequestKind
from loadtest.targets.base.items import Change, Item


def _kind(name: str) -> RequestKind:
    return RequestKind(
        name,
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{name}",
        },
    )


TRANSACT_WRITE = _kind("TransactWriteItems")
BATCH_GET = _kind("BatchGetItem")
BATCH_WRITE = _kind("BatchWriteItem")
SCAN = _kind("Scan")

_UPDATE = (
    '{"Update":{"TableName":"%s","Key":{"id":%s},'
    '"UpdateExpression":"SET balance = balance + :a, version = version + :o",'
    '"ConditionExpression":"attribute_exists(id)%s",'
    '"ExpressionAttributeValues":{":a":{"N":"%d"},":o":{"N":"1"}%s},'
    '"ReturnValuesOnConditionCheckFailure":"ALL_OLD"}}'
)


def key_value(key: bytes) -> str:
    """A key as DynamoDB's JSON: 8 bytes are a number, 16 a UUID.

    A UUID is kept as text, as applications do and as the console shows it. An account stays far
    below the kilobyte that a unit of capacity counts in either way.
    """
    return f'{{"{"N" if len(key) == 8 else "S"}":"{key_text(key)}"}}'


def key_text(key: bytes) -> str:
    """A key as it stands between the quotes."""
    if len(key) == 8:
        return str(int.from_bytes(key, signed=True))
    digits = key.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def transact_write(changes: Sequence[Change], prefix: str) -> bytes:
    """`TransactWriteItems`: all changes or none."""
    updates = ",".join([_update(change, prefix) for change in changes])
    return f'{{"TransactItems":[{updates}],"ReturnConsumedCapacity":"TOTAL"}}'.encode()


def _update(change: Change, prefix: str) -> str:
    condition = values = ""
    if change.at_least is not None:
        condition += " AND balance >= :m"
        values += f',":m":{{"N":"{change.at_least}"}}'
    if change.version is not None:
        condition += " AND version = :v"
        values += f',":v":{{"N":"{change.version}"}}'
    return _UPDATE % (prefix + change.table, key_value(change.key), condition, change.amount, values)


def batch_get(table: str, keys: Sequence[bytes]) -> bytes:
    """`BatchGetItem` with consistent reads."""
    asked = ",".join([f'{{"id":{key_value(key)}}}' for key in keys])
    return (
        f'{{"RequestItems":{{"{table}":{{"Keys":[{asked}],"ConsistentRead":true}}}},'
        '"ReturnConsumedCapacity":"TOTAL"}'
    ).encode()


def items_of(answer: Any, table: str, keys: Sequence[bytes]) -> list[Item | None]:
    """What `batch_get` was answered, in the order of the keys: DynamoDB keeps to none."""
    items = {
        next(iter(item["id"].values())): Item(int(item["balance"]["N"]), int(item["version"]["N"]))
        for item in answer["Responses"].get(table, ())
    }
    return [items.get(key_text(key)) for key in keys]


def units_of(answer: Any) -> float | None:
    """The capacity units that an answer was charged for, None where it does not say."""
    consumed = answer.get("ConsumedCapacity")
    if not consumed:
        return None
    tables = consumed if isinstance(consumed, list) else [consumed]
    return float(sum(one["CapacityUnits"] for one in tables))


def batch_write(table: str, items: Sequence[str]) -> bytes:
    """`BatchWriteItem` of whole items, each as the text of its attributes."""
    puts = ",".join([f'{{"PutRequest":{{"Item":{{{item}}}}}}}' for item in items])
    return f'{{"RequestItems":{{"{table}":[{puts}]}}}}'.encode()


def scan(table: str, attribute: str, segment: int, segments: int, after: str) -> bytes:
    """One page of a consistent `Scan` of one attribute; `after` is where the last one ended, if any."""
    start = f',"ExclusiveStartKey":{after}' if after else ""
    return (
        f'{{"TableName":"{table}","ConsistentRead":true,"ProjectionExpression":"#v",'
        f'"ExpressionAttributeNames":{{"#v":"{attribute}"}},'
        f'"Segment":{segment},"TotalSegments":{segments}{start}}}'
    ).encode()
