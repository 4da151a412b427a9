"""One user: pacing, sessions, and the loop of transactions."""
