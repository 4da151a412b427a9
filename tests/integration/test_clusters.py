"""`occbench cluster …` as it is typed, against a control plane that answers as AWS's does."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.targets.dsql.clusters import TAG
from tests import in_process
from tests.commands import REPOSITORY, TIMEOUT, Done, command, environment, one_line, wait_for
from tests.rigs.moto_server import (
    NOTHING,
    ONLY_US_EAST_1,
    SECRET,
    UNKNOWN,
    MotoRig,
    moto_server,
)

EAST, WEST, WITNESS = "us-east-1", "us-west-2", "us-east-2"
NOWHERE = "a" * 26


@pytest.fixture(scope="module")
def server() -> Iterator[MotoRig]:
    with moto_server() as rig:
        yield rig


@pytest.fixture
def aws(server: MotoRig) -> Iterator[MotoRig]:
    """A control plane without any cluster."""
    server.reset()
    yield server
    server.reset()


def cluster(aws: MotoRig, *words: object, **more: str) -> Done:
    done = in_process.occbench("cluster", *words, cwd=REPOSITORY, **{**aws.environment, **more})
    assert SECRET not in done.stdout + done.stderr
    return done


def made(done: Done) -> list[str]:
    """The identifiers that a command printed on its lines, each once."""
    assert done.returncode == 0, done.stderr
    return list(dict.fromkeys(re.findall(r"\b[a-z0-9]{26}\b", done.stdout)))


def there(aws: MotoRig, region: str = EAST) -> dict[str, dict[str, Any]]:
    """The clusters of a Region, as the control plane itself knows them."""
    client = aws.client("dsql", region)
    found = [one["identifier"] for one in client.list_clusters()["clusters"]]
    return {identifier: client.get_cluster(identifier=identifier) for identifier in found}


def one_of_ours(aws: MotoRig, region: str = EAST, **more: Any) -> str:
    """A cluster with the tool's tag, made without the tool's help."""
    more = {"tags": {TAG: "2026-01-01T00:00:00Z"}, "deletionProtectionEnabled": False, **more}
    return str(aws.client("dsql", region).create_cluster(**more)["identifier"])


def test_a_cluster_is_made_listed_and_deleted(aws: MotoRig) -> None:
    aws.slow(2)
    done = cluster(aws, "create", "--region", EAST, "--name", "contention")
    (identifier,) = made(done)
    host = f"{identifier}.dsql.{EAST}.on.aws"
    assert done.stdout.splitlines() == [
        f"cluster {identifier} in {EAST}, endpoint {host}",
        f"--target 'dsql://{host}?user=admin'",
    ]
    progress = done.stderr.splitlines()
    assert progress[0].endswith(": ordered")
    assert re.search(r"creating, \d+ s$", progress[1])
    assert re.search(r"active, \d+ s$", progress[-1])
    facts = there(aws)[identifier]
    assert facts["tags"]["Name"] == "contention"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", facts["tags"][TAG])
    assert facts["deletionProtectionEnabled"] is False
    aws.slow(None)

    other = aws.client("dsql", EAST).create_cluster(tags={"Name": "not ours"})["identifier"]
    lines = cluster(aws, "list", "--region", EAST).stdout.splitlines()
    (ours,) = [line for line in lines if identifier in line]
    (foreign,) = [line for line in lines if other in line]
    assert "ACTIVE" in ours
    assert " occbench " in ours
    assert host in ours
    assert " other " in foreign
    assert "protected" in foreign

    done = cluster(aws, "delete", identifier, "--region", EAST, "--yes")
    assert done.returncode == 0, done.stderr
    assert identifier in done.stdout, "it is shown first"
    assert done.stderr.splitlines()[-1] == f"cluster {identifier} in {EAST}: gone"
    assert list(there(aws)) == [other]


def test_a_region_without_clusters(aws: MotoRig) -> None:
    assert (
        cluster(aws, "list", "--region", f"{EAST},{WEST}").stdout == f"no clusters in {EAST}, {WEST}\n"
    )


def test_what_others_made_is_never_deleted(aws: MotoRig) -> None:
    foreign = one_of_ours(aws, tags={"Name": TAG})
    ours = one_of_ours(aws)
    # Named beside one that could be: nothing at all is deleted.
    error = one_line(cluster(aws, "delete", ours, foreign, "--region", EAST, "--yes"), 2)
    assert f"cluster {foreign} in {EAST} was not made by occbench" in error
    assert "nothing was deleted" in error
    assert list(there(aws)) == [foreign, ours]


def test_a_linked_pair(aws: MotoRig) -> None:
    aws.slow(1)
    words = ("--region", EAST, "--peer-region", WEST, "--witness-region", WITNESS)
    done = cluster(aws, "create", *words)
    east, west = made(done)
    target = f"--target '{EAST}=dsql://{east}.dsql.{EAST}.on.aws?user=admin' --target '{WEST}=dsql://"
    assert done.stdout.splitlines()[-1].startswith(target)
    halves = {EAST: there(aws)[east], WEST: there(aws, WEST)[west]}
    for region, other in ((EAST, WEST), (WEST, EAST)):
        links = halves[region]["multiRegionProperties"]
        assert links["witnessRegion"] == WITNESS
        assert halves[other]["arn"] in links["clusters"]
        assert TAG in halves[region]["tags"]
    aws.slow(None)
    # Either of them stands for both.
    done = cluster(aws, "delete", west, "--region", WEST, "--yes")
    assert done.returncode == 0, done.stderr
    assert not there(aws) | there(aws, WEST)


def test_half_of_a_pair_that_others_made_protects_both(aws: MotoRig) -> None:
    ours = one_of_ours(aws, multiRegionProperties={"witnessRegion": WITNESS})
    arn = there(aws)[ours]["arn"]
    links = {"witnessRegion": WITNESS, "clusters": [arn]}
    foreign = one_of_ours(aws, WEST, tags={}, multiRegionProperties=links)
    links = {"witnessRegion": WITNESS, "clusters": [there(aws, WEST)[foreign]["arn"]]}
    aws.client("dsql", EAST).update_cluster(identifier=ours, multiRegionProperties=links)
    error = one_line(cluster(aws, "delete", ours, "--region", EAST, "--yes"), 2)
    assert f"cluster {foreign} in {WEST} was not made by occbench" in error
    assert [ours, foreign] == [*there(aws), *there(aws, WEST)]


def test_when_the_second_half_fails_the_first_is_named(aws: MotoRig) -> None:
    words = ("--region", EAST, "--peer-region", WEST, "--witness-region", WITNESS)
    done = cluster(aws, "create", *words, **aws.as_key(ONLY_US_EAST_1))
    assert done.returncode == 3
    (identifier,) = there(aws)
    *_, error = done.stderr.splitlines()
    assert f"no cluster can be made in {WEST}: User is not authorized" in error
    remedy = re.search(r"`occbench cluster ([^`]+)` removes", error)
    assert remedy is not None
    assert identifier in remedy[1]
    assert cluster(aws, *remedy[1].split(), "--yes").returncode == 0
    assert not there(aws)


def test_ctrl_c_while_waiting_says_what_is_there(aws: MotoRig) -> None:
    aws.slow(10**6)
    process = subprocess.Popen(
        command("cluster", "create", "--region", EAST),
        cwd=REPOSITORY, env=environment(**aws.environment), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    lines = [process.stderr.readline(), process.stderr.readline()]
    assert "creating" in lines[1]
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130, rest
    (identifier,) = there(aws)
    assert f"cluster {identifier} in {EAST} exists" in rest
    assert f"`occbench cluster delete {identifier} --region {EAST}`" in rest
    assert "`occbench cluster list --region us-east-1` shows when it is active" in rest
    assert "Traceback" not in rest


def asked(aws: MotoRig, identifier: str, answer: bytes) -> tuple[int, str]:
    """What `cluster delete` does on a terminal where somebody types this."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        command("cluster", "delete", identifier, "--region", EAST),
        cwd=REPOSITORY, env=environment(**aws.environment), stdin=other_end,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    os.close(other_end)
    said = b""

    def question() -> bool:
        nonlocal said
        assert process.stdout is not None
        said += os.read(process.stdout.fileno(), 4096)
        return b"[y/N]" in said or process.poll() is not None

    wait_for(question, "the question")
    os.write(terminal, answer)
    rest, _ = process.communicate(timeout=TIMEOUT)
    os.close(terminal)
    return process.returncode, (said + rest).decode()


@pytest.mark.parametrize("answer", [b"\n", b"n\n", b"yo\n", b"\x04"])
def test_anything_but_yes_deletes_nothing(aws: MotoRig, answer: bytes) -> None:
    identifier = one_of_ours(aws)
    status, said = asked(aws, identifier, answer)
    assert status == 1
    assert said.index(identifier) < said.index("[y/N]"), "it is shown before it is asked about"
    assert said.rstrip().endswith("occbench: nothing was deleted")
    assert list(there(aws)) == [identifier]


def test_yes_deletes(aws: MotoRig) -> None:
    status, said = asked(aws, one_of_ours(aws), b"y\n")
    assert status == 0, said
    assert not there(aws)


def test_without_a_terminal_nobody_can_be_asked(aws: MotoRig) -> None:
    identifier = one_of_ours(aws)
    error = one_line(cluster(aws, "delete", identifier, "--region", EAST), 2)
    assert "add --yes" in error
    assert list(there(aws)) == [identifier]


def test_protection_takes_a_word_of_its_own(aws: MotoRig) -> None:
    identifier = one_of_ours(aws, deletionProtectionEnabled=True)
    error = one_line(cluster(aws, "delete", identifier, "--region", EAST, "--yes"), 2)
    assert "deletion protection" in error
    assert "--lift-protection" in error
    assert list(there(aws)) == [identifier]
    done = cluster(aws, "delete", identifier, "--region", EAST, "--yes", "--lift-protection")
    assert done.returncode == 0, done.stderr
    assert not there(aws)


def test_protection_is_off_unless_asked_for(aws: MotoRig) -> None:
    (identifier,) = made(cluster(aws, "create", "--region", EAST, "--deletion-protection"))
    assert there(aws)[identifier]["deletionProtectionEnabled"] is True


@pytest.mark.parametrize(
    ("words", "more", "status", "said"),
    [
        (("list", "--region", EAST), {"AWS_ACCESS_KEY_ID": ""}, 3, "there are no AWS credentials"),
        (("create", "--region", EAST), {"AWS_ACCESS_KEY_ID": NOTHING}, 3, "is not authorized"),
        (("list", "--region", EAST), {"AWS_ACCESS_KEY_ID": UNKNOWN}, 3, "does not know these cred"),
        (("list", "--region", EAST), {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, 3, "127.0.0.1:1"),
        (("list", "--region", "nonsense"), {}, 2, "'nonsense' is not the name of a Region"),
        (("list", "--region", EAST, "--profile", "nobody"), {}, 3, "nobody"),
        (("delete", NOWHERE, "--region", EAST, "--yes"), {}, 3, f"there is no cluster {NOWHERE} in"),
        (("delete", "my-cluster", "--region", EAST), {}, 2, "'my-cluster' is not a cluster's ident"),
        (("create", "--region", EAST, "--peer-region", WEST), {}, 2, "--witness-region go together"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_is_wrong_is_one_line(
    aws: MotoRig, words: tuple[str, ...], more: dict[str, str], status: int, said: str
) -> None:
    assert said in one_line(cluster(aws, *words, **more), status)


@pytest.mark.parametrize(
    ("url", "status", "said"),
    [
        (f"dsql-cluster://{NOWHERE}?region={EAST}", 3, f"there is no such cluster in {EAST}"),
        (f"dsql-cluster://{NOWHERE}", 2, "give ?region="),
        (f"dsql-cluster://mine?region={EAST}", 2, "'mine' is not a cluster's identifier"),
    ],
)
def test_a_target_that_is_no_cluster(
    aws: MotoRig, url: str, status: int, said: str, tmp_path: Path
) -> None:
    done = in_process.occbench("seed", "--target", url, cwd=tmp_path, **aws.environment)
    assert said in one_line(done, status)


def test_a_cluster_that_is_being_made_is_no_target_yet(aws: MotoRig, tmp_path: Path) -> None:
    aws.slow(10**6)
    url = f"dsql-cluster://{one_of_ours(aws)}?region={EAST}"
    done = in_process.occbench("seed", "--target", url, cwd=tmp_path, **aws.environment)
    assert "the cluster is CREATING, not ready" in one_line(done, 3)
