"""Can the figures be trusted: a line for each thing to know."""
