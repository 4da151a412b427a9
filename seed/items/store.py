"""A table of items in DynamoDB, and the record of what is in it.

Each table has one item in a table of its own. What a SQL database keeps in a ledger of batches is
here a mark: all accounts below it are loaded. Writing an item again does no harm while its table is
being loaded, so what was begun beyond the mark is simply written again.

Nothing locks. A command that loads a table has its name on it and says every second that it is alive;
one that finds a name waits a little to see whether its bearer is.
"""

import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, ClassVar

import numpy as np
from botocore.exceptions import ClientError

from loadtest.errors import InputError, OccbenchError, TargetError
from loadtest.targets import Target
from loadtest.targets.dynamodb.target import MISSING, SEEDED
from loadtest.targets.dynamodb.target import DynamoTarget as DynamoTarget
from loadtest.workload.keyspace import KeySpace, KeyType
from loadtest.workload.scenario import Scenario
from seed.batches import Batch
from seed.items.writer import ITEMS_A_REQUEST, ItemWriter
from seed.loader import BEAT_S
from seed.manifest import TABLES, Manifest
from seed.store import Counted, Run, Store, taken

_RUN = 20 * ITEMS_A_REQUEST
"""Accounts that a worker is given at a time."""

_ALIVE_S = 3 * BEAT_S
_LOOK_S = 0.2
_WAIT_S = 600.0
_KEY_KINDS = {"bigint": "N", "uuid": "S"}
"""A key column's type → the type of the attribute that it becomes."""
_OURS = "load_id = :load_id AND #owner = :owner"


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

    def item(self) -> dict[str, dict[str, str]]:
        """What DynamoDB keeps."""
        values = self.manifest.row() | {"mark": self.mark, "owner": self.owner, "beats": self.beats}
        return {
            name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in values.items()
        }


def contents(target: DynamoTarget) -> list[Manifest]:
    """Every seeded table of a target that is there, by name."""
    pages = target.client.get_paginator("scan")
    try:
        items = [
            item
            for page in pages.paginate(TableName=target.table_name(SEEDED), ConsistentRead=True)
            for item in page["Items"]
        ]
    except ClientError as error:
        if error.response["Error"]["Code"] == MISSING:
            return []
        raise
    found = sorted((_entry(item).manifest for item in items), key=lambda one: one.table)
    return [one for one in found if target.describe_table(one.table) is not None]


class ItemStore(Store):
    """One table."""

    fixed_batch: ClassVar[int | None] = ITEMS_A_REQUEST
    target: DynamoTarget

    def __init__(self, target: Target, scenario: Scenario, key_type: KeyType) -> None:
        """Raises InputError where the scenario's table cannot be one of items."""
        super().__init__(target, scenario, key_type)
        self._me = uuid.uuid4().hex
        self._entry: Entry | None = None
        self._beyond: dict[int, int] = {}
        """Batches that are written beyond the mark: begin → end."""
        [self._key, *more] = self.table.primary_key
        kind = next(c.type for c in self.table.columns if c.name == self._key)
        if more or kind not in _KEY_KINDS:
            raise InputError(
                f"scenario {scenario.name} cannot be seeded on {target.called}: the key of "
                f"{self.table.name} is not one number or one UUID"
            )
        self._key_kind = _KEY_KINDS[kind]

    def make(self) -> None:
        if self.target.describe_table(SEEDED) is None:
            self._create_table(SEEDED, "table_name", "S")
        self._wait(SEEDED, there=True)

    def recorded(self) -> Manifest | None:
        self._entry = self._read()
        # A batch is a request here, whatever an earlier version called one.
        return replace(self._entry.manifest, batch=ITEMS_A_REQUEST) if self._entry else None

    def fits(self) -> bool | None:
        there = self.target.describe_table(self.table.name)
        if there is None:
            return None
        kinds = {one["AttributeName"]: one["AttributeType"] for one in there["AttributeDefinitions"]}
        hashed = [{"AttributeName": self._key, "KeyType": "HASH"}]
        return bool(there["KeySchema"] == hashed and kinds[self._key] == self._key_kind)

    def create(self, manifest: Manifest, before: Manifest | None, *, drop: bool) -> Manifest:
        del before
        self._take(manifest, mark=0)
        if drop:
            self._delete_table(self.table.name)
        self._create_table(self.table.name, self._key, self._key_kind)
        return self._keep(state="loading")

    def extend(self, before: Manifest, manifest: Manifest) -> Manifest:
        return self._take(manifest, mark=before.accounts)

    def resume(self, manifest: Manifest) -> Manifest:
        return self._take(manifest, mark=self._own.mark)

    def missing(
        self, manifest: Manifest, keys: KeySpace, workers: int, *, resumed: bool
    ) -> tuple[int, Iterator[Run]]:
        del workers, resumed
        mark = self._own.mark

        def missing_runs() -> Iterator[Run]:
            for start in range(mark, manifest.accounts, _RUN):
                numbers = np.arange(start, min(start + _RUN, manifest.accounts), dtype=np.int64)
                binary = keys.binary(numbers)
                yield [
                    Batch(
                        start + at, numbers[at : at + manifest.batch], binary[at : at + manifest.batch]
                    )
                    for at in range(0, len(numbers), manifest.batch)
                ]

        return mark, missing_runs()

    def open_writer(self, manifest: Manifest, stop: Event) -> ItemWriter:
        return ItemWriter(self.target, self.scenario, manifest, stop)

    def count_in(self, batch: Batch) -> None:
        self._beyond[batch.number] = batch.number + len(batch.accounts)
        mark = self._own.mark
        while mark in self._beyond:
            mark = self._beyond.pop(mark)
        self._entry = replace(self._own, mark=mark)

    def keep(self) -> None:
        self._keep()

    def how_far(self, manifest: Manifest) -> str:
        with suppress(*self.target.errors, OccbenchError):
            self._leave()
        return f"{self._own.mark:,} of {manifest.accounts:,} accounts are loaded"

    def explain(self, error: Exception) -> str:
        return str(error if isinstance(error, OccbenchError) else self.target.explain(error))

    def is_loaded(self, manifest: Manifest) -> bool:
        return self._own.mark == manifest.accounts

    def count(self, columns: tuple[str, ...] = ()) -> Counted:
        value = self.scenario.invariant(self.key_type).value
        sums = {name: self.target.sums(self.table.name, name) for name in {value, *columns}}
        return Counted(sums[value].items, sums[value].total, {n: sums[n].total for n in columns})

    def complete(self, manifest: Manifest) -> None:
        self._entry = replace(self._own, manifest=manifest)
        self._leave()

    @property
    def _own(self) -> Entry:
        assert self._entry is not None  # noqa: S101 - asked for once the table is ours
        return self._entry

    def _create_table(self, name: str, key: str, key_kind: str) -> None:
        """Make a table, paid by the request, and wait until it can be used."""
        try:
            self.target.client.create_table(
                TableName=self.target.table_name(name),
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": key_kind}],
            )
        except ClientError as error:
            # Another command may make it at the same moment, or boto3 asked twice.
            if error.response["Error"]["Code"] != "ResourceInUseException":
                raise
        self._wait(name, there=True)

    def _delete_table(self, name: str) -> None:
        try:
            self.target.client.delete_table(TableName=self.target.table_name(name))
        except ClientError as error:
            if error.response["Error"]["Code"] != MISSING:
                raise
        self._wait(name, there=False)

    def _wait(self, name: str, *, there: bool) -> None:
        """Wait until a table can be used, or is gone; meanwhile this command says that it is alive."""
        until = time.monotonic() + _WAIT_S
        beat = time.monotonic() + BEAT_S
        while True:
            found = self.target.describe_table(name)
            if (found is not None and found["TableStatus"] == "ACTIVE") if there else found is None:
                return
            if time.monotonic() > until:
                state = "there" if there else "gone"
                raise TargetError(
                    f"{self.target.called}: table {name} is not {state} after {_WAIT_S:.0f} s; "
                    "look at it in the AWS console, and give the command again"
                )
            time.sleep(_LOOK_S)
            if self._entry is not None and time.monotonic() > beat:
                self._keep()
                beat = time.monotonic() + BEAT_S

    def _read(self) -> Entry | None:
        answer = self.target.client.get_item(
            TableName=self.target.table_name(SEEDED),
            Key={"table_name": {"S": self.table.name}},
            ConsistentRead=True,
        )
        return _entry(answer["Item"]) if "Item" in answer else None

    def _take(self, manifest: Manifest, mark: int) -> Manifest:
        """Put this command's name on the table, in place of what was recorded before."""
        before = self._entry
        if before is not None and before.owner and self._is_alive(before):
            raise taken(manifest.table)
        entry = Entry(manifest, mark, self._me, (before.beats if before else 0) + 1)
        if before is None:
            self._put(entry, "attribute_not_exists(table_name)", {})
        else:
            values = {":load_id": before.manifest.load_id, ":owner": before.owner}
            self._put(entry, f"{_OURS} AND beats = :beats", {**values, ":beats": before.beats})
        return manifest

    def _is_alive(self, entry: Entry) -> bool:
        until = time.monotonic() + _ALIVE_S
        while time.monotonic() < until:
            now = self._read()
            if now is None or not now.owner:
                return False
            if (now.owner, now.beats) != (entry.owner, entry.beats):
                return True
            time.sleep(_LOOK_S)
        return False

    def _keep(self, owner: str | None = None, **changes: Any) -> Manifest:
        """Write down how far this command is; raises InputError where another took its place."""
        manifest = replace(self._own.manifest, **changes)
        entry = replace(
            self._own,
            manifest=manifest,
            owner=self._me if owner is None else owner,
            beats=self._own.beats + 1,
        )
        self._put(entry, _OURS, {":load_id": manifest.load_id, ":owner": self._me})
        return manifest

    def _leave(self) -> None:
        """The same, and take this command's name off the table."""
        self._keep(owner="")

    def _put(self, entry: Entry, condition: str, values: dict[str, Any]) -> None:
        more: dict[str, Any] = {}
        if values:
            more["ExpressionAttributeNames"] = {"#owner": "owner"}
            more["ExpressionAttributeValues"] = {
                name: {"N" if isinstance(value, int) else "S": str(value)}
                for name, value in values.items()
            }
        try:
            self.target.client.put_item(
                TableName=self.target.table_name(SEEDED),
                Item=entry.item(),
                ConditionExpression=condition,
                **more,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            # boto3 may have asked twice, the first time with success.
            if self._read() != entry:
                raise taken(self.table.name) from None
        self._entry = entry


def _entry(item: dict[str, dict[str, str]]) -> Entry:
    values = {name: next(iter(value.values())) for name, value in item.items()}
    manifest = Manifest(*(values[column.name] for column in TABLES.columns))  # type: ignore[arg-type]
    return Entry(manifest, int(values["mark"]), values["owner"], int(values["beats"]))
