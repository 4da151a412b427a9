"""Gates: conditions that a run must meet, and the files that tell CI."""
