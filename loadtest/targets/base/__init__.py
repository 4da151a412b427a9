"""The parts of every target: sessions, limits, dialect, tables."""
