"""What DynamoDB refuses, or cannot be asked, is said before the load."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loadtest.config.run import RunConfig
from loadtest.engine.preflight import make_plan
from loadtest.errors import TargetError
from loadtest.targets import open_target, parse_target
from loadtest.targets.base.dialect import Statement
from loadtest.workload.access import parse_access
from loadtest.workload.keyspace import ComputedKeys, KeyType
from seed import contents, key_source
from tests.commands import one_line
from tests.integration.dynamodb_support import (
    SCENARIO,
    UNREACHABLE,
    Place,
    command,
    credentials,
    faults,
    local,
    place,
    upstream,
)
from tests.rigs.dynamodb_faults import Answer, Fault, Faults

__all__ = ["credentials", "faults", "local", "place", "upstream"]


def test_a_rehearsal_changes_nothing(place: Place) -> None:
    place.load(10)
    target = place.target()
    statements: list[Statement] = []
    tried: list[bool] = []

    def attempt(session: Any) -> None:
        keys = ComputedKeys(KeyType.INT, 1)
        [work] = SCENARIO.draw(np.random.default_rng(1), parse_access("uniform", 10), keys, 1)
        tried.append(SCENARIO.operation(target.language)(session, KeyType.INT, work))

    target.rehearse(statements, attempt)
    assert tried == [True]
    assert place.sums("version") == (10, 0, 0)
    place.target().client.delete_table(TableName=f"{place.prefix}accounts_int")
    with pytest.raises(TargetError, match=r"ResourceNotFoundException.+; seed it first"):
        target.rehearse(statements, attempt)


def deny(operation: str, code: str, status: int = 400) -> Callable[[str, int], Fault | None]:
    return lambda asked, number: Answer(status, code) if asked == operation else None


@pytest.mark.parametrize(
    ("operation", "code", "cause", "remedy"),
    [
        ("TransactWriteItems", "AccessDeniedException", "AccessDenied", "allow dynamodb:UpdateItem"),
        ("TransactWriteItems", "ResourceNotFoundException", "ResourceNotFound", "seed it first"),
        ("TransactWriteItems", "ExpiredTokenException", "ExpiredToken", "check the AWS credentials"),
        (
            "DescribeTable",
            "UnrecognizedClientException",
            "does not know these credentials",
            "check AWS_",
        ),
        ("DescribeTable", "ExpiredTokenException", "the AWS session token has expired", "log in again"),
        ("DescribeTable", "InvalidSignatureException", "not accept the signature", "clock"),
        ("DescribeTable", "AccessDeniedException", "AccessDenied", "let the IAM policy"),
        ("Scan", "AccessDeniedException", "AccessDenied", "let the IAM policy"),
    ],
)
def test_what_is_not_allowed_is_one_line(
    place: Place, faults: Faults, operation: str, code: str, cause: str, remedy: str
) -> None:
    place.load(10)
    faults.choose = deny(operation, code)
    config = RunConfig.read(target=[f"east={place.at(faults.url).text()}"], keys=["int"])
    with pytest.raises(TargetError, match=r"^target east \(dynamodb://us-east-1\?.+\)") as caught:
        make_plan(config, contents, key_source)
    assert cause in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_allowed_is_said_before_the_load(
    place: Place, faults: Faults, tmp_path: Path
) -> None:
    place.load(10)
    faults.choose = deny("TransactWriteItems", "AccessDeniedException")
    done = command(
        "run", "--target", f"east={place.at(faults.url).text()}", "--keys", "int", "--out",
        tmp_path / "out", cwd=tmp_path,
    )  # fmt: skip
    assert "let the IAM policy of these credentials allow" in one_line(done, 3)
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_said_before_the_load(place: Place, tmp_path: Path) -> None:
    words = ("run", "--keys", "int", "--out", tmp_path / "out", "--target")
    said = one_line(command(*words, place.text(), cwd=tmp_path), 3)
    assert "table accounts_int is not seeded; run `occbench seed" in said
    bare = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    said = one_line(command(*words, place.text(), cwd=tmp_path, **bare), 3)
    assert "there are no AWS credentials; check AWS_PROFILE" in said
    away = place.at(UNREACHABLE).text()
    for asked in (words, ("seed", "--accounts", 10, "--target")):
        said = one_line(command(*asked, away, cwd=tmp_path), 3)
        assert "cannot be reached: Connection refused; check the Region, the network" in said
    assert not (tmp_path / "out").exists()


def test_where_it_cannot_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(text: str) -> str:
        with pytest.raises(TargetError) as caught:
            open_target(parse_target(text)).start()
        assert str(caught.value).startswith("target ")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "The config profile (nobody) could not be found" in refused(place.text(profile="nobody"))
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL_DYNAMODB", UNREACHABLE)
        assert "(dynamodb://xx-nowhere-9) cannot be reached" in (
            said := refused("dynamodb://xx-nowhere-9")
        )
        assert "check the Region, the network" in said
    monkeypatch.setenv("http_proxy", "http://me:geheim@127.0.0.1:1")
    # What is known of another address than this test's is kept for the life of the process.
    said = refused(Place(place.url, f"{place.prefix}proxy_").text())
    assert "add 127.0.0.1 to NO_PROXY" in said
    assert "geheim" not in said
