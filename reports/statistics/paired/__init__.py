"""Key types, or targets, compared over pairs of blocks."""
