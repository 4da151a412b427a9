"""The process that makes the report at the end of a run, as the run sees it."""

import sys
from pathlib import Path

import pytest

from loadtest.cli.reporter import Reporter
from loadtest.config.run import RunConfig
from loadtest.errors import InputError, OccbenchError
from tests.run_folders import FakeRun, write_fake_run


def test_it_refuses_reports_and_ends_with_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What makes no sense is an error with its status, before and after; each asks the same process."""
    write_fake_run(folder := tmp_path / "run", FakeRun())
    with Reporter({"fail_on": ["uuid7.p50 > 1ms"], "strict": False}) as reporter:
        with pytest.raises(InputError, match="no key type 'uuid7' is measured"):
            reporter.expect(RunConfig.read(keys="int"))
        reporter.expect(RunConfig.read(keys="int,uuid7"))
        with pytest.raises(InputError, match="nowhere"):
            reporter.conclude(tmp_path / "nowhere")
        # In no order but this one.
        sys.stdout.write("of the run\n")
        assert reporter.conclude(folder) == 1, "the key type has no figure"
        said = capfd.readouterr().out
        assert said.startswith("of the run\n")
        assert f"\n{folder / 'report.html'}\n" in said
        assert "MISSED  uuid7.p50 > 1ms" in said

        reporter._process.kill()
        with pytest.raises(OccbenchError, match="has ended before it was made"):
            reporter.conclude(folder)
    assert reporter._process.poll() is not None
