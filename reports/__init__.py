"""A result folder becomes tables, a model, charts, a summary and a report.

`summarise` gives a run's figures without drawing, `write_report` writes summary and page of a run or a
sweep, `write_as` the report in other formats too; `answer_of` says what a written report found.
"""

from reports.documents.run.summary import summarise
from reports.write.report import answer_of, write_as, write_report

__all__ = ["answer_of", "summarise", "write_as", "write_report"]
