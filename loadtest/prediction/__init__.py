"""How often attempts conflict: the formula, the forecasts made of it, and event by event."""
