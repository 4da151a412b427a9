"""Consistency probes: what counts as stale, how they are kept, and what the report makes of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.config.options import options_of
from loadtest.config.run import RunConfig
from loadtest.errors import InputError
from loadtest.locust.arguments import locust_arguments, to_locust
from loadtest.record.probes import FILE, Probe, is_stale, ordered_pairs, read_probes, write_probes
from reports import write_report
from reports.analysis.consistency import (
    Consistency,
    find_consistency,
    longest,
    reading,
    share_at_most,
    summarise,
)
from tests.run_folders import FakeRun, write_fake_run

NS = st.integers(0, 10**10)
FRESH = st.builds(
    Probe, st.sampled_from("ab"), st.sampled_from("cd"), NS, NS, NS, st.none(), st.just(True),
    st.just(False),
)  # fmt: skip
STALE = st.builds(
    Probe, st.sampled_from("ab"), st.sampled_from("cd"), NS, NS, NS, NS, st.booleans(), st.just(False)
)
FAILED = st.builds(
    Probe, st.sampled_from("ab"), st.sampled_from("cd"), NS, st.none() | NS, st.none(), st.none(),
    st.just(False), st.just(True),
)  # fmt: skip
PROBES = st.lists(FRESH | STALE | FAILED, max_size=40)

ONE = Probe("east", "west", 100, 20_000_000, 2_000_000, None, seen=True, failed=False)
LATE = Probe("west", "east", 200, 20_000_000, 1_000_000, 320_000_000, seen=True, failed=False)
LOST = Probe("west", "east", 300, None, None, None, seen=False, failed=True)


# What is stale


@given(st.integers(0, 2**62), st.integers(1, 2**62))
def test_only_what_is_older_is_stale(found: int, written: int) -> None:
    assert is_stale(found, written) == (found < written)
    assert is_stale(None, written), "the row was there before"


@given(st.integers(0, 12))
def test_every_ordered_pair_once(endpoints: int) -> None:
    pairs = ordered_pairs(endpoints)
    assert len(pairs) == len(set(pairs)) == endpoints * max(endpoints - 1, 0)
    assert all(writer != reader for writer, reader in pairs)


# How probes are kept


@given(PROBES, st.integers(0, 2**60))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, probes: list[Probe], anchor_ns: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_probes(folder, probes, anchor_ns)
    assert [path.name for path in folder.iterdir()] == [FILE]
    found = read_probes(folder)
    assert found is not None
    assert [probe.at_ns for probe in found] == sorted(probe.at_ns + anchor_ns for probe in probes)
    assert set(found) == {replace(probe, at_ns=probe.at_ns + anchor_ns) for probe in probes}


def test_a_run_without_probes_has_no_file(tmp_path: Path) -> None:
    assert read_probes(tmp_path) is None
    assert find_consistency(tmp_path) is None


def test_a_file_that_cannot_be_written_is_not_there_in_part(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_probes(tmp_path / "gone", [ONE], 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"PAR1 and nothing else", None])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        write_probes(tmp_path, [ONE] * 50, 0)
        content = (tmp_path / FILE).read_bytes()[:-20]
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(InputError, match=r"consistency\.parquet is damaged; delete it"):
        find_consistency(tmp_path)


# What they say


@given(PROBES)
def test_every_probe_is_in_one_count(probes: list[Probe]) -> None:
    found = summarise(probes)
    whole = found.overall
    failed = [probe for probe in probes if probe.failed]
    stale = [probe for probe in probes if probe.stale_ns is not None]
    assert (whole.failed, whole.stale, whole.made) == (
        len(failed),
        len(stale),
        len(probes) - len(failed),
    )
    assert whole.never_seen == sum(not probe.seen for probe in stale)
    assert whole.read_ms.samples == whole.made
    for name in ("made", "stale", "failed", "never_seen"):
        assert sum(getattr(pair, name) for pair in found.pairs.values()) == getattr(whole, name)
    if stale:
        assert whole.longest_stale_ms == max(probe.stale_ns or 0 for probe in stale) / 1e6
        assert whole.longest_stale_ms == max(p.longest_stale_ms or 0 for p in found.pairs.values())
    else:
        assert whole.longest_stale_ms is None
    assert ("none stale" in reading(found)) == (whole.made > 0 and not stale)


@given(st.integers(1, 10**6))
def test_the_bound_is_one_that_none_in_so_many_leaves_believable(made: int) -> None:
    """A share of stale reads above it would have shown itself with more than 95 % probability."""
    bound = share_at_most(made)
    assert 0 < bound <= 1
    assert (1 - bound) ** made <= 0.05
    # And it is not far above the exact one.
    assert bound <= 1.6 * (1 - 0.05 ** (1 / made))


def test_the_sentence() -> None:
    text = reading(summarise([ONE] * 612))
    assert "612 probes, none stale" in text
    assert "at most 0.490\N{NO-BREAK SPACE}%" in text
    assert "failed" not in text
    text = reading(summarise([ONE] * 610 + [LATE, LATE, LOST]))
    assert "2 of 612 probes stale" in text
    assert "320\N{NO-BREAK SPACE}ms at worst (written through west, read through east)" in text
    assert "1 more probe failed" in text
    assert "No probe could say" in reading(summarise([LOST]))
    assert "No probe could say" in reading(summarise([]))


def test_staleness_without_an_end_is_a_lower_bound() -> None:
    def said(*probes: Probe) -> str:
        return longest(summarise(probes).overall)

    assert said(ONE) == "—"
    assert said(LATE) == "320\N{NO-BREAK SPACE}ms"
    assert said(LATE, replace(LATE, seen=False)).startswith("at least ")


# The report


def reported(folder: Path, probes: list[Probe] | None, **config: Any) -> tuple[dict[str, Any], str]:
    fake = FakeRun(targets=("east", "west"), duration_s=4, tps=200, accounts=100)
    write_fake_run(folder, fake)
    facts = json.loads((folder / "run.json").read_text())
    facts["config"] |= config
    (folder / "run.json").write_text(json.dumps(facts))
    if probes is not None:
        write_probes(folder, probes, 0)
    page = write_report(folder).read_text()
    return json.loads((folder / "summary.json").read_text()), page


def verdict(summary: dict[str, Any]) -> dict[str, str] | None:
    return next((dict(v) for v in summary["verdicts"] if v["about"] == "consistency"), None)


def test_a_report_without_probes_says_nothing_of_them(tmp_path: Path) -> None:
    summary, page = reported(tmp_path, None)
    assert "consistency" not in summary
    assert verdict(summary) is None
    assert 'id="consistency"' not in page


def test_a_report_with_probes(tmp_path: Path) -> None:
    summary, page = reported(tmp_path, [ONE] * 1200 + [replace(LATE, stale_ns=None), LOST])
    found = verdict(summary)
    assert found is not None
    assert found["state"] == "good"
    assert found["text"] in page
    consistency = summary["consistency"]
    assert consistency["probes"] == 1201
    assert consistency["stale"] == 0
    assert consistency["failed"] == 1
    assert "longest_stale_ms" not in consistency, "what was not measured is absent"
    assert consistency["read_ms"]["p99"] == 2.0
    pairs = {(pair["writer"], pair["reader"]): pair for pair in consistency["pairs"]}
    assert pairs["east", "west"]["probes"] == 1200
    assert pairs["west", "east"]["failed"] == 1
    assert "Consistency between endpoints" in page
    assert "east → west" in page
    assert "too few" in page


def test_stale_probes_are_bad_news(tmp_path: Path) -> None:
    summary, page = reported(tmp_path, [ONE] * 9 + [LATE])
    found = verdict(summary)
    assert found is not None
    assert found["state"] == "bad"
    assert summary["consistency"]["longest_stale_ms"] == 320
    assert summary["consistency"]["stale"] == 1
    assert "1 of 10 probes stale" in page


def test_probes_that_are_missing_are_bad_news(tmp_path: Path) -> None:
    for number, probes in enumerate((None, [], [LOST])):
        summary, _ = reported(tmp_path / str(number), probes, consistency=0.25)
        found = verdict(summary)
        assert found is not None
        assert found["state"] == "bad"


def test_figures_read_as_a_dictionary_do_not_depend_on_the_order_of_probes() -> None:
    probes = [ONE, LATE, LOST, replace(ONE, writer="west", reader="east")]
    found: Consistency = summarise(probes)
    assert found == summarise(probes[::-1])


# The option


@pytest.mark.parametrize("text", ["250ms", "0.25", 0.25])
def test_the_option(text: object) -> None:
    config = RunConfig.read(target=("a=embedded", "b=embedded"), consistency=text)
    assert config.consistency == 0.25
    assert to_locust(config)["occ_consistency"] == "0.25"
    assert "--occ-consistency=0.25" in locust_arguments(config)


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_it_is_off_unless_asked_for(blank: object) -> None:
    assert RunConfig.read(consistency=blank).consistency is None
    option = next(o for o in options_of(RunConfig) if o.name == "consistency")
    assert (option.default, option.text, option.in_form) == ("never", "", True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": ("embedded",)}, ["--consistency", "at least two such targets", "--target"]),
        ({"consistency": "1ms"}, ["--consistency", "1ms", "0.01"]),
        ({"consistency": "often"}, ["--consistency", "'often'", "250ms"]),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        RunConfig.read(**({"target": ("a=embedded", "b=embedded"), "consistency": "1s"} | options))
    for word in words:
        assert word in str(refused.value)
