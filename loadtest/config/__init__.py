"""What a run is: every option, declared once, and what is made of the declaration."""
