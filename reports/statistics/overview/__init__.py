"""Several runs, each kept small."""
