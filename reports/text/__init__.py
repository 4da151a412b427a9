"""What is said of figures: rounding, tables of texts, lines that a reader must know."""
