"""Aurora DSQL."""
