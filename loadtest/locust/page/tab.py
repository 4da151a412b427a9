"""The tab "Contention": what Locust's own statistics cannot say, by key type, while a test runs."""

import json
from typing import Any

from flask import Response, request
from locust.web import WebUI

from loadtest.engine.live import Tally
from loadtest.locust.wiring import Wiring

_KEY = "contention"
_COLUMNS = {
    "name": "Key type",
    "attempts": "Attempts",
    "committed": "Committed",
    "conflicts": "Conflicts",
    "conflict_rate": "Conflicts / attempts decided",
    "retries": "Retries / committed",
    "given_up": "Given up",
    "lost": "Failed or refused",
    "median": "Median (ms)",
    "percentile": "99%ile (ms)",
}


def install(wiring: Wiring, web_ui: WebUI) -> None:
    """Add the tab; Locust's page asks for its rows along with its own statistics."""
    web_ui.template_args["extended_tabs"] = [{"title": "Contention", "key": _KEY}]
    web_ui.template_args["extended_tables"] = [
        {
            "key": _KEY,
            "structure": [{"key": key, "title": title} for key, title in _COLUMNS.items()],
        }
    ]

    def add_rows(response: Response) -> Response:
        if request.path.endswith("/stats/requests") and response.is_json:
            rows = [_row(name, tally) for name, tally in wiring.counts.items()]
            known = {"extended_stats": [{"key": _KEY, "data": rows}]}
            response.set_data(json.dumps({**(response.json or {}), **known}))
        return response

    assert web_ui.app is not None  # noqa: S101 - webui.install has looked
    web_ui.app.after_request(add_rows)


def _row(name: str, tally: Tally) -> dict[str, Any]:
    """One key type; what nothing was counted for is a dash."""
    conflicts = tally.conflicts / tally.decided if tally.decided else None
    retries = tally.retried / tally.committed if tally.committed else None
    median, percentile = tally.latency_ms(0.5), tally.latency_ms(0.99)
    return {
        "name": name,
        "safe_name": name,
        "attempts": tally.attempts,
        "committed": tally.committed,
        "conflicts": tally.conflicts,
        "conflict_rate": "–" if conflicts is None else f"{100 * conflicts:.2f} %",
        "retries": "–" if retries is None else f"{retries:.3f}",
        "given_up": tally.given_up,
        "lost": tally.lost,
        "median": "–" if median is None else f"{median:.3g}",
        "percentile": "–" if percentile is None else f"{percentile:.3g}",
    }
