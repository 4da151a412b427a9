"""AWS: clients, credentials, signed requests."""
