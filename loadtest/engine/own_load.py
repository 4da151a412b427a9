"""The load on a process itself: its share of a processor, and its event loop's lag."""

from time import monotonic_ns, process_time
from typing import Any

import gevent
import numpy as np

_EVERY_S = 0.05


class OwnLoad:
    """Measures this process; a late event loop is time that a user waits for the tool."""

    def __init__(self) -> None:
        self._lags_ms: list[float] = []
        self._cpu_from: tuple[float, int] | None = None

    def watch(self) -> None:
        """Measure the event loop's lag for ever."""
        while True:
            before = monotonic_ns()
            gevent.sleep(_EVERY_S)
            self._lags_ms.append((monotonic_ns() - before) * 1e-6 - _EVERY_S * 1e3)

    def start(self) -> None:
        """Count from this moment on."""
        self._lags_ms.clear()
        self._cpu_from = (process_time(), monotonic_ns())

    def account(self) -> dict[str, Any]:
        """Return `cpu_share` and `loop_lag_ms` of run.json's `generators`, as far as they are known."""
        account: dict[str, Any] = {}
        if self._cpu_from is not None:
            cpu, since = self._cpu_from
            account["cpu_share"] = round((process_time() - cpu) / ((monotonic_ns() - since) / 1e9), 3)
        if self._lags_ms:
            lags = np.percentile(np.maximum(self._lags_ms, 0.0), [50, 99, 100])
            account["loop_lag_ms"] = dict(
                zip(("p50", "p99", "max"), lags.round(3).tolist(), strict=True)
            )
        return account
