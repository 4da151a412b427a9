"""What a sweep found: its points' summaries become curves, marks and one page.

`write_sweep_report` writes `report.html` and `sweep-summary.json` into a sweep's folder,
`answer_of_sweep` says in a few lines what a written report found, and `publish_sweep` gives the same
content for documents and slides. `nothing_bad` says what `--strict` asks for.
"""

from reports.sweep.write import answer_of_sweep, nothing_bad, publish_sweep, write_sweep_report

__all__ = ["answer_of_sweep", "nothing_bad", "publish_sweep", "write_sweep_report"]
