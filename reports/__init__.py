"""A result folder becomes tables, a model, charts, `summary.json` and `report.html`.

Three functions are the whole of it: `summarise` (figures only, no drawing), `write_report`, and
`answer_of` for what a written report found.
"""

from reports.write import answer_of, summarise, write_report

__all__ = ["answer_of", "summarise", "write_report"]
