"""Several runs in one report: their figures beside one another, their curves overlaid."""
