"""Runs with consistency probes, on several targets of real databases."""

import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loadtest.targets.embedded.server import EmbeddedServer
from tests import in_process
from tests.commands import (
    REPOSITORY,
    RunResult,
    check_conserved,
    environment,
    occbench,
    results_in,
    start,
    wait_for,
)
from tests.integration.probes_support import LOCKING, check_probes, rows_left
from tests.rigs.dsql import FAR_HOST, HOST, REGION, DsqlRig, dsql
from tests.rigs.dsql_rules import Refusal, classify
from tests.rigs.gate import Endpoint as Gateway
from tests.rigs.relay import Relay, relay

# Endpoints that are consistent


def weighted_run(seeded: str, out: Path) -> tuple[RunResult, str]:
    """Three users of `east` for each of `west`, which is farther away; and what it wrote meanwhile."""
    done = occbench(
        "run", "--target", f"east={seeded}&commit_delay_ms=4&weight=3",
        "--target", f"west={seeded}&commit_delay_ms=30",
        "--users", 8, "--accounts", 500, "--duration", "4s", "--warmup", "300ms",
        "--spawn-rate", 4, "--block", "500ms", "--seed", 5, "--consistency", "50ms",
        "--processes", 2, "--out", out,
        cwd=out.parent,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = results_in(out)
    check_conserved(result)
    return result, done.stderr


@pytest.fixture(scope="module")
def weighted(seeded: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, str]:
    return weighted_run(seeded, tmp_path_factory.mktemp("two") / "results")


def test_probes_come_at_their_rate_and_none_is_stale(
    weighted: tuple[RunResult, str], seeded: str
) -> None:
    result, _ = weighted
    found = check_probes(result, 0.05)
    assert len(found) >= 8, "80 are asked for"
    assert not any(one.failed or one.stale_ns is not None for one in found)
    pairs = Counter((one.writer, one.reader) for one in found)
    assert set(pairs) == {("east", "west"), ("west", "east")}
    assert abs(pairs["east", "west"] - pairs["west", "east"]) <= 1, "in turn"
    for writer, delay_ms in (("east", 4), ("west", 30)):
        commits = [one.commit_ns or 0 for one in found if one.writer == writer]
        assert min(commits) >= delay_ms * 1e6, "it commits through the target's own sessions"
    consistency = result.summary["consistency"]
    assert (consistency["probes"], consistency["stale"]) == (len(found), 0)
    verdict = next(v for v in result.summary["verdicts"] if v["about"] == "consistency")
    assert verdict["state"] == "good"
    assert f"{len(found)} probes, none stale" in (result.folder / "report.html").read_text()
    assert rows_left(seeded) == 0, "nothing is left behind"


def test_users_are_assigned_by_weight_in_every_process(weighted: tuple[RunResult, str]) -> None:
    result, _ = weighted
    assert len(result.run["generators"]) == 2
    users: dict[tuple[int, str], set[int]] = defaultdict(set)
    for row in result.rows:
        users[row["worker"], row["target"]].add(row["user"])
    each = {where: len(found) for where, found in users.items()}
    assert each == {
        (worker, name): count // 2 for worker in range(2) for name, count in (("east", 6), ("west", 2))
    }
    # The same users in any number of processes.
    west = {user for (_, name), found in users.items() if name == "west" for user in found}
    assert west == {2, 6}
    assert sorted(user for found in users.values() for user in found) == list(range(8))
    assert set(result.summary["targets"]) == {"east", "west"}


def test_the_live_line_names_the_targets(weighted: tuple[RunResult, str]) -> None:
    lines = [line for line in weighted[1].splitlines() if " users  " in line]
    assert lines
    east, west = lines[-1].split("  ")[-1].split(", ")
    assert east.startswith("east ")
    assert west.startswith("west ")
    speeds = [float(part.split()[1].removesuffix("/s").replace(",", "")) for part in (east, west)]
    assert speeds[0] > speeds[1] > 0


def test_plain_locust_with_two_processes(seeded: str, tmp_path: Path) -> None:
    out = tmp_path / "results"
    done = subprocess.run(
        [
            sys.executable, "-m", "locust", "-f", str(REPOSITORY / "locustfile.py"), "--headless",
            "--users", "6", "--spawn-rate", "6", "--run-time", "5s", "--processes", "2",
            f"--occ-target=a={seeded} b={seeded}", "--occ-warmup=500ms", "--occ-accounts=500",
            "--occ-consistency=100ms", f"--occ-out={out}",
        ],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False, timeout=90,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    (result,) = results_in(out)
    assert len(result.run["generators"]) == 2
    assert len(check_probes(result, 0.1)) >= 4
    assert result.summary["consistency"]["stale"] == 0
    assert {(row["worker"], row["target"]) for row in result.rows} == {
        (worker, name) for worker in (0, 1) for name in ("a", "b")
    }


# An endpoint that goes down


@pytest.fixture
def endpoint_of_its_own(load_server: EmbeddedServer) -> Iterator[Relay]:
    with relay(load_server.socket_folder / ".s.PGSQL.5432") as made:
        yield made


def test_a_run_outlives_an_endpoint_that_goes_down(
    seeded: str, endpoint_of_its_own: Relay, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    there = (
        f"postgresql://occbench@127.0.0.1:{endpoint_of_its_own.port}/occbench"
        f"?sslmode=disable&gssencmode=disable&options={LOCKING}"
    )
    process = start(
        "run", "--target", f"here={seeded}", "--target", f"there={there}", "--users", 6,
        "--keys", "int", "--duration", "6s", "--warmup", "0", "--consistency", "50ms", "--out", out,
        cwd=tmp_path,
    )  # fmt: skip
    try:
        wait_for(lambda: process.poll() is not None or any(out.glob("*/run.json")), "the run")
        time.sleep(1.5)
        endpoint_of_its_own.down()
        time.sleep(1.5)
        endpoint_of_its_own.up()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0, said
    assert "Traceback" not in said
    (result,) = results_in(out)
    found = check_probes(result, 0.05)
    fates = [one.failed for one in found]
    assert sum(fates) >= 3
    first, last = fates.index(True), len(fates) - 1 - fates[::-1].index(True)
    assert first > 3, "it was well before"
    assert len(fates) - last > 5, "and is well again"
    assert not any(one.stale_ns is not None for one in found)
    # The first that failed may have begun a moment before.
    outage = (found[first + 1].at_ns, found[last].at_ns)
    inside = [row for row in result.of_outcome("committed") if outage[0] < row["start_ns"] < outage[1]]
    assert {row["target"] for row in inside} == {"here"}, "the others go on"
    after = [row for row in result.of_outcome("committed") if row["start_ns"] > outage[1] + 5e7]
    assert {row["target"] for row in after} == {"here", "there"}
    assert result.summary["consistency"]["failed"] == sum(fates)
    assert "failed and say nothing" in (result.folder / "report.html").read_text()


# Aurora DSQL


def test_two_regions_of_a_dsql_cluster(tmp_path: Path) -> None:
    """Through the front door: tokens, TLS, only what DSQL takes, and sessions of two seconds."""
    endpoints = {HOST: Gateway(REGION), FAR_HOST: Gateway("us-west-2", commit_delay_ms=15)}
    with dsql(endpoints=endpoints, record_statements=True, session_age_s=3.0) as rig:
        done = in_process.occbench(
            "seed", "--target", rig.target, "--keys", "uuid", "--accounts", 500,
            cwd=tmp_path, **rig.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        seeding = len(rig.gate.statements())
        out = tmp_path / "results"
        done = occbench(
            "run", "--target", f"east={rig.url()}&session_age_s=2",
            "--target", f"west={rig.url(FAR_HOST)}&session_age_s=2", "--keys", "uuid", "--users", 6,
            "--duration", "4s", "--warmup", "200ms", "--consistency", "100ms", "--processes", 2,
            "--out", out,
            cwd=tmp_path, **rig.environment,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = rig.gate.statements()[seeding:]
        left = rows_behind(rig)
    (result,) = results_in(out)
    found = check_probes(result, 0.1)
    assert len(found) >= 4
    assert not any(one.failed or one.stale_ns is not None for one in found)
    assert result.summary["consistency"]["stale"] == 0
    assert not [text for text in said if isinstance(classify(text), Refusal)]
    assert sum(text.startswith("CREATE TABLE occbench_probe") for text in said) == 1
    assert left == 0


def rows_behind(rig: DsqlRig) -> int:
    with closing(rig.database.connect()) as connection:
        found = connection.execute("SELECT count(*) FROM occbench_probe").fetchone()
    assert found is not None
    return int(found[0])
