"""One connection that writes items, 25 a request."""

import json
import threading

from loadtest.targets.dynamodb import requests
from loadtest.targets.dynamodb.retrying import RetryingConnection
from loadtest.targets.dynamodb.target import DynamoTarget
from loadtest.workload.scenario import Scenario
from seed.batches import Batch
from seed.manifest import Manifest

ITEMS_A_REQUEST = 25
"""As many as `BatchWriteItem` takes."""


class ItemWriter:
    """Writes batches of one table."""

    def __init__(
        self, target: DynamoTarget, scenario: Scenario, manifest: Manifest, stop: threading.Event
    ) -> None:
        self._scenario = scenario
        self._balance = manifest.balance
        self._name = target.table_name(manifest.table)
        self._connection = target.connection()
        self._retrying = RetryingConnection(self._connection, stop.is_set)

    def write(self, batch: Batch) -> bool:
        """Write the batch until DynamoDB has taken all of it."""
        items = self._items(batch)
        body, left = requests.batch_write(self._name, items), len(items)
        while True:
            answer = self._retrying.request(requests.BATCH_WRITE, body)
            unprocessed = answer.get("UnprocessedItems") or {}
            remaining = len(unprocessed.get(self._name, ()))
            if not remaining:
                self._retrying.done()
                return True
            if remaining < left:
                self._retrying.progress()
            left = remaining
            body = json.dumps({"RequestItems": unprocessed}).encode()
            self._retrying.pause(requests.BATCH_WRITE)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _items(self, batch: Batch) -> list[str]:
        """The items of these accounts, each as the text of its attributes."""
        key, rest = "", ""
        rows = self._scenario.first_rows(batch.accounts, batch.keys, self._balance)
        for name, values in rows.items():
            if isinstance(values, int):
                rest += f',"{name}":{{"N":"{values}"}}'
            else:
                key = name
        return [
            f'"{key}":{requests.key_value(bytes(one))}{rest},"version":{{"N":"0"}}'
            for one in batch.keys.tolist()
        ]
