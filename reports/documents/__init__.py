"""What each kind of report says, in reading order, before it is printed."""
