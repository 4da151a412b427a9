"""A Lambda function in front of a database."""
