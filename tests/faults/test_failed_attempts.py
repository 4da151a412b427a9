"""A database that stops taking writes, and a table that is gone, while a run goes on."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.commands import Done, RunResult, command, environment, occbench, results_in, wait_for
from tests.conftest import sql_target
from tests.faults.conftest import Measured

USERS = ("--users", 4, "--accounts", 1000, "--warmup", 0)


@contextmanager
def read_only(target: str) -> Iterator[None]:
    """Every transaction that begins is read-only until the end."""
    connection = sql_target(target).connect()
    connection.autocommit = True
    try:
        connection.execute(b"ALTER SYSTEM SET default_transaction_read_only = on")
        connection.execute(b"SELECT pg_reload_conf()")
        yield
    finally:
        with suppress(Exception):
            connection.execute(b"SET default_transaction_read_only = off")
        connection.execute(b"ALTER SYSTEM RESET default_transaction_read_only")
        connection.execute(b"SELECT pg_reload_conf()")
        connection.close()


def run_into(target: str, out: Path, seconds: int, *words: object) -> subprocess.Popen[str]:
    """A run that has begun to measure."""
    process = subprocess.Popen(
        command(
            "run", "--target", target, *USERS, "--duration", f"{seconds}s", "--out", out, *words
        ),
        cwd=out.parent, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: list(out.glob("*/run.json")), "the begin of the run")
    return process


def ended(process: subprocess.Popen[str]) -> Done:
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess([], process.returncode, stdout, stderr)


def broken_by_read_only(target: str, out: Path, seconds: int, *words: object) -> tuple[Done, RunResult]:
    """A run in which the database turned read-only after what may be a second, until its end."""
    process = run_into(target, out, seconds, "--keys", "int", *words)
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.5)
    with read_only(target):
        done = ended(process)
    return done, results_in(out)[0]


def test_read_only_is_no_success(seeded: str, tmp_path: Path, measured: Measured) -> None:
    """A run whose database turns read-only ends with 1, and its figures are of what committed."""
    done, result = broken_by_read_only(seeded, tmp_path / "results", 4, "--junit", tmp_path / "g.xml")
    overall = result.summary["overall"]
    assert done.returncode == 1, done.stdout + done.stderr
    assert overall["failed"] > overall["counted"] > 0
    assert overall["latency_ms"]["samples"] == overall["counted"]
    assert "failed" in result.summary["answer"]["headline"]
    assert "Most transactions failed" in done.stdout
    assert 'name="failures"' in (tmp_path / "g.xml").read_text()
    measured(f"{overall['failed']:,} of {overall['transactions']:,} failed, status {done.returncode}")


@pytest.mark.long
def test_read_only_is_never_better(seeded: str, tmp_path: Path, measured: Measured) -> None:
    """Beside a good run, one whose database turned read-only is better in no figure."""
    good = occbench(
        "run", "--target", seeded, *USERS, "--keys", "int", "--duration", "6s", "--out",
        tmp_path / "good", cwd=tmp_path,
    )  # fmt: skip
    assert good.returncode == 0, good.stderr
    _, broken = broken_by_read_only(seeded, tmp_path / "broken", 6)
    (base,) = results_in(tmp_path / "good")
    for old, new in ((base, broken), (broken, base)):
        out = tmp_path / "compared.json"
        done = occbench(
            "compare", old.folder, new.folder, "--fail-on-worse", "--json", out, cwd=tmp_path
        )
        found = json.loads(out.read_text())
        assert found["answer"]["headline"].startswith("Not the same share of transactions failed")
        verdicts = [effect["verdict"] for effect in found["effects"]]
        assert "better" not in verdicts
        if new is broken:
            assert done.returncode == 1
            measured(f"{verdicts.count('worse')} of {len(verdicts)} figures worse, none better")


@pytest.mark.long
def test_a_dropped_table_makes_no_key_type_faster(
    seeded: str, tmp_path: Path, measured: Measured
) -> None:
    """A key type whose table is gone is not compared with the others."""
    process = run_into(seeded, tmp_path / "results", 8, "--keys", "int,uuid", "--block", "0.5s")
    with suppress(subprocess.TimeoutExpired):
        process.wait(2.5)
    connection = sql_target(seeded).connect()
    connection.autocommit = True
    connection.execute(b"ALTER TABLE accounts_uuid RENAME TO accounts_away")
    try:
        ended(process)
    finally:
        connection.execute(b"ALTER TABLE accounts_away RENAME TO accounts_uuid")
        connection.close()
    (result,) = results_in(tmp_path / "results")
    (found,) = result.summary["comparisons"]
    assert found["throughput_tps"]["ratio"] is None
    assert "of transactions failed" in result.summary["answer"]["headline"]
    measured(result.summary["answer"]["headline"])
