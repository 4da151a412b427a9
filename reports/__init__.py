"""A result folder becomes tables, a model, charts, `summary.json` and `report.html`.

Two functions are the whole of it: `summarise` (figures only, no drawing) and `write_report`.
"""

from reports.write import summarise, write_report

__all__ = ["summarise", "write_report"]
