"""How fast the tool is, beside PostgreSQL's own programs: `python -m tests.bench`.

Every figure stands beside one of pgbench or psql from the same minute on the same server, in
alternation: seconds differ between machines and moments, ratios much less.
"""
