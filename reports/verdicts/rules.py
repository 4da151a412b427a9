"""Every verdict on a run and on a sweep: when it is given, what kind of news it is, and its words.

A condition yields the cases that hold; each has its line here.
"""

from reports.statistics.model import Model
from reports.statistics.service import Service
from reports.statistics.sweep.study import Study, failing, refusing
from reports.text.rounding import plural, seconds
from reports.text.verdict import Verdict
from reports.verdicts import load, record, sweep
from reports.verdicts.figures import band, few_conflicts
from reports.verdicts.gaps import gaps
from reports.verdicts.rule import Rule, apply, bad, good, note, where
from reports.verdicts.warmup import warmth

_COLD = (
    "Still warming up{where} when measuring began: in the first {until} {early} than later, which "
    "makes {whole}. `--warmup {asked}s` would have cut that off; the run had {had}."
)
_REFUSED = (
    "{share} of transactions were refused by the scenario's own rule: latency and rates are those of "
    "the others."
)
_GAP = "{target} {did} nothing {when}: {cost}.{share}"
_FAILED = (
    " transactions failed ({share}), which says nothing of how the database handles contention: "
    "latency and rates are those of the others."
)

RUN: tuple[Rule[Model], ...] = (
    Rule("simulated", lambda m: where(m.run.simulated),
         then=note("Simulated: no database was there. The figures are those of the model, and "
                   "true of a database only as far as it behaves like the model.")),
    Rule("invariant", record.invariant,
         unchecked=note("The invariant was not checked: the run ended before it could be."),
         broken=bad("Broken: {how}."),
         unknown=bad("{what}: could not be checked{why}."),
         unasked=note("{what}: could not be checked{why}."),
         holds=good("{what}: checked on every table, it holds.")),
    Rule("stand-in", lambda m: record.targets(m, lambda target: target.is_stand_in),
         then=note("{names}: DynamoDB Local runs transactions one after another, so it never "
                   "answers TransactionConflict, and counts capacity in its own way. Its figures "
                   "say little about DynamoDB, and no cost is computed from them.")),
    Rule("prediction, {name}", band,
         unsettled=note("{name}: no conflict rate is predicted, for it may share its data with "
                        "another."),
         unpredicted=note("{name}: no conflict rate could be predicted (it needs a scenario whose "
                          "accesses are known, and a target that shows when COMMIT was sent)."),
         locking=note("{figures}. The formula is for optimistic commits; under row locks it is no "
                      "test."),
         below=bad("{figures}. Below the band: conflicts may not have been counted."),
         above=bad("{figures}. Above the band: something else contends."),
         wide=note("{figures}. The band is too wide to test anything: {why} cannot be seen from "
                   "outside."),
         inside=good("{figures}: inside the band."),
         edge=good("{figures}: at the edge of the band.")),
    Rule("gap", gaps,
         heavy=bad(_GAP), light=note(_GAP)),
    Rule("few conflicts", few_conflicts,
         then=note("Few conflicts, so chance moves the rate a lot (95\N{NO-BREAK SPACE}% "
                   "interval): {rates}. A longer run, or fewer accounts, would say more.")),
    Rule("warm-up", warmth,
         cold=bad(_COLD), cool=note(_COLD),
         unsteady=note("Not steady{where}: {early} in the first half of the measured time than in "
                       "the second. A longer warm-up does not cut that off; measure for longer."),
         warm=good("The measured time was warm: without its first quarter throughput and latency "
                   "would change by less than {felt} (95\N{NO-BREAK SPACE}%)."),
         unsure=note("Whether the measured time was warm{where} cannot be told: it is too uneven "
                     "or too short to exclude a beginning that moves throughput or latency by "
                     "{felt}."),
         overloaded=note("Whether the measured time was warm cannot be told: the rate was not "
                         "kept, so what waits grows for as long as the run lasts."),
         short=note("The run was too short to tell whether it was warm when measuring began; "
                    "measure for at least {needed}\N{NO-BREAK SPACE}s.")),
    Rule("users", load.users,
         more=note("{working} users committed, and {asked} were asked for: more were started "
                   "while the run was going on."),
         fewer=bad("{working} of {asked} committed anything in the measured time{rest}. The "
                   "figures are of fewer users than were asked for.")),
    Rule("generator", load.generator,
         unknown=note("The run does not say how busy the tool itself was."),
         limit=bad("The tool was the limit: {reasons}. Use more processes, fewer users or a "
                   "machine of its own before judging the database."),
         felt=note("The tool was not the limit, but felt: {facts}, which is {share} of the "
                   "latency of slow transactions. Look at the median rather than the tail."),
         free=good("The tool was not the limit: {facts}.")),
    Rule("processes", record.processes,
         then=bad("{missing} of {asked} did not report: what was measured there last is missing.")),
    Rule("lost attempts", record.lost_attempts, then=bad("{lost} in no figure.")),
    Rule("record", lambda m: where(m.record.incomplete_said, text=m.record.incomplete_said),
         then=bad("{text}")),
    Rule("other files", lambda m: where(m.record.left_out_said, text=m.record.left_out_said),
         then=note("{text}")),
    Rule("loop", load.loop,
         closed=note("Closed loop: users wait for their answers, so slow times hold fewer samples "
                     "and latencies look better than arrivals at a fixed rate would see.{stalls}"),
         kept=good("The open loop kept its {rate} transactions a second: {facts}. Latency counts "
                   "from the intended start."),
         missed=bad("The open loop did not keep its {rate} transactions a second: {facts}. "
                    "Latency counts from the intended start.")),
    Rule("consistency", record.probes,
         missing=bad("The endpoints were to be probed for consistency, but no record of that is "
                     "there."),
         fresh=good("{text}"), stale=bad("{text}")),
    Rule("errors", record.errors,
         then=bad("{share} of attempts ended in an error that is no conflict: {kinds}.")),
    Rule("failures", lambda m: record.lost_share(m, m.overall.failed),
         some=bad("Some" + _FAILED), most=bad("Most" + _FAILED)),
    Rule("refused", lambda m: record.lost_share(m, m.overall.refused),
         some=note(_REFUSED), most=note(_REFUSED)),
    Rule("unfinished",
         lambda m: where(n := m.overall.unfinished, number=plural(n, "transaction")),
         then=note("{number} had not ended when the run did: attempts made count, latency is "
                   "unknown.")),
    Rule("capacity", record.unsaid_capacity,
         then=note("Of {attempts} the service did not say the capacity, and DynamoDB charges for "
                   "failed writes as well: the real cost is higher than the one given.")),
    Rule("durability",
         lambda m: [] if m.run.simulated else record.targets(m, lambda t: t.durable is False),
         then=bad("Durability was off on {names}: commits were not safe on disk, and were faster "
                  "for it.")),
    Rule("interrupted", lambda m: where(m.run.interrupted, time=seconds(m.measured_s)),
         then=note("The run was interrupted after {time} of measuring; the figures cover that "
                   "time.")),
)  # fmt: skip

SERVICE: tuple[Rule[tuple[Model, Service | None]], ...] = (
    Rule("service", record.late_service,
         then=note("CloudWatch's figures had not all arrived when this was written; `occbench "
                   "report --refresh RUN` fetches them.")),
)  # fmt: skip

SWEEP: tuple[Rule[Study], ...] = (
    Rule("points", sweep.points,
         failed=bad("Failed and left out: {at}: {why}."),
         pending=bad("Not measured yet: {at}; `occbench sweep --resume` goes on with them."),
         unreadable=bad("{at} could not be read: {why}."),
         whole=good("All {planned} points were {how}.")),
    Rule("invariant", sweep.invariant,
         broken=bad("The invariant was broken at {at} ({points}): the database did not keep its "
                    "promise there; each point's own report says how."),
         holds=good("The invariant held at every point."),
         simulated=note("Simulated: no database was there, and nothing was measured.")),
    Rule("failures", lambda s: sweep.at_points(s, failing(s)),
         then=bad("At {at} up to {most} of transactions failed ({points}): what is left there is "
                  "of another load than at the others, and no law is fitted to it.")),
    Rule("refused", lambda s: sweep.at_points(s, refusing(s)),
         then=note("At {at} up to {most} of transactions were refused by the scenario's own rule "
                   "({points}): latency and rates are those of the others.")),
    Rule("generator", sweep.generator,
         limit=bad("At {at} the load generator was the limit, not the database ({points}); they "
                   "are drawn hollow, and a knee there is the generator's."),
         free=good("The load generator was at no point the limit.")),
    Rule("rate", sweep.rate,
         then=note("At {at} the rate was not kept ({points}): more was asked for than could be "
                   "started, and the true latencies are worse than those shown.")),
    Rule("loop", lambda s: where(s.axis.name == "users" and s.sweep.config.rate is None),
         then=note("Users wait for their answers (a closed loop), so a stall is measured once for "
                   "each user and not for each transaction that would have come; sweep `--rate` "
                   "to see those.")),
    Rule("prediction", sweep.band,
         inside=good("The conflict rate lay within the predicted band of its own run in {within}."),
         out=note("The conflict rate lay within the predicted band of its own run in {within}; "
                  "{rest}. Each point's own report says more.")),
    Rule("repeats", sweep.repeats,
         once=note("Each point was measured once, so how far two runs of it lie apart is not "
                   "known; `--repeats 3` would show it."),
         several=note("Repeats of a point lie {usual} apart in throughput as a rule, and at most "
                      "{most}.")),
)  # fmt: skip


def verdicts(model: Model, service: Service | None = None) -> list[Verdict]:
    """Every verdict of a run; what is bad comes first."""
    lines = [*apply(RUN, model), *apply(SERVICE, (model, service))]
    return sorted(lines, key=lambda one: one.state != "bad")


def sweep_verdicts(study: Study) -> list[Verdict]:
    """Every verdict of a sweep; what is bad comes first, what is good last."""
    return sorted(apply(SWEEP, study), key=lambda one: ("bad", "note", "good").index(one.state))


def attention(study: Study) -> tuple[str, ...]:
    """The bad news of a sweep alone, for the terminal."""
    return tuple(one.text for one in sweep_verdicts(study) if one.state == "bad")
