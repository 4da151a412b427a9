"""Faults put into real runs: what is promised of each, and what was measured.

A test's docstring begins with the promise. Tests that need time are marked `long` and run by
`make faults` alone; the others are its short form and run with every `make test`.
"""
