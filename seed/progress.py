"""How far loading is, in a line."""

from time import monotonic

from loadtest.process.progress import Progress, how_long


class SeedProgress:
    """What seeding reports, always from the thread that called `seed`; shown if there is a display."""

    def __init__(self, display: Progress | None = None) -> None:
        self._display = display
        self._table = ""
        self._accounts = self._before = self._loaded = 0
        self._began = 0.0

    def begin(self, table: str, accounts: int, loaded: int) -> None:
        """Loading of a table begins; `loaded` accounts of it are there from before."""
        self._table, self._accounts = table, accounts
        self._before = self._loaded = loaded
        self._began = monotonic()

    def advance(self, accounts: int) -> None:
        """This many more accounts are committed."""
        self._loaded += accounts
        if self._display is not None and self._display.is_due:
            self._display.show(self._line(), self._loaded / self._accounts)

    def _line(self) -> str:
        rate = (self._loaded - self._before) / max(monotonic() - self._began, 1e-9)
        left = (self._accounts - self._loaded) / rate
        return (
            f"{self._table}: {self._loaded:,} of {self._accounts:,} accounts, "
            f"{rate:,.0f} rows/s, {how_long(left)} left"
        )
