"""`occbench demo`: the whole path once, on the embedded database."""

import subprocess
from pathlib import Path
from urllib.parse import quote

from loadtest.errors import OccbenchError
from loadtest.process.child import occbench_command
from loadtest.process.interrupts import asked_to_end

COMMIT_DELAY_MS = 10
SKEW = "zipf:0.8"
WARMUP = "3s"


def demo(*, accounts: int, users: int, duration: str, data: Path | None, out: Path) -> None:
    """Seed, run, report; raises OccbenchError with the exit status of the step that failed."""
    where = f"&data={quote(str(data.resolve()))}" if data else ""
    target = f"embedded?commit_delay_ms={COMMIT_DELAY_MS}{where}"
    keys = ("--keys", "int,uuid", "--target", target)
    print(f"1/2  {accounts:,} accounts of each key type in the embedded PostgreSQL", flush=True)
    _step("seed", *keys, "--accounts", str(accounts))
    print(
        f"2/2  transfers by {users} users: access {SKEW}, commits take {COMMIT_DELAY_MS} ms",
        flush=True,
    )
    _step(
        "run", *keys, "--users", str(users), "--duration", duration, "--warmup", WARMUP,
        "--skew", SKEW, "--label", "demo", "--out", str(out),
    )  # fmt: skip


def _step(*words: str) -> None:
    """One command, in a process of its own: loading uses threads, running must not."""
    process = subprocess.Popen(occbench_command(*words))
    # Asked to end, it has something to save. Ctrl-C in the terminal reaches it as well.
    with asked_to_end(process.terminate):
        status = process.wait()
    if status:
        error = OccbenchError(f"`occbench {words[0]}` ended with status {status}")
        error.exit_code = status
        raise error
