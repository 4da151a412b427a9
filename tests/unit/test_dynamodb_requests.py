"""What is sent to DynamoDB: addresses and bodies."""

import json
import uuid
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import pytest

from loadtest.errors import InputError
from loadtest.targets import open_target, parse_target
from loadtest.targets.base.items import Change, Item
from loadtest.targets.dynamodb import requests
from loadtest.targets.dynamodb.target import DynamoTarget

UUID = uuid.UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
NUMBER = (12).to_bytes(8)


def opened(text: str) -> DynamoTarget:
    target = open_target(parse_target(text))
    assert isinstance(target, DynamoTarget)
    return target


def test_an_address() -> None:
    plain = opened("dynamodb://eu-west-1")
    assert plain.address == {"region": "eu-west-1"}
    assert (plain.endpoint_url, plain.profile) == (None, None)
    assert (plain.optimistic, plain.prefix) == (False, "")
    given = opened(
        "east=dynamodb://us-east-1?endpoint_url=http%3A%2F%2F127.0.0.1%3A8000&transfer=optimistic"
        "&profile=me&prefix=t1_&weight=2"
    )
    assert given.endpoint_url == "http://127.0.0.1:8000"
    assert (given.optimistic, given.profile, given.prefix) == (True, "me", "t1_")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dynamodb://", "does not name a Region"),
        ("dynamodb", "does not name a Region"),
        ("dynamodb://us-east-1/table", "does not name a Region"),
        ("dynamodb://us-east-1:8000", "does not name a Region"),
        ("dynamodb://us_east_1", "does not name a Region"),
        (
            "dynamodb://us-east-1?transfer=both",
            "transfer=both is not known",
        ),
        ("dynamodb://us-east-1?endpoint=x", "no option 'endpoint'; there is profile, endpoint_url"),
        ("dynamodb://us-east-1?prefix=a/b", "prefix=a/b cannot begin"),
        ("dynamodb://us-east-1?endpoint_url=localhost:8000", "endpoint_url must be a scheme"),
        ("dynamodb://us-east-1?endpoint_url=http://h:99999", "endpoint_url must be a scheme"),
        ("dynamodb://us-east-1?endpoint_url=http://h/path", "endpoint_url must be a scheme"),
        ("dynamodb://us-east-1?endpoint_url=http://me@h", "endpoint_url must be a scheme"),
    ],
)
def test_a_wrong_address_is_said(text: str, said: str) -> None:
    with pytest.raises(InputError, match="target ") as caught:
        opened(text)
    assert said in str(caught.value)


def test_a_password_in_the_endpoint_is_not_repeated() -> None:
    with pytest.raises(InputError) as caught:
        opened("dynamodb://us-east-1?endpoint_url=http://me:geheim@host")
    assert "geheim" not in str(caught.value)


def test_keys() -> None:
    assert json.loads(requests.key_value(NUMBER)) == {"N": "12"}
    assert json.loads(requests.key_value((-3).to_bytes(8, signed=True))) == {"N": "-3"}
    assert json.loads(requests.key_value(UUID.bytes)) == {"S": str(UUID)}


def check_shape(operation: str, body: bytes) -> dict[str, Any]:
    """The body, if botocore finds that the operation takes it."""
    model = botocore.model.ServiceModel(
        botocore.loaders.Loader().load_service_model("dynamodb", "service-2")
    )
    request: dict[str, Any] = json.loads(body)
    shape = model.operation_model(operation).input_shape
    report = botocore.validate.ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()
    return request


def test_a_transfer_in_one_request() -> None:
    changes = [
        Change("accounts_uuid", UUID.bytes, -7, at_least=7),
        Change("accounts_uuid", UUID.bytes, 7),
    ]
    request = check_shape("TransactWriteItems", requests.transact_write(changes, "t1_"))
    debit, credit = (one["Update"] for one in request["TransactItems"])
    assert request["ReturnConsumedCapacity"] == "TOTAL"
    assert debit["TableName"] == credit["TableName"] == "t1_accounts_uuid"
    assert debit["ConditionExpression"] == "attribute_exists(id) AND balance >= :m"
    assert debit["ExpressionAttributeValues"] == {
        ":a": {"N": "-7"}, ":o": {"N": "1"}, ":m": {"N": "7"},
    }  # fmt: skip
    assert credit["ConditionExpression"] == "attribute_exists(id)"
    assert credit["ExpressionAttributeValues"] == {":a": {"N": "7"}, ":o": {"N": "1"}}
    for update in (debit, credit):
        assert update["Key"] == {"id": {"S": str(UUID)}}
        assert "version = version + :o" in update["UpdateExpression"]
        assert update["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_a_transfer_on_condition_of_versions() -> None:
    body = requests.transact_write([Change("accounts_int", NUMBER, 1, version=4)], "")
    [only] = check_shape("TransactWriteItems", body)["TransactItems"]
    assert only["Update"]["ConditionExpression"] == "attribute_exists(id) AND version = :v"
    assert only["Update"]["ExpressionAttributeValues"][":v"] == {"N": "4"}


def test_other_bodies() -> None:
    asked = check_shape("BatchGetItem", requests.batch_get("t", [NUMBER, NUMBER]))
    assert asked["RequestItems"]["t"]["ConsistentRead"] is True
    check_shape("BatchWriteItem", requests.batch_write("t", ['"id":{"N":"1"}', '"id":{"N":"2"}']))
    page = check_shape("Scan", requests.scan("t", "balance", 1, 8, '{"id": {"N": "1"}}'))
    assert page["ConsistentRead"] is True
    assert (page["Segment"], page["TotalSegments"]) == (1, 8)
    check_shape("Scan", requests.scan("t", "balance", 0, 8, ""))


def test_items_come_in_the_order_that_was_asked_for() -> None:
    answer = {
        "Responses": {
            "t": [
                {"id": {"N": "2"}, "balance": {"N": "20"}, "version": {"N": "1"}},
                {"id": {"N": "1"}, "balance": {"N": "10"}, "version": {"N": "0"}},
            ]
        }
    }
    keys = [number.to_bytes(8) for number in (1, 3, 2)]
    assert requests.items_of(answer, "t", keys) == [Item(10, 0), None, Item(20, 1)]


def test_units() -> None:
    assert requests.units_of({}) is None
    assert requests.units_of({"ConsumedCapacity": []}) is None
    assert requests.units_of({"ConsumedCapacity": [{"CapacityUnits": 4.0}]}) == 4.0
    both = [{"CapacityUnits": 4.0}, {"CapacityUnits": 0.5}]
    assert requests.units_of({"ConsumedCapacity": both}) == 4.5
    assert requests.units_of({"ConsumedCapacity": {"CapacityUnits": 2.0}}) == 2.0
