"""From a folder to its report's files."""
