"""This program as a process: signals, streams, children, locks, open files."""
