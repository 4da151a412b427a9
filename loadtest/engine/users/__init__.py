"""What one user does: when it starts, on which session, transaction after transaction."""
