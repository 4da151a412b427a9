"""`locust -f locustfile.py`, Locust's own program."""

import json
from pathlib import Path

from tests.commands import check_conserved, locust, results_in


def test_a_headless_run(seeded: str, tmp_path: Path) -> None:
    """One Locust request for each transaction, whatever the number of its attempts.

    Eight users cannot keep this rate, which is a bad verdict: without --occ-strict it is no status.
    """
    out = tmp_path / "results"
    done = locust(
        "--headless", "--users", 8, "--spawn-rate", 8, "--run-time", "4s", "--json",
        f"--occ-target={seeded}", "--occ-warmup=500ms", "--occ-accounts=50", f"--occ-out={out}",
        "--occ-block=500ms", "--occ-rate=100000",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "The rate was not kept" in done.stdout
    assert "Traceback" not in done.stderr
    (result,) = results_in(out)
    check_conserved(result)
    assert (result.folder / "report.html").is_file()
    assert result.summary["overall"]["committed"] > 50
    assert set(result.summary["key_types"]) == {"int", "uuid"}

    begin = done.stdout.index("[")
    statistics, _ = json.JSONDecoder().raw_decode(done.stdout[begin:])
    requests = {entry["name"]: entry["num_requests"] for entry in statistics}
    assert set(requests) == {"transfer int", "transfer uuid"}
    for key_type in ("int", "uuid"):
        finals = [row for row in result.rows if row["final"] and row["key_type"] == key_type]
        assert requests[f"transfer {key_type}"] == len(finals)
    assert {entry["method"] for entry in statistics} == {"TXN"}


def test_a_bad_option_ends_it_in_one_line(seeded: str, tmp_path: Path) -> None:
    done = locust(
        "--headless", "--users", 2, "--run-time", "9s", f"--occ-target={seeded}", "--occ-skew=zipf:99",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("occbench: ")]
    assert len(lines) == 1
    assert "zipf:99" in lines[0]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_strict_makes_a_bad_verdict_the_status(seeded: str, tmp_path: Path) -> None:
    """Two users cannot keep this rate; without errors Locust itself would end with 0."""
    words = (
        "--headless", "--users", 2, "--spawn-rate", 2, "--run-time", "3s", f"--occ-target={seeded}",
        "--occ-warmup=0", "--occ-accounts=1000", "--occ-keys=int", "--occ-rate=100000",
        f"--occ-out={tmp_path / 'results'}", "--exit-code-on-error", 0, "--occ-strict",
    )  # fmt: skip
    done = locust(*words, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "The rate was not kept" in done.stdout
