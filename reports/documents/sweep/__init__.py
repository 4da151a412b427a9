"""What a sweep found: its points' summaries become curves, marks and one page."""
