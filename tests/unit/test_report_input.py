"""What is no result folder, or a broken one, is refused with one line that helps."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loadtest.errors import InputError
from reports import summarise, write_report
from tests.run_folders import (
    FakeRun,
    change_json,
    hand_made,
    run_json,
    table_of,
    write_attempts,
    write_fake_run,
    write_run_json,
)


def no_folder(folder: Path) -> None:
    folder.rmdir()


def nothing(folder: Path) -> None:
    assert folder.is_dir()


def no_run_file(folder: Path) -> None:
    write_attempts(folder, table_of([{}]))


def broken_json(folder: Path) -> None:
    hand_made(folder, [{}])
    (folder / "run.json").write_text('{"format": 1, "label"')


def other_json(folder: Path) -> None:
    hand_made(folder, [{}])
    (folder / "run.json").write_text("[1, 2]")


def other_format(number: int) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        change_json(hand_made(folder, [{}]) / "run.json", format=number)

    return spoil


def wrong_value(folder: Path) -> None:
    change_json(hand_made(folder, [{}]) / "run.json", started_ns="yesterday")


def misspelt_key(folder: Path) -> None:
    change_json(hand_made(folder, [{}]) / "run.json", generatros=[])


def misspelt_option(folder: Path) -> None:
    config = run_json(FakeRun())["config"]
    config["uesrs"] = config.pop("users")
    change_json(hand_made(folder, [{}]) / "run.json", config=config)


def no_attempts(folder: Path) -> None:
    write_run_json(folder, run_json(FakeRun()))


def no_rows(folder: Path) -> None:
    hand_made(folder, [])


def only_warm_up(folder: Path) -> None:
    hand_made(folder, [{"block": -1}])


def cut_short(folder: Path) -> None:
    hand_made(folder, [{}])
    write_attempts(folder, table_of([{}]), table_of([{}]))
    path = folder / "attempts" / "0-00001.parquet"
    path.write_bytes(path.read_bytes()[:-20])


def damaged_inside(folder: Path) -> None:
    hand_made(folder, [{} for _ in range(50)])
    path = folder / "attempts" / "0-00000.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(bytes(content))


def a_column_missing(folder: Path) -> None:
    hand_made(folder, [{}])
    write_attempts(folder, table_of([{}]).drop_columns(["ended_ns"]))


def a_column_of_another_type(folder: Path) -> None:
    hand_made(folder, [{}])
    table = table_of([{}])
    place = table.schema.get_field_index("ended_ns")
    write_attempts(folder, table.set_column(place, "ended_ns", pa.array(["1"])))


def an_unknown_outcome(folder: Path) -> None:
    hand_made(folder, [{"outcome": "mislaid"}])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_folder, "is not a folder"),
        (nothing, "has no run.json"),
        (no_run_file, "has no run.json"),
        (broken_json, "not valid JSON"),
        (other_json, "does not describe a run"),
        (other_format(1), "a record of format 1, this version reads format 2; report on it with occ"),
        (other_format(3), "has format 3, this version reads format 2"),
        (wrong_value, "'started_ns': input should be a valid integer"),
        (misspelt_key, "unknown key 'generatros', for it is damaged or of a newer version"),
        (misspelt_option, "unknown key 'config.uesrs'"),
        (no_attempts, "holds no attempts"),
        (no_rows, "holds no measured attempts"),
        (only_warm_up, "warm-up"),
        (cut_short, "0-00001.parquet is cut short or not Parquet; delete that one file"),
        (damaged_inside, "0-00000.parquet"),
        (a_column_missing, "has no column 'ended_ns'"),
        (a_column_of_another_type, "'ended_ns' is string, not int64"),
        (an_unknown_outcome, "'mislaid'"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(tmp_path)
    with pytest.raises(InputError) as caught:
        write_report(tmp_path)
    text = str(caught.value)
    assert said in text
    assert "\n" not in text
    assert not (tmp_path / "report.html").exists()
    assert not (tmp_path / "summary.json").exists()


def test_without_the_broken_file_the_rest_is_reported(tmp_path: Path) -> None:
    cut_short(tmp_path)
    (tmp_path / "attempts" / "0-00001.parquet").unlink()
    assert summarise(tmp_path)["overall"]["attempts"] == 1


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    hand_made(tmp_path, [{}])
    (tmp_path / "attempts" / "0-00009.parquet.part").write_text("half")
    (tmp_path / "notes.txt").write_text("mine")
    assert summarise(tmp_path)["overall"]["attempts"] == 1


def test_dictionaries_may_differ_from_file_to_file(tmp_path: Path) -> None:
    hand_made(tmp_path, [])
    write_attempts(
        tmp_path,
        table_of([{"outcome": "committed", "target": "east"}]),
        table_of([{"outcome": "deadlock", "target": "west", "transaction": 7}]),
        table_of(
            [
                {"outcome": "deadlock", "target": "east", "transaction": 8},
                {"outcome": "committed", "target": "west", "transaction": 9},
            ]
        ),
    )
    summary = summarise(tmp_path)
    assert summary["overall"]["conflicts_by_outcome"] == {"deadlock": 2}
    assert {t: f["committed"] for t, f in summary["targets"].items()} == {"east": 1, "west": 1}


def test_plain_strings_read_as_dictionaries_do(tmp_path: Path) -> None:
    write_fake_run(tmp_path, FakeRun(tps=100, duration_s=4, warmup_s=1))
    before = summarise(tmp_path)
    for path in (tmp_path / "attempts").glob("*.parquet"):
        table = pq.read_table(path)
        for place, field in enumerate(table.schema):
            if pa.types.is_dictionary(field.type):
                table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
        pq.write_table(table, path, store_schema=False)
    assert summarise(tmp_path) == before
