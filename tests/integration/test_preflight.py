"""What is found out before the load, where a run on its own would not show it."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.config.run import RunConfig
from loadtest.engine.preflight import make_plan
from loadtest.errors import InputError, TargetError
from loadtest.targets import SqlSession, Statement, StatementFailed, parse_target
from loadtest.targets.embedded.target import EmbeddedTarget
from seed import contents, key_source
from tests.commands import occbench, one_line
from tests.conftest import sql_target


class Refusing(EmbeddedTarget):
    """The embedded database, that answers the first sessions with something else."""

    answers: list[str]

    def open_session(self, statements: Sequence[Statement]) -> SqlSession:
        if self.answers:
            raise StatementFailed(
                self.answers.pop(0), "change (OC001)", commit_sent=False, connected=True
            )
        return super().open_session(statements)


def refusing(seeded: str, *answers: str) -> Refusing:
    target = Refusing(parse_target(seeded))
    target.answers = list(answers)
    return target


def test_a_change_of_the_schema_does_not_keep_a_run_from_starting(seeded: str) -> None:
    """Aurora DSQL answers OC001 to a session that has not yet seen one: the next try does."""
    rehearsed: list[SqlSession] = []
    refusing(seeded, "40001", "40001").rehearse([], rehearsed.append)
    assert len(rehearsed) == 1
    with pytest.raises(TargetError):
        refusing(seeded, *["40001"] * 9).rehearse([], rehearsed.append)
    target = refusing(seeded, "42501", "42501")
    with pytest.raises(TargetError):
        target.rehearse([], rehearsed.append)
    assert target.answers == ["42501"], "what will not pass is asked once"


def test_endpoints_of_one_database_are_known_by_their_data(seeded: str) -> None:
    config = RunConfig.read(target=(f"a={seeded}", f"b={seeded}&commit_delay_ms=5"), users=2)
    plan = make_plan(config, contents, key_source)
    marks = [target["data"] for target in plan.targets]
    assert marks[0] == marks[1]
    assert marks[0] in {str(one.load_id) for one in contents(sql_target(seeded))}


def probe_rows(seeded: str) -> int:
    with sql_target(seeded).connect() as connection:
        there = connection.execute("SELECT to_regclass('public.occbench_probe')").fetchone()
        if there is None or there[0] is None:
            return 0
        found = connection.execute("SELECT count(*) FROM public.occbench_probe").fetchone()
        assert found is not None
        return int(found[0])


def test_a_run_that_cannot_begin_leaves_no_probes_behind(seeded: str, tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.touch()
    before = probe_rows(seeded)
    done = occbench(
        *("run", "--target", f"a={seeded}", "--target", f"b={seeded}&commit_delay_ms=5"),
        *("--consistency", "1s", "--duration", "1s", "--users", 2, "--out", blocked / "results"),
        cwd=tmp_path,
    )
    assert "no folder can be made" in one_line(done, 2)
    assert probe_rows(seeded) == before


def test_more_users_than_there_is_room_for(seeded: str) -> None:
    """The advice is one that can be followed."""
    config = RunConfig.read(target=(f"a={seeded}", f"b={seeded}&commit_delay_ms=5"), users=9_000)
    with pytest.raises(InputError, match=r"use at most --users \d+$"):
        make_plan(config, contents, key_source)
