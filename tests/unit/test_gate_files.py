"""What gates write and print: JUnit, Markdown, the terminal."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.cli.gating import Gating
from loadtest.errors import InputError
from reports.gates.conditions import parse_condition
from reports.gates.job_summary import gates_markdown, to_markdown
from reports.gates.judge import Judged, Subject, Unmeasured, judge
from reports.gates.junit import to_junit
from tests.gate_summaries import REGIONS, TWO_KEYS, slice_of, summary_of


def parsed(document: str) -> Xml.Element:
    return Xml.fromstring(document)  # noqa: S314 - our own


def files(*subjects: Subject, conditions: tuple[str, ...]) -> tuple[list[Judged], Xml.Element, str]:
    found = [judge([parse_condition(text) for text in conditions], subject) for subject in subjects]
    return found, parsed(to_junit(found)), to_markdown(found)


def test_junit_counts_what_it_holds() -> None:
    broken = summary_of(
        {"int": slice_of()}, invariant={"holds": False},
        verdicts=[{"about": "invariant", "state": "bad", "text": "3 <appeared> & vanished"}],
    )  # fmt: skip
    unknown = summary_of({"int": slice_of()}, invariant={"holds": None})
    _, root, _ = files(
        Subject("one", TWO_KEYS), Subject("two", broken), Subject("three", unknown),
        conditions=("p99 > 50ms", "overall.throughput < 1"),
    )  # fmt: skip
    assert {name: root.get(name) for name in ("tests", "failures", "skipped", "errors")} == {
        "tests": "10", "failures": "2", "skipped": "1", "errors": "0",
    }  # fmt: skip
    one, two, three = root
    assert [(suite.get("name"), suite.get("tests")) for suite in root] == [
        ("one", "4"), ("two", "3"), ("three", "3"),
    ]  # fmt: skip
    assert [case.get("name") for case in one] == [
        "p99 > 50ms (int)", "p99 > 50ms (uuid)", "overall.throughput < 1", "invariant",
    ]  # fmt: skip
    failed = one.findall("testcase/failure")
    assert [f.get("message") for f in failed] == [
        "p99 is 60.0\N{NO-BREAK SPACE}ms, above the limit of 50\N{NO-BREAK SPACE}ms"
    ]
    invariant = two.find("testcase[@name='invariant']/failure")
    assert invariant is not None
    assert invariant.get("message") == "3 <appeared> & vanished"
    assert three.find("testcase[@name='invariant']/skipped") is not None
    assert [f.text for f in failed] == [f.get("message") for f in failed], "GitLab shows the text"
    assert one.get("time") == "10.000"


def test_what_is_not_known_is_a_failed_case() -> None:
    few = summary_of({"int": slice_of(p99=None)})
    _, root, text = files(Subject("a run", few), conditions=("p99 > 50ms",))
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message") == "p99: nothing was counted"
    (_, gates) = tables(text)
    assert gates[2] == ["❌ **missed**", "`p99 > 50ms`", "int", "not known", "nothing was counted"]


@given(st.text(max_size=40))
def test_junit_holds_any_name(name: str) -> None:
    _, root, _ = files(Subject(name, TWO_KEYS), conditions=("p99 > 50ms",))
    assert len(root) == 1


def test_markdown_is_one_table_of_figures_and_one_of_gates() -> None:
    base = summary_of({"int": slice_of(tps=1000), "uuid": slice_of(tps=500, give_ups=3)})
    (found,), _, text = files(
        Subject("a run", TWO_KEYS, base, notes=("The base ran elsewhere.",)),
        conditions=("p99 > 50ms", "throughput < base - 10%"),
    )
    assert not found.passed
    assert text.startswith("## ❌ A headline.\n\nA lede.")
    figures, gates = tables(text)
    assert figures[0][1:] == ["throughput", "conflict rate", "retry rate", "p50", "p99", "give-ups"]
    assert [row[0] for row in figures[2:]] == ["int", "uuid"]
    assert figures[2][1] == "500/s (−50\N{NO-BREAK SPACE}%)"
    assert figures[3][1] == "500/s (±0\N{NO-BREAK SPACE}%)"
    assert figures[3][6] == "10 (was 3)"
    assert [row[0] for row in gates[2:]] == ["❌ **missed**"] * 2 + ["✅ held"] * 2
    assert "### Gates: 2 of 4 missed" in text
    assert text.endswith("- The base ran elsewhere.\n")
    held = files(Subject("a run", TWO_KEYS), conditions=("p99 > 1s",))[2]
    assert held.startswith("## A headline.")
    assert "### Gates: all 2 held" in held
    assert "brackets" not in held
    assert gates_markdown([judge([], Subject("a run", TWO_KEYS))]) == ""


def tables(text: str) -> list[list[list[str]]]:
    """Every table of a page as rows of cells; its rows must have as many cells as its head."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("| ") and line.endswith(" |"):
            if not inside:
                found.append([])
            found[-1].append([cell.strip() for cell in line[2:-2].replace(r"\|", "¦").split(" | ")])
        inside = line.startswith("|")
    for table in found:
        assert len({len(row) for row in table}) == 1, table
    return found


def test_several_runs_in_one_markdown() -> None:
    _, _, text = files(
        Subject("users=8|x", TWO_KEYS), Subject("users=32 *y*", REGIONS), conditions=("p99 > 50ms",)
    )
    figures, gates = tables(text)
    assert len(figures) == 2 + 2 + 4
    assert len(gates) == 2 + 2 + 4
    assert figures[2][:2] == ["users=8¦x", "int"]
    assert r"users=32 \*y\*, west.uuid" in text


def test_a_sweep_has_one_answer_and_as_many_rows_as_matter() -> None:
    subjects = [Subject(f"point {n}", TWO_KEYS) for n in range(80)]
    found = [
        judge([parse_condition("uuid.p99 > 50ms"), parse_condition("p50 > 1s")], s) for s in subjects
    ]
    text = to_markdown(found, "It hurts | from 8 users.\nMore *words*.")
    assert text.startswith("## ❌ It hurts \\| from 8 users.\n\nMore \\*words\\*.\n\n| run |")
    assert "A headline" not in text
    _, gates = tables(text)
    assert len(gates) == 2 + 100
    assert sum("missed" in row[0] for row in gates[2:]) == 80
    assert "And 140 more gates, all held." in text


def test_no_page_is_too_long_for_a_job() -> None:
    """GitHub shows nothing of a summary above 1 MB; here are 2,000 points in trouble and one missed."""
    troubled = summary_of(
        TWO_KEYS["key_types"],
        verdicts=[{"about": "generator", "state": "bad", "text": "The generator was the limit."}],
    )
    subjects = [Subject(f"users {n}, skew zipf:1.1", troubled) for n in range(2000)]
    subjects.append(Subject("the missed one", summary_of({"int": slice_of(p99=10**6)})))
    found = [judge([parse_condition("p99 > 1s")], subject) for subject in subjects]
    gone = [Unmeasured(f"point {n}", "no luck", n % 2 == 0) for n in range(2000)]
    text = to_markdown(found, "All.", gone)
    assert len(text.encode()) < 200_000
    assert "**1,000 runs failed, 1,000 runs still to be measured**" in text
    figures, gates = tables(text)
    assert figures[2][0] == gates[2][2].partition(",")[0] == "the missed one"
    assert text.count("- and 1,900 more") == 2
    assert "And 3,901 more rows." in text
    assert len(to_markdown(found).encode()) < 200_000


def test_what_was_not_measured_is_no_green_suite(tmp_path: Path) -> None:
    gone = [
        Unmeasured("users 8", "target x: gone", failed=True),
        Unmeasured("users 32", "not measured yet", failed=False),
    ]
    files: dict[str, Any] = {"junit": tmp_path / "gates.xml", "markdown": tmp_path / "summary.md"}
    for path in files.values():
        path.write_text("of the run before")
    held = Subject("users 1", TWO_KEYS)
    gating = Gating.read(fail_on=["p99 > 1s"], **files)
    for subjects in ([held], []):
        assert gating.conclude(subjects, answer="Some.", unmeasured=gone) == 0
        root = parsed(files["junit"].read_text())
        counts = {name: root.get(name) for name in ("failures", "errors", "skipped")}
        assert counts == {"failures": "0", "errors": "1", "skipped": "1"}
        error = root.find("testsuite[@name='users 8']/testcase/error")
        assert error is not None
        assert error.get("message") == error.text == "target x: gone"
        assert root.find("testsuite[@name='users 32']/testcase/skipped") is not None
        text = files["markdown"].read_text()
        assert text.startswith(
            "## ❌ Some.\n\n**1 run failed, 1 run still to be measured**\n\n- ❌ users 8: "
        )
    gating.conclude([held], answer="Some.", unmeasured=gone[1:])
    assert files["markdown"].read_text().startswith("## Some.\n\n**1 run still")


def test_files_are_checked_before_the_load(tmp_path: Path) -> None:
    made = Gating.read(junit=tmp_path / "new" / "deep" / "gates.xml")
    assert made.junit is not None
    assert made.junit.parent.is_dir()
    with pytest.raises(InputError, match=r"--markdown: .* is a folder"):
        Gating.read(markdown=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--junit: no folder"):
        Gating.read(junit=tmp_path / "file" / "gates.xml")


def test_conclude_prints_every_gate_and_writes_the_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    junit, markdown = tmp_path / "gates.xml", tmp_path / "summary.md"
    gating = Gating.read(
        fail_on=["p99 > 50ms", "uuid.throughput<1"], junit=junit, markdown=markdown, has_base=True
    )
    assert gating.conclude([Subject("a", TWO_KEYS)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Gates: 1 of 3 missed"
    assert [line.split()[0] for line in lines[1:]] == ["held", "MISSED", "held"]
    assert "60.0\N{NO-BREAK SPACE}ms  limit 50\N{NO-BREAK SPACE}ms" in lines[2]
    assert parsed(junit.read_text()).get("failures") == "1"
    assert markdown.read_text().startswith("## ❌ A headline.")
    assert gating.conclude([Subject("a", TWO_KEYS)], markdown="# My own\n") == 1
    assert markdown.read_text().startswith("# My own\n\n### Gates: 1 of 3 missed")
    assert Gating.read(fail_on=["p99 > 61ms"]).conclude([Subject("a", TWO_KEYS)]) == 0
    capsys.readouterr()
    assert Gating.read().conclude([Subject("a", TWO_KEYS)]) == 0
    assert capsys.readouterr().out == ""


def test_markdown_to_the_terminal_or_through_a_link(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Gating.read(markdown="/dev/stdout").conclude([Subject("a", TWO_KEYS)])
    assert capsys.readouterr().out.startswith("## A headline.")
    assert Path("/dev/stdout").is_symlink()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("old")
    Gating.read(markdown=tmp_path / "link").conclude([Subject("a", TWO_KEYS)])
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text().startswith("## A headline.")


def test_one_file_for_both_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="name two files"):
        Gating.read(junit="x", markdown=tmp_path / "x")


def test_files_are_written_though_nobody_reads_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*words: object) -> None:
        raise BrokenPipeError

    gating = Gating.read(
        fail_on=["p99 > 1s"], junit=tmp_path / "gates.xml", markdown=tmp_path / "summary.md"
    )
    monkeypatch.setattr("builtins.print", gone)
    with pytest.raises(BrokenPipeError):
        gating.conclude([Subject("a", TWO_KEYS)], first="An answer.")
    assert (tmp_path / "gates.xml").is_file()
    assert (tmp_path / "summary.md").is_file()
