"""Tables that a notebook asks for by name: one query each, over the views of `reading.views`.

Seconds count from the begin of measuring, by when an attempt ended.
"""

_SECOND = "(end_ns - getvariable('from_ns')) // 1_000_000_000"

FRAMES = {
    "outcomes": """
        SELECT target, key_type, operation, outcome, count(*) AS attempts
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
    "errors": """
        SELECT outcome, sqlstate, count(*) AS attempts
        FROM attempts WHERE sqlstate IS NOT NULL GROUP BY ALL ORDER BY attempts DESC, outcome, sqlstate
    """,
    "retries": """
        SELECT target, key_type, retries, count(*) AS transactions
        FROM transactions WHERE counted GROUP BY ALL ORDER BY ALL
    """,
    "throughput_by_second": f"""
        SELECT {_SECOND} AS second, target, key_type,
            count(*) FILTER (final AND committed) AS committed,
            count(*) FILTER (conflicted) AS conflicts,
            count(*) FILTER (conflicted) / nullif(count(*) FILTER (decided), 0) AS conflict_rate
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
    "latency_by_second": f"""
        SELECT {_SECOND} AS second, target, key_type, count(*) AS transactions,
            quantile_cont(latency_ns, 0.5) / 1e6 AS p50_ms,
            quantile_cont(latency_ns, 0.95) / 1e6 AS p95_ms,
            quantile_cont(latency_ns, 0.99) / 1e6 AS p99_ms
        FROM transactions WHERE counted GROUP BY ALL ORDER BY ALL
    """,
    "time_by_attempt": """
        SELECT attempt, count(*) AS attempts, avg(statements_ns) / 1e6 AS statements_ms,
            avg(commit_ns) / 1e6 AS commit_ms, avg(backoff_ns) / 1e6 AS backoff_ms,
            count(*) FILTER (conflicted) / count(*) AS conflict_rate
        FROM attempts WHERE decided GROUP BY ALL ORDER BY ALL
    """,
    "rows": """
        SELECT "table", key_type, "row", count(*) AS accesses,
            count(*) FILTER (conflicted) AS conflicts
        FROM accesses WHERE decided GROUP BY ALL
        ORDER BY conflicts DESC, accesses DESC, "table", key_type, "row"
    """,
    "users": """
        SELECT target, "user", count(*) FILTER (final) AS transactions,
            count(*) FILTER (final AND committed) AS committed,
            count(*) FILTER (conflicted) AS conflicts
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
    "blocks": """
        SELECT block, key_type, target,
            (min(start_ns) - getvariable('from_ns')) / 1e9 AS first_start_s,
            count(*) FILTER (final AND committed) AS committed,
            count(*) FILTER (conflicted) / nullif(count(*) FILTER (decided), 0) AS conflict_rate
        FROM attempts GROUP BY ALL ORDER BY ALL
    """,
}
"""Name → query."""
