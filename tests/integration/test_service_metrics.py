"""What the service counted: from CloudWatch, through `service.json`, into the report."""

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loadtest.cli.reporter import Reporter
from loadtest.targets.dsql.clusters import TAG
from tests import in_process
from tests.commands import RunResult, occbench, one_line, results_in
from tests.rigs.dsql import dsql_database, dsql_gate
from tests.rigs.gate import Endpoint
from tests.rigs.moto_server import NOTHING, ONLY_US_EAST_1, MotoRig, moto_server
from tests.run_folders import FakeRun, run_json, table_of, write_attempts, write_run_json

CLUSTER, OTHER = "c" * 26, "d" * 26
EAST, WEST = "us-east-1", "us-west-2"
S = 1_000_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[MotoRig]:
    with moto_server() as rig:
        yield rig


@pytest.fixture
def aws(server: MotoRig) -> MotoRig:
    """CloudWatch without any figures."""
    server.reset()
    return server


def minute_ago(minutes: int) -> int:
    """A whole minute in the past, in seconds since 1970."""
    return (int(time.time()) // 60 - minutes) * 60


def endpoint(cluster: str = CLUSTER, region: str = EAST) -> str:
    return f"dsql://{cluster}.dsql.{region}.on.aws?user=admin"


def write_run(folder: Path, begin: int, **changes: Any) -> Path:
    """A run of 80 s from the 50th second of the minute `begin` on, after 40 s of warm-up.

    Its window touches three minutes and holds one of them wholly. It attempts once a second; every
    tenth attempt conflicts; one, in the warm-up, could not even connect.
    """
    fake = FakeRun(keys=("int",), targets=("east",), duration_s=80, warmup_s=40, block_s=80)
    from_ns = (begin + 50) * S
    facts = {
        "targets": [{"name": "east", "url": endpoint(), "family": "dsql", "regime": "optimistic"}],
        "started_ns": from_ns - 40 * S,
        "measured_from_ns": from_ns,
        "measured_until_ns": from_ns + 80 * S,
        "ended_ns": from_ns + 81 * S,
        **changes,
    }
    write_run_json(folder, run_json(fake, **facts))
    rows = []
    for second in range(-40, 80):
        outcome = "conflict_data" if second % 10 == 0 else "committed"
        rows.append(
            {
                "target": "east", "block": 0 if second >= 0 else -1, "transaction": 1000 + second,
                "start_ns": from_ns + second * S, "intended_start_ns": from_ns + second * S,
                "outcome": "connect_failed" if second == -39 else outcome,
                "commit_ns": 7_000_000,
            }
        )  # fmt: skip
    write_attempts(folder, table_of(rows))
    return folder


def put(
    aws: MotoRig, at: int, figures: dict[str, float], cluster: str = CLUSTER, region: str = EAST
) -> None:
    """Let CloudWatch have these figures of a minute, as the service would send them."""
    dimensions = [{"Name": "ClusterId", "Value": cluster}]
    aws.client("cloudwatch", region).put_metric_data(
        Namespace="AWS/AuroraDSQL",
        MetricData=[
            {
                "MetricName": name, "Dimensions": dimensions, "Value": value,
                "Timestamp": datetime.fromtimestamp(at, UTC),
            }
            for name, value in figures.items()
        ],
    )  # fmt: skip


FIGURES = {
    "TotalTransactions": 50.0, "OccConflicts": 5.0, "CommitLatency": 6.5, "BytesWritten": 4000.0,
    "ReadOnlyTransactions": 0.0, "ComputeTime": 700.0, "ComputeDPU": 2.0, "ReadDPU": 0.5,
    "WriteDPU": 1.5, "TotalDPU": 4.0,
}  # fmt: skip


def report(aws: MotoRig, *words: object, status: int = 0, **more: str) -> str:
    """What `occbench report` says on stderr."""
    folder = Path(str(words[-1]))
    done = in_process.occbench("report", *words, cwd=folder.parent, **{**aws.environment, **more})
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def stored(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "service.json").read_text()))


def summary(folder: Path) -> dict[str, Any]:
    return RunResult(folder).summary


def words_of(folder: Path) -> str:
    """The page's section as text, or nothing."""
    page = (folder / "report.html").read_text()
    found = re.search(r'<section id="service">(.*?)</section>', page, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[1])) if found else ""


def test_the_services_figures_stand_beside_the_tools(aws: MotoRig, tmp_path: Path) -> None:
    begin = minute_ago(20)
    folder = write_run(tmp_path / "run", begin)
    for number in range(3):
        figures = {**FIGURES, "CommitLatency": 6.5 + number}
        put(aws, begin + 60 * number + 5, figures)
        put(aws, begin + 60 * number + 40, figures)
        put(aws, begin + 60 * number + 50, {"CommitLatency": 100.0})
    put(aws, begin - 1, {"TotalTransactions": 10_000.0})
    put(aws, begin + 180, {"TotalTransactions": 10_000.0})
    put(aws, begin, {"TotalTransactions": 10_000.0}, OTHER)
    said = report(aws, "--refresh", folder)
    assert said == f"{folder}: CloudWatch has figures of 3 of 3 minutes\n"

    (one,) = stored(folder)["clusters"]
    assert (one["cluster"], one["region"], one["targets"]) == (CLUSTER, EAST, ["east"])
    assert one["complete"] is True
    total = one["metrics"]["TotalTransactions"]
    assert (total["statistic"], total["unit"]) == ("Sum", "Count")
    minutes = [f"{datetime.fromtimestamp(begin + 60 * n, UTC):%Y-%m-%dT%H:%MZ}" for n in range(3)]
    assert total["points"] == [[minute, 100.0] for minute in minutes]
    latency = one["metrics"]["CommitLatency"]
    assert (latency["statistic"], latency["unit"]) == ("p50", "Milliseconds")
    assert [value for _, value in latency["points"]] == [6.5, 7.5, 8.5]
    assert "MultiRegionWriteDPU" not in one["metrics"], "what was not said is not there"

    service = summary(folder)["service"]
    assert (service["minutes"], service["minutes_inside"], service["measured_s"]) == (3, 1, 80.0)
    assert (service["complete"], service["dpu_price"]) == (True, 8.0)
    (one,) = service["clusters"]
    # Nothing is scaled: 80 were measured, and 119 of 120 reached the database in these minutes.
    assert one["measured"] == {"attempts": 80, "committed": 72, "conflicts": 8, "commit_p50_ms": 7.0}
    assert one["same_minutes"] == {
        "attempts": 119, "committed": 107, "conflicts": 12, "commit_p50_ms": 7.0,
    }  # fmt: skip
    assert one["counted"] == {
        "total_transactions": 300.0, "occ_conflicts": 30.0, "read_only_transactions": 0.0,
        "bytes_written": 24_000.0, "compute_time_ms": 4200.0,
        "commit_p50_ms": {"low": 6.5, "high": 8.5},
    }  # fmt: skip
    assert one["dpu"] == {"compute": 12.0, "read": 3.0, "write": 9.0, "total": 24.0}
    assert one["cost_usd"] == pytest.approx(24 * 8 / 1e6)
    assert service["cost_usd_a_million"] == pytest.approx(24 * 8 / 107)

    words = words_of(folder)
    for part in (
        "3 whole minutes, ", "touch the 80 s", "1 of them (60 s) lies wholly inside", "warm-up",
        "Target east: cluster " + CLUSTER, "Attempts 80 119 300", "Conflicts 8 12 30",
        "7.00 ms", "6.50", "8.50", "storage is charged apart and not included", "8.00 USD a million",
        "1.79 USD for a million committed",
    ):  # fmt: skip
        assert part in words.replace("\N{NO-BREAK SPACE}", " "), part
    assert "fetches again" not in words


def test_what_was_missing_is_fetched_later_and_nothing_is_lost(aws: MotoRig, tmp_path: Path) -> None:
    begin = minute_ago(20)
    folder = write_run(tmp_path / "run", begin)
    assert "no figures of this run yet" in report(aws, "--refresh", folder)
    assert "service" not in summary(folder)
    assert words_of(folder) == ""
    assert "service" in [v["about"] for v in summary(folder)["verdicts"]]

    put(aws, begin, FIGURES)
    put(aws, begin + 60, {"TotalTransactions": 50.0})
    said = report(aws, "--refresh", folder)
    assert "2 of 3 minutes, and they may still change" in said
    service = summary(folder)["service"]
    assert service["complete"] is False
    (one,) = service["clusters"]
    assert (one["minutes_here"], one["minutes_charged"]) == (2, 1)
    assert one["same_minutes"]["attempts"] == 50 + 60 - 1
    # The cost is of the minute whose DPU are there, and so is what was committed for it.
    assert one["cost_usd_a_million"] == pytest.approx(4 * 8 / 44)
    words = words_of(folder)
    assert "figures of 2 of 3 minutes had arrived, and the DPU of 1 of 3 minutes" in words
    assert "occbench report --refresh fetches again" in words

    aws.reset()
    put(aws, begin + 60, FIGURES)
    put(aws, begin + 120, FIGURES)
    assert report(aws, "--refresh", folder).endswith("figures of 3 of 3 minutes\n")
    service = summary(folder)["service"]
    assert service["complete"] is True
    assert service["clusters"][0]["counted"]["total_transactions"] == 150.0
    assert "service" not in [v["about"] for v in summary(folder)["verdicts"]]


def test_the_latest_minutes_may_still_change(aws: MotoRig, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", minute_ago(4))
    for number in range(3):
        put(aws, minute_ago(4) + 60 * number, FIGURES)
    assert "and they may still change" in report(aws, "--refresh", folder)
    assert summary(folder)["service"]["complete"] is False


def test_the_price_is_the_runs_own_or_the_one_given(aws: MotoRig, tmp_path: Path) -> None:
    begin = minute_ago(20)
    fake = FakeRun(keys=("int",), duration_s=80, warmup_s=40, block_s=80)
    config = {**run_json(fake)["config"], "dpu_price": 4.0}
    folder = write_run(tmp_path / "run", begin, config=config)
    put(aws, begin, FIGURES)
    report(aws, "--refresh", folder)
    costs = {4.0: summary(folder)["service"]["cost_usd"]}
    report(aws, "--dpu-price", 12, folder)
    assert summary(folder)["service"]["dpu_price"] == 12
    costs[12.0] = summary(folder)["service"]["cost_usd"]
    assert costs == {4.0: pytest.approx(16e-6), 12.0: pytest.approx(48e-6)}
    assert "12.0 USD a million DPU" in words_of(folder)
    done = in_process.occbench("report", "--dpu-price", "nan", folder, cwd=tmp_path)
    assert "--dpu-price" in one_line(done, 2)


def test_two_regions_are_asked_each_in_its_own(aws: MotoRig, tmp_path: Path) -> None:
    begin = minute_ago(20)
    targets = [
        {"name": "east", "url": endpoint(), "family": "dsql"},
        {"name": "west", "url": f"dsql-cluster://{OTHER}?region={WEST}", "family": "dsql-cluster"},
        {"name": "here", "url": "embedded", "family": "embedded"},
    ]
    folder = write_run(tmp_path / "run", begin, targets=targets)
    for number in range(3):
        put(aws, begin + 60 * number, FIGURES)
        put(aws, begin + 60 * number, {**FIGURES, "MultiRegionWriteDPU": 1.5}, OTHER, WEST)
    report(aws, "--refresh", folder)
    service = summary(folder)["service"]
    assert [(c["cluster"], c["region"]) for c in service["clusters"]] == [
        (CLUSTER, EAST),
        (OTHER, WEST),
    ]
    assert service["clusters"][1]["dpu"]["multi_region_write"] == 4.5
    assert service["clusters"][1]["same_minutes"]["attempts"] == 0
    assert service["cost_usd"] == pytest.approx(2 * 12 * 8 / 1e6)


def test_one_region_that_cannot_be_asked_does_not_silence_the_other(
    aws: MotoRig, tmp_path: Path
) -> None:
    # So long ago that what has not come does not come: but west has not been asked.
    begin = minute_ago(100)
    targets = [
        {"name": "west", "url": endpoint(OTHER, WEST), "family": "dsql"},
        {"name": "east", "url": endpoint(), "family": "dsql"},
    ]
    folder = write_run(tmp_path / "run", begin, targets=targets)
    put(aws, begin, FIGURES)
    put(aws, begin, FIGURES, OTHER, WEST)
    said = report(aws, "--refresh", folder, status=3, **aws.as_key(ONLY_US_EAST_1))
    assert f"what cluster {OTHER} counted cannot be fetched from CloudWatch in {WEST}" in said
    service = summary(folder)["service"]
    assert [c["cluster"] for c in service["clusters"]] == [CLUSTER]
    assert service["complete"] is False
    assert [c["complete"] for c in stored(folder)["clusters"]] == [False, True]
    assert "cost_usd" not in service, "half of the cost is not the cost"
    assert f"Of cluster {OTHER} nothing had arrived." in words_of(folder)


@pytest.mark.parametrize("west", [OTHER, CLUSTER])
def test_every_region_that_cannot_be_asked_is_named(aws: MotoRig, tmp_path: Path, west: str) -> None:
    targets = [
        {"name": "east", "url": endpoint(), "family": "dsql"},
        {"name": "west", "url": endpoint(west, WEST), "family": "dsql"},
    ]
    folder = write_run(tmp_path / "run", minute_ago(20), targets=targets)
    said = report(aws, "--refresh", folder, status=3, AWS_ACCESS_KEY_ID=NOTHING)
    assert len(said.splitlines()) == 1
    assert CLUSTER in said
    assert west in said
    assert f"cannot be fetched from CloudWatch in {EAST}" in said
    assert re.search(rf"(in|and) {WEST}: ", said)


def test_the_same_cluster_in_two_regions_is_two(aws: MotoRig, tmp_path: Path) -> None:
    begin = minute_ago(100)
    targets = [
        {"name": "east", "url": endpoint(), "family": "dsql"},
        {"name": "west", "url": endpoint(CLUSTER, WEST), "family": "dsql"},
    ]
    folder = write_run(tmp_path / "run", begin, targets=targets)
    put(aws, begin, FIGURES)
    said = report(aws, "--refresh", folder, status=3, **aws.as_key(ONLY_US_EAST_1))
    assert f"in {WEST}: " in said
    assert EAST not in said.replace(folder.name, "")
    assert [c["complete"] for c in stored(folder)["clusters"]] == [True, False]


def test_a_run_elsewhere_has_nothing_to_fetch(aws: MotoRig, tmp_path: Path) -> None:
    targets = [{"name": "east", "url": "embedded", "family": "embedded"}]
    folder = write_run(tmp_path / "run", minute_ago(20), targets=targets)
    assert "nothing to fetch" in report(aws, "--refresh", folder)
    assert not (folder / "service.json").exists()
    assert "service" not in summary(folder)
    assert words_of(folder) == ""


def test_when_cloudwatch_cannot_be_asked_the_report_is_written_all_the_same(
    aws: MotoRig, tmp_path: Path
) -> None:
    begin = minute_ago(20)
    folder = write_run(tmp_path / "run", begin)
    put(aws, begin, FIGURES)
    report(aws, "--refresh", folder)
    before = stored(folder)
    (folder / "report.html").unlink()
    said = report(aws, "--refresh", folder, status=3, AWS_ACCESS_KEY_ID=NOTHING)
    assert len(said.splitlines()) == 1
    assert f"what cluster {CLUSTER} counted cannot be fetched from CloudWatch in {EAST}" in said
    assert "IAM policy" in said
    assert stored(folder) == before
    assert words_of(folder)


def test_a_run_too_old_for_figures_by_the_minute(aws: MotoRig, tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", minute_ago(16 * 1440))
    assert "for 15 days, and this run is older" in report(aws, "--refresh", folder, status=3)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 2, "clusters": [{}]}'])
def test_a_broken_file_is_named(aws: MotoRig, tmp_path: Path, content: str) -> None:
    folder = write_run(tmp_path / "run", minute_ago(20))
    (folder / "service.json").write_text(content)
    for words in (("report", folder), ("report", "--refresh", folder)):
        done = in_process.occbench(*words, cwd=tmp_path, **aws.environment)
        assert f"{folder / 'service.json'}" in one_line(done, 2)
    assert results_in(tmp_path)[0].folder == folder


def test_what_was_counted_is_asked_for_at_the_end_of_a_run(
    aws: MotoRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    begin = minute_ago(20)
    put(aws, begin, FIGURES)
    with Reporter() as reporter:
        reporter.conclude(folder := write_run(tmp_path / "run", begin))
    assert "service" in summary(folder)
    targets = [{"name": "east", "url": "embedded", "family": "embedded"}]
    with Reporter() as reporter:
        reporter.conclude(folder := write_run(tmp_path / "other", begin, targets=targets))
    assert "service" not in summary(folder)
    assert not (folder / "service.json").exists()


@pytest.mark.slow
def test_a_run_on_a_cluster_fetches_what_is_there(aws: MotoRig, tmp_path: Path) -> None:
    """From the identifier to the endpoint, the run, and CloudWatch, with or without its figures."""
    made = aws.client("dsql", EAST).create_cluster(tags={TAG: "2026-01-01T00:00:00Z"})
    cluster = made["identifier"]
    endpoints = {f"{cluster}.dsql.{EAST}.on.aws": Endpoint(EAST)}
    with dsql_database() as database, dsql_gate(database, endpoints) as gate:
        root, port = database.authority.root, gate.gate.port
        url = f"dsql-cluster://{cluster}:{port}?region={EAST}&hostaddr=127.0.0.1&sslrootcert={root}"
        known = {**gate.environment, "AWS_ENDPOINT_URL": aws.target}
        words = ("--target", url, "--keys", "int")
        done = occbench("seed", *words, "--accounts", 200, cwd=tmp_path, **known)
        assert done.returncode == 0, done.stderr

        for number in range(-1, 6):
            put(aws, minute_ago(0) + 60 * number, FIGURES, cluster)
        load = (*words, "--users", 4, "--duration", "1s", "--warmup", "0", "--out")
        done = occbench("run", *load, tmp_path / "one", cwd=tmp_path, **known)
        assert done.returncode == 0, done.stderr
        (one,) = results_in(tmp_path / "one")
        last = done.stderr.splitlines()[-1]
        assert "they may still change; " in last
        assert f"`occbench report --refresh {one.folder}` fetches them later" in last
        (counted,) = one.summary["service"]["clusters"]
        assert counted["cluster"] == cluster
        assert counted["measured"]["attempts"] == one.summary["overall"]["attempts"] > 0
        assert counted["counted"]["total_transactions"] >= 50

        unreachable = {**known, "AWS_ENDPOINT_URL_CLOUDWATCH": "http://127.0.0.1:1"}
        done = occbench("run", *load, tmp_path / "two", cwd=tmp_path, **unreachable)
        assert done.returncode == 0, done.stderr
        last = done.stderr.splitlines()[-1]
        assert "cannot be fetched from CloudWatch" in last
        assert "the run itself is complete" in last
        (two,) = results_in(tmp_path / "two")
        assert "service" not in two.summary
