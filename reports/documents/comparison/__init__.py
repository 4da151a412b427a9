"""Runs compared with one another: which figures became better or worse, by how much, how sure."""
