"""Loading items, 25 a request."""
