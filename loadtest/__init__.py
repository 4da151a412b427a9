"""Running load: what a run is, who takes which account when, and what each attempt did."""
