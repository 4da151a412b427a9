"""The database that comes with the tool: PostgreSQL from a wheel, in two regimes."""
