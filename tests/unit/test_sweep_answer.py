"""What a sweep says of its curves, in words."""

from dataclasses import replace
from pathlib import Path

from reports.charts.sweep.readings import of_figure
from reports.documents.sweep.answer import answer
from reports.statistics.sweep.knee import Knee, KneeState
from reports.statistics.sweep.study import Curve, read_study
from tests.sweep_folders import FakeSweep, write_fake_sweep


def _with_throughput(curve: Curve, changes: dict[int, float], knee: Knee) -> Curve:
    return replace(
        curve,
        knee=knee,
        places=tuple(
            replace(
                place,
                runs=tuple(
                    run.model_copy(update={"throughput_tps": run.throughput_tps * changes.get(i, 1.0)})
                    for run in place.runs
                ),
            )
            for i, place in enumerate(curve.places)
        ),
    )


def test_like_curves_have_no_two_knees(tmp_path: Path) -> None:
    """One curve by itself may show a knee and another none, and nothing tells them apart."""
    study = read_study(write_fake_sweep(tmp_path, FakeSweep(slower={}, noise=0.0)))
    one, other = study.curves
    found, none = Knee(KneeState.FOUND, 16, 4, 64), Knee(KneeState.ABOVE, low=64)
    like = replace(
        study, curves=(_with_throughput(one, {}, found), _with_throughput(other, {4: 1.05}, none))
    )
    lede = answer(like).lede
    assert "whether there is a knee is not clear" in lede.lower()
    assert "only int at 16 users shows one" in lede
    assert "no knee" not in lede
    apart = replace(like, curves=(like.curves[0], _with_throughput(other, {4: 1.5}, none)))
    assert "there seems to be no knee" in answer(apart).lede
    both = replace(
        like, curves=(like.curves[0], _with_throughput(other, {}, Knee(KneeState.FOUND, 4, 1, 64)))
    )
    assert "the knee seems to be between 4 and 16 users" in answer(both).lede.lower()


def test_a_single_known_point_is_said_once(tmp_path: Path) -> None:
    study = read_study(write_fake_sweep(tmp_path, FakeSweep(keys=("int",), pending=(1, 2, 3, 4))))
    text = of_figure(study, "p50_ms", {})
    assert text.endswith(", the only known point.")
    assert text.count("ms") == 1
