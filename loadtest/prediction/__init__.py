"""Three ways to predict how often attempts conflict, each with its own use.

- `formula.py`: the closed formula, for a known rate of commits and a known window.
- `equilibrium.py`: the rates that follow from users, retries and backoff; `figures.py` are its figures,
  and `forecast.py` the intervals around them, for what is not known of the window and the model.
- `simulation/`: event by event, with no assumption but the workload's; leaves a record like a run's.

`workload.py` is what is asked of a forecast, `config.py` the options of `occbench predict`, `answer.py`
what it prints.
"""
