"""A result folder becomes tables, a model, charts, a summary and a report.

`summarise` gives a run's figures without drawing, `write_report` writes summary and page of a run or a
sweep, `write_as` the report in other formats too; `answer_of` gives what a written report answers.
`open_run` opens the record itself for questions of one's own.
"""

from reports.documents.run.summary import summarise
from reports.notebook import OpenRun, open_run
from reports.write import answer_of, write_as, write_report

__all__ = ["OpenRun", "answer_of", "open_run", "summarise", "write_as", "write_report"]
