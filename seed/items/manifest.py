"""What is seeded, where tables hold items: the manifest, and who is at work on a table.

Each table has one item in a table of its own. What a SQL database keeps in a ledger of batches is
here a mark: all accounts below it are loaded. Writing an item again does no harm while its table is
being loaded, so what was begun beyond the mark is simply written again.

Nothing locks. Whoever loads a table has its name on it and says every second that it is alive; who
finds a name waits a little to see whether its bearer is.
"""

import time
import uuid
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from loadtest.errors import InputError, TargetError
from loadtest.targets.dynamodb.target import MISSING, SEEDED, DynamoTarget
from loadtest.workload.keyspace import KeyType
from seed.sql.manifest import Manifest

BEAT_S = 1.0
"""How often whoever loads a table says so."""

_ALIVE_S = 3 * BEAT_S
_LOOK_S = 0.2
_WAIT_S = 600.0
_NUMBERS = ("key_seed", "balance", "accounts", "part_start", "batch", "block", "total")
_TAKEN = "another command is seeding table {}; wait until it has ended"


@dataclass(frozen=True, slots=True)
class Entry:
    """One table's item."""

    manifest: Manifest
    mark: int
    """Every account below this number is loaded."""
    owner: str = ""
    """The command that is at work on the table, "" where none is."""
    beats: int = 0
    """Goes up while the owner is alive."""


class ItemManifests:
    """The items that say what is seeded; every method raises boto3's errors as they are."""

    def __init__(self, target: DynamoTarget) -> None:
        self._target = target
        self._table = target.table_name(SEEDED)
        self._me = uuid.uuid4().hex

    def make(self) -> None:
        """Make their table where it is not there yet."""
        if self._target.describe_table(SEEDED) is None:
            self.create_table(SEEDED, "table_name", "S")
        self._wait(SEEDED, there=True)

    def create_table(self, name: str, key: str, key_kind: str, entry: Entry | None = None) -> None:
        """Make a table, paid by the request, and wait until it can be used.

        With `entry` it is said meanwhile that whoever waits is alive.
        """
        try:
            self._target.client.create_table(
                TableName=self._target.table_name(name),
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": key_kind}],
            )
        except ClientError as error:
            # Another command may make it at the same moment, or boto3 asked twice.
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
        self._wait(name, entry, there=True)

    def delete_table(self, name: str, entry: Entry) -> None:
        """Remove a table, and wait until it is gone."""
        try:
            self._target.client.delete_table(TableName=self._target.table_name(name))
        except ClientError as error:
            if error.response["Error"]["Code"] != MISSING:
                raise
        self._wait(name, entry, there=False)

    def _wait(self, name: str, entry: Entry | None = None, *, there: bool) -> None:
        until = time.monotonic() + _WAIT_S
        beat = time.monotonic() + BEAT_S
        while True:
            found = self._target.describe_table(name)
            if (found is not None and found["TableStatus"] == "ACTIVE") if there else found is None:
                return
            if time.monotonic() > until:
                state = "there" if there else "gone"
                raise TargetError(
                    f"{self._target.called}: table {name} is not {state} after {_WAIT_S:.0f} s; "
                    "look at it in the AWS console, and give the command again"
                )
            time.sleep(_LOOK_S)
            if entry is not None and time.monotonic() > beat:
                entry = self.keep(entry)
                beat = time.monotonic() + BEAT_S

    def entry(self, table: str) -> Entry | None:
        """What is recorded of a table, whether it is there or not."""
        answer = self._target.client.get_item(
            TableName=self._table, Key={"table_name": {"S": table}}, ConsistentRead=True
        )
        return _entry(answer["Item"]) if "Item" in answer else None

    def contents(self) -> list[Manifest]:
        """Every seeded table that is there, by name."""
        pages = self._target.client.get_paginator("scan")
        try:
            items = [
                item
                for page in pages.paginate(TableName=self._table, ConsistentRead=True)
                for item in page["Items"]
            ]
        except ClientError as error:
            if error.response["Error"]["Code"] == MISSING:
                return []
            raise
        found = sorted((_entry(item).manifest for item in items), key=lambda one: one.table)
        return [one for one in found if self._target.describe_table(one.table) is not None]

    def begin(self, manifest: Manifest, before: Entry | None, mark: int) -> Entry:
        """Put this command's name on a table, in place of what was recorded `before`.

        Raises InputError where another command is at work on it.
        """
        if before is not None and before.owner and self._is_alive(before):
            raise InputError(_TAKEN.format(manifest.table))
        entry = Entry(manifest, mark, self._me, (before.beats if before else 0) + 1)
        if before is None:
            self._put(entry, "attribute_not_exists(table_name)", {})
        else:
            self._put(
                entry,
                "load_id = :load_id AND #owner = :owner AND beats = :beats",
                {
                    ":load_id": {"S": str(before.manifest.load_id)},
                    ":owner": {"S": before.owner},
                    ":beats": {"N": str(before.beats)},
                },
            )
        return entry

    def _is_alive(self, entry: Entry) -> bool:
        until = time.monotonic() + _ALIVE_S
        while time.monotonic() < until:
            now = self.entry(entry.manifest.table)
            if now is None or not now.owner:
                return False
            if (now.owner, now.beats) != (entry.owner, entry.beats):
                return True
            time.sleep(_LOOK_S)
        return False

    def keep(self, entry: Entry) -> Entry:
        """Write down how far this command is; raises InputError where another took its place."""
        now = replace(entry, beats=entry.beats + 1)
        self._put(
            now,
            "load_id = :load_id AND #owner = :owner",
            {":load_id": {"S": str(entry.manifest.load_id)}, ":owner": {"S": self._me}},
        )
        return now

    def leave(self, entry: Entry) -> Entry:
        """The same, and take this command's name off the table."""
        return self.keep(replace(entry, owner=""))

    def _put(self, entry: Entry, condition: str, values: dict[str, Any]) -> None:
        more: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        if "#owner" in condition:
            more["ExpressionAttributeNames"] = {"#owner": "owner"}
        try:
            self._target.client.put_item(
                TableName=self._table, Item=_item(entry), ConditionExpression=condition, **more
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            # boto3 may have asked twice, the first time with success.
            if self.entry(entry.manifest.table) != entry:
                raise InputError(_TAKEN.format(entry.manifest.table)) from None


def _item(entry: Entry) -> dict[str, dict[str, str]]:
    manifest = entry.manifest
    texts = {
        "table_name": manifest.table,
        "load_id": str(manifest.load_id),
        "state": manifest.state,
        "key_type": str(manifest.key_type),
        "key_source": manifest.key_source,
        "owner": entry.owner,
    }
    numbers = {name: getattr(manifest, name) for name in _NUMBERS}
    numbers |= {"mark": entry.mark, "beats": entry.beats}
    return {name: {"S": text} for name, text in texts.items()} | {
        name: {"N": str(number)} for name, number in numbers.items()
    }


def _entry(item: dict[str, dict[str, str]]) -> Entry:
    numbers = {name: int(item[name]["N"]) for name in _NUMBERS}
    manifest = Manifest(
        table=item["table_name"]["S"],
        load_id=uuid.UUID(item["load_id"]["S"]),
        state=item["state"]["S"],  # type: ignore[arg-type]
        key_type=KeyType(item["key_type"]["S"]),
        key_source=item["key_source"]["S"],
        **numbers,
    )
    return Entry(manifest, int(item["mark"]["N"]), item["owner"]["S"], int(item["beats"]["N"]))
