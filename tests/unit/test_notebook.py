"""A record opened for questions: the named tables, and those of docs/notebooks.md."""

import ast
import re
from pathlib import Path

import pandas as pd
import pytest

from loadtest.errors import InputError
from reports import open_run
from tests.run_folders import FakeRun, write_fake_run

PAGE = Path(__file__).parents[2] / "docs" / "notebooks.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    fake = FakeRun(tps=500, duration_s=6, warmup_s=1, targets=("east", "west"), errors=0.01)
    return write_fake_run(tmp_path_factory.mktemp("run"), fake)


def test_frames_hold_what_the_summary_says(folder: Path) -> None:
    with open_run(folder) as run:
        found = {name: run.frame(name) for name in run.frames}
        overall = run.summary()["overall"]
        assert run.attempts.count("*").fetchall() == [(overall["attempts"],)]
        assert len(run.transactions.df()) == overall["transactions"]
    assert found["outcomes"]["attempts"].sum() == overall["attempts"]
    assert found["throughput_by_second"]["committed"].sum() == overall["committed"]
    assert found["latency_by_second"]["transactions"].sum() == overall["counted"]
    assert found["blocks"]["committed"].sum() == overall["committed"]
    assert found["users"]["conflicts"].sum() == overall["conflicts"]
    retries = found["retries"]
    assert (retries["retries"] * retries["transactions"]).sum() == pytest.approx(
        overall["retries_mean"] * overall["counted"]
    )
    assert found["rows"]["conflicts"].is_monotonic_decreasing
    assert found["errors"]["attempts"].sum() > 0
    assert found["time_by_attempt"]["attempt"].tolist()[:2] == [1, 2]


def test_another_name_is_refused(folder: Path) -> None:
    with open_run(folder) as run, pytest.raises(InputError, match="there are outcomes, "):
        run.frame("latency")


def test_the_page_answers_five_questions_in_five_lines_each(folder: Path) -> None:
    assert len(BLOCKS) == 6
    names: dict[str, object] = {}
    for block in BLOCKS:
        assert block.count("\n") <= 5
        code = re.sub(r'open_run\(".*?"\)', f"open_run({str(folder)!r})", block)
        *before, asked = ast.parse(code).body
        exec(compile(ast.Module(before, []), str(PAGE), "exec"), names)  # noqa: S102 - the page's own
        assert isinstance(asked, ast.Expr)
        answer = eval(compile(ast.Expression(asked.value), str(PAGE), "eval"), names)  # noqa: S307
        assert isinstance(answer, pd.DataFrame | pd.Series)
        assert len(answer) > 0
