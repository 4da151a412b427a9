"""The commands of `occbench`, a module each or a few that belong together.

Each module has `register`, which adds its commands to the application; a command hands its options to
the room that does the work, and holds no logic.
"""
