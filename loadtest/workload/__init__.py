"""The work of a run: access laws, keys, blocks, retry policies, and the workloads themselves."""
