"""The plan of a sweep: which points, in what order, and what its file keeps."""

import json
import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from loadtest.cli.commands import run as run_command
from loadtest.cli.shared_options import gate_words
from loadtest.config.options import command_words
from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.record.sweep import POINTS_FOLDER, SWEEP_FILE, is_sweep, read_sweep
from loadtest.sweep.axes import AXES, sweep_options
from loadtest.sweep.check import most_demanding
from loadtest.sweep.plan import MOST_POINTS, Sweep, begin, resume
from tests.examples import at_most

NOW = datetime(2026, 1, 1, 12, 0, 0)
SECRET = "hunter2"
WITH_A_PASSWORD = f"mine=postgresql://me:{SECRET}@db.example/test"


def unchecked(configs: Sequence[RunConfig]) -> None:
    """No database is there."""


def plan(out: Path, repeats: int = 1, **options: Any) -> Sweep:
    return begin({"out": str(out), **options}, repeats, NOW, unchecked)


def again(folder: Path, *targets: str) -> Sweep:
    return resume(folder, targets, unchecked)


def order(sweep: Sweep) -> list[tuple[Any, ...]]:
    return [(*point.values.values(), point.repeat) for point in sweep.file.points]


def test_every_combination_is_a_point_once_in_each_repeat(tmp_path: Path) -> None:
    sweep = plan(tmp_path, 3, users="1,8,32", retry="none,full-jitter", rate="100")
    wanted = {(users, retry) for users in (1, 8, 32) for retry in ("none", "full-jitter")}
    assert [axis.name for axis in sweep.file.axes] == ["users", "retry"]
    assert sweep.file.config.rate == 100.0
    assert not {"users", "retry", "out", "label"} & set(sweep.file.settings)
    for repeat in (1, 2, 3):
        block = order(sweep)[6 * (repeat - 1) : 6 * repeat]
        assert {(users, retry) for users, retry, of in block if of == repeat} == wanted
    assert [point.number for point in sweep.file.points] == list(range(1, 19))


def test_the_order_is_random_and_comes_from_the_seed(tmp_path: Path) -> None:
    values = ",".join(map(str, range(1, 13)))
    first = order(plan(tmp_path, 2, users=values, seed="5"))
    assert order(plan(tmp_path, 2, users=values, seed="5")) == first
    assert order(plan(tmp_path, 2, users=values, seed="6")) != first
    users = [one for one, _ in first]
    assert users[:12] != users[12:], "each repeat has an order of its own"
    assert users[:12] not in (sorted(users[:12]), sorted(users[:12], reverse=True))


def test_every_value_is_as_often_early_as_late(tmp_path: Path) -> None:
    """Over many seeds each of three values comes first in a third of the sweeps."""
    firsts = Counter(
        plan(tmp_path / str(seed), users="1,2,3", seed=str(seed)).file.points[0].values["users"]
        for seed in range(300)
    )
    # The seeds are fixed: 4.3 standard deviations of a binomial count around 100.
    assert all(65 <= firsts[users] <= 135 for users in (1, 2, 3)), firsts


def test_a_repeat_has_random_numbers_of_its_own_and_its_points_share_them(tmp_path: Path) -> None:
    sweep = plan(tmp_path, 2, users="1,2", seed="7")
    seeds = {(point.repeat, sweep.config_of(point).seed) for point in sweep.file.points}
    assert seeds == {(1, 7), (2, 8)}


def test_a_point_is_the_run_that_was_asked_for(tmp_path: Path) -> None:
    sweep = plan(
        tmp_path, users="2,4", think_time="10ms,1s", duration="3s", keys="uuid", label="mine",
        target=["east=embedded?commit_delay_ms=5 west=embedded://locking"],
    )  # fmt: skip
    assert sweep.folder.name == "20260101-120000-sweep-mine"
    for point in sweep.file.points:
        config = sweep.config_of(point)
        assert (config.users, config.think_time) == tuple(point.values.values())
        assert [spec.name for spec in config.specs()] == ["east", "west"]
        assert (config.duration, config.keys) == (3.0, ("uuid",))
        assert config.out == sweep.folder / POINTS_FOLDER
    (axis,) = [axis for axis in sweep.file.axes if axis.name == "think_time"]
    assert (axis.values, axis.labels) == ((0.01, 1.0), ("10 ms", "1 s"))


def test_targets_are_an_axis_by_their_names(tmp_path: Path) -> None:
    targets = ["one=embedded", "east=embedded west=embedded://locking"]
    sweep = plan(tmp_path, target=targets)
    (axis,) = sweep.file.axes
    assert axis.values == tuple(targets)
    assert axis.labels == ("one", "east + west")
    unnamed = ["embedded?commit_delay_ms=1", "embedded?commit_delay_ms=2"]
    (axis,) = plan(tmp_path, target=unnamed).file.axes
    assert axis.labels == tuple(unnamed), "both are called embedded, which tells nothing"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "nothing to sweep"),
        ({"users": "8"}, "nothing to sweep"),
        ({"users": "1,,2"}, "--users: a value is empty"),
        ({"users": "1,x"}, "--users: 'x' will not do"),
        ({"users": "1,0"}, "--users: '0' will not do"),
        ({"users": "8,16,08"}, "--users: 8 is there twice"),
        ({"skew": "zipf:1.10,zipf:1.1"}, "--skew: zipf:1.1 is there twice"),
        ({"skew": "hotspot:0.9/0.1,hotspot:.9/.10"}, "is there twice"),
        ({"users": "1,2", "duration": "soon"}, "--duration: 'soon' is not a duration"),
        ({"users": "1,2", "skew": "zipf:0"}, "--skew: "),
        ({"rate": "5,50", "think_time": "0,1s"}, "(in the point with rate 5, think_time 1s)"),
        ({"users": "1,4", "target": ["a=embedded b=embedded"]}, "(in the point with users 1)"),
        ({"target": ["embedded", " "]}, "--target: a value is empty"),
        ({"target": ["embedded", "nonsense"]}, "no known family"),
        ({"users": ",".join(map(str, range(1, MOST_POINTS + 2)))}, "2,001 points are more"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_made(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError) as refused:
        plan(tmp_path / "results", **options)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "results").exists()


def test_what_the_check_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    def refuse(configs: Sequence[RunConfig]) -> None:
        raise InputError(f"{len(configs)} cannot be done")

    with pytest.raises(InputError, match="2 cannot be done"):
        begin({"users": "1,2", "out": str(tmp_path / "results")}, 1, NOW, refuse)
    assert not (tmp_path / "results").exists()


def test_the_most_demanding_point_of_each_target_is_checked() -> None:
    configs = [
        RunConfig.read(users=users, accounts=accounts, target=[target])
        for users in (4, 64, 8)
        for accounts in (100, 5000, 20)
        for target in ("embedded", "embedded://locking")
    ]
    found = [(config.target, config.users, config.accounts) for config in most_demanding(configs)]
    assert found == [(("embedded",), 64, 5000), (("embedded://locking",), 64, 5000)]
    apart = [RunConfig.read(users=users, accounts=n) for users, n in ((64, 20), (8, 100), (4, 5000))]
    assert [(one.users, one.accounts) for one in most_demanding(apart)] == [(64, 20), (4, 5000)]


def test_no_secret_is_kept_and_resuming_needs_it_again(tmp_path: Path) -> None:
    sweep = plan(tmp_path, target=[WITH_A_PASSWORD, "embedded"])
    assert any(
        SECRET in text for config in map(sweep.config_of, sweep.pending) for text in config.target
    )
    for path in sweep.folder.rglob("*"):
        assert path.is_dir() or SECRET not in path.read_text()
    with pytest.raises(InputError, match="had a secret") as refused:
        again(sweep.folder)
    assert SECRET not in str(refused.value)
    resumed = again(sweep.folder, WITH_A_PASSWORD)
    assert list(map(resumed.config_of, resumed.pending)) == list(map(sweep.config_of, sweep.pending))
    with pytest.raises(InputError, match="not a target of this sweep") as refused:
        again(sweep.folder, WITH_A_PASSWORD.replace("mine", "yours"))
    assert SECRET not in str(refused.value)


def test_resuming_makes_pending_what_is_not_done(tmp_path: Path) -> None:
    sweep = plan(tmp_path, users="1,2,3")
    done, failed, _ = sweep.file.points
    done.state, done.folder, done.exit_status = "done", "points/x", 0
    failed.state, failed.reason, failed.exit_status = "failed", "no luck", 3
    sweep.file.interrupted = True
    sweep.save()
    assert [point.number for point in read_sweep(sweep.folder).failed] == [2]
    resumed = again(sweep.folder)
    assert [point.number for point in resumed.pending] == [2, 3]
    assert resumed.file.points[0] == done
    assert resumed.file.points[1].reason is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "not a sweep's folder"),
        ("", "not valid JSON"),
        ("[1, 2]", 'no "format" key'),
        (b"\xff\xfe", "not text in UTF-8"),
        ('{"format": 1}', "a record of format 1, this version reads format 2"),
        ('{"format": 2, "label": "x"}', "'config': field required"),
        ("FORMAT 3", "has format 3, this version reads format 2"),
    ],
)
def test_what_cannot_be_resumed_is_said(
    tmp_path: Path, content: str | bytes | None, words: str
) -> None:
    if content == "FORMAT 3":
        sweep = plan(tmp_path, users="1,2")
        content = sweep.file.model_dump_json().replace('"format":2', '"format":3')
    if content is not None:
        raw = content.encode() if isinstance(content, str) else content
        (tmp_path / SWEEP_FILE).write_bytes(raw)
    with pytest.raises(InputError, match=words):
        again(tmp_path)


def test_the_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Whoever has the old one open goes on reading the old one."""
    sweep = plan(tmp_path, users="1,2")
    with (sweep.folder / SWEEP_FILE).open() as opened:
        sweep.file.points[0].state = "failed"
        sweep.save()
        assert json.load(opened)["points"][0]["state"] == "pending"
    assert {path.name for path in sweep.folder.iterdir()} == {SWEEP_FILE, POINTS_FOLDER}


def test_the_report_reads_what_is_written(tmp_path: Path) -> None:
    sweep = plan(tmp_path, 2, users="1,8", rate="100,2500.5", skew="uniform,zipf:0.8")
    assert is_sweep(sweep.folder)
    read = read_sweep(sweep.folder)
    assert read == sweep.file
    assert read.pending == list(read.points)
    assert not read.done
    rate = read.axis("rate")
    assert rate is not None
    assert rate.label_of(2500.5) == "2,500.5"
    assert read.axis("accounts") is None


def test_the_file_says_what_the_docs_say(tmp_path: Path) -> None:
    sweep = plan(tmp_path, users="1,8")
    docs = (Path(__file__).parents[2] / "docs/results-format.md").read_text(encoding="utf-8")
    section = docs.partition("## A sweep's folder")[2]
    written = json.loads((sweep.folder / SWEEP_FILE).read_text())
    for key in (*written, *written["axes"][0], *written["points"][0]):
        assert f"`{key}`" in section or f"`{key}[]`" in section, key


def damaged(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The folder of a sweep of six points, one done, whose file was changed by hand."""
    sweep = plan(tmp_path, 3, users="1,2")
    sweep.file.points[0].state, sweep.file.points[0].folder = "done", "points/x"
    sweep.save()
    path = sweep.folder / SWEEP_FILE
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return sweep.folder


def of_another_axis(file: dict[str, Any]) -> None:
    file["axes"][0].update(name="colour")
    for point in file["points"]:
        point["values"] = {"colour": point["values"]["users"]}


DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], bool]] = {
    "config has no seed": (lambda file: file.update(config={}), False),
    "config has no target": (lambda file: file["config"].pop("target"), False),
    "config.duration": (lambda file: file["config"].update(duration="0.5x"), True),
    "unknown key 'config.nonsense'": (lambda file: file["config"].update(nonsense=1), True),
    "unknown key 'points.1.lable'": (lambda file: file["points"][1].update(lable="x"), True),
    "'repeats'": (lambda file: file.update(repeats=-3), True),
    "which is not its grid": (lambda file: file.update(points=file["points"][:-1]), True),
    "is done and has the folder None": (lambda file: file["points"][0].update(folder=None), True),
    "is pending and has the folder": (lambda file: file["points"][1].update(folder="points/y"), True),
    "not its own": (
        lambda file: file["points"][1].update(state="done", folder="points/x"), True,
    ),
    "not numbered": (lambda file: file["points"][1].update(number=1), True),
    "in it twice": (
        lambda file: file["points"][1].update(
            values=file["points"][0]["values"], repeat=file["points"][0]["repeat"]
        ),
        True,
    ),
    "has no value on": (lambda file: file["points"][1].update(values={"users": 7}), True),
    "no value on each axis": (lambda file: file["points"][1].update(values={}), True),
    "the axes colour": (of_another_axis, False),
    "no axes, or two": (lambda file: file.update(axes=[]), True),
    "labels": (lambda file: file["axes"][0].update(labels=[]), True),
}  # fmt: skip


@pytest.mark.parametrize("words", DAMAGES)
def test_a_damaged_file_is_refused_by_both_that_read_it(tmp_path: Path, words: str) -> None:
    """What only going on relies on may be missing for a report, which does without."""
    change, matters_to_both = DAMAGES[words]
    folder = damaged(tmp_path, change)
    with pytest.raises(InputError, match=words) as refused:
        again(folder)
    assert "\n" not in str(refused.value)
    if matters_to_both:
        with pytest.raises(InputError, match=words):
            read_sweep(folder)
    else:
        read_sweep(folder)


def test_what_is_not_damaged_is_gone_on_with(tmp_path: Path) -> None:
    folder = damaged(tmp_path, lambda file: None)
    assert len(again(folder).pending) == 5
    assert len(read_sweep(folder).pending) == 5


def test_the_command_to_go_on_can_be_pasted(tmp_path: Path) -> None:
    sweep = plan(tmp_path / "my results", users="1,2")
    gates = {"fail_on": ["p99 > 50ms"], "junit": str(tmp_path / "gates.xml"), "strict": True}
    typed = shlex.split(sweep.resume_command(*gate_words(gates)))
    assert typed == [
        "occbench", "sweep", "--resume", str(sweep.folder), "--fail-on", "p99 > 50ms",
        "--junit", str(tmp_path / "gates.xml"), "--strict",
    ]  # fmt: skip


def test_a_folder_of_another_kind_is_said(tmp_path: Path) -> None:
    assert not is_sweep(tmp_path)
    with pytest.raises(InputError, match=r"not a sweep's folder"):
        read_sweep(tmp_path)


def test_options_are_those_of_a_run_and_say_which_can_be_swept() -> None:
    assert [option.name for option in sweep_options()] == list(RunConfig.model_fields)
    for option in sweep_options():
        assert ("make an axis" in option.help) == (option.name in AXES), option.name
    assert "axis" not in (RunConfig.model_fields["users"].description or "")


TEXTS = {
    "users": st.integers(1, 500).map(str),
    "rate": st.floats(0.5, 99_999.0, width=32).map(lambda rate: f"{rate:.7f}"),
    "accounts": st.integers(2, 10**9).map(str),
    "skew": st.sampled_from(["uniform", "zipf:0.8", "zipf:1.1", "hotspot:0.9/0.1"]),
    "retry": st.sampled_from(["none", "immediate", "full-jitter", "decorrelated-jitter"]),
    "max_attempts": st.integers(0, 50).map(str),
}


@st.composite
def grids(draw: st.DrawFn) -> dict[str, str]:
    names = draw(st.lists(st.sampled_from(sorted(TEXTS)), min_size=1, max_size=3, unique=True))
    chosen = {
        name: draw(st.lists(TEXTS[name], min_size=1, max_size=4, unique_by=lambda text: float(text)
                            if text.replace(".", "").isdigit() else text))
        for name in names
    }  # fmt: skip
    if all(len(values) == 1 for values in chosen.values()):
        chosen["think_time"] = ["0", "5ms"]
        chosen.pop("rate", None)
    return {name: ",".join(values) for name, values in chosen.items()}


@at_most(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(grids(), st.integers(1, 3), st.integers(0, 2**63 - 4))
def test_any_grid_survives_its_file_and_its_command_line(
    tmp_path: Path, grid: dict[str, str], repeats: int, seed: int
) -> None:
    """What is planned = what is read from the file = what the run reads from its command line."""
    sweep = plan(tmp_path, repeats, seed=str(seed), sslrootcert="some ca.pem", **grid)
    labels = [point.label for point in sweep.file.points]
    assert len(set(labels)) == len(labels)
    resumed = again(sweep.folder)
    for point, also in zip(sweep.file.points, resumed.file.points, strict=True):
        config = sweep.config_of(point)
        assert resumed.config_of(also) == config
        assert read_as_run(command_words(config)) == config
        described = sweep.describe(point)
        assert all(axis.name.replace("_", " ") in described for axis in sweep.file.axes)


def read_as_run(words: list[str]) -> RunConfig:
    """What `occbench run` makes of these words, by typer's own parser."""
    app = typer.Typer()
    run_command.register(app)
    run = typer.main.get_group(app).commands["run"]
    given = run.make_context("run", list(words)).params
    return RunConfig.read(
        **{name: one for name, one in given.items() if name in RunConfig.model_fields and one}
    )


def test_a_long_label_still_fits_and_stays_unique(tmp_path: Path) -> None:
    sweep = plan(
        tmp_path, users="1,2", accounts="1000000000,2000000000", rate="12345.678,2",
        retry="decorrelated-jitter,full-jitter", skew="hotspot:0.9/0.1,uniform", max_attempts="5,6",
    )  # fmt: skip
    labels = [point.label for point in sweep.file.points]
    assert len(set(labels)) == len(labels) == 64
    assert max(map(len, labels)) <= 80
