"""What a reader must know before believing the figures, each in one line."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.record.attempt import Outcome
from loadtest.record.run import Target
from reports.analysis.consistency import reading
from reports.analysis.figures import Figures
from reports.analysis.shares import FELT
from reports.statistics.certainty import conflict_rate, counted_share
from reports.statistics.model import Model
from reports.statistics.prediction.in_band import place_in_band
from reports.statistics.service import Service
from reports.text.rounding import about, between, count, milliseconds, plural, seconds
from reports.text.verdict import State, Verdict
from reports.verdicts.gaps import gap_verdicts
from reports.verdicts.pacing import pacing_verdict, schedule_kept
from reports.verdicts.samples import few_conflicts
from reports.verdicts.users import users_verdict
from reports.verdicts.warmup import warmup_verdicts

__all__ = ["GeneratorCheck", "Verdict", "generator_check", "regimes", "schedule_kept", "verdicts"]

CPU_NEAR_FULL = 0.9
"""Share of a core above which a generator process has nothing left to give."""
LAG_SHARE = 0.25
"""Event-loop lag, as a share of the latency of the same percentile, that figures cannot carry."""
LAG_FELT_MS = 1.0
"""Lag below this is never the point."""
WIDEST_BAND = 20.0
"""High end / low end from which a band holds so much that lying inside it says nothing."""


@dataclass(frozen=True, slots=True)
class GeneratorCheck:
    """Whether the tool itself was the limit; None where the run did not say."""

    was_limit: bool | None
    cpu_share: float | None
    lag_ms: float | None
    """The 99th percentile."""
    reasons: tuple[str, ...]
    tail_share: float | None
    """The lag's 99th percentile as a share of the latency's, or of the highest that is known."""


def generator_check(model: Model) -> GeneratorCheck:
    """Judge the generator processes by their share of a core and their event loop's lag.

    The lag is part of every latency. At the median it means that the tool was the limit; only in the
    tail, where all processes of a shared machine wait for a processor, it is said and no more.
    """
    generators = model.run.generators
    shares = [g.cpu_share for g in generators if g.cpu_share is not None]
    halves = [g.loop_lag_ms.p50 for g in generators if g.loop_lag_ms.p50 is not None]
    tails = [g.loop_lag_ms.p99 for g in generators if g.loop_lag_ms.p99 is not None]
    if not shares and not tails:
        return GeneratorCheck(None, None, None, (), None)
    share, half, tail = (max(found, default=None) for found in (shares, halves, tails))
    reasons = []
    if share is not None and share >= CPU_NEAR_FULL:
        reasons.append(f"its busiest process used {about(share)} of a core")
    # Lag is the same for every target, and felt most where the least time is measured.
    latency = min((f.latency for f in model.targets.values()), key=lambda d: d.p50 or math.inf)
    if half is not None and latency.p50 and half >= LAG_FELT_MS and half > LAG_SHARE * latency.p50:
        reasons.append(
            f"its event loop ran late by {milliseconds(half)}, against a latency of "
            f"{milliseconds(latency.p50)} (medians)"
        )
    # A short run has no p99; its lag must not go unsaid for that.
    slow = latency.p99 or latency.p95 or latency.p90 or latency.p50
    tail_share = tail / slow if tail is not None and slow and tail >= LAG_FELT_MS else None
    return GeneratorCheck(bool(reasons), share, tail, tuple(reasons), tail_share)


def verdicts(model: Model, service: Service | None = None) -> list[Verdict]:
    """Every verdict of a run, in the order of the report: what is bad comes first."""
    found = [_simulated() if model.run.simulated else _invariant(model), *_stand_ins(model)]
    if model.regions is None or model.regions.pooled:
        found += [
            _band(name, figures, regimes(model), model.run.targets)
            for name, figures in model.key_types.items()
            if figures.committed
        ]
    found += [*_bands_by_target(model), *gap_verdicts(model)]
    if model.overall.committed:
        found += [*few_conflicts(model), *warmup_verdicts(model)]
    if not model.run.simulated:
        found += [*users_verdict(model), _generator(model), *_reports(model)]
    found += _record(model)
    found.append(pacing_verdict(model))
    found += [*_consistency(model), *_failures(model), *_capacity(model), *_service(model, service)]
    not_durable = [t.name for t in model.run.targets if t.durable is False]
    if not_durable and not model.run.simulated:
        found.append(
            Verdict(
                "durability",
                "bad",
                f"Durability was off on {', '.join(not_durable)}: "
                "commits were not safe on disk, and were faster for it.",
            )
        )
    if model.run.interrupted:
        found.append(
            Verdict(
                "interrupted",
                "note",
                f"The run was interrupted after {seconds(model.measured_s)} of measuring; "
                "the figures cover that time.",
            )
        )
    return sorted(found, key=lambda verdict: verdict.state != "bad")


def _simulated() -> Verdict:
    """What to say in the place of everything that only a database can be asked."""
    return Verdict(
        "simulated",
        "note",
        "Simulated: no database was there. The figures are those of the model, and true of a database "
        "only as far as it behaves like the model.",
    )


def _invariant(model: Model) -> Verdict:
    checks = model.run.invariant
    if not checks:
        return Verdict(
            "invariant", "note", "The invariant was not checked: the run ended before it could be."
        )
    broken = [check for check in checks if check.holds is False]
    unknown = [check for check in checks if check.holds is None]
    what = ", ".join(dict.fromkeys(check.what for check in checks))
    if not broken and unknown:
        why = f" ({unknown[0].why})" if unknown[0].why else ""
        # Nobody was asked to keep a total that nobody knows.
        state: State = "note" if all(check.expected is None for check in unknown) else "bad"
        return Verdict("invariant", state, f"{_sentence(what)}: could not be checked{why}.")
    if not broken:
        return Verdict("invariant", "good", f"{_sentence(what)}: checked on every table, it holds.")
    first = broken[0]
    where = ", ".join(x for x in (first.target, first.key_type) if x)
    parts = [f"{where}: " if where else "", f"expected {first.expected}, found {first.found}"]
    if first.negative:
        parts.append(f", {plural(first.negative, 'balance')} below zero")
    ambiguous = model.overall.outcomes.get(Outcome.AMBIGUOUS, 0)
    if ambiguous:
        parts.append(f"; {plural(ambiguous, 'attempt')} ended ambiguous")
    return Verdict("invariant", "bad", f"Broken: {first.what}. {_sentence(''.join(parts))}.")


def _stand_ins(model: Model) -> list[Verdict]:
    """Targets that only stand for the system whose name they have."""
    names = [target.name for target in model.run.targets if target.is_stand_in]
    if not names:
        return []
    return [
        Verdict(
            "stand-in",
            "note",
            f"{', '.join(names)}: DynamoDB Local runs transactions one after another, so it never "
            "answers TransactionConflict, and it counts capacity in its own way. Its figures say "
            "little about DynamoDB, and no cost is computed from them.",
        )
    ]


def _service(model: Model, service: Service | None) -> list[Verdict]:
    """Figures of the service itself that are still to come."""
    if not any(t.is_counted_by_service for t in model.run.targets):
        return []
    if service is not None and service.complete:
        return []
    return [
        Verdict(
            "service",
            "note",
            "CloudWatch's figures had not all arrived when this was written; "
            "`occbench report --refresh RUN` fetches them.",
        )
    ]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def regimes(model: Model) -> set[str]:
    """The concurrency regimes of the run's targets."""
    return {t.regime for t in model.run.targets if t.regime}


def _bands_by_target(model: Model) -> list[Verdict]:
    """Targets whose conflict rate is out of their own band. Those inside need no line each, unless
    they are different databases, of which there is no line together.
    """
    regions = model.regions
    if regions is None:
        return []
    known = {t.name: t for t in model.run.targets}
    found = []
    for name, figures in model.targets.items():
        if not figures.committed:
            continue
        if not regions.databases.settled(regions.codes[name]):
            text = f"{name}: no conflict rate is predicted, for it may share its data with another."
            found.append(Verdict(f"prediction, {name}", "note", text))
            continue
        here = (known[name],) if name in known else ()
        found.append(_band(name, figures, {t.regime for t in here if t.regime}, here))
    return [verdict for verdict in found if verdict.state == "bad" or not regions.pooled]


def _band(name: str, figures: Figures, regimes: set[str], targets: Sequence[Target]) -> Verdict:
    subject = f"prediction, {name}"
    low, high, place = figures.predicted_low, figures.predicted_high, place_in_band(figures)
    if low is None or high is None or place is None:
        return Verdict(
            subject,
            "note",
            f"{name}: no conflict rate could be predicted (it needs a scenario whose accesses are "
            "known, and a target that shows when COMMIT was sent).",
        )
    text = f"{name}: {conflict_rate(figures)} of attempts conflicted, {between(low, high)} predicted"
    if "locking" in regimes:
        return Verdict(
            subject,
            "note",
            f"{text}. The formula is for optimistic commits; under row locks it is no test.",
        )
    if place == "below":
        said = "Below the band: conflicts may not have been counted."
        return Verdict(subject, "bad", f"{text}. {said}")
    if place == "above":
        return Verdict(subject, "bad", f"{text}. Above the band: something else contends.")
    if high > WIDEST_BAND * low:
        said = f"The band is too wide to test anything: {_why_wide(targets)}."
        return Verdict(subject, "note", f"{text}. {said}")
    where = "inside" if place == "inside" else "at the edge of"
    return Verdict(subject, "good", f"{text}: {where} the band.")


def _why_wide(targets: Sequence[Target]) -> str:
    """What hides the moment of the decision."""
    if any(target.commit_delay_ms and not target.decides_after_s for target in targets):
        return "when within the commit delay an attempt is decided cannot be seen from outside"
    if any(target.family == "dynamodb" for target in targets):
        return (
            "an attempt is two requests, and when within each of them it is served cannot be seen "
            "from outside"
        )
    return (
        "an attempt begins somewhere within its first statement and is decided somewhere within "
        "COMMIT, and where cannot be seen from outside"
    )


def _generator(model: Model) -> Verdict:
    check = generator_check(model)
    if check.was_limit is None:
        return Verdict("generator", "note", "The run does not say how busy the tool itself was.")
    if check.was_limit:
        return Verdict(
            "generator",
            "bad",
            f"The tool was the limit: {' and '.join(check.reasons)}. "
            "Use more processes, fewer users or a machine of its own before judging the database.",
        )
    facts = []
    if check.cpu_share is not None:
        facts.append(f"its busiest process used {about(check.cpu_share)} of a core")
    if check.lag_ms is not None:
        facts.append(f"its event loop ran at most {milliseconds(check.lag_ms)} late (p99)")
    if check.tail_share is not None and check.tail_share > LAG_SHARE:
        return Verdict(
            "generator",
            "note",
            f"The tool was not the limit, but felt: {', '.join(facts)}, which is "
            f"{about(check.tail_share)} of the latency of slow transactions. Look at the median rather "
            "than the tail.",
        )
    return Verdict("generator", "good", f"The tool was not the limit: {', '.join(facts)}.")


def _reports(model: Model) -> list[Verdict]:
    """Load processes, and attempts, of which the record is not whole."""
    found = []
    asked, reported = model.run.config.processes or 0, len(model.run.generators)
    if reported < asked:
        they = "it" if asked - reported == 1 else "they"
        found.append(
            Verdict(
                "processes",
                "bad",
                f"{count(asked - reported)} of {count(asked)} load process{'es' if asked > 1 else ''} "
                f"did not report: {they} died, and what {they} measured last is missing.",
            )
        )
    lost = sum(g.lost_attempts or 0 for g in model.run.generators)
    if lost:
        found.append(
            Verdict(
                "lost attempts",
                "bad",
                f"{plural(lost, 'attempt')} could not be written, and "
                f"{'is' if lost == 1 else 'are'} in no figure.",
            )
        )
    return found


def _record(model: Model) -> list[Verdict]:
    """Files of attempts that are not the run's, and those of the run that are not there."""
    record, found = model.record, []
    if record.incomplete_said:
        found.append(Verdict("record", "bad", record.incomplete_said))
    if record.left_out_said:
        found.append(Verdict("other files", "note", record.left_out_said))
    return found


def _consistency(model: Model) -> list[Verdict]:
    """Whether endpoints of one database showed what was committed through the others."""
    found = model.consistency
    if found is None:
        if model.run.config.consistency is None:
            return []
        text = "The endpoints were to be probed for consistency, but no record of that is there."
        return [Verdict("consistency", "bad", text)]
    good = found.overall.made > 0 and not found.overall.stale
    return [Verdict("consistency", "good" if good else "bad", reading(found))]


def _capacity(model: Model) -> list[Verdict]:
    """Capacity that was charged for and is in no figure."""
    capacity = model.overall.capacity
    if capacity is None or not capacity.unsaid or capacity.cost_usd is None:
        return []
    return [
        Verdict(
            "capacity",
            "note",
            f"Of {plural(capacity.unsaid, 'failed attempt')} the service did not say the capacity, and "
            "DynamoDB charges for failed writes as well: the real cost is higher than the one given.",
        )
    ]


def _failures(model: Model) -> list[Verdict]:
    """Errors, give-ups and unfinished transactions, where there were any."""
    overall, found = model.overall, []
    errors = sum(overall.errors_by_outcome.values())
    if errors:
        kinds = ", ".join(f"{count(n)} {o}" for o, n in overall.errors_by_outcome.items())
        found.append(
            Verdict(
                "errors",
                "bad",
                f"{counted_share(errors, overall.attempts)} of attempts ended in an error that is no "
                f"conflict: {kinds}.",
            )
        )
    if overall.failed >= FELT * overall.transactions and overall.failed:
        share = counted_share(overall.failed, overall.transactions)
        most = 2 * overall.failed > overall.transactions
        found.append(
            Verdict(
                "failures",
                "bad",
                f"{'Most' if most else 'Some'} transactions failed ({share}), which says nothing of "
                "how the database handles contention: latency and rates are those of the others.",
            )
        )
    if overall.refused >= FELT * overall.transactions and overall.refused:
        share = counted_share(overall.refused, overall.transactions)
        found.append(
            Verdict(
                "refused",
                "note",
                f"{share} of transactions were refused by the scenario's own rule: latency and rates "
                "are those of the others.",
            )
        )
    if overall.unfinished:
        found.append(
            Verdict(
                "unfinished",
                "note",
                f"{plural(overall.unfinished, 'transaction')} had not ended when the run did: "
                "attempts made count, latency is unknown.",
            )
        )
    return found
