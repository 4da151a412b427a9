"""The record of a run: its folder, its files, the outcome of every attempt."""
