"""Fewer users work than were asked for, or more: no report says a number that did not work."""

import json
import os
import pty
import resource
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands import (
    REPOSITORY,
    RunResult,
    command,
    environment,
    occbench,
    one_line,
    results_in,
    wait_for,
)
from tests.faults.conftest import Measured
from tests.rigs.pgbouncer import PGBOUNCER, pgbouncer
from tests.rigs.postgresql import DATABASE, TELLER, free_port, plain_server

LOCUST = [sys.executable, "-m", "locust", "-f", str(REPOSITORY / "locustfile.py")]
LIMIT = 40


def worked(result: RunResult) -> int:
    return len(
        {row["user"] for row in result.rows if row["block"] >= 0 and row["outcome"] == "committed"}
    )


def test_too_few_files_are_refused_before_the_load(
    seeded: str, tmp_path: Path, measured: Measured
) -> None:
    """Users for whom the process may not open files enough are refused before any load, with the limit
    and what it would have to be."""

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))

    words = ["--target", seeded, "--keys", "int", "--duration", "1s", "--out", tmp_path / "results"]
    done = subprocess.run(
        command("run", "--users", 32, *words),
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=60, preexec_fn=lower,
    )  # fmt: skip
    said = one_line(done, 2)
    assert f"a process may have {LIMIT} (RLIMIT_NOFILE)" in said
    assert "32 users need" in said
    assert not (tmp_path / "results").exists()
    measured(said.removeprefix("occbench: "))


def test_a_soft_limit_is_raised(seeded: str, tmp_path: Path) -> None:
    """Where the hard limit of open files allows it, the soft one is raised and all users work."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))

    out = tmp_path / "results"
    done = subprocess.run(
        command(
            "run", "--users", 24, "--target", seeded, "--keys", "int", "--duration", "2s", "--warmup",
            "500ms", "--out", out,
        ),
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False, timeout=60, preexec_fn=lower,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = results_in(out)
    assert result.summary["users"] == {"asked": 24, "committed": 24}
    assert worked(result) == 24


@pytest.mark.long
@pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed")
def test_users_without_a_place_are_counted(tmp_path: Path, measured: Measured) -> None:
    """Behind a pooler that has no place for all users, the headline has the number of those that
    worked, and the report says how many never had a session."""
    out = tmp_path / "results"
    with plain_server() as server, pgbouncer(server, "session", 4) as port:
        plain = server.url(host="127.0.0.1")
        done = occbench("seed", "--target", plain, "--keys", "int", "--accounts", 1000, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        target = f"postgresql://{TELLER}@127.0.0.1:{port}/{DATABASE}"
        done = occbench(
            "run", "--target", target, "--keys", "int", "--users", 12, "--duration", "3s", "--warmup",
            "500ms", "--out", out,
            cwd=tmp_path,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (result,) = results_in(out)
    assert worked(result) == 4
    assert result.summary["users"] == {"asked": 12, "committed": 4}
    assert done.stdout.startswith("Only 4 of 12 users committed anything. ")
    (verdict,) = [v for v in result.summary["verdicts"] if v["about"] == "users"]
    assert verdict["state"] == "bad"
    assert "8 never had a session" in verdict["text"]
    measured(verdict["text"])


@pytest.mark.long
def test_keys_in_the_terminal_do_not_change_the_users(
    seeded: str, tmp_path: Path, measured: Measured
) -> None:
    """Locust's keys for more and fewer users are refused while a run is measured."""
    out = tmp_path / "results"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            *LOCUST, "--headless", "-u", "4", "-r", "4", "-t", "6s", f"--occ-target={seeded}",
            "--occ-keys=int", "--occ-warmup=1s", f"--occ-out={out}", "--only-summary",
        ],
        cwd=tmp_path, env=environment(), stdin=theirs, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: list(out.glob("*/attempts/*.parquet")), "the record's first file")
        for key in b"Ws":
            os.write(ours, bytes([key]))
            time.sleep(0.5)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, said
    assert "the number of users is fixed while a run is measured" in said
    (result,) = results_in(out)
    assert worked(result) == 4
    assert result.summary["users"] == {"asked": 4, "committed": 4}
    assert result.run["interrupted"] is False
    measured("W and s pressed: 4 users asked for, 4 worked")


@pytest.mark.long
def test_of_two_starts_of_the_page_one_is_refused(
    seeded: str, tmp_path: Path, measured: Measured
) -> None:
    """Of two starts of Locust's page at the same time one is refused, and the report has the users of
    the other."""
    out, port = tmp_path / "results", free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [
            *LOCUST, "--web-host", "127.0.0.1", "--web-port", str(port), f"--occ-target={seeded}",
            "--occ-keys=int", "--occ-warmup=0", f"--occ-out={out}",
        ],
        cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip

    def post(path: str, **form: object) -> dict[str, Any]:
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(f"{url}{path}", data, timeout=30) as answer:  # noqa: S310
            return dict(json.loads(answer.read()))

    def is_up() -> bool:
        try:
            return bool(urllib.request.urlopen(url, timeout=2).status == 200)
        except OSError:
            return False

    try:
        wait_for(is_up, "the page")
        with ThreadPoolExecutor() as both:
            asked = [both.submit(post, "/swarm", user_count=n, spawn_rate=10) for n in (2, 3)]
            answers = [one.result() for one in asked]
        assert sorted(one["success"] for one in answers) == [False, True], answers
        users = (2, 3)[[one["success"] for one in answers].index(True)]
        wait_for(lambda: list(out.glob("*/attempts/*.parquet")), "the record's first file")
        assert post("/swarm", user_count=5, spawn_rate=10)["success"] is False
        post("/stop")
        wait_for(lambda: list(out.glob("*/summary.json")), "the report")
        # Nothing that was refused stands in the way of the next one.
        assert post("/swarm", user_count=5, spawn_rate=10)["success"] is True
        wait_for(lambda: len(list(out.glob("*/run.json"))) == 2, "another run")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    result = results_in(out)[0]
    assert worked(result) == users
    assert result.summary["users"] == {"asked": users, "committed": users}
    measured(f"2 and 3 users at once: {users} worked, the other start was refused")


@contextmanager
def worker(port: int, cwd: Path, *before: str) -> Iterator[None]:
    process = subprocess.Popen(
        [*before, *LOCUST, "--worker", "--master-port", str(port)],
        cwd=cwd, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        process.kill()
        process.wait()


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.long
@pytest.mark.skipif(not can_mount(), reason="another disk for a worker takes root and unshare")
def test_a_record_that_lacks_what_a_worker_wrote_is_an_error(
    seeded: str, tmp_path: Path, measured: Measured
) -> None:
    """A run of whose record a part lies on a worker's own disk ends with status 1 and a bad verdict."""
    out, port = tmp_path / "results", free_port()
    out.mkdir()
    elsewhere = f'mount -t tmpfs none "{out}" && exec "$@"'
    with (
        worker(port, tmp_path),
        worker(port, tmp_path, "unshare", "-m", "sh", "-c", elsewhere, "sh"),
    ):
        done = subprocess.run(
            [
                *LOCUST, "--master", "--master-bind-port", str(port), "--expect-workers", "2",
                "--headless", "-u", "4", "-r", "4", "-t", "4s", f"--occ-target={seeded}",
                "--occ-keys=int", "--occ-warmup=1s", f"--occ-out={out}", "--only-summary",
            ],
            cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=120,
        )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "attempts that worker processes wrote are not in" in done.stderr
    (result,) = results_in(out)
    bad = {v["about"] for v in result.summary["verdicts"] if v["state"] == "bad"}
    assert {"record", "users"} <= bad
    assert result.summary["users"] == {"asked": 4, "committed": worked(result)}
    assert worked(result) == 2
    measured(next(line for line in done.stderr.splitlines() if "worker processes wrote" in line)[:80])
