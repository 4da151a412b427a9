"""A record has one definition: what is written comes back, and what it does not know is refused."""

import json
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.prediction.simulation import SimulateConfig
from loadtest.record.attempt import ATTEMPT_SCHEMA, attempts_table
from loadtest.record.files import replacing, write_atomically, write_json
from loadtest.record.model import FORMAT, File, read_file
from loadtest.record.run import Config, Run
from loadtest.record.service import ServiceFile
from loadtest.record.sweep import SweepFile
from tests.commands import occbench, one_line
from tests.run_folders import table_of

KINDS: list[type[File]] = [Run, SweepFile, ServiceFile]
FOLDER = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    int: st.integers(1, 10**9),
    float: st.floats(0, 1e6) | st.integers(0, 10**6),
    bool: st.booleans(),
    datetime: st.integers(0, 3 * 10**9).map(lambda s: datetime.fromtimestamp(s - s % 60, UTC)),
    Any: st.integers(0, 9) | st.text(max_size=3),
    type(None): st.none(),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this type may have."""
    if get_origin(kind) is Annotated:
        return values_of(get_args(kind)[0])
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) in (Union, types.UnionType):
        return st.one_of(*map(values_of, get_args(kind)))
    if get_origin(kind) is tuple:
        first, *others = get_args(kind)
        if others == [...]:
            return st.lists(values_of(first), max_size=2).map(tuple)
        return st.tuples(values_of(first), *map(values_of, others))
    if get_origin(kind) is dict:
        return st.dictionaries(st.text("abcdef", min_size=1, max_size=4), values_of(get_args(kind)[1]))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return models(kind)
    return LEAVES[kind if kind in LEAVES else datetime]


def models(kind: type[BaseModel]) -> st.SearchStrategy[Any]:
    """Models of this kind, of which some fields were never set."""
    fields = {n: f for n, f in kind.model_fields.items() if n != "format"}
    required = {n: values_of(f.annotation) for n, f in fields.items() if f.is_required()}
    optional = {n: values_of(f.annotation) for n, f in fields.items() if not f.is_required()}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: made(kind, given))


def made(kind: type[BaseModel], given: dict[str, Any]) -> BaseModel:
    if {"measured_from_ns", "measured_until_ns"} <= given.keys():
        given = given | {"measured_until_ns": None}
    return kind.model_validate(given)


def read(kind: type[File], path: Path) -> File:
    return read_file(kind, path, "anything", "restore it")


@FOLDER
@given(st.sampled_from(KINDS).flatmap(models), st.booleans())
def test_what_is_written_comes_back(tmp_path: Path, model: File, sparse: bool) -> None:
    model.write(tmp_path / "a.json", sparse=sparse)
    back = read(type(model), tmp_path / "a.json")
    assert back == model
    assert json.loads((tmp_path / "a.json").read_text())["format"] == FORMAT
    if sparse:
        assert back.model_fields_set - {"format"} == model.model_fields_set - {"format"}


def objects_in(content: Any, where: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every object in JSON whose keys are not names that a user chose."""
    if isinstance(content, list):
        inside = [(f"{where}{n}.", one) for n, one in enumerate(content)]
        return [found for path, one in inside for found in objects_in(one, path)]
    if not isinstance(content, dict):
        return []
    free = ("versions", "held_back_s", "files", "sum_q_squared", "values")
    inside = [(f"{where}{k}.", one) for k, one in content.items() if k not in (*free, "metrics")]
    return [(where, content), *(found for path, one in inside for found in objects_in(one, path))]


@FOLDER
@given(st.sampled_from(KINDS).flatmap(models), st.data())
def test_a_misspelt_key_is_refused_and_named(tmp_path: Path, model: File, data: st.DataObject) -> None:
    path = tmp_path / "a.json"
    model.write(path)
    content = json.loads(path.read_text())
    where, one = data.draw(st.sampled_from(objects_in(content)))
    assume(one)
    key = data.draw(st.sampled_from(sorted(one)))
    assume(where or key != "format")
    one[f"{key}x"] = one[key]
    write_json(path, content)
    with pytest.raises(InputError, match="unknown key") as refused:
        read(type(model), path)
    assert f"'{where}{key}x'" in str(refused.value)
    assert "\n" not in str(refused.value)


@FOLDER
@given(st.sampled_from(KINDS).flatmap(models))
def test_a_record_of_format_1_is_refused_in_a_line(tmp_path: Path, model: File) -> None:
    path = tmp_path / "a.json"
    model.write(path)
    write_json(path, json.loads(path.read_text()) | {"format": 1})
    with pytest.raises(InputError) as refused:
        read(type(model), path)
    assert str(refused.value) == (
        f"{path} is a record of format 1, this version reads format {FORMAT}; report on it with "
        "occbench 0.1"
    )


@pytest.mark.parametrize("name", ["run.json", "sweep.json"])
def test_the_command_ends_with_2_on_format_1(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"format": 1, "label": "old", "scenario": "transfer"}')
    said = one_line(occbench("report", tmp_path, cwd=tmp_path), 2)
    assert "is a record of format 1, this version reads format 2" in said


def test_every_option_has_its_place_in_the_record() -> None:
    options = RunConfig.model_fields.keys() | SimulateConfig.model_fields.keys()
    assert Config.model_fields.keys() == options


def test_every_column_of_an_attempt_is_known_and_given() -> None:
    table = table_of([{}])
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    assert attempts_table(columns, 0).equals(table)
    with pytest.raises(KeyError, match="commit_snet_ns"):
        attempts_table({**columns, "commit_snet_ns": columns.pop("commit_sent_ns")}, 0)
    assert attempts_table(columns, 0)["commit_sent_ns"].null_count == 1
    del columns["ended_ns"]
    with pytest.raises(KeyError, match="ended_ns"):
        attempts_table(columns, 0)
    nullable = {field.name for field in ATTEMPT_SCHEMA if field.nullable}
    assert nullable.isdisjoint({"begin_sent_ns", "ended_ns", "rows", "operation"})
    assert pa.types.is_struct(ATTEMPT_SCHEMA.field("rows").type.value_type)


def test_after_an_error_the_old_file_stays_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")

    def fail() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    write_atomically(path, "new", durable=True)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.txt", "new")]
