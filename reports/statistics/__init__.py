"""How sure figures are, and what follows from them: intervals, comparisons, curves, bands."""
