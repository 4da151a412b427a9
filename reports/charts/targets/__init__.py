"""Charts of a run with several targets."""
