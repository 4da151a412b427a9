"""What the record shows of a run apart from its figures: invariant, probes, processes, failures."""

from collections.abc import Callable

from loadtest.record.outcome import Outcome
from loadtest.record.run import Target
from reports.analysis.consistency import reading
from reports.analysis.shares import FELT
from reports.statistics.certainty import counted_share
from reports.statistics.model import Model
from reports.statistics.service import Service
from reports.text.rounding import capital, count, plural
from reports.verdicts.rule import Case, where


def invariant(model: Model) -> list[Case]:
    """Whether the invariant of a measured run holds."""
    checks = model.run.invariant
    if model.run.simulated or not checks:
        return where(not model.run.simulated, "unchecked")
    what = capital(", ".join(dict.fromkeys(check.what for check in checks)))
    broken = next((check for check in checks if check.holds is False), None)
    if broken is not None:
        slices = ", ".join(name for name in (broken.target, broken.key_type) if name)
        how = f"{slices}: expected" if slices else "Expected"
        how = f"{broken.what}. {how} {broken.expected}, found {broken.found}"
        if broken.negative:
            how += f", {plural(broken.negative, 'balance')} below zero"
        if ambiguous := model.overall.outcomes.get(Outcome.AMBIGUOUS, 0):
            how += f"; {plural(ambiguous, 'attempt')} ended ambiguous"
        return where(True, "broken", how=how)
    unknown = [check for check in checks if check.holds is None]
    if not unknown:
        return where(True, "holds", what=what)
    why = f" ({unknown[0].why})" if unknown[0].why else ""
    # A total that is not known was not asked to be kept.
    asked = any(check.expected is not None for check in unknown)
    return where(True, "unknown" if asked else "unasked", what=what, why=why)


def probes(model: Model) -> list[Case]:
    """Whether endpoints of one database showed what was committed through the others."""
    probed = model.consistency
    if probed is None:
        return where(model.run.config.consistency is not None, "missing")
    fresh = probed.overall.made > 0 and not probed.overall.stale
    return where(True, "fresh" if fresh else "stale", text=reading(probed))


def processes(model: Model) -> list[Case]:
    """Load processes that did not report."""
    asked, reported = model.run.config.processes or 0, len(model.run.generators)
    return where(
        reported < asked and not model.run.simulated,
        missing=count(asked - reported),
        asked=f"{count(asked)} load process{'es' if asked > 1 else ''}",
    )


def lost_attempts(model: Model) -> list[Case]:
    """Attempts that could not be written."""
    lost = sum(g.lost_attempts or 0 for g in model.run.generators)
    text = f"{plural(lost, 'attempt')} could not be written, and {'is' if lost == 1 else 'are'}"
    return where(lost and not model.run.simulated, lost=text)


def errors(model: Model) -> list[Case]:
    """Attempts that ended in an error that is no conflict."""
    kinds = model.overall.errors_by_outcome
    return where(
        any(kinds.values()),
        share=counted_share(sum(kinds.values()), model.overall.attempts),
        kinds=", ".join(f"{count(number)} {outcome}" for outcome, number in kinds.items()),
    )


def lost_share(model: Model, lost: int) -> list[Case]:
    """A share of transactions that failed, or were refused, which is felt: some of them or most."""
    ended = model.overall.transactions
    case = "most" if 2 * lost > ended else "some"
    return where(lost and lost >= FELT * ended, case, share=counted_share(lost, ended))


def unsaid_capacity(model: Model) -> list[Case]:
    """Failed attempts that cost something, and how much is not known."""
    capacity = model.overall.capacity
    if capacity is None or capacity.cost_usd is None:
        return []
    return where(capacity.unsaid, attempts=plural(capacity.unsaid, "failed attempt"))


def targets(model: Model, alike: Callable[[Target], bool]) -> list[Case]:
    """The names of the targets of a kind."""
    names = [target.name for target in model.run.targets if alike(target)]
    return where(names, names=", ".join(names))


def late_service(case: tuple[Model, Service | None]) -> list[Case]:
    """Figures of the service itself that are still to come."""
    model, service = case
    counted = any(target.is_counted_by_service for target in model.run.targets)
    return where(counted and not (service and service.complete))
