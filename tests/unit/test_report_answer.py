"""What the report says in words: headline, the sentences under it, and the terminal's lines."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.workload.blocks import key_of_block
from reports import answer_of, summarise, write_report
from reports.analysis.shares import Z95
from reports.statistics.paired.blocks import (
    NO_DIFFERENCE,
    NOT_COMPARABLE,
    TOO_FEW_PAIRS,
    Comparison,
    Ratio,
    simultaneous,
)
from reports.statistics.paired.sentences import one_comparison
from tests.run_folders import BEGIN_NS, FakeRun, hand_made, write_fake_run

SMALL: dict[str, Any] = {
    "keys": ("int",), "tps": 600.0, "duration_s": 12.0, "block_s": 1.0, "warmup_s": 0.0,
}  # fmt: skip
MANY = ("a", "b", "c", "d")
GAP = "\N{NO-BREAK SPACE}"


def said(folder: Path, **changes: Any) -> tuple[str, str]:
    answer = summarise(write_fake_run(folder, FakeRun(**{**SMALL, **changes})))["answer"]
    return answer["headline"].replace(GAP, " "), answer["lede"].replace(GAP, " ")


def test_one_target_of_one_key_type(tmp_path: Path) -> None:
    headline, lede = said(tmp_path)
    assert " transactions a second, p99 " in headline
    assert "gave up" not in headline
    assert "; none of 7," in lede
    assert lede.endswith(" transactions gave up.")


@pytest.mark.parametrize(("targets", "before"), [(("embedded",), "; "), (("east", "west"), ", ")])
def test_giving_up_is_in_the_headline_where_it_is_not_rare(
    tmp_path: Path, targets: tuple[str, ...], before: str
) -> None:
    headline, lede = said(tmp_path, conflict=0.4, max_attempts=1, targets=targets)
    assert headline.count("gave up") == len(targets)
    assert len(re.findall(f"{before}(39|40|41|42) % of transactions gave up", headline)) == len(targets)
    assert " transactions gave up." in lede
    rarely, lede = said(tmp_path / "rarely", conflict=0.005, max_attempts=1, targets=targets)
    assert "gave up" not in rarely
    assert "none of" not in lede


def test_the_headline_names_the_targets(tmp_path: Path) -> None:
    fake = FakeRun(**SMALL, targets=("east", "west"), commit_ms={"west": 20.0}, conflict=0.1)
    summary = summarise(write_fake_run(tmp_path, fake))
    headline = summary["answer"]["headline"].replace(GAP, " ")
    east, west = (summary["targets"][name] for name in ("east", "west"))
    first, second = headline.split("; ")
    assert re.match(r"east: [\d.]+ % of attempts conflicted at ", first)
    assert first.endswith(
        f" of attempts conflicted at {east['throughput_tps']:.0f} transactions a second, "
        f"p99 {east['latency_ms']['p99']:.0f} ms"
    )
    assert re.match(r"west: [\d.]+ % of attempts conflicted at ", second)
    assert second.endswith(
        f" at {west['throughput_tps']:.0f} transactions a second, "
        f"p99 {west['latency_ms']['p99']:.0f} ms."
    )
    pooled = f"p99 {summary['overall']['latency_ms']['p99']:.0f}"
    assert pooled not in headline, "nobody waited for all of them together"


def test_a_target_that_did_nothing_is_said_to(tmp_path: Path) -> None:
    rows = [{"target": "east"}, {"target": "west", "outcome": "connect_failed"}]
    headline = summarise(hand_made(tmp_path, rows))["answer"]["headline"]
    assert headline.endswith("; west: nothing was committed.")


def test_many_targets_have_a_range(tmp_path: Path) -> None:
    headline, lede = said(tmp_path, targets=MANY, commit_ms={"d": 20.0})
    assert headline.startswith("4 targets: ")
    assert " % to " in headline
    assert " ms to " in headline
    assert "compared with" not in lede


def test_key_types_are_compared_on_each_target(tmp_path: Path) -> None:
    """uuid is as slow as int; that one target is far away is no difference between them."""
    fake = FakeRun(
        **{**SMALL, "keys": ("int", "uuid"), "duration_s": 24.0},
        targets=("east", "west"),
        commit_ms={"west": 20.0},
    )
    summary = summarise(write_fake_run(tmp_path, fake))
    assert [(c["target"], c["base"], c["other"], c["pairs"]) for c in summary["comparisons"]] == [
        ("east", "int", "uuid", 12), ("west", "int", "uuid", 12)
    ]  # fmt: skip
    for found in summary["comparisons"]:
        parts = summary["targets_by_key_type"][found["target"]]
        for side in ("base", "other"):
            figures = parts[found[side]]
            assert found["latency_p50_ms"][side] == pytest.approx(figures["latency_ms"]["p50"])
            assert found["conflict_rate"][side] == pytest.approx(figures["conflict_rate"])
            assert found["throughput_tps"][side] == pytest.approx(figures["throughput_tps"])
    lede = summary["answer"]["lede"]
    assert "On east, uuid keys instead of int: " in lede
    assert "On west, uuid keys instead of int: " in lede


def test_a_pooled_difference_that_no_target_has_is_not_said(tmp_path: Path) -> None:
    """uuid made more of its transactions on the slow target: together it looks slower."""
    rows = []
    for block in range(10):
        for place in range(100):
            at = BEGIN_NS + block * 10**8 + place * 10**5
            uuid = key_of_block(block, 2, 1) == 1
            slow = place < (80 if uuid else 20)
            rows.append({
                "block": block, "key_type": "uuid" if uuid else "int", "start_ns": at,
                "intended_start_ns": at, "target": "slow" if slow else "fast",
                "statements_ns": (50 if slow else 1) * 10**6 + place * 1000,
            })  # fmt: skip
    config = {"keys": ["int", "uuid"], "duration": 1.0, "block": 0.1, "users": 4, "seed": 1}
    summary = summarise(hand_made(tmp_path, rows, config=config))
    pooled = summary["key_types"]
    assert pooled["uuid"]["latency_ms"]["p50"] > 10 * pooled["int"]["latency_ms"]["p50"]
    for found in summary["comparisons"]:
        assert 0.9 < found["latency_p50_ms"]["ratio"] < 1.1


def test_one_target_has_comparisons_without_a_name(tmp_path: Path) -> None:
    fake = FakeRun(**{**SMALL, "keys": ("int", "uuid")})
    (found,) = summarise(write_fake_run(tmp_path, fake))["comparisons"]
    assert found["target"] is None


def ratio(metric: str, value: float | None, verdict: str, width: float | None = 0.01) -> Ratio:
    low = None if value is None or width is None else value - width
    high = None if value is None or width is None else value + width
    return Ratio(metric, 1.0, value, value, low, high, verdict, width and width / Z95)


def compared(pairs: int, *ratios: Ratio, in_blocks: bool = True) -> str:
    comparison = Comparison("a", "b", pairs, ratios, 4.0 if in_blocks else 0.5, in_blocks)
    return one_comparison(comparison, "{} compared with {}").replace(GAP, " ")


def test_of_many_figures_one_may_differ_by_chance() -> None:
    """The interval of one figure in twenty leaves 1 out where nothing differs."""
    just = ratio("latency_p99_ms", 1.012, "b is higher", 0.01)
    alike = ratio("latency_p50_ms", 1.0, NO_DIFFERENCE)
    (alone,) = simultaneous([Comparison("a", "b", 30, (just,), 4.0, True)])
    assert one_comparison(alone).startswith("b keys instead of a: p99 latency 1.2")
    twelve = Comparison("a", "b", 30, (just, *[alike] * 11), 4.0, True)
    (several,) = simultaneous([twelve])
    assert one_comparison(several) == "b keys instead of a: no difference shown."
    assert several.of("latency_p99_ms").verdict == NO_DIFFERENCE, "the table says the same"
    assert not several.of("latency_p99_ms").differs, "and so does the chart"
    far = ratio("latency_p99_ms", 1.03, "b is higher", 0.01)
    (found,) = simultaneous([replace(twelve, ratios=(far, *[alike] * 11))])
    assert one_comparison(found).startswith("b keys instead of a: p99 latency 3")


def test_what_is_judged_together_needs_bonferronis_level() -> None:
    """Where draws are normal, the wider interval is that of Student's t at 1 − 0.05 / tests."""
    from scipy.stats import t

    pairs, tests = 12, 8
    error = 0.01
    reach = math.exp(error * t.ppf(0.975, pairs - 1))

    def differs(effect: float) -> bool:
        value = math.exp(error * effect)
        one = Ratio("conflict_rate", 1.0, value, value, value / reach, value * reach, "")
        (found,) = simultaneous([Comparison("a", "b", pairs, (one,) * tests, 4.0, True)])
        return found.ratios[0].differs

    needed = float(t.ppf(1 - 0.025 / tests, pairs - 1))
    assert [differs(sign * needed * by) for sign in (1, -1) for by in (0.999, 1.001)] == [
        False, True, False, True
    ]  # fmt: skip


def test_effects_have_the_digits_of_their_interval() -> None:
    wide = ratio("throughput_tps", 0.939, "b is lower", 0.055)
    assert "throughput 6 % lower" in compared(10, wide)


def test_two_key_types_that_gave_up_are_said_to(tmp_path: Path) -> None:
    headline, _ = said(tmp_path, keys=("int", "uuid"), conflict=0.4, max_attempts=1)
    assert re.search(r"(39|4[012]) % (to (39|4[012]) % )?of transactions gave up\.$", headline)


@pytest.mark.parametrize("keys", [("int",), ("int", "uuid")])
def test_a_rate_that_was_not_kept_comes_first(tmp_path: Path, keys: tuple[str, ...]) -> None:
    fake = FakeRun(**{**SMALL, "keys": keys}, rate=600.0)
    folder = write_fake_run(tmp_path, fake)
    assert "not kept" not in summarise(folder)["answer"]["headline"]
    run = json.loads((folder / "run.json").read_text())
    run["config"]["rate"] = 2000.0
    run["generators"][0] |= {"scheduled": 24_000, "started": 7_200}
    run["generators"] = run["generators"][:1]
    (folder / "run.json").write_text(json.dumps(run))
    answer = summarise(folder)["answer"]
    headline = answer["headline"].replace(GAP, " ")
    assert re.match(r"The rate was not kept: 6\d\d of 2,000 transactions a second", headline)
    assert "Ruled out" not in answer["lede"]


def test_too_few_pairs_say_what_is_needed() -> None:
    few = ratio("latency_p50_ms", 1.2, TOO_FEW_PAIRS, None)
    assert compared(4, few) == (
        "b compared with a: 4 pairs of blocks are too few for an interval; measure for at least 20 s, "
        "or use a shorter --block."
    )
    assert "measure for at least 3 s" in compared(3, few, in_blocks=False)
    assert "--block" not in compared(3, few, in_blocks=False)
    nothing = ratio("latency_p50_ms", None, NOT_COMPARABLE)
    assert compared(10, nothing) == "b compared with a: too few transactions to tell them apart."


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.924, "conflict rate 7.6 % lower"), (1.31, "conflict rate 31 % higher"),
     (5.07, "conflict rate 5.07 times as high")],
)  # fmt: skip
def test_a_difference_in_words(value: float, words: str) -> None:
    assert words in compared(10, ratio("conflict_rate", value, "b is higher"))


def test_what_could_not_be_compared_is_not_called_alike() -> None:
    alike = ratio("latency_p50_ms", 1.0, NO_DIFFERENCE)
    users = ratio("throughput_tps", None, f"{NOT_COMPARABLE}: 4 and 12 users")
    assert compared(10, alike) == "b compared with a: no difference shown."
    assert compared(10, alike, users) == "b compared with a: no difference shown in median latency."


@pytest.mark.usefixtures("undrawn")
def test_throughput_of_different_numbers_of_users_is_not_compared(tmp_path: Path) -> None:
    fake = FakeRun(**SMALL, targets=("east", "west"), weights={"west": 3}, users=16)
    folder = write_fake_run(tmp_path, fake)
    page = write_report(folder).read_text()
    summary = json.loads((folder / "summary.json").read_text())
    found = summary["target_comparisons"][0]["throughput_tps"]
    assert found["verdict"] == "not comparable: 4 and 12 users"
    assert found["ratio"] is found["low"] is found["high"] is None
    assert found["other"] == pytest.approx(summary["targets"]["west"]["throughput_tps"])
    assert "throughput" not in summary["answer"]["lede"]
    assert "not comparable: 4 and 12 users" in page


@pytest.mark.usefixtures("undrawn")
def test_ratios_are_never_given_as_a_percentage_of_more(tmp_path: Path) -> None:
    """A ratio beside its interval, or nobody can tell what the ends are of."""
    fake = FakeRun(**SMALL, targets=("east", "west"), commit_ms={"west": 20.0})
    page = write_report(write_fake_run(tmp_path, fake)).read_text()
    caption = page.split('id="target-ratios"', 1)[1].split("</figcaption>", 1)[0]
    assert "west as a multiple of east: " in caption
    assert "% higher" not in caption


@pytest.mark.usefixtures("undrawn")
def test_the_terminal_has_two_lines_and_every_bad_verdict(tmp_path: Path) -> None:
    folder = write_fake_run(tmp_path, FakeRun(**SMALL))
    write_report(folder)
    bad = [v["text"] for v in summarise(folder)["verdicts"] if v["state"] == "bad"]
    assert bad
    assert answer_of(folder).splitlines()[2:] == bad


@pytest.mark.usefixtures("undrawn")
def test_the_terminal_says_what_is_broken_and_what_the_probes_found(tmp_path: Path) -> None:
    broken = {
        "target": "embedded", "key_type": "int", "what": "money conserved", "expected": "100.00",
        "found": "99.00", "negative": 0, "holds": False,
    }  # fmt: skip
    fake = FakeRun(**SMALL, run={"invariant": [broken]})
    folder = write_fake_run(tmp_path, fake)
    run = json.loads((folder / "run.json").read_text())
    run["config"]["consistency"] = 0.25
    (folder / "run.json").write_text(json.dumps(run))
    write_report(folder)
    lines = answer_of(folder).splitlines()
    assert lines[2].startswith("Broken: money conserved.")
    assert "found 99.00" in lines[2]
    assert any(line.startswith("Consistency: The endpoints were to be probed") for line in lines[3:])
