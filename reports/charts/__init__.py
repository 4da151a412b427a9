"""Charts: style, drawing, and a module for each chart."""

# First of all, for it says how matplotlib is imported.
from reports.charts import drawing as _drawing  # noqa: F401
