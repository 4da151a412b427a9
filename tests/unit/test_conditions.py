"""Conditions of gates: what can be typed, what it means, and what is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import InputError
from loadtest.workload.keyspace import KeyType
from reports.gates.conditions import FIGURES, Kind, Limit, parse_condition

UNITS = {Kind.TIME: "ms", Kind.SHARE: "", Kind.SPEED: "/s", Kind.NUMBER: ""}
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}[A-Za-z0-9]", fullmatch=True)
NUMBERS = st.decimals(0, 10**6, places=3, allow_nan=False)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("p99 > 50ms", Limit(False, 50)),
        ("p99>1.5s", Limit(False, 1500)),
        ("  p99  >  .5 ms ", Limit(False, 0.5)),
        ("commit_p50 > 800us", Limit(False, 0.8)),
        ("mean > 800 µs", Limit(False, 0.8)),
        ("conflict_rate > 5%", Limit(False, 0.05)),
        ("conflict_rate > 0.05", Limit(False, 0.05)),
        ("throughput < 500", Limit(False, 500)),
        ("throughput < 500/s", Limit(False, 500)),
        ("throughput < 500 tps", Limit(False, 500)),
        ("give_ups > 0", Limit(False, 0)),
        ("p99 > base", Limit(True)),
        ("p99 > base + 10%", Limit(True, 0.1, relative=True)),
        ("p99 > +10%", Limit(True, 0.1, relative=True)),
        ("p99 > base + 5ms", Limit(True, 5)),
        ("p99 > +5ms", Limit(True, 5)),
        ("throughput < base - 10%", Limit(True, -0.1, relative=True)),
        ("throughput < base − 10%", Limit(True, -0.1, relative=True)),
        ("throughput < base – 10 %", Limit(True, -0.1, relative=True)),
        ("throughput < -10%", Limit(True, -0.1, relative=True)),
        ("throughput < base - 100%", Limit(True, -1.0, relative=True)),
        ("conflict_rate > base + 10%", Limit(True, 0.1, relative=True)),
        ("conflict_rate > base + 0.5pp", Limit(True, 0.005)),
        ("give_ups > base + 3", Limit(True, 3)),
    ],
)  # fmt: skip
def test_limits(text: str, limit: Limit) -> None:
    found = parse_condition(text).limit
    assert (found.from_base, found.relative) == (limit.from_base, limit.relative)
    assert found.amount == pytest.approx(limit.amount, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "target", "key_type", "overall"),
    [
        ("p99 > 1s", None, None, False),
        ("uuid.p99 > 1s", None, "uuid", False),
        ("east.p99 > 1s", "east", None, False),
        ("east.uuid7.p99 > 1s", "east", "uuid7", False),
        ("us-east-1.p99 > 1s", "us-east-1", None, False),
        ("c.dsql.us-east-1.on.aws.int.p99 > 1s", "c.dsql.us-east-1.on.aws", "int", False),
        ("c.dsql.us-east-1.on.aws.p99 > 1s", "c.dsql.us-east-1.on.aws", None, False),
        ("overall.p99 > 1s", None, None, True),
    ],
)
def test_slices(text: str, target: str | None, key_type: str | None, overall: bool) -> None:
    found = parse_condition(text)
    assert (found.target, found.key_type, found.overall) == (target, key_type, overall)
    assert found.figure.name == "p99"


@pytest.mark.parametrize(
    ("comparison", "missed"),
    [(">", (False, False, True)), (">=", (False, True, True)), ("≥", (False, True, True)),
     ("<", (True, False, False)), ("<=", (True, True, False)), ("≤", (True, True, False))],
)  # fmt: skip
def test_comparisons(comparison: str, missed: tuple[bool, ...]) -> None:
    condition = parse_condition(f"p99 {comparison} 50ms")
    assert tuple(condition.missed_by(value, 50) for value in (49.9, 50, 50.1)) == missed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a condition is a figure"),
        ("p99", "a condition is a figure"),
        ("p99 >", "a condition is a figure"),
        ("p99 = 5ms", "a condition is a figure"),
        ("p99 == 5ms", "a condition is a figure"),
        ("> 5ms", "a condition is a figure"),
        ("p98 > 5ms", "did you mean p99"),
        ("latency > 5ms", "there is no figure 'latency'"),
        ("P99 > 5ms", "did you mean p99"),
        ("p99 > 50", "as in 50ms"),
        ("p99 > 50%", "no unit of p99"),
        ("conflict_rate > 5ms", "as in 5%"),
        ("throughput > 5ms", "as in 500/s"),
        ("give_ups > 5%", "no unit of give_ups"),
        ("p99 > 1e3ms", "no limit"),
        ("p99 > 1,000ms", "no limit"),
        ("p99 > nan", "no limit"),
        ("p99 > base 5%", "no limit"),
        ("p99 > base + ", "no limit"),
        ("p99 > base * 2", "no limit"),
        ("p99 > 5ms or p50 > 3ms", "no limit"),
        ("p99 > base + 5", "as in base + 5ms"),
        ("conflict_rate > base + 0.01", "+ 0.5pp"),
        ("conflict_rate > 5pp", "no unit of conflict_rate"),
        ("throughput < base - 101%", "100% below"),
    ],
)
def test_refusals_say_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        parse_condition(text)
    assert says in str(error.value)
    assert str(error.value).startswith(f"--fail-on {text!r}: ")
    assert "\n" not in str(error.value)


@given(
    st.sampled_from(sorted(FIGURES)),
    st.none() | NAMES.filter(lambda name: name.rpartition(".")[2] not in {*KeyType, "overall"}),
    st.none() | st.sampled_from(list(KeyType)),
    st.sampled_from([">", ">=", "<", "<="]),
    NUMBERS,
    st.sampled_from(["", " ", "  "]),
)
def test_what_is_written_is_read(
    figure: str, target: str | None, key: KeyType | None, comparison: str, number: Decimal, blank: str
) -> None:
    place = "".join(f"{part}." for part in (target, key) if part is not None)
    if FIGURES[figure].kind is Kind.SHARE:
        number /= 10**6
    unit = UNITS[FIGURES[figure].kind]
    found = parse_condition(f"{place}{figure}{blank}{comparison}{blank}{number:f}{blank}{unit}")
    assert (found.figure.name, found.target, found.key_type) == (figure, target, key)
    assert (found.above, found.inclusive) == (comparison[0] == ">", comparison.endswith("="))
    assert found.limit == Limit(False, float(number))


@given(NUMBERS, st.decimals(0, 100, places=2), st.booleans())
def test_limits_from_a_base(base: Decimal, percentage: Decimal, below: bool) -> None:
    sign = "-" if below else "+"
    limit = parse_condition(f"p99 > base {sign} {percentage}%").limit
    share = float(percentage) / 100
    assert limit.of(float(base)) == pytest.approx(float(base) * (1 - share if below else 1 + share))
    assert limit.of(None) is None
    points = parse_condition(f"conflict_rate > base {sign} {percentage}pp").limit
    assert points.of(0.5) == pytest.approx(0.5 + (-share if below else share))


def test_a_share_of_nothing_is_not_known() -> None:
    empty = {"counted": 0, "give_ups": 0, "attempts": 0, "errors_by_outcome": {}}
    some = {"counted": 8, "give_ups": 2, "attempts": 10, "errors_by_outcome": {"a": 1, "b": 2}}
    assert FIGURES["give_up_rate"].value(empty) is None
    assert FIGURES["error_rate"].value(empty) is None
    assert FIGURES["give_up_rate"].value(some) == 0.25
    assert FIGURES["error_rate"].value(some) == 0.3
    assert FIGURES["errors"].value(some) == 3
    assert FIGURES["errors"].value(empty) == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("conflict_rate > 5", "did you mean 5%?"),
        ("give_up_rate > 101%", "a share is at most 100%"),
        ("p99 > " + "9" * 400 + "ms", "as large as that"),
        ("p99 > base + " + "9" * 400 + "%", "as large as that"),
        ("p99 > 0." + "0" * 400 + "1ms", "as small as that"),
        ("p 9 9 > 5ms", "a condition is a figure"),
        ("p99 > 5 m s", "no limit"),
        ("p99 > 5 0ms", "no limit"),
        ("p99 > ba se", "no limit"),
        ("p99 > = 5ms", "no limit"),
        ("uuid .p99 > 5ms", "a condition is a figure"),
    ],
)  # fmt: skip
def test_slips_are_refused(text: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_condition(text)
    assert says in str(refused.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_what_is_no_finite_number_is_not_known(value: float) -> None:
    assert FIGURES["p99"].value({"latency_ms": {"p99": value}}) is None
    assert FIGURES["committed"].value({"committed": value}) is None
