"""Loading tables through SQL and COPY."""
