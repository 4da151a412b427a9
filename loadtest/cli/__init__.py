"""The command line: from a command's words to its exit status; the commands are in `commands/`."""
