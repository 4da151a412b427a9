"""Which rows are used when: access, keys, blocks, retries, and the workloads themselves."""
