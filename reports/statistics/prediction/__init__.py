"""What the formula says of a run, and what a run says of other loads."""
