"""Gates: which slices a condition is of, what misses it, and what is said of it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.cli.gating import Gating
from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from reports.documents.run.summary import summarise
from reports.gates.conditions import FIGURES, Kind
from reports.gates.judge import Subject, judge
from reports.gates.values import shown
from tests.gate_summaries import REGIONS, TWO_KEYS, judged, only, slice_of, summary_of
from tests.run_folders import FakeRun, write_fake_run


@pytest.mark.parametrize(
    ("text", "summary", "values"),
    [
        ("p99 > 50ms", TWO_KEYS, {"int": 40, "uuid": 60}),
        ("uuid.p99 > 50ms", TWO_KEYS, {"uuid": 60}),
        ("overall.p99 > 50ms", TWO_KEYS, {"overall": 1}),
        ("embedded.p99 > 50ms", TWO_KEYS, {"embedded.int": 40, "embedded.uuid": 60}),
        ("embedded.int.p99 > 50ms", TWO_KEYS, {"embedded.int": 40}),
        ("p99 > 50ms", REGIONS,
         {"east.int": 10, "east.uuid": 20, "west.int": 30, "west.uuid": 40}),
        ("uuid.p99 > 50ms", REGIONS, {"east.uuid": 20, "west.uuid": 40}),
        ("west.p99 > 50ms", REGIONS, {"west.int": 30, "west.uuid": 40}),
        ("west.int.p99 > 50ms", REGIONS, {"west.int": 30}),
    ],
)  # fmt: skip
def test_what_is_left_out_stands_for_each(
    text: str, summary: dict[str, Any], values: dict[str, float]
) -> None:
    found = judged(text, summary)
    assert {gate.where: gate.value for gate in found.gates} == values
    assert [gate.where for gate in found.missed] == [w for w, value in values.items() if value > 50]


def test_what_was_to_be_measured_and_was_not_misses() -> None:
    subject = Subject("a run", TWO_KEYS, keys=("int", "uuid", "uuid7"), targets=("embedded",))
    found = judged("p99 > 1s", subject)
    assert [gate.where for gate in found.missed] == ["uuid7"]
    assert found.missed[0].why == "nothing was measured"
    gone = Subject("a run", REGIONS, keys=("int", "uuid"), targets=("east", "west", "north"))
    assert [gate.where for gate in judged("p99 > 1s", gone).missed] == ["north.int", "north.uuid"]
    only_one_left = summary_of({"int": slice_of()}, {"east": {"int": slice_of()}})
    left = Subject("a run", only_one_left, keys=("int",), targets=("east", "west"))
    assert [gate.where for gate in judged("p99 > 1s", left).missed] == ["west.int"]
    nothing = summary_of({})
    assert not judged("p99 > 1s", nothing).passed
    assert not judged("uuid.p99 > 1s", nothing).passed


@pytest.mark.parametrize("comparison", [">", "<", ">=", "<="])
def test_a_value_that_is_not_known_misses_whichever_way(comparison: str) -> None:
    few = slice_of(p99=None)
    few["latency_ms"]["samples"] = 340
    gate = only(f"p99 {comparison} 50ms", summary_of({"int": few}))
    assert not gate.held
    assert gate.why == "too few samples, 340 where p99 needs 1,000"
    assert gate.text == "p99: too few samples, 340 where p99 needs 1,000"
    without = slice_of()
    del without["commit_ms"]
    gate = only(f"commit_p99 {comparison} 50ms", summary_of({"int": without}))
    assert not gate.held
    assert gate.why == "this target does not show it"
    gate = only(f"throughput {comparison} 50", summary_of({"int": slice_of(tps=None)}))
    assert (gate.held, gate.why) == (False, "nothing was counted")


@pytest.mark.parametrize("figure", sorted(FIGURES))
def test_every_figure_is_found_in_a_real_summary(tmp_path: Path, figure: str) -> None:
    summary = _real_summary(tmp_path)
    unit = {Kind.TIME: "ms", Kind.SHARE: "%", Kind.SPEED: "/s", Kind.NUMBER: ""}[FIGURES[figure].kind]
    for gate in judged(f"{figure} < 0{unit}", summary).gates:
        assert gate.held, gate.text
        assert gate.value is not None


_MADE: list[dict[str, Any]] = []


def _real_summary(folder: Path) -> dict[str, Any]:
    if not _MADE:
        _MADE.append(summarise(write_fake_run(folder / "run", FakeRun(duration_s=20, errors=0.01))))
    return _MADE[0]


def test_a_broken_invariant_fails_without_any_condition() -> None:
    subject = Subject("a run", summary_of({"int": slice_of()}, invariant={"holds": False}))
    assert not judge([], subject).passed
    unknown = Subject("a run", summary_of({"int": slice_of()}, invariant={"holds": None}))
    assert judge([], unknown).passed
    gating = Gating.read(fail_on=["p99 > 1s"])
    assert gating.conclude([subject]) == 1
    assert gating.conclude([unknown]) == 0


def test_values_are_told_from_their_limits() -> None:
    gate = only("p99 > 50ms", summary_of({"int": slice_of(p99=50.004)}))
    assert not gate.held
    assert gate.value_text == "50.004\N{NO-BREAK SPACE}ms"
    assert gate.text == "p99 is 50.004\N{NO-BREAK SPACE}ms, above the limit of 50\N{NO-BREAK SPACE}ms"
    gate = only("p99 >= 50ms", summary_of({"int": slice_of(p99=50.0)}))
    assert not gate.held
    assert gate.text == "p99 is 50.0\N{NO-BREAK SPACE}ms, which is the limit of 50\N{NO-BREAK SPACE}ms"


@given(st.sampled_from(list(Kind)), st.floats(1e-6, 1e12), st.integers(3, 9))
def test_what_is_shown_is_the_value(kind: Kind, value: float, digits: int) -> None:
    text = shown(kind, value, digits)
    number = text.rstrip("%msµ/\N{NO-BREAK SPACE}").replace(",", "")
    scale = 100 if kind is Kind.SHARE else 1
    if kind is Kind.TIME and not text.endswith("ms"):
        scale = 1000
        value /= 1e6
    assert float(number) == pytest.approx(value * scale, rel=0.5 * 10 ** (1 - digits), abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "value", "measured", "typed"),
    [
        (Kind.TIME, 50.0, "50.0 ms", "50 ms"),
        (Kind.TIME, 9.996, "10.0 ms", "10 ms"),
        (Kind.TIME, 12_345.6, "12.3 s", "12.3 s"),
        (Kind.SHARE, 0.02, "2.00 %", "2 %"),
        (Kind.SHARE, 0.0, "0 %", "0 %"),
        (Kind.SPEED, 3153.4, "3,153/s", "3,153/s"),
        (Kind.NUMBER, 12.0, "12", "12"),
        (Kind.NUMBER, 0.02, "0.0200", "0.02"),
    ],
)
def test_what_was_measured_keeps_its_zeros(kind: Kind, value: float, measured: str, typed: str) -> None:
    assert shown(kind, value).replace("\N{NO-BREAK SPACE}", " ") == measured
    assert shown(kind, value, given=True).replace("\N{NO-BREAK SPACE}", " ") == typed


def test_value_limit_and_base_are_said_in_one_unit() -> None:
    gate = only("p99 > 9s", summary_of({"int": slice_of(p99=12_345)}))
    assert (gate.value_text, gate.limit_text) == (
        "12,345\N{NO-BREAK SPACE}ms", "9,000\N{NO-BREAK SPACE}ms",
    )  # fmt: skip
    gate = only("p99 > 20s", summary_of({"int": slice_of(p99=12_345)}))
    assert (gate.value_text, gate.limit_text) == (
        "12.3\N{NO-BREAK SPACE}s", "20\N{NO-BREAK SPACE}s",
    )  # fmt: skip
    base = summary_of({"int": slice_of(p99=9_990)})
    gate = only("p99 > base + 10%", summary_of({"int": slice_of(p99=12_345)}), base)
    assert "ms (base 9,990\N{NO-BREAK SPACE}ms + 10" in gate.limit_text


def test_a_target_s_gate_is_of_the_runs_that_have_it() -> None:
    def configs(*targets: str) -> list[RunConfig]:
        return [RunConfig.read(target=[target]) for target in targets]

    gating = Gating.read(fail_on=["east.p99 > 50ms", "p99 > 1s"])
    gating.expect(*configs("east=embedded", "west=embedded"))
    with pytest.raises(InputError, match="no target 'east'"):
        gating.expect(*configs("west=embedded"))
    found = [
        judge(gating.conditions, Subject(name, TWO_KEYS | {"targets": {name: {}}}, targets=(name,)))
        for name in ("east", "west")
    ]
    assert [len(one.gates) for one in found] == [4, 2]
    assert [len(one.missed) for one in found] == [1, 0]
