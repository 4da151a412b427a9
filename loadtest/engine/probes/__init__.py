"""Consistency probes: commits through one endpoint that must be seen through the next one."""
