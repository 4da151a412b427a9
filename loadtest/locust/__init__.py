"""Locust's side of a run: events, its own page, workers, and a run without the page."""
