"""Charts: style, drawing, and a module for each chart."""

# First of all, for it says how matplotlib is imported.
from reports.charts import backend as _backend  # noqa: F401
