"""A Lambda function as a target: the example's handler, run for real behind the Invoke API."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from loadtest.errors import TargetError
from loadtest.targets import StatementFailed, open_target, parse_target
from loadtest.targets.aws_lambda.target import LambdaTarget
from loadtest.targets.embedded.server import EmbeddedServer
from loadtest.workload.builtin import Work, find_scenario
from loadtest.workload.keyspace import KeyType
from seed import contents
from tests import in_process
from tests.commands import occbench, one_line, results_in, run
from tests.conftest import running_server, short_folder, sql_target
from tests.rigs.certificates import Authority
from tests.rigs.dsql import READER, dsql
from tests.rigs.lambda_endpoint import NOT_ALLOWED, Function, LambdaRig, lambda_endpoint

ACCOUNTS = 2_000
SECRET = "hunter2"
TRANSFER = find_scenario("transfer")
REHEARSALS = 1
"""Of a run with one key type."""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with running_server() as started:
        target = open_target(parse_target(f"embedded?data={started.data_folder}"))
        target.start()
        yield started


@pytest.fixture(scope="module")
def database(server: EmbeddedServer) -> str:
    """The database behind the functions, as a target."""
    return f"embedded?data={server.data_folder}"


@pytest.fixture(scope="module")
def rig(server: EmbeddedServer) -> Iterator[LambdaRig]:
    """Functions in front of that database, each with something of its own."""
    url = server.url("optimistic", {"occ.commit_delay_ms": "5"})
    works = {"OCC_DATABASE": url}
    no_tables = {"OCC_DATABASE": re.sub(r"(search_path%3D).*?(?=%20|&|$)", r"\1nowhere", url)}
    no_database = {"OCC_DATABASE": f"host=/nowhere user=u password={SECRET}"}
    functions = {
        "transfer": Function(works),
        "hasty": Function({**works, "OCC_RETRY": "none"}),
        "narrow": Function(works, concurrency=1),
        "closed": Function(works, concurrency=0),
        "buggy": Function(works, fault="raise", every=4, healthy=REHEARSALS),
        "slow": Function(works, fault="hang", every=4, healthy=REHEARSALS, timeout_s=1.5),
        "crashing": Function(works, fault="exit", every=4, healthy=REHEARSALS),
        "dropping": Function(works, fault="drop", every=4, healthy=REHEARSALS),
        "failing": Function(works, fault="service", every=4, healthy=REHEARSALS),
        "no-tables": Function(no_tables),
        "no-database": Function(no_database),
        "no-handler": Function(works, handler="handler.transfer"),
        "no-module": Function(works, handler="transfer.handler"),
        "always-slow": Function(works, fault="hang", timeout_s=1),
        "another": Function(answer={"statusCode": 200, "body": "Hello from Lambda"}),
        "taciturn": Function(answer={"balance": 1}),
    }
    with lambda_endpoint(functions) as made:
        yield made


@pytest.fixture(autouse=True)
def _credentials(rig: LambdaRig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in rig.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def seeded(rig: LambdaRig, database: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The database, seeded through a function's target."""
    done = in_process.occbench(
        "seed", "--target", rig.function("transfer", database=database), "--accounts", ACCOUNTS,
        "--keys", "int,uuid,uuid7",
        cwd=tmp_path_factory.mktemp("seed"), **rig.environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "accounts_uuid7: 2,000 accounts, 2,000 loaded" in done.stdout
    return database


LOADED = ("transfer", "hasty", "narrow", "buggy", "slow", "crashing", "dropping", "failing")


@pytest.fixture(scope="module")
def loaded(
    rig: LambdaRig, seeded: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """Function → the record of its attempts, of one run on all of them; money was conserved."""
    before = {name: rig.counts(name)["called"] for name in LOADED}
    targets: list[str] = []
    for name in LOADED:
        options = {"retry": "caller"} if name == "transfer" else {}
        targets += ["--target", rig.function(name, database=seeded, **options)]
    result = run(
        *targets, "--users", 2 * len(LOADED), "--keys", "int", "--accounts", 4, "--duration", "4s",
        "--warmup", "500ms",
        out=tmp_path_factory.mktemp("loaded") / "results", **rig.environment,
    )  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LOADED}
    for row in result.rows:
        found[row["target"]].append(row)
    for name, rows in found.items():
        called = rig.counts(name)["called"] - before[name] - REHEARSALS
        assert called == len(rows) - len(of(rows, "rejected")), "every call is an attempt"
    return found


def of(rows: list[dict[str, Any]], *outcomes: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["outcome"] in outcomes]


def open_lambda(target: str) -> LambdaTarget:
    opened = open_target(parse_target(target))
    assert isinstance(opened, LambdaTarget)
    return opened


# Load


def test_the_functions_own_time_and_retries_are_in_the_record(
    rig: LambdaRig, seeded: str, server: EmbeddedServer, tmp_path: Path
) -> None:
    secret = f"{server.url('locking')}&password={SECRET}"
    target = rig.function("transfer:live", database=secret).replace("transfer:live=", "live=")
    del seeded
    result = run(
        "--target", target, "--users", 6, "--duration", "2s", "--warmup", "300ms", "--block",
        "500ms", "--accounts", 2,
        out=tmp_path / "results", **rig.environment,
    )  # fmt: skip
    done = result.of_outcome("committed")
    assert done
    for row in done:
        assert 0 < row["remote_ns"] < row["statements_ns"]
        assert row["remote_retries"] >= 0
        assert row["commit_ns"] == row["window_low_ns"] == row["window_high_ns"] == 0
        assert row["attempt"] == 1
    # Whoever works at the same time as another wants the same two accounts.
    assert any(row["remote_retries"] > 0 for row in done)
    assert {row["outcome"] for row in result.rows} <= {"committed", "conflict_data"}
    overall = result.summary["overall"]
    retried = any(row["remote_retries"] > 0 for row in done if row["block"] >= 0)
    assert (overall["remote"]["retries_mean"] > 0) == retried
    assert overall["remote"]["duration_ms"]["mean"] < overall["latency_ms"]["mean"]
    assert "commit_ms" not in overall, "absent, and not zero"
    described = result.run["targets"][0]
    assert (described["version"], described["family"]) == ("7", "lambda")
    assert described["retry"] == "function"
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or SECRET.encode() not in file.read_bytes(), file


Loaded = dict[str, list[dict[str, Any]]]


def test_the_caller_can_be_the_one_that_retries(loaded: Loaded) -> None:
    rows = loaded["transfer"]
    conflicts = of(rows, "conflict_data")
    assert conflicts
    assert all(row["sqlstate"] == "40001" for row in conflicts)
    assert any(not row["final"] for row in conflicts)
    assert any(row["attempt"] > 1 for row in of(rows, "committed"))
    assert all(row["remote_retries"] == 0 for row in rows)


def test_a_conflict_that_the_function_gave_up_on_is_final(loaded: Loaded) -> None:
    conflicts = of(loaded["hasty"], "conflict_data")
    assert conflicts
    assert all(row["final"] and row["remote_retries"] == 0 for row in conflicts)
    assert all(row["remote_ns"] > 0 for row in conflicts)


def test_throttles_are_rejected_and_tried_again(rig: LambdaRig, loaded: Loaded) -> None:
    rejected = of(loaded["narrow"], "rejected")
    assert rejected
    assert all(row["sqlstate"] == "53400" and row["remote_ns"] is None for row in rejected)
    # Whether a later attempt gets the function's only slot is luck; that one follows is not.
    assert any(row["attempt"] > 1 for row in loaded["narrow"])
    assert any(not row["final"] for row in rejected)
    assert rig.counts("narrow")["at_once"] == 1
    assert not of(loaded["narrow"], "error", "ambiguous")


@pytest.mark.parametrize(
    ("name", "outcome", "sqlstate"),
    [
        ("buggy", "error", "38000"),
        ("slow", "ambiguous", "38000"),
        ("crashing", "ambiguous", "38000"),
        ("dropping", "ambiguous", "08006"),
        ("failing", "ambiguous", "08006"),
    ],
)
def test_what_goes_wrong_in_a_function_is_not_tried_again(
    loaded: Loaded, name: str, outcome: str, sqlstate: str
) -> None:
    wrong = of(loaded[name], outcome)
    assert wrong
    for row in wrong:
        assert row["sqlstate"] == sqlstate
        assert row["final"]
        assert row["remote_ns"] is None
        assert row["remote_retries"] is None
        assert row["commit_ns"] == 0
    assert of(loaded[name], "committed")
    others = {row["outcome"] for row in loaded[name]} - {outcome, "committed", "conflict_data"}
    assert not others


def test_a_database_that_only_the_function_reaches(rig: LambdaRig, seeded: str, tmp_path: Path) -> None:
    del seeded
    unknown = rig.function("transfer", accounts=ACCOUNTS)
    known = rig.function("transfer", accounts=ACCOUNTS, balance=10_000).replace("transfer=", "known=")
    silent = rig.function("taciturn", accounts=ACCOUNTS)
    done = occbench(
        "run", "--target", unknown, "--target", known, "--target", silent, "--users", 3,
        "--duration", "600ms", "--warmup", "0", "--keys", "uuid", "--out", tmp_path / "results",
        cwd=tmp_path, **rig.environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = results_in(tmp_path / "results")
    invariants = {found["target"]: found for found in result.run["invariant"]}
    for found in invariants.values():
        assert found["holds"] is None
        assert "only the function reaches its database" in found["why"]
        assert "found" not in found
    assert invariants["transfer"]["expected"] is None
    assert invariants["known"]["expected"] == str(ACCOUNTS * 10_000)
    assert result.run["accounts"] == ACCOUNTS
    assert result.summary["invariant"]["holds"] is None
    assert "could not be checked" in (result.folder / "report.html").read_text()
    targets = result.summary["targets"]
    assert targets["transfer"]["remote"]["retries_max"] >= 0
    assert "remote" not in targets["taciturn"], "what a function does not say is absent"
    assert targets["taciturn"]["committed"] > 0


def test_keys_of_a_file_that_is_too_short(rig: LambdaRig, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("1\n2\n3\n")
    words = ("--keys", "int", "--keys-from", "keys", "--duration", "1s")
    target = rig.function("transfer", accounts=10)
    done = in_process.occbench("run", "--target", target, *words, cwd=tmp_path, **rig.environment)
    line = one_line(done, 2)
    assert "holds 3 keys, fewer than the 10 accounts" in line


# What cannot be done


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", ["there is no function absent in us-east-1", "check its name"]),
        ("no-tables", ["fails when it is called", 'relation "accounts_int" does not exist', "42P01"]),
    ],
)
def test_a_function_that_does_not_work_is_told_before_the_load(
    rig: LambdaRig, seeded: str, tmp_path: Path, name: str, words: list[str]
) -> None:
    out = tmp_path / "results"
    target = rig.function(name, database=seeded)
    done = in_process.occbench(
        "run", "--target", target, "--duration", "1s", "--out", out, cwd=tmp_path, **rig.environment
    )
    line = one_line(done, 3)
    for word in words:
        assert word in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-database", ["fails when it is called", "/nowhere", "08001"]),
        ("no-handler", ["Runtime.HandlerNotFound", "check its log"]),
        ("no-module", ["Runtime.ImportModuleError", "Unable to import module 'transfer'"]),
        ("always-slow", ["Task timed out after 1.00 seconds"]),
        ("another", ["neither a balance nor an error"]),
        ("closed", ["is throttled", "ReservedFunctionConcurrentInvocationLimitExceeded"]),
    ],
)
def test_what_a_rehearsal_shows(rig: LambdaRig, name: str, words: list[str]) -> None:
    target = open_lambda(rig.function(name, accounts=ACCOUNTS))
    target.start()
    with pytest.raises(TargetError) as caught:
        target.rehearse((), transfer(1, 2, 5))
    for word in words:
        assert word in str(caught.value)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def transfer(payer: int, payee: int, amount: int) -> Callable[[Any], object]:
    keys = [number.to_bytes(8) for number in (payer, payee)]
    work = Work((payer - 1, payee - 1), (str(amount).encode(), *keys))
    return lambda session: TRANSFER.run_call(session, KeyType.INT, work)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "there are no AWS credentials"),
        ({"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, "AWS does not know these credentials"),
        ({"AWS_SECRET_ACCESS_KEY": SECRET}, "AWS does not accept the signature"),
        ({"AWS_ACCESS_KEY_ID": NOT_ALLOWED}, "let the IAM policy of these credentials allow it"),
        ({"HTTP_PROXY": f"http://u:{SECRET}@127.0.0.1:1"}, "add 127.0.0.1 to NO_PROXY"),
    ],
)
def test_who_may_not_call(
    rig: LambdaRig, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], words: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    # A client that is kept has the credentials of the tests before.
    monkeypatch.setattr("loadtest.targets.aws.clients._clients", {})
    monkeypatch.setattr("loadtest.targets.aws.clients._sessions", {})
    with pytest.raises(TargetError) as caught:
        open_lambda(rig.function("transfer", accounts=ACCOUNTS)).start()
    assert words in str(caught.value)
    assert "target transfer (lambda://us-east-1/transfer" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_nobody_there_or_no_credentials(tmp_path: Path) -> None:
    url = "http://127.0.0.1:1"
    target = f"f=lambda://us-east-1/f?endpoint_url={quote(url, safe='')}&accounts=10"
    with pytest.raises(TargetError, match="cannot be reached: Connection refused; check the Region"):
        open_lambda(target).start()
    nobody = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": str(tmp_path)}
    words = ("--target", target, "--duration", "1s")
    line = one_line(in_process.occbench("run", *words, cwd=tmp_path, **nobody), 3)
    assert "there are no AWS credentials" in line


def test_a_database_that_is_not_named_cannot_be_seeded(rig: LambdaRig, tmp_path: Path) -> None:
    target = rig.function("transfer", accounts=10)
    line = one_line(
        in_process.occbench(
            "seed", "--target", target, "--accounts", 10, cwd=tmp_path, **rig.environment
        ),
        2,
    )
    assert "add database=URL" in line
    found = {one.table: one for one in contents(open_lambda(target))}
    assert set(found) == {"accounts_int", "accounts_uuid", "accounts_uuid7"}
    assert found["accounts_uuid"].total is None


def test_other_accounts_than_those_that_are_there(rig: LambdaRig, seeded: str, tmp_path: Path) -> None:
    """Nobody can look behind the function: what the user said of its table is what may be wrong."""

    def line(**options: Any) -> str:
        words = ("--target", rig.function("transfer", **options), "--keys", "uuid", "--users", 2)
        return one_line(in_process.occbench("run", *words, cwd=tmp_path, **rig.environment), 3)

    said = line(accounts=ACCOUNTS, key_seed=9)
    assert "no account" in said
    assert f"check accounts= and key_seed= in the target, here {ACCOUNTS} and 9" in said
    assert not (tmp_path / "results").exists()


def test_a_database_behind_it_that_does_not_answer(rig: LambdaRig) -> None:
    broken = f"postgresql://u:{SECRET}@127.0.0.1:1/db"
    with pytest.raises(TargetError, match="target transfer's database") as caught:
        open_lambda(rig.function("transfer", database=broken)).start()
    assert SECRET not in str(caught.value)


def test_a_certificate_is_verified(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    functions = {"transfer": Function(answer={"balance": 1})}
    with short_folder() as folder:
        authority = Authority(folder)
        with lambda_endpoint(functions, authority.issue("localhost"), str(authority.root)) as tls:
            for name, value in tls.environment.items():
                monkeypatch.setenv(name, value)
            text = tls.function("transfer", accounts=10)
            trusting = LambdaTarget(parse_target(text, str(authority.root)))
            trusting.start()
            trusting.rehearse((), transfer(1, 2, 5))
            with pytest.raises(TargetError, match="certificate verify failed"):
                open_lambda(text).start()
            names = ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")
            for name in names:
                with monkeypatch.context() as trusted:
                    for other in names:
                        trusted.delenv(other, raising=False)
                    trusted.setenv(name, str(authority.root))
                    open_lambda(text).start()


def test_a_function_in_front_of_aurora_dsql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It signs its own tokens, and speaks TLS to the endpoint."""
    with dsql() as cluster:
        environment = cluster.environment
        done = in_process.occbench(
            "seed", "--target", cluster.url(), "--accounts", 10, "--keys", "int",
            cwd=tmp_path, **environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        functions = {
            "transfer": Function({**environment, "OCC_DATABASE": cluster.url()}),
            "reader": Function({**environment, "OCC_DATABASE": cluster.url(user=READER)}),
        }
        with lambda_endpoint(functions) as rig:
            for name, value in rig.environment.items():
                monkeypatch.setenv(name, value)
            session = open_lambda(rig.function("transfer", accounts=10)).open_session(())
            for _ in range(3):
                assert transfer(1, 2, 5)(session) is True
            assert session.remote.retries == 0
            session.close()
            with pytest.raises(TargetError, match=r"permission denied .*\(42501\)"):
                open_lambda(rig.function("reader", accounts=10)).rehearse((), transfer(1, 2, 5))
        with closing(cluster.database.connect()) as connection:
            row = connection.execute("SELECT balance FROM accounts_int WHERE id = 2").fetchone()
            assert row == (10_015,)


# What a session gives


def test_a_transfer_is_refused_and_nothing_else_raises(rig: LambdaRig, seeded: str) -> None:
    target = open_lambda(rig.function("transfer", database=seeded))
    target.start()
    before = balances(seeded)
    session = target.open_session(())
    assert transfer(1, 2, 5)(session) is True
    assert session.remote.retries == 0
    assert transfer(1, 2, 10**9)(session) is False
    with pytest.raises(StatementFailed, match="no account") as caught:
        transfer(1, ACCOUNTS + 1, 5)(session)
    assert (caught.value.sqlstate, caught.value.final) == ("P0002", True)
    target.rehearse((), transfer(1, 2, 5))
    after = balances(seeded)
    assert after == {**before, 1: before[1] - 5, 2: before[2] + 5}
    session.close()
    assert session.closed


def balances(database: str) -> dict[int, int]:
    with closing(sql_target(database).connect()) as connection:
        rows = connection.execute("SELECT id, balance FROM accounts_int").fetchall()
    return {number: int(balance) for number, balance in rows}
