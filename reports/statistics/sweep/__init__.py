"""Curves of a sweep: cost, knee, scalability."""
