"""From the record to figures."""
