"""Runs `occbench` within this process: for what a process of its own would add nothing to.

Starting one takes up to three seconds, most of it imports. What is about processes (signals, output
that is closed, the environment at the start, the load itself) needs one: `commands.occbench`.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

from loadtest.cli import main as cli
from loadtest.cli.conclusion import Conclusion
from loadtest.cli.reporter import Reporter, answer
from loadtest.config.run import RunConfig
from loadtest.engine.plan import Plan
from loadtest.engine.preflight import make_plan
from loadtest.engine.probes.table import remove_rows
from loadtest.process.interrupts import Interrupted
from loadtest.workload.seeded import KeySource, ReadSeeded
from tests import known_secrets
from tests.commands import Done, environment


def occbench(*words: object, cwd: Path, **more: str) -> Done:
    """What `commands.occbench` would return; a run that would begin is an error of the test."""
    # As a pipe would be: no terminal, and without the symbols that only a terminal is asked for.
    outputs = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    arguments = ["occbench", *map(str, words)]
    with ExitStack() as stack:
        for one in (
            chdir(cwd),
            patch.dict(os.environ, environment(**more), clear=True),
            patch.object(sys, "argv", arguments),
            patch.object(sys, "stdin", io.StringIO()),
            _no_load(),
            redirect_stdout(outputs[0]),
            redirect_stderr(outputs[1]),
            _no_clients_of_before(),
            reports_here(),
        ):
            stack.enter_context(one)
        interrupted = Interrupted()
        with interrupted.raised():
            status = cli._run(interrupted)
    stdout, stderr = (one.buffer.getvalue().decode() for one in outputs)
    done = Done(arguments, status, stdout, stderr)
    known_secrets.check(done.stdout + done.stderr, "what the command printed")
    return done


@contextmanager
def _no_clients_of_before() -> Iterator[None]:
    """AWS clients have the credentials of the environment that they were made in."""
    from loadtest.targets.aws import clients as aws

    with patch.object(aws, "_sessions", {}), patch.object(aws, "_clients", {}):
        yield


@contextmanager
def reports_here() -> Iterator[None]:
    """Reports at the end of runs are made in this process, too."""

    def start(self: Reporter, gates: Mapping[str, Any] | None = None) -> None:
        self.conclusion = Conclusion(gates or {})  # type: ignore[attr-defined]

    def exchange(self: Reporter, request: Mapping[str, Any], interrupts: str) -> dict[str, Any]:
        del interrupts
        return answer(self.conclusion, **json.loads(json.dumps(request)))  # type: ignore[attr-defined]

    with (
        patch.object(Reporter, "__init__", start),
        patch.object(Reporter, "__exit__", lambda *_: None),
        patch.object(Reporter, "_exchange", exchange),
    ):
        yield


@contextmanager
def _no_load() -> Iterator[None]:
    """Something else in place of what begins a run, and imports Locust, which changes this process."""

    def run_headless(
        config: RunConfig,
        read_seeded: ReadSeeded,
        source_of: KeySource,
        last_check: Callable[[Plan], None],
    ) -> None:
        plan = make_plan(config, read_seeded, source_of)
        try:
            last_check(plan)
        finally:
            if plan.first_probe_row is not None:
                remove_rows(plan.open_targets(), plan.first_probe_row)
        raise AssertionError("nothing refuses this run")

    name = "loadtest.locust.headless"
    before = sys.modules.get(name)
    sys.modules[name] = ModuleType(name)
    sys.modules[name].run_headless = run_headless  # type: ignore[attr-defined]
    try:
        yield
    finally:
        # Not `patch.dict`, which would also forget all that was imported meanwhile.
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
