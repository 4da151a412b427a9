"""Which rows conflicted, and whose commit failed whose attempt."""
