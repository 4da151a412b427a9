"""Charts: style, drawing, and a module for each chart."""
