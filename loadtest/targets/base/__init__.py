"""What every target is: sessions, limits, dialect, tables."""
