"""`occbench predict`: the options and, with `--from`, a run's record become workloads and forecasts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loadtest.config.options import as_command, options_of
from loadtest.errors import InputError
from loadtest.prediction.config import PredictConfig

if TYPE_CHECKING:
    from loadtest.prediction.answer import Answer
    from loadtest.prediction.workload import Workload
    from reports.statistics.prediction.calibration import Calibration


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("predict")(as_command(options_of(PredictConfig), _predict))


def _predict(
    *,
    from_run: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A run's folder to take times and settings from; the options change them.",
            metavar="RUN",
            show_default="none",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; docs/results-format.md describes it.")
    ] = False,
    **options: Any,
) -> None:
    """Predict conflicts and the cost of retries, without a run.

    Every figure comes with the range in which it is expected. With `--from` a run's times are used,
    and its conflicts narrow the range.

    Examples:

    `occbench predict --accounts 1000 --rate 909 --latency-ms 20.12`

    `occbench predict --accounts 1000000 --users 256 --think-time 50ms --latency-ms 40 --skew zipf:0.8`

    `occbench predict --from results/20260101-120000-transfer --users 512 --commit-delay-ms 12,35`
    """
    config = PredictConfig.read(**options)
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    answers = [_from_options(config)] if from_run is None else _from_run(config, from_run)
    if as_json:
        told = {"format": 1, "forecasts": [answer.as_json() for answer in answers]}
        print(json.dumps(told, indent=2))
        return
    for number, answer in enumerate(answers):
        if number:
            console.print()
        answer.print(console)


def _from_options(config: PredictConfig) -> "Answer":
    """The answer where the command line says everything."""
    policies = config.policies()
    workloads = {name: config.workload(policy) for name, policy in policies.items()}
    return _answer(config, workloads)


def _from_run(config: PredictConfig, folder: Path) -> list["Answer"]:
    """An answer for each key type of the run."""
    for name in ("latency_ms", "attempt_ms", "spread"):
        if getattr(config, name) is not None:
            flag = "--" + name.replace("_", "-")
            raise InputError(f"{flag} cannot go with --from: the times are those of the run")
    from loadtest.prediction.workload import with_delays
    from reports.statistics.prediction.calibration import read_calibration

    calibration = read_calibration(folder)
    unknown = [key for key in config.keys if key not in calibration.key_types]
    if unknown:
        raise InputError(
            f"--keys: {folder} has no {unknown[0]}, only {', '.join(calibration.key_types)}"
        )
    policies = config.policies(calibration.retry)
    answers = []
    for key in config.keys or calibration.key_types:
        changed = calibration.workload(
            key,
            accounts=config.accounts,
            skew=config.skew,
            users=config.users,
            rate=config.rate,
            think_s=config.think_time,
        )
        regions = with_delays(changed.regions, config.commit_delay_ms, calibration.delays_ms(key))
        if config.arrivals is not None:
            changed = replace(changed, evenly=config.arrivals == "even")
        workloads = {
            name: replace(changed, regions=regions, retry=policy) for name, policy in policies.items()
        }
        answers.append(_answer(config, workloads, calibration, key))
    return answers


def _answer(
    config: PredictConfig,
    workloads: dict[str, "Workload"],
    calibration: "Calibration | None" = None,
    key: str | None = None,
) -> "Answer":
    from loadtest.prediction.answer import Answer, Measured
    from loadtest.prediction.forecast import forecast
    from loadtest.prediction.formula import predict

    forecasts = {name: forecast(workload) for name, workload in workloads.items()}
    workload = next(iter(workloads.values()))
    formula = None
    if calibration is None and config.rate is not None and not config.commit_delay_ms:
        formula = predict(workload.law, config.rate, (config.latency_ms or 0.0) / 1000)
    measured = None
    if calibration is not None and key is not None:
        known = calibration.key_types[key]
        measured = Measured(
            calibration.folder, key, known.conflict_rate, known.conflicts, known.throughput_tps,
            known.explained, calibration.retry.name, calibration.notes,
        )  # fmt: skip
    skew = config.skew or (calibration.skew if calibration else "uniform")
    return Answer(workload, skew, forecasts, formula, measured)
