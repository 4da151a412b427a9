"""A result folder becomes tables, a model, charts, `summary.json` and `report.html`.

`summarise` gives the figures without drawing, `write_report` writes both files, `write_as` the report
in other formats too; `answer_of` says what a written report found. `open_run` opens the record itself
for questions of one's own.
"""

from reports.documents.run.summary import summarise
from reports.notebook import OpenRun, open_run
from reports.write.run import answer_of, write_as, write_report

__all__ = ["OpenRun", "answer_of", "open_run", "summarise", "write_as", "write_report"]
