"""One process that generates load, and a run from its preflight to its end."""
