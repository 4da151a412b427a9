"""`occbench compare` on runs of the embedded database."""

import json
from pathlib import Path

from tests import in_process
from tests.commands import run


def test_a_commit_that_takes_much_longer_is_worse(seeded: str, folder: Path) -> None:
    """The same workload on the same database, whose commits take 5 and then 60 ms."""
    out = folder / "results"
    options = ("--keys", "int", "--users", 4, "--duration", "1500ms", "--warmup", "200ms")
    base, new = (
        run(*options, "--target", f"{seeded}&commit_delay_ms={delay}", out=out).folder
        for delay in (5, 60)
    )
    done = in_process.occbench(
        "compare", base, new, "--fail-on-worse", "--fail-on", "throughput < base - 20%",
        "--json", folder / "found.json", "--html", folder / "found.html", cwd=folder,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "commit delay 5 ms and 60 ms" in done.stdout
    assert "MISSED" in done.stdout
    found = json.loads((folder / "found.json").read_text())
    worse = {e["metric"] for e in found["effects"] if e["verdict"] == "worse"}
    assert worse >= {"throughput_tps", "latency_p50_ms"}
    assert (folder / "found.html").is_file()
