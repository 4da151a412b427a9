"""Several runs in one report: their figures beside one another, their curves overlaid."""

from reports.together.write import publish_together, write_together

__all__ = ["publish_together", "write_together"]
