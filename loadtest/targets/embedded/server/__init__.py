"""The embedded server: its folder, its processes, its life."""
