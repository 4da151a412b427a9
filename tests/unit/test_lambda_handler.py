"""The example of a function: the transfer of the tool, its defaults, and a package that is small."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loadtest.config.run import RunConfig
from loadtest.targets import Dialect
from loadtest.targets.base.calls import INSUFFICIENT_FUNDS
from loadtest.workload.builtin import find_scenario
from loadtest.workload.keyspace import KeyType
from tests.rigs.lambda_endpoint import EXAMPLE, PACKAGED, package

SECRET = "hunter2"


@pytest.fixture(scope="module")
def example_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_handler", EXAMPLE / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["example_handler"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("key_type", list(KeyType))
def test_the_example_sends_the_statements_of_the_scenario(
    example_module: ModuleType, key_type: KeyType
) -> None:
    scenario = find_scenario("transfer")
    table = scenario.table(key_type).name
    wanted = [statement.sql for statement in scenario.statements(Dialect(), [key_type])]
    assert wanted == [s.format(table=table) for s in (example_module.DEBIT, example_module.CREDIT)]
    assert Dialect().begin == example_module.BEGIN
    assert example_module.INSUFFICIENT_FUNDS == INSUFFICIENT_FUNDS


def test_the_example_has_the_defaults_of_a_run(example_module: ModuleType) -> None:
    config = RunConfig.read()
    policy = example_module._policy({})
    assert policy == config.retry_policy()
    assert example_module._policy({"max_attempts": 1}).max_attempts == 1


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"payer_id": 1, "payee_id": 2},
        {"payer_id": 1, "payee_id": "no key", "amount": 1},
        {"payer_id": 1, "payee_id": "6f1c1f4e-0000-4000-8000-000000000000", "amount": 1},
        {"payer_id": 1, "payee_id": 2, "amount": -1},
        {"payer_id": 1, "payee_id": 2, "amount": "NaN"},
        {"payer_id": 1, "payee_id": 2, "amount": "much"},
        {"payer_id": True, "payee_id": 2, "amount": 1},
        {"payer_id": None, "payee_id": 2, "amount": 1},
    ],
)
def test_the_example_says_what_is_wrong_with_a_payload(
    example_module: ModuleType, event: dict[str, Any]
) -> None:
    answer = example_module.handler(event)
    assert answer["errorCode"] == "22023"
    assert answer["retries"] == 0


def test_the_example_shows_no_password(
    example_module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in (
        f"postgresql://u:{SECRET}%zz@h/db",
        f"host=h {SECRET}",
        f"host=/nowhere user=u password={SECRET}",
        "",
    ):
        monkeypatch.setenv("OCC_DATABASE", text)
        answer = example_module.handler({"payer_id": 1, "payee_id": 2, "amount": 1})
        assert answer["errorCode"] in ("22023", "08001")
        assert SECRET not in json.dumps(answer)


@pytest.mark.parametrize(
    ("text", "user", "action"),
    [
        ("abc123.dsql.eu-west-2.on.aws", "admin", "DbConnectAdmin"),
        ("dsql://abc123.dsql.eu-west-2.on.aws?user=teller", "teller", "DbConnect&"),
    ],
)
def test_the_example_signs_for_aurora_dsql(
    example_module: ModuleType, monkeypatch: pytest.MonkeyPatch, text: str, user: str, action: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    conninfo = example_module.conninfo(text)
    assert f"user={user}" in conninfo
    assert f"Action={action}" in conninfo
    assert "eu-west-2%2Fdsql%2Faws4_request" in conninfo
    assert "sslmode=verify-full" in conninfo
    assert example_module.conninfo("host=h dbname=x") == "host=h dbname=x"


def test_the_package_of_the_example_is_small(tmp_path: Path) -> None:
    """What its README has one copy is all it needs, and brings nothing heavy along."""
    readme = (EXAMPLE / "README.md").read_text()
    for name in PACKAGED:
        assert f"loadtest/{name} " in readme
    package(tmp_path)
    code = (
        f"import sys; sys.path[0] = {str(tmp_path)!r}; import handler, loadtest.workload.retry; "
        "print(loadtest.workload.retry.__file__, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    file, *modules = done.stdout.split()
    assert Path(file).is_relative_to(tmp_path)
    assert not {"numpy", "pyarrow", "pydantic", "gevent", "locust", "boto3"} & set(modules)
