"""Many runs that differ in a few options: which ones, in what order, measured one after another.

A sweep is a folder with `sweep.json` (its plan, and how far it has come) and an ordinary run's folder
for each point. `plan.begin` and `plan.resume` give the sweep, `measure.measure` measures what is
pending.
"""
